# cython: language_level=3
"""Reading the wall clock; see clock.py."""

from libc.stdint cimport int64_t


cdef extern from "<time.h>":
    struct timespec:
        int64_t tv_sec
        long tv_nsec
    int TIME_UTC
    int timespec_get(timespec* now, int base) noexcept nogil


def now_ms():
    """Milliseconds since the Unix epoch."""
    cdef timespec now
    timespec_get(&now, TIME_UTC)
    return <int64_t>now.tv_sec * 1000 + now.tv_nsec // 1000000
