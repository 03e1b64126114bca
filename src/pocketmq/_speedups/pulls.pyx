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

cdef enum:
    ENTRY_BYTES = 20
    RECORDS_MAX = 128
    GATHERED_BYTES_MAX = 65536
    SPAN_BYTES_MAX = 4194304
    RECORD_BYTES_MIN = 91

cdef uint32_t MAGIC_V1 = 0xDAA320A7
cdef uint32_t MAGIC_V2 = 0xDAA320AB


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
    cdef int64_t start, log_min, log_end, recent_from, hot_from
    cdef int64_t count_max, count_recent, bytes_recent, count_old, bytes_old
    cdef int64_t log_offset, span
    cdef int64_t offsets[RECORDS_MAX]
    cdef int32_t sizes[RECORDS_MAX]
    cdef int32_t size, low, only = 0
    cdef bint filtered = tag_hashes is not None, single = False, old
    cdef Py_ssize_t total = 0, passed = 0, count = 0, i, head_size
    cdef uint8_t head_bytes[PULL_HEAD_BYTES_MAX]
    cdef PullHead head
    cdef const uint8_t* p
    cdef const uint8_t* base
    cdef uint8_t* out
    cdef bytes answer
    cdef Program program = None
    cdef int outcome
    start, log_min, log_end, recent_from, hot_from = where
    count_max, count_recent, bytes_recent, count_old, bytes_old = limits
    if filtered and len(tag_hashes) == 1:
        (wanted,) = tag_hashes
        if -0x80000000 <= wanted <= 0x7FFFFFFF:
            single = True
            only = wanted
    if accept is not None:
        program = accept.program
    PyObject_GetBuffer(log, &records, PyBUF_SIMPLE)
    try:
        PyObject_GetBuffer(queue, &entries, PyBUF_SIMPLE)
    except BaseException:
        PyBuffer_Release(&records)
        raise
    try:
        base = <const uint8_t*>records.buf - start
        limit = min(limit, entries.len)
        while position + ENTRY_BYTES <= limit:
            p = <const uint8_t*>entries.buf + position
            log_offset = load64(p)
            size = load32(p + 8)
            if count:
                old = log_offset < recent_from
                if count >= min(count_max, count_old if old else count_recent):
                    break
                if total + size > (bytes_old if old else bytes_recent):
                    break
            passed += 1
            position += ENTRY_BYTES
            if filtered:
                low = load32(p + 16)
                if single:
                    if low != only:
                        continue
                elif low not in tag_hashes:
                    continue
            if log_offset < log_min or size < RECORD_BYTES_MIN or log_offset > log_end - size:
                return None
            if log_offset < start or log_offset + size - start > records.len:
                return None
            if program is not None:
                if log_offset < hot_from and not resident(<size_t>(base + log_offset), size):
                    return None
                if not is_record(base + log_offset, size, log_offset):
                    return None
                outcome = program.decide(base + log_offset, size)
                if outcome == UNDECIDED:
                    view = memoryview(log)[log_offset - start:log_offset - start + size]
                    outcome = TRUE if accept(view) else FALSE
                if outcome != TRUE:
                    continue
            if count == RECORDS_MAX or total + size > GATHERED_BYTES_MAX:
                return None
            offsets[count] = log_offset
            sizes[count] = size
            count += 1
            total += size
        if not count:
            return None
        for i in range(count):
            if offsets[i] < offsets[0]:
                return None
        if offsets[0] < hot_from:
            span = offsets[count - 1] + sizes[count - 1] - offsets[0]
            if span > SPAN_BYTES_MAX or not resident(<size_t>(base + offsets[0]), span):
                return None
        (
            log_offset, head.min_offset, head.max_offset, head.serialization, head.opaque,
            head.broker_id, head.version,
        ) = ask
        head.next_offset = log_offset + passed
        head.topic_sys_flag = head.group_sys_flag = head.code = 0
        head.remark = <const uint8_t*>b"FOUND"
        head.remark_size = 5
        head_size = put_pull_head(head_bytes, &head, total)
        answer = PyBytes_FromStringAndSize(NULL, head_size + total)
        out = <uint8_t*>PyBytes_AS_STRING(answer)
        memcpy(out, head_bytes, head_size)
        out += head_size
        for i in range(count):
            if not is_record(base + offsets[i], sizes[i], offsets[i]):
                return None
            memcpy(out, base + offsets[i], sizes[i])
            out += sizes[i]
        return answer, passed, count, total
    finally:
        PyBuffer_Release(&entries)
        PyBuffer_Release(&records)


cdef inline bint is_record(const uint8_t* p, int32_t size, int64_t log_offset) noexcept nogil:
    cdef uint32_t magic = <uint32_t>load32(p + 4)
    return (load32(p) == size and (magic == MAGIC_V1 or magic == MAGIC_V2)
            and load64(p + 28) == log_offset)
