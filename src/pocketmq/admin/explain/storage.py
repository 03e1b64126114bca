"""Where a message is stored, how safe it is there, and for how long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from pocketmq.admin.explain.facts import BrokerFacts, Copy, MessageFacts
from pocketmq.admin.explain.findings import Evidence, Finding
from pocketmq.admin.explain.words import counted, lasting, listed, moment, size, when
from pocketmq.message.topics import PERM_READ
from pocketmq.store.config import parse_hours

_FILE_BYTES: Final = 1024 * 1024 * 1024
_AMOUNT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([KMGTPE]?)(?:i?B)?", re.ASCII)
_POWERS: Final = {unit: power for power, unit in enumerate(("", "K", "M", "G", "T", "P", "E"))}


def storage_findings(message: MessageFacts) -> Iterator[Finding]:
    """What is to be said about the copies in the message's own topic."""
    stored = [copy for copy in message.copies if copy.topic == message.topic]
    if not stored:
        return
    for copy in stored:
        yield _stored(message, copy)
    if len(stored) > 1:
        yield _several(message, stored)
    copy = stored[-1]
    broker = message.brokers.get(copy.broker)
    if broker is not None:
        yield _on_disk(copy, broker)
        yield _kept(copy, broker, message.next_file_ms)
    queue = message.queue
    if queue is not None and copy.queue_offset < queue.first:
        yield Finding(
            "gone from its queue",
            f"Consumers cannot read it any more: the queue begins at {queue.first:,} now, as older "
            "messages have been deleted.",
            {"queue_first": queue.first, "queue_offset": copy.queue_offset},
        )
    if queue is not None and not queue.permission & PERM_READ:
        yield Finding(
            "topic not readable",
            f"Nobody can read it: topic {message.topic} has no read permission on {copy.broker}.",
            {"permission": queue.permission},
            f"pocketmq topic update {message.topic} --permission both",
        )
    elif queue is not None and copy.queue_id >= queue.read_queues:
        yield Finding(
            "queue not read",
            f"No consumer reads its queue: topic {message.topic} has "
            f"{counted(queue.read_queues, 'read queue')} on {copy.broker}, and the message lies in "
            f"queue {copy.queue_id}.",
            {"read_queues": queue.read_queues, "queue_id": copy.queue_id},
            f"pocketmq topic update {message.topic} --read-queues {copy.queue_id + 1}",
        )


def _stored(message: MessageFacts, copy: Copy) -> Finding:
    now_ms = _now_ms(message, copy)
    took = copy.stored_ms - copy.born_ms
    after = f", {lasting(took)} after its producer made it" if took >= 0 else ""
    details = [f"tag {copy.tag}" if copy.tag else "no tag"]
    details.append(f"keys {' '.join(copy.keys)}" if copy.keys else "no keys")
    return Finding(
        "stored",
        f"Stored {when(copy.stored_ms, now_ms)} by broker {copy.broker} at {copy.address}, in "
        f"queue {copy.queue_id} of topic {copy.topic} at offset {copy.queue_offset:,}{after}. "
        f"It came from {copy.born_host}, with {', '.join(details)} and a body of "
        f"{size(copy.body_bytes)}.",
        {
            "broker": copy.broker,
            "address": copy.address,
            "topic": copy.topic,
            "queue_id": copy.queue_id,
            "queue_offset": copy.queue_offset,
            "offset_message_id": copy.offset_id,
            "stored_ms": copy.stored_ms,
            "born_ms": copy.born_ms,
            "born_host": copy.born_host,
            "tag": copy.tag,
            "keys": " ".join(copy.keys),
            "body_bytes": copy.body_bytes,
        },
    )


def _several(message: MessageFacts, stored: list[Copy]) -> Finding:
    places = [f"queue {copy.queue_id} at {copy.queue_offset:,} on {copy.broker}" for copy in stored]
    return Finding(
        "stored several times",
        f"It is stored {len(stored)} times in topic {message.topic}: {listed(places)}. Its "
        "producer sent it again, most often because an answer was lost, or somebody resent it. "
        "Consumers get each copy; what follows is about the last one.",
        {"copies": len(stored)},
    )


def _on_disk(copy: Copy, broker: BrokerFacts) -> Finding:
    file_bytes = broker.number("mappedFileSizeCommitLog", _FILE_BYTES)
    file_name = f"{copy.log_offset // file_bytes * file_bytes:020d}"
    place = (
        f"It lies in commit log file {file_name} at byte {copy.log_offset % file_bytes:,} "
        f"({size(copy.size_bytes)})."
    )
    evidence: Evidence = {
        "file": file_name,
        "log_offset": copy.log_offset,
        "flush": broker.config.get("flushDiskType", "unknown"),
    }
    flushed = flushed_up_to(broker)
    if flushed is None:
        return Finding("on disk", f"{place} Whether it is flushed is not known.", evidence)
    if copy.log_offset + copy.size_bytes <= flushed:
        return Finding("on disk", f"{place} It is flushed to the disk.", evidence)
    if broker.config.get("flushDiskType") == "SYNC_FLUSH":
        risk = "Its send is answered when that is done."
    else:
        risk = "Until then it survives a crash of the broker, but not one of the machine."
    return Finding(
        "not flushed", f"{place} The flush to the disk is still to come. {risk}", evidence
    )


def flushed_up_to(broker: BrokerFacts) -> int | None:
    """The log offset below which all is certainly flushed; None when the broker does not tell.

    Brokers round what remains to 0.1 of its unit, so up to half of that is added.
    """
    found = _AMOUNT.fullmatch(broker.runtime.get("remainHowManyDataToFlush", "").strip())
    end = broker.runtime.get("commitLogMaxOffset", "")
    if found is None or not end.isdecimal():
        return None
    unit: int = 1024 ** _POWERS[found[2]]
    remaining = round((float(found[1]) + (0.05 if found[2] else 0)) * unit)
    return int(end) - remaining


def _kept(copy: Copy, broker: BrokerFacts, next_file_ms: int | None) -> Finding:
    hours = broker.number("fileReservedTime", 72)
    full = broker.number("diskSpaceCleanForciblyRatio", 85)
    ratio = broker.runtime.get("commitLogDiskRatio", "")
    used = f" ({float(ratio) * 100:.0f} % now)" if _is_number(ratio) else ""
    unless = f"If the disk gets more than {full} % full{used}, it goes earlier."
    evidence: Evidence = {
        "kept_hours": hours,
        "disk_full_percent": full,
        "disk_used_ratio": ratio or None,
        "file_last_written_ms": next_file_ms,
    }
    if next_file_ms is None:
        text = (
            f"Kept for at least {counted(hours, 'hour')} from now, as a file is deleted that long "
            f"after it was last written, and this one still is. {unless}"
        )
        return Finding("kept", text, evidence)
    until_ms = deleted_ms(next_file_ms + hours * 3_600_000, broker.config.get("deleteWhen", "04"))
    text = (
        f"Kept until about {when(until_ms, broker.now_ms)}: {counted(hours, 'hour')} after its "
        f"file was last written, which was at {moment(next_file_ms)}. {unless}"
    )
    return Finding("kept", text, {**evidence, "kept_until_ms": until_ms})


def deleted_ms(expired_ms: int, hours_text: str) -> int:
    """The first moment at or after one at which a broker deletes files: at some hours of the day.

    The hours are of the broker's zone, which is taken to be this machine's.
    """
    try:
        hours = parse_hours(hours_text)
    except ValueError:
        return expired_ms
    at = datetime.fromtimestamp(expired_ms / 1000)
    for _ in range(25):
        if not hours or at.hour in hours:
            return max(expired_ms, round(at.timestamp() * 1000))
        at = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return expired_ms


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


def _now_ms(message: MessageFacts, copy: Copy) -> int:
    broker = message.brokers.get(copy.broker)
    return copy.stored_ms if broker is None else broker.now_ms
