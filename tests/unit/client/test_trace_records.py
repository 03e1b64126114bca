"""Trace records have the form of those that Apache's Java client wrote."""

from __future__ import annotations

from tests.support.golden_wire import session_lines

from pocketmq.client.hooks import (
    ConsumeContext,
    EndTransactionContext,
    RecallContext,
    SendContext,
)
from pocketmq.client.messages import MessageQueue, ReceivedMessage, SendReceipt
from pocketmq.client.trace_records import (
    deliveries,
    ended_transaction,
    outcomes,
    recalled,
    sends,
)
from pocketmq.message.properties import encode_properties

QUEUE = MessageQueue("golden_Events", "b", 0)


def golden_records(kind: str) -> list[list[str]]:
    """The fields of the records of one kind that Java wrote."""
    found = []
    for line in session_lines("java-trace"):
        fields = (line.get("header") or {}).get("extFields") or {}
        if line.get("dir") == "c2s" and fields.get("b") == "RMQ_SYS_TRACE_TOPIC":
            frame = bytes.fromhex(line["frame_hex"])
            start = 8 + (int.from_bytes(frame[4:8], "big") & 0xFFFFFF)
            for record in frame[start:].decode().split("\x02"):
                parts = record.split("\x01")
                if parts[0] == kind:
                    found.append(parts)
    return found


def fields_of(text: str) -> list[str]:
    assert text.endswith("\x02")
    return text[:-1].split("\x01")


def received(parts: list[str], key: str) -> ReceivedMessage:
    properties = encode_properties({"UNIQ_KEY": parts[0], "KEYS": key}).encode()
    host = bytes(8)
    return ReceivedMessage(
        "golden_Events", "b", 0, 0, 0, 0, 0, 0, 0, host, 0, host, 0, 0, b"", properties
    )


def test_a_send_is_recorded_as_java_records_it() -> None:
    golden = golden_records("Pub")
    assert golden
    for fields in golden:
        receipt = SendReceipt("golden_Events", "b", 0, 0, fields[5], fields[12])
        context = SendContext(
            group=fields[3],
            client_id="c",
            topic=fields[4],
            kind="normal",
            properties=[{"TAGS": fields[6], "KEYS": fields[7], "UNIQ_KEY": fields[5]}],
            body_bytes=[int(fields[9])],
            unique_keys=[fields[5]],
            started_ms=int(fields[1]),
            broker_address=fields[8],
            cost_ms=float(fields[10]),
            receipt=receipt,
        )
        (record,) = sends(context)
        assert fields_of(record.text) == fields
        assert record.keys == (fields[5], fields[7])


def test_a_delivery_and_its_end_are_recorded_as_java_records_them() -> None:
    before = {fields[4]: fields for fields in golden_records("SubBefore")}
    after = {fields[1]: fields for fields in golden_records("SubAfter")}
    assert before
    assert before.keys() == after.keys()
    for request_id, fields in before.items():
        message = received(fields[5:], fields[7])
        context = ConsumeContext(fields[3], "c", QUEUE, [message], 0)
        (record,) = deliveries(context, int(fields[1]))
        made = fields_of(record.text)
        own_id = made[4]
        assert made == [*fields[:4], own_id, *fields[5:]]
        assert len(own_id) == len(request_id)
        wanted = after[request_id]
        context.status, context.cost_ms = "success", float(wanted[3])
        (record,) = outcomes(context, int(wanted[7]))
        assert fields_of(record.text) == ["SubAfter", own_id, *wanted[2:]]
        assert record.keys == (fields[5], fields[7])


def test_kinds_and_failures_have_their_numbers() -> None:
    def kind(properties: dict[str, str], name: str = "normal") -> tuple[str, str]:
        context = SendContext("g", "c", "T", name, [properties], [1], ["U"], 1)
        context.error = OSError("x")
        fields = fields_of(sends(context)[0].text)
        return fields[11], fields[13]

    assert kind({}) == ("0", "false")
    assert kind({"TRAN_MSG": "true"}, "transaction") == ("1", "false")
    assert kind({"DELAY": "3"}) == ("3", "false")
    assert kind({"__SHARDINGKEY": "k"}) == ("4", "false")
    codes = {}
    for status in ("success", "timeout", "failed", "retry"):
        context = ConsumeContext("g", "c", QUEUE, [received(["U"], "k")], 0, status)
        codes[status] = fields_of(outcomes(context, 1)[0].text)[4:7]
    assert codes == {
        "success": ["true", "k", "0"],
        "timeout": ["false", "k", "1"],
        "failed": ["false", "k", "2"],
        "retry": ["false", "k", "4"],
    }


def test_a_batch_has_a_record_for_each_message() -> None:
    receipt = SendReceipt("T", "b", 0, 0, "A,B", "OA,OB")
    context = SendContext(
        "g", "c", "T", "batch", [{}, {"KEYS": "x y"}], [1, 2], ["A", "B"], 1,
        cost_ms=10, receipt=receipt,
    )  # fmt: skip
    first, second = sends(context)
    assert fields_of(first.text)[5:] == ["A", "", "", "", "1", "5", "0", "OA", "true"]
    assert fields_of(second.text)[5:] == ["B", "", "x y", "", "2", "5", "0", "OB", "true"]
    assert second.keys == ("B", "x", "y")


def test_a_message_that_is_not_to_be_traced_is_not() -> None:
    message = received(["U"], "k")
    message.properties["TRACE_ON"] = "false"
    context = ConsumeContext("g", "c", QUEUE, [message], 0, "success")
    assert deliveries(context, 1) == []
    assert outcomes(context, 1) == []


def test_ends_of_transactions_and_recalls_are_recorded() -> None:
    ended = EndTransactionContext("g", "c", "T", "U", "tag", "k", "rollback", True, "h:1", "TX", 5)
    record = ended_transaction(ended)
    assert fields_of(record.text) == [
        "EndTransaction", "5", "DefaultRegion", "g", "T", "U", "tag", "k", "h:1", "2", "TX",
        "ROLLBACK_MESSAGE", "true",
    ]  # fmt: skip
    record = recalled(RecallContext("g", "c", "T", "U", 5, 1.0))
    assert fields_of(record.text) == ["Recall", "5", "DefaultRegion", "g", "T", "U", "true"]
