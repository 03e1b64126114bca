"""A real name server and broker inside a test, ready in milliseconds, with a clock that jumps.

    def test_orders(rocketmq):                     # the pytest fixture; see plugin.py
        place_order(rocketmq.address)              # any RocketMQ client, any language
        rocketmq.clock.advance(hours=2)
        rocketmq.assert_consumed("orders", by="billing")

    with pocketmq.testing.broker() as rocketmq:    # the same anywhere else
        ...

Importing this package costs nothing; the servers are loaded with the first broker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pocketmq.errors import NotSettled
    from pocketmq.testing.broker_clock import BrokerClock
    from pocketmq.testing.faults import Fault, Faults
    from pocketmq.testing.local_broker import LocalBroker, broker
    from pocketmq.testing.messages import StoredMessage

__all__ = [
    "BrokerClock",
    "Fault",
    "Faults",
    "LocalBroker",
    "NotSettled",
    "StoredMessage",
    "broker",
]

_HOMES = {
    "BrokerClock": "pocketmq.testing.broker_clock",
    "Fault": "pocketmq.testing.faults",
    "Faults": "pocketmq.testing.faults",
    "LocalBroker": "pocketmq.testing.local_broker",
    "NotSettled": "pocketmq.errors",
    "StoredMessage": "pocketmq.testing.messages",
    "broker": "pocketmq.testing.local_broker",
}


def __getattr__(name: str) -> object:
    """Load what is asked for."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
