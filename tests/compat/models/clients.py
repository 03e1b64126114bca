"""The clients that are not Java's, whose models have tests of their own.

They lack some of what the Java clients' tests use: to choose the level at which a refused message
comes back, to look a message up, to read dead letters.
"""

from __future__ import annotations

from tests.support.clients.peers import PEERS

GO, NODE, CPP = (peer for name in ("go", "node", "cpp") for peer in PEERS if peer.name == name)
