# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Many sockets a call: wait, read and write by epoll; the rest is in net/turns.py.

There is no twin: without this leaf, or on another system than Linux, connections are asyncio's.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

cdef extern from *:
    """
    #include <errno.h>
    #ifdef __linux__
    #include <sys/epoll.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    #include <unistd.h>
    #define PQ_EPOLL 1
    #else
    /* So that the file can be translated and compiled; nothing of it runs. */
    #include <stdint.h>
    #include <stddef.h>
    typedef long ssize_t_;
    struct epoll_event { uint32_t events; union { void *ptr; } data; };
    struct iovec { void *iov_base; size_t iov_len; };
    struct msghdr { void *msg_name; int msg_namelen; struct iovec *msg_iov; size_t msg_iovlen;
        void *msg_control; size_t msg_controllen; int msg_flags; };
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
    #define MSG_NOSIGNAL 0
    static int epoll_create1(int f) { errno = ENOSYS; return -1; }
    static int epoll_ctl(int e, int o, int f, struct epoll_event *v) { errno = ENOSYS; return -1; }
    static int epoll_wait(int e, struct epoll_event *v, int n, int t) { errno = ENOSYS; return -1; }
    static long recv(int f, void *b, size_t n, int g) { errno = ENOSYS; return -1; }
    static long send(int f, const void *b, size_t n, int g) { errno = ENOSYS; return -1; }
    static long sendmsg(int f, const struct msghdr *m, int g) { errno = ENOSYS; return -1; }
    static int close(int f) { errno = ENOSYS; return -1; }
    #define PQ_EPOLL 0
    #endif
    """
    int PQ_EPOLL
    int EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, MSG_NOSIGNAL
    uint32_t EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLRDHUP, EPOLLET
    ctypedef union epoll_data:
        void* ptr
    struct epoll_event:
        uint32_t events
        epoll_data data
    struct iovec:
        void* iov_base
        size_t iov_len
    struct msghdr:
        iovec* msg_iov
        size_t msg_iovlen
    int epoll_create1(int flags)
    int epoll_ctl(int epoll, int operation, int fd, epoll_event* event)
    int epoll_wait(int epoll, epoll_event* events, int count, int timeout)
    Py_ssize_t recv(int fd, void* data, size_t size, int flags)
    Py_ssize_t send(int fd, const void* data, size_t size, int flags)
    Py_ssize_t sendmsg(int fd, const msghdr* message, int flags) nogil
    int close(int fd)

cdef enum:
    EVENTS = 128
    READ_BYTES = 262144
    PARTS = 512


def available():
    """Whether this system has epoll."""
    return PQ_EPOLL != 0


cdef class Poller:
    """An epoll set of sockets, each with the object that owns it."""

    cdef int epoll
    cdef set owners
    cdef set unread
    cdef char* scratch

    def __init__(self):
        self.owners = set()
        self.unread = set()
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        if self.epoll < 0:
            raise OSError(errno, "an epoll set cannot be made; raise the limit of open files")
        self.scratch = <char*>malloc(READ_BYTES)
        if self.scratch == NULL:
            raise MemoryError

    def __cinit__(self):
        self.epoll = -1
        self.scratch = NULL

    def __dealloc__(self):
        free(self.scratch)
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
        self.owners.clear()
        self.unread.clear()

    def add(self, int fd, owner):
        """Begin to watch a socket for bytes to read. `owner` has the attribute `descriptor`."""
        self.owners.add(owner)
        self.control(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, owner)

    def change(self, int fd, owner, bint reading, bint writing):
        """Watch for one, both or neither. What is ready already is reported anew."""
        cdef uint32_t events = EPOLLET
        if reading:
            events |= EPOLLIN | EPOLLRDHUP
        else:
            self.unread.discard(owner)
        if writing:
            events |= EPOLLOUT
        self.control(EPOLL_CTL_MOD, fd, events, owner)

    def remove(self, int fd, owner):
        """Watch a socket no more; called before it is closed."""
        self.owners.discard(owner)
        self.unread.discard(owner)
        self.control(EPOLL_CTL_DEL, fd, 0, owner)

    cdef int control(self, int operation, int fd, uint32_t events, owner) except -1:
        cdef epoll_event event
        event.events = events
        event.data.ptr = <void*>owner
        if epoll_ctl(self.epoll, operation, fd, &event) < 0:
            raise OSError(errno, "the socket cannot be watched")
        return 0

    def poll(self):
        """Read once from each socket that is ready. Never blocks.

        Return ([(owner, bytes, b"" at the end of the stream, or an errno)], [owners that can be
        written to], whether there is more to read).
        """
        cdef epoll_event events[EVENTS]
        cdef int count, i
        cdef list reads = []
        cdef list writable = []
        cdef set unread
        count = epoll_wait(self.epoll, events, EVENTS, 0)
        if count < 0:
            count = 0
        # Each owner is in `owners` still: nothing but this loop runs between the wait and here.
        unread, self.unread = self.unread, set()
        for i in range(count):
            owner = <object>events[i].data.ptr
            if events[i].events & EPOLLOUT:
                writable.append(owner)
            if events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR):
                unread.discard(owner)
                self.read(owner, reads)
        for owner in unread:
            self.read(owner, reads)
        return reads, writable, len(self.unread) > 0 or count == EVENTS

    cdef int read(self, owner, list reads) except -1:
        cdef int fd = owner.descriptor
        cdef Py_ssize_t size = recv(fd, self.scratch, READ_BYTES, 0)
        if size >= 0:
            if size == READ_BYTES:
                self.unread.add(owner)
            reads.append((owner, PyBytes_FromStringAndSize(self.scratch, size)))
        elif errno == EINTR:
            self.unread.add(owner)
        elif errno != EAGAIN:
            reads.append((owner, errno))
        return 0


def answer_all(list left):
    """Write the answers of (owner, rest, answers); return those with something left to do.

    An owner has a list `kept` of what waits to be written before.
    """
    cdef list still = []
    cdef Py_ssize_t size, sent
    for item in left:
        owner, rest, answers = item
        size = PyBytes_GET_SIZE(answers)
        if size and not owner.kept:
            sent = send(owner.descriptor, PyBytes_AS_STRING(answers), size, MSG_NOSIGNAL)
            if sent == size:
                if rest is None:
                    continue
                item = (owner, rest, b"")
            elif sent > 0:
                item = (owner, rest, (<bytes>answers)[sent:])
        if rest is not None or size:
            still.append(item)
    return still


cdef Py_ssize_t send_pieces(int fd, const Piece* pieces, int count) noexcept nogil:
    cdef iovec vectors[PIECES_MAX]
    cdef msghdr message
    cdef Py_ssize_t size
    cdef int i
    for i in range(count):
        vectors[i].iov_base = <void*>pieces[i].p
        vectors[i].iov_len = pieces[i].size
    memset(&message, 0, sizeof(message))
    message.msg_iov = vectors
    message.msg_iovlen = count
    size = sendmsg(fd, &message, MSG_NOSIGNAL)
    return size if size >= 0 else refused()


def send_bytes(int fd, data):
    """Write what the socket takes now; return how much that was, or minus an errno."""
    cdef Py_buffer view
    cdef Py_ssize_t size
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        size = send(fd, view.buf, view.len, MSG_NOSIGNAL)
        return size if size >= 0 else refused()
    finally:
        PyBuffer_Release(&view)


def send_parts(int fd, parts):
    """Write what the socket takes now of several buffers; as `send_bytes`."""
    cdef Py_buffer views[PARTS]
    cdef iovec vectors[PARTS]
    cdef msghdr message
    cdef int count = 0, i
    cdef Py_ssize_t size
    try:
        for part in parts:
            if count == PARTS:
                break
            PyObject_GetBuffer(part, &views[count], PyBUF_SIMPLE)
            vectors[count].iov_base = views[count].buf
            vectors[count].iov_len = views[count].len
            count += 1
        memset(&message, 0, sizeof(message))
        message.msg_iov = vectors
        message.msg_iovlen = count
        size = sendmsg(fd, &message, MSG_NOSIGNAL)
        return size if size >= 0 else refused()
    finally:
        for i in range(count):
            PyBuffer_Release(&views[i])


cdef Py_ssize_t refused() noexcept nogil:
    """Nothing written: 0 when the socket is full, else minus the errno."""
    return 0 if errno == EAGAIN or errno == EINTR else -errno
