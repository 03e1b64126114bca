"""Writing answers in place; `put_send_reply` needs room for ANSWER_BYTES_MAX, and for ID_BYTES_MAX
more for each message but the first; `put_pull_head` for PULL_HEAD_BYTES_MAX."""

from libc.stdint cimport int32_t, int64_t, uint8_t

cdef enum:
    ANSWER_BYTES_MAX = 1024
    ID_BYTES_MAX = 57
    PULL_HEAD_BYTES_MAX = 768

cdef struct Tails:
    const uint8_t* host
    Py_ssize_t host_size
    const uint8_t* json
    Py_ssize_t json_size
    const uint8_t* binary
    Py_ssize_t binary_size
    int version

cdef struct PullHead:
    int serialization
    int opaque
    int64_t next_offset
    int64_t min_offset
    int64_t max_offset
    int64_t broker_id
    int topic_sys_flag
    int group_sys_flag
    int code
    const uint8_t* remark
    Py_ssize_t remark_size
    int version


cdef bint tails_of(Tails* tails, bytes store_host, bytes json_tail, bytes binary_tail, int version)
cdef Py_ssize_t put_send_reply(
    uint8_t* buffer, Tails* tails, int serialization, int opaque, int64_t log_offset,
    const int32_t* sizes, Py_ssize_t count, int queue_id, int64_t queue_offset, const uint8_t* key,
    Py_ssize_t key_size, int code,
) noexcept nogil
cdef Py_ssize_t put_pull_head(
    uint8_t* buffer, const PullHead* head, Py_ssize_t body_bytes
) noexcept nogil
