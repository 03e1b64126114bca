"""Reading the header of a frame in place: spans of the frame's bytes, no Python objects.

`read_json` and `read_binary` understand regular headers only; the plain twin in
`protocol/framing.py` reads the others and explains what is wrong with them.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp

cdef enum:
    ENTRIES_MAX = 48

cdef struct Entry:
    const uint8_t* key
    Py_ssize_t key_size
    const uint8_t* value
    Py_ssize_t value_size
    bint escaped

cdef struct Head:
    int64_t code
    int64_t language
    int64_t version
    int64_t opaque
    int64_t flag
    const uint8_t* remark
    Py_ssize_t remark_size
    bint remark_escaped
    int count
    Entry entries[ENTRIES_MAX]

cdef struct SendHead:
    Entry* by_letter[26]
    int64_t default_queues
    int64_t queue_id
    int64_t sys_flag
    int64_t born_ms
    int64_t app_flag
    int64_t reconsume_times
    int64_t reconsume_most
    bint unit
    bint batch

cdef enum:
    PULL_FIELDS = 11

cdef struct PullAsk:
    # group, topic, -, -, -, -, -, -, subscription, -, expression type; the last three may be NULL
    Entry* found[PULL_FIELDS]
    int64_t queue_id
    int64_t queue_offset
    int64_t count
    int64_t sys_flag
    int64_t commit_offset
    int64_t suspend_ms
    int64_t version


cdef bint read_json(const uint8_t* p, const uint8_t* end, Head* head) noexcept nogil
cdef bint read_binary(const uint8_t* p, const uint8_t* end, Head* head) noexcept nogil
cdef bint read_send(Head* head, SendHead* send) noexcept nogil
cdef bint read_pull(Head* head, PullAsk* ask) noexcept nogil
cdef bint integer(Entry* entry, int64_t largest, int64_t* result) noexcept nogil
cdef bint untyped_key(Entry* entry) noexcept nogil
cdef Py_ssize_t unescape(const uint8_t* p, Py_ssize_t size, uint8_t* out) noexcept nogil


cdef inline bint named(Entry* entry, const char* name, Py_ssize_t size) noexcept nogil:
    return entry.key_size == size and memcmp(entry.key, name, size) == 0
