"""Writing and measuring records in place: what message/record.py describes, as structs."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

cdef struct Span:
    const uint8_t* p
    Py_ssize_t size

cdef struct Draft:
    int64_t log_offset
    int64_t queue_offset
    int64_t store_ms
    uint32_t magic
    int32_t queue_id
    int32_t flag
    int32_t sys_flag
    int64_t born_ms
    Span born_host
    Span store_host
    int32_t reconsume_times
    int64_t prepared_offset
    Span body
    int32_t body_crc
    Span topic
    Span properties
    Span suffix


cdef struct Parts:
    Py_ssize_t size
    Py_ssize_t body_at
    Py_ssize_t body_bytes
    Py_ssize_t topic_at
    Py_ssize_t topic_bytes
    Py_ssize_t properties_at
    Py_ssize_t properties_bytes


cdef inline Span span(const void* p, Py_ssize_t size) noexcept nogil:
    cdef Span result
    result.p = <const uint8_t*>p
    result.size = size
    return result


cdef enum:
    ITEM_BYTES_MIN = 22


cdef Py_ssize_t fixed_bytes(const Draft* draft) noexcept nogil
cdef Py_ssize_t read_item(const uint8_t* p, Py_ssize_t left, Draft* draft) noexcept nogil
cdef void put_items(
    uint8_t* target, Py_ssize_t position, Py_ssize_t limit, const uint8_t* items, Py_ssize_t left,
    Draft* draft,
) noexcept nogil
cdef Py_ssize_t put_record(
    uint8_t* target, Py_ssize_t position, Py_ssize_t limit, const Draft* draft
) noexcept nogil
cdef Py_ssize_t measure(const uint8_t* p, Py_ssize_t room, Parts* parts) noexcept nogil
