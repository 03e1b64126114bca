# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Writing the answers of sends and pulls; the meaning is in protocol/replies.py."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from .big_endian cimport store32


def encode_send_reply(
    bytes store_host, bytes json_tail, bytes binary_tail, int version, int serialization,
    int opaque, int64_t log_offset, int queue_id, int64_t queue_offset, bytes unique_key, int code,
):
    """The whole answer of a stored message; None when `unique_key` needs escaping.

    The tails are the constant fields MSG_REGION and TRACE_ON, already encoded.
    """
    cdef uint8_t buffer[ANSWER_BYTES_MAX]
    cdef Tails tails
    cdef Py_ssize_t size
    if not tails_of(&tails, store_host, json_tail, binary_tail, version):
        return None
    size = put_send_reply(
        buffer, &tails, serialization, opaque, log_offset, NULL, 1, queue_id, queue_offset,
        <const uint8_t*>PyBytes_AS_STRING(unique_key), PyBytes_GET_SIZE(unique_key), code,
    )
    return PyBytes_FromStringAndSize(<const char*>buffer, size) if size else None


def message_ids(bytes store_host, int64_t log_offset, list sizes):
    """The ids of records that follow each other from `log_offset` on, with commas between."""
    cdef const uint8_t* host = <const uint8_t*>PyBytes_AS_STRING(store_host)
    cdef Py_ssize_t host_size = PyBytes_GET_SIZE(store_host)
    cdef bytes result = PyBytes_FromStringAndSize(NULL, len(sizes) * (2 * host_size + 17))
    cdef uint8_t* out = <uint8_t*>PyBytes_AS_STRING(result)
    cdef Py_ssize_t used = 0
    for size in sizes:
        used += put_message_id(out + used, host, host_size, log_offset)
        out[used] = 44
        used += 1
        log_offset += <int64_t>size
    return PyUnicode_DecodeUTF8(<const char*>out, used - 1 if used else 0, NULL)


cdef bint tails_of(Tails* tails, bytes store_host, bytes json_tail, bytes binary_tail, int version):
    """Point at the constant parts; False when they are too large for an answer's room."""
    tails.host = <const uint8_t*>PyBytes_AS_STRING(store_host)
    tails.host_size = PyBytes_GET_SIZE(store_host)
    tails.json = <const uint8_t*>PyBytes_AS_STRING(json_tail)
    tails.json_size = PyBytes_GET_SIZE(json_tail)
    tails.binary = <const uint8_t*>PyBytes_AS_STRING(binary_tail)
    tails.binary_size = PyBytes_GET_SIZE(binary_tail)
    tails.version = version
    return tails.host_size <= 20 and tails.json_size <= 256 and tails.binary_size <= 256


cdef Py_ssize_t put_send_reply(
    uint8_t* buffer, Tails* tails, int serialization, int opaque, int64_t log_offset,
    const int32_t* sizes, Py_ssize_t count, int queue_id, int64_t queue_offset, const uint8_t* key,
    Py_ssize_t key_size, int code,
) noexcept nogil:
    """Write the answer of `count` stored messages; 0 when the key is too long or needs escaping.

    The records of these `sizes` follow each other from `log_offset` on; the last size is not read.
    """
    cdef Py_ssize_t tail_size, i, used
    cdef uint8_t* out = buffer + 8
    cdef uint8_t* ext
    if key_size > 256:
        return 0
    tail_size = tails.binary_size if serialization == 1 else tails.json_size
    if serialization == 1:
        out[0] = (code >> 8) & 0xFF
        out[1] = code & 0xFF
        out[2] = 3
        out[3] = (tails.version >> 8) & 0xFF
        out[4] = tails.version & 0xFF
        store32(out + 5, <uint32_t>opaque)
        store32(out + 9, 1)
        store32(out + 13, 0)
        ext = out + 21
        used = 0
        ext[0] = 0
        ext[1] = 5
        memcpy(ext + 2, b"msgId", 5)
        used = put_message_ids(ext + 11, tails, log_offset, sizes, count)
        store32(ext + 7, used)
        used += 11
        used += put_entry(ext + used, b"queueId", 7, queue_id)
        used += put_entry(ext + used, b"queueOffset", 11, queue_offset)
        if key_size:
            ext[used] = 0
            ext[used + 1] = 13
            memcpy(ext + used + 2, b"transactionId", 13)
            store32(ext + used + 15, key_size)
            memcpy(ext + used + 19, key, key_size)
            used += 19 + key_size
        memcpy(ext + used, tails.binary, tail_size)
        used += tail_size
        store32(out + 17, used)
        used += 21
    else:
        for i in range(key_size):
            if key[i] < 32 or key[i] == 34 or key[i] == 92 or key[i] >= 127:
                return 0
        used = put(out, b'{"code":', 8)
        used += put_number(out + used, code)
        used += put(out + used, b',"extFields":{"msgId":"', 23)
        used += put_message_ids(out + used, tails, log_offset, sizes, count)
        used += put(out + used, b'","queueId":"', 13)
        used += put_number(out + used, queue_id)
        used += put(out + used, b'","queueOffset":"', 17)
        used += put_number(out + used, queue_offset)
        if key_size:
            used += put(out + used, b'","transactionId":"', 19)
            memcpy(out + used, key, key_size)
            used += key_size
        out[used] = 34
        used += 1
        memcpy(out + used, tails.json, tail_size)
        used += tail_size
        used += put(out + used, b'},"flag":1,"language":"PYTHON","opaque":', 40)
        used += put_number(out + used, opaque)
        used += put(out + used, b',"serializeTypeCurrentRPC":"JSON","version":', 44)
        used += put_number(out + used, tails.version)
        out[used] = 125
        used += 1
    store32(buffer, used + 4)
    store32(buffer + 4, (<uint32_t>serialization << 24) | <uint32_t>used)
    return used + 8


def encode_pull_head(
    int serialization, int opaque, int64_t next_offset, int64_t min_offset, int64_t max_offset,
    int64_t broker_id, int topic_sys_flag, int group_sys_flag, int code, bytes remark, int version,
    Py_ssize_t body_bytes,
):
    """Prefix and header of a pull's answer; the body of `body_bytes` follows separately."""
    cdef uint8_t buffer[PULL_HEAD_BYTES_MAX]
    cdef PullHead head
    if PyBytes_GET_SIZE(remark) > 64:
        return None
    head.serialization = serialization
    head.opaque = opaque
    head.next_offset = next_offset
    head.min_offset = min_offset
    head.max_offset = max_offset
    head.broker_id = broker_id
    head.topic_sys_flag = topic_sys_flag
    head.group_sys_flag = group_sys_flag
    head.code = code
    head.remark = <const uint8_t*>PyBytes_AS_STRING(remark)
    head.remark_size = PyBytes_GET_SIZE(remark)
    head.version = version
    return PyBytes_FromStringAndSize(
        <const char*>buffer, put_pull_head(buffer, &head, body_bytes)
    )


cdef Py_ssize_t put_pull_head(
    uint8_t* buffer, const PullHead* head, Py_ssize_t body_bytes
) noexcept nogil:
    """Write prefix and header of a pull's answer; the remark has at most 64 bytes."""
    cdef uint8_t* out = buffer + 8
    cdef uint8_t* ext
    cdef Py_ssize_t used
    if head.serialization == 1:
        out[0] = (head.code >> 8) & 0xFF
        out[1] = head.code & 0xFF
        out[2] = 3
        out[3] = (head.version >> 8) & 0xFF
        out[4] = head.version & 0xFF
        store32(out + 5, <uint32_t>head.opaque)
        store32(out + 9, 1)
        store32(out + 13, head.remark_size)
        memcpy(out + 17, head.remark, head.remark_size)
        ext = out + 21 + head.remark_size
        used = put_entry(ext, b"suggestWhichBrokerId", 20, head.broker_id)
        used += put_entry(ext + used, b"nextBeginOffset", 15, head.next_offset)
        used += put_entry(ext + used, b"minOffset", 9, head.min_offset)
        used += put_entry(ext + used, b"maxOffset", 9, head.max_offset)
        used += put_entry(ext + used, b"topicSysFlag", 12, head.topic_sys_flag)
        used += put_entry(ext + used, b"groupSysFlag", 12, head.group_sys_flag)
        store32(out + 17 + head.remark_size, used)
        used += 21 + head.remark_size
    else:
        used = put(out, b'{"code":', 8)
        used += put_number(out + used, head.code)
        used += put(out + used, b',"extFields":{"suggestWhichBrokerId":"', 38)
        used += put_number(out + used, head.broker_id)
        used += put(out + used, b'","nextBeginOffset":"', 21)
        used += put_number(out + used, head.next_offset)
        used += put(out + used, b'","minOffset":"', 15)
        used += put_number(out + used, head.min_offset)
        used += put(out + used, b'","maxOffset":"', 15)
        used += put_number(out + used, head.max_offset)
        used += put(out + used, b'","topicSysFlag":"', 18)
        used += put_number(out + used, head.topic_sys_flag)
        used += put(out + used, b'","groupSysFlag":"', 18)
        used += put_number(out + used, head.group_sys_flag)
        used += put(out + used, b'"},"flag":1,"language":"PYTHON","opaque":', 41)
        used += put_number(out + used, head.opaque)
        used += put(out + used, b',"remark":"', 11)
        memcpy(out + used, head.remark, head.remark_size)
        used += head.remark_size
        used += put(out + used, b'","serializeTypeCurrentRPC":"JSON","version":', 45)
        used += put_number(out + used, head.version)
        out[used] = 125
        used += 1
    store32(buffer, used + 4 + body_bytes)
    store32(buffer + 4, (<uint32_t>head.serialization << 24) | <uint32_t>used)
    return used + 8


cdef inline Py_ssize_t put(uint8_t* out, const char* text, Py_ssize_t size) noexcept nogil:
    memcpy(out, text, size)
    return size


cdef Py_ssize_t put_number(uint8_t* out, int64_t value) noexcept nogil:
    cdef uint8_t digits[20]
    cdef int count = 0
    cdef Py_ssize_t used = 0
    cdef uint64_t rest
    if value < 0:
        out[0] = 45
        used = 1
        rest = <uint64_t>(-(value + 1)) + 1
    else:
        rest = <uint64_t>value
    while True:
        digits[count] = 48 + rest % 10
        rest = rest // 10
        count += 1
        if rest == 0:
            break
    while count:
        count -= 1
        out[used] = digits[count]
        used += 1
    return used


cdef inline Py_ssize_t put_entry(
    uint8_t* out, const char* key, int key_size, int64_t value
) noexcept nogil:
    cdef Py_ssize_t size
    out[0] = 0
    out[1] = key_size
    memcpy(out + 2, key, key_size)
    size = put_number(out + 6 + key_size, value)
    store32(out + 2 + key_size, size)
    return 6 + key_size + size


cdef Py_ssize_t put_message_ids(
    uint8_t* out, const Tails* tails, int64_t log_offset, const int32_t* sizes, Py_ssize_t count
) noexcept nogil:
    cdef Py_ssize_t i, used = put_message_id(out, tails.host, tails.host_size, log_offset)
    for i in range(count - 1):
        log_offset += sizes[i]
        out[used] = 44
        used += 1 + put_message_id(out + used + 1, tails.host, tails.host_size, log_offset)
    return used


cdef Py_ssize_t put_message_id(
    uint8_t* out, const uint8_t* host, Py_ssize_t host_size, int64_t log_offset
) noexcept nogil:
    cdef const char* digits = b"0123456789ABCDEF"
    cdef Py_ssize_t i, used = 0
    cdef int shift
    for i in range(host_size):
        out[used] = digits[host[i] >> 4]
        out[used + 1] = digits[host[i] & 15]
        used += 2
    for shift in range(60, -4, -4):
        out[used] = digits[(log_offset >> shift) & 15]
        used += 1
    return used
