"""Deciding about a record in place."""

from libc.stdint cimport int64_t, uint8_t

cdef enum:
    NAMES_MAX = 16
    STEPS_MAX = 64

cdef enum:
    FALSE = 0
    TRUE = 1
    UNKNOWN = 2
    UNDECIDED = 3

cdef enum:
    ALL = 0
    ANY = 1
    NOT = 2
    IS_NULL = 3
    AMONG = 4
    NOT_AMONG = 5
    LESS = 6
    LESS_EQUAL = 7
    GREATER = 8
    GREATER_EQUAL = 9
    SAME = 10

cdef struct Step:
    int operation
    int first
    int parts
    int64_t number
    int64_t limit

cdef struct Value:
    const uint8_t* p
    Py_ssize_t size


cdef class Program:
    cdef tuple names
    cdef list texts
    cdef int count
    cdef Step steps[STEPS_MAX]
    cdef int decide(self, const uint8_t* record, Py_ssize_t size) except -1
    cdef int outcome(self, int at, const Value* values) except -1
    cdef object part(self, int at, int number)
