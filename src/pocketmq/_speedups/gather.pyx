# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Copying the records of one answer; the meaning is in store/pull_scan.py."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from .big_endian cimport load32, load64


def gather_records(data, int64_t file_start, bytes extents, Py_ssize_t total, Py_ssize_t count):
    """The bytes of all extents in one piece; None when they are not exactly `count` records."""
    cdef Py_buffer view
    cdef const uint8_t* p
    cdef uint8_t* out
    cdef int64_t log_offset, end
    cdef Py_ssize_t used = 0, found = 0
    cdef int32_t size
    cdef uint32_t magic
    cdef const int64_t* pair = <const int64_t*>PyBytes_AS_STRING(extents)
    cdef Py_ssize_t pairs = PyBytes_GET_SIZE(extents) // 16, i
    cdef bytes result = PyBytes_FromStringAndSize(NULL, total)
    out = <uint8_t*>PyBytes_AS_STRING(result)
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        for i in range(pairs):
            log_offset = pair[2 * i]
            end = log_offset + pair[2 * i + 1]
            if log_offset < file_start or end - file_start > view.len:
                return None
            while log_offset < end:
                if end - log_offset < 91:
                    return None
                p = <const uint8_t*>view.buf + (log_offset - file_start)
                size = load32(p)
                magic = <uint32_t>load32(p + 4)
                if size < 91 or size > end - log_offset or used + size > total:
                    return None
                if magic != <uint32_t>0xDAA320A7 and magic != <uint32_t>0xDAA320AB:
                    return None
                if load64(p + 28) != log_offset:
                    return None
                memcpy(out + used, p, size)
                used += size
                log_offset += size
                found += 1
        return result if found == count and used == total else None
    finally:
        PyBuffer_Release(&view)
