"""The rules of registration and what they make of routes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.registrations import header, registration

from pocketmq.clock import ManualClock
from pocketmq.errors import Refused
from pocketmq.nameserver.config import NameServerConfig, RoutingConfig
from pocketmq.nameserver.live_settings import LiveSettings
from pocketmq.nameserver.members import Place
from pocketmq.nameserver.route_table import Notice, Origin, RouteTable
from pocketmq.protocol.bodies.static_topics import TopicQueueMapping
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.requests.routes import MinBrokerIdChangeRequest, RegisterBrokerReply

ANYWHERE = Origin()


class Tables:
    """A route table with its clock, its settings and what it announced."""

    def __init__(self, config: NameServerConfig | None = None, **routing: bool) -> None:
        config = replace(config or NameServerConfig(), routing=RoutingConfig(**routing))
        self.clock = ManualClock()
        self.notices: list[Notice] = []
        self.routes = RouteTable(
            LiveSettings(config), config.liveness, config.limits, self.clock, self.notices.append
        )

    def addresses(self, topic: str = "T1") -> dict[str, dict[int, str]]:
        """The broker addresses in a topic's route."""
        route = self.routes.route(topic)
        if route is None:
            return {}
        return {broker.broker_name: broker.broker_addrs for broker in route.broker_datas}

    def perms(self, topic: str = "T1") -> dict[str, int]:
        """The permissions in a topic's route."""
        return {item.broker_name: item.perm for item in self.routes.topics.queues(topic)}


@pytest.fixture
def tables() -> Tables:
    return Tables()


def test_a_registered_topic_has_a_route(tables: Tables) -> None:
    tables.routes.register(header(), registration(), ANYWHERE)
    assert tables.addresses() == {"broker-a": {0: "10.0.0.1:10911"}}
    assert tables.routes.route("unknown") is None


def test_a_topic_on_two_brokers_has_both_in_its_route(tables: Tables) -> None:
    tables.routes.register(header(), registration(), ANYWHERE)
    tables.routes.register(header("10.0.0.2:10911", name="broker-b"), registration(), ANYWHERE)
    assert tables.addresses() == {
        "broker-a": {0: "10.0.0.1:10911"},
        "broker-b": {0: "10.0.0.2:10911"},
    }


def test_a_first_registration_with_a_single_topic_is_refused_and_leaves_nothing(
    tables: Tables,
) -> None:
    with pytest.raises(Refused, match="register with all topics first") as refused:
        tables.routes.register(header(), registration(["T1"]), ANYWHERE)
    assert refused.value.code == 1
    assert not tables.routes.members.clusters
    assert len(tables.routes.members) == 0


def test_a_known_broker_may_name_a_single_topic(tables: Tables) -> None:
    tables.routes.register(header(), registration(), ANYWHERE)
    tables.routes.register(header(), registration(["T3"], counter=2), ANYWHERE)
    assert set(tables.routes.topics) == {"T1", "T2", "T3"}


def test_topics_missing_from_a_registration_stay_unless_told_otherwise(tables: Tables) -> None:
    for table, kept in (
        (tables, {"T1", "T2", "T3"}),
        (Tables(delete_unregistered_topics=True), {"T3"}),
    ):
        table.routes.register(header(), registration(), ANYWHERE)
        table.routes.register(header(), registration(["T3"], counter=2), ANYWHERE)
        assert set(table.routes.topics) == kept


def test_an_unchanged_version_changes_no_topic_but_brings_back_missing_ones(
    tables: Tables,
) -> None:
    tables.routes.register(header(), registration(), ANYWHERE)
    tables.routes.topics.wipe_write("broker-a")
    tables.routes.topics.remove("T2")
    tables.routes.register(header(), registration(), ANYWHERE)
    assert tables.perms("T1") == {"broker-a": 4}
    assert tables.perms("T2") == {"broker-a": 6}
    tables.routes.register(header(), registration(counter=2), ANYWHERE)
    assert tables.perms("T1") == {"broker-a": 6}


def test_a_repeated_registration_is_recognised_by_its_digest(tables: Tables) -> None:
    def again(digest: bytes = b"d1", origin: Origin = ANYWHERE) -> RegisterBrokerReply | None:
        return tables.routes.hear_again(header(), digest, origin)

    assert again() is None
    tables.routes.register(header(), registration(), ANYWHERE, b"d1")
    tables.clock.advance(seconds=119)
    assert again() == RegisterBrokerReply()
    tables.clock.advance(seconds=119)
    assert tables.routes.expire() == 0
    assert again(b"d2") is None
    assert again(origin=Origin(zone="z")) is None
    tables.routes.topics.remove("T2")
    assert again() is None
    tables.routes.register(header(), registration(), ANYWHERE, b"d1")
    assert again() is not None


def test_an_address_has_one_id_at_a_time(tables: Tables) -> None:
    tables.routes.register(header(number=1), registration(), ANYWHERE)
    tables.routes.register(header(number=0), registration(), ANYWHERE)
    assert tables.addresses() == {"broker-a": {0: "10.0.0.1:10911"}}


def test_an_address_has_one_name_at_a_time(tables: Tables) -> None:
    tables.routes.register(header(), registration(), ANYWHERE)
    tables.routes.register(header(name="broker-b"), registration(["T2", "T3"]), ANYWHERE)
    assert tables.routes.members.clusters == {"c1": ("broker-b",)}
    assert tables.routes.route("T1") is None
    assert tables.addresses("T2") == {"broker-b": {0: "10.0.0.1:10911"}}


@pytest.mark.parametrize(
    ("holder_state", "other_state", "winner"),
    [(5, 4, "10.0.0.1:10911"), (5, 5, "10.0.0.9:10911"), (5, 6, "10.0.0.9:10911")],
)
def test_a_taken_id_goes_to_who_has_a_state_as_new(
    tables: Tables, holder_state: int, other_state: int, winner: str
) -> None:
    tables.routes.register(header(), registration(state=holder_state), ANYWHERE)
    reply = tables.routes.register(
        header("10.0.0.9:10911"), registration(state=other_state), ANYWHERE
    )
    assert reply == RegisterBrokerReply()
    assert tables.addresses() == {"broker-a": {0: winner}}
    assert len(tables.routes.members) == 1


def test_a_slave_learns_its_master_and_changes_no_topics(tables: Tables) -> None:
    slave = header("10.0.0.2:10911", number=1, acting_master=None)
    assert tables.routes.register(slave, registration(["S1", "S2"]), ANYWHERE) == (None, None)
    assert tables.routes.route("S1") is None
    master = tables.routes.register(header(), registration(), ANYWHERE)
    assert master == RegisterBrokerReply()
    reply = tables.routes.register(slave, registration(["S1", "S2"]), ANYWHERE)
    assert reply == ("10.0.0.1:10912", "10.0.0.1:10911")
    assert tables.addresses() == {"broker-a": {0: "10.0.0.1:10911", 1: "10.0.0.2:10911"}}
    assert tables.routes.route("S1") is None


def test_the_smallest_slave_speaks_while_there_is_no_master(tables: Tables) -> None:
    tables.routes.register(header("10.0.0.2:1", number=2), registration(["A", "B"]), ANYWHERE)
    tables.routes.register(header("10.0.0.3:1", number=3), registration(["C", "D"]), ANYWHERE)
    assert set(tables.routes.topics) == {"A", "B"}
    assert tables.perms("A") == {"broker-a": 6}


def test_an_acting_master_is_shown_as_master_of_unwritable_topics() -> None:
    tables = Tables(acting_master=True)
    master, slave = header(acting_master=True), header("10.0.0.2:1", number=1, acting_master=True)
    tables.routes.register(master, registration(), ANYWHERE)
    tables.routes.register(slave, registration(), ANYWHERE)
    assert tables.addresses() == {"broker-a": {0: "10.0.0.1:10911", 1: "10.0.0.2:1"}}
    tables.routes.unregister(Place("c1", "10.0.0.1:10911"), "test")
    assert tables.perms() == {"broker-a": 4}
    assert tables.addresses() == {"broker-a": {0: "10.0.0.2:1"}}
    tables.routes.register(slave, registration(counter=2), ANYWHERE)
    assert tables.perms() == {"broker-a": 4}
    tables.routes.register(master, registration(counter=3), ANYWHERE)
    assert tables.perms() == {"broker-a": 6}
    assert tables.addresses() == {"broker-a": {0: "10.0.0.1:10911", 1: "10.0.0.2:1"}}


def test_an_acting_master_is_not_shown_to_replicas_looking_for_each_other() -> None:
    tables = Tables(acting_master=True)
    topic = "rmq_sys_SYNC_BROKER_MEMBER_broker-a"
    slave = header("10.0.0.2:1", number=1, acting_master=True)
    tables.routes.register(slave, registration([TopicConfig(topic, 1, 1, 1), "T1"]), ANYWHERE)
    assert tables.addresses(topic) == {"broker-a": {1: "10.0.0.2:1"}}
    assert tables.addresses("T1") == {"broker-a": {0: "10.0.0.2:1"}}


@pytest.mark.parametrize("allowed", [True, False])
def test_an_acting_master_needs_the_setting_and_the_brokers_consent(allowed: bool) -> None:
    tables = Tables(acting_master=not allowed)
    slave = header("10.0.0.2:1", number=1, acting_master=allowed)
    tables.routes.register(slave, registration(), ANYWHERE)
    tables.routes.topics.wipe_write("broker-a")
    assert tables.addresses() == {"broker-a": {1: "10.0.0.2:1"}}


def test_a_broker_that_leaves_takes_its_topics_with_it(tables: Tables) -> None:
    tables.routes.register(header(), registration(), ANYWHERE)
    tables.routes.register(
        header("10.0.0.2:1", name="b", cluster="c2"), registration(["T1", "T9"]), ANYWHERE
    )
    tables.routes.unregister(Place("c1", "10.0.0.1:10911"), "test")
    assert tables.addresses() == {"b": {0: "10.0.0.2:1"}}
    assert set(tables.routes.topics) == {"T1", "T9"}
    assert tables.routes.members.clusters == {"c2": ("b",)}
    tables.routes.unregister(Place("c1", "10.0.0.1:10911"), "again, which changes nothing")
    tables.routes.unregister(Place("c2", "10.0.0.2:1"), "test")
    assert not list(tables.routes.topics)
    assert not tables.routes.members.clusters


def test_a_silent_broker_is_forgotten_after_two_minutes_or_its_own_limit(tables: Tables) -> None:
    tables.routes.register(header(), registration(), ANYWHERE)
    quick = header("10.0.0.2:1", name="quick", timeout_ms=10_000)
    tables.routes.register(quick, registration(), ANYWHERE)
    tables.clock.advance(ms=10_000)
    assert tables.routes.expire() == 0
    tables.clock.advance(ms=1)
    assert tables.routes.expire() == 1
    assert tables.addresses() == {"broker-a": {0: "10.0.0.1:10911"}}
    tables.clock.advance(seconds=100)
    tables.routes.touch(Place("c1", "10.0.0.1:10911"))
    tables.routes.touch(Place("c1", "unknown:1"))
    tables.clock.advance(seconds=120)
    assert tables.routes.expire() == 0
    tables.clock.advance(ms=1)
    assert tables.routes.expire() == 1
    assert tables.addresses() == {}


def test_replicas_are_told_when_their_smallest_id_changes() -> None:
    tables = Tables(notify_min_broker_id=True)
    for number in (2, 3):
        slave = header(f"10.0.0.{number}:1", number=number, acting_master=True)
        tables.routes.register(slave, registration(), ANYWHERE)
    assert tables.notices == []
    master = header("10.0.0.1:1", number=0, acting_master=True)
    tables.routes.register(master, registration(), ANYWHERE)
    assert tables.notices.pop() == Notice(
        ("10.0.0.2:1", "10.0.0.3:1"),
        MinBrokerIdChangeRequest(0, "broker-a", "10.0.0.1:1", None, "10.0.0.1:10912"),
    )
    tables.routes.unregister(Place("c1", "10.0.0.3:1"), "not the smallest")
    assert tables.notices == []
    tables.routes.unregister(Place("c1", "10.0.0.1:1"), "the smallest")
    assert tables.notices == [
        Notice(
            ("10.0.0.2:1",),
            MinBrokerIdChangeRequest(2, "broker-a", "10.0.0.2:1", "10.0.0.1:1", None),
        )
    ]


def test_nobody_is_told_of_smallest_ids_by_default(tables: Tables) -> None:
    slave = header("10.0.0.2:1", number=1, acting_master=True)
    tables.routes.register(slave, registration(), ANYWHERE)
    tables.routes.register(header(acting_master=True), registration(), ANYWHERE)
    tables.routes.unregister(Place("c1", "10.0.0.1:10911"), "test")
    assert tables.notices == []


def test_filter_servers_are_in_the_route_until_none_are_left(tables: Tables) -> None:
    tables.routes.register(header(), registration(servers=["10.0.0.1:5000"]), ANYWHERE)
    route = tables.routes.route("T1")
    assert route is not None
    assert route.filter_server_table == {"10.0.0.1:10911": ("10.0.0.1:5000",)}
    tables.routes.register(header(), registration(counter=2), ANYWHERE)
    route = tables.routes.route("T1")
    assert route is not None
    assert route.filter_server_table == {}


def test_the_parts_of_a_static_topic_are_in_its_route(tables: Tables) -> None:
    body = registration()
    mapping = TopicQueueMapping("T1", total_queues=4, bname="broker-a", curr_id_map={0: 0})
    body = replace(body, topics=replace(body.topics, topic_queue_mapping_info_map={"T1": mapping}))
    tables.routes.register(header(), body, ANYWHERE)
    route = tables.routes.route("T1")
    assert route is not None
    assert route.topic_queue_mapping_by_broker == {"broker-a": mapping}
    other = tables.routes.route("T2")
    assert other is not None
    assert other.topic_queue_mapping_by_broker is None


def test_a_broker_that_follows_its_clients_is_where_they_reached_this_machine(
    tables: Tables,
) -> None:
    tables.routes.register(header("127.0.0.1:10911"), registration(), Origin(follows_client=True))
    for host, shown in (
        ("192.0.2.7", "192.0.2.7:10911"),
        ("2001:db8::7", "[2001:db8::7]:10911"),
        (None, "127.0.0.1:10911"),
    ):
        route = tables.routes.route("T1", host)
        assert route is not None
        assert route.broker_datas[0].broker_addrs == {0: shown}
    slave = header("192.0.2.9:10911", number=1)
    reply = tables.routes.register(slave, registration(), Origin(host="192.0.2.7"))
    assert reply == ("192.0.2.7:10912", "192.0.2.7:10911")


def test_brokers_and_topics_are_bounded() -> None:
    config = NameServerConfig()
    limits = replace(config.limits, brokers_max=2, topics_max=3)
    tables = Tables(replace(config, limits=limits))
    tables.routes.register(header(), registration(), ANYWHERE)
    with pytest.raises(Refused, match=r"raise limits\.topics_max"):
        tables.routes.register(header(), registration(["T3", "T4"], counter=2), ANYWHERE)
    tables.routes.register(header("10.0.0.2:1", number=1), registration(), ANYWHERE)
    with pytest.raises(Refused, match=r"raise limits\.brokers_max"):
        tables.routes.register(header("10.0.0.3:1", number=2), registration(), ANYWHERE)
    tables.routes.register(header(), registration(["T3"], counter=2), ANYWHERE)
