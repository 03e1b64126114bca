# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The reads of a turn, in one piece of memory, and the answers to them in another.

`sockets` fills it, `sends` and `pull_lanes` serve what they can from the bytes in place, and what
remains becomes Python objects in `finish`. There is no twin: where sockets are not served in turns
there are no arrivals.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_SIZE
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from .sockets cimport Piece, send_pieces

cdef enum:
    ANSWERS_KEPT_BYTES = 1 << 20


cdef class Seat:
    """A watched socket: who owns it, and what the leaves must know of it.

    `kept` is the owner's own list of what waits to be written before anything else. `lane` is the
    packed address of a peer whose reads may be served in turns, or None. `active` is set when
    something is served.
    """

    def __init__(self, owner, int descriptor, list kept, bytes lane=None):
        self.owner = owner
        self.descriptor = descriptor
        self.kept = kept
        self.lane = lane
        self.active = True


cdef class Arrivals:
    """At most ARRIVALS_MAX reads of different sockets, of ARENA_BYTES together."""

    def __cinit__(self):
        self.arena = <uint8_t*>malloc(ARENA_BYTES)
        if self.arena == NULL:
            raise MemoryError

    def __dealloc__(self):
        self.clear()
        free(self.arena)
        free(self.answers.p)

    def __len__(self):
        return self.count

    def add(self, Seat seat, arrived):
        """Add what was read of a socket: bytes, none at the end of the stream, or an errno."""
        cdef bytes data = b""
        cdef int error = 0
        if type(arrived) is bytes:
            data = arrived
        else:
            error = arrived
        if self.count == ARRIVALS_MAX or PyBytes_GET_SIZE(data) > ARENA_BYTES - self.arena_used:
            raise ValueError("the arrivals of a turn are full; finish them first")
        memcpy(self.arena + self.arena_used, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        self.put(seat, PyBytes_GET_SIZE(data), error)

    cdef Arrival* put(self, Seat seat, Py_ssize_t size, int error) noexcept:
        """Add the read whose bytes are in the arena already."""
        cdef Arrival* arrival = &self.items[self.count]
        Py_INCREF(seat)
        arrival.seat = <PyObject*>seat
        arrival.error = error
        arrival.p = self.arena + self.arena_used
        arrival.size = size
        arrival.taken = arrival.frames = arrival.answers_at = arrival.answers_size = 0
        arrival.unsent = NULL
        self.arena_used += size
        self.count += 1
        return arrival

    cdef void clear(self) noexcept:
        """Forget everything."""
        cdef Arrival* arrival
        cdef Py_ssize_t i
        for i in range(self.count):
            arrival = &self.items[i]
            Py_DECREF(<object>arrival.seat)
            if arrival.unsent != NULL:
                Py_DECREF(<object>arrival.unsent)
        self.count = self.arena_used = self.answers.used = 0
        if self.answers.room > ANSWERS_KEPT_BYTES:
            free(self.answers.p)
            self.answers.p = NULL
            self.answers.room = 0

    def take_answers(self):
        """Return [(owner, frames served, their answers)] and forget these answers."""
        cdef list found = []
        cdef Arrival* arrival
        cdef Py_ssize_t i
        for i in range(self.count):
            arrival = &self.items[i]
            if arrival.answers_size:
                found.append((
                    (<Seat>arrival.seat).owner, arrival.frames, answers_of(&self.answers, arrival),
                ))
            arrival.frames = arrival.answers_size = 0
        return found

    def finish(self):
        """Write the answers, and forget everything; return what is left to do.

        That is a list of (owner, bytes that nobody served, b"" at the end of the stream, an errno or
        None, answers that the socket did not take or that wait for others).
        """
        cdef list left = []
        cdef Arrival* arrival
        cdef Seat seat
        cdef Piece piece
        cdef Py_ssize_t i, sent
        cdef bytes unsent
        try:
            for i in range(self.count):
                arrival = &self.items[i]
                seat = <Seat>arrival.seat
                if arrival.answers_size and PyList_GET_SIZE(seat.kept) == 0:
                    piece.p = self.answers.p + arrival.answers_at
                    piece.size = arrival.answers_size
                    sent = max(send_pieces(seat.descriptor, &piece, 1), 0)
                    arrival.answers_at += sent
                    arrival.answers_size -= sent
                if (
                    arrival.answers_size == 0 and arrival.unsent == NULL
                    and arrival.size and arrival.taken == arrival.size
                ):
                    continue
                unsent = answers_of(&self.answers, arrival)
                if arrival.unsent != NULL:
                    unsent = <bytes>arrival.unsent + unsent
                left.append((seat.owner, rest_of(arrival), unsent))
        finally:
            self.clear()
        return left


cdef rest_of(const Arrival* arrival):
    if arrival.error:
        return arrival.error
    if arrival.size and arrival.taken == arrival.size:
        return None
    return PyBytes_FromStringAndSize(
        <const char*>arrival.p + arrival.taken, arrival.size - arrival.taken
    )


cdef bytes answers_of(const Answers* answers, const Arrival* arrival):
    if arrival.answers_size == 0:
        return b""
    return PyBytes_FromStringAndSize(
        <const char*>answers.p + arrival.answers_at, arrival.answers_size
    )


cdef int make_room(Answers* answers, Py_ssize_t size) except -1:
    """Let `size` more bytes fit behind the used ones."""
    cdef uint8_t* grown
    cdef Py_ssize_t room = 2 * (answers.used + size) + 4096
    if answers.room - answers.used < size:
        grown = <uint8_t*>realloc(answers.p, room)
        if grown == NULL:
            raise MemoryError
        answers.p = grown
        answers.room = room
    return 0
