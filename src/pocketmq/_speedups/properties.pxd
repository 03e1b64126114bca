"""The properties of a send, looked through in place."""

from libc.stdint cimport uint8_t

cdef enum:
    REWRITE = 1
    NO_WAIT = 2
    SPECIAL = 4
    HAS_KEYS = 8
    UNTERMINATED = 16


cdef int scan_marks(
    const uint8_t* p, Py_ssize_t size, const uint8_t** key, Py_ssize_t* key_size
) noexcept nogil
