"""The table of orders. An order is new, then paid or cancelled."""

from __future__ import annotations

import sqlite3


class Orders:
    """Orders in SQLite. `announced_by` is the message that announced an order."""

    def __init__(self, path: str = ":memory:") -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute(
            "create table if not exists orders"
            " (id text primary key, amount integer, state text, announced_by text)"
        )

    def insert(self, order_id: str, amount: int, announced_by: str) -> None:
        """Add a new order. Raise sqlite3.IntegrityError when there is one with this id."""
        row = (order_id, amount, "new", announced_by)
        self._database.execute("insert into orders values (?, ?, ?, ?)", row)

    def change(self, order_id: str, state: str) -> bool:
        """Give a new order another state. False: it is not new any more."""
        changed = self._database.execute(
            "update orders set state = ? where id = ? and state = 'new'", (state, order_id)
        )
        return changed.rowcount == 1

    def state(self, order_id: str) -> str | None:
        """An order's state, or None when there is none."""
        return self._one("select state from orders where id = ?", order_id)

    def was_announced_by(self, message_id: str) -> bool:
        """Whether an order was stored together with this message."""
        return self._one("select id from orders where announced_by = ?", message_id) is not None

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _one(self, query: str, value: str) -> str | None:
        row = self._database.execute(query, (value,)).fetchone()
        return None if row is None else row[0]
