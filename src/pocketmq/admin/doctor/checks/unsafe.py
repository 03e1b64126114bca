"""Settings that are handy on one's own machine and unsafe for others'.

A broker that only its own machine can reach is taken for a developer's, and left alone.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from pocketmq.admin.doctor.checks.brokers import is_local
from pocketmq.admin.doctor.facts import BrokerFacts, ClusterFacts
from pocketmq.admin.doctor.findings import Finding, Severity
from pocketmq.admin.doctor.limits import Limits

_CHECK = "settings are safe"
_APACHE_SWITCH = "aclEnable"
"""Only Apache's brokers have it; of 4.x it makes them ask who somebody is."""
_SWITCHES = ("authenticationEnabled", _APACHE_SWITCH)


def settings(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """What is unsafe about the settings of brokers that others reach."""
    masters = {broker.name for broker in facts.answering if broker.is_master}
    replicated = {broker.name for broker in facts.brokers if not broker.is_master} & masters
    for broker in facts.answering:
        host = broker.address.rpartition(":")[0]
        if not broker.is_master or is_local(host) or not broker.config:
            continue
        yield from _access(broker, host)
        yield from _creation(broker)
        yield from _durability(broker, alone=broker.name not in replicated)


def _access(broker: BrokerFacts, host: str) -> Iterator[Finding]:
    if any(broker.is_on(switch) for switch in _SWITCHES) or _asks_for_certificates(broker):
        return
    public = is_public(host)
    wall = "Let a firewall admit your own machines only"
    if _is_apache(broker):
        mend = f"{wall}, {'and' if public else 'or'} switch authentication on in its broker.conf: "
        mend += "authenticationEnabled=true, with a provider and users."
        command = ""
    else:
        mend = (
            f"{wall}, let it listen on 127.0.0.1 when nobody else needs it, let it ask for "
            "certificates (listen.tls_mode enforcing and listen.tls_client_auth require, with "
            "listen.tls_certificate, listen.tls_key and listen.tls_trust), or for signatures: "
            "authenticationEnabled=true and authorizationEnabled=true, with an "
            "initAuthenticationUser."
        )
        command = "pocketmq broker --host 127.0.0.1"
    yield Finding(
        _CHECK,
        Severity.PROBLEM if public else Severity.NOTE,
        broker.name,
        f"Broker {broker.name} at {broker.address} "
        f"{'is open to the internet' if public else 'can be reached by other machines'}, and asks "
        "nobody who they are.",
        "Whoever reaches the address can read, send and delete everything."
        if public
        else "Every machine that reaches it can read, send and delete everything.",
        mend,
        command,
        {"address": broker.address, "public": public},
    )


def _is_apache(broker: BrokerFacts) -> bool:
    """Whether it is Apache's, which tells by the switch of its own that it has."""
    return _APACHE_SWITCH in broker.config


def _asks_for_certificates(broker: BrokerFacts) -> bool:
    said = (broker.config.get(f"tls.server.{name}") for name in ("mode", "need.client.auth"))
    return tuple(said) == ("enforcing", "require")


def _creation(broker: BrokerFacts) -> Iterator[Finding]:
    if broker.is_on("autoCreateTopicEnable"):
        yield Finding(
            _CHECK,
            Severity.WARNING,
            broker.name,
            f"Broker {broker.name} creates topics at the first message to them.",
            "A mistyped name becomes a topic that nobody consumes instead of an error, and the "
            "topic exists only on the brokers that happened to get messages.",
            "Create topics beforehand, and switch this off.",
            f"pocketmq config set autoCreateTopicEnable false --broker {broker.name}",
        )


def _durability(broker: BrokerFacts, *, alone: bool) -> Iterator[Finding]:
    is_async = broker.config.get("flushDiskType") == "ASYNC_FLUSH"
    if is_async and broker.is_on("transientStorePoolEnable"):
        yield Finding(
            _CHECK,
            Severity.WARNING,
            broker.name,
            f"Broker {broker.name} keeps messages in its own memory before it writes them "
            "(transientStorePoolEnable with ASYNC_FLUSH).",
            "Sends are answered before that, so a crash of the broker's process loses messages.",
            "Switch transientStorePoolEnable off in its broker.conf, and restart it.",
            "",
        )
    elif is_async and alone:
        yield Finding(
            _CHECK,
            Severity.NOTE,
            broker.name,
            f"Broker {broker.name} answers sends before they are on the disk (ASYNC_FLUSH), and "
            "has no replica.",
            "A power cut loses the last half second or so of messages.",
            "If that is too much, let sends wait for the disk (flushDiskType=SYNC_FLUSH in its "
            "configuration, and a restart), or add a replica.",
            "" if _is_apache(broker) else "pocketmq broker --set flushDiskType=SYNC_FLUSH",
        )


def is_public(host: str) -> bool:
    """Whether an address is one of the internet's; names are taken to be private."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        return False
