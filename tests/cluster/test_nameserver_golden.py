"""Requests that Apache's clients, tools and brokers sent to Apache's name server, sent to ours.

Before each request our name server is given the knowledge that the captured answer shows, so that
the answers can be compared: routes and clusters byte for byte, everything else by code, header
keys and the keys of the body.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import pytest
from tests.support.golden_wire import session_lines, session_names
from tests.support.local_cluster import name_server
from tests.support.raw_peer import RawPeer
from tests.support.registrations import header, registration

from pocketmq.nameserver.app import NameServerApp
from pocketmq.nameserver.route_table import Origin
from pocketmq.protocol.bodies.fastjson import loads
from pocketmq.protocol.bodies.route import ClusterTable, TopicRoute
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.framing import frame_to_command, parse_frames, untyped

# Here ours does better: it takes compressed registrations that claim not to be compressed.
REFUSED_BY_APACHE_ONLY = "broker-register-compressed"


class Exchange(NamedTuple):
    """A captured request and its answer; None for a oneway request."""

    connection: int
    request: bytes
    answer: Command | None


def command_of(frame: bytes) -> Command:
    """The command in one whole frame."""
    frames, _ = parse_frames(frame)
    return frame_to_command(frame, untyped(frames[0]))


def exchanges(session: str) -> Iterator[Exchange]:
    """What was asked of the name server in a session, and how it answered."""
    lines = session_lines(session)
    here = {line["conn"] for line in lines if line.get("to") == "namesrv"}
    frames = [line for line in lines if "header" in line and line.get("conn") in here]
    for line in frames:
        if line["dir"] != "c2s" or line["header"]["flag"] & 1:
            continue
        opaque = line["header"]["opaque"]
        answers = [
            bytes.fromhex(other["frame_hex"])
            for other in frames
            if other["conn"] == line["conn"]
            and other["dir"] == "s2c"
            and other["header"]["opaque"] == opaque
        ]
        answer = command_of(answers[0]) if answers else None
        yield Exchange(line["conn"], bytes.fromhex(line["frame_hex"]), answer)


SESSIONS = [name for name in session_names() if any(exchanges(name))]


def make_known(app: NameServerApp, request: Command, answer: Command, own: set[str]) -> None:
    """Teach the name server what the captured answer shows; `own` are brokers of the session."""
    if request.code == RequestCode.GET_ROUTEINFO_BY_TOPIC:
        topic = request.fields["topic"]
        if answer.code != 0:
            app.routes.topics.remove(topic)
            return
        route = TopicRoute.from_json(answer.body)
        know_brokers(app, {data.broker_name: data for data in route.broker_datas}, own)
        for queues in route.queue_datas:
            if app.routes.members.broker(queues.broker_name) is not None:
                app.routes.topics.put(topic, queues)
    elif request.code == RequestCode.GET_BROKER_CLUSTER_INFO:
        know_brokers(app, ClusterTable.from_json(answer.body).broker_addr_table, own)
    elif request.code == RequestCode.REGISTER_BROKER and "masterAddr" in answer.fields:
        fields = request.fields
        master = header(
            answer.fields["masterAddr"], name=fields["brokerName"], cluster=fields["clusterName"]
        )
        master = master._replace(ha_server_addr=answer.fields["haServerAddr"])
        app.routes.register(master, registration(()), Origin())
    elif request.code == RequestCode.GET_KV_CONFIG and answer.code == 0:
        fields = request.fields
        app.kv.put(fields["namespace"], fields["key"], answer.fields["value"])


def know_brokers(app: NameServerApp, brokers: dict[str, Any], own: set[str]) -> None:
    """Register the brokers that did not register in the session itself."""
    for name, data in brokers.items():
        for number, address in data.broker_addrs.items():
            if address not in own:
                request = header(address, name=name, number=number, cluster=data.cluster)
                app.routes.register(request, registration(()), Origin())


def shows_a_broker_that_left(request: Command, answer: Command, left: set[str]) -> bool:
    """True for a route to a broker that said goodbye: Apache removes it a little later."""
    if request.code != RequestCode.GET_ROUTEINFO_BY_TOPIC or answer.code != 0:
        return False
    route = TopicRoute.from_json(answer.body)
    return any(left.intersection(data.broker_addrs.values()) for data in route.broker_datas)


def keys(document: Any) -> Any:
    """The shape of a document: its keys, and those of what is inside."""
    if isinstance(document, dict):
        return sorted(map(str, document))
    return type(document).__name__


def assert_same_meaning(request: Command, ours: Command, theirs: Command) -> None:
    """Codes and header keys are equal, and so are bodies, or at least their shape."""
    assert (ours.code, ours.is_response, ours.opaque) == (theirs.code, True, theirs.opaque)
    assert ours.fields.keys() == theirs.fields.keys()
    assert (ours.remark is None) == (theirs.remark is None)
    assert bool(ours.body) == bool(theirs.body)
    if request.code == RequestCode.GET_ROUTEINFO_BY_TOPIC:
        assert bytes(ours.body) == bytes(theirs.body)
    elif request.code == RequestCode.GET_BROKER_CLUSTER_INFO:
        assert ClusterTable.from_json(ours.body) == with_order_of(ours.body, theirs.body)
    elif request.code == RequestCode.GET_NAMESRV_CONFIG:
        assert b"orderMessageEnable=false\n" in bytes(ours.body)
    elif theirs.body:
        assert keys(loads(bytes(ours.body))) == keys(loads(bytes(theirs.body)))


def with_order_of(ours: Any, theirs: Any) -> ClusterTable:
    """Their cluster table with the broker names of each cluster, a set in Java, in our order."""
    table, order = ClusterTable.from_json(theirs), ClusterTable.from_json(ours).cluster_addr_table
    for cluster, names in table.cluster_addr_table.items():
        table.cluster_addr_table[cluster] = tuple(sorted(names, key=order[cluster].index))
    return table


@pytest.mark.parametrize("session", SESSIONS)
async def test_captured_requests_get_answers_of_the_same_meaning(session: str) -> None:
    async with name_server() as app, AsyncExitStack() as stack:
        peers: dict[int, RawPeer] = {}
        own: set[str] = set()
        left: set[str] = set()
        for connection, frame, theirs in exchanges(session):
            if connection not in peers:
                peers[connection] = await stack.enter_async_context(RawPeer(app.port))
            request = command_of(frame)
            if request.code == RequestCode.REGISTER_BROKER:
                own.add(request.fields["brokerAddr"])
            if request.code == RequestCode.UNREGISTER_BROKER:
                left.add(request.fields["brokerAddr"])
            if theirs is not None:
                make_known(app, request, theirs, own)
            await peers[connection].send(frame)
            if theirs is None:
                assert request.is_oneway
            elif session == REFUSED_BY_APACHE_ONLY:
                assert (await peers[connection].receive()).code == 0
            elif shows_a_broker_that_left(request, theirs, left):
                assert (await peers[connection].receive()).code == 17
            else:
                ours = await peers[connection].receive()
                assert_same_meaning(request, ours, theirs)
