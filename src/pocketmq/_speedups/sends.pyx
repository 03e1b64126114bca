# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Plain sends, from the bytes of a read to records in the log and the bytes of the answers.

This joins four leaves (header, properties, record, answer) so that nothing of a plain send becomes
a Python object. What makes a send plain is decided in broker/handlers/plain_sends.py, by the lanes
it gives; `SendHandler.handle_frame` does the same in Python and is the twin.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memcmp

from .answers cimport ANSWER_BYTES_MAX, ID_BYTES_MAX, Tails, put_send_reply, tails_of
from .arrivals cimport Answers, Arrival, Arrivals, Seat, make_room
from .big_endian cimport load16, load32
from .crc cimport checksum
from .heads cimport Entry, Head, is_clean, read_binary, read_json, unescape
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


# How far a read was served.
cdef struct Taken:
    Py_ssize_t position
    Py_ssize_t written
    Py_ssize_t needed
    Py_ssize_t count


cdef class PlainSends:
    """Stores the plain sends at the beginning of reads."""

    cdef dict lanes
    cdef bytes store_host, suffix, json_tail, binary_tail
    cdef Tails tails
    cdef bint is_sync
    cdef Py_ssize_t frame_bytes_max
    cdef Answers answers
    cdef int32_t sizes[ITEMS_MAX]
    # The lane of the last send, and what is not counted in it yet.
    cdef Lane lane
    cdef int64_t lane_messages, lane_bytes

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
        free(self.answers.p)

    def take(
        self, bytes data, Py_ssize_t position, bytes born_host, target, Py_ssize_t at,
        Py_ssize_t limit, int64_t log_offset, int64_t now_ms,
    ):
        """Write records at `at` for the frames of `data` from `position` on, until one is odd.

        Return (position behind the last frame taken, bytes written, room that the next frame's
        records need or 0, frames taken, encoded answers).
        """
        cdef Py_buffer room
        cdef Taken taken
        taken.position = position
        self.answers.used = 0
        PyObject_GetBuffer(target, &room, PyBUF_SIMPLE | PyBUF_WRITABLE)
        try:
            self.store(
                <const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), born_host,
                <uint8_t*>room.buf, at, min(limit, room.len), log_offset, now_ms, &self.answers,
                &taken,
            )
        finally:
            PyBuffer_Release(&room)
            self.leave_lane()
        return (
            taken.position, taken.written, taken.needed, taken.count,
            PyBytes_FromStringAndSize(<const char*>self.answers.p, self.answers.used)
            if self.answers.used else b"",
        )

    def take_turn(
        self, Arrivals arrivals, Py_ssize_t index, bytes _, target, Py_ssize_t at,
        Py_ssize_t limit, int64_t log_offset, int64_t now_ms,
    ):
        """As `take`, for the arrivals from `index` on, where they have got to; answers are with them.

        A seat without a lane is passed over. Return (index behind the last arrival dealt with,
        bytes written, room needed, frames taken, no bytes).
        """
        cdef Py_ssize_t written = 0, count = 0
        cdef Arrival* arrival
        cdef Seat seat
        cdef Py_buffer room
        cdef Taken taken
        taken.needed = 0
        PyObject_GetBuffer(target, &room, PyBUF_SIMPLE | PyBUF_WRITABLE)
        try:
            limit = min(limit, room.len)
            while index < arrivals.count:
                arrival = &arrivals.items[index]
                seat = <Seat>arrival.seat
                if seat.lane is None or arrival.taken == arrival.size:
                    index += 1
                    continue
                seat.active = True
                if arrival.answers_size == 0:
                    arrival.answers_at = arrivals.answers.used
                taken.position = arrival.taken
                self.store(
                    arrival.p, arrival.size, seat.lane, <uint8_t*>room.buf, at + written, limit,
                    log_offset + written, now_ms, &arrivals.answers, &taken,
                )
                arrival.taken = taken.position
                arrival.frames += taken.count
                arrival.answers_size = arrivals.answers.used - arrival.answers_at
                written += taken.written
                count += taken.count
                if taken.needed:
                    break
                index += 1
        finally:
            PyBuffer_Release(&room)
            self.leave_lane()
        return index, written, taken.needed, count, b""

    cdef int store(
        self, const uint8_t* base, Py_ssize_t size, bytes born_host, uint8_t* target,
        Py_ssize_t at, Py_ssize_t limit, int64_t log_offset, int64_t now_ms, Answers* answers,
        Taken* taken,
    ) except -1:
        """Take frames from `taken.position` on; append what is answered, and say how far it went."""
        cdef Py_ssize_t length, answer, record, items
        cdef Draft draft
        cdef uint8_t unescaped[ESCAPED_BYTES_MAX]
        cdef int32_t opaque = 0
        cdef int serialization = 0
        cdef bint oneway = False, batch = False
        cdef const uint8_t* key
        cdef Py_ssize_t key_size
        cdef Lane lane
        taken.written = taken.needed = taken.count = 0
        draft.born_host = span(PyBytes_AS_STRING(born_host), PyBytes_GET_SIZE(born_host))
        draft.store_host = span(self.tails.host, self.tails.host_size)
        draft.store_ms = now_ms
        draft.prepared_offset = 0
        while True:
            length = read_plain(
                base + taken.position, size - taken.position, self.frame_bytes_max, self.is_sync,
                unescaped, PyBytes_GET_SIZE(self.suffix), &draft, &opaque, &serialization,
                &oneway, &batch, &key, &key_size,
            )
            if length == 0:
                break
            if not self.enter_lane(&draft):
                break
            lane = self.lane
            draft.magic = lane.magic
            if draft.queue_id >= lane.queue_count or draft.queue_id >= len(lane.next_offsets):
                break
            draft.queue_offset = lane.next_offsets[draft.queue_id]
            if draft.queue_offset < 0:
                break
            draft.log_offset = log_offset + taken.written
            items = 1
            if batch:
                items = self.measure(&draft)
                if items == 0:
                    break
            answer = 0
            if not oneway:
                make_room(answers, ANSWER_BYTES_MAX + (items - 1) * ID_BYTES_MAX)
                answer = put_send_reply(
                    answers.p + answers.used, &self.tails, serialization, opaque, draft.log_offset,
                    self.sizes, items, draft.queue_id, draft.queue_offset, key, key_size, 0,
                )
                if answer == 0:
                    break
            if batch:
                record = self.put_batch(target, at + taken.written, limit, &draft, items)
            else:
                draft.suffix = span(PyBytes_AS_STRING(self.suffix), PyBytes_GET_SIZE(self.suffix))
                draft.body_crc = checksum(draft.body.p, draft.body.size) & CRC_MASK
                record = put_record(target, at + taken.written, limit, &draft)
            if record < 0:
                taken.needed = -record
                break
            lane.next_offsets[draft.queue_id] += items
            answers.used += answer
            taken.written += record
            taken.count += 1
            taken.position += length
            self.lane_messages += items
            self.lane_bytes += record
        return 0

    cdef bint enter_lane(self, const Draft* draft) except -1:
        """Make `lane` that of the draft's topic; False when it has none."""
        cdef Lane lane = self.lane
        if lane is not None and same(lane.name, draft.topic.p, draft.topic.size):
            return True
        self.leave_lane()
        self.lane = self.lanes.get(draft.topic.p[:draft.topic.size])
        return self.lane is not None

    cdef int leave_lane(self) except -1:
        """Count what went through the lane, and forget it: lanes may close between turns."""
        if self.lane_messages:
            self.lane.counter.messages += self.lane_messages
            self.lane.counter.bytes += self.lane_bytes
            self.lane_messages = self.lane_bytes = 0
        self.lane = None
        return 0

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


cdef inline bint same(bytes name, const uint8_t* p, Py_ssize_t size) noexcept:
    return PyBytes_GET_SIZE(name) == size and memcmp(PyBytes_AS_STRING(name), p, size) == 0


cdef Py_ssize_t read_plain(
    const uint8_t* p, Py_ssize_t size, Py_ssize_t frame_bytes_max, bint is_sync,
    uint8_t* unescaped, Py_ssize_t suffix_size, Draft* draft, int32_t* opaque, int* serialization,
    bint* oneway, bint* batch, const uint8_t** key, Py_ssize_t* key_size,
) noexcept:
    """Draft the record of the frame at `p`; return the frame's bytes, 0 when it is not plain.

    Of a batch this is the envelope, its body the items.
    """
    cdef uint32_t word
    cdef Py_ssize_t length, header
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
    entry = send.by_letter[8]
    if entry == NULL or length - header - 8 > BODY_BYTES_MAX or not is_clean(&head, entry):
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
