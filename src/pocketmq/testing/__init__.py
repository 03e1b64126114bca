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

from pocketmq.lazy import loader

if TYPE_CHECKING:
    from pocketmq.errors import NotSettled as NotSettled
    from pocketmq.testing.broker_clock import BrokerClock as BrokerClock
    from pocketmq.testing.faults import Fault as Fault
    from pocketmq.testing.faults import Faults as Faults
    from pocketmq.testing.local_broker import LocalBroker as LocalBroker
    from pocketmq.testing.local_broker import broker as broker
    from pocketmq.testing.messages import StoredMessage as StoredMessage

_PLACES = {
    "BrokerClock": "pocketmq.testing.broker_clock",
    "Fault": "pocketmq.testing.faults",
    "Faults": "pocketmq.testing.faults",
    "LocalBroker": "pocketmq.testing.local_broker",
    "NotSettled": "pocketmq.errors",
    "StoredMessage": "pocketmq.testing.messages",
    "broker": "pocketmq.testing.local_broker",
}

__all__ = [*_PLACES]


if not TYPE_CHECKING:
    __getattr__ = loader(__name__, _PLACES)
