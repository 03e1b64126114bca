"""A message as commands show it: one line, a page, or an object for scripts."""

from __future__ import annotations

import base64
from typing import Any

from pocketmq.cli import terminal
from pocketmq.cli.tables import Cell, precise_moment, size
from pocketmq.client.messages import ReceivedMessage
from pocketmq.errors import BodyUndecodable

LINE_CHARS = 200
PAGE_BYTES = 64 * 1024
_HEX_BYTES = 16


def body_of(message: ReceivedMessage) -> bytes:
    """The body, decompressed; as it was stored where that is not possible."""
    try:
        return message.body
    except BodyUndecodable:
        return bytes(message.raw_body)


def text_of(body: bytes) -> str | None:
    """The body as text; None for one that is none."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def body_line(message: ReceivedMessage) -> str:
    """A body in one line, shortened."""
    body = body_of(message)
    text = text_of(body[: LINE_CHARS * 4])
    if text is None and len(body) > LINE_CHARS * 4:
        text = text_of(body)
    if text is None:
        return f"{size(len(body))} of binary: {body[:24].hex(' ')}"
    line = terminal.visible(text[: LINE_CHARS + 1])
    return line if len(line) <= LINE_CHARS else line[:LINE_CHARS] + "…"


def body_page(message: ReceivedMessage) -> str:
    """A body as people read it: text with its lines, JSON indented, hex for all else."""
    body = body_of(message)
    shown = body[:PAGE_BYTES]
    text = text_of(shown) if len(shown) == len(body) else shown.decode("utf-8", "ignore")
    if text is None or (len(shown) < len(body) and text_of(body) is None):
        page = _hex(shown)
    else:
        page = "\n".join(terminal.visible(line) for line in _pretty(text).split("\n"))
    if len(shown) < len(body):
        page += f"\n… {size(len(body) - len(shown))} more; --body prints all of it"
    return page


def _pretty(text: str) -> str:
    if text[:1] not in "{[" or not text:
        return text.expandtabs(4)
    import json

    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text.expandtabs(4)


def _hex(body: bytes) -> str:
    lines = []
    for at in range(0, len(body), _HEX_BYTES):
        part = body[at : at + _HEX_BYTES]
        letters = "".join(chr(one) if 32 <= one < 127 else "." for one in part)
        lines.append(f"{at:08x}  {part.hex(' '):<{_HEX_BYTES * 3}} {letters}")
    return "\n".join(lines)


def message_json(message: ReceivedMessage) -> dict[str, Any]:
    """A message for scripts. `body` is text; of one that is none, `body_base64` has the bytes."""
    body = body_of(message)
    text = text_of(body)
    host, port = message.born_host
    return {
        "topic": message.topic,
        "stored_topic": message.stored_topic,
        "message_id": message.message_id,
        "offset_message_id": message.offset_message_id,
        "broker": message.broker_name,
        "queue_id": message.queue_id,
        "queue_offset": message.queue_offset,
        "log_offset": message.log_offset,
        "tag": message.tag,
        "keys": list(message.keys),
        "properties": message.properties,
        "born_ms": message.born_timestamp_ms,
        "born_host": f"{host}:{port}",
        "stored_ms": message.store_timestamp_ms,
        "attempt": message.attempt,
        "body_bytes": len(body),
        **({"body": text} if text is not None else {}),
        **({"body_base64": base64.b64encode(body).decode()} if text is None else {}),
    }


def message_fields(message: ReceivedMessage) -> list[tuple[str, Cell]]:
    """What there is to say about a message, beside its body."""
    host, port = message.born_host
    took = message.store_timestamp_ms - message.born_timestamp_ms
    fields: list[tuple[str, Cell]] = [
        ("id", message.message_id),
        ("offset id", message.offset_message_id),
        ("topic", message.stored_topic),
    ]
    if message.topic != message.stored_topic:
        fields.append(("sent to", message.topic))
    fields += [
        ("queue", f"{message.broker_name}:{message.queue_id}, offset {message.queue_offset}"),
        ("born", f"{precise_moment(message.born_timestamp_ms)} at {host}:{port}"),
        ("stored", f"{precise_moment(message.store_timestamp_ms)}, after {took} ms"),
        ("log offset", message.log_offset),
        ("tag", message.tag),
        ("keys", " ".join(message.keys)),
    ]
    if message.reconsume_times:
        fields.append(("tries before", message.reconsume_times))
    known = {"TAGS", "KEYS", "UNIQ_KEY"}
    fields += [
        (name, value) for name, value in sorted(message.properties.items()) if name not in known
    ]
    fields.append(("body", size(len(body_of(message)))))
    return fields
