"""Name servers: whether they answer, and whether they agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pocketmq.admin.doctor.facts import ClusterFacts, NameServerFacts
from pocketmq.admin.doctor.findings import Finding, Severity
from pocketmq.admin.doctor.limits import Limits
from pocketmq.admin.explain.words import counted, listed
from pocketmq.message.topics import is_system_topic, reply_topic


def answer(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Name servers that do not answer."""
    alone = len(facts.name_servers) == 1
    for server in facts.name_servers:
        if server.problem:
            yield Finding(
                "name servers answer",
                Severity.PROBLEM,
                server.address,
                f"The name server {server.address} does not answer: {server.problem}.",
                "Clients cannot find any broker."
                if alone
                else "Clients that ask it first wait "
                "for it in vain, and if the others fail nobody finds a broker.",
                "Start it, or take it out of the lists that clients and brokers are given.",
                "pocketmq nameserver",
            )


def agree(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Brokers and topics that only some name servers know."""
    servers = [server for server in facts.name_servers if not server.problem]
    if len(servers) < 2:
        return
    yield from _brokers(servers)
    yield from _topics(servers)


def _brokers(servers: Sequence[NameServerFacts]) -> Iterator[Finding]:
    for place in sorted(set().union(*(server.brokers for server in servers))):
        told: dict[str, list[str]] = {}
        for server in servers:
            told.setdefault(server.brokers.get(place, "nothing"), []).append(server.address)
        if len(told) > 1:
            _, name, number = place.rsplit("/", 2)
            words = "; ".join(
                f"{listed(addresses)} {'says' if len(addresses) == 1 else 'say'} {where}"
                for where, addresses in sorted(told.items())
            )
            yield Finding(
                "name servers agree",
                Severity.PROBLEM,
                name,
                f"Name servers do not agree where broker {name} (id {number}) is: {words}.",
                "Which brokers a client finds depends on the name server it happens to ask.",
                "Give the broker all name servers (namesrvAddr, split by `;`), and look in its log "
                "whether it can register with each.",
                "pocketmq cluster show",
                {address: where for where, addresses in told.items() for address in addresses},
            )


def _topics(servers: Sequence[NameServerFacts]) -> Iterator[Finding]:
    places = set().union(*(server.brokers for server in servers))
    own = {name for place in places for name in place.rsplit("/", 2)[:2]}
    own |= {reply_topic(name) for name in own}
    everything = frozenset().union(*(server.topics for server in servers)) - own
    for server in servers:
        lacking = sorted(name for name in everything - server.topics if not is_system_topic(name))
        if lacking:
            yield Finding(
                "name servers agree",
                Severity.WARNING,
                server.address,
                f"The name server {server.address} does not know {counted(len(lacking), 'topic')} "
                f"that others know: {listed(lacking)}.",
                "Clients that ask it are told that the topic does not exist.",
                "Brokers register every 30 seconds, so look again in a minute. If it lasts, a "
                "broker does not register there: see its setting namesrvAddr and its log.",
                "pocketmq doctor",
                {"topics": len(lacking)},
            )
