"""What a client knows and does, in plain words: for people who ask why nothing happens.

    print(await producer.explain())
    print(await consumer.explain())

Routes, connections, the last error of each server, members of the group, assigned queues, positions
and how many messages wait. Brokers are asked where needed; what they do not tell within a second is
said to be unknown.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from pocketmq.errors import ClientError, NetError, ProtocolError
from pocketmq.filtering.subscriptions import TAG
from pocketmq.message.topics import RETRY_PREFIX

if TYPE_CHECKING:
    from pocketmq.client.instance import ConsumerMember, Instance
    from pocketmq.client.messages import MessageQueue
    from pocketmq.client.process_queue import ProcessQueue
    from pocketmq.client.routes import Route
    from pocketmq.protocol.bodies.heartbeat import SubscriptionData

ASK_SECONDS: Final = 1.0
QUEUES_SHOWN_MAX: Final = 64

_FAILURES = (ClientError, NetError, ProtocolError, asyncio.TimeoutError, TimeoutError)


async def explain_producer(
    instance: Instance,
    group: str,
    topics: Iterable[str],
    in_flight: int,
    avoided: dict[str, float],
) -> str:
    """The state of a producer. `topics` are those it sent to; `avoided` says for how long."""
    lines = [f"Producer of group {group}, client id {instance.client_id}."]
    lines += _servers(instance)
    names = list(topics)
    if not names:
        lines.append("It has not sent to any topic yet.")
    for topic in names:
        route = instance.routes.known(topic)
        if route is None:
            lines.append(f"Topic {topic}: its route is not known; it may not exist.")
        else:
            lines.append(f"Topic {topic}: sends go to {_spread(route.write_queues)}.")
    for broker, seconds in avoided.items():
        lines.append(f"Broker {broker} failed a moment ago and is left alone for {seconds:.0f} s.")
    lines.append(f"{counted(in_flight, 'message')} sent and not answered yet.")
    return "\n".join(lines)


def explain_puller(instance: Instance, group: str) -> str:
    """The state of a pull consumer, which owns nothing."""
    lines = [f"Pull consumer of group {group}, client id {instance.client_id}."]
    lines += _servers(instance)
    for route in instance.routes.all():
        lines.append(f"Topic {route.topic}: {_spread(route.read_queues, 'readable')}.")
    return "\n".join(lines)


async def explain_consumer(
    instance: Instance, member: ConsumerMember, *, owns_queues: bool = True
) -> str:
    """The state of a consumer."""
    lines = [f"Consumer of group {member.group}, client id {instance.client_id}."]
    data = member.consumer_data()
    if data is not None:
        for subscription in data.subscription_data_set:
            lines.append(f"It wants {_wish(subscription)} of topic {subscription.topic}.")
    lines += _servers(instance)
    for topic in member.topics():
        lines += await _consumed(instance, member, topic, owns_queues)
    return "\n".join(lines)


def explain_handling(busy: int, waiting: int, queues: Iterable[ProcessQueue]) -> str:
    """What becomes of messages that are here already, and which queues bring no more."""
    lines = [f"{counted(busy, 'handler')} at work; {counted(waiting, 'message')} waiting for one."]
    for held in sorted(queues, key=lambda held: held.queue):
        place = f"Queue {held.queue.queue_id} of {held.queue.topic} on {held.queue.broker_name}"
        if held.paused:
            lines.append(f"{place} is paused; call resume() to go on.")
        elif held.is_full():
            lines.append(
                f"{place} has {counted(held.count, 'message')} in hand, as many as it may; it goes "
                "on when handlers have finished some."
            )
    return "\n".join(lines)


def counted(count: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "queue"), counted(2, "queue")
    ('1 queue', '2 queues')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _wish(subscription: SubscriptionData) -> str:
    expression = subscription.sub_string or "*"
    if subscription.expression_type not in (None, "", TAG):
        return f"what matches the {subscription.expression_type} expression {expression}"
    return "everything" if expression == "*" else f"what is tagged {expression}"


def _servers(instance: Instance) -> list[str]:
    errors = instance.calls.last_errors
    lines = []
    for address in instance.calls.name_servers:
        lines.append(f"Name server {address}: {_link(instance, address, errors)}.")
    brokers = instance.routes.addresses(replicas=True)
    for address, name in sorted(brokers.items(), key=lambda item: (item[1], item[0])):
        lines.append(f"Broker {name} at {address}: {_link(instance, address, errors)}.")
    return lines


def _link(instance: Instance, address: str, errors: dict[str, str]) -> str:
    state = "connected" if instance.rpc.connection(address) is not None else "not connected"
    error = errors.get(address)
    return f"{state}; last error: {error}" if error else state


def _spread(queues: Iterable[MessageQueue], wanted: str = "writable") -> str:
    """`4 queues of broker-a and 1 queue of broker-b`."""
    counts = Counter(queue.broker_name for queue in queues)
    if not counts:
        return f"no queue: none is {wanted}"
    return " and ".join(
        f"{counted(count, 'queue')} of {name}" for name, count in sorted(counts.items())
    )


async def _consumed(
    instance: Instance, member: ConsumerMember, topic: str, owns_queues: bool
) -> list[str]:
    route = instance.routes.known(topic)
    if route is None or not route.read_queues:
        if topic.startswith(RETRY_PREFIX):
            return [f"Topic {topic}: not there yet; it comes with the first retry."]
        why = "no broker has a readable queue of it" if route else "its route is not known"
        return [f"Topic {topic}: {why}. Does it exist?"]
    lines = [f"Topic {topic}: {_spread(route.read_queues, 'readable')}."]
    members = await _members(instance, member, route)
    if members is not None:
        others = len([one for one in members if one != instance.client_id])
        lines.append(f"  The group has {counted(others, 'other consumer')} online.")
    positions = member.offsets(topic)
    if not positions and owns_queues:
        lines.append("  No queue is assigned here; others may have them, or it has just started.")
    shown = sorted(positions.items())[:QUEUES_SHOWN_MAX]
    told = await asyncio.gather(
        *(_position(instance, route, queue, offset) for queue, offset in shown)
    )
    lines += told
    if len(positions) > len(shown):
        lines.append(f"  ... and {len(positions) - len(shown)} more queues.")
    return lines


async def _members(instance: Instance, member: ConsumerMember, route: Route) -> list[str] | None:
    for name in sorted(route.brokers):
        address = route.address(name)
        if address is None:
            continue
        try:
            return await asyncio.wait_for(
                instance.calls.consumer_ids(address, member.group), ASK_SECONDS
            )
        except _FAILURES:
            continue
    return None


async def _position(instance: Instance, route: Route, queue: MessageQueue, offset: int) -> str:
    place = f"  Queue {queue.queue_id} of {queue.broker_name}: at {offset}"
    address = route.master(queue.broker_name) or route.address(queue.broker_name)
    if address is None:
        return f"{place}; its broker is not known, so how many wait is unknown."
    try:
        end = await asyncio.wait_for(instance.calls.max_offset(address, queue), ASK_SECONDS)
    except _FAILURES as error:
        return f"{place}; how many wait is unknown ({str(error) or 'no answer'})."
    return f"{place} of {end}; {counted(max(0, end - max(offset, 0)), 'message')} to come."
