"""The command line as typed, on any cluster: the same checks run on PocketMQ's and on Apache's.

A module that imports these tests provides two fixtures: `name_server`, an address, and `call`, made
of `Cli`. Names are fresh in every test, so that all share one cluster.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import pocketmq
from pocketmq.cli.main import main

WITHIN_SECONDS = 60
AGAIN_SECONDS = 0.1
_numbers = itertools.count(1)
_run = f"{time.time_ns() // 1_000_000 % 10_000_000:07d}"


def fresh(stem: str) -> str:
    """A name that no other test has."""
    return f"{stem}_{_run}_{next(_numbers)}"


class Cli:
    """Types commands. `call("topic", "list")` is what one prints; it must succeed, or `exits`."""

    def __init__(
        self,
        name_server: str,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.name_server = name_server
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("NAMESRV_ADDR", name_server)

    def __call__(self, *words: str, exits: int = 0, typed: bytes | None = None) -> str:
        """Standard output of a command, or of one that fails its one line of error."""
        if typed is not None:
            self._monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed)))
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = self._capsys.readouterr()
        assert ended.value.code == exits, f"pocketmq {' '.join(words)}: {out}{err}"
        if exits:
            assert err.startswith("pocketmq: "), err
            assert err.count("\n") == 1, err
            return err
        return out

    def json(self, *words: str, exits: int = 0) -> Any:
        """What it prints for scripts."""
        with pytest.raises(SystemExit) as ended:
            main((*words, "--json"))
        out, err = self._capsys.readouterr()
        assert ended.value.code == exits, f"pocketmq {' '.join(words)}: {out}{err}"
        return json.loads(out)

    def until(self, condition: Callable[[Any], object], *words: str) -> Any:
        """What it prints for scripts as soon as that is as wanted; a broker may take a moment.

        Until then there may be nothing to print.
        """
        deadline = time.monotonic() + WITHIN_SECONDS
        while True:
            with pytest.raises(SystemExit) as ended:
                main((*words, "--json"))
            out, err = self._capsys.readouterr()
            assert ended.value.code in (0, 1), err
            found = json.loads(out) if ended.value.code == 0 else None
            if found is not None and condition(found):
                return found
            assert time.monotonic() < deadline, f"pocketmq {' '.join(words)}: {out}{err}"
            time.sleep(AGAIN_SECONDS)

    def topic(self, *, queues: int = 2) -> str:
        """A new topic, which the name server knows."""
        name = fresh("cli")
        self("topic", "create", name, "--queues", str(queues))
        self.until(lambda names: name in names, "topic", "list")
        return name

    def group(self) -> str:
        """A new group."""
        name = fresh("cli_group")
        self("group", "create", name)
        return name

    def knows_attributes(self) -> bool:
        """Whether topics have attributes and groups retry policies, as they have since 5.0."""
        # In its first second Apache's 4.9 fails to tell anything of itself.
        (broker,) = self.until(lambda brokers: brokers[0]["version"], "broker", "list")
        return not str(broker["version"]).startswith("V4")

    def broker(self) -> str:
        """The name of a broker."""
        name = self.json("broker", "list")[0]["broker"]["name"]
        assert isinstance(name, str)
        return name

    def send(self, topic: str, *words: str) -> str:
        """Send one message; return its id once it can be found."""
        receipt = self.json("message", "send", topic, *words)
        place = f"{receipt['broker_name']}:{receipt['queue_id']}:{receipt['queue_offset']}"
        self.until(len, "message", "get", place, "--topic", topic)
        return str(receipt["message_id"])


def _consume(
    name_server: str, group: str, topic: str, count: int, *, reject: bool = False
) -> list[str]:
    """Let a group consume, or give up on, so many messages; return their ids."""
    seen: list[str] = []

    async def handle(message: pocketmq.ReceivedMessage) -> pocketmq.Reject | None:
        seen.append(message.message_id)
        return pocketmq.Reject() if reject else None

    async def work() -> None:
        async with pocketmq.Consumer(
            name_server, group=group, topics=topic, handler=handle, start_from="first"
        ):
            deadline = time.monotonic() + WITHIN_SECONDS
            while len(seen) < count:
                assert time.monotonic() < deadline, f"{group} saw {len(seen)} of {count}"
                await asyncio.sleep(0.05)

    asyncio.run(work())
    return seen


# -- topics and groups -----------------------------------------------------------------------


def test_topics_are_created_changed_and_deleted(call: Cli) -> None:
    name, broker = fresh("cli"), call.broker()
    wanted = {"reserve.time": "86400000"} if call.knows_attributes() else {}
    flags = [f"--attribute={key}={value}" for key, value in wanted.items()]
    said = call("topic", "create", name, "--queues", "2", *flags)
    assert said.startswith(f"{name} has 2 queues on {broker}")
    call.until(lambda names: name in names, "topic", "list")
    assert "change it with `topic update" in call("topic", "create", name, exits=2)
    assert "stays as it is" in call("topic", "create", name, "--exists-ok")
    shown = call.json("topic", "show", name)
    assert (shown["topic"], shown["parts"][0]["write_queues"]) == (name, 2)
    assert shown["attributes"] == wanted
    assert [queue["end"] for queue in shown["queues"]] == [0, 0]
    (changed,) = call.json("topic", "update", name, "--queues", "3")["brokers"]
    assert (changed["read_queues"], changed["write_queues"]) == (3, 3)
    assert changed["attributes"] == wanted
    (changed,) = call.json("topic", "update", name, "--permission", "read")["brokers"]
    assert (changed["permission"], changed["write_queues"]) == ("read", 3)
    (changed,) = call.json("topic", "update", name, "--without", "reserve.time")["brokers"]
    assert changed["attributes"] == {}
    listed = {one["topic"]: one for one in call.json("topic", "list", "--long")}
    assert listed[name]["brokers"][0]["permission"] == "read"
    assert f"\n{name} " in "\n" + call("topic", "list", "-l")
    assert call("topic", "delete", name, "--yes").startswith(f"{name} is gone from ")
    call.until(lambda names: name not in names, "topic", "list")


def test_groups_are_created_changed_and_deleted(call: Cli) -> None:
    name, topic = fresh("cli_group"), call.topic()
    policy = "exponential:10s,1h,3"
    newer = call.knows_attributes()
    call("group", "create", name, "--retries", "3", *(("--retry-policy", policy) if newer else ()))
    assert "change it with `group update" in call("group", "create", name, exits=2)
    setup = call.json("group", "show", name)["setup"]
    assert setup["retry_max_times"] == 3
    assert setup["group_retry_policy"]["type"] == ("EXPONENTIAL" if newer else "CUSTOMIZED")
    text = call("group", "show", name)
    assert ("from 10s to 1h, times 3 each" if newer else "by delay level") in text
    assert "No member is connected." in text
    changed = call.json("group", "update", name, "--retries", "5", "--disable")["brokers"]
    assert changed[0]["setup"]["retry_max_times"] == 5
    assert changed[0]["setup"]["consume_enable"] is False
    assert changed[0]["setup"]["group_retry_policy"] == setup["group_retry_policy"]
    if newer:
        assert f"{name} may not read {topic} on" in call("group", "forbid", name, topic)
        assert f"{name} may read {topic} on" in call("group", "allow", name, topic)
    else:
        assert "too old for this command" in call("group", "allow", name, topic, exits=4)
    assert name in {one["name"] for one in call.json("group", "list")}
    assert call("group", "delete", name, "-y").startswith(f"{name} is gone from ")
    assert "there is no group" in call("group", "show", name, exits=1)
    assert "there is no group" in call("group", "delete", name, "-y", exits=1)


def test_what_a_broker_is_too_old_for_is_said(call: Cli) -> None:
    if call.knows_attributes():
        call("topic", "create", fresh("cli"), "--type", "FIFO")
        call("group", "create", fresh("cli_group"), "--retry-policy", "steps:1s,1m")
        return
    said = call("topic", "create", fresh("cli"), "--type", "FIFO", exits=4)
    assert "does not keep message.type" in said
    said = call("group", "create", fresh("cli_group"), "--retry-policy", "steps:1s,1m", exits=4)
    assert "does not keep retry policies" in said


# -- messages --------------------------------------------------------------------------------


def test_messages_are_sent_and_found(call: Cli) -> None:
    topic = call.topic(queues=1)
    first = call.send(topic, "two pizzas", "-t", "new", "-k", "42", "-k", "43", "-p", "size=xl")
    second = call.send(topic, '{"pizza": ["世界"]}', "--tag", "paid", "-k", "42")
    (found,) = call.json("message", "get", first, "--topic", topic)
    assert (found["body"], found["tag"], found["keys"]) == ("two pizzas", "new", ["42", "43"])
    assert (found["properties"]["size"], found["queue_offset"]) == ("xl", 0)
    assert found["broker"] == call.broker()
    (same,) = call.json("message", "get", found["offset_message_id"])
    assert same["message_id"] == first
    (anywhere,) = call.json("message", "get", second)
    assert anywhere["topic"] == topic
    assert call("message", "get", first, "--topic", topic, "--body") == "two pizzas"
    page = call("message", "get", second, "--topic", topic)
    assert '    "世界"' in page
    call.until(lambda found: len(found) == 2, "message", "query", topic, "--key", "42")
    newest = call.json("message", "query", topic, "--limit", "1")
    assert [one["message_id"] for one in newest] == [second]
    everything = call.json("message", "query", topic, "--from", "first")
    assert [one["message_id"] for one in everything] == [first, second]
    tagged = call.json("message", "query", topic, "--from", "1h", "--tag", "paid || gone")
    assert [one["message_id"] for one in tagged] == [second]
    chosen = call.json("message", "query", topic, "--from", "first", "--sql", "size = 'xl'")
    assert [one["message_id"] for one in chosen] == [first]
    at = everything[1]["stored_ms"]
    later = call("message", "query", topic, "--from", str(at + 60_000), exits=1)
    assert "has no such messages" in later
    assert "two pizzas" in call("message", "query", topic)
    assert "there is no message" in call("message", "get", "0" * 32, "--topic", topic, exits=1)


def test_messages_come_from_standard_input_and_files(call: Cli, tmp_path: Any) -> None:
    topic = call.topic(queues=1)
    said = call("message", "send", topic, "--lines", typed=b"one\n\ntwo\r\nthree")
    assert said == f"3 messages are in {topic}\n"
    call("message", "send", topic, typed=b"from a pipe")
    file = tmp_path / "body.bin"
    file.write_bytes(b"\x00\xff\x1b[31m")
    call("message", "send", topic, "--file", str(file), "--queue", f"{call.broker()}:0")
    assert call("message", "send", topic, "again", "--count", "2") == f"2 messages are in {topic}\n"
    found = call.until(lambda found: len(found) == 7, "message", "query", topic, "--from", "first")
    bodies = [one.get("body") for one in found]
    assert bodies == ["one", "two", "three", "from a pipe", None, "again", "again"]
    assert found[4]["body_base64"] == "AP8bWzMxbQ=="
    shown = call("message", "query", topic)
    assert "\x1b" not in shown
    assert "00 ff 1b 5b 33 31 6d" in shown


def test_a_message_for_a_place_that_is_not_there(call: Cli) -> None:
    topic = call.topic(queues=1)
    words = ("message", "send", topic, "pizza", "--queue", f"{call.broker()}:9")
    assert "lists them" in call(*words, exits=1)
    assert "write it as BROKER:QUEUE" in call(*words[:-1], "9", exits=2)


def test_tailing_shows_what_was_and_what_comes(call: Cli) -> None:
    topic = call.topic()
    for number in range(3):
        call.send(topic, f"body {number}\x1b[31m", "-t", "odd" if number % 2 else "even")
    lines = call("message", "tail", topic, "--from", "first", "--count", "3").splitlines()
    assert sorted(line[-14:] for line in lines) == [f"body {n}\\x1b[31m" for n in range(3)]
    told = call("message", "tail", topic, "--from", "1h", "--tag", "odd", "--count", "1", "--json")
    assert json.loads(told)["tag"] == "odd"
    assert "it does not exist" in call("message", "tail", fresh("nowhere"), exits=1)


def test_a_trace_is_told(call: Cli) -> None:
    topic, group = call.topic(), call.group()

    async def send() -> str:
        hooks = [pocketmq.Trace()]
        async with pocketmq.Producer(call.name_server, group="cli_shop", hooks=hooks) as producer:
            return (await producer.send(topic, b"pizza", keys="42")).message_id

    message_id = asyncio.run(send())
    points = call.until(
        lambda points: any(one["group"] == "cli_shop" for one in points),
        "message",
        "trace",
        message_id,
    )
    (sent,) = [point for point in points if point["group"] == "cli_shop"]
    assert (sent["what"], sent["topic"], sent["outcome"]) == ("sent", topic, "success")
    assert "cli_shop" in call("message", "trace", message_id)
    assert "nothing is traced" in call("message", "trace", fresh("id"), exits=1)
    assert group not in {point["group"] for point in points}


def test_messages_are_sent_again(call: Cli) -> None:
    topic, copies, group = call.topic(), call.topic(), call.group()
    message_id = call.send(topic, "pizza", "-k", "42")
    receipt = call.json("message", "resend", message_id, "--topic", topic, "--to", copies, "-y")
    assert receipt["message_id"] != message_id
    (copy,) = call.until(len, "message", "query", copies, "--from", "first")
    assert (copy["body"], copy["keys"]) == ("pizza", ["42"])
    words = ("message", "resend", message_id, "--topic", topic, "--group", group, "-y")
    assert "has no connected consumer" in call(*words, exits=2)


def test_a_message_is_handed_to_a_consumer(call: Cli) -> None:
    topic, group = call.topic(queues=1), call.group()
    good, bad = call.send(topic, "good"), call.send(topic, "bad")
    handled: list[str] = []
    done = threading.Event()

    async def handle(message: pocketmq.ReceivedMessage) -> None:
        handled.append(message.text)
        if message.text == "bad" and handled.count("bad") > 1:
            raise ValueError("too cold")

    async def work() -> None:
        async with pocketmq.Consumer(
            call.name_server, group=group, topics=topic, handler=handle, start_from="first"
        ):
            await asyncio.to_thread(done.wait, WITHIN_SECONDS)

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    try:
        call.until(lambda shown: shown["members"] and len(handled) == 2, "group", "show", group)
        words = ("--topic", topic, "--group", group, "-y")
        told = call.json("message", "resend", good, *words)
        assert (told["outcome"], handled) == ("success", ["good", "bad", "good"])
        told = call.json("message", "resend", bad, *words, "--client", told["client_id"], exits=1)
        assert told["outcome"] in ("failed", "retry")
    finally:
        done.set()
        thread.join()
    assert handled[3:] == ["bad"]


# -- positions and dead letters --------------------------------------------------------------


def test_groups_are_moved(call: Cli) -> None:
    topic, group, other = call.topic(queues=1), call.group(), call.group()
    for number in range(4):
        call.send(topic, str(number))
    _consume(call.name_server, group, topic, 4)
    call.until(
        lambda queues: [queue["lag"] for queue in queues] == [0], "offset", "show", group, topic
    )
    (planned,) = call.json("offset", "reset", group, topic, "--to", "first", "--dry-run")
    assert planned["offset"] == 0
    assert [q["lag"] for q in call.json("offset", "show", group, topic)] == [0]
    (moved,) = call.json("offset", "reset", group, topic, "--to", "1h", "-y")
    assert (moved["topic"], moved["offset"]) == (topic, 0)
    assert [q["lag"] for q in call.json("offset", "show", group, topic)] == [4]
    queue = f"{call.broker()}:0"
    call("offset", "reset", group, topic, "--queue", queue, "--to", "3", "-y")
    assert [q["lag"] for q in call.json("offset", "show", group, topic)] == [1]
    words = ("offset", "reset", group, topic, "--queue", queue, "--to", "9", "-y")
    assert "so 9 is outside of it" in call(*words, exits=2)
    (cloned,) = call.json("offset", "clone", group, other, topic, "-y")
    assert cloned["offset"] == 3
    assert [q["consumed"] for q in call.json("offset", "show", other, topic)] == [3]
    (skipped,) = call.json("offset", "skip", group, topic, "-y")
    assert skipped["offset"] == 4
    assert "GOES ON AT" in call("offset", "reset", group, topic, "--to", "end", "-y")
    behind = {one["name"]: one["lag"] for one in call.json("group", "list", "--behind")}
    assert (group in behind, behind[other]) == (False, 1)


def test_dead_letters_are_given_back(call: Cli) -> None:
    topic, group = call.topic(queues=1), call.group()
    ids = {call.send(topic, str(number), "-k", str(number)) for number in range(3)}
    assert set(_consume(call.name_server, group, topic, 3, reject=True)) == ids
    queues = call.until(
        lambda queues: any(one["group"] == group and one["messages"] == 3 for one in queues),
        "dlq",
        "list",
    )
    assert [one["waiting"] for one in queues if one["group"] == group] == [3]
    letters = call.json("dlq", "show", group)
    assert {one["message"]["message_id"] for one in letters} == ids
    assert {one["origin_topic"] for one in letters} == {topic}
    assert topic in call("dlq", "show", group)
    assert "3 would go to %RETRY%" in call("dlq", "redrive", group, "--dry-run")
    assert "say --yes" in call("dlq", "redrive", group, exits=2)
    assert f"3 went to %RETRY%{group}" in call("dlq", "redrive", group, "-y")
    assert "has no such dead letters" in call("dlq", "redrive", group, "-y")
    assert "has no dead letters that wait" in call("dlq", "show", group)
    assert set(_consume(call.name_server, group, topic, 3)) == ids
    one = letters[0]["message"]["message_id"]
    result = call.json("dlq", "redrive", group, "--to", "topic", "--id", one, "-y")
    assert result["result"]["targets"] == {topic: 1}
    call.until(lambda found: len(found) == 4, "message", "query", topic, "--from", "first")
    assert "has never had dead letters" in call("dlq", "show", fresh("group"), exits=1)


# -- servers ---------------------------------------------------------------------------------


def test_brokers_are_shown(call: Cli) -> None:
    states = call.json("cluster", "show")
    name = states[0]["broker"]["name"]
    assert states[0]["problem"] == ""
    assert states[0]["runtime"]["bootTimestamp"]
    assert states[0]["started_ms"] == int(states[0]["runtime"]["bootTimestamp"])
    assert name in call("cluster", "show")
    assert name in call("broker", "list")
    assert "(master)" in call("broker", "show", name)
    assert "bootTimestamp" in call("broker", "show", name, "--all")
    assert call.json("broker", "settings", name, "*flushDisk*") == {"flushDiskType": "ASYNC_FLUSH"}
    assert "there is no broker" in call("broker", "show", fresh("broker"), exits=2)
    assert "has no setting like" in call("broker", "settings", name, "nothing", exits=1)


def test_a_broker_is_drained_and_used_again(call: Cli) -> None:
    topic, name = fresh("drained"), call.broker()
    call("topic", "create", topic)
    assert "say --yes if it is meant" in call("broker", "drain", name, exits=2, typed=b"")
    drained = call.json("broker", "drain", name, "--yes")
    try:
        assert (drained["broker"], drained["writable"]) == (name, False)
        assert drained["topics"][call.name_server] >= 1
        refused = call("message", "send", topic, "for nobody", exits=1)
        assert topic in refused
    finally:
        told = call("broker", "resume", name)
    assert f"of {name} can be read and written now, says {call.name_server}" in told
    assert call.json("message", "send", topic, "for all")["topic"] == topic
    assert "there is no broker" in call("broker", "resume", fresh("broker"), exits=2)


def test_settings_are_explained_and_changed(call: Cli) -> None:
    name = call.broker()
    told = call.json("config", "get", "notifyConsumerIdsChangedEnable")
    assert told["values"][name] == "true"
    assert told["explained"]["takes"] == "true or false"
    listed = {one["key"]: one for one in call.json("config", "list", "flush")}
    assert listed["flushDiskType"]["value"] == "ASYNC_FLUSH"
    said = call("config", "set", "notifyConsumerIdsChangedEnable", "true", "-y")
    assert said == f"notifyConsumerIdsChangedEnable is true on {name}\n"
    assert "knows no setting" in call("config", "set", "nosuch", "1", "-y", exits=2)
    assert "nothing is called" in call("config", "get", "nosuch", exits=1)
    assert "listenPort" in {one["key"] for one in call.json("config", "list", "--nameservers")}


def test_a_shell_is_offered_the_names_there_are(call: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    topic, group = call.topic(), call.group()

    def offered(line: str) -> list[str]:
        monkeypatch.setenv("_POCKETMQ_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        lines = call().splitlines()
        monkeypatch.delenv("_POCKETMQ_COMPLETE")
        return [text.partition(",")[2] for text in lines if text]

    assert topic in offered(f"pocketmq topic show {topic[:-1]}")
    assert group in offered("pocketmq group show cli_")
    assert offered("pocketmq broker show ")[0] == call.broker()
    assert "flushDiskType" in offered("pocketmq config get flushD")
    assert offered("pocketmq top") == ["topic"]
    monkeypatch.setenv("NAMESRV_ADDR", "127.0.0.1:1")
    assert offered("pocketmq topic show ") == []


__all__ = [name for name in globals() if name.startswith("test_")]
