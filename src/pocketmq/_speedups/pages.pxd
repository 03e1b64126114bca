"""Whether every page of a mapped range is in memory."""

cdef bint resident(size_t address, size_t length) noexcept nogil
