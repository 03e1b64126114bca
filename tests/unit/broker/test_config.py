"""What a broker is told to be, and what it cannot be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pocketmq.broker.addresses import presence
from pocketmq.broker.config import BrokerConfig, IdentityConfig
from pocketmq.errors import ConfigError
from pocketmq.net import Address
from pocketmq.settings import read_flag, resolve


@pytest.mark.parametrize("role", ["ASYNC_MASTER", "SYNC_MASTER"])
def test_a_master_registers_as_0_whatever_its_file_says(role: str) -> None:
    """As Apache's does; clients send to 0 and to nobody else."""
    flags = [read_flag(f"brokerRole={role}"), read_flag("brokerId=3")]
    config = resolve({"broker": BrokerConfig()}, flags).config(BrokerConfig)
    assert presence(config, Address("127.0.0.1", 10911)).id == 0


def test_a_replica_keeps_its_id() -> None:
    config = replace(BrokerConfig(), identity=IdentityConfig(role="SLAVE", id=3))
    assert presence(config, Address("127.0.0.1", 10911)).id == 3


def test_a_replica_that_would_hold_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"brokerRole = 'SLAVE' .* replication is not there yet"):
        resolve({"broker": BrokerConfig()}, [read_flag("brokerRole=SLAVE")])
