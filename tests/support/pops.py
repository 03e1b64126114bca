"""A client that pops, and a broker whose timer is driven by hand."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from tests.support.local_broker import Peer

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.rules.pop import Handle, parse_handle
from pocketmq.message.record import Record, decode_record
from pocketmq.message.topics import TIMER_TOPIC
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command

START_MS = 1_795_240_000_000
RETRY = "%RETRY%g_T"


async def pop(peer: Peer, **more: object) -> Command:
    fields = {
        "consumerGroup": "g",
        "topic": "T",
        "queueId": -1,
        "maxMsgNums": 32,
        "invisibleTime": 10_000,
        "pollTime": 0,
        "bornTime": 0,
        "initMode": 0,
        **more,
    }
    return await peer.call(RequestCode.POP_MESSAGE, {k: str(v) for k, v in fields.items()})


def records(answer: Command) -> list[Record]:
    found, at, body = [], 0, bytes(answer.body)
    while at < len(body):
        found.append(decode_record(body, at))
        at += found[-1].size
    return found


def handles(answer: Command) -> list[Handle]:
    """What a client makes of an answer's header."""
    fields = answer.fields or {}
    starts = {}
    for part in fields["startOffsetInfo"].split(";"):
        flag, queue, start = part.split()
        starts[flag, queue] = start
    found = []
    for part in fields["msgOffsetInfo"].split(";"):
        flag, queue, offsets = part.split()
        found += [
            parse_handle(
                f"{starts[flag, queue]} {fields['popTime']} {fields['invisibleTime']} "
                f"{fields['reviveQid']} {flag} b {queue} {offset}"
            )
            for offset in offsets.split(",")
        ]
    return found


async def tell(peer: Peer, code: int, handle: Handle, **more: object) -> Command:
    fields = {
        "consumerGroup": "g",
        "topic": RETRY if handle.retry_flag else "T",
        "queueId": handle.queue_id,
        "extraInfo": handle.encode(),
        "offset": handle.offset,
        **more,
    }
    return await peer.call(code, {k: str(v) for k, v in fields.items()})


async def ack(peer: Peer, handle: Handle, **more: object) -> Command:
    return await tell(peer, RequestCode.ACK_MESSAGE, handle, **more)


_SEEN: WeakKeyDictionary[BrokerApp, int] = WeakKeyDictionary()


async def revive(app: BrokerApp) -> int:
    """Let the timer deliver what is due, and settle it; return how many came again since."""
    models = app.running.models
    app.running.dispatch.drain()
    assert models.timer is not None and models.pops.revive is not None
    store, timer, precision = (
        app.running.store,
        models.timer,
        app.running.config.timers.precision_ms,
    )
    # The services' own loops are woken by the clock too, and may be in the middle of a step.
    while True:
        await timer.step()
        await models.pops.revive.step()
        app.running.dispatch.drain()
        entered = timer.queue_offset == store.queue_offsets(TIMER_TOPIC, 0)[1]
        if entered and timer.read_ms >= app.running.clock.now_ms() // precision * precision:
            break
    await models.pops.revive.step()
    app.running.dispatch.drain()
    retries = [topic for topic in store.topics() if topic.startswith("%RETRY%")]
    count = sum(store.queue_offsets(topic, 0)[1] for topic in retries)
    before, _SEEN[app] = _SEEN.get(app, 0), count
    return count - before


async def send(app: BrokerApp, peer: Peer, *bodies: bytes, queue_id: int = 0) -> None:
    for body in bodies:
        assert (await peer.send("T", body, queue_id)).code == 0
    app.running.dispatch.drain()
