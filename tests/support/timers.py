"""Letting a broker's timer do its work at once."""

from __future__ import annotations

from pocketmq.broker.app import BrokerApp


async def enrol_and_deliver(app: BrokerApp) -> None:
    """Enrol what has come, deliver what is due and make it visible."""
    timer = app.running.models.timer
    assert timer is not None
    for _ in range(2):
        app.running.dispatch.drain()
        await timer.step()
    app.running.dispatch.drain()
