"""Names inside a namespace: what users write, and what is on the wire.

Cloud services and shared clusters put `namespace%` before every topic and group. Users of a client
that was given a namespace neither write nor see it.
"""

from __future__ import annotations

from pocketmq.message.topics import with_namespace, without_namespace


class Namespace:
    """Translates names. With an empty namespace every name stays as it is."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def outward(self, name: str) -> str:
        """A topic or group as it is on the wire.

        >>> Namespace("prod").outward("orders"), Namespace("").outward("orders")
        ('prod%orders', 'orders')
        """
        return with_namespace(self.name, name) if self.name else name

    def inward(self, name: str) -> str:
        """A topic or group from the wire as the user knows it.

        >>> Namespace("prod").inward("prod%orders")
        'orders'
        """
        return without_namespace(name, self.name) if self.name else name
