"""Batches over real sockets: how large they may be, what they wait for, how messages are found."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from tests.support.local_broker import Peer, broker_config, connected, local_broker
from tests.support.pulling import HAS_SUBSCRIPTION, props, pull_all
from tests.support.waiting import until

from pocketmq.message.batch import encode_batch
from pocketmq.message.positions import QueueOffset
from pocketmq.message.record import decode_record
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.requests.pull import PullRequest
from pocketmq.protocol.requests.queries import QueryMessageRequest
from pocketmq.store import StoreConfig

LIMIT = 10_000


def store_of(directory: Path, mode: Literal["ASYNC_FLUSH", "SYNC_FLUSH"]) -> StoreConfig:
    store = broker_config(directory).store
    log = replace(store.log, message_bytes_max=LIMIT)
    return replace(store, log=log, flush=replace(store.flush, mode=mode))


def fields_of(properties: str = "") -> dict[str, str]:
    return {
        "a": "p", "b": "T", "c": "TBW102", "d": "4", "e": "0", "f": "0", "g": "1700000000000",
        "h": "0", "i": properties, "j": "0", "k": "false", "m": "true",
    }  # fmt: skip


async def send(peer: Peer, raw: bytes, properties: str = "") -> Command:
    code = RequestCode.SEND_BATCH_MESSAGE
    return await peer.call(code, fields_of(properties), raw, timeout_ms=15_000)


def batch_of(size: int) -> bytes:
    """A batch of two messages that has so many bytes."""
    small = (0, b"small", b"")
    rest = size - len(encode_batch([small, (0, b"", b"")]))
    raw = encode_batch([small, (0, bytes(rest), b"")])
    assert len(raw) == size
    return raw


async def test_a_batch_may_be_as_large_as_a_message_and_no_larger(tmp_path: Path) -> None:
    store = store_of(tmp_path, "ASYNC_FLUSH")
    async with local_broker(tmp_path, store=store) as app, connected(app, "one") as (peer,):
        assert (await send(peer, batch_of(LIMIT))).code == 0
        end = app.running.store.log_end
        refused = await send(peer, batch_of(LIMIT + 1))
        assert refused.code == ResponseCode.MESSAGE_ILLEGAL
        assert str(LIMIT) in (refused.remark or "")
        assert app.running.store.log_end == end
        assert len(await pull_all(peer, "T")) == 2


@pytest.mark.parametrize("size", [32_768, 40_000, 65_535])
async def test_properties_too_long_for_one_message_of_a_batch_store_none(
    tmp_path: Path, size: int
) -> None:
    async with local_broker(tmp_path) as app, connected(app, "one") as (peer,):
        assert (await send(peer, batch_of(100))).code == 0
        end = app.running.store.log_end
        good = encode_batch([(0, b"good", b"")])
        long = b"own\x01" + b"x" * (size - 5) + b"\x02"
        sizes = [(26 + size).to_bytes(4, "big"), bytes(12), (4).to_bytes(4, "big")]
        bad = b"".join([*sizes, b"body"[:4], size.to_bytes(2, "big"), long])
        refused = await send(peer, good + bad)
        assert refused.code == ResponseCode.MESSAGE_ILLEGAL
        assert refused.remark
        assert app.running.store.log_end == end


async def test_a_batch_waits_for_the_disk_unless_it_says_not_to(tmp_path: Path) -> None:
    raw = encode_batch([(0, b"one", b""), (0, b"two", b"")])
    store = store_of(tmp_path, "SYNC_FLUSH")
    async with local_broker(tmp_path, store=store) as app, connected(app, "one") as (peer,):
        assert (await send(peer, raw)).code == 0
        disk_is_free = threading.Event()
        app.running.flush._thread.submit(disk_is_free.wait)
        try:
            waits = [
                asyncio.ensure_future(send(peer, raw, own)) for own in ("", props(WAIT="true"))
            ]
            await until(lambda: app.running.flush.waiting == 2)
            hasty = await send(peer, raw, props(WAIT="false"))
            assert (hasty.code, hasty.fields["queueOffset"]) == (0, "6")
            assert app.running.store.flushed_offset < app.running.store.log_end
            assert not any(one.done() for one in waits)
        finally:
            disk_is_free.set()
        assert [(await one).fields["queueOffset"] for one in waits] == ["2", "4"]


async def test_each_message_of_a_batch_is_found_by_what_is_its_own(tmp_path: Path) -> None:
    own = [props(UNIQ_KEY=f"U{n}", KEYS=f"k{n} all", TAGS="ab"[n % 2], n=n) for n in range(6)]
    raw = encode_batch([(n, b"%d" % n, text.encode()) for n, text in enumerate(own)])
    async with local_broker(tmp_path) as app, connected(app, "one") as (peer,):
        app.running.tables.topics.put(TopicConfig("T", 1, 1))
        answer = await send(peer, raw, props(UNIQ_KEY="the batch"))
        assert (answer.code, answer.fields["msgId"].count(",")) == (0, 5)
        app.running.dispatch.drain()
        found = await pull_all(peer, "T")
        assert [(m.queue_offset, m.properties["n"]) for m in found] == [
            (n, str(n)) for n in range(6)
        ]
        for key, wanted in (("k3", [b"3"]), ("U4", [b"4"]), ("all", [b"%d" % n for n in range(6)])):
            request = QueryMessageRequest("T", key, 32, 0, 2**62)
            answer = await peer.call(RequestCode.QUERY_MESSAGE, request)
            assert sorted(bodies(answer)) == wanted, key
        zero = QueueOffset(0)
        pull = PullRequest("g", "T", 0, zero, 32, HAS_SUBSCRIPTION, zero, 0, "b", 1, "TAG")
        assert bodies(await peer.call(RequestCode.PULL_MESSAGE, pull)) == [b"1", b"3", b"5"]


def bodies(answer: Command) -> list[bytes]:
    found, at, body = [], 0, bytes(answer.body)
    while at < len(body):
        record = decode_record(body, at)
        found.append(bytes(record.body))
        at += record.size
    return found
