# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Consume queue entries; the meaning is in store/consume_queue.py and store/pull_scan.py."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc

from .big_endian cimport load32, load64, store32, store64
from .scans cimport Filing, Filings

cdef int ENTRY_BYTES = 20
cdef int32_t BLANK_SIZE = 0x7FFFFFFF


def put_entry(
    data, Py_ssize_t position, int64_t log_offset, int32_t size, int64_t tag_hash
):
    """Write one entry."""
    cdef Py_buffer view
    cdef uint8_t* p
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    try:
        if position < 0 or position + ENTRY_BYTES > view.len:
            raise IndexError(position)
        p = <uint8_t*>view.buf + position
        store64(p, log_offset)
        store32(p + 8, <uint32_t>size)
        store64(p + 12, tag_hash)
    finally:
        PyBuffer_Release(&view)


cdef enum:
    OPEN_MAX = 32

cdef struct OpenQueue:
    Py_ssize_t topic
    int32_t queue_id
    void* queue
    int64_t end
    Py_ssize_t position
    Py_ssize_t limit
    Py_buffer view


def file_entries(records, Py_ssize_t index, dict topics):
    """Put scanned records into their queues from `index` on; return the index of the first odd one.

    Odd is what `Dispatcher` has to look at: a queue that is not made yet or of another kind, an entry
    that is not its queue's next, or one without room.
    """
    cdef OpenQueue opened[OPEN_MAX]
    cdef OpenQueue* one
    cdef Filings filings = records if type(records) is Filings else Filings(records)
    cdef Filing* filing
    cdef int count = 0, i
    cdef uint8_t* p
    try:
        while index < filings.count:
            filing = &filings.items[index]
            one = NULL
            for i in range(count):
                if opened[i].queue_id == filing.queue_id and opened[i].topic == filing.topic:
                    one = &opened[i]
                    break
            if one == NULL:
                queue = ordinary_queue(topics.get(filings.topics[filing.topic]), filing.queue_id)
                if queue is None:
                    break
                if count == OPEN_MAX:
                    settle(opened, count)
                    count = 0
                one = &opened[count]
                one.topic = filing.topic
                one.queue_id = filing.queue_id
                one.queue = <void*>queue
                one.end = queue.end
                one.position = queue._position
                one.limit = queue._limit
                PyObject_GetBuffer(queue._data, &one.view, PyBUF_SIMPLE | PyBUF_WRITABLE)
                one.limit = min(one.limit, one.view.len - ENTRY_BYTES + 1)
                count += 1
            if filing.queue_offset != one.end or one.position >= one.limit:
                break
            p = <uint8_t*>one.view.buf + one.position
            store64(p, filing.log_offset)
            store32(p + 8, <uint32_t>filing.size)
            store64(p + 12, filing.tag_hash)
            one.position += ENTRY_BYTES
            one.end += 1
            index += 1
    finally:
        settle(opened, count)
    return index


cdef ordinary_queue(topic, int32_t queue_id):
    """The queue that plain entries go to; None when there is none yet, or of another kind."""
    if topic is None or topic.is_schedule or topic.is_batch:
        return None
    queues = topic.queues
    return queues[queue_id] if 0 <= queue_id < len(queues) else None


cdef int settle(OpenQueue* opened, int count) except -1:
    """Tell the queues how far they have come."""
    cdef int i
    for i in range(count):
        queue = <object>opened[i].queue
        queue._position = opened[i].position
        queue.end = opened[i].end
        PyBuffer_Release(&opened[i].view)
    return 0


def count_entries(data, Py_ssize_t position, Py_ssize_t limit, int64_t previous):
    """Count entries that can be real; return (count, last log offset)."""
    cdef Py_buffer view
    cdef const uint8_t* p
    cdef Py_ssize_t count = 0
    cdef int64_t log_offset
    cdef int32_t size
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if limit > view.len:
            limit = view.len
        while position + ENTRY_BYTES <= limit:
            p = <const uint8_t*>view.buf + position
            log_offset = load64(p)
            size = load32(p + 8)
            if size != BLANK_SIZE or log_offset != 0:
                if size <= 0 or log_offset <= previous:
                    break
                previous = log_offset
            count += 1
            position += ENTRY_BYTES
        return count, previous
    finally:
        PyBuffer_Release(&view)


def select_extents(data, Py_ssize_t position, Py_ssize_t limit, limits, tag_hashes):
    """Walk entries and choose records; return (packed extents, count, bytes, passed, gone)."""
    cdef Py_buffer view
    cdef const uint8_t* p
    cdef int64_t count_max, bytes_max, count_recent, bytes_recent, count_old, bytes_old
    cdef int64_t recent_from, log_min, log_end
    cdef int64_t count = 0, total = 0, passed = 0, gone = 0, last_offset = 0, last_length = 0
    cdef int64_t log_offset
    cdef int32_t size, low, only = 0
    cdef bint filtered = tag_hashes is not None
    cdef bint single = False
    cdef bint old
    cdef int64_t* extents
    cdef Py_ssize_t used = 0
    (
        count_max, bytes_max, count_recent, bytes_recent, count_old, bytes_old,
        recent_from, log_min, log_end,
    ) = limits
    count_recent = min(count_max, count_recent)
    count_old = min(count_max, count_old)
    bytes_recent = min(bytes_max, bytes_recent)
    bytes_old = min(bytes_max, bytes_old)
    if filtered and len(tag_hashes) == 1:
        (wanted,) = tag_hashes
        if -0x80000000 <= wanted <= 0x7FFFFFFF:
            single = True
            only = wanted
    extents = <int64_t*>malloc((max(limit - position, 0) // ENTRY_BYTES + 1) * 16)
    if extents == NULL:
        raise MemoryError
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if limit > view.len:
            limit = view.len
        while position + ENTRY_BYTES <= limit:
            p = <const uint8_t*>view.buf + position
            log_offset = load64(p)
            size = load32(p + 8)
            if count:
                old = log_offset < recent_from
                if count >= (count_old if old else count_recent):
                    break
                if total >= bytes_max or total + size > (bytes_old if old else bytes_recent):
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
            if log_offset < log_min or size <= 0 or log_offset > log_end - size:
                gone += 1
                continue
            if last_length and last_offset + last_length == log_offset:
                last_length += size
            else:
                if last_length:
                    extents[used] = last_offset
                    extents[used + 1] = last_length
                    used += 2
                last_offset = log_offset
                last_length = size
            count += 1
            total += size
        if last_length:
            extents[used] = last_offset
            extents[used + 1] = last_length
            used += 2
        packed = PyBytes_FromStringAndSize(<const char*>extents, used * 8)
        return packed, count, total, passed, gone
    finally:
        free(extents)
        PyBuffer_Release(&view)


def count_chained(data, Py_ssize_t position, Py_ssize_t limit, int64_t log_offset):
    """Count records that follow each other exactly up to `limit`; -1 if they do not."""
    cdef Py_buffer view
    cdef const uint8_t* p
    cdef Py_ssize_t count = 0
    cdef int32_t size
    cdef uint32_t magic
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if limit > view.len or position < 0:
            return -1
        while position < limit:
            if limit - position < 91:
                return -1
            p = <const uint8_t*>view.buf + position
            size = load32(p)
            magic = <uint32_t>load32(p + 4)
            if size < 91 or (magic != <uint32_t>0xDAA320A7 and magic != <uint32_t>0xDAA320AB):
                return -1
            if load64(p + 28) != log_offset:
                return -1
            position += size
            log_offset += size
            count += 1
        return count if position == limit else -1
    finally:
        PyBuffer_Release(&view)
