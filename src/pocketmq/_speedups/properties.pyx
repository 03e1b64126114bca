# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The properties of a send; the meaning is in message/send_properties.py."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcmp


def scan_send_properties(bytes properties):
    """The unique key (empty when absent) and the marks, or-ed together."""
    cdef const uint8_t* key
    cdef Py_ssize_t key_size
    cdef int marks = scan_marks(
        <const uint8_t*>PyBytes_AS_STRING(properties), PyBytes_GET_SIZE(properties), &key, &key_size
    )
    return PyBytes_FromStringAndSize(<const char*>key, key_size), marks


cdef int scan_marks(
    const uint8_t* p, Py_ssize_t size, const uint8_t** key, Py_ssize_t* key_size
) noexcept nogil:
    """Return the marks, or-ed together, and where the unique key lies; no bytes when absent."""
    cdef const uint8_t* end = p + size
    cdef const uint8_t* stop
    cdef const uint8_t* middle
    cdef Py_ssize_t name_size, value_size
    cdef int marks = 0
    key[0] = p
    key_size[0] = 0
    if size and p[size - 1] != 2:
        marks = UNTERMINATED
    while p < end:
        stop = <const uint8_t*>memchr(p, 2, end - p)
        if stop == NULL:
            stop = end
        if stop == p:
            p += 1
            continue
        middle = <const uint8_t*>memchr(p, 1, stop - p)
        if middle == NULL or middle == p or middle + 1 == stop:
            marks |= REWRITE
        else:
            name_size = middle - p
            value_size = stop - middle - 1
            if same(p, name_size, b"UNIQ_KEY", 8):
                key[0] = middle + 1
                key_size[0] = value_size
            elif same(p, name_size, b"WAIT", 4):
                if same(middle + 1, value_size, b"false", 5):
                    marks |= NO_WAIT
            else:
                marks |= mark_of(p, name_size)
        p = stop + 1
    return marks


cdef inline bint same(const uint8_t* p, Py_ssize_t size, const char* name, Py_ssize_t n) noexcept nogil:
    return size == n and memcmp(p, name, n) == 0


cdef int mark_of(const uint8_t* name, Py_ssize_t size) noexcept nogil:
    """The mark of any name but UNIQ_KEY and WAIT."""
    cdef uint8_t first = name[0]
    if first == 75:
        return HAS_KEYS if same(name, size, b"KEYS", 4) else 0
    if first == 84:
        if same(name, size, b"TRACE_ON", 8):
            return REWRITE
        if (same(name, size, b"TIMER_DELAY_SEC", 15) or same(name, size, b"TIMER_DELAY_MS", 14)
                or same(name, size, b"TIMER_DELIVER_MS", 16)
                or same(name, size, b"TIMER_DEL_UNIQKEY", 17)
                or same(name, size, b"TRAN_MSG", 8)):
            return SPECIAL
        return 0
    if first == 68:
        return SPECIAL if same(name, size, b"DELAY", 5) else 0
    if first == 73:
        if (same(name, size, b"INNER_NUM", 9) or same(name, size, b"INNER_BASE", 10)
                or same(name, size, b"INNER_MULTI_DISPATCH", 20)):
            return SPECIAL
        return 0
    if first == 77:
        return REWRITE if same(name, size, b"MSG_REGION", 10) else 0
    if first == 67:
        return REWRITE if same(name, size, b"CLUSTER", 7) else 0
    if first == 80:
        return REWRITE if same(name, size, b"POP_CK", 6) else 0
    if first == 95:
        return REWRITE if same(name, size, b"__CRC32#", 8) else 0
    return 0
