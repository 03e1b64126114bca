# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Cuts a read into frames and reads their headers.

`scan_frames` understands regular frames only and stops before the first that is odd in any way;
the plain twin in `protocol/framing.py` then reads that one and explains what is wrong with it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_SetItem
from cpython.list cimport PyList_Append
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcmp

from .big_endian cimport load32
from .heads cimport Entry, Head, is_clean, is_text, read_binary, read_json, unescape
from .hot_requests cimport PullAsk, SendHead, read_pull, read_send

from pocketmq._speedups.properties import scan_send_properties


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
        length = <uint32_t>load32(base + position)
        if length < 4 or <Py_ssize_t>length + 4 > frame_bytes_max:
            break
        if size - position < <Py_ssize_t>length + 4:
            break
        word = <uint32_t>load32(base + position + 4)
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
    cdef SendHead send
    cdef Entry* properties_entry
    if not read_send(head, &send):
        return None
    properties_entry = send.by_letter[8]
    if not is_clean(head, properties_entry):
        return None
    group = name_of(send.by_letter[0])
    topic = name_of(send.by_letter[1])
    default_topic = name_of(send.by_letter[2])
    properties = b""
    if properties_entry != NULL:
        properties = utf8_of(
            properties_entry.value, properties_entry.value_size, properties_entry.escaped
        )
    if group is None or topic is None or default_topic is None or properties is None:
        return None
    unique_key, marks = scan_send_properties(properties)
    return (
        group, topic, default_topic, send.default_queues, send.queue_id, send.sys_flag,
        send.born_ms, send.app_flag, properties, send.reconsume_times, send.unit != 0,
        send.reconsume_most, send.batch != 0, unique_key, marks,
    )


cdef object build_pull(Head* head):
    cdef PullAsk ask
    if not read_pull(head, &ask) or not is_clean(head, ask.found[8]):
        return None
    group = name_of(ask.found[0])
    topic = name_of(ask.found[1])
    subscription = None
    expression_type = None
    if ask.found[8] != NULL:
        subscription = name_of(ask.found[8])
        if subscription is None:
            return None
    if ask.found[10] != NULL:
        expression_type = name_of(ask.found[10])
        if expression_type is None:
            return None
    if group is None or topic is None:
        return None
    return (
        group, topic, ask.queue_id, ask.queue_offset, ask.count, ask.sys_flag, ask.commit_offset,
        ask.suspend_ms, subscription, ask.version, expression_type,
    )


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
        raw = unescaped(p, size)
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
    if escaped:
        resolved = unescaped(p, size)
        if resolved is None:
            return None
        raw = resolved
    else:
        raw = PyBytes_FromStringAndSize(<const char*>p, size)
    return raw if is_text(<const uint8_t*>PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw)) else None


cdef object unescaped(const uint8_t* p, Py_ssize_t size):
    """The text as UTF-8 bytes, its JSON escapes resolved; None when one of them is odd."""
    cdef uint8_t small[1024]
    cdef uint8_t* out = small
    cdef bytes large
    cdef Py_ssize_t used
    if size > <Py_ssize_t>sizeof(small):
        large = PyBytes_FromStringAndSize(NULL, size)
        out = <uint8_t*>PyBytes_AS_STRING(large)
    used = unescape(p, size, out)
    return None if used < 0 else PyBytes_FromStringAndSize(<const char*>out, used)
