# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The values of a few properties of stored records; the meaning is in filtering/sql/filters.py."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memchr, memcmp

from .big_endian cimport load32


cdef list _values(const uint8_t* p, const uint8_t* end, tuple names):
    """The last non-empty value of each name in a property string; None where there is none."""
    cdef Py_ssize_t count = len(names), i, length
    cdef list found = [None] * count
    cdef const uint8_t* stop
    cdef const uint8_t* mark
    cdef bytes name
    while p < end:
        stop = <const uint8_t*>memchr(p, 2, end - p)
        if stop == NULL:
            stop = end
        mark = <const uint8_t*>memchr(p, 1, stop - p)
        if mark != NULL and mark > p and mark + 1 < stop:
            length = mark - p
            for i in range(count):
                name = <bytes>names[i]
                if PyBytes_GET_SIZE(name) == length and memcmp(
                    PyBytes_AS_STRING(name), p, length
                ) == 0:
                    found[i] = PyUnicode_DecodeUTF8(
                        <char*>(mark + 1), stop - mark - 1, b"replace"
                    )
                    break
        p = stop + 1
    return found


cdef bint find_property_bytes(
    const uint8_t* record, Py_ssize_t size, const uint8_t** first, const uint8_t** last
) noexcept nogil:
    """Where the properties of a whole record lie; False when its lengths contradict each other."""
    cdef Py_ssize_t inner = 84, limit
    cdef int32_t body
    if record[39] & 0x10:
        inner += 12
    if record[39] & 0x20:
        inner += 12
    if inner + 4 > size:
        return False
    body = load32(record + inner)
    inner += 4
    if body < 0 or body > size - inner - 3:
        return False
    inner += body
    if record[7] == 0xAB:
        inner += 2 + (record[inner] << 8 | record[inner + 1])
    else:
        inner += 1 + record[inner]
    if inner + 2 > size:
        return False
    limit = inner + 2 + (record[inner] << 8 | record[inner + 1])
    first[0] = record + inner + 2
    last[0] = record + limit
    return limit <= size


def stretch_values(data, tuple names):
    """(size, values of the names) of each whole record in a stretch of the log."""
    cdef Py_buffer view
    cdef const uint8_t* p
    cdef const uint8_t* first
    cdef const uint8_t* last
    cdef Py_ssize_t at = 0
    cdef int32_t size
    cdef list found = []
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        while view.len - at >= 91:
            p = <const uint8_t*>view.buf + at
            size = load32(p)
            if size < 91 or size > view.len - at:
                break
            if find_property_bytes(p, size, &first, &last):
                found.append((size, _values(first, last, names)))
            else:
                found.append((size, [None] * len(names)))
            at += size
        return found
    finally:
        PyBuffer_Release(&view)


cdef class Program:
    """An expression of simple parts, for records in place; see filtering/sql/program.py.

    `steps` are (operation, place or first part, number of parts, number, limit, texts), the whole
    expression last; parts stand together before what they belong to.
    """

    def __init__(self, tuple names, list steps):
        cdef Step* step
        cdef Py_ssize_t i
        if len(names) > NAMES_MAX or len(steps) > STEPS_MAX:
            raise ValueError("the expression is too long for a program")
        self.names = names
        self.texts = []
        self.count = len(steps)
        for i in range(self.count):
            step = &self.steps[i]
            step.operation, step.first, step.parts, step.number, step.limit, texts = steps[i]
            self.texts.append(texts)

    cdef int decide(self, const uint8_t* record, Py_ssize_t size) except -1:
        """FALSE, TRUE or UNKNOWN; UNDECIDED for what only the evaluator in Python can tell."""
        cdef const uint8_t* p
        cdef const uint8_t* end
        cdef const uint8_t* stop
        cdef const uint8_t* mark
        cdef Py_ssize_t length, i, count = len(self.names)
        cdef bytes name
        cdef Value values[NAMES_MAX]
        if not find_property_bytes(record, size, &p, &end):
            return UNDECIDED
        for i in range(count):
            values[i].p = NULL
            values[i].size = 0
        while p < end:
            stop = <const uint8_t*>memchr(p, 2, end - p)
            if stop == NULL:
                stop = end
            mark = <const uint8_t*>memchr(p, 1, stop - p)
            if mark != NULL and mark > p and mark + 1 < stop:
                length = mark - p
                for i in range(count):
                    name = <bytes>self.names[i]
                    if PyBytes_GET_SIZE(name) == length and memcmp(
                        PyBytes_AS_STRING(name), p, length
                    ) == 0:
                        values[i].p = mark + 1
                        values[i].size = stop - mark - 1
                        break
            p = stop + 1
        return self.outcome(self.count - 1, values)

    cdef int outcome(self, int at, const Value* values) except -1:
        cdef Step* step = &self.steps[at]
        cdef const Value* value
        cdef int result, one, i, stop_at
        cdef int64_t number = 0
        if step.operation == ALL or step.operation == ANY:
            stop_at = TRUE if step.operation == ANY else FALSE
            result = TRUE - stop_at
            for i in range(step.parts):
                one = self.outcome(<int>self.part(at, i), values)
                if one == stop_at or one == UNDECIDED:
                    return one
                if one == UNKNOWN:
                    result = UNKNOWN
            return result
        if step.operation == NOT:
            one = self.outcome(<int>self.part(at, 0), values)
            return TRUE - one if one <= TRUE else one
        value = &values[step.first]
        if step.operation == IS_NULL:
            return TRUE if value.p == NULL else FALSE
        if value.p == NULL:
            return UNKNOWN
        if step.operation == AMONG or step.operation == NOT_AMONG:
            if not is_ascii(value):
                return UNDECIDED
            one = TRUE if value.p[:value.size] in self.texts[at] else FALSE
            return one if step.operation == AMONG else TRUE - one
        if not whole(value, step.limit, &number):
            return UNDECIDED
        if step.operation == LESS:
            return TRUE if number < step.number else FALSE
        if step.operation == LESS_EQUAL:
            return TRUE if number <= step.number else FALSE
        if step.operation == GREATER:
            return TRUE if number > step.number else FALSE
        if step.operation == GREATER_EQUAL:
            return TRUE if number >= step.number else FALSE
        return TRUE if number == step.number else FALSE

    cdef object part(self, int at, int number):
        return (<tuple>self.texts[at])[number]

    def outcome_of(self, record):
        """What `decide` says of a whole record, for tests."""
        cdef Py_buffer view
        PyObject_GetBuffer(record, &view, PyBUF_SIMPLE)
        try:
            return self.decide(<const uint8_t*>view.buf, view.len)
        finally:
            PyBuffer_Release(&view)


cdef bint is_ascii(const Value* value) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(value.size):
        if value.p[i] >= 128:
            return False
    return True


cdef bint whole(const Value* value, int64_t limit, int64_t* result) noexcept nogil:
    """A number in plain decimal digits between -limit and limit; else Python decides."""
    cdef const uint8_t* p = value.p
    cdef const uint8_t* end = p + value.size
    cdef bint negative = p[0] == 45
    cdef int64_t number = 0
    if negative:
        p += 1
    if p == end or end - p > 18:
        return False
    while p < end:
        if p[0] < 48 or p[0] > 57:
            return False
        number = number * 10 + (p[0] - 48)
        p += 1
    if number >= limit:
        return False
    result[0] = -number if negative else number
    return True
