# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Plain sends, from the bytes of a read to records in the log and the bytes of the answers.

This joins four leaves (header, properties, record, answer) so that nothing of a plain send becomes
a Python object. What makes a send plain is decided in broker/handlers/plain_sends.py, by the lanes
it gives; `SendHandler.handle_frame` does the same in Python and is the twin.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp

from .answers cimport ANSWER_BYTES_MAX, ID_BYTES_MAX, Tails, put_send_reply, tails_of
from .big_endian cimport load16, load32
from .crc cimport checksum
from .heads cimport Entry, Head, read_binary, read_json, unescape
from .hot_requests cimport SendHead, read_send
from .properties cimport NO_WAIT, REWRITE, SPECIAL, UNTERMINATED, scan_marks
from .records cimport Draft, Span, fixed_bytes, put_items, put_record, read_item, span

cdef enum:
    SEND_MESSAGE_V2 = 310
    SEND_BATCH_MESSAGE = 320
    ITEMS_MAX = 256
    BATCH_TOPIC_BYTES_MAX = 127
    FLAG_RESPONSE = 1
    FLAG_ONEWAY = 2
    COMPRESSION_FLAGS = 0x1 | 0x700
    MULTI_TAGS = 0x2
    BODY_BYTES_MAX = 65536
    ESCAPED_BYTES_MAX = 4096
    PROPERTIES_BYTES_MAX = 32767
    CRC_MASK = 0x7FFFFFFF


cdef class Lane:
    """A topic whose sends may be plain: what has been decided about it ahead of its messages.

    `next_offsets` is the store's own list; `counter` has the fields `messages` and `bytes`.
    """

    cdef readonly int64_t queue_count
    cdef readonly uint32_t magic
    cdef readonly bytes name
    cdef readonly list next_offsets
    cdef readonly object counter

    def __init__(self, int64_t queue_count, uint32_t magic, bytes name, list next_offsets, counter):
        self.queue_count = queue_count
        self.magic = magic
        self.name = name
        self.next_offsets = next_offsets
        self.counter = counter


cdef class PlainSends:
    """Stores the plain sends at the beginning of a read."""

    cdef dict lanes
    cdef bytes store_host, suffix, json_tail, binary_tail
    cdef Tails tails
    cdef bint is_sync
    cdef Py_ssize_t frame_bytes_max
    cdef uint8_t* answers
    cdef Py_ssize_t room
    cdef int32_t sizes[ITEMS_MAX]

    def __init__(
        self, dict lanes, bytes store_host, bytes suffix, bytes json_tail, bytes binary_tail,
        int version, bint is_sync, Py_ssize_t frame_bytes_max,
    ):
        self.lanes = lanes
        self.store_host = store_host
        self.suffix = suffix
        self.json_tail = json_tail
        self.binary_tail = binary_tail
        self.is_sync = is_sync
        self.frame_bytes_max = frame_bytes_max
        if not tails_of(&self.tails, store_host, json_tail, binary_tail, version):
            raise ValueError("the constant fields of answers are too long")

    def __dealloc__(self):
        free(self.answers)

    cpdef take(
        self, bytes data, Py_ssize_t position, bytes born_host, target, Py_ssize_t at,
        Py_ssize_t limit, int64_t log_offset, int64_t now_ms,
    ):
        """Write records at `at` for the frames of `data` from `position` on, until one is odd.

        Return (position behind the last frame taken, bytes written, room that the next frame's
        records need or 0, frames taken, encoded answers).
        """
        cdef const uint8_t* base = <const uint8_t*>PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef Py_ssize_t needed = 0, written = 0, used = 0, count = 0
        cdef Py_ssize_t length, answer, record, items
        cdef Py_buffer room
        cdef Draft draft
        cdef uint8_t unescaped[ESCAPED_BYTES_MAX]
        cdef Lane lane = None
        cdef int64_t lane_messages = 0, lane_bytes = 0
        cdef int32_t opaque = 0
        cdef int serialization = 0
        cdef bint oneway = False, batch = False
        cdef const uint8_t* key
        cdef Py_ssize_t key_size
        cdef int32_t queue_id
        draft.born_host = span(PyBytes_AS_STRING(born_host), PyBytes_GET_SIZE(born_host))
        draft.store_host = span(self.tails.host, self.tails.host_size)
        draft.store_ms = now_ms
        draft.prepared_offset = 0
        PyObject_GetBuffer(target, &room, PyBUF_SIMPLE | PyBUF_WRITABLE)
        try:
            limit = min(limit, room.len)
            while True:
                length = read_plain(
                    base + position, size - position, self.frame_bytes_max, self.is_sync,
                    unescaped, PyBytes_GET_SIZE(self.suffix), &draft, &opaque, &serialization,
                    &oneway, &batch, &key, &key_size,
                )
                if length == 0 or not is_text(draft.properties.p, draft.properties.size):
                    break
                if lane is None or not same(lane.name, draft.topic.p, draft.topic.size):
                    if lane_messages:
                        count_in(lane, lane_messages, lane_bytes)
                        lane_messages = lane_bytes = 0
                    lane = self.lanes.get(draft.topic.p[:draft.topic.size])
                    if lane is None:
                        break
                    draft.magic = lane.magic
                queue_id = draft.queue_id
                if queue_id >= lane.queue_count or queue_id >= len(lane.next_offsets):
                    break
                draft.queue_offset = lane.next_offsets[queue_id]
                if draft.queue_offset < 0:
                    break
                draft.log_offset = log_offset + written
                items = 1
                if batch:
                    items = self.measure(&draft)
                    if items == 0:
                        break
                answer = 0
                if not oneway:
                    self.make_room(used + (items - 1) * ID_BYTES_MAX)
                    answer = put_send_reply(
                        self.answers + used, &self.tails, serialization, opaque, draft.log_offset,
                        self.sizes, items, queue_id, draft.queue_offset, key, key_size, 0,
                    )
                    if answer == 0:
                        break
                if batch:
                    record = self.put_batch(<uint8_t*>room.buf, at + written, limit, &draft, items)
                else:
                    draft.suffix = span(
                        PyBytes_AS_STRING(self.suffix), PyBytes_GET_SIZE(self.suffix)
                    )
                    draft.body_crc = checksum(draft.body.p, draft.body.size) & CRC_MASK
                    record = put_record(<uint8_t*>room.buf, at + written, limit, &draft)
                if record < 0:
                    needed = -record
                    break
                lane.next_offsets[queue_id] += items
                written += record
                used += answer
                count += 1
                lane_messages += items
                lane_bytes += record
                position += length
        finally:
            PyBuffer_Release(&room)
            if lane_messages:
                count_in(lane, lane_messages, lane_bytes)
        return (
            position, written, needed, count,
            PyBytes_FromStringAndSize(<const char*>self.answers, used) if used else b"",
        )

    def take_turn(
        self, list reads, Py_ssize_t index, born_host, target, Py_ssize_t at, Py_ssize_t limit,
        int64_t log_offset, int64_t now_ms,
    ):
        """As `take`, for the reads of a turn: (owner, bytes, or what else came) from `index` on.

        An owner whose `lane` is None is passed over; for others that is its packed address. Return
        (index behind the last read dealt with, bytes written, room needed, messages, what is left
        to do). That is a list of (owner, what has not been taken or None, answers).
        """
        cdef list left = []
        cdef Py_ssize_t position, wrote, needed, count, written = 0, messages = 0
        cdef bytes data, answers
        while index < len(reads):
            owner, arrived = reads[index]
            lane = owner.lane
            if lane is None or type(arrived) is not bytes:
                left.append((owner, arrived, b""))
                index += 1
                continue
            owner.active = True
            data = <bytes>arrived
            position, wrote, needed, count, answers = self.take(
                data, 0, lane, target, at + written, limit, log_offset + written, now_ms
            )
            written += wrote
            messages += count
            if needed:
                if position:
                    reads[index] = (owner, data[position:])
                    left.append((owner, None, answers))
                return index, written, needed, messages, left
            left.append((
                owner, None if position == PyBytes_GET_SIZE(data) else data[position:], answers
            ))
            index += 1
        return index, written, 0, messages, left

    cdef Py_ssize_t measure(self, Draft* draft) noexcept:
        """Note the sizes of the records of a batch; return how many, 0 when it is no plain batch."""
        cdef const uint8_t* p = draft.body.p
        cdef Py_ssize_t left = draft.body.size, fixed, size
        cdef Py_ssize_t items = 0
        cdef Draft item = draft[0]
        fixed = fixed_bytes(draft)
        if draft.topic.size > BATCH_TOPIC_BYTES_MAX:
            return 0
        while left:
            size = read_item(p, left, &item) if items < ITEMS_MAX else 0
            if size == 0:
                return 0
            self.sizes[items] = <int32_t>(fixed + item.body.size + item.properties.size)
            items += 1
            p += size
            left -= size
        return items

    cdef Py_ssize_t put_batch(
        self, uint8_t* target, Py_ssize_t position, Py_ssize_t limit, Draft* draft,
        Py_ssize_t items,
    ) noexcept:
        """Write the records of a batch that was measured; return their bytes, or minus them."""
        cdef Py_ssize_t total = 0, i
        for i in range(items):
            total += self.sizes[i]
        if position < 0 or position + total + 8 > limit:
            return -total
        draft.suffix = span(NULL, 0)
        put_items(target, position, limit, draft.body.p, draft.body.size, draft)
        return total

    cdef int make_room(self, Py_ssize_t used) except -1:
        """Let one more answer fit behind the first `used` bytes."""
        cdef uint8_t* grown
        cdef Py_ssize_t room = used * 2 + 64 * ANSWER_BYTES_MAX
        if self.room - used < ANSWER_BYTES_MAX:
            grown = <uint8_t*>realloc(self.answers, room)
            if grown == NULL:
                raise MemoryError
            self.answers = grown
            self.room = room
        return 0


cdef int count_in(Lane lane, int64_t messages, int64_t size) except -1:
    lane.counter.messages += messages
    lane.counter.bytes += size
    return 0


cdef inline bint same(bytes name, const uint8_t* p, Py_ssize_t size) noexcept:
    return PyBytes_GET_SIZE(name) == size and memcmp(PyBytes_AS_STRING(name), p, size) == 0


cdef bint is_text(const uint8_t* p, Py_ssize_t size):
    """Whether these bytes are valid UTF-8."""
    cdef Py_ssize_t i
    for i in range(size):
        if p[i] >= 128:
            try:
                PyUnicode_DecodeUTF8(<const char*>p, size, NULL)
            except UnicodeDecodeError:
                return False
            return True
    return True


cdef Py_ssize_t read_plain(
    const uint8_t* p, Py_ssize_t size, Py_ssize_t frame_bytes_max, bint is_sync,
    uint8_t* unescaped, Py_ssize_t suffix_size, Draft* draft, int32_t* opaque, int* serialization,
    bint* oneway, bint* batch, const uint8_t** key, Py_ssize_t* key_size,
) noexcept nogil:
    """Draft the record of the frame at `p`; return the frame's bytes, 0 when it is not plain.

    Of a batch this is the envelope, its body the items.
    """
    cdef uint32_t word
    cdef Py_ssize_t length, header, i
    cdef Head head
    cdef SendHead send
    cdef Entry* entry
    cdef int marks, code
    if size < 32:
        return 0
    length = <uint32_t>load32(p) + <Py_ssize_t>4
    word = <uint32_t>load32(p + 4)
    header = word & 0xFFFFFF
    if length > size or length > frame_bytes_max or header + 8 >= length:
        return 0
    serialization[0] = word >> 24
    # A look at the code spares other requests from being parsed twice.
    if serialization[0] == 0:
        if memcmp(p + 8, b'{"code":3', 9) != 0 or memcmp(p + 18, b"0,", 2) != 0:
            return 0
        if not read_json(p + 8, p + 8 + header, &head):
            return 0
    elif serialization[0] == 1:
        code = load16(p + 8)
        if code != SEND_MESSAGE_V2 and code != SEND_BATCH_MESSAGE:
            return 0
        if not read_binary(p + 8, p + 8 + header, &head):
            return 0
    else:
        return 0
    batch[0] = head.code == SEND_BATCH_MESSAGE
    if not batch[0] and head.code != SEND_MESSAGE_V2:
        return 0
    if head.flag & FLAG_RESPONSE or not read_send(&head, &send):
        return 0
    if send.batch and not batch[0] or send.sys_flag & ~(COMPRESSION_FLAGS | MULTI_TAGS) or send.queue_id < 0:
        return 0
    for i in range(3):
        entry = send.by_letter[i]
        if entry.escaped or not is_ascii(entry.value, entry.value_size):
            return 0
    entry = send.by_letter[8]
    if entry == NULL or length - header - 8 > BODY_BYTES_MAX:
        return 0
    draft.properties = span(entry.value, entry.value_size)
    if entry.escaped:
        if entry.value_size > ESCAPED_BYTES_MAX:
            return 0
        draft.properties = span(unescaped, unescape(entry.value, entry.value_size, unescaped))
    if draft.properties.size <= 0 or draft.properties.size + suffix_size > PROPERTIES_BYTES_MAX:
        return 0
    marks = scan_marks(draft.properties.p, draft.properties.size, key, key_size)
    if marks & (REWRITE | SPECIAL | UNTERMINATED) or key_size[0] == 0:
        return 0
    if is_sync and marks & NO_WAIT:
        return 0
    opaque[0] = <int32_t>head.opaque
    oneway[0] = head.flag & FLAG_ONEWAY != 0
    draft.topic = span(send.by_letter[1].value, send.by_letter[1].value_size)
    draft.queue_id = <int32_t>send.queue_id
    draft.flag = <int32_t>send.app_flag
    draft.sys_flag = <int32_t>send.sys_flag
    draft.born_ms = send.born_ms
    draft.reconsume_times = <int32_t>send.reconsume_times
    draft.body = span(p + 8 + header, length - header - 8)
    return length


cdef bint is_ascii(const uint8_t* p, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(size):
        if p[i] >= 128:
            return False
    return True
