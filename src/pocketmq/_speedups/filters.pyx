# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The values of a few properties of stored records; the meaning is in filtering/sql/filters.py."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int32_t, uint8_t
from libc.string cimport memchr, memcmp

from .big_endian cimport load32


cdef list _values(const uint8_t* p, const uint8_t* end, tuple names):
    """The last non-empty value of each name in a property string; None where there is none."""
    cdef Py_ssize_t count = len(names), i, length
    cdef list found = [None] * count
    cdef const uint8_t* stop
    cdef const uint8_t* mark
    cdef bytes name
    while p < end:
        stop = <const uint8_t*>memchr(p, 2, end - p)
        if stop == NULL:
            stop = end
        mark = <const uint8_t*>memchr(p, 1, stop - p)
        if mark != NULL and mark > p and mark + 1 < stop:
            length = mark - p
            for i in range(count):
                name = <bytes>names[i]
                if PyBytes_GET_SIZE(name) == length and memcmp(
                    PyBytes_AS_STRING(name), p, length
                ) == 0:
                    found[i] = PyUnicode_DecodeUTF8(
                        <char*>(mark + 1), stop - mark - 1, b"replace"
                    )
                    break
        p = stop + 1
    return found


def stretch_values(data, tuple names):
    """(size, values of the names) of each whole record in a stretch of the log."""
    cdef Py_buffer view
    cdef const uint8_t* p
    cdef Py_ssize_t at = 0, inner, limit
    cdef int32_t size, body
    cdef list found = []
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        while view.len - at >= 91:
            p = <const uint8_t*>view.buf + at
            size = load32(p)
            if size < 91 or size > view.len - at:
                break
            inner = 84
            if p[39] & 0x10:
                inner += 12
            if p[39] & 0x20:
                inner += 12
            limit = -1
            if inner + 4 <= size:
                body = load32(p + inner)
                inner += 4
                if 0 <= body <= size - inner - 3:
                    inner += body
                    if p[7] == 0xAB:
                        inner += 2 + (p[inner] << 8 | p[inner + 1])
                    else:
                        inner += 1 + p[inner]
                    if inner + 2 <= size:
                        limit = inner + 2 + (p[inner] << 8 | p[inner + 1])
            if 0 <= limit <= size:
                found.append((size, _values(p + inner + 2, p + limit, names)))
            else:
                found.append((size, [None] * len(names)))
            at += size
        return found
    finally:
        PyBuffer_Release(&view)
