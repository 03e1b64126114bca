# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Plain pulls: from the entries of a consume queue to the whole answer, in one buffer.

This joins three leaves (choosing records, gathering them, the answer's head) for the pulls that
make up nearly all: what is asked for is in memory, in one file of the log, and undamaged. Whatever
is different is left to `Reader.pull`, which is the meaning of this.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from .answers cimport PULL_HEAD_BYTES_MAX, PullHead, put_pull_head
from .big_endian cimport load32, load64
from .filters cimport FALSE, TRUE, UNDECIDED, Program
from .pages cimport resident

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define PQ_PREFETCH(p) __builtin_prefetch(p)
    #else
    #define PQ_PREFETCH(p) ((void)(p))
    #endif
    """
    void PQ_PREFETCH(const void* p) noexcept nogil

cdef enum:
    PREFETCHED = 8
    CACHE_LINE_BYTES = 64
    SPAN_BYTES_MAX = 4194304
    ASKED_BYTES = 262144
    RECORD_BYTES_MIN = 91

cdef uint32_t MAGIC_V1 = 0xDAA320A7
cdef uint32_t MAGIC_V2 = 0xDAA320AB


# A part of the log that was in memory when it was looked at.
cdef struct Known:
    int64_t first
    int64_t last


cdef class Choice:

    def __init__(self, tag_hashes, accept):
        self.tag_hashes = tag_hashes
        self.accept = accept
        self.filtered = tag_hashes is not None
        self.program = None if accept is None else accept.program
        if self.filtered and len(tag_hashes) == 1:
            (wanted,) = tag_hashes
            if -0x80000000 <= wanted <= 0x7FFFFFFF:
                self.single = True
                self.only = wanted

    cdef bint search(self, Search* search, const Bounds* bounds, log) except -1:
        cdef const uint8_t* base = search.log - search.log_start
        cdef const uint8_t* p = search.entries
        cdef const uint8_t* end = p + search.entries_bytes
        cdef int64_t log_offset, span
        cdef int32_t size, low
        cdef Py_ssize_t count = 0, total = 0, i
        cdef int outcome
        cdef bint old
        cdef Known known
        known.first = known.last = 0
        search.passed = 0
        for i in range(PREFETCHED):
            prefetch(search, p + i * ENTRY_BYTES, end, self.program is not None)
        while p + ENTRY_BYTES <= end:
            log_offset = load64(p)
            size = load32(p + 8)
            prefetch(search, p + PREFETCHED * ENTRY_BYTES, end, self.program is not None)
            if count:
                old = log_offset < search.recent_from
                if count >= min(bounds.count_max, bounds.count_old if old else bounds.count_recent):
                    break
                if total + size > (bounds.bytes_old if old else bounds.bytes_recent):
                    break
            search.passed += 1
            low = load32(p + 16)
            p += ENTRY_BYTES
            if self.filtered:
                if self.single:
                    if low != self.only:
                        continue
                elif low not in self.tag_hashes:
                    continue
            if log_offset < search.log_min or size < RECORD_BYTES_MIN:
                return False
            if log_offset > search.log_end - size or log_offset < search.log_start:
                return False
            if log_offset + size - search.log_start > search.log_bytes:
                return False
            if self.program is not None:
                if log_offset < search.hot_from and not is_at_hand(search, log_offset, size, &known):
                    return False
                if not is_record(base + log_offset, size, log_offset):
                    return False
                outcome = self.program.decide(base + log_offset, size)
                if outcome == UNDECIDED:
                    i = log_offset - search.log_start
                    outcome = TRUE if self.accept(memoryview(log)[i:i + size]) else FALSE
                if outcome != TRUE:
                    continue
            if count == RECORDS_MAX or total + size > ANSWERED_BYTES_MAX:
                return False
            if count and log_offset < search.offsets[0]:
                return False
            search.offsets[count] = log_offset
            search.sizes[count] = size
            count += 1
            total += size
        search.count = count
        search.total = total
        if not count:
            return False
        if search.offsets[0] < search.hot_from:
            span = search.offsets[count - 1] + search.sizes[count - 1] - search.offsets[0]
            if span > SPAN_BYTES_MAX or not resident(<size_t>(base + search.offsets[0]), span):
                return False
        for i in range(count):
            if not is_record(base + search.offsets[i], search.sizes[i], search.offsets[i]):
                return False
        return True


def answer_pull(
    queue, Py_ssize_t position, Py_ssize_t limit, tag_hashes, log, tuple where, tuple limits,
    tuple ask, accept,
):
    """Return (answer, entries passed, records, bytes of records), or None for `Reader.pull`.

    `queue` holds the entries from `position` to `limit`, `log` a file of the commit log. `where`
    is (start of that file, first log offset kept, log end, recent from, hot from), `limits`
    (count max, count recent, bytes recent, count old, bytes old), `ask` (queue offset, min offset,
    max offset, serialization, opaque, broker id, version). `accept` is None or a filter with a
    `program`, which chooses among records; a record it cannot decide about is shown to `accept`.
    """
    cdef Py_buffer entries, records
    cdef Search search
    cdef Bounds bounds
    cdef Choice choice = Choice(tag_hashes, accept)
    cdef int64_t queue_offset
    cdef Py_ssize_t i, head_size
    cdef uint8_t head_bytes[PULL_HEAD_BYTES_MAX]
    cdef PullHead head
    cdef const uint8_t* base
    cdef uint8_t* out
    cdef bytes answer
    search.log_start, search.log_min, search.log_end, search.recent_from, search.hot_from = where
    (
        bounds.count_max, bounds.count_recent, bounds.bytes_recent, bounds.count_old,
        bounds.bytes_old,
    ) = limits
    PyObject_GetBuffer(log, &records, PyBUF_SIMPLE)
    try:
        PyObject_GetBuffer(queue, &entries, PyBUF_SIMPLE)
    except BaseException:
        PyBuffer_Release(&records)
        raise
    try:
        search.entries = <const uint8_t*>entries.buf + position
        search.entries_bytes = min(limit, entries.len) - position
        search.log = <const uint8_t*>records.buf
        search.log_bytes = records.len
        if not choice.search(&search, &bounds, log):
            return None
        (
            queue_offset, head.min_offset, head.max_offset, head.serialization, head.opaque,
            head.broker_id, head.version,
        ) = ask
        head.next_offset = queue_offset + search.passed
        head.topic_sys_flag = head.group_sys_flag = head.code = 0
        head.remark = <const uint8_t*>b"FOUND"
        head.remark_size = 5
        head_size = put_pull_head(head_bytes, &head, search.total)
        answer = PyBytes_FromStringAndSize(NULL, head_size + search.total)
        out = <uint8_t*>PyBytes_AS_STRING(answer)
        memcpy(out, head_bytes, head_size)
        out += head_size
        base = search.log - search.log_start
        for i in range(search.count):
            memcpy(out, base + search.offsets[i], search.sizes[i])
            out += search.sizes[i]
        return answer, search.passed, search.count, search.total
    finally:
        PyBuffer_Release(&entries)
        PyBuffer_Release(&records)


cdef inline void prefetch(
    const Search* search, const uint8_t* entry, const uint8_t* end, bint properties
) noexcept nogil:
    """Begin to load the parts of a record that will be looked at: its head, its properties."""
    cdef int64_t at
    if entry + ENTRY_BYTES > end:
        return
    at = load64(entry) - search.log_start
    if at < 0 or at >= search.log_bytes:
        return
    PQ_PREFETCH(search.log + at)
    if properties:
        at += load32(entry + 8)
        if 2 * CACHE_LINE_BYTES <= at <= search.log_bytes:
            PQ_PREFETCH(search.log + at - CACHE_LINE_BYTES)
            PQ_PREFETCH(search.log + at - 2 * CACHE_LINE_BYTES)


cdef bint is_at_hand(
    const Search* search, int64_t log_offset, int32_t size, Known* known
) noexcept nogil:
    """Whether a record is in memory; asked for it and what follows together, mostly."""
    cdef const uint8_t* p = search.log + (log_offset - search.log_start)
    cdef int64_t last
    if known.first <= log_offset and log_offset + size <= known.last:
        return True
    last = min(log_offset + ASKED_BYTES, search.log_start + search.log_bytes)
    if log_offset + size <= last and resident(<size_t>p, last - log_offset):
        known.first = log_offset
        known.last = last
        return True
    return resident(<size_t>p, size)


cdef inline bint is_record(const uint8_t* p, int32_t size, int64_t log_offset) noexcept nogil:
    cdef uint32_t magic = <uint32_t>load32(p + 4)
    return (load32(p) == size and (magic == MAGIC_V1 or magic == MAGIC_V2)
            and load64(p + 28) == log_offset)
