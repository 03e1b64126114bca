# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Writing to sockets, from one place or several, in one call; the rest is in net/turns.py.

There is no twin: without this leaf, or on another system than Linux, connections are asyncio's.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport memset

cdef extern from *:
    """
    #include <errno.h>
    #ifdef __linux__
    #include <sys/socket.h>
    #include <sys/uio.h>
    #else
    /* So that the file can be translated and compiled; nothing of it runs. */
    #include <stdint.h>
    #include <stddef.h>
    struct iovec { void *iov_base; size_t iov_len; };
    struct msghdr { void *msg_name; int msg_namelen; struct iovec *msg_iov; size_t msg_iovlen;
        void *msg_control; size_t msg_controllen; int msg_flags; };
    #define MSG_NOSIGNAL 0
    static long send(int f, const void *b, size_t n, int g) { errno = ENOSYS; return -1; }
    static long sendmsg(int f, const struct msghdr *m, int g) { errno = ENOSYS; return -1; }
    #endif
    """
    int MSG_NOSIGNAL
    struct iovec:
        void* iov_base
        size_t iov_len
    struct msghdr:
        iovec* msg_iov
        size_t msg_iovlen
    Py_ssize_t send(int fd, const void* data, size_t size, int flags) nogil
    Py_ssize_t sendmsg(int fd, const msghdr* message, int flags) nogil

cdef enum:
    PARTS = 512


cdef Py_ssize_t send_pieces(int fd, const Piece* pieces, int count) noexcept nogil:
    cdef iovec vectors[PIECES_MAX]
    cdef msghdr message
    cdef Py_ssize_t size
    cdef int i
    if count == 1:
        size = send(fd, pieces[0].p, pieces[0].size, MSG_NOSIGNAL)
        return size if size >= 0 else refused()
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
