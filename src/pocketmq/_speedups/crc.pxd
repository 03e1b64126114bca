"""The CRC-32 of zlib, with the carry-less multiplication of x86 where the processor has it."""

from libc.stdint cimport uint8_t, uint32_t

cdef uint32_t checksum(const uint8_t* p, Py_ssize_t size) noexcept nogil
