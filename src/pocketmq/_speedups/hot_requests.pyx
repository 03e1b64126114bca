# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The fields of sends and pulls in place; what each function does stands in hot_requests.pxd."""

from libc.stdint cimport int64_t, uint64_t, uint8_t

from .heads cimport Entry, Head, named


cdef bint read_send(Head* head, SendHead* send) noexcept nogil:
    """The fields of a send by their letters; False when the general path must read them."""
    cdef int i
    cdef Entry** by_letter = send.by_letter
    for i in range(26):
        by_letter[i] = NULL
    for i in range(head.count):
        if head.entries[i].key_size == 1 and 97 <= head.entries[i].key[0] <= 122:
            by_letter[head.entries[i].key[0] - 97] = &head.entries[i]
        elif untyped_key(&head.entries[i]):
            return False
    for i in range(8):
        if by_letter[i] == NULL:
            return False
    if by_letter[10] != NULL and by_letter[10].escaped:
        return False
    if by_letter[12] != NULL and by_letter[12].escaped:
        return False
    if not (integer(by_letter[3], 0x7FFFFFFF, &send.default_queues)
            and integer(by_letter[4], 0x7FFFFFFF, &send.queue_id)
            and integer(by_letter[5], 0x7FFFFFFF, &send.sys_flag)
            and integer(by_letter[6], 0x7FFFFFFFFFFFFFFF, &send.born_ms)
            and integer(by_letter[7], 0x7FFFFFFF, &send.app_flag)):
        return False
    send.reconsume_times = 0
    if by_letter[9] != NULL and not integer(by_letter[9], 0x7FFFFFFF, &send.reconsume_times):
        return False
    send.reconsume_most = -1
    if by_letter[11] != NULL and not integer(by_letter[11], 0x7FFFFFFF, &send.reconsume_most):
        return False
    send.unit = is_true(by_letter[10])
    send.batch = is_true(by_letter[12])
    return True


cdef bint read_pull(Head* head, PullAsk* ask) noexcept nogil:
    """The fields of a pull; False when the general path must read them."""
    cdef Entry** found = ask.found
    cdef int i, place
    for i in range(PULL_FIELDS):
        found[i] = NULL
    for i in range(head.count):
        place = pull_place(&head.entries[i])
        if place >= 0:
            found[place] = &head.entries[i]
        elif untyped_key(&head.entries[i]):
            return False
    for i in range(8):
        if found[i] == NULL:
            return False
    ask.version = 0
    return (integer(found[2], 0x7FFFFFFF, &ask.queue_id)
            and integer(found[3], 0x7FFFFFFFFFFFFFFF, &ask.queue_offset)
            and integer(found[4], 0x7FFFFFFF, &ask.count)
            and integer(found[5], 0x7FFFFFFF, &ask.sys_flag)
            and integer(found[6], 0x7FFFFFFFFFFFFFFF, &ask.commit_offset)
            and integer(found[7], 0x7FFFFFFFFFFFFFFF, &ask.suspend_ms)
            and (found[9] == NULL or integer(found[9], 0x7FFFFFFFFFFFFFFF, &ask.version)))


cdef int pull_place(Entry* entry) noexcept nogil:
    cdef Py_ssize_t size = entry.key_size
    if size == 13 and named(entry, b"consumerGroup", 13):
        return 0
    if size == 5 and named(entry, b"topic", 5):
        return 1
    if size == 7:
        if named(entry, b"queueId", 7):
            return 2
        if named(entry, b"sysFlag", 7):
            return 5
    if size == 11 and named(entry, b"queueOffset", 11):
        return 3
    if size == 10:
        if named(entry, b"maxMsgNums", 10):
            return 4
        if named(entry, b"subVersion", 10):
            return 9
    if size == 12:
        if named(entry, b"commitOffset", 12):
            return 6
        if named(entry, b"subscription", 12):
            return 8
    if size == 20 and named(entry, b"suspendTimeoutMillis", 20):
        return 7
    if size == 14 and named(entry, b"expressionType", 14):
        return 10
    return -1


cdef bint untyped_key(Entry* entry) noexcept nogil:
    """Keys that send a frame to the general path; the same list as in framing.py."""
    cdef Py_ssize_t size = entry.key_size
    if size == 2:
        return named(entry, b"ns", 2) or named(entry, b"lo", 2)
    if size == 3:
        return named(entry, b"nsd", 3)
    if size == 9:
        return named(entry, b"AccessKey", 9) or named(entry, b"Signature", 9)
    if size == 13:
        return named(entry, b"requestSource", 13)
    return False


cdef bint integer(Entry* entry, int64_t largest, int64_t* result) noexcept nogil:
    """A decimal number as Java prints it; anything else is left to the twin."""
    cdef const uint8_t* p = entry.value
    cdef const uint8_t* end = p + entry.value_size
    cdef bint negative = False
    cdef uint64_t value = 0
    if entry.escaped or p == end:
        return False
    if p[0] == 45:
        negative = True
        p += 1
        if p == end:
            return False
    if end - p > 19:
        return False
    while p < end:
        if p[0] < 48 or p[0] > 57:
            return False
        value = value * 10 + (p[0] - 48)
        p += 1
    if value > <uint64_t>largest:
        return False
    result[0] = -<int64_t>value if negative else <int64_t>value
    return True


cdef bint is_true(Entry* entry) noexcept nogil:
    if entry == NULL or entry.value_size != 4 or entry.escaped:
        return False
    return (entry.value[0] | 32 == 116 and entry.value[1] | 32 == 114
            and entry.value[2] | 32 == 117 and entry.value[3] | 32 == 101)
