# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Filling an index file; the meaning is in store/index_file.py."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from .big_endian cimport load32, load64, store32, store64

cdef int HEADER_BYTES = 40
cdef int ENTRY_BYTES = 20
cdef int KEY_BYTES = 20


cdef extern from *:
    """
    #if defined(__GNUC__)
    #define POCKETMQ_PREFETCH(p) __builtin_prefetch((p), 1)
    #else
    #define POCKETMQ_PREFETCH(p) ((void)(p))
    #endif
    """
    void prefetch "POCKETMQ_PREFETCH"(const void* p) noexcept nogil


def put_keys(data, bytes keys, Py_ssize_t first, int32_t slots, int32_t entries):
    """Put packed keys until the file is full; return the byte behind the last one put."""
    cdef Py_buffer view
    cdef uint8_t* base
    cdef uint8_t* entry
    cdef uint8_t* slot
    cdef const char* packed = PyBytes_AS_STRING(keys)
    cdef Py_ssize_t total = PyBytes_GET_SIZE(keys)
    cdef Py_ssize_t entries_at = HEADER_BYTES + <Py_ssize_t>slots * 4
    cdef Py_ssize_t ahead
    cdef int64_t begin_ms, end_ms, begin, end, log_offset, store_ms, seconds
    cdef int32_t used, count, older, key_hash, next_hash
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    try:
        if view.len < entries_at + <Py_ssize_t>entries * ENTRY_BYTES:
            raise IndexError("the index file is shorter than its slots and entries")
        base = <uint8_t*>view.buf
        begin_ms = load64(base)
        end_ms = load64(base + 8)
        begin = load64(base + 16)
        end = load64(base + 24)
        used = load32(base + 32)
        count = max(load32(base + 36), 1)
        # The slots are spread over 20 MB: ask for the memory before it is needed.
        for ahead in range(first, min(first + 16 * KEY_BYTES, total - KEY_BYTES + 1), KEY_BYTES):
            memcpy(&next_hash, packed + ahead, 4)
            prefetch(base + HEADER_BYTES + <Py_ssize_t>(next_hash % slots) * 4)
        while first + KEY_BYTES <= total and count < entries:
            ahead = first + 16 * KEY_BYTES
            if ahead + KEY_BYTES <= total:
                memcpy(&next_hash, packed + ahead, 4)
                prefetch(base + HEADER_BYTES + <Py_ssize_t>(next_hash % slots) * 4)
            memcpy(&key_hash, packed + first, 4)
            memcpy(&log_offset, packed + first + 4, 8)
            memcpy(&store_ms, packed + first + 12, 8)
            first += KEY_BYTES
            slot = base + HEADER_BYTES + <Py_ssize_t>(key_hash % slots) * 4
            older = load32(slot)
            if older <= 0 or older >= count:
                older = 0
                used += 1
            if count == 1:
                begin_ms = store_ms
                begin = log_offset
            seconds = 0
            if begin_ms > 0 and store_ms > begin_ms:
                seconds = min((store_ms - begin_ms) // 1000, <int64_t>0x7FFFFFFF)
            entry = base + entries_at + <Py_ssize_t>count * ENTRY_BYTES
            store32(entry, <uint32_t>key_hash)
            store64(entry + 4, log_offset)
            store32(entry + 12, <uint32_t>seconds)
            store32(entry + 16, <uint32_t>older)
            store32(slot, <uint32_t>count)
            count += 1
            end_ms = store_ms
            end = log_offset
        store64(base, begin_ms)
        store64(base + 8, end_ms)
        store64(base + 16, begin)
        store64(base + 24, end)
        store32(base + 32, <uint32_t>used)
        store32(base + 36, <uint32_t>count)
        return first
    finally:
        PyBuffer_Release(&view)


def rebuild_slots(data, int32_t slots, int32_t count, int64_t log_end):
    """Build the slots from the entries; write how many are used; return the believable count."""
    cdef Py_buffer view
    cdef uint8_t* base
    cdef uint8_t* entry
    cdef uint8_t* slot
    cdef Py_ssize_t entries_at = HEADER_BYTES + <Py_ssize_t>slots * 4
    cdef int64_t previous = -1, log_offset
    cdef int32_t used = 0, number = 1, key_hash, older
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    try:
        if view.len < entries_at + <Py_ssize_t>count * ENTRY_BYTES:
            raise IndexError("the index file is shorter than its slots and entries")
        base = <uint8_t*>view.buf
        memset(base + HEADER_BYTES, 0, entries_at - HEADER_BYTES)
        while number < count:
            entry = base + entries_at + <Py_ssize_t>number * ENTRY_BYTES
            key_hash = load32(entry)
            log_offset = load64(entry + 4)
            if key_hash < 0 or log_offset < previous or log_offset >= log_end:
                break
            if load32(entry + 12) < 0:
                break
            if log_offset == 0 and number > 1 and previous > 0:
                break
            slot = base + HEADER_BYTES + <Py_ssize_t>(key_hash % slots) * 4
            older = load32(slot)
            used += older == 0
            store32(entry + 16, <uint32_t>older)
            store32(slot, <uint32_t>number)
            previous = log_offset
            number += 1
        store32(base + 32, <uint32_t>used)
        return number
    finally:
        PyBuffer_Release(&view)
