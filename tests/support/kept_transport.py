"""A transport without a socket."""

from __future__ import annotations


class KeptTransport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += bytes(data)

    def writelines(self, data: list[bytes]) -> None:
        self.written += b"".join(data)

    def set_write_buffer_limits(self, high: int) -> None:
        """There is no buffer."""

    def close(self) -> None:
        """There is nothing to close."""

    abort = close
