"""The fields of the two requests that make a broker busy, from the entries of a header.

What is odd in any way is left to the general path, which explains what is wrong with it.
"""

from libc.stdint cimport int64_t

from .heads cimport Entry, Head

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


cdef bint read_send(Head* head, SendHead* send) noexcept nogil
cdef bint read_pull(Head* head, PullAsk* ask) noexcept nogil
