# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Scanning stored records for what is to be filed; the meaning is in message/scan.py."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp, memcpy

from .big_endian cimport load32, load64
from .records cimport Parts, Span, measure

cdef enum:
    KEY_BYTES = 20

# The powers of 31, of which Java's hash of a text is made, modulo 2 to the 32nd.
cdef extern from *:
    """
    #define POWER_1 31u
    #define POWER_2 961u
    #define POWER_3 29791u
    #define POWER_4 923521u
    #define POWER_5 28629151u
    #define POWER_6 887503681u
    #define POWER_7 1742810335u
    #define POWER_8 2487512833u
    """
    uint32_t POWER_1, POWER_2, POWER_3, POWER_4, POWER_5, POWER_6, POWER_7, POWER_8


cdef class Filings:
    """What a scan found, without a Python object for each; a sequence of `Filed` tuples."""

    def __cinit__(self, records=()):
        cdef Filing filing
        self.topics = []
        self.items = NULL
        self.count = self.room = 0
        for (
            topic, filing.queue_id, filing.queue_offset, filing.log_offset, filing.size,
            filing.tag_hash, filing.store_ms,
        ) in records:
            filing.topic = self.topic_number(topic)
            self.add(&filing)

    def __dealloc__(self):
        free(self.items)

    def __len__(self):
        return self.count

    def __getitem__(self, Py_ssize_t index):
        cdef Filing* one
        if index < 0:
            index += self.count
        if index < 0 or index >= self.count:
            raise IndexError(index)
        one = &self.items[index]
        return (
            self.topics[one.topic], one.queue_id, one.queue_offset, one.log_offset, one.size,
            one.tag_hash, one.store_ms,
        )

    def __eq__(self, other):
        return list(self) == list(other)

    def __repr__(self):
        return f"Filings({list(self)!r})"

    cdef Py_ssize_t topic_number(self, topic) except -1:
        """Where the topic stands in `topics`."""
        cdef Py_ssize_t number
        for number in range(len(self.topics)):
            if self.topics[number] == topic:
                return number
        self.topics.append(topic)
        return len(self.topics) - 1

    cdef int add(self, const Filing* filing) except -1:
        cdef Filing* grown
        if self.count == self.room:
            grown = <Filing*>realloc(self.items, (self.room * 2 + 64) * sizeof(Filing))
            if grown == NULL:
                raise MemoryError
            self.items = grown
            self.room = self.room * 2 + 64
        self.items[self.count] = filing[0]
        self.count += 1
        return 0


cdef uint32_t hash_more(uint32_t value, const uint8_t* p, Py_ssize_t length) except? 0:
    """Go on hashing UTF-8 text as Java hashes its UTF-16 units."""
    cdef Py_UCS4 character
    cdef uint32_t point
    cdef uint64_t eight
    # Eight at a time, so that a multiplication need not wait for the one before it.
    while length >= 8:
        memcpy(&eight, p, 8)
        if eight & <uint64_t>0x8080808080808080:
            break
        value = (
            value * POWER_8 + p[0] * POWER_7 + p[1] * POWER_6 + p[2] * POWER_5 + p[3] * POWER_4
            + p[4] * POWER_3 + p[5] * POWER_2 + p[6] * POWER_1 + p[7]
        )
        p += 8
        length -= 8
    while length and not p[0] & 0x80:
        value = value * POWER_1 + p[0]
        p += 1
        length -= 1
    if length == 0:
        return value
    for character in PyUnicode_DecodeUTF8(<const char*>p, length, b"replace"):
        point = <uint32_t>character
        if point >= 0x10000:
            value = value * 31 + 0xD800 + ((point - 0x10000) >> 10)
            value = value * 31 + 0xDC00 + ((point - 0x10000) & 0x3FF)
        else:
            value = value * 31 + point
    return value


cdef inline bint is_name(
    const uint8_t* p, Py_ssize_t length, const char* name, Py_ssize_t name_length
) noexcept nogil:
    return length == name_length and memcmp(p, name, name_length) == 0


cdef void find_properties(
    const uint8_t* p, Py_ssize_t length, Span* tags, Span* unique_key, Span* keys
) noexcept nogil:
    cdef const uint8_t* end = p + length
    cdef const uint8_t* stop
    cdef const uint8_t* split
    tags.size = unique_key.size = keys.size = 0
    while p < end:
        stop = <const uint8_t*>memchr(p, 2, end - p)
        if stop == NULL:
            stop = end
        split = <const uint8_t*>memchr(p, 1, stop - p)
        if split != NULL and split > p and split + 1 < stop:
            if is_name(p, split - p, b"TAGS", 4):
                tags.p = split + 1
                tags.size = stop - split - 1
            elif is_name(p, split - p, b"KEYS", 4):
                keys.p = split + 1
                keys.size = stop - split - 1
            elif is_name(p, split - p, b"UNIQ_KEY", 8):
                unique_key.p = split + 1
                unique_key.size = stop - split - 1
        p = stop + 1


cdef struct Keys:
    char* data
    Py_ssize_t used
    Py_ssize_t room


cdef int add_key(
    Keys* keys, uint32_t topic_hash, const uint8_t* p, Py_ssize_t length,
    int64_t log_offset, int64_t store_ms,
) except -1:
    cdef uint32_t raw
    cdef int32_t value
    cdef char* grown
    cdef char* at
    raw = hash_more(topic_hash, p, length)
    if raw & <uint32_t>0x80000000:
        raw = 0 - raw
        if raw == <uint32_t>0x80000000:
            raw = 0
    value = <int32_t>raw
    if keys.used + KEY_BYTES > keys.room:
        keys.room = keys.room * 2 + 64 * KEY_BYTES
        grown = <char*>realloc(keys.data, keys.room)
        if grown == NULL:
            raise MemoryError
        keys.data = grown
    at = keys.data + keys.used
    memcpy(at, &value, 4)
    memcpy(at + 4, &log_offset, 8)
    memcpy(at + 12, &store_ms, 8)
    keys.used += KEY_BYTES
    return 0


def scan_records(
    data, Py_ssize_t position, Py_ssize_t limit, int64_t log_offset, Py_ssize_t count_max
):
    """Walk records; return (filings, packed keys, position after the last, END_ reason)."""
    cdef Py_buffer view
    cdef Parts parts
    cdef Span tags, unique_key, key_list
    cdef Keys keys
    cdef const uint8_t* p
    cdef const uint8_t* word
    cdef const uint8_t* end
    cdef const uint8_t* topic_before = NULL
    cdef Py_ssize_t topic_before_bytes = -1
    cdef Py_ssize_t size, count, start
    cdef int32_t sys_flag
    cdef int64_t store_ms, here
    cdef uint32_t topic_hash = 0
    cdef int why = 0
    cdef Filings filings = Filings()
    cdef Filing filing
    keys.data = NULL
    keys.used = keys.room = 0
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if limit > view.len:
            limit = view.len
        start = position
        count = 0
        while count < count_max and position < limit:
            p = <const uint8_t*>view.buf + position
            size = measure(p, limit - position, &parts)
            if size == 0:
                why = 1
                break
            here = log_offset + (position - start)
            if size < 0 or load64(p + 28) != here:
                why = 2
                break
            sys_flag = load32(p + 36)
            store_ms = load64(p + (68 if sys_flag & 0x10 else 56))
            if parts.topic_bytes != topic_before_bytes or memcmp(
                p + parts.topic_at, topic_before, topic_before_bytes
            ):
                topic_before = p + parts.topic_at
                topic_before_bytes = parts.topic_bytes
                filing.topic = filings.topic_number(
                    PyUnicode_DecodeUTF8(<const char*>topic_before, topic_before_bytes, b"replace")
                )
                topic_hash = hash_more(0, topic_before, topic_before_bytes) * 31 + 35
            find_properties(
                p + parts.properties_at, parts.properties_bytes, &tags, &unique_key, &key_list
            )
            if not sys_flag & 4:
                filing.queue_id = load32(p + 12)
                filing.queue_offset = load64(p + 20)
                filing.log_offset = here
                filing.size = <int32_t>size
                filing.tag_hash = <int32_t>hash_more(0, tags.p, tags.size) if tags.size else 0
                filing.store_ms = store_ms
                filings.add(&filing)
            if sys_flag & 0xC != 0xC:
                if unique_key.size:
                    # Only KEYS is a list; a unique key is taken whole.
                    add_key(&keys, topic_hash, unique_key.p, unique_key.size, here, store_ms)
                if key_list.size:
                    word = key_list.p
                    end = word + key_list.size
                    while word < end:
                        p = <const uint8_t*>memchr(word, 32, end - word)
                        if p == NULL:
                            p = end
                        if p > word:
                            add_key(&keys, topic_hash, word, p - word, here, store_ms)
                        word = p + 1
            position += size
            count += 1
        return filings, keys.data[:keys.used] if keys.used else b"", position, why
    finally:
        free(keys.data)
        PyBuffer_Release(&view)
