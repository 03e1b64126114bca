# cython: language_level=3, cdivision=True
"""Asking which pages of a mapping are in memory; see store/residency.py."""


cdef extern from *:
    """
    #if defined(__linux__)
    #include <sys/mman.h>
    static int pocketmq_resident(size_t first, size_t length) {
        unsigned char pages[1024];
        while (length > 0) {
            size_t part = length < sizeof pages * 4096 ? length : sizeof pages * 4096;
            if (mincore((void *)first, part, pages) != 0) return 1;
            for (size_t i = 0; i < (part + 4095) / 4096; i++)
                if (!(pages[i] & 1)) return 0;
            first += part;
            length -= part;
        }
        return 1;
    }
    #else
    static int pocketmq_resident(size_t first, size_t length) {
        (void)first;
        (void)length;
        return 1;
    }
    #endif
    """
    int pocketmq_resident(size_t first, size_t length) noexcept nogil


cdef bint resident(size_t address, size_t length) noexcept nogil:
    cdef size_t first = address // 4096 * 4096
    return pocketmq_resident(first, address + length - first) != 0


def is_resident(size_t address, size_t length):
    """Say whether every page of a mapped range is in memory; True where nobody knows."""
    return address == 0 or resident(address, length)
