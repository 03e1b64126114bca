"""What a turn read, and what is to be answered, as it goes from leaf to leaf."""

from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint8_t

cdef enum:
    ARRIVALS_MAX = 256
    ARENA_BYTES = 1 << 20


# Bytes that grow; `make_room` before each write.
cdef struct Answers:
    uint8_t* p
    Py_ssize_t room
    Py_ssize_t used


cdef class Seat:
    cdef readonly object owner
    cdef readonly int descriptor
    cdef readonly list kept
    cdef public bytes lane
    cdef public bint active
    cdef int64_t turn


# One read: `p` and `size` are its bytes, none at the end of the stream, or there was an `error`. Of
# these `taken` are served, `frames` of them since it was last asked. Their answers lie in the
# arrivals' buffer, or, where a socket took only some of them, the rest is `unsent`.
cdef struct Arrival:
    PyObject* seat
    int error
    const uint8_t* p
    Py_ssize_t size
    Py_ssize_t taken
    Py_ssize_t frames
    Py_ssize_t answers_at
    Py_ssize_t answers_size
    PyObject* unsent


cdef class Arrivals:
    cdef Arrival items[ARRIVALS_MAX]
    cdef Py_ssize_t count
    cdef uint8_t* arena
    cdef Py_ssize_t arena_used
    cdef Answers answers

    cdef Arrival* put(self, Seat seat, Py_ssize_t size, int error) noexcept
    cdef void clear(self) noexcept


cdef int make_room(Answers* answers, Py_ssize_t size) except -1
