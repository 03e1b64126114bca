# cython: language_level=3
"""Making pages cheap to write before they are needed; see store/residency.py."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t


cdef extern from *:
    """
    #if defined(__GNUC__)
    #define POCKETMQ_TOUCH(p) ((void)__atomic_fetch_or((p), 0, __ATOMIC_RELAXED))
    #elif defined(_MSC_VER)
    #include <intrin.h>
    #define POCKETMQ_TOUCH(p) ((void)_InterlockedOr8((volatile char*)(p), 0))
    #else
    #define POCKETMQ_TOUCH(p) ((void)*(volatile unsigned char*)(p))
    #endif
    """
    void touch "POCKETMQ_TOUCH"(uint8_t* p) noexcept nogil


def touch_for_writing(data, Py_ssize_t first, Py_ssize_t last):
    """Write each page of a range without changing it, atomically and without holding the lock."""
    cdef Py_buffer view
    cdef Py_ssize_t at
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    try:
        last = min(last, view.len)
        with nogil:
            at = max(first, 0)
            while at < last:
                touch(<uint8_t*>view.buf + at)
                at += 4096
    finally:
        PyBuffer_Release(&view)


cdef extern from *:
    """
    #if defined(__linux__)
    #include <sys/mman.h>
    static int pocketmq_resident(size_t first, size_t length) {
        unsigned char pages[1024];
        while (length > 0) {
            size_t part = length < sizeof pages * 4096 ? length : sizeof pages * 4096;
            if (mincore((void *)first, part, pages) != 0) return 1;
            for (size_t i = 0; i < (part + 4095) / 4096; i++)
                if (!(pages[i] & 1)) return 0;
            first += part;
            length -= part;
        }
        return 1;
    }
    #else
    static int pocketmq_resident(size_t first, size_t length) {
        (void)first;
        (void)length;
        return 1;
    }
    #endif
    """
    int pocketmq_resident(size_t first, size_t length) noexcept nogil


def is_resident(size_t address, size_t length):
    """Say whether every page of a mapped range is in memory; True where nobody knows."""
    cdef size_t first = address // 4096 * 4096
    if address == 0:
        return True
    return pocketmq_resident(first, address + length - first) != 0
