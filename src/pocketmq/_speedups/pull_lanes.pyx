# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Plain pulls, from the bytes of a read to records that go from the log to the socket.

Pulls of a kind that was admitted before, and that find something, are answered without a Python
object for any of them. What a lane is, is decided in broker/handlers/plain_pulls.py; what a pull
means, in `PullHandler`, who gets all that is different.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.list cimport PyList_GET_SIZE
from cpython.ref cimport Py_INCREF, PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy

from .answers cimport PULL_HEAD_BYTES_MAX, PullHead, put_pull_head
from .arrivals cimport ARRIVALS_MAX, Arrival, Arrivals, Seat
from .big_endian cimport load16, load32, load64
from .heads cimport Entry, Head, is_clean, read_binary, read_json
from .hot_requests cimport PullAsk, read_pull
from .pages cimport resident
from .pulls cimport ENTRY_BYTES, RECORDS_MAX, Bounds, Choice, Search
from .sockets cimport Piece, send_pieces

cdef enum:
    PULL_MESSAGE = 11
    LITE_PULL_MESSAGE = 361
    FLAG_RESPONSE = 1
    FLAG_ONEWAY = 2
    COMMIT_OFFSET = 1
    HAS_SUBSCRIPTION = 4
    KEY_BYTES_MAX = 1024
    ABSENT = 0xFFFF
    PIECES_WANTED = RECORDS_MAX + 1
    ANSWERS_MAX = 1024  # in one turn; what is beyond is left to `PullHandler`


cdef struct Answer:
    uint8_t head[PULL_HEAD_BYTES_MAX]
    Py_ssize_t head_size
    Py_ssize_t total
    Py_ssize_t first_piece
    Py_ssize_t piece_count


cdef class PullLane:
    """One group's pulls of one queue for the same messages.

    `places` is the offset table's own dict of where the group's next pulls start, `counter` has
    the fields `messages` and `bytes`: what is answered in a turn is noted there at its end. Then
    `commit_offset` tells what the group wants to be committed, -1 for nothing.
    """

    cdef readonly str group
    cdef readonly str topic
    cdef readonly int64_t queue_id
    cdef readonly int64_t commit_offset
    cdef Choice choice
    cdef dict places
    cdef object counter
    # Where the last pull was. Files may be unmapped between turns; then they are looked for again.
    cdef object queue, entry_file, log_file
    # What is known of that place within one turn.
    cdef object entries, log
    cdef const uint8_t* entries_p
    cdef const uint8_t* log_p
    cdef Py_ssize_t entries_size, log_size
    cdef int64_t entries_start, log_start, first, end
    # What was answered in this turn.
    cdef bint is_used
    cdef int64_t pulls, messages, bytes, next_offset

    def __init__(
        self, str group, str topic, int64_t queue_id, tag_hashes, accept, dict places, counter
    ):
        self.group = group
        self.topic = topic
        self.queue_id = queue_id
        self.choice = Choice(tag_hashes, accept)
        self.places = places
        self.counter = counter

    cdef bint open(self, int64_t log_min) except -1:
        """Begin a turn where the last pull was; False when that is nowhere, or not mapped."""
        if self.queue is None:
            return False
        self.first = self.queue.min_offset(log_min)
        self.end = self.queue.end
        self.entries = self.entry_file.data
        self.log = self.log_file.data
        if self.entries is None or self.log is None:
            self.entries = self.log = None
            return False
        self.entry_file.used = True
        self.entries_start = self.entry_file.start
        self.log_start = self.log_file.start
        self.entries_p = start_of(self.entries, &self.entries_size)
        self.log_p = start_of(self.log, &self.log_size)
        return True

    cdef bint reaches(self, int64_t queue_offset) noexcept:
        """Whether the entry of this offset is at hand, and the file that it leads to."""
        cdef Py_ssize_t at
        cdef int64_t log_offset
        if self.entries is None or not self.first <= queue_offset < self.end:
            return False
        at = queue_offset * ENTRY_BYTES - self.entries_start
        if at < 0 or at + ENTRY_BYTES > self.entries_size:
            return False
        log_offset = load64(self.entries_p + at)
        return self.log_start <= log_offset < self.log_start + self.log_size

    cdef int note(self) except -1:
        """Note what was answered."""
        self.places[self.queue_id] = self.next_offset
        self.counter.messages += self.messages
        self.counter.bytes += self.bytes
        return 0

    cdef void close(self) noexcept:
        """End a turn: a reference would keep a file mapped."""
        self.is_used = False
        self.entries = self.log = None


cdef class PullLanes:
    """Answers the plain pulls at the beginning of reads.

    `by_key` holds the lanes by the key that `lane_key` makes, and may change between turns; `reach`
    and `find` are `Reader.reach` and `Reader.place`. `limits` are as for `answer_pull`. Of a
    queue's newest entries so many are in memory for sure; a filter passes `entries_max` at most.
    """

    cdef dict by_key
    cdef object reach, find
    cdef Py_ssize_t frame_bytes_max
    cdef int64_t broker_id
    cdef int version
    cdef list used
    cdef list held
    cdef int64_t recent_entries, entries_max
    cdef Bounds bounds
    cdef Search search
    cdef bint knows_reach
    # The answers of a turn; those of arrival i are from `first[i]` up to `first[i + 1]`.
    cdef Py_ssize_t first[ARRIVALS_MAX + 1]
    cdef Answer* answers
    cdef Py_ssize_t answer_count, answers_room
    cdef Piece* pieces
    cdef Py_ssize_t piece_count, pieces_room

    def __init__(
        self, dict by_key, reach, find, tuple limits, int64_t recent_entries, int64_t entries_max,
        Py_ssize_t frame_bytes_max, int64_t broker_id, int version,
    ):
        self.by_key = by_key
        self.reach = reach
        self.find = find
        (
            self.bounds.count_max, self.bounds.count_recent, self.bounds.bytes_recent,
            self.bounds.count_old, self.bounds.bytes_old,
        ) = limits
        self.recent_entries = recent_entries
        self.entries_max = entries_max
        self.frame_bytes_max = frame_bytes_max
        self.broker_id = broker_id
        self.version = version
        self.used = []
        self.held = []

    def __dealloc__(self):
        free(self.answers)
        free(self.pieces)

    def take_turn(self, Arrivals arrivals):
        """Answer what is plain of the arrivals that have no answers to write before.

        Return (pulls answered, their messages, bytes of these, lanes with offsets to commit), or
        None when there was none.

        All is looked up before the first answer goes out: answers right behind one another find
        their client awake.
        """
        cdef Arrival* arrival
        cdef Py_ssize_t i
        self.answer_count = self.piece_count = 0
        self.knows_reach = False
        try:
            for i in range(arrivals.count):
                arrival = &arrivals.items[i]
                self.first[i] = self.answer_count
                if self.may_serve(arrival):
                    self.prepare_all(arrival)
            if self.answer_count == 0:
                return None
            self.first[arrivals.count] = self.answer_count
            for i in range(arrivals.count):
                if self.first[i] < self.first[i + 1]:
                    self.send(&arrivals.items[i], self.first[i], self.first[i + 1])
            return self.note()
        finally:
            if self.used:
                self.close()

    cdef tuple note(self):
        """Let the lanes note what was answered, and sum it up."""
        cdef int64_t messages = 0, total = 0
        cdef list committing = []
        cdef PullLane lane
        for lane in self.used:
            if lane.pulls == 0:
                continue
            lane.note()
            messages += lane.messages
            total += lane.bytes
            if lane.commit_offset >= 0:
                committing.append(lane)
        return self.answer_count, messages, total, committing

    cdef int close(self) except -1:
        cdef PullLane lane
        for lane in self.used:
            lane.close()
        self.used.clear()
        self.held.clear()
        return 0

    cdef bint may_serve(self, const Arrival* arrival) noexcept:
        cdef Seat seat = <Seat>arrival.seat
        return (
            arrival.taken < arrival.size and arrival.answers_size == 0 and seat.lane is not None
            and PyList_GET_SIZE(seat.kept) == 0
        )

    cdef int prepare_all(self, Arrival* arrival) except -1:
        """Prepare the answers to the plain pulls that one arrival goes on with."""
        cdef Py_ssize_t length
        while arrival.taken < arrival.size and self.answer_count < ANSWERS_MAX:
            length = self.prepare(arrival.p + arrival.taken, arrival.size - arrival.taken)
            if length == 0:
                break
            arrival.taken += length
        return 0

    cdef Py_ssize_t prepare(self, const uint8_t* p, Py_ssize_t size) except -1:
        """Prepare the answer to the frame at `p`; return the frame's bytes, or 0 when it is left to
        `PullHandler`."""
        cdef Head head
        cdef PullAsk ask
        cdef int serialization = 0
        cdef Py_ssize_t length = read_plain(p, size, self.frame_bytes_max, &head, &ask, &serialization)
        cdef uint8_t key[KEY_BYTES_MAX]
        cdef Py_ssize_t key_size
        cdef Search* search = &self.search
        cdef Bounds narrowed = self.bounds
        cdef PullLane lane
        if length == 0:
            return 0
        key_size = put_key(key, &head, &ask)
        if key_size == 0:
            return 0
        lane = self.by_key.get(PyBytes_FromStringAndSize(<const char*>key, key_size))
        if lane is None or not self.aim(lane, ask.queue_offset):
            return 0
        narrowed.count_max = min(max(ask.count, 1), narrowed.count_max)
        search.entries = lane.entries_p + (ask.queue_offset * ENTRY_BYTES - lane.entries_start)
        search.entries_bytes = min(
            min(lane.end * ENTRY_BYTES - lane.entries_start, lane.entries_size)
            - (search.entries - lane.entries_p),
            max(self.entries_max, narrowed.count_max) * ENTRY_BYTES,
        )
        search.log = lane.log_p
        search.log_bytes = lane.log_size
        search.log_start = lane.log_start
        if lane.end - ask.queue_offset > self.recent_entries:
            if not resident(<size_t>search.entries, search.entries_bytes):
                return 0
        if not lane.choice.search(search, &narrowed, lane.log):
            return 0
        self.put_answer(lane, serialization, <int>head.opaque, ask.queue_offset, search)
        lane.pulls += 1
        lane.messages += search.count
        lane.bytes += search.total
        lane.next_offset = ask.queue_offset + search.passed
        if ask.sys_flag & COMMIT_OFFSET:
            lane.commit_offset = ask.commit_offset
        return length

    cdef bint aim(self, PullLane lane, int64_t queue_offset) except -1:
        """Have the lane's files at hand for this offset; False when it is nowhere."""
        if lane.reaches(queue_offset):
            return True
        if not self.knows_reach:
            (
                self.search.log_min, self.search.log_end, self.search.recent_from,
                self.search.hot_from,
            ) = self.reach()
            self.knows_reach = True
        if lane.entries is None and self.open(lane) and lane.reaches(queue_offset):
            return True
        place = self.find(lane.topic, lane.queue_id, queue_offset)
        if place is None:
            return False
        lane.queue, lane.entry_file, lane.log_file = place
        return self.open(lane) and lane.reaches(queue_offset)

    cdef bint open(self, PullLane lane) except -1:
        """Open the lane where it is known to be, and keep its log mapped for this turn."""
        if not lane.is_used:
            lane.is_used = True
            self.used.append(lane)
            lane.pulls = lane.messages = lane.bytes = 0
            lane.commit_offset = -1
        if not lane.open(self.search.log_min):
            return False
        self.held.append(lane.log)
        return True

    cdef int put_answer(
        self, PullLane lane, int serialization, int opaque, int64_t queue_offset,
        const Search* search,
    ) except -1:
        """Note an answer: its head, and where its records lie."""
        cdef PullHead head
        cdef Answer* answer
        cdef Piece* piece
        cdef const uint8_t* p
        cdef int i
        self.make_room(search.count)
        answer = &self.answers[self.answer_count]
        head.serialization = serialization
        head.opaque = opaque
        head.next_offset = queue_offset + search.passed
        head.min_offset = lane.first
        head.max_offset = lane.end
        head.broker_id = self.broker_id
        head.topic_sys_flag = head.group_sys_flag = head.code = 0
        head.remark = <const uint8_t*>b"FOUND"
        head.remark_size = 5
        head.version = self.version
        answer.head_size = put_pull_head(answer.head, &head, search.total)
        answer.first_piece = self.piece_count
        piece = NULL
        for i in range(search.count):
            p = search.log + (search.offsets[i] - search.log_start)
            if piece != NULL and piece.p + piece.size == p:
                piece.size += search.sizes[i]
            else:
                piece = &self.pieces[self.piece_count]
                piece.p = p
                piece.size = search.sizes[i]
                self.piece_count += 1
        answer.piece_count = self.piece_count - answer.first_piece
        answer.total = answer.head_size + search.total
        self.answer_count += 1
        return 0

    cdef int make_room(self, Py_ssize_t pieces) except -1:
        """Let one more answer fit, of so many pieces."""
        cdef void* grown
        if self.answer_count == self.answers_room:
            grown = realloc(self.answers, (self.answers_room * 2 + 16) * sizeof(Answer))
            if grown == NULL:
                raise MemoryError
            self.answers = <Answer*>grown
            self.answers_room = self.answers_room * 2 + 16
        if self.piece_count + pieces > self.pieces_room:
            grown = realloc(self.pieces, (self.pieces_room * 2 + pieces) * sizeof(Piece))
            if grown == NULL:
                raise MemoryError
            self.pieces = <Piece*>grown
            self.pieces_room = self.pieces_room * 2 + pieces
        return 0

    cdef int send(self, Arrival* arrival, Py_ssize_t first, Py_ssize_t last) except -1:
        """Write these answers, records from where they lie; keep what the socket does not take."""
        cdef Seat seat = <Seat>arrival.seat
        cdef Piece pieces[PIECES_WANTED]
        cdef Answer* answer
        cdef Py_ssize_t sent, number
        cdef int count, i
        cdef list unsent = []
        cdef bytes joined
        seat.active = True
        for number in range(first, last):
            answer = &self.answers[number]
            count = 1 + answer.piece_count
            pieces[0].p = answer.head
            pieces[0].size = answer.head_size
            memcpy(&pieces[1], &self.pieces[answer.first_piece], answer.piece_count * sizeof(Piece))
            sent = 0 if unsent else max(send_pieces(seat.descriptor, pieces, count), 0)
            if sent < answer.total:
                for i in range(count):
                    if sent < pieces[i].size:
                        unsent.append(
                            PyBytes_FromStringAndSize(
                                <const char*>pieces[i].p + sent, pieces[i].size - sent
                            )
                        )
                        sent = 0
                    else:
                        sent -= pieces[i].size
        if unsent:
            joined = b"".join(unsent)
            Py_INCREF(joined)
            arrival.unsent = <PyObject*>joined
        return 0


cdef const uint8_t* start_of(data, Py_ssize_t* size) except NULL:
    """Where these bytes lie, as long as `data` is kept."""
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    size[0] = view.len
    PyBuffer_Release(&view)
    return <const uint8_t*>view.buf


cdef Py_ssize_t read_plain(
    const uint8_t* p, Py_ssize_t size, Py_ssize_t frame_bytes_max, Head* head, PullAsk* ask,
    int* serialization,
) noexcept:
    """Read the pull at `p`; return its frame's bytes, 0 when it is none or an odd one."""
    cdef uint32_t word
    cdef Py_ssize_t length, header
    cdef int code
    if size < 32:
        return 0
    length = <uint32_t>load32(p) + <Py_ssize_t>4
    word = <uint32_t>load32(p + 4)
    header = word & 0xFFFFFF
    if length > size or length > frame_bytes_max or header + 8 > length:
        return 0
    serialization[0] = word >> 24
    # A look at the code spares other requests from being parsed twice.
    if serialization[0] == 0:
        if memcmp(p + 8, b'{"code":11,', 11) != 0 and memcmp(p + 8, b'{"code":361,', 12) != 0:
            return 0
        if not read_json(p + 8, p + 8 + header, head):
            return 0
    elif serialization[0] == 1:
        code = load16(p + 8)
        if code != PULL_MESSAGE and code != LITE_PULL_MESSAGE:
            return 0
        if not read_binary(p + 8, p + 8 + header, head):
            return 0
    else:
        return 0
    if head.code != PULL_MESSAGE and head.code != LITE_PULL_MESSAGE:
        return 0
    if head.flag & (FLAG_RESPONSE | FLAG_ONEWAY) or not read_pull(head, ask):
        return 0
    if not is_clean(head, NULL):
        return 0
    return length if ask.sys_flag & HAS_SUBSCRIPTION and ask.queue_id >= 0 else 0


cdef Py_ssize_t put_key(uint8_t* key, Head* head, PullAsk* ask) noexcept nogil:
    """Write the key of a pull's lane; see `lane_key`. 0 when a name is escaped or very long."""
    cdef int places[4]
    cdef Py_ssize_t used = 6
    cdef Entry* entry
    cdef int i
    key[0] = head.code >> 8
    key[1] = head.code & 0xFF
    for i in range(4):
        key[2 + i] = (ask.queue_id >> (24 - 8 * i)) & 0xFF
    places[0] = 0
    places[1] = 1
    places[2] = 8
    places[3] = 10
    for i in range(4):
        entry = ask.found[places[i]]
        if entry == NULL:
            key[used] = key[used + 1] = 0xFF
            used += 2
            continue
        if entry.escaped or used + 2 + entry.value_size > KEY_BYTES_MAX - 8:
            return 0
        key[used] = entry.value_size >> 8
        key[used + 1] = entry.value_size & 0xFF
        memcpy(key + used + 2, entry.value, entry.value_size)
        used += 2 + entry.value_size
    return used


def lane_key(code, queue_id, *names):
    """The key of the lane of pulls with this code, of group, topic, subscription and its kind."""
    cdef list parts = [code.to_bytes(2, "big"), queue_id.to_bytes(4, "big")]
    for name in names:
        if name is None:
            parts.append(b"\xff\xff")
        else:
            text = name.encode()
            parts.append(min(len(text), ABSENT).to_bytes(2, "big"))
            parts.append(text)
    return b"".join(parts)
