"""The clients these tests are about."""

from __future__ import annotations

from tests.support.clients.peers import PEERS, Peer

GO, NODE, CPP = (peer for name in ("go", "node", "cpp") for peer in PEERS if peer.name == name)


def by_name(value: object) -> str:
    """What a test's parameter is called."""
    return value.name if isinstance(value, Peer) else str(value)
