# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Writing and measuring stored records; the meaning is in message/record.py and message/scan.py."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp, memcpy

from .big_endian cimport load16, load32, load64, store16, store32, store64
from .crc cimport checksum


cdef uint32_t MAGIC_V1 = 0xDAA320A7
cdef uint32_t MAGIC_V2 = 0xDAA320AB
cdef uint32_t MAGIC_BLANK = 0xCBD43194
cdef int RECORD_BYTES_MIN = 91


def write_record(
    target,
    Py_ssize_t position,
    Py_ssize_t limit,
    int64_t log_offset,
    int64_t queue_offset,
    int64_t store_timestamp_ms,
    uint32_t magic,
    int32_t queue_id,
    int32_t flag,
    int32_t sys_flag,
    int64_t born_timestamp_ms,
    bytes born_host,
    bytes store_host,
    int32_t reconsume_times,
    int64_t prepared_offset,
    body,
    int32_t body_crc,
    bytes topic,
    properties,
):
    """Write one record at `position`; return its size, or minus its size when it does not fit."""
    cdef Py_buffer room, body_view, properties_view
    cdef Draft draft
    PyObject_GetBuffer(target, &room, PyBUF_SIMPLE | PyBUF_WRITABLE)
    try:
        PyObject_GetBuffer(body, &body_view, PyBUF_SIMPLE)
        try:
            PyObject_GetBuffer(properties, &properties_view, PyBUF_SIMPLE)
            try:
                draft.log_offset = log_offset
                draft.queue_offset = queue_offset
                draft.store_ms = store_timestamp_ms
                draft.magic = magic
                draft.queue_id = queue_id
                draft.flag = flag
                draft.sys_flag = sys_flag
                draft.born_ms = born_timestamp_ms
                draft.born_host = span(PyBytes_AS_STRING(born_host), PyBytes_GET_SIZE(born_host))
                draft.store_host = span(
                    PyBytes_AS_STRING(store_host), PyBytes_GET_SIZE(store_host)
                )
                draft.reconsume_times = reconsume_times
                draft.prepared_offset = prepared_offset
                draft.body = span(body_view.buf, body_view.len)
                draft.body_crc = body_crc
                draft.topic = span(PyBytes_AS_STRING(topic), PyBytes_GET_SIZE(topic))
                draft.properties = span(properties_view.buf, properties_view.len)
                draft.suffix = span(NULL, 0)
                return put_record(<uint8_t*>room.buf, position, min(limit, room.len), &draft)
            finally:
                PyBuffer_Release(&properties_view)
        finally:
            PyBuffer_Release(&body_view)
    finally:
        PyBuffer_Release(&room)


cdef Py_ssize_t put_record(
    uint8_t* target, Py_ssize_t position, Py_ssize_t limit, const Draft* draft
) noexcept nogil:
    """Write one record; return its size, or minus its size when it does not fit."""
    cdef Py_ssize_t size
    cdef int32_t sys_flag = draft.sys_flag & ~0x30
    cdef uint8_t* p
    size = fixed_bytes(draft) + draft.body.size + draft.properties.size + draft.suffix.size
    if position < 0 or position + size + 8 > limit:
        return -size
    if draft.born_host.size == 20:
        sys_flag |= 0x10
    if draft.store_host.size == 20:
        sys_flag |= 0x20
    p = target + position
    store32(p + 8, <uint32_t>draft.body_crc)
    store32(p + 12, <uint32_t>draft.queue_id)
    store32(p + 16, <uint32_t>draft.flag)
    store64(p + 20, draft.queue_offset)
    store64(p + 28, draft.log_offset)
    store32(p + 36, <uint32_t>sys_flag)
    store64(p + 40, draft.born_ms)
    p = put_span(p + 48, draft.born_host)
    store64(p, draft.store_ms)
    p = put_span(p + 8, draft.store_host)
    store32(p, <uint32_t>draft.reconsume_times)
    store64(p + 4, draft.prepared_offset)
    store32(p + 12, <uint32_t>draft.body.size)
    p = put_span(p + 16, draft.body)
    if draft.magic == MAGIC_V2:
        store16(p, draft.topic.size)
        p += 2
    else:
        p[0] = <uint8_t>draft.topic.size
        p += 1
    p = put_span(p, draft.topic)
    store16(p, draft.properties.size + draft.suffix.size)
    p = put_span(p + 2, draft.properties)
    put_span(p, draft.suffix)
    # Last, so that a writer killed half-way leaves no record.
    p = target + position
    store32(p + 4, draft.magic)
    store32(p, <uint32_t>size)
    return size


def write_batch(
    target,
    Py_ssize_t position,
    Py_ssize_t limit,
    int64_t log_offset,
    int64_t queue_offset,
    int64_t store_timestamp_ms,
    uint32_t magic,
    int32_t queue_id,
    int32_t sys_flag,
    int64_t born_timestamp_ms,
    bytes born_host,
    bytes store_host,
    int32_t reconsume_times,
    batch,
    bytes topic,
):
    """Write a record for each item of a wire batch; return their sizes.

    An int is minus the room that all of them need, when there is less; None means that the batch
    is not whole, and nothing has been written.
    """
    cdef Py_buffer room, items
    cdef Draft draft
    cdef const uint8_t* p
    cdef Py_ssize_t left, size, total = 0, fixed
    cdef list sizes = []
    draft.store_ms = store_timestamp_ms
    draft.magic = magic
    draft.queue_id = queue_id
    draft.sys_flag = sys_flag
    draft.born_ms = born_timestamp_ms
    draft.born_host = span(PyBytes_AS_STRING(born_host), PyBytes_GET_SIZE(born_host))
    draft.store_host = span(PyBytes_AS_STRING(store_host), PyBytes_GET_SIZE(store_host))
    draft.reconsume_times = reconsume_times
    draft.prepared_offset = 0
    draft.topic = span(PyBytes_AS_STRING(topic), PyBytes_GET_SIZE(topic))
    draft.suffix = span(NULL, 0)
    PyObject_GetBuffer(batch, &items, PyBUF_SIMPLE)
    try:
        p = <const uint8_t*>items.buf
        left = items.len
        fixed = fixed_bytes(&draft) - ITEM_BYTES_MIN
        while left:
            size = read_item(p, left, &draft)
            if size == 0:
                return None
            sizes.append(size + fixed)
            total += size + fixed
            p += size
            left -= size
        PyObject_GetBuffer(target, &room, PyBUF_SIMPLE | PyBUF_WRITABLE)
        try:
            limit = min(limit, room.len)
            if position < 0 or position + total + 8 > limit:
                return -total
            draft.log_offset = log_offset
            draft.queue_offset = queue_offset
            put_items(
                <uint8_t*>room.buf, position, limit, <const uint8_t*>items.buf, items.len, &draft
            )
        finally:
            PyBuffer_Release(&room)
        return sizes
    finally:
        PyBuffer_Release(&items)


cdef inline Py_ssize_t fixed_bytes(const Draft* draft) noexcept nogil:
    """The bytes of a record without body, properties and suffix."""
    return (
        75 + (draft.magic == MAGIC_V2) + draft.born_host.size + draft.store_host.size
        + draft.topic.size
    )


cdef Py_ssize_t read_item(const uint8_t* p, Py_ssize_t left, Draft* draft) noexcept nogil:
    """Draft the record of the batch item at `p`; return the item's bytes, 0 when it is not whole."""
    cdef Py_ssize_t size, body_bytes
    if left < ITEM_BYTES_MIN:
        return 0
    size = load32(p)
    body_bytes = load32(p + 16)
    if size < ITEM_BYTES_MIN or size > left or body_bytes < 0:
        return 0
    if body_bytes > size - ITEM_BYTES_MIN:
        return 0
    if load16(p + 20 + body_bytes) != size - ITEM_BYTES_MIN - body_bytes:
        return 0
    draft.flag = load32(p + 12)
    draft.body = span(p + 20, body_bytes)
    draft.properties = span(p + 22 + body_bytes, size - ITEM_BYTES_MIN - body_bytes)
    return size


cdef void put_items(
    uint8_t* target, Py_ssize_t position, Py_ssize_t limit, const uint8_t* items, Py_ssize_t left,
    Draft* draft,
) noexcept nogil:
    """Write a record for each item of a batch that is whole and fits."""
    cdef Py_ssize_t size, record
    while left:
        size = read_item(items, left, draft)
        draft.body_crc = checksum(draft.body.p, draft.body.size) & 0x7FFFFFFF
        record = put_record(target, position, limit, draft)
        position += record
        draft.log_offset += record
        draft.queue_offset += 1
        items += size
        left -= size


cdef inline uint8_t* put_span(uint8_t* p, Span part) noexcept nogil:
    memcpy(p, part.p, part.size)
    return p + part.size


cdef Py_ssize_t measure(const uint8_t* p, Py_ssize_t room, Parts* parts) noexcept nogil:
    """Fill `parts`, positions from the record's start; return the size, 0 for a blank, or -1."""
    cdef uint32_t magic
    cdef Py_ssize_t size, at, wide
    cdef int32_t sys_flag
    if room < 8:
        return -1
    size = load32(p)
    magic = <uint32_t>load32(p + 4)
    if magic == MAGIC_BLANK:
        return 0
    if (magic != MAGIC_V1 and magic != MAGIC_V2) or size < RECORD_BYTES_MIN or size > room:
        return -1
    sys_flag = load32(p + 36)
    at = 72 + (20 if sys_flag & 0x10 else 8) + (20 if sys_flag & 0x20 else 8)
    if at + 3 > size:
        return -1
    parts.body_at = at
    parts.body_bytes = load32(p + at - 4)
    at += parts.body_bytes
    wide = 2 if magic == MAGIC_V2 else 1
    if parts.body_bytes < 0 or at + wide + 2 > size:
        return -1
    parts.topic_bytes = load16(p + at) if wide == 2 else <signed char>p[at]
    parts.topic_at = at + wide
    at += wide + parts.topic_bytes
    if parts.topic_bytes < 0 or at + 2 > size:
        return -1
    parts.properties_bytes = load16(p + at)
    parts.properties_at = at + 2
    if parts.properties_bytes < 0 or at + 2 + parts.properties_bytes != size:
        return -1
    parts.size = size
    return size


def measure_record(data, Py_ssize_t position, Py_ssize_t limit):
    """Return (size, body position, body bytes, body CRC); size 0 is a blank, -1 no record."""
    cdef Py_buffer view
    cdef Parts parts
    cdef Py_ssize_t size
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if limit > view.len:
            limit = view.len
        if position < 0:
            return -1, 0, 0, 0
        size = measure(<const uint8_t*>view.buf + position, limit - position, &parts)
        if size <= 0:
            return size, 0, 0, 0
        return (
            size,
            position + parts.body_at,
            parts.body_bytes,
            load32(<const uint8_t*>view.buf + position + 8),
        )
    finally:
        PyBuffer_Release(&view)
