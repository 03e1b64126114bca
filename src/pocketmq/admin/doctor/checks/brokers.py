"""Brokers: whether they answer where clients are sent, what their clocks say, which versions."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from pocketmq.admin.doctor.facts import BrokerFacts, ClusterFacts
from pocketmq.admin.doctor.findings import Finding, Severity
from pocketmq.admin.doctor.limits import Limits
from pocketmq.admin.explain.words import lasting, listed

_ROUNDED_MS: Final = 1000


def answer(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Brokers that do not answer under the address clients are told, or late."""
    for broker in facts.brokers:
        if broker.problem:
            yield Finding(
                "brokers answer",
                Severity.PROBLEM,
                broker.name,
                f"{_named(broker)} does not answer at {broker.address}, the address that the name "
                f"server tells clients: {broker.problem}.",
                "Clients are sent to this address, so they cannot send to the broker nor consume "
                "from it.",
                "If it has stopped, start it; name servers forget it after two minutes. If it runs "
                "and the address is wrong from here, as it often is in containers, set brokerIP1 "
                "to one that clients reach, or leave it at auto.",
                "pocketmq broker --set brokerIP1=ADDRESS",
                {"address": broker.address},
            )
        elif broker.took_ms > limits.slow_answer_ms:
            yield Finding(
                "brokers answer",
                Severity.WARNING,
                broker.name,
                f"{_named(broker)} took {lasting(broker.took_ms)} to answer a small question.",
                "Sends and pulls wait as long, and time out when it gets worse.",
                "Look at the load of its machine, its disk and the network in between.",
                "pocketmq cluster show",
                {"took_ms": broker.took_ms},
            )


def local_addresses(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Brokers that advertise an address that only means something on their own machine."""
    if is_local(facts.asked_through):
        return
    for broker in facts.brokers:
        host = broker.address.rpartition(":")[0]
        if is_local(host):
            yield Finding(
                "addresses can be reached",
                Severity.PROBLEM,
                broker.name,
                f"{_named(broker)} tells clients to come to {broker.address}.",
                "That address means the client's own machine, so only clients on the broker's "
                "machine reach it.",
                "Set brokerIP1 to an address that clients reach, or leave it at auto.",
                "pocketmq broker --set brokerIP1=ADDRESS",
                {"address": broker.address},
            )


def clocks(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Brokers whose clock differs from this machine's."""
    for broker in facts.answering:
        if broker.now_ms is None:
            continue
        ahead_ms = broker.now_ms - broker.asked_ms
        # Brokers cut off the fraction of the second.
        off_ms = ahead_ms if ahead_ms > 0 else min(ahead_ms + _ROUNDED_MS, 0)
        if abs(off_ms) > limits.clock_ms:
            where = "ahead of" if off_ms > 0 else "behind"
            yield Finding(
                "clocks agree",
                Severity.WARNING,
                broker.name,
                f"The clock of {_named(broker, start=False)} is {lasting(abs(off_ms))} {where} "
                "this machine's.",
                "Delayed messages, retries and what is popped come early or late, searches by time "
                "miss messages, and traces are out of order.",
                "Let both machines follow a time server, for example with chrony; "
                "`timedatectl` shows whether they do.",
                "",
                {"ahead_ms": off_ms},
            )


def versions(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Brokers of one cluster with different versions."""
    for cluster in sorted({broker.cluster for broker in facts.answering}):
        told: dict[str, list[str]] = {}
        for broker in facts.answering:
            if broker.cluster == cluster and broker.version:
                told.setdefault(broker.version, []).append(broker.name)
        if len(told) > 1:
            words = "; ".join(
                f"{listed(sorted(set(names)))} {'is' if len(names) == 1 else 'are'} {version}"
                for version, names in sorted(told.items())
            )
            yield Finding(
                "versions agree",
                Severity.WARNING,
                cluster,
                f"The brokers of cluster {cluster} have different versions: {words}.",
                "What newer clients ask for works on some brokers and fails on others, from "
                "message to message.",
                "Finish the upgrade, one broker after the other.",
                "pocketmq cluster show",
                {version: ", ".join(names) for version, names in told.items()},
            )


def is_local(host: str) -> bool:
    """Whether an address is of no use to other machines."""
    name = host.strip("[]")
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _named(broker: BrokerFacts, *, start: bool = True) -> str:
    what = "Broker" if start else "broker"
    return f"{what} {broker.name}" if broker.is_master else f"{what} {broker.name} (id {broker.id})"
