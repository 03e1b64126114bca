"""Access control over several brokers: each keeps its own users and rules, and they may differ.

RocketMQ has no common place for users: a broker knows those that it was told of, a replica too. So
everything is asked of every broker, what one lacks is part of the answer, and a change goes to all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pocketmq.admin.clusters import Broker, Clusters
from pocketmq.client.calls import Calls
from pocketmq.errors import (
    AccessUnavailable,
    BrokerRefused,
    ConfigError,
    NetError,
    PartlyDone,
    PocketMQError,
)
from pocketmq.protocol.bodies.java_properties import parse_properties
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command

T = TypeVar("T")

APACHE_PROVIDERS: Final = {
    "authenticationMetadataProvider": "org.apache.rocketmq.auth.authentication.provider."
    "LocalAuthenticationMetadataProvider",
    "authorizationMetadataProvider": "org.apache.rocketmq.auth.authorization.provider."
    "LocalAuthorizationMetadataProvider",
}
"""What Apache's brokers are to be given, so that they keep users and rules on their disk."""
FIRST_USER: Final = {"initAuthenticationUser": '{"username":"root","password":"..."}'}
"""What PocketMQ's brokers are to be given: their first user lets all others in."""
_LOOKS: Final = (RequestCode.AUTH_GET_USER, RequestCode.AUTH_LIST_USER, RequestCode.AUTH_LIST_ACL)


def label_of(broker: Broker) -> str:
    """What a broker is called in tables: its name, and a replica's number behind it."""
    return broker.name if broker.is_master else f"{broker.name}:{broker.id}"


@dataclass(frozen=True, slots=True)
class Switches:
    """Whether a broker asks who somebody is, and whether it looks at rules.

    When it does not tell, `problem` says why and the rest is False.
    """

    broker: str
    authentication: bool = False
    authorization: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """What brokers said, by the broker's label; `problems` are those that did not tell."""

    answers: dict[str, T]
    problems: dict[str, str]
    clusters: dict[str, str]
    """The cluster of each broker: what is known in one need not be in another."""

    def lacking(self, having: Collection[str]) -> tuple[str, ...]:
        """The brokers that told, are in a cluster of one of these, and are not among them."""
        meant = {self.clusters[label] for label in having}
        return tuple(
            label for label in self.answers if label not in having and self.clusters[label] in meant
        )


class Access:
    """Asks all brokers about users and rules, and tells why one cannot answer."""

    def __init__(self, calls: Calls, clusters: Clusters) -> None:
        self._calls = calls
        self._clusters = clusters

    async def brokers(self, cluster: str | None = None, broker: str | None = None) -> list[Broker]:
        """All brokers, those of a cluster, or those of a name. Raise ConfigError for none."""
        found = await self._clusters.brokers(cluster)
        if broker is None:
            return found
        chosen = [one for one in found if broker in (one.name, one.address, label_of(one))]
        if not chosen:
            known = ", ".join(sorted(label_of(one) for one in found)) or "none"
            raise ConfigError(f"there is no broker {broker!r}; the name server knows {known}")
        return chosen

    async def switches(self, brokers: Iterable[Broker]) -> list[Switches]:
        """Whether access control is on, broker by broker."""
        return list(await asyncio.gather(*(self._switches_of(one) for one in brokers)))

    async def _switches_of(self, broker: Broker) -> Switches:
        try:
            settings = await self._settings(broker)
        except (NetError, BrokerRefused) as error:
            return Switches(label_of(broker), problem=str(error))
        return Switches(
            label_of(broker),
            _is_on(settings, "authenticationEnabled"),
            _is_on(settings, "authorizationEnabled"),
        )

    async def ask(self, broker: Broker, code: int, header: Any, body: bytes = b"") -> Command:
        """A broker's answer. Raise AccessUnavailable where it keeps no users, BrokerRefused."""
        try:
            return await self._calls.ask(broker.address, code, header, body)
        except BrokerRefused as error:
            if error.code == ResponseCode.REQUEST_CODE_NOT_SUPPORTED:
                raise AccessUnavailable(
                    f"{label_of(broker)} knows neither users nor rules; they need RocketMQ 5.3 or "
                    "newer",
                    {},
                ) from None
            if error.code == ResponseCode.SYSTEM_ERROR and code in _LOOKS:
                raise await self._explained(broker, error) from None
            raise

    async def told(
        self, brokers: Sequence[Broker], ask: Callable[[Broker], Awaitable[T]]
    ) -> Told[T]:
        """What each says. Those that do not answer are named; raise the error when none does."""
        answers, failures = await self._all(brokers, ask)
        if failures and not answers:
            raise next(iter(failures.values()))
        problems = {name: str(error) for name, error in failures.items()}
        return Told(answers, problems, {label_of(one): one.cluster for one in brokers})

    async def change(
        self, brokers: Sequence[Broker], change: Callable[[Broker], Awaitable[object]]
    ) -> list[str]:
        """Change something on all of them; return their labels.

        Raise the error when none does it, PartlyDone when only some do.
        """
        answers, failures = await self._all(brokers, change)
        done = list(answers)
        if failures and not done:
            raise next(iter(failures.values()))
        if failures:
            raise PartlyDone(done, {name: str(error) for name, error in failures.items()})
        return done

    @staticmethod
    async def _all(
        brokers: Sequence[Broker], ask: Callable[[Broker], Awaitable[T]]
    ) -> tuple[dict[str, T], dict[str, PocketMQError]]:
        found = await asyncio.gather(*(ask(one) for one in brokers), return_exceptions=True)
        answers: dict[str, T] = {}
        failures: dict[str, PocketMQError] = {}
        for broker, answer in zip(brokers, found, strict=True):
            if isinstance(answer, PocketMQError):
                failures[label_of(broker)] = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                answers[label_of(broker)] = answer
        return answers, failures

    async def _settings(self, broker: Broker) -> dict[str, str]:
        answer = await self._calls.ask(broker.address, RequestCode.GET_BROKER_CONFIG)
        return parse_properties(bytes(answer.body))

    async def _explained(self, broker: Broker, error: BrokerRefused) -> PocketMQError:
        """Why a broker cannot list users or rules: mostly, as it was not set up to have any."""
        try:
            settings = await self._settings(broker)
        except (NetError, BrokerRefused):
            return error
        if all(settings.get(name, "").strip() for name in APACHE_PROVIDERS):
            return error
        remark = error.remark or ""
        if next(iter(FIRST_USER)) in remark:
            return AccessUnavailable(f"{label_of(broker)}: {remark}", FIRST_USER)
        # Apache's remark is that an error occurred; only its settings tell which.
        lines = ", ".join(f"{name}={value}" for name, value in APACHE_PROVIDERS.items())
        return AccessUnavailable(
            f"{label_of(broker)} keeps neither users nor rules, as no provider is configured; "
            f"set {lines} in its configuration and restart it",
            APACHE_PROVIDERS,
        )


def _is_on(settings: dict[str, str], name: str) -> bool:
    return settings.get(name, "").strip().lower() == "true"
