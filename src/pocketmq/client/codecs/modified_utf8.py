"""Java's ways with text: UTF-8 of UTF-16 code units, each by itself.

A character beyond the basic plane is two surrogates of three bytes each. Data streams write NUL as
two bytes, so that no text contains a zero byte.
"""

from __future__ import annotations

from pocketmq.errors import BodyUndecodable


def decode_units(data: bytes) -> str:
    """The text of UTF-8 in which surrogates stand alone or in pairs. Raise BodyUndecodable."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass  # not plain UTF-8: it has surrogates or Java's long form of NUL
    try:
        text = data.replace(b"\xc0\x80", b"\x00").decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise BodyUndecodable(f"text that is not UTF-8: {error.reason}") from None
    return join_surrogates(text)


def join_surrogates(text: str) -> str:
    """Text with pairs of surrogates made one character; a lone one stays."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def split_surrogates(text: str) -> str:
    """Text with each character beyond the basic plane made two surrogates."""
    if not text or max(text) <= "\uffff":
        return text
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(chr(int.from_bytes(units[i : i + 2], "big")) for i in range(0, len(units), 2))


def encode_units(text: str) -> bytes:
    """UTF-8 of the code units, as Hessian has it."""
    return split_surrogates(text).encode("utf-8", "surrogatepass")


def encode_modified(text: str) -> bytes:
    """UTF-8 of the code units with NUL in two bytes, as Java's data streams have it."""
    return encode_units(text).replace(b"\x00", b"\xc0\x80")
