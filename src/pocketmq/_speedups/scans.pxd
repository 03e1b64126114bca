"""What a scan of records hands to the leaf that files them."""

from libc.stdint cimport int32_t, int64_t

cdef struct Filing:
    Py_ssize_t topic
    int32_t queue_id
    int64_t queue_offset
    int64_t log_offset
    int32_t size
    int32_t tag_hash
    int64_t store_ms


cdef class Filings:
    cdef list topics
    cdef Filing* items
    cdef Py_ssize_t count
    cdef Py_ssize_t room
    cdef Py_ssize_t topic_number(self, topic) except -1
    cdef int add(self, const Filing* filing) except -1
