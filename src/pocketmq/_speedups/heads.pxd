"""Reading the header of a frame in place: spans of the frame's bytes, no Python objects.

`read_json` and `read_binary` understand regular headers only; the plain twin in
`protocol/framing.py` reads the others and explains what is wrong with them.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp

cdef enum:
    ENTRIES_MAX = 48

cdef struct Entry:
    const uint8_t* key
    Py_ssize_t key_size
    const uint8_t* value
    Py_ssize_t value_size
    bint escaped

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
    bint ascii          # every byte that texts may be made of; when it is false some may be ASCII
    Entry entries[ENTRIES_MAX]


cdef bint read_json(const uint8_t* p, const uint8_t* end, Head* head) noexcept nogil
cdef bint read_binary(const uint8_t* p, const uint8_t* end, Head* head) noexcept nogil
cdef bint is_text(const uint8_t* p, Py_ssize_t size) noexcept
cdef bint is_clean(const Head* head, const Entry* escapes) noexcept
cdef Py_ssize_t unescape(const uint8_t* p, Py_ssize_t size, uint8_t* out) noexcept nogil


cdef inline bint named(Entry* entry, const char* name, Py_ssize_t size) noexcept nogil:
    return entry.key_size == size and memcmp(entry.key, name, size) == 0
