"""Nothing reaches a handler that may not: through real sockets, every code, every short way."""

from __future__ import annotations

import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.access import ALICE, ROOT, access, allow, ask_as, entry, make_user, signed
from tests.support.clients.servers import free_broker_port
from tests.support.local_broker import broker_config, local_broker
from tests.support.raw_peer import RawPeer

from pocketmq.broker.access import Access
from pocketmq.broker.access_config import AccessConfig
from pocketmq.broker.app import BrokerApp
from pocketmq.broker.pipeline import Admit, Checked
from pocketmq.broker.state.acls import AclTable
from pocketmq.broker.state.users import UserTable
from pocketmq.clock import SystemClock
from pocketmq.message.ids import decode_offset_message_id
from pocketmq.net import Connection, ListenConfig, Server
from pocketmq.net.connection import EncodedReply, FrameHandler, Served
from pocketmq.net.rounds import Read, Take
from pocketmq.net.turns import TakeTurn
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import JSON, ROCKETMQ, Command
from pocketmq.protocol.framing import Frame
from pocketmq.security import Credentials

SEND = {
    "a": "p",
    "b": "orders",
    "c": "TBW102",
    "d": "4",
    "e": "0",
    "f": "0",
    "g": "1700000000000",
    "h": "0",
    "i": "UNIQ_KEY\x017F0000010B2C18B4AAC28B5E1F2A0001\x02WAIT\x01true\x02",
    "j": "0",
    "k": "false",
    "m": "false",
}
PULL = {
    "consumerGroup": "g",
    "topic": "orders",
    "queueId": "0",
    "queueOffset": "0",
    "maxMsgNums": "32",
    "sysFlag": "4",
    "commitOffset": "0",
    "suspendTimeoutMillis": "0",
    "subscription": "*",
    "subVersion": "0",
    "expressionType": "TAG",
}
FIELDS = {310: SEND, 320: SEND, 11: PULL, 361: PULL}
BARRIER = RequestCode.GET_BROKER_RUNTIME_INFO
STRANGER = Credentials("stranger", "secret")
WRONG = Credentials("root", "not-it")


class Recording:
    """A service with every short way there is, that notes whatever reaches it."""

    def __init__(self) -> None:
        self.reached: list[int | str] = []
        self.frame_handlers: Mapping[int, FrameHandler] = dict.fromkeys(RequestCode, self._frame)
        self.take: Take | None = self._take

    @property
    def take_turn(self) -> TakeTurn | None:
        return self._take_turn

    def _frame(self, connection: Connection, data: bytes, frame: Frame) -> EncodedReply:
        self.reached.append(f"frame {frame[0]}")
        return None

    def _take(self, reads: Sequence[Read]) -> None:
        self.reached.append("take")

    def _take_turn(self, arrivals: object) -> None:
        self.reached.append("take_turn")

    def serve(self, connection: Connection, command: Command) -> Served:
        self.reached.append(command.code)
        return command.reply()

    def connected(self, connection: Connection) -> None:
        """Nothing to note."""

    def disconnected(self, connection: Connection) -> None:
        """Nothing to note."""


async def nowhere(log_offset: int) -> str | None:
    """A log without messages."""
    return None


@asynccontextmanager
async def serving(admit: Admit) -> AsyncIterator[tuple[Recording, int]]:
    """A server of a service that only notes, behind a check."""
    service = Recording()
    bound = socket.create_server(("127.0.0.1", 0))
    server = Server(Checked(service, admit), ListenConfig(port=0), bound)
    await server.start()
    try:
        yield service, bound.getsockname()[1]
    finally:
        await server.stop()


@asynccontextmanager
async def recording(config: AccessConfig) -> AsyncIterator[tuple[Recording, int]]:
    """The same behind the check that brokers have."""
    clock = SystemClock()
    users, acls = UserTable(config, clock), AclTable(config, clock)
    users.load()
    async with serving(Access(config, "C", users, acls, nowhere).admit) as found:
        yield found


def every_request() -> list[Command]:
    """Every code, in both encodings, asked and one-way."""
    found = []
    for code, encoding, oneway in itertools.product(RequestCode, (JSON, ROCKETMQ), (False, True)):
        if encoding == ROCKETMQ and code > 0x7FFF:
            continue
        command = Command.request(code, dict(FIELDS.get(code, {})), b"{}", oneway=oneway)
        command.serialization = encoding
        found.append(command)
    return found


def answers_wanted(requests: list[Command]) -> list[int]:
    return [request.opaque for request in requests if not request.is_oneway]


@pytest.mark.parametrize(
    "by", [None, STRANGER, WRONG], ids=["unsigned", "by a stranger", "with a wrong secret"]
)
@pytest.mark.parametrize("in_one_piece", [False, True])
async def test_no_request_of_any_code_reaches_a_handler_without_a_signature(
    by: Credentials | None, in_one_piece: bool
) -> None:
    async with recording(access()) as (service, port), RawPeer(port) as peer:
        requests = [signed(request, by) for request in every_request()]
        if in_one_piece:
            await peer.send(*requests)
        else:
            for request in requests:
                await peer.send(request)
        answers = [await peer.receive() for _ in answers_wanted(requests)]
        assert [answer.opaque for answer in answers] == answers_wanted(requests)
        assert {answer.code for answer in answers} == {ResponseCode.NO_PERMISSION}
        assert all(answer.remark for answer in answers)
        await peer.ask(signed(Command.request(BARRIER), ROOT))
        assert service.reached == [BARRIER]


async def test_every_request_of_a_super_user_reaches_its_handler() -> None:
    async with recording(access()) as (service, port), RawPeer(port) as peer:
        requests = [signed(request, ROOT) for request in every_request()]
        await peer.send(*requests)
        for _ in answers_wanted(requests):
            assert (await peer.receive()).code == 0
        await peer.ask(signed(Command.request(BARRIER), ROOT))
        assert service.reached == [*(request.code for request in requests), BARRIER]


async def test_a_signature_is_of_one_request_alone() -> None:
    async with recording(access()) as (service, port), RawPeer(port) as peer:
        good = signed(Command.request(310, dict(SEND), b"body"), ROOT)
        for spoilt in (
            {"fields": {**good.fields, "b": "other"}},
            {"fields": {**good.fields, "n": "more"}},
            {"fields": {k: v for k, v in good.fields.items() if k != "m"}},
            {"body": b"another body"},
        ):
            command = Command.request(310, dict(good.fields), b"body")
            for name, value in spoilt.items():
                setattr(command, name, value)
            assert (await peer.ask(command)).code == ResponseCode.NO_PERMISSION
        assert service.reached == []
        assert (await peer.ask(good)).code == 0


async def test_old_clients_sign_without_the_mark_of_a_unique_key() -> None:
    async with recording(access()) as (service, port), RawPeer(port) as peer:
        for version, expected in ((399, 0), (400, ResponseCode.NO_PERMISSION)):
            command = signed(Command.request(12, {"topic": "t", "key": "k"}), ROOT)
            command.fields["_UNIQUE_KEY_QUERY"] = "true"
            command.version = version
            assert (await peer.ask(command)).code == expected
        assert service.reached == [12]


async def test_what_cannot_be_checked_does_not_pass() -> None:
    async def explode_later() -> None:
        raise RuntimeError("a mistake of ours, later")

    def explode(connection: Connection, command: Command) -> Awaitable[None]:
        if command.code == 33:
            return explode_later()
        raise RuntimeError("a mistake of ours")

    async with serving(explode) as (service, port), RawPeer(port) as peer:
        for code in (28, 33):
            answer = await peer.ask(Command.request(code))
            assert answer.code == ResponseCode.SYSTEM_ERROR
        assert service.reached == []


async def test_a_body_that_cannot_be_read_does_not_pass(tmp_path: Path) -> None:
    async with local_broker(tmp_path, access=access()) as app, RawPeer(app.port) as peer:
        await make_user(peer, ALICE, entry("Topic:orders", "All"))
        for code in (34, 41, 42, 18, 200, 225, 401, 200151):
            for body in (b"[1]", b"{"):
                answer = await ask_as(peer, ALICE, code, body)
                assert answer.code == ResponseCode.NO_PERMISSION, (code, body)
        assert app.running.tables.clients.consumer_group("g") is None


async def test_whitelists_let_codes_pass() -> None:
    config = access(authentication_whitelist="28, 310", authorization_whitelist="28")
    async with recording(config) as (service, port), RawPeer(port) as peer:
        assert (await peer.ask(Command.request(28))).code == 0
        assert (await peer.ask(Command.request(310, dict(SEND)))).code == ResponseCode.NO_PERMISSION
        assert (await peer.ask(Command.request(26))).code == ResponseCode.NO_PERMISSION
        assert service.reached == [28]


async def test_with_authentication_alone_whoever_signs_may_do_everything(tmp_path: Path) -> None:
    config = access(authorization=False)
    async with local_broker(tmp_path, access=config) as app, RawPeer(app.port) as peer:
        await make_user(peer)
        assert (await ask_as(peer, ALICE, 310, b"1", **SEND)).code == 0
        assert (await ask_as(peer, None, 310, b"1", **SEND)).code == ResponseCode.NO_PERMISSION
        assert stored(app) == 1


async def test_with_authorization_alone_the_name_a_client_gives_is_believed(tmp_path: Path) -> None:
    config = access(authentication=False)
    async with local_broker(tmp_path, access=config) as app, RawPeer(app.port) as peer:
        await make_user(peer, ALICE, entry("Topic:orders", "Pub"))
        claim = {"AccessKey": "alice"}
        assert (await ask_as(peer, None, 310, b"1", **SEND, **claim)).code == 0
        assert (await ask_as(peer, None, 11, **PULL, **claim)).code == ResponseCode.NO_PERMISSION
        assert (await ask_as(peer, None, 310, b"1", **SEND)).code == ResponseCode.NO_PERMISSION
        assert (await ask_as(peer, None, 3005, AccessKey="root")).code == ResponseCode.NO_PERMISSION


def stored(app: BrokerApp) -> int:
    """How many messages the first queue of `orders` holds."""
    return app.running.store.queue_offsets("orders", 0)[1]


async def test_lanes_that_signed_requests_could_open_stay_closed(tmp_path: Path) -> None:
    async with local_broker(tmp_path, access=access()) as app, RawPeer(app.port) as peer:
        for _ in range(3):
            assert (await ask_as(peer, ROOT, 310, b"1", **SEND)).code == 0
            assert (await ask_as(peer, ROOT, 11, **PULL)).code in (0, 19)
        unsigned = [
            Command.request(code, dict(fields), b"x" * 100, oneway=oneway)
            for code, fields in ((310, SEND), (11, PULL))
            for oneway in (False, True)
            for _ in range(50)
        ]
        await peer.send(*unsigned)
        answers = [await peer.receive() for _ in answers_wanted(unsigned)]
        assert {answer.code for answer in answers} == {ResponseCode.NO_PERMISSION}
        assert not any(answer.body for answer in answers)
        assert (await ask_as(peer, ROOT, 310, b"1", **SEND)).code == 0
        assert stored(app) == 4


async def test_the_fast_port_asks_too(tmp_path: Path) -> None:
    config = broker_config(tmp_path, access=access())
    port = free_broker_port()
    app = BrokerApp(replace(config, listen=replace(config.listen, port=port)))
    await app.start()
    try:
        assert app.running.fast_server is not None
        async with RawPeer(app.running.fast_server.port) as peer:
            answer = await peer.ask(Command.request(310, dict(SEND), b"1"))
            assert answer.code == ResponseCode.NO_PERMISSION
            assert (await ask_as(peer, ROOT, 310, b"1", **SEND)).code == 0
        assert stored(app) == 1
    finally:
        await app.stop()


async def test_a_user_does_what_was_allowed_and_nothing_else(tmp_path: Path) -> None:
    async with local_broker(tmp_path, access=access()) as app, RawPeer(app.port) as peer:
        await make_user(peer)
        refused = await ask_as(peer, ALICE, 310, b"1", **SEND)
        assert refused.code == ResponseCode.NO_PERMISSION
        assert "User:alice has no permission to Pub Topic:orders from 127.0.0.1" in (
            refused.remark or ""
        )
        await allow(peer, ALICE, entry("Topic:ord*", "Pub"))
        assert (await ask_as(peer, ALICE, 310, b"1", **SEND)).code == 0
        assert (await ask_as(peer, ALICE, 11, **PULL)).code == ResponseCode.NO_PERMISSION
        await allow(peer, ALICE, entry("Topic:orders", "Sub"), entry("Group:g", "Sub"))
        assert (await ask_as(peer, ALICE, 310, b"1", **SEND)).code == 0
        await allow(peer, ALICE, entry("Topic:orders", "Pub", "Sub", decision="Deny"))
        for code, fields in ((310, SEND), (11, PULL)):
            denied = await ask_as(peer, ALICE, code, b"1", **fields)
            assert denied.code == ResponseCode.NO_PERMISSION
            assert "its policy for Topic:orders denies it" in (denied.remark or "")
        await allow(peer, ALICE, entry("Topic:orders", "Sub", sources=["127.0.0.0/8"]))
        pulled = await ask_as(peer, ALICE, 11, **PULL)
        assert (pulled.code, bool(pulled.body)) == (0, True)
        await allow(peer, ALICE, entry("Topic:orders", "Sub", sources=["192.0.2.0/24"]))
        denied = await ask_as(peer, ALICE, 11, **PULL)
        assert denied.code == ResponseCode.NO_PERMISSION
        assert stored(app) == 2


async def test_a_change_of_a_user_counts_from_the_next_request_on(tmp_path: Path) -> None:
    async with local_broker(tmp_path, access=access()) as app, RawPeer(app.port) as peer:
        await make_user(peer, ALICE, entry("*", "All"))
        assert (await ask_as(peer, ALICE, 310, b"1", **SEND)).code == 0
        off = b'{"userStatus":"disable"}'
        await ask_as(peer, ROOT, RequestCode.AUTH_UPDATE_USER, off, username="alice")
        refused = await ask_as(peer, ALICE, 310, b"1", **SEND)
        assert (refused.code, "disabled" in (refused.remark or "")) == (16, True)
        await ask_as(peer, ROOT, RequestCode.AUTH_DELETE_USER, username="alice")
        refused = await ask_as(peer, ALICE, 310, b"1", **SEND)
        assert (refused.code, "not known" in (refused.remark or "")) == (16, True)
        assert stored(app) == 1


async def test_who_names_a_position_needs_a_permission_on_what_lies_there(tmp_path: Path) -> None:
    async with local_broker(tmp_path, access=access()) as app, RawPeer(app.port) as peer:
        await make_user(peer, ALICE, entry("Topic:mine", "All"), entry("Group:g", "All"))
        for code, topic in ((310, "mine"), (310, "secrets")):
            sent = await ask_as(peer, ROOT, code, b"1", **{**SEND, "b": topic})
            assert sent.code == 0
        message_id = sent.fields["msgId"]
        place = str(decode_offset_message_id(message_id).log_offset)
        back = {"group": "g", "delayLevel": "3", "originTopic": "mine"}
        asked = (
            (33, {"offset": place}),
            (33, {"offset": place, "topic": "mine"}),
            (36, {**back, "offset": place}),
            (309, {"consumerGroup": "g", "clientId": "c", "topic": "mine", "msgId": message_id}),
        )
        for code, fields in asked:
            refused = await ask_as(peer, ALICE, code, **fields)
            assert refused.code == ResponseCode.NO_PERMISSION, code
            assert "Topic:secrets" in (refused.remark or "")
            assert not refused.body
        assert app.running.store.queue_ids("%RETRY%g") == []
        for code, fields in asked[:3]:
            mine = {**fields, "offset": "0"}
            assert (await ask_as(peer, ALICE, code, **mine)).code == 0
        await allow(peer, ALICE, entry("Topic:secrets", "Sub"))
        assert (await ask_as(peer, ALICE, 33, offset=place)).code == 0
        for wrong in ("", "x", "999999999"):
            answer = await ask_as(peer, ALICE, 33, offset=wrong)
            assert answer.code == ResponseCode.SYSTEM_ERROR
