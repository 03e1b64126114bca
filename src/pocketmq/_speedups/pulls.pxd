"""Choosing the records that a pull gets, in place."""

from libc.stdint cimport int32_t, int64_t, uint8_t

from .filters cimport Program

cdef enum:
    ENTRY_BYTES = 20
    RECORDS_MAX = 128
    ANSWERED_BYTES_MAX = 65536

cdef struct Bounds:
    int64_t count_max
    int64_t count_recent
    int64_t bytes_recent
    int64_t count_old
    int64_t bytes_old

cdef struct Search:
    const uint8_t* entries       # of the consume queue, from the first to look at
    Py_ssize_t entries_bytes
    const uint8_t* log           # a file of the commit log, which begins at log_start
    int64_t log_bytes
    int64_t log_start
    int64_t log_min
    int64_t log_end
    int64_t recent_from
    int64_t hot_from
    Py_ssize_t count             # what was found: how many records, and where they are
    Py_ssize_t total
    Py_ssize_t passed
    int64_t offsets[RECORDS_MAX]
    int32_t sizes[RECORDS_MAX]


cdef class Choice:
    """Which records a pull wants: those of some tags, or those that a filter accepts."""

    cdef object tag_hashes
    cdef object accept
    cdef bint filtered
    cdef bint single
    cdef int32_t only
    cdef Program program

    # False leaves the pull to `Reader.pull`. Every record found is whole and in memory.
    cdef bint search(self, Search* search, const Bounds* bounds, log) except -1
