# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Leaves of the wire: cut frames, read headers, write the answers of sends and pulls.

`scan_frames` understands regular frames only and stops before the first that is odd in any way;
the plain twin in `protocol/framing.py` then reads that one and explains what is wrong with it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_SetItem
from cpython.list cimport PyList_Append
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_DecodeUTF8
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

cdef enum:
    ENTRIES_MAX = 48
    SEND_FIELDS = 13
    PULL_FIELDS = 11

cdef struct Entry:
    const uint8_t* key
    Py_ssize_t key_size
    const uint8_t* value
    Py_ssize_t value_size
    bint escaped
    bint text

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


cdef inline uint32_t read_u32(const uint8_t* p) noexcept nogil:
    return (<uint32_t>p[0] << 24) | (<uint32_t>p[1] << 16) | (<uint32_t>p[2] << 8) | p[3]


cdef inline uint32_t read_u16(const uint8_t* p) noexcept nogil:
    return (<uint32_t>p[0] << 8) | p[1]


cdef inline void write_u32(uint8_t* p, uint32_t value) noexcept nogil:
    p[0] = value >> 24
    p[1] = (value >> 16) & 0xFF
    p[2] = (value >> 8) & 0xFF
    p[3] = value & 0xFF


# -- properties -------------------------------------------------------------------------------

cdef enum:
    REWRITE = 1
    NO_WAIT = 2
    SPECIAL = 4
    HAS_KEYS = 8
    UNTERMINATED = 16


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


cpdef tuple scan_send_properties(bytes properties):
    """The unique key (empty when absent) and the marks, or-ed together."""
    cdef const uint8_t* p = <const uint8_t*>PyBytes_AS_STRING(properties)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(properties)
    cdef const uint8_t* end = p + size
    cdef const uint8_t* stop
    cdef const uint8_t* middle
    cdef const uint8_t* key = NULL
    cdef Py_ssize_t key_size = 0, name_size, value_size
    cdef int marks = 0
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
                key = middle + 1
                key_size = value_size
            elif same(p, name_size, b"WAIT", 4):
                if same(middle + 1, value_size, b"false", 5):
                    marks |= NO_WAIT
            else:
                marks |= mark_of(p, name_size)
        p = stop + 1
    if key == NULL:
        return b"", marks
    return PyBytes_FromStringAndSize(<const char*>key, key_size), marks


# -- reading -------------------------------------------------------------------------------------

def scan_frames(bytes data, Py_ssize_t position, Py_ssize_t frame_bytes_max):
    """The regular frames of `data` from `position` on, and where the first other byte is."""
    cdef const uint8_t* base = <const uint8_t*>PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t start, header_end, end
    cdef uint32_t length, word
    cdef Head head
    cdef list frames = []
    cdef object fields, remark
    while size - position >= 8:
        length = read_u32(base + position)
        if length < 4 or <Py_ssize_t>length + 4 > frame_bytes_max:
            break
        if size - position < <Py_ssize_t>length + 4:
            break
        word = read_u32(base + position + 4)
        start = position + 8
        end = position + 4 + <Py_ssize_t>length
        header_end = start + (word & 0xFFFFFF)
        if header_end > end:
            break
        if word >> 24 == 0:
            if not read_json(base + start, base + header_end, &head):
                break
        elif word >> 24 == 1:
            if not read_binary(base + start, base + header_end, &head):
                break
        else:
            break
        fields = build_fields(&head)
        if fields is None:
            break
        remark = None
        if head.remark != NULL:
            remark = text_of(head.remark, head.remark_size, head.remark_escaped)
            if remark is None:
                break
        PyList_Append(frames, (
            head.code, head.opaque, head.flag, <int>(word >> 24),
            None if head.language < 0 else head.language, head.version, remark, fields,
            header_end, end,
        ))
        position = end
    return frames, position


cdef object build_fields(Head* head):
    """Typed fields for sends and pulls, else the string map; None when something is odd."""
    cdef object typed = None
    if not head.flag & 1:
        if head.code == 310 or head.code == 320:
            typed = build_send(head)
        elif head.code == 11 or head.code == 361:
            typed = build_pull(head)
        elif head.count == 0:
            return {}
        else:
            return build_map(head)
        return typed
    return build_map(head)


cdef object build_map(Head* head):
    cdef dict result = {}
    cdef int i
    for i in range(head.count):
        key = text_of(head.entries[i].key, head.entries[i].key_size, False)
        value = text_of(head.entries[i].value, head.entries[i].value_size, head.entries[i].escaped)
        if key is None or value is None:
            return None
        PyDict_SetItem(result, key, value)
    return result


cdef object build_send(Head* head):
    cdef Entry* by_letter[26]
    cdef int i
    cdef int64_t c_number, queue_id, sys_flag, born, flag, reconsume, most
    for i in range(26):
        by_letter[i] = NULL
    for i in range(head.count):
        if head.entries[i].key_size == 1 and 97 <= head.entries[i].key[0] <= 122:
            by_letter[head.entries[i].key[0] - 97] = &head.entries[i]
        elif untyped_key(&head.entries[i]):
            return None
    for i in range(8):
        if by_letter[i] == NULL:
            return None
    for i in (10, 12):
        if by_letter[i] != NULL and by_letter[i].escaped:
            return None
    if not (integer(by_letter[3], 0x7FFFFFFF, &c_number)
            and integer(by_letter[4], 0x7FFFFFFF, &queue_id)
            and integer(by_letter[5], 0x7FFFFFFF, &sys_flag)
            and integer(by_letter[6], 0x7FFFFFFFFFFFFFFF, &born)
            and integer(by_letter[7], 0x7FFFFFFF, &flag)):
        return None
    reconsume = 0
    if by_letter[9] != NULL and not integer(by_letter[9], 0x7FFFFFFF, &reconsume):
        return None
    most = -1
    if by_letter[11] != NULL and not integer(by_letter[11], 0x7FFFFFFF, &most):
        return None
    group = name_of(by_letter[0])
    topic = name_of(by_letter[1])
    default_topic = name_of(by_letter[2])
    properties = b""
    if by_letter[8] != NULL:
        properties = utf8_of(by_letter[8].value, by_letter[8].value_size, by_letter[8].escaped)
    if group is None or topic is None or default_topic is None or properties is None:
        return None
    unique_key, marks = scan_send_properties(properties)
    return (
        group, topic, default_topic, c_number, queue_id, sys_flag, born, flag, properties,
        reconsume, is_true(by_letter[10]), most, is_true(by_letter[12]), unique_key, marks,
    )


cdef object build_pull(Head* head):
    cdef Entry* found[PULL_FIELDS]
    cdef Entry* entry
    cdef int i, place
    cdef int64_t queue_id, queue_offset, count, sys_flag, commit, suspend, version
    for i in range(PULL_FIELDS):
        found[i] = NULL
    for i in range(head.count):
        entry = &head.entries[i]
        place = pull_place(entry)
        if place >= 0:
            found[place] = entry
        elif untyped_key(entry):
            return None
    for i in range(8):
        if found[i] == NULL:
            return None
    version = 0
    if not (integer(found[2], 0x7FFFFFFF, &queue_id)
            and integer(found[3], 0x7FFFFFFFFFFFFFFF, &queue_offset)
            and integer(found[4], 0x7FFFFFFF, &count)
            and integer(found[5], 0x7FFFFFFF, &sys_flag)
            and integer(found[6], 0x7FFFFFFFFFFFFFFF, &commit)
            and integer(found[7], 0x7FFFFFFFFFFFFFFF, &suspend)):
        return None
    if found[9] != NULL and not integer(found[9], 0x7FFFFFFFFFFFFFFF, &version):
        return None
    group = name_of(found[0])
    topic = name_of(found[1])
    subscription = None
    expression_type = None
    if found[8] != NULL:
        subscription = name_of(found[8])
        if subscription is None:
            return None
    if found[10] != NULL:
        expression_type = name_of(found[10])
        if expression_type is None:
            return None
    if group is None or topic is None:
        return None
    return (
        group, topic, queue_id, queue_offset, count, sys_flag, commit, suspend,
        subscription, version, expression_type,
    )


cdef inline bint named(Entry* entry, const char* name, Py_ssize_t size) noexcept nogil:
    return entry.key_size == size and memcmp(entry.key, name, size) == 0


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


# Names come again and again: the last one seen in each place is handed out once more, which saves
# making it and computing its hash.
cdef list recent_names = [""] * 256


cdef object name_of(Entry* entry):
    cdef const uint8_t* p = entry.value
    cdef Py_ssize_t size = entry.value_size
    cdef Py_ssize_t known_size = 0
    cdef const char* known
    cdef int place
    if entry.escaped or size == 0 or size > 128:
        return text_of(p, size, entry.escaped)
    place = (size * 31 + p[0] * 7 + p[size >> 1] * 3 + p[size - 1]) & 255
    name = recent_names[place]
    known = PyUnicode_AsUTF8AndSize(name, &known_size)
    if known_size == size and memcmp(known, p, size) == 0:
        return name
    name = text_of(p, size, False)
    if name is not None:
        recent_names[place] = name
    return name


cdef object text_of(const uint8_t* p, Py_ssize_t size, bint escaped):
    """The text, or None when it is not valid UTF-8 or its escapes are odd."""
    if escaped:
        raw = unescape(p, size)
        if raw is None:
            return None
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return None
    try:
        return PyUnicode_DecodeUTF8(<const char*>p, size, NULL)
    except UnicodeDecodeError:
        return None


cdef object utf8_of(const uint8_t* p, Py_ssize_t size, bint escaped):
    """The text as UTF-8 bytes, or None when it is not valid."""
    cdef bytes raw
    cdef const uint8_t* q
    cdef Py_ssize_t i
    if escaped:
        unescaped = unescape(p, size)
        if unescaped is None:
            return None
        raw = unescaped
    else:
        raw = PyBytes_FromStringAndSize(<const char*>p, size)
    q = <const uint8_t*>PyBytes_AS_STRING(raw)
    for i in range(PyBytes_GET_SIZE(raw)):
        if q[i] >= 128:
            try:
                raw.decode()
            except UnicodeDecodeError:
                return None
            break
    return raw


cdef object unescape(const uint8_t* p, Py_ssize_t size):
    """JSON escapes resolved to UTF-8 bytes; None for an odd escape or a lone surrogate."""
    cdef uint8_t small[1024]
    cdef bytes large
    cdef uint8_t* out = small
    cdef Py_ssize_t used = 0, i = 0
    cdef uint8_t c
    cdef int32_t point, low
    if size > <Py_ssize_t>sizeof(small):
        large = PyBytes_FromStringAndSize(NULL, size)
        out = <uint8_t*>PyBytes_AS_STRING(large)
    while i < size:
        c = p[i]
        if c != 92:
            out[used] = c
            used += 1
            i += 1
            continue
        if i + 1 >= size:
            return None
        c = p[i + 1]
        i += 2
        if c == 117:
            point = hex4(p, i, size)
            i += 4
            if 0xD800 <= point < 0xDC00:
                if i + 6 > size or p[i] != 92 or p[i + 1] != 117:
                    return None
                low = hex4(p, i + 2, size)
                if low < 0xDC00 or low > 0xDFFF:
                    return None
                point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00)
                i += 6
            elif point < 0 or 0xDC00 <= point <= 0xDFFF:
                return None
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
            return None
        out[used] = c
        used += 1
    return PyBytes_FromStringAndSize(<const char*>out, used)


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
    head.code = <int16_t>read_u16(p)
    head.language = p[2]
    if head.language >= 14:
        head.language = -1
    head.version = <int16_t>read_u16(p + 3)
    head.opaque = <int32_t>read_u32(p + 5)
    head.flag = <int32_t>read_u32(p + 9)
    length = read_u32(p + 13)
    p += 17
    if <Py_ssize_t>length > end - p - 4:
        return False
    head.remark = p if length else NULL
    head.remark_size = length
    head.remark_escaped = False
    p += length
    length = read_u32(p)
    p += 4
    if <Py_ssize_t>length > end - p:
        return False
    stop = p + length
    head.count = 0
    while p < stop:
        if stop - p < 2:
            return False
        key_size = read_u16(p)
        p += 2
        if key_size > 32767 or stop - p < key_size + 4:
            return False
        if head.count == ENTRIES_MAX:
            return False
        head.entries[head.count].key = p
        head.entries[head.count].key_size = key_size
        p += key_size
        length = read_u32(p)
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
    return True


# -- the JSON header -----------------------------------------------------------------------------

cdef inline const uint8_t* blank(const uint8_t* p, const uint8_t* end) noexcept nogil:
    while p < end and (p[0] == 32 or p[0] == 10 or p[0] == 13 or p[0] == 9):
        p += 1
    return p


cdef const uint8_t* string_end(
    const uint8_t* p, const uint8_t* end, bint* escaped
) noexcept nogil:
    """From behind the opening quote to the closing quote; NULL when there is none."""
    cdef bint found = False
    cdef uint8_t c
    while p < end:
        c = p[0]
        if c > 92 or (c > 34 and c < 92):
            p += 1
        elif c == 34:
            escaped[0] = found
            return p
        elif c == 92:
            found = True
            p += 2
        elif c < 32:
            return NULL
        else:
            p += 1
    return NULL


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
    head.count = 0
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
    return key_size == 23 and memcmp(key, b"serializeTypeCurrentRPC", 23) == 0


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


# -- writing -------------------------------------------------------------------------------------

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
    write_u32(out + 2 + key_size, size)
    return 6 + key_size + size


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


def encode_send_reply(
    bytes store_host, bytes json_tail, bytes binary_tail, int version, int serialization,
    int opaque, int64_t log_offset, int queue_id, int64_t queue_offset, bytes unique_key, int code,
):
    """The whole answer of a stored message; None when `unique_key` needs escaping.

    The tails are the constant fields MSG_REGION and TRACE_ON, already encoded.
    """
    cdef Py_ssize_t key_size = PyBytes_GET_SIZE(unique_key)
    cdef const uint8_t* key = <const uint8_t*>PyBytes_AS_STRING(unique_key)
    cdef const uint8_t* host = <const uint8_t*>PyBytes_AS_STRING(store_host)
    cdef Py_ssize_t host_size = PyBytes_GET_SIZE(store_host)
    cdef Py_ssize_t tail_size, i, used
    cdef uint8_t buffer[1024]
    cdef uint8_t* out = buffer + 8
    cdef uint8_t* ext
    if serialization == 1:
        tail_size = PyBytes_GET_SIZE(binary_tail)
    else:
        tail_size = PyBytes_GET_SIZE(json_tail)
    if key_size > 256 or tail_size > 256 or host_size > 20:
        return None
    if serialization == 1:
        out[0] = (code >> 8) & 0xFF
        out[1] = code & 0xFF
        out[2] = 3
        out[3] = (version >> 8) & 0xFF
        out[4] = version & 0xFF
        write_u32(out + 5, <uint32_t>opaque)
        write_u32(out + 9, 1)
        write_u32(out + 13, 0)
        ext = out + 21
        used = 0
        ext[0] = 0
        ext[1] = 5
        memcpy(ext + 2, b"msgId", 5)
        write_u32(ext + 7, host_size * 2 + 16)
        used = 11 + put_message_id(ext + 11, host, host_size, log_offset)
        used += put_entry(ext + used, b"queueId", 7, queue_id)
        used += put_entry(ext + used, b"queueOffset", 11, queue_offset)
        if key_size:
            ext[used] = 0
            ext[used + 1] = 13
            memcpy(ext + used + 2, b"transactionId", 13)
            write_u32(ext + used + 15, key_size)
            memcpy(ext + used + 19, key, key_size)
            used += 19 + key_size
        memcpy(ext + used, PyBytes_AS_STRING(binary_tail), tail_size)
        used += tail_size
        write_u32(out + 17, used)
        used += 21
    else:
        for i in range(key_size):
            if key[i] < 32 or key[i] == 34 or key[i] == 92 or key[i] >= 127:
                return None
        used = put(out, b'{"code":', 8)
        used += put_number(out + used, code)
        used += put(out + used, b',"extFields":{"msgId":"', 23)
        used += put_message_id(out + used, host, host_size, log_offset)
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
        memcpy(out + used, PyBytes_AS_STRING(json_tail), tail_size)
        used += tail_size
        used += put(out + used, b'},"flag":1,"language":"PYTHON","opaque":', 40)
        used += put_number(out + used, opaque)
        used += put(out + used, b',"serializeTypeCurrentRPC":"JSON","version":', 44)
        used += put_number(out + used, version)
        out[used] = 125
        used += 1
    write_u32(buffer, used + 4)
    write_u32(buffer + 4, (<uint32_t>serialization << 24) | <uint32_t>used)
    return PyBytes_FromStringAndSize(<const char*>buffer, used + 8)


def encode_pull_head(
    int serialization, int opaque, int64_t next_offset, int64_t min_offset, int64_t max_offset,
    int64_t broker_id, int topic_sys_flag, int group_sys_flag, int code, bytes remark, int version,
    Py_ssize_t body_bytes,
):
    """Prefix and header of a pull's answer; the body of `body_bytes` follows separately."""
    cdef uint8_t buffer[768]
    cdef uint8_t* out = buffer + 8
    cdef uint8_t* ext
    cdef Py_ssize_t used, remark_size = PyBytes_GET_SIZE(remark)
    if remark_size > 64:
        return None
    if serialization == 1:
        out[0] = (code >> 8) & 0xFF
        out[1] = code & 0xFF
        out[2] = 3
        out[3] = (version >> 8) & 0xFF
        out[4] = version & 0xFF
        write_u32(out + 5, <uint32_t>opaque)
        write_u32(out + 9, 1)
        write_u32(out + 13, remark_size)
        memcpy(out + 17, PyBytes_AS_STRING(remark), remark_size)
        ext = out + 21 + remark_size
        used = put_entry(ext, b"suggestWhichBrokerId", 20, broker_id)
        used += put_entry(ext + used, b"nextBeginOffset", 15, next_offset)
        used += put_entry(ext + used, b"minOffset", 9, min_offset)
        used += put_entry(ext + used, b"maxOffset", 9, max_offset)
        used += put_entry(ext + used, b"topicSysFlag", 12, topic_sys_flag)
        used += put_entry(ext + used, b"groupSysFlag", 12, group_sys_flag)
        write_u32(out + 17 + remark_size, used)
        used += 21 + remark_size
    else:
        used = put(out, b'{"code":', 8)
        used += put_number(out + used, code)
        used += put(out + used, b',"extFields":{"suggestWhichBrokerId":"', 38)
        used += put_number(out + used, broker_id)
        used += put(out + used, b'","nextBeginOffset":"', 21)
        used += put_number(out + used, next_offset)
        used += put(out + used, b'","minOffset":"', 15)
        used += put_number(out + used, min_offset)
        used += put(out + used, b'","maxOffset":"', 15)
        used += put_number(out + used, max_offset)
        used += put(out + used, b'","topicSysFlag":"', 18)
        used += put_number(out + used, topic_sys_flag)
        used += put(out + used, b'","groupSysFlag":"', 18)
        used += put_number(out + used, group_sys_flag)
        used += put(out + used, b'"},"flag":1,"language":"PYTHON","opaque":', 41)
        used += put_number(out + used, opaque)
        used += put(out + used, b',"remark":"', 11)
        memcpy(out + used, PyBytes_AS_STRING(remark), remark_size)
        used += remark_size
        used += put(out + used, b'","serializeTypeCurrentRPC":"JSON","version":', 45)
        used += put_number(out + used, version)
        out[used] = 125
        used += 1
    write_u32(buffer, used + 4 + body_bytes)
    write_u32(buffer + 4, (<uint32_t>serialization << 24) | <uint32_t>used)
    return PyBytes_FromStringAndSize(<const char*>buffer, used + 8)
