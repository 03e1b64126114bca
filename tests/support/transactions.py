"""What tests of transactions share: sending half messages, ending them, reading questions."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.local_broker import START_MS, Peer
from tests.support.pulling import props, pull_all

from pocketmq.broker.app import BrokerApp
from pocketmq.message.ids import decode_offset_message_id
from pocketmq.message.record import Record
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command

HALF = "RMQ_SYS_TRANS_HALF_TOPIC"
OPERATIONS = "RMQ_SYS_TRANS_OP_HALF_TOPIC"
GIVEN_UP = "TRANS_CHECK_MAX_TIME_TOPIC"
UNKNOWN, COMMIT, ROLLBACK = 0, 8, 12


@dataclass(frozen=True)
class Half:
    """Where a half message lies."""

    queue_offset: int
    log_offset: int
    queue_id: int


async def begin(
    peer: Peer, key: str = "K1", *, queue_id: int = 2, code: int = 310, **more: object
) -> Half:
    """Send a half message of group p to topic T, as new clients do or, with code 10, old ones."""
    text = props(TRAN_MSG="true", PGROUP="p", UNIQ_KEY=key, TAGS="a", own="x", **more)
    fields = {
        "a": "p",
        "b": "T",
        "c": "TBW102",
        "d": "4",
        "e": str(queue_id),
        "f": "4",
        "g": str(START_MS),
        "h": "77",
        "i": text,
        "j": "0",
        "k": "false",
        "m": "false",
    }
    if code == RequestCode.SEND_MESSAGE:
        answer = await peer.send("T", key.encode(), queue_id, text)
    else:
        answer = await peer.call(code, fields, key.encode())
    assert answer.code == 0, answer.remark
    assert answer.fields["transactionId"] == key
    place = decode_offset_message_id(answer.fields["msgId"])
    return Half(int(answer.fields["queueOffset"]), place.log_offset, int(answer.fields["queueId"]))


def ending(half: Half, decision: int = COMMIT, **changed: object) -> dict[str, str]:
    """The header of END_TRANSACTION."""
    header: dict[str, object] = {
        "producerGroup": "p",
        "tranStateTableOffset": half.queue_offset,
        "commitLogOffset": half.log_offset,
        "commitOrRollback": decision,
        "fromTransactionCheck": "false",
        "msgId": "unchecked",
        **changed,
    }
    return {name: str(value) for name, value in header.items() if value is not None}


async def end(peer: Peer, half: Half, decision: int = COMMIT, **changed: object) -> Command:
    """End a transaction and wait for the answer."""
    return await peer.call(RequestCode.END_TRANSACTION, ending(half, decision, **changed))


async def round_of_checks(app: BrokerApp) -> int:
    """One round; return how many producers were asked."""
    asked = await app.running.models.transaction_checks.step()
    app.running.dispatch.drain()
    return asked


async def bodies(peer: Peer, topic: str = "T", queue_id: int = 2) -> list[bytes]:
    return [message.body for message in await pull_all(peer, topic, queue_id)]


def questions(peer: Peer) -> list[Command]:
    return [asked for asked in peer.asked if asked.code == RequestCode.CHECK_TRANSACTION_STATE]


def asked_half(question: Command) -> Half:
    fields = question.fields
    return Half(int(fields["tranStateTableOffset"]), int(fields["commitLogOffset"]), 0)


def open_transactions(app: BrokerApp) -> int:
    return app.running.tables.transactions.open("T")


def record_at(app: BrokerApp, log_offset: int) -> Record:
    record = app.running.store.decoded_record_at(log_offset)
    assert record is not None
    return record
