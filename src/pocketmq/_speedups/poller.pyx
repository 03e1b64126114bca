# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Reading from many sockets a call, by epoll; the rest is in net/turns.py.

There is no twin: without this leaf, or on another system than Linux, connections are asyncio's.
"""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint32_t

from .arrivals cimport ARENA_BYTES, ARRIVALS_MAX, Arrivals, Seat

cdef extern from *:
    """
    #include <errno.h>
    #ifdef __linux__
    #include <sys/epoll.h>
    #include <sys/socket.h>
    #include <unistd.h>
    #define PQ_EPOLL 1
    #else
    /* So that the file can be translated and compiled; nothing of it runs. */
    #include <stdint.h>
    #include <stddef.h>
    struct epoll_event { uint32_t events; union { void *ptr; } data; };
    #define EPOLL_CLOEXEC 0
    #define EPOLL_CTL_ADD 1
    #define EPOLL_CTL_DEL 2
    #define EPOLL_CTL_MOD 3
    #define EPOLLIN 1u
    #define EPOLLOUT 4u
    #define EPOLLERR 8u
    #define EPOLLHUP 16u
    #define EPOLLRDHUP 0x2000u
    #define EPOLLET (1u << 31)
    static int epoll_create1(int f) { errno = ENOSYS; return -1; }
    static int epoll_ctl(int e, int o, int f, struct epoll_event *v) { errno = ENOSYS; return -1; }
    static int epoll_wait(int e, struct epoll_event *v, int n, int t) { errno = ENOSYS; return -1; }
    static long recv(int f, void *b, size_t n, int g) { errno = ENOSYS; return -1; }
    static int close(int f) { errno = ENOSYS; return -1; }
    #define PQ_EPOLL 0
    #endif
    """
    int PQ_EPOLL
    int EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD
    uint32_t EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLRDHUP, EPOLLET
    ctypedef union epoll_data:
        void* ptr
    struct epoll_event:
        uint32_t events
        epoll_data data
    int epoll_create1(int flags)
    int epoll_ctl(int epoll, int operation, int fd, epoll_event* event)
    int epoll_wait(int epoll, epoll_event* events, int count, int timeout)
    Py_ssize_t recv(int fd, void* data, size_t size, int flags)
    int close(int fd)

cdef enum:
    EVENTS = 128
    READ_BYTES_MAX = 262144
    READ_BYTES_MIN = 4096  # with less room a socket waits for the next turn


def available():
    """Whether this system has epoll."""
    return PQ_EPOLL != 0


cdef class Poller:
    """An epoll set of sockets, each with its seat."""

    cdef int epoll
    cdef set seats
    # Seats with more to read, in the order in which they are due; `unfinished` within one turn.
    cdef dict unread
    cdef dict unfinished
    cdef Arrivals arrivals
    cdef int64_t turn

    def __init__(self):
        self.seats = set()
        self.unread = {}
        self.unfinished = {}
        self.arrivals = Arrivals()
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        if self.epoll < 0:
            raise OSError(errno, "an epoll set cannot be made; raise the limit of open files")

    def __cinit__(self):
        self.epoll = -1

    def __dealloc__(self):
        if self.epoll >= 0:
            close(self.epoll)

    def fileno(self):
        """The descriptor that is readable when any socket of the set is ready."""
        return self.epoll

    def close(self):
        """Let the set go; the sockets stay as they are."""
        if self.epoll >= 0:
            close(self.epoll)
            self.epoll = -1
        self.seats.clear()
        self.unread.clear()
        self.arrivals.clear()

    def add(self, Seat seat):
        """Begin to watch a socket for bytes to read."""
        self.seats.add(seat)
        self.control(EPOLL_CTL_ADD, seat, EPOLLIN | EPOLLRDHUP | EPOLLET)

    def change(self, Seat seat, bint reading, bint writing):
        """Watch for one, both or neither. What is ready already is reported anew."""
        cdef uint32_t events = EPOLLET
        if reading:
            events |= EPOLLIN | EPOLLRDHUP
        else:
            self.unread.pop(seat, None)
        if writing:
            events |= EPOLLOUT
        self.control(EPOLL_CTL_MOD, seat, events)

    def remove(self, Seat seat):
        """Watch a socket no more; called before it is closed."""
        self.seats.discard(seat)
        self.unread.pop(seat, None)
        self.control(EPOLL_CTL_DEL, seat, 0)

    cdef int control(self, int operation, Seat seat, uint32_t events) except -1:
        cdef epoll_event event
        event.events = events
        event.data.ptr = <void*>seat
        if epoll_ctl(self.epoll, operation, seat.descriptor, &event) < 0:
            raise OSError(errno, "the socket cannot be watched")
        return 0

    def poll(self):
        """Read once from each socket that is ready, as far as there is room. Never blocks.

        Return (the arrivals, which are the same object each time; [owners that can be written to];
        whether there is more to read).
        """
        cdef epoll_event events[EVENTS]
        cdef int count, i
        cdef list writable = []
        cdef dict unread
        cdef Seat seat
        self.arrivals.clear()
        self.turn += 1
        count = max(epoll_wait(self.epoll, events, EVENTS, 0), 0)
        if self.unread:
            unread, self.unread = self.unread, {}
            for seat in unread:
                self.read(seat)
        # Each seat is in `seats` still: nothing but this loop runs between the wait and here.
        for i in range(count):
            seat = <Seat>events[i].data.ptr
            if events[i].events & EPOLLOUT:
                writable.append(seat.owner)
            if events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR):
                self.read(seat)
        # Those that found no room come before those that have more than was read.
        self.unread.update(self.unfinished)
        self.unfinished.clear()
        return self.arrivals, writable, len(self.unread) > 0 or count == EVENTS

    cdef int read(self, Seat seat) except -1:
        """Read once in this turn, or let the socket wait for the next."""
        cdef Arrivals arrivals = self.arrivals
        cdef Py_ssize_t room = min(ARENA_BYTES - arrivals.arena_used, READ_BYTES_MAX)
        cdef Py_ssize_t size
        if seat.turn == self.turn:
            return 0
        if room < READ_BYTES_MIN or arrivals.count == ARRIVALS_MAX:
            self.unread[seat] = None
            return 0
        seat.turn = self.turn
        size = recv(seat.descriptor, arrivals.arena + arrivals.arena_used, room, 0)
        if size >= 0:
            if size == room:
                self.unfinished[seat] = None
            arrivals.put(seat, size, 0)
        elif errno == EINTR:
            self.unfinished[seat] = None
        elif errno != EAGAIN:
            arrivals.put(seat, 0, errno)
        return 0
