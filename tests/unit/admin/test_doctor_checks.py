"""Each check of the doctor, on facts: what brings it about, and what it says."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pocketmq.admin.doctor import Finding, Limits, Severity, diagnose
from pocketmq.admin.doctor.checks import CHECKS
from pocketmq.admin.doctor.facts import (
    AccessGap,
    BrokerFacts,
    ClusterFacts,
    DeadLetterFacts,
    GroupFacts,
    MemberFacts,
    NameServerFacts,
    Position,
    TopicFacts,
    TopicPart,
)
from pocketmq.broker.config import BrokerConfig
from pocketmq.settings import as_properties, settings_of

NOW = 1_795_240_000_000
HOUR = 3_600_000
QUEUE = ("orders", "a", 0)

RUNTIME = {
    "brokerVersionDesc": "V5_3_3",
    "commitLogDiskRatio": "0.40",
    "dispatchBehindBytes": "0",
}
CONFIG = {
    "brokerPermission": "6",
    "fileReservedTime": "72",
    "diskMaxUsedSpaceRatio": "75",
    "diskSpaceCleanForciblyRatio": "85",
    "diskSpaceWarningLevelRatio": "90",
    "enablePropertyFilter": "false",
    "autoCreateTopicEnable": "false",
    "authenticationEnabled": "true",
    "aclEnable": "false",
    "flushDiskType": "SYNC_FLUSH",
}
BROKER = BrokerFacts(
    "c", "a", 0, "10.0.0.1:10911", "", 3, NOW - 400, NOW, dict(RUNTIME), dict(CONFIG)
)
NAME_SERVER = NameServerFacts(
    "10.0.0.9:9876", "", {"c/a/0": "10.0.0.1:10911"}, frozenset(("orders",))
)
MEMBER = MemberFacts("m1", "10.0.1.1:50000", "JAVA", 479, {"orders": "*"}, frozenset((QUEUE,)))
GROUP = GroupFacts(
    "billing",
    (MEMBER,),
    {"orders": "*", "%RETRY%billing": "*"},
    "CLUSTERING",
    "CONSUME_PASSIVELY",
    {QUEUE: Position(1000, 990, 995)},
    {QUEUE: Position(1010, 1005, 1010)},
)
HEALTHY = ClusterFacts(
    NOW,
    "10.0.0.9",
    3.0,
    (NAME_SERVER,),
    (BROKER,),
    (TopicFacts("orders", (TopicPart("a", 4, 4, 6),)),),
    (GROUP,),
    (DeadLetterFacts("billing", 3, 3, NOW - 5 * HOUR),),
)


def found(facts: ClusterFacts) -> list[Finding]:
    return list(diagnose(facts, Limits()).findings)


def only(facts: ClusterFacts, check: str) -> Finding:
    """The one finding, which must be of this check."""
    findings = found(facts)
    assert [one.check for one in findings] == [check]
    (finding,) = findings
    assert check in CHECKS
    assert finding.what.endswith(".") and finding.why.endswith(".") and finding.mend
    return finding


def with_broker(**changes: object) -> ClusterFacts:
    return replace(HEALTHY, brokers=(replace(BROKER, **changes),))  # type: ignore[arg-type]


def with_config(**settings: str) -> ClusterFacts:
    return with_broker(config={**CONFIG, **settings})


def with_group(**changes: object) -> ClusterFacts:
    return replace(HEALTHY, groups=(replace(GROUP, **changes),))  # type: ignore[arg-type]


def with_part(part: TopicPart) -> ClusterFacts:
    return replace(HEALTHY, topics=(TopicFacts("orders", (part,)),))


def test_a_healthy_cluster_gets_no_finding() -> None:
    diagnosis = diagnose(HEALTHY, Limits())
    assert diagnosis.findings == ()
    assert diagnosis.worst is None
    assert (diagnosis.brokers, diagnosis.topics, diagnosis.groups) == (1, 1, 1)


# -- servers --------------------------------------------------------------------------------------


def test_a_name_server_that_does_not_answer() -> None:
    dead = NameServerFacts("10.0.0.8:9876", "connection refused")
    finding = only(replace(HEALTHY, name_servers=(NAME_SERVER, dead)), "name servers answer")
    assert finding.severity is Severity.PROBLEM
    assert finding.what == "The name server 10.0.0.8:9876 does not answer: connection refused."
    assert "if the others fail nobody finds a broker" in finding.why


def test_name_servers_that_know_different_brokers() -> None:
    other = replace(NAME_SERVER, address="10.0.0.8:9876", brokers={})
    finding = only(replace(HEALTHY, name_servers=(NAME_SERVER, other)), "name servers agree")
    assert "10.0.0.8:9876 says nothing" in finding.what
    assert "10.0.0.9:9876 says 10.0.0.1:10911" in finding.what


def test_name_servers_that_know_different_topics() -> None:
    other = replace(NAME_SERVER, address="10.0.0.8:9876", topics=frozenset())
    finding = only(replace(HEALTHY, name_servers=(NAME_SERVER, other)), "name servers agree")
    assert "does not know 1 topic that others know: orders" in finding.what


def test_a_broker_that_does_not_answer() -> None:
    finding = only(with_broker(problem="connection refused"), "brokers answer")
    assert finding.severity is Severity.PROBLEM
    assert "does not answer at 10.0.0.1:10911, the address that the name server tells" in (
        finding.what
    )


def test_a_broker_that_answers_late() -> None:
    assert "took 2 seconds" in only(with_broker(took_ms=2500), "brokers answer").what


def test_a_broker_that_advertises_an_address_of_its_own_machine() -> None:
    finding = only(with_broker(address="127.0.0.1:10911"), "addresses can be reached")
    assert "tells clients to come to 127.0.0.1:10911" in finding.what
    at_home = replace(with_broker(address="127.0.0.1:10911"), asked_through="127.0.0.1")
    assert found(at_home) == []


@pytest.mark.parametrize(("off_ms", "said"), [(9000, "9 seconds ahead of"), (-9000, "8 seconds")])
def test_a_clock_that_is_wrong(off_ms: int, said: str) -> None:
    finding = only(with_broker(now_ms=NOW + off_ms), "clocks agree")
    assert said in finding.what


def test_a_clock_that_is_right_but_for_the_rounding() -> None:
    assert found(with_broker(now_ms=NOW - 5900)) == []
    assert found(with_broker(now_ms=None)) == []


def test_brokers_of_different_versions() -> None:
    other = replace(
        BROKER, name="b", address="10.0.0.2:10911", runtime={"brokerVersionDesc": "V4_9_8"}
    )
    finding = only(replace(HEALTHY, brokers=(BROKER, other)), "versions agree")
    assert "b is V4_9_8; a is V5_3_3" in finding.what
    elsewhere = replace(other, cluster="d")
    assert found(replace(HEALTHY, brokers=(BROKER, elsewhere))) == []


@pytest.mark.parametrize(
    ("ratio", "severity", "said"),
    [
        ("0.80", Severity.WARNING, "will be deleted before their time"),
        ("0.86", Severity.PROBLEM, "are deleted before their time"),
        ("0.93", Severity.PROBLEM, "refuses messages now"),
    ],
)
def test_a_disk_near_its_limit(ratio: str, severity: Severity, said: str) -> None:
    finding = only(with_broker(runtime={**RUNTIME, "commitLogDiskRatio": ratio}), "disks have room")
    assert finding.severity is severity
    assert said in finding.why
    assert finding.command == "pocketmq config set fileReservedTime 36 --broker a"


def test_a_broker_whose_queues_are_behind() -> None:
    behind = {**RUNTIME, "dispatchBehindBytes": str(100 * 2**20)}
    assert "100.0 MiB" in only(with_broker(runtime=behind), "brokers keep up").what


# -- topics ---------------------------------------------------------------------------------------


def test_a_topic_without_route() -> None:
    facts = replace(HEALTHY, topics=(*HEALTHY.topics, TopicFacts("payments")))
    finding = only(facts, "topics have routes")
    assert finding.command == "pocketmq topic create payments"


def test_a_topic_that_is_read_only_everywhere_or_somewhere() -> None:
    finding = only(with_part(TopicPart("a", 4, 4, 4)), "topics can be used")
    assert finding.severity is Severity.PROBLEM
    assert finding.command == "pocketmq topic update orders --permission both"
    parts = (TopicPart("a", 4, 4, 6), TopicPart("b", 4, 0, 6))
    some = only(replace(HEALTHY, topics=(TopicFacts("orders", parts),)), "topics can be used")
    assert (some.severity, some.what) == (Severity.WARNING, "Topic orders is read-only on b.")
    assert some.command == "pocketmq topic update orders --permission both --queues 4"


def test_a_topic_that_cannot_be_read() -> None:
    finding = only(with_part(TopicPart("a", 4, 4, 2)), "topics can be used")
    assert finding.what == "Topic orders cannot be read on a."


def test_queues_that_are_written_and_not_read() -> None:
    finding = only(with_part(TopicPart("a", 4, 8, 6)), "topics can be used")
    assert "has 4 queues on a that can be written and not read" in finding.what
    assert finding.command == "pocketmq topic update orders --read-queues 8"


def test_a_broker_that_takes_no_messages() -> None:
    finding = only(with_config(brokerPermission="4"), "topics can be used")
    assert finding.what == "Broker a takes no messages: its permission is 4."


def test_a_broker_whose_topics_are_all_read_only_on_the_name_server() -> None:
    topics = tuple(TopicFacts(name, (TopicPart("a", 4, 4, 4),)) for name in ("orders", "refunds"))
    finding = only(replace(HEALTHY, topics=topics), "topics can be used")
    assert finding.what == "All topics of broker a are read-only on the name server."


def test_of_many_alike_findings_the_first_are_told() -> None:
    lost = tuple(TopicFacts(f"t{number:02}") for number in range(30))
    findings = found(replace(HEALTHY, topics=(*HEALTHY.topics, *lost)))
    assert len(findings) == 21
    assert findings[-1].what == (
        "And 10 more of this kind, about t20, t21, t22, t23, t24 and 5 more."
    )


def test_dead_letter_topics_may_be_odd() -> None:
    odd = TopicFacts("%DLQ%billing", (TopicPart("a", 1, 1, 2),))
    assert found(replace(HEALTHY, topics=(*HEALTHY.topics, odd))) == []


# -- groups ---------------------------------------------------------------------------------------


def test_members_that_subscribe_differently() -> None:
    other = replace(MEMBER, client_id="m2", wants={"orders": "paid"})
    third = replace(MEMBER, client_id="m3", wants={})
    finding = only(with_group(members=(MEMBER, other, third)), "members subscribe alike")
    assert finding.severity is Severity.PROBLEM
    assert "m2 wants `paid`" in finding.what
    assert "m1 wants all of it" in finding.what
    assert "m3 wants nothing of it" in finding.what


def test_members_that_do_not_tell_are_not_accused() -> None:
    silent = replace(MEMBER, client_id="m2", wants=None, queues=None, problem="too old")
    assert found(with_group(members=(MEMBER, silent))) == []


def test_a_subscription_to_a_topic_that_does_not_exist() -> None:
    finding = only(
        with_group(subscriptions={"orders": "*", "oders": "*"}), "subscribed topics exist"
    )
    assert "which does not exist. Perhaps orders is meant." in finding.what


def test_sql_on_a_broker_that_refuses_it() -> None:
    wants = {"orders": "SQL a > 1"}
    finding = only(with_group(subscriptions=wants), "filters are allowed")
    assert "filters orders by SQL, which a refuses" in finding.what
    on = with_config(enablePropertyFilter="true")
    assert found(replace(on, groups=(replace(GROUP, subscriptions=wants),))) == []


def test_more_members_than_queues() -> None:
    many = tuple(replace(MEMBER, client_id=f"m{number}") for number in range(6))
    finding = only(with_group(members=many), "members have work")
    assert finding.severity is Severity.NOTE
    assert "6 members for 4 queues, so 2 members have nothing to do" in finding.what
    assert found(with_group(members=many, model="BROADCASTING")) == []


# -- positions ------------------------------------------------------------------------------------


def lagging(before: int, after: int, **more: object) -> ClusterFacts:
    return with_group(
        before={QUEUE: Position(5000, 5000 - before, 5000)},
        after={QUEUE: Position(6000, 6000 - after, 6000)},
        **more,
    )


def test_lag_that_grows() -> None:
    finding = only(lagging(200, 500), "lag does not grow")
    assert "is 500 messages behind in topic orders, 300 more than 3 s ago" in finding.what
    assert "no member connected" in only(lagging(200, 500, members=()), "lag does not grow").what


def test_lag_that_shrinks_or_is_small() -> None:
    assert found(lagging(500, 400)) == []
    assert found(lagging(10, 99)) == []
    assert found(lagging(200, 500, model="BROADCASTING")) == []


def test_a_queue_that_is_stuck_on_a_message() -> None:
    stands = {
        "before": {QUEUE: Position(1000, 990, 1000)},
        "after": {QUEUE: Position(1000, 990, 1000)},
    }
    facts = with_group(**stands, waiting_ms={QUEUE: 10 * 60_000})
    finding = only(facts, "nothing is stuck")
    assert "is stuck at offset 990 of queue 0 of orders on a: 10 messages wait" in finding.what
    assert "The queue is read by m1 at 10.0.1.1:50000" in finding.what
    nobody = with_group(
        **stands, waiting_ms={QUEUE: 10 * 60_000}, members=(replace(MEMBER, queues=frozenset()),)
    )
    assert "Nobody of group billing reads queue 0" in only(nobody, "nothing is stuck").what
    assert found(with_group(**stands, waiting_ms={QUEUE: 10_000})) == []
    assert found(with_group(**stands, waiting_ms={QUEUE: HOUR}, members=())) == []


def test_messages_that_expire_unread() -> None:
    finding = only(with_group(members=(), waiting_ms={QUEUE: 60 * HOUR}), "nothing expires unread")
    assert "that are 2 days 12 hours old, and a keeps them for 3 days" in finding.what
    assert found(with_group(members=(), waiting_ms={QUEUE: 50 * HOUR})) == []


def test_dead_letters_that_come() -> None:
    grows = replace(HEALTHY, dead_letters=(DeadLetterFacts("billing", 3, 5, NOW - 5 * HOUR),))
    finding = only(grows, "no dead letters come")
    assert "has 5 dead letters, 2 of them since a moment ago" in finding.what
    assert finding.command == "pocketmq dlq show billing"
    fresh = replace(HEALTHY, dead_letters=(DeadLetterFacts("billing", 1, 1, NOW - 60_000),))
    assert "has 1 dead letter; the last came" in only(fresh, "no dead letters come").what


# -- settings -------------------------------------------------------------------------------------


def test_no_authentication_where_others_reach_it() -> None:
    note = only(with_config(authenticationEnabled="false"), "settings are safe")
    assert (note.severity, note.evidence["public"]) == (Severity.NOTE, False)
    open_to_all = replace(
        BROKER, address="8.8.8.8:10911", config={**CONFIG, "authenticationEnabled": "false"}
    )
    finding = only(replace(HEALTHY, brokers=(open_to_all,)), "settings are safe")
    assert finding.severity is Severity.PROBLEM
    assert "is open to the internet, and asks nobody who they are" in finding.what
    assert found(with_config(authenticationEnabled="false", aclEnable="true")) == []


def test_the_advice_against_strangers_can_be_followed_with_this_broker() -> None:
    theirs = only(with_config(authenticationEnabled="false"), "settings are safe")
    assert "authenticationEnabled=true" in theirs.mend and theirs.command == ""
    config = {name: value for name, value in CONFIG.items() if name != "aclEnable"}
    assert found(with_broker(config=config)) == []
    config["authenticationEnabled"] = "false"
    ours = only(with_broker(config=config), "settings are safe")
    assert ours.command == "pocketmq broker --host 127.0.0.1"
    known = {setting.path for setting in settings_of(BrokerConfig())}
    named = set(re.findall(r"[a-z_]+\.[a-z_]+", ours.mend))
    assert named == {name for name in named if name in known} and len(named) == 5
    aliases = set(as_properties(BrokerConfig()))
    words = {"authenticationEnabled", "authorizationEnabled", "initAuthenticationUser"}
    assert words <= aliases & set(re.findall(r"\w+", ours.mend))
    strict = {**config, "tls.server.mode": "enforcing", "tls.server.need.client.auth": "require"}
    assert found(with_broker(config=strict)) == []
    shown = as_properties(BrokerConfig())
    assert {"tls.server.mode", "tls.server.need.client.auth"} <= shown.keys()
    assert shown["authenticationEnabled"] == "false" and "aclEnable" not in shown


def test_topics_that_create_themselves() -> None:
    finding = only(with_config(autoCreateTopicEnable="true"), "settings are safe")
    assert finding.severity is Severity.WARNING
    assert finding.command == "pocketmq config set autoCreateTopicEnable false --broker a"


def test_messages_that_a_power_cut_loses() -> None:
    finding = only(with_config(flushDiskType="ASYNC_FLUSH"), "settings are safe")
    assert finding.severity is Severity.NOTE
    replica = replace(BROKER, id=1, address="10.0.0.2:10911")
    safe = with_config(flushDiskType="ASYNC_FLUSH")
    assert found(replace(safe, brokers=(*safe.brokers, replica))) == []
    pool = with_config(flushDiskType="ASYNC_FLUSH", transientStorePoolEnable="true")
    assert "a crash of the broker's process loses messages" in only(pool, "settings are safe").why


def test_a_developers_broker_is_left_alone() -> None:
    handy = {
        **CONFIG,
        "authenticationEnabled": "false",
        "autoCreateTopicEnable": "true",
        "flushDiskType": "ASYNC_FLUSH",
    }
    at_home = with_broker(address="127.0.0.1:10911", config=handy)
    assert found(replace(at_home, asked_through="127.0.0.1")) == []


# -- the whole ------------------------------------------------------------------------------------


def test_the_worst_comes_first_and_what_was_not_looked_at_last() -> None:
    facts = replace(
        with_config(autoCreateTopicEnable="true", authenticationEnabled="false"),
        topics=(*HEALTHY.topics, TopicFacts("payments")),
        missing=("Not all was looked at within 1 s",),
    )
    diagnosis = diagnose(facts, Limits())
    assert [one.severity.value for one in diagnosis.findings] == [
        "problem",
        "warning",
        "note",
        "note",
    ]
    assert diagnosis.worst is Severity.PROBLEM
    assert diagnosis.findings[-1].what == "Not all was looked at within 1 s."


def test_users_that_a_broker_lacks() -> None:
    check = "users are known alike"
    lacking = only(replace(HEALTHY, gaps=(AccessGap("till", "", ("b",)),)), check)
    assert (lacking.severity, lacking.subject) == (Severity.WARNING, "till")
    assert lacking.what == "b does not know user till."
    assert "pocketmq user sync till" in lacking.mend
    other = only(replace(HEALTHY, gaps=(AccessGap("till", "", (), ("kind", "password")),)), check)
    assert other.what == "Brokers of a cluster have user till with another type and password."
    rule = only(replace(HEALTHY, gaps=(AccessGap("till", "Topic:orders", ("b", "c")),)), check)
    assert "b and c lack a rule of user till for Topic:orders" in rule.what
    assert "pocketmq acl sync till" in rule.mend
