"""The headers that tell a browser to be careful; every answer has them."""

from __future__ import annotations

from collections.abc import Iterable

_POLICY = b"content-security-policy"

Header = tuple[bytes, bytes]


def content_policy(*, scripts: str = "", styles: str = "") -> str:
    """What a page may load and run: what this server serves, and what has one of these hashes."""
    parts = ["default-src 'self'"]
    if scripts:
        parts.append(f"script-src 'self' {scripts}")
    if styles:
        parts.append(f"style-src 'self' {styles}")
    parts += ["base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"]
    return "; ".join([*parts, "object-src 'none'"])


SECURITY_HEADERS: tuple[Header, ...] = (
    (_POLICY, content_policy().encode()),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


def with_security(headers: Iterable[Header]) -> list[Header]:
    """An answer's headers and these; a policy of its own stays."""
    given = list(headers)
    names = {name for name, _ in given}
    return [*given, *(header for header in SECURITY_HEADERS if header[0] not in names)]
