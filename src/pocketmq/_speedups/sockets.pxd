"""Writing to a socket what lies in several places."""

from libc.stdint cimport uint8_t

cdef enum:
    PIECES_MAX = 160

cdef struct Piece:
    const uint8_t* p
    Py_ssize_t size


# What the socket takes now: a number of bytes, 0 when it is full, else minus the errno.
cdef Py_ssize_t send_pieces(int fd, const Piece* pieces, int count) noexcept nogil
