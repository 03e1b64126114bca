"""The console's API as its pages use it, on a real cluster."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.console import Browser, console
from tests.support.sdk_cluster import SdkCluster, sdk_cluster
from tests.support.waiting import until

import pocketmq
from pocketmq.broker.config import PullConfig
from pocketmq.client.codecs import HessianCodec, JavaCodec, JavaObject
from pocketmq.console import openapi
from pocketmq.console.app import endpoints


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SdkCluster]:
    async with sdk_cluster(tmp_path, pull=PullConfig(property_filter=True)) as started:
        started.create_topic("orders", queues=2)
        yield started


@pytest.fixture
async def browser(cluster: SdkCluster) -> AsyncIterator[Browser]:
    async with console(cluster.address) as opened:
        yield opened


@pytest.fixture
async def producer(cluster: SdkCluster) -> AsyncIterator[pocketmq.Producer]:
    async with pocketmq.Producer(cluster.address, group="till") as opened:
        yield opened


async def _accept(message: pocketmq.ReceivedMessage) -> None:
    return None


async def test_topics_are_made_changed_listed_and_deleted(browser: Browser) -> None:
    new = {"name": "bills", "queues": 3, "message_type": "FIFO", "permission": "both"}
    made = await browser.post("/topics", new)
    assert (made["kind"], made["attributes"]) == ("fifo", {"message.type": "FIFO"})
    (part,) = made["parts"]
    assert (part["broker"], part["read_queues"], part["write_queues"]) == ("broker-a", 3, 3)
    again = await browser.write("POST", "/topics", new)
    assert (again.status, again.error) == (409, "exists")

    changed = await browser.write("PUT", "/topics/bills", {"write_queues": 5})
    (part,) = changed.tree["parts"]
    assert (part["read_queues"], part["write_queues"], part["permission"]) == (3, 5, "both")
    assert changed.tree["attributes"] == {"message.type": "FIFO"}  # what is not named stays

    page = await browser.tree("/topics?figures=true")
    assert [row["name"] for row in page["items"]] == ["bills", "orders"]
    assert (page["items"][0]["messages"], page["total"], page["kinds"]["fifo"]) == (0, 2, 1)
    assert [row["name"] for row in (await browser.tree("/topics?kind=fifo"))["items"]] == ["bills"]
    assert [row["name"] for row in (await browser.tree("/topics?q=ORD"))["items"]] == ["orders"]
    assert "TBW102" in {row["name"] for row in (await browser.tree("/topics?kind=system"))["items"]}
    second = await browser.tree("/topics?size=1&page=2&sort=-name")
    assert ([row["name"] for row in second["items"]], second["total"]) == (["bills"], 2)

    deleted = await browser.write("DELETE", "/topics/bills")
    assert deleted.tree == {"name": "bills", "brokers": ["broker-a"]}
    gone = await browser.get("/topics/bills")
    assert (gone.status, gone.error) == (404, "no_such_topic")


async def test_a_mistaken_parameter_is_named(browser: Browser) -> None:
    for path, field in (
        ("/topics?pge=2", "pge"),
        ("/topics?page=0", "page"),
        ("/topics?size=501", "size"),
        ("/topics?size=x", "size"),
        ("/topics?kind=nice", "kind"),
        ("/topics?figures=yes", "figures"),
        ("/messages?key=a", "topic"),
        ("/messages?topic=orders&offset=3", "queue"),
        ("/messages?topic=orders&queue=b&offset=3", "queue"),
        ("/messages?topic=orders&cursor=nonsense", "cursor"),
        ("/brokers/broker-a/x", "id"),
        ("/groups/g/running", "client"),
    ):
        answer = await browser.get(path)
        assert (answer.status, answer.error) == (400, "bad_request"), path
        assert answer.tree["error"]["details"]["field"] == field


async def test_a_path_says_what_it_knows(browser: Browser) -> None:
    answer = await browser.write("PATCH", "/topics/orders", {})
    assert (answer.status, answer.headers["allow"]) == (405, "DELETE, GET, PUT")
    assert (await browser.get("/nothing")).error == "not_found"


async def test_groups_their_members_and_how_far_they_are(
    browser: Browser, cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    made = await browser.post("/groups", {"name": "billing", "retries_max": 3})
    assert made["parts"][0]["retries_max"] == 3
    changed = await browser.write("PUT", "/groups/billing", {"orderly": True})
    assert (changed.tree["parts"][0]["orderly"], changed.tree["parts"][0]["retries_max"]) == (
        True,
        3,
    )
    for number in range(4):
        await producer.send("orders", f"{number}")
    await browser.post("/offsets/reset", {"group": "billing", "topic": "orders", "to": "start"})
    (row,) = (await browser.tree("/groups?figures=true"))["items"]
    assert (row["name"], row["members"], row["lag"], row["model"]) == ("billing", 0, 4, None)

    consumer = pocketmq.Consumer(
        cluster.address, group="billing", topics={"orders": "*"}, handler=_accept
    )
    async with consumer:
        await until(lambda: len(consumer.assigned()) == 2)
        shown = await browser.tree("/groups/billing")
        (member,) = shown["members"]
        assert (member["client_id"], member["language"]) == (consumer.client_id, "PYTHON")
        assert {"topic": "orders", "expression": "*", "expression_type": "TAG"} in (
            member["subscriptions"]
        )
        assert (shown["type"], shown["model"], shown["differing"]) == ("push", "clustering", [])
        assert (await browser.tree("/groups/billing/members"))["items"] == shown["members"]
        said = await browser.tree(f"/groups/billing/running?client={consumer.client_id}")
        assert {queue["queue_id"] for queue in said["queues"] if queue["topic"] == "orders"} == {
            0,
            1,
        }
        progress = await browser.tree("/groups/billing/progress?topic=orders")
        assert [one["client_id"] for one in progress["items"]] == [consumer.client_id] * 2
        nobody = await browser.get("/groups/billing/running?client=nobody")
        assert (nobody.status, nobody.error) == (404, "no_such_client")
        conflict = await browser.write("DELETE", "/groups/billing")
        assert (conflict.status, conflict.error) == (409, "conflict")
        (client,) = (await browser.tree("/clients?kind=consumer"))["items"]
        assert client["client_id"] == consumer.client_id
        (sender,) = (await browser.tree("/clients?q=till"))["items"]
        # Clients of one process that reach the same cluster are one, with several roles.
        roles = [*client["roles"], *sender["roles"]]
        assert {"kind": "consumer", "group": "billing"} in roles
        assert {"kind": "producer", "group": "till"} in roles
        (found,) = (await browser.tree("/topics/orders/groups"))["items"]
        assert (found["group"], found["members"]) == ("billing", 1)
        ids = [
            one["client_id"] for one in (await browser.tree("/topics/orders/producers"))["items"]
        ]
        assert ids == [sender["client_id"]]
    deleted = await browser.write("DELETE", "/groups/billing?offsets=true")
    assert deleted.status == 200
    assert (await browser.get("/groups/billing")).error == "no_such_group"


async def test_members_that_subscribe_differently_are_shown(
    browser: Browser, cluster: SdkCluster
) -> None:
    def member(tags: str) -> pocketmq.Consumer:
        return pocketmq.Consumer(
            cluster.address, group="billing", topics={"orders": tags}, handler=_accept
        )

    one, other = member("paid"), member("open")
    async with one, other:
        wanted = {one.client_id: "paid", other.client_id: "open"}
        shown = await browser.shown("/groups/billing", lambda tree: len(tree["members"]) == 2)
        (found,) = shown["differing"]
        assert (found["topic"], found["expressions"]) == ("orders", wanted)


async def test_messages_are_sent_and_found_in_every_way(browser: Browser) -> None:
    new = {
        "topic": "orders",
        "body": '{"n": 1}',
        "tag": "paid",
        "keys": ["k1", "k2"],
        "properties": {"amount": "7"},
    }
    sent = await browser.post("/messages", new)
    assert sent["status"] == "SEND_OK"
    place = f"queue={sent['broker']}:{sent['queue_id']}&offset={sent['offset']}"
    for query in (
        f"id={sent['id']}",
        f"topic=orders&id={sent['id']}",
        f"topic=orders&id={sent['offset_id']}",
        "topic=orders&key=k2",
        "topic=orders",
        "topic=orders&from_ms=1&to_ms=9000000000000",
        f"topic=orders&{place}",
    ):
        (found,) = (await browser.tree(f"/messages?{query}"))["items"]
        assert (found["id"], found["offset_id"]) == (sent["id"], sent["offset_id"]), query
        assert (found["tag"], found["keys"], found["preview"]) == ("paid", ["k1", "k2"], '{"n": 1}')
        assert found["properties"]["amount"] == "7"
    assert (await browser.tree("/messages?topic=orders&to_ms=1"))["items"] == []
    assert (await browser.tree("/messages?topic=orders&key=k3"))["items"] == []
    missing = await browser.get(f"/messages/orders/{'0' * 32}")
    assert (missing.status, missing.error) == (404, "no_such_message")
    unknown = await browser.write("POST", "/messages", {"topic": "ordres", "body": "x"})
    assert (unknown.status, unknown.error) == (404, "no_such_topic")  # and it was not created
    for body in ({"topic": "orders"}, {"topic": "orders", "body": "x", "body_base64": "eA=="}):
        assert (await browser.write("POST", "/messages", body)).status == 400


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_pages_of_a_time_show_each_message_once_and_in_order(
    browser: Browser, producer: pocketmq.Producer, order: str
) -> None:
    sent = [(await producer.send("orders", f"{number}")).message_id for number in range(17)]
    path = f"/messages?topic=orders&limit=4&order={order}"
    page = await browser.tree(path)
    seen = [(one["stored_ms"], one["id"]) for one in page["items"]]
    while page["next"] is not None:
        await producer.send("orders", "newer")  # what comes meanwhile does not disturb
        page = await browser.tree(f"{path}&cursor={page['next']}")
        seen += [(one["stored_ms"], one["id"]) for one in page["items"]]
    assert sorted(name for _, name in seen) == sorted(sent)
    times = [at for at, _ in seen]
    assert times == sorted(times, reverse=order == "newest")


async def test_a_place_is_read_on_page_by_page(
    browser: Browser, producer: pocketmq.Producer
) -> None:
    for number in range(5):
        await producer.send("orders", f"{number}", order_by="one queue")
    (first,) = (await browser.tree("/messages?topic=orders&order=oldest&limit=1"))["items"]
    path = f"/messages?topic=orders&queue=broker-a:{first['queue_id']}&offset=1&limit=3"
    page = await browser.tree(path)
    rest = await browser.tree(f"{path}&cursor={page['next']}")
    bodies = [one["preview"] for one in (*page["items"], *rest["items"])]
    assert (bodies, rest["next"]) == (["1", "2", "3", "4"], None)


async def test_a_body_is_shown_as_what_it_is(browser: Browser) -> None:
    for body, guess, part in (
        (b'{"a": [1, "\xc3\xa4"]}', "json", '"ä"'),
        ("später\n".encode(), "text", "später"),
        (bytes(range(256)), "hex", "00000010  10 11"),
        (JavaCodec().encode(JavaObject("shop.Order", {"id": 7})), "java", '"@class": "shop.Order"'),
        (HessianCodec().encode({"id": [1, 2.5, None]}), "hessian", "2.5"),
    ):
        packed = base64.b64encode(body).decode()
        sent = await browser.post("/messages", {"topic": "orders", "body_base64": packed})
        shown = (await browser.tree(f"/messages/orders/{sent['id']}"))["body"]
        assert (shown["guess"], shown["size"], shown["cut"]) == (guess, len(body), False)
        assert part in shown["views"][guess]
        assert base64.b64decode(shown["base64"]) == body
        whole = await browser.get(f"/messages/orders/{sent['id']}/body")
        assert whole.body == body


async def test_a_large_body_is_cut_but_its_attachment_is_whole(
    browser: Browser, producer: pocketmq.Producer
) -> None:
    body = "ä" * 500_000
    sent = await producer.send("orders", body)
    shown = (await browser.tree(f"/messages/orders/{sent.message_id}"))["body"]
    assert (shown["size"], shown["cut"], shown["compressed"]) == (1_000_000, True, True)
    assert shown["views"]["text"] == "ä" * (128 * 1024)
    assert len((await browser.get(f"/messages/orders/{sent.message_id}/body")).body) == 1_000_000


async def test_a_message_is_consumed_again_copied_traced_and_explained(
    browser: Browser, cluster: SdkCluster
) -> None:
    sent = await browser.post("/messages", {"topic": "orders", "body": "x", "keys": ["k"]})
    path = f"/messages/orders/{sent['id']}"
    nobody = await browser.write("POST", f"{path}/resend", {"group": "billing"})
    assert nobody.status == 400
    seen: list[str] = []

    async def handle(message: pocketmq.ReceivedMessage) -> None:
        seen.append(message.text)

    async with pocketmq.Consumer(
        cluster.address, group="billing", topics={"orders": "*"}, handler=handle
    ) as consumer:
        before = len(seen)
        handled = await browser.post(f"{path}/resend", {"group": "billing"})
        assert (handled["client_id"], handled["outcome"]) == (consumer.client_id, "success")
        assert len(seen) > before
    copied = await browser.post(f"{path}/copy", {})
    assert copied["id"] != sent["id"]
    assert len((await browser.tree("/messages?topic=orders&key=k"))["items"]) == 2
    traced = (await browser.tree(f"{path}/trace"))["items"]
    assert all(point["message_id"] == sent["id"] for point in traced)
    told = await browser.tree(f"{path}/explain?group=billing")
    (life,) = told["messages"]
    assert life["message_id"] == sent["id"]
    assert "Stored" in life["findings"][0]["text"]
    assert [fate["group"] for fate in life["groups"]] == ["billing"]
    by_key = await browser.tree("/explain?topic=orders&key=k")
    assert len(by_key["messages"]) == 2


async def test_filters_are_tried_on_properties_and_on_messages(browser: Browser) -> None:
    form = {"expression": "amount > 5 AND b IS NULL", "properties": {"amount": "7"}}
    verdict = await browser.post("/filters/test", form)
    assert (verdict["valid"], verdict["matches"], verdict["error"]) == (True, True, None)
    assert verdict["values"] == [
        {"text": "amount > 5", "seen": {"amount": "7"}, "value": "true"},
        {"text": "b IS NULL", "seen": {"b": None}, "value": "true"},
    ]
    broken = await browser.post("/filters/test", {"expression": "amount > > 5"})
    assert (broken["valid"], broken["matches"], broken["error"]["position"]) == (False, None, 9)
    sent = await browser.post("/messages", {"topic": "orders", "body": "x", "tag": "paid"})
    stored = {"type": "TAG", "expression": "a || paid", "topic": "orders", "id": sent["id"]}
    assert (await browser.post("/filters/test", stored))["matches"] is True
    assert (await browser.post("/filters/test", {**stored, "expression": "a"}))["matches"] is False


async def test_positions_are_set_copied_and_skipped(
    browser: Browser, producer: pocketmq.Producer
) -> None:
    for number in range(4):
        await producer.send("orders", f"{number}", order_by="one queue")
    for name in ("billing", "audit"):
        await browser.post("/groups", {"name": name})
    pair = {"group": "billing", "topic": "orders"}
    skipped = await browser.post("/offsets/skip", pair)
    assert sorted(one["offset"] for one in skipped["items"]) == [0, 4]
    (queue,) = [one["queue_id"] for one in skipped["items"] if one["offset"] == 4]
    at = {**pair, "broker": "broker-a", "queue_id": queue, "offset": 2}
    assert (await browser.post("/offsets/set", at))["items"][0]["offset"] == 2
    outside = await browser.write("POST", "/offsets/set", {**at, "offset": 9})
    assert outside.status == 400
    await browser.post("/offsets/clone", {"source": "billing", "target": "audit"})
    assert (await browser.tree("/groups/audit/progress"))["lag"] == 2
    await browser.post("/offsets/reset", {**pair, "to_ms": 1})
    assert (await browser.tree("/groups/billing/progress"))["lag"] == 4
    neither = await browser.write("POST", "/offsets/reset", pair)
    assert neither.status == 400


async def test_dead_letters_are_shown_and_given_back_while_one_watches(
    browser: Browser, cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    await browser.post("/groups", {"name": "billing", "retries_max": 0})

    async def reject(message: pocketmq.ReceivedMessage) -> None:
        message.reject()

    sent = [(await producer.send("orders", f"{number}")).message_id for number in range(3)]
    async with pocketmq.Consumer(
        cluster.address,
        group="billing",
        topics={"orders": "*"},
        handler=reject,
        start_from="first",
    ):
        await until(
            lambda: "%DLQ%billing" in cluster.brokers["broker-a"].running.tables.topics.configs
        )
        browser.desk.picture.forget()
        await browser.shown("/topics/%25DLQ%25billing", lambda tree: tree["messages"] == 3)
    (row,) = (await browser.tree("/dead-letters"))["items"]
    assert (row["group"], row["topic"], row["waiting"]) == ("billing", "%DLQ%billing", 3)
    letters = (await browser.tree("/dead-letters/billing/messages"))["items"]
    assert {(one["id"], one["origin_topic"]) for one in letters} == {(id, "orders") for id in sent}
    assert not any(one["given_back"] for one in letters)
    await browser.shown("/overview", lambda seen: seen["totals"]["dead_letters_waiting"] == 3)
    async with browser.events() as events:
        begun = await browser.post("/dead-letters/billing/redrive", {"all": True, "to": "topic"})
        moved = await events.next("task")
        while moved["state"] == "running":
            moved = await events.next("task")
    assert (moved["id"], moved["state"], moved["done"]) == (begun["id"], "done", 3)
    (task,) = (await browser.tree("/tasks"))["items"]
    assert task == await browser.tree(f"/tasks/{begun['id']}")
    letters = (await browser.tree("/dead-letters/billing/messages"))["items"]
    assert all(one["given_back"] for one in letters)
    await browser.shown("/overview", lambda seen: seen["totals"]["dead_letters_waiting"] == 0)
    assert (await browser.get("/tasks/nope")).error == "no_such_task"
    assert (await browser.write("POST", "/dead-letters/none/redrive", {"all": True})).status == 404


async def test_waiting_messages_are_counted_and_listed(
    browser: Browser, producer: pocketmq.Producer
) -> None:
    await browser.post("/messages", {"topic": "orders", "body": "level", "delay_level": 5})
    later = 9_000_000_000_000
    near = browser.desk.clock.now_ms() + 600_000
    await browser.post("/messages", {"topic": "orders", "body": "timed", "deliver_at_ms": near})
    assert (
        await browser.write(
            "POST", "/messages", {"topic": "orders", "body": "x", "deliver_at_ms": later}
        )
    ).status in (400, 422)
    (delayed,) = (await browser.tree("/waiting/levels/5"))["items"]
    assert (delayed["origin"]["topic"], delayed["preview"]) == ("orders", "level")
    assert delayed["due_ms"] == delayed["stored_ms"] + 60_000
    (timed,) = (await browser.shown("/waiting/timer", lambda tree: tree["items"]))["items"]
    assert abs(timed["due_ms"] - near) <= 1000
    counted = await browser.tree("/waiting")
    assert [one["messages"] for one in counted["levels"] if one["level"] == 5] == [1]
    assert (counted["timer"]["messages"], counted["half"]["messages"]) == (1, 0)
    assert (await browser.get("/waiting/levels/99")).status == 404


async def test_half_messages_are_those_whose_transaction_is_open(
    browser: Browser, producer: pocketmq.Producer
) -> None:
    async with producer.transaction("orders", b"done"):
        pass
    async with producer.transaction("orders", b"open") as transaction:
        transaction.leave_open()
    found = await browser.shown("/waiting/half", lambda tree: len(tree["items"]) == 1)
    (half,) = found["items"]
    assert half["id"] == transaction.message_id
    assert (half["origin"]["topic"], half["producer_group"]) == ("orders", "till")
    assert half["transaction"] == "prepared"
    assert (await browser.tree("/waiting"))["half"] == {"messages": 1}


async def test_brokers_settings_and_name_servers(browser: Browser, cluster: SdkCluster) -> None:
    (broker,) = (await browser.tree("/brokers"))["items"]
    assert (broker["name"], broker["up"], broker["cluster"]) == ("broker-a", True, "C")
    assert broker["latency_ms"] > 0
    shown = await browser.tree("/brokers/broker-a/0")
    assert "bootTimestamp" in shown["runtime"]
    assert shown["name"] == "broker-a"
    settings = {
        one["name"]: one for one in (await browser.tree("/brokers/broker-a/0/settings"))["items"]
    }
    assert settings["autoCreateTopicEnable"]["changeable"]
    assert settings["autoCreateTopicEnable"]["help"]
    assert not settings["storePathRootDir"]["changeable"]
    missing = await browser.get("/brokers/broker-z/0")
    assert (missing.status, missing.error) == (404, "no_such_broker")
    (server,) = (await browser.tree("/name-servers"))["items"]
    assert (server["address"], server["up"], server["brokers"]) == (cluster.address, True, 1)


async def test_the_doctor_is_asked_once_for_many(browser: Browser) -> None:
    first, second = await asyncio.gather(browser.tree("/doctor"), browser.tree("/doctor"))
    assert first == second
    assert (first["brokers"], first["name_servers"]) == (1, 1)
    assert first["checks"]


async def test_many_viewers_cost_as_much_as_one_and_none_costs_nothing(cluster: SdkCluster) -> None:
    async with console(cluster.address, poll_interval_ms=200) as browser:
        live = browser.desk.live
        assert live.polls == 0  # nobody looks
        async with browser.events() as one, browser.events() as other, browser.events() as third:
            polls = live.polls
            for _ in range(3):
                await asyncio.gather(*(events.next("overview") for events in (one, other, third)))
            assert live.polls - polls <= 4
            seen = await one.next("overview")
            assert [broker["name"] for broker in seen["brokers"]] == ["broker-a"]
            assert len(seen["history"]["points"]) == 1
        whole = await browser.tree("/overview")
        assert len(whole["history"]["points"]) >= 3
        assert (whole["totals"]["topics"], whole["totals"]["lag"]) == (1, 0)
        await until(lambda: not live.is_watched_now)


async def test_too_many_streams_are_refused(cluster: SdkCluster) -> None:
    async with console(cluster.address, viewers_max=1) as browser, browser.events() as events:
        await events.next("overview")
        answer = await browser.get("/events")
        assert (answer.status, answer.error) == (429, "too_many")
        assert "retry-after" in answer.headers


async def test_a_cluster_that_is_gone_is_said_and_comes_back(
    browser: Browser, cluster: SdkCluster
) -> None:
    await cluster.stop_broker("broker-a")
    browser.desk.picture.forget()
    overview = await browser.tree("/overview")
    assert overview["brokers"] == [] or not overview["brokers"][0]["up"]
    await cluster.names.stop()
    browser.desk.picture.forget()
    answer = await browser.get("/topics")
    assert (answer.status, answer.error) == (502, "unreachable")
    (server,) = (await browser.tree("/name-servers"))["items"]
    assert (server["up"], server["brokers"]) == (False, None)


async def test_the_document_describes_what_is_served(browser: Browser) -> None:
    document = await browser.tree("/openapi.json")
    assert document == json.loads(json.dumps(openapi.document(endpoints())))
    served = {(one.path, one.method.lower()) for one in endpoints()}
    described = {(path, method) for path, found in document["paths"].items() for method in found}
    assert described == served
    names = set(document["components"]["schemas"])
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in names, name
    operations = [found for path in document["paths"].values() for found in path.values()]
    assert all(one["summary"] for one in operations)
    ids = [one["operationId"] for one in operations]
    assert len(ids) == len(set(ids))
