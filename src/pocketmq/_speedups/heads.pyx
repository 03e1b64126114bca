# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Reading the header of a frame in place; what each function does stands in heads.pxd."""

from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp

from .big_endian cimport load16, load32

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    /* The first quote, backslash or control character from p on; at least end when there is none.
     * Eight bytes at a time: a byte of x is zero where (x - 1) & ~x has its highest bit set, and
     * below it no other byte can be mistaken for one, so the lowest such bit is right. */
    static const uint8_t *pq_to_special(const uint8_t *p, const uint8_t *end) {
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && defined(__GNUC__)
        const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
        while (end - p >= 8) {
            uint64_t x, quote, slash, hits;
            memcpy(&x, p, 8);
            quote = x ^ (ones * 34);
            slash = x ^ (ones * 92);
            hits = (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((x - ones * 32) & ~x))
                & highs;
            if (hits)
                return p + (__builtin_ctzll(hits) >> 3);
            p += 8;
        }
    #endif
        while (p < end && *p != 34 && *p != 92 && *p >= 32)
            p++;
        return p;
    }

    static int pq_is_ascii(const uint8_t *p, size_t size) {
        uint64_t x, all = 0;
        while (size >= 8) {
            memcpy(&x, p, 8);
            all |= x;
            p += 8;
            size -= 8;
        }
        while (size--)
            all |= *p++;
        return (all & 0x8080808080808080u) == 0;
    }
    """
    const uint8_t* pq_to_special(const uint8_t* p, const uint8_t* end) noexcept nogil
    int pq_is_ascii(const uint8_t* p, size_t size) noexcept nogil


cdef bint is_text(const uint8_t* p, Py_ssize_t size) noexcept:
    """Whether these bytes are valid UTF-8."""
    if pq_is_ascii(p, size):
        return True
    try:
        PyUnicode_DecodeUTF8(<const char*>p, size, NULL)
    except UnicodeDecodeError:
        return False
    return True


cdef bint is_clean(const Head* head, const Entry* escapes) noexcept:
    """Whether nothing in a header is left for a twin to complain about.

    Its texts are valid UTF-8, and only the value of `escapes` (or NULL) has escapes, unread yet.
    """
    cdef const Entry* entry
    cdef int i
    if head.remark_size and (head.remark_escaped or not is_text(head.remark, head.remark_size)):
        return False
    for i in range(head.count):
        entry = &head.entries[i]
        if entry.escaped and entry != escapes:
            return False
        if head.ascii:
            continue
        if not is_text(entry.key, entry.key_size) or not is_text(entry.value, entry.value_size):
            return False
    return True


cdef Py_ssize_t unescape(const uint8_t* p, Py_ssize_t size, uint8_t* out) noexcept nogil:
    """Resolve JSON escapes into `out`, which has room for `size` bytes; return how many there are.

    -1 for an odd escape or a lone surrogate.
    """
    cdef Py_ssize_t used = 0, i = 0
    cdef uint8_t c
    cdef int32_t point, low
    while i < size:
        c = p[i]
        if c != 92:
            out[used] = c
            used += 1
            i += 1
            continue
        if i + 1 >= size:
            return -1
        c = p[i + 1]
        i += 2
        if c == 117:
            point = hex4(p, i, size)
            i += 4
            if 0xD800 <= point < 0xDC00:
                if i + 6 > size or p[i] != 92 or p[i + 1] != 117:
                    return -1
                low = hex4(p, i + 2, size)
                if low < 0xDC00 or low > 0xDFFF:
                    return -1
                point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00)
                i += 6
            elif point < 0 or 0xDC00 <= point <= 0xDFFF:
                return -1
            used += put_utf8(out + used, point)
            continue
        elif c == 110:
            c = 10
        elif c == 116:
            c = 9
        elif c == 114:
            c = 13
        elif c == 98:
            c = 8
        elif c == 102:
            c = 12
        elif c != 34 and c != 92 and c != 47:
            return -1
        out[used] = c
        used += 1
    return used


cdef int32_t hex4(const uint8_t* p, Py_ssize_t i, Py_ssize_t size) noexcept nogil:
    cdef int32_t value = 0
    cdef int k
    cdef uint8_t c
    if i + 4 > size:
        return -1
    for k in range(4):
        c = p[i + k]
        if 48 <= c <= 57:
            c = c - 48
        elif 97 <= c <= 102:
            c = c - 87
        elif 65 <= c <= 70:
            c = c - 55
        else:
            return -1
        value = value * 16 + c
    return value


cdef Py_ssize_t put_utf8(uint8_t* out, int32_t point) noexcept nogil:
    if point < 0x80:
        out[0] = point
        return 1
    if point < 0x800:
        out[0] = 0xC0 | (point >> 6)
        out[1] = 0x80 | (point & 0x3F)
        return 2
    if point < 0x10000:
        out[0] = 0xE0 | (point >> 12)
        out[1] = 0x80 | ((point >> 6) & 0x3F)
        out[2] = 0x80 | (point & 0x3F)
        return 3
    out[0] = 0xF0 | (point >> 18)
    out[1] = 0x80 | ((point >> 12) & 0x3F)
    out[2] = 0x80 | ((point >> 6) & 0x3F)
    out[3] = 0x80 | (point & 0x3F)
    return 4


# -- the binary header ---------------------------------------------------------------------------

cdef bint read_binary(const uint8_t* p, const uint8_t* end, Head* head) noexcept nogil:
    cdef Py_ssize_t size, key_size
    cdef const uint8_t* stop
    cdef uint32_t length
    if end - p < 21:
        return False
    head.code = <int16_t><uint16_t>load16(p)
    head.language = p[2]
    if head.language >= 14:
        head.language = -1
    head.version = <int16_t><uint16_t>load16(p + 3)
    head.opaque = <int32_t><uint32_t>load32(p + 5)
    head.flag = <int32_t><uint32_t>load32(p + 9)
    length = <uint32_t>load32(p + 13)
    p += 17
    if <Py_ssize_t>length > end - p - 4:
        return False
    head.remark = p if length else NULL
    head.remark_size = length
    head.remark_escaped = False
    p += length
    length = <uint32_t>load32(p)
    p += 4
    if <Py_ssize_t>length > end - p:
        return False
    stop = p + length
    head.ascii = pq_is_ascii(p, length)
    head.count = 0
    while p < stop:
        if stop - p < 2:
            return False
        key_size = <uint16_t>load16(p)
        p += 2
        if key_size > 32767 or stop - p < key_size + 4:
            return False
        if head.count == ENTRIES_MAX:
            return False
        head.entries[head.count].key = p
        head.entries[head.count].key_size = key_size
        p += key_size
        length = <uint32_t>load32(p)
        p += 4
        if <Py_ssize_t>length > stop - p:
            return False
        size = length
        head.entries[head.count].value = p
        head.entries[head.count].value_size = size
        head.entries[head.count].escaped = False
        p += size
        if key_size and size:
            head.count += 1
        elif not pq_is_ascii(p - size - 4 - key_size, key_size) or not pq_is_ascii(p - size, size):
            return False  # it says nothing, but may be damaged
    return True


# -- the JSON header -----------------------------------------------------------------------------

cdef inline const uint8_t* blank(const uint8_t* p, const uint8_t* end) noexcept nogil:
    while p < end and (p[0] == 32 or p[0] == 10 or p[0] == 13 or p[0] == 9):
        p += 1
    return p


cdef inline const uint8_t* string_end(
    const uint8_t* p, const uint8_t* end, bint* escaped
) noexcept nogil:
    """From behind the opening quote to the closing quote; NULL when there is none."""
    cdef bint found = False
    while True:
        p = pq_to_special(p, end)
        if p >= end:
            return NULL
        if p[0] == 34:
            escaped[0] = found
            return p
        if p[0] != 92:
            return NULL
        found = True
        p += 2


cdef const uint8_t* number_end(const uint8_t* p, const uint8_t* end) noexcept nogil:
    """The end of a plain integer without leading zeros; NULL for anything else."""
    cdef const uint8_t* start = p
    if p < end and p[0] == 45:
        p += 1
        start = p
    while p < end and 48 <= p[0] <= 57:
        p += 1
    if p == start or p - start > 18 or (start[0] == 48 and p - start > 1):
        return NULL
    if p < end and (p[0] == 46 or p[0] == 101 or p[0] == 69):
        return NULL
    return p


cdef bint read_json(const uint8_t* p, const uint8_t* end, Head* head) noexcept nogil:
    cdef const uint8_t* key
    cdef const uint8_t* value
    cdef Py_ssize_t key_size
    cdef bint escaped
    cdef int seen = 0
    head.code = 0
    head.language = -1
    head.version = 0
    head.opaque = 0
    head.flag = 0
    head.remark = NULL
    head.remark_size = 0
    head.count = 0
    head.ascii = pq_is_ascii(p, end - p)
    p = blank(p, end)
    if p >= end or p[0] != 123:
        return False
    p = blank(p + 1, end)
    while True:
        seen += 1
        if seen > 16 or p >= end or p[0] != 34:
            return False
        key = p + 1
        p = string_end(key, end, &escaped)
        if p == NULL or escaped:
            return False
        key_size = p - key
        if not head.ascii and not pq_is_ascii(key, key_size):
            return False
        p = blank(p + 1, end)
        if p >= end or p[0] != 58:
            return False
        p = blank(p + 1, end)
        if p >= end:
            return False
        if p[0] == 34:
            value = p + 1
            p = string_end(value, end, &escaped)
            if p == NULL or not take_text(head, key, key_size, value, p - value, escaped):
                return False
            p += 1
        elif p[0] == 123:
            if key_size != 9 or memcmp(key, b"extFields", 9) != 0 or head.count:
                return False
            p = read_entries(p + 1, end, head)
            if p == NULL:
                return False
        elif p[0] == 110:
            if end - p < 4 or memcmp(p, b"null", 4) != 0:
                return False
            if key_size != 6 or memcmp(key, b"remark", 6) != 0:
                return False
            head.remark = NULL
            head.remark_size = 0
            p += 4
        else:
            value = p
            p = number_end(p, end)
            if p == NULL or not take_number(head, key, key_size, value, p):
                return False
        p = blank(p, end)
        if p < end and p[0] == 44:
            p = blank(p + 1, end)
            continue
        return p < end and p[0] == 125 and blank(p + 1, end) == end


cdef bint take_number(
    Head* head, const uint8_t* key, Py_ssize_t key_size, const uint8_t* p, const uint8_t* end
) noexcept nogil:
    cdef bint negative = p[0] == 45
    cdef int64_t value = 0
    if negative:
        p += 1
    while p < end:
        value = value * 10 + (p[0] - 48)
        p += 1
    if negative:
        value = -value
    if value > 0x7FFFFFFF or value < -<int64_t>0x80000000:
        return False
    if key_size == 4 and memcmp(key, b"code", 4) == 0:
        head.code = value
    elif key_size == 4 and memcmp(key, b"flag", 4) == 0:
        head.flag = value
    elif key_size == 6 and memcmp(key, b"opaque", 6) == 0:
        head.opaque = value
    elif key_size == 7 and memcmp(key, b"version", 7) == 0:
        head.version = value
    elif key_size == 8 and memcmp(key, b"language", 8) == 0:
        head.language = value if 0 <= value < 14 else -1
    elif key_size == 9 and memcmp(key, b"extFields", 9) == 0:
        return False
    elif key_size == 6 and memcmp(key, b"remark", 6) == 0:
        return False
    return True


cdef bint take_text(
    Head* head, const uint8_t* key, Py_ssize_t key_size,
    const uint8_t* value, Py_ssize_t value_size, bint escaped
) noexcept nogil:
    if key_size == 8 and memcmp(key, b"language", 8) == 0:
        head.language = language_number(value, value_size)
        return head.language != -2
    if key_size == 6 and memcmp(key, b"remark", 6) == 0:
        head.remark = value
        head.remark_size = value_size
        head.remark_escaped = escaped
        return True
    if key_size == 23 and memcmp(key, b"serializeTypeCurrentRPC", 23) == 0:
        return not escaped and pq_is_ascii(value, value_size)
    return False


cdef int64_t language_number(const uint8_t* p, Py_ssize_t size) noexcept nogil:
    """The common languages; -2 leaves the frame to the twin."""
    if size == 4 and memcmp(p, b"JAVA", 4) == 0:
        return 0
    if size == 3 and memcmp(p, b"CPP", 3) == 0:
        return 1
    if size == 6 and memcmp(p, b"PYTHON", 6) == 0:
        return 3
    if size == 2 and memcmp(p, b"GO", 2) == 0:
        return 9
    if size == 7 and memcmp(p, b"NODE_JS", 7) == 0:
        return 13
    return -2


cdef const uint8_t* read_entries(const uint8_t* p, const uint8_t* end, Head* head) noexcept nogil:
    """The entries of extFields from behind its brace; returns behind its closing brace."""
    cdef Entry* entry
    cdef const uint8_t* q
    cdef bint escaped
    p = blank(p, end)
    if p < end and p[0] == 125:
        return p + 1
    while True:
        if head.count == ENTRIES_MAX or p >= end or p[0] != 34:
            return NULL
        entry = &head.entries[head.count]
        entry.key = p + 1
        if end - p > 5 and p[2] == 34 and p[3] == 58 and 97 <= p[1] <= 122:
            # The keys of a send are single letters.
            entry.key_size = 1
            p += 4
        else:
            p = string_end(entry.key, end, &escaped)
            if p == NULL or escaped:
                return NULL
            entry.key_size = p - entry.key
            p = blank(p + 1, end)
            if p >= end or p[0] != 58:
                return NULL
            p = blank(p + 1, end)
            if p >= end:
                return NULL
        if p[0] == 34:
            entry.value = p + 1
            q = string_end(entry.value, end, &entry.escaped)
            if q == NULL:
                return NULL
            entry.value_size = q - entry.value
            p = q + 1
        else:
            q = number_end(p, end)
            if q == NULL:
                return NULL
            entry.value = p
            entry.value_size = q - p
            entry.escaped = False
            p = q
        head.count += 1
        p = blank(p, end)
        if p < end and p[0] == 44:
            p = blank(p + 1, end)
            continue
        if p < end and p[0] == 125:
            return p + 1
        return NULL
