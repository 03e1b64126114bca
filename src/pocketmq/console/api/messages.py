"""Messages: searched, shown, sent, given to a consumer, traced."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Literal

from starlette.responses import Response

from pocketmq.admin import Handled, TracePoint
from pocketmq.client.messages import Message, ReceivedMessage, SendReceipt
from pocketmq.console.bodies import BodyPicture, body_of, picture_of, preview_of
from pocketmq.console.desk import Desk
from pocketmq.console.endpoints import Noun
from pocketmq.console.problems import bad_request, not_found
from pocketmq.console.searching import Found, by_time, queue_of, read_queue
from pocketmq.console.shapes import field_of
from pocketmq.message.topics import HALF_TOPIC, TRACE_TOPIC

messages = Noun("Messages")

LIMIT_MAX = 256
BODY_CHARS_MAX = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class MessagePicture:
    """A message, without its body. `preview` is how the body begins, when it is text."""

    id: str
    offset_id: str
    topic: str
    broker: str
    queue_id: int
    offset: int
    log_offset: int
    tag: str
    keys: tuple[str, ...]
    size: int
    born_ms: int
    stored_ms: int
    born_host: str
    store_host: str
    retries: int
    flag: int
    sys_flag: int
    transaction: str | None
    properties: dict[str, str]
    preview: str | None

    @classmethod
    def of(cls, message: ReceivedMessage) -> MessagePicture:
        """A message as it is shown."""
        return cls(
            message.message_id,
            message.offset_message_id,
            message.stored_topic,
            message.broker_name,
            message.queue_id,
            message.queue_offset,
            message.log_offset,
            message.tag,
            message.keys,
            len(message.raw_body),
            message.born_timestamp_ms,
            message.store_timestamp_ms,
            "{}:{}".format(*message.born_host),
            "{}:{}".format(*message.store_host),
            message.reconsume_times,
            message.flag,
            message.sys_flag,
            _transaction(message),
            message.properties,
            preview_of(message),
        )


_TRANSACTION = (None, "prepared", "committed", "rolled back")


def _transaction(message: ReceivedMessage) -> str | None:
    """Where a transaction is; half messages are stored without their flag."""
    if message.stored_topic == HALF_TOPIC:
        return "prepared"
    return _TRANSACTION[message.sys_flag >> 2 & 3]


@dataclass(frozen=True, slots=True)
class WholeMessage(MessagePicture):
    """A message with its body."""

    body: BodyPicture


@dataclass(frozen=True, slots=True)
class MessagesQuery:
    """What to look for: an id, a key, a place, or a time."""

    topic: str | None = field_of(None, "Where; only an id may be looked for everywhere.")
    id: str | None = field_of(None, "A message id, of either form.")
    key: str | None = field_of(None, "A key.")
    from_ms: int | None = field_of(None, "Stored from this moment.", minimum=0)
    to_ms: int | None = field_of(None, "Stored up to this moment.", minimum=0)
    queue: str | None = field_of(None, "One queue, as broker:number.")
    offset: int | None = field_of(None, "From this offset of the queue on.", minimum=0)
    order: Literal["newest", "oldest"] = field_of("newest", "What comes first.")
    limit: int = field_of(32, "How many.", minimum=1, maximum=LIMIT_MAX)
    cursor: str | None = field_of(None, "Where the last page ended.", chars_max=64 * 1024)


@dataclass(frozen=True, slots=True)
class MessageList:
    """Messages, and the cursor of what follows."""

    items: tuple[MessagePicture, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to send."""

    topic: str = field_of(doc="Where to.")
    body: str | None = field_of(None, "Its body as text.", chars_max=BODY_CHARS_MAX)
    body_base64: str | None = field_of(None, "Its body as base64.", chars_max=BODY_CHARS_MAX)
    tag: str = field_of("", "Its tag.")
    keys: tuple[str, ...] = field_of((), "What it can be found by.")
    properties: dict[str, str] = field_of({}, "Properties of your own.", chars_max=32 * 1024)
    delay_level: int = field_of(0, "A delay level.", minimum=0, maximum=100)
    deliver_at_ms: int | None = field_of(None, "When consumers may see it.", minimum=0)
    order_by: str = field_of("", "Messages with the same text here stay in order.")


@dataclass(frozen=True, slots=True)
class ReceiptPicture:
    """Where a message was stored."""

    id: str
    offset_id: str
    topic: str
    broker: str
    queue_id: int
    offset: int
    status: str

    @classmethod
    def of(cls, receipt: SendReceipt) -> ReceiptPicture:
        """A receipt as it is shown."""
        return cls(
            receipt.message_id,
            receipt.offset_message_id,
            receipt.topic,
            receipt.broker_name,
            receipt.queue_id,
            receipt.queue_offset,
            receipt.status.value,
        )


@dataclass(frozen=True, slots=True)
class ResendForm:
    """Who is to consume it."""

    group: str = field_of(doc="The group.")
    client: str | None = field_of(None, "One of its members; else the first.")


@dataclass(frozen=True, slots=True)
class CopyForm:
    """Where a copy goes."""

    topic: str | None = field_of(None, "Another topic than its own.")


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """Where traces are."""

    trace_topic: str = field_of(TRACE_TOPIC, "The topic that clients write traces to.")


@dataclass(frozen=True, slots=True)
class TracePicture:
    """One thing that happened to a message. What does not apply is empty, 0 or -1."""

    what: str
    at_ms: int
    group: str
    message_id: str
    topic: str
    tag: str
    keys: str
    client: str
    broker: str
    cost_ms: int
    body_bytes: int
    kind: str
    outcome: str
    attempt: int
    request_id: str
    by_broker: bool

    @classmethod
    def of(cls, point: TracePoint) -> TracePicture:
        """A point as it is shown."""
        return cls(**{name: getattr(point, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class Trace:
    """What happened to a message, in order."""

    items: tuple[TracePicture, ...]


@messages.get("/messages")
async def search(desk: Desk, query: MessagesQuery) -> MessageList:
    """Messages by id, by key, by place or by time."""
    wanted = [name for name in ("id", "key") if getattr(query, name) is not None]
    if len(wanted) > 1:
        raise bad_request("say either id or key", "key")
    if query.id is not None:
        return _listed(Found(await desk.admin.messages.by_id(query.id, query.topic), None))
    if query.topic is None:
        raise bad_request("the field topic is needed", "topic")
    if query.key is not None:
        return _listed(Found(await _by_key(desk, query.topic, query), None))
    if query.offset is not None:
        return await _from_offset(desk, query.topic, query)
    found = await by_time(
        desk.admin.messages.reader,
        query.topic,
        query.from_ms or 0,
        query.to_ms,
        queue=read_queue(query.queue) if query.queue is not None else None,
        cursor=query.cursor,
        limit=query.limit,
        newest=query.order == "newest",
    )
    return _listed(found)


@messages.post("/messages", status=201)
async def send(desk: Desk, body: NewMessage) -> ReceiptPicture:
    """Send a message."""
    await desk.picture.topic(body.topic)  # no topic comes to be by a slip of the pen
    message = Message(
        body.topic,
        _body_bytes(body),
        tag=body.tag,
        keys=body.keys,
        properties=body.properties,
        order_by=body.order_by,
        delay_level=body.delay_level,
        deliver_at=body.deliver_at_ms / 1000 if body.deliver_at_ms is not None else None,
    )
    return ReceiptPicture.of(await desk.admin.messages.send(message))


@messages.get("/messages/{topic}/{id}")
async def show(desk: Desk, topic: str, id: str) -> WholeMessage:
    """A message with its body in all its forms."""
    message = await find_message(desk, topic, id)
    facts = MessagePicture.of(message)
    return WholeMessage(
        **{name: getattr(facts, name) for name in MessagePicture.__dataclass_fields__},
        body=picture_of(message),
    )


@messages.get("/messages/{topic}/{id}/body", media="application/octet-stream")
async def body(desk: Desk, topic: str, id: str) -> Response:
    """The bytes of the body, as an attachment."""
    content, _ = body_of(await find_message(desk, topic, id))
    headers = {
        "Content-Disposition": 'attachment; filename="message-body.bin"',
        "Cache-Control": "no-store",
    }
    return Response(content, 200, headers, "application/octet-stream")


@messages.post("/messages/{topic}/{id}/resend")
async def resend(desk: Desk, topic: str, id: str, body: ResendForm) -> Handled:
    """Have one connected member of a group consume a message now. No offset moves."""
    message = await find_message(desk, topic, id)
    return await desk.admin.messages.hand_over(message, body.group, body.client)


@messages.post("/messages/{topic}/{id}/copy", status=201)
async def copy(desk: Desk, topic: str, id: str, body: CopyForm) -> ReceiptPicture:
    """Store a copy for every group, with an id of its own."""
    message = await find_message(desk, topic, id)
    return ReceiptPicture.of(await desk.admin.messages.resend(message, body.topic))


@messages.get("/messages/{topic}/{id}/trace")
async def trace(desk: Desk, topic: str, id: str, query: TraceQuery) -> Trace:
    """What is traced about a message, in the order it happened."""
    points = await desk.admin.messages.trace(id, trace_topic=query.trace_topic)
    return Trace(tuple(TracePicture.of(point) for point in points))


async def find_message(desk: Desk, topic: str, id: str) -> ReceivedMessage:
    """The message of a path. Raise Problem (404)."""
    found = await desk.admin.messages.by_id(id, topic)
    if not found:
        raise not_found("message", id, f"it may have expired, or not be in {topic[:127]}")
    return next((one for one in found if one.stored_topic == topic), found[0])


async def _by_key(desk: Desk, topic: str, query: MessagesQuery) -> list[ReceivedMessage]:
    until = {} if query.to_ms is None else {"end_ms": query.to_ms}
    assert query.key is not None
    found = await desk.admin.messages.by_key(
        topic, query.key, begin_ms=query.from_ms or 0, limit=query.limit, **until
    )
    return found[::-1] if query.order == "newest" else found


async def _from_offset(desk: Desk, topic: str, query: MessagesQuery) -> MessageList:
    if query.queue is None:
        raise bad_request("an offset belongs to a queue; say queue=broker:number", "queue")
    assert query.offset is not None
    reader = desk.admin.messages.reader
    place = await reader.place(queue_of(topic, query.queue))
    at = query.offset
    if query.cursor is not None:
        if not (query.cursor.isascii() and query.cursor.isdigit() and len(query.cursor) < 19):
            raise bad_request("the cursor is not one of ours; begin anew without it", "cursor")
        at = int(query.cursor)
    page = await reader.page(place, at, messages_max=query.limit)
    ended = page.next_offset <= at or page.next_offset >= page.max_offset
    return _listed(Found(page.messages, None if ended else str(page.next_offset)))


def _listed(found: Found) -> MessageList:
    return MessageList(tuple(MessagePicture.of(one) for one in found.messages), found.next)


def _body_bytes(form: NewMessage) -> bytes:
    if (form.body is None) == (form.body_base64 is None):
        raise bad_request("give the body either as body or as body_base64", "body")
    if form.body is not None:
        return form.body.encode("utf-8", "surrogatepass")
    assert form.body_base64 is not None
    try:
        return base64.b64decode(form.body_base64, validate=True)
    except (binascii.Error, ValueError):
        raise bad_request("body_base64 is not base64", "body_base64") from None
