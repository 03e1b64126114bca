"""`pocketmq hello`: one message to the broker and back, each step shown.

It does what a client library does: asks the name server where the topic lives, sends there, and
pulls from the queue that the answer names.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from pocketmq.cli.connecting import name_server_of, nameserver_option
from pocketmq.cli.running import run
from pocketmq.client.config import parse_name_servers
from pocketmq.clock import SystemClock
from pocketmq.errors import MalformedBody, NetError, PocketMQError, Refused
from pocketmq.message.positions import QueueOffset
from pocketmq.message.properties import encode_properties
from pocketmq.message.record import decode_record
from pocketmq.net import RpcClient
from pocketmq.protocol.bodies.route import MASTER_ID, TopicRoute
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields, encode_fields
from pocketmq.protocol.requests.pull import HAS_SUBSCRIPTION, MAY_SUSPEND, PullReply, PullRequest
from pocketmq.protocol.requests.routes import RouteRequest
from pocketmq.protocol.requests.send import SendReply, SendRequest

TOPIC = "HelloPocketMQ"
AUTO_CREATE_TOPIC = "TBW102"
GROUP = "hello"
_PATIENCE_MS = 2000  # a broker may make messages visible a moment after it has taken them


@click.command()
@nameserver_option
@click.argument("text", default="Hello from PocketMQ")
def hello(nameserver: str | None, text: str) -> None:
    """Send a message, receive it, and show each step."""
    run(_hello(parse_name_servers(name_server_of(nameserver)), text))


async def _hello(name_servers: Sequence[str], text: str) -> None:
    client = RpcClient()
    try:
        conversation = _Conversation(client, await _first_that_answers(client, name_servers))
        await conversation.find_broker()
        sent = await conversation.send(text.encode())
        await conversation.receive(sent)
    finally:
        await client.close()


async def _first_that_answers(client: RpcClient, name_servers: Sequence[str]) -> str:
    """As a client library does: the next name server where one does not answer. Raise NetError."""
    *others, last = name_servers
    for address in others:
        try:
            await client.call(address, _route_of(AUTO_CREATE_TOPIC))
        except NetError as error:
            click.echo(f"asking    another name server, as {error}")
        else:
            return address
    return last


def _route_of(topic: str) -> Command:
    return Command.request(RequestCode.GET_ROUTEINFO_BY_TOPIC, encode_fields(RouteRequest(topic)))


class _Conversation:
    """The three requests, in order."""

    def __init__(self, client: RpcClient, name_server: str) -> None:
        self._client = client
        self._name_server = name_server
        self._broker = ""

    async def find_broker(self) -> None:
        """Ask for the topic's route, or for that of the topic new ones are made from."""
        for topic in (TOPIC, AUTO_CREATE_TOPIC):
            answer = await self._client.call(self._name_server, _route_of(topic))
            if answer.code == ResponseCode.TOPIC_NOT_EXIST:
                continue
            _expect_success(answer, self._name_server)
            route = TopicRoute.from_json(bytes(answer.body))
            for data in route.broker_datas:
                if MASTER_ID in data.broker_addrs:
                    self._broker = data.broker_addrs[MASTER_ID]
                    click.echo(f"route     {data.broker_name} at {self._broker}")
                    return
        raise PocketMQError(
            f"the name server {self._name_server} knows no broker that takes new topics; "
            "start one with: pocketmq up"
        )

    async def send(self, body: bytes) -> SendReply:
        """Send a message to the first queue."""
        clock = SystemClock()
        request = SendRequest(
            producer_group=GROUP,
            topic=TOPIC,
            default_topic=AUTO_CREATE_TOPIC,
            default_topic_queue_nums=4,
            queue_id=0,
            sys_flag=0,
            born_timestamp=clock.now_ms(),
            flag=0,
            properties=encode_properties({"TAGS": GROUP}),
        )
        started = clock.monotonic()
        answer = await self._client.call(
            self._broker, Command.request(RequestCode.SEND_MESSAGE, encode_fields(request), body)
        )
        _expect_success(answer, self._broker)
        sent = decode_fields(SendReply, answer.fields)
        took_ms = (clock.monotonic() - started) * 1000
        click.echo(
            f"sent      {len(body)} bytes to {TOPIC} queue {sent.queue_id} "
            f"offset {sent.queue_offset} in {took_ms:.1f} ms"
        )
        return sent

    async def receive(self, sent: SendReply) -> None:
        """Pull the message that was sent."""
        if sent.queue_id is None or sent.queue_offset is None:
            raise MalformedBody(f"the answer of {self._broker} does not say where the message is")
        request = PullRequest(
            consumer_group=GROUP,
            topic=TOPIC,
            queue_id=sent.queue_id,
            queue_offset=sent.queue_offset,
            max_msg_nums=1,
            sys_flag=HAS_SUBSCRIPTION | MAY_SUSPEND,
            commit_offset=QueueOffset(0),
            suspend_timeout_millis=_PATIENCE_MS,
            subscription="*",
        )
        answer = await self._client.call(
            self._broker, Command.request(RequestCode.PULL_MESSAGE, encode_fields(request))
        )
        _expect_success(answer, self._broker)
        record = decode_record(answer.body)
        stored = time.strftime("%H:%M:%S", time.localtime(record.store_timestamp_ms / 1000))
        following = decode_fields(PullReply, answer.fields).next_begin_offset
        click.echo(f"received  {bytes(record.body).decode()!r}, stored at {stored}")
        click.echo(f"next      offset {following}; any RocketMQ client can go on from here")


def _expect_success(answer: Command, address: str) -> None:
    if answer.code != ResponseCode.SUCCESS:
        raise Refused(answer.code, f"{address} refused: {answer.remark} (code {answer.code})")
