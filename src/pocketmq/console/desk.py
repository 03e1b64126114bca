"""Everything an endpoint may use, built once and closed at the end."""

from __future__ import annotations

from dataclasses import dataclass

from pocketmq.admin import Admin
from pocketmq.clock import Clock
from pocketmq.console.config import ConsoleConfig
from pocketmq.console.live import Live
from pocketmq.console.picture import Picture
from pocketmq.console.sessions import Sessions
from pocketmq.console.tasks import Tasks
from pocketmq.console.users import UserFile


@dataclass(frozen=True, slots=True)
class Desk:
    """What stands on an operator's desk."""

    config: ConsoleConfig
    admin: Admin
    clock: Clock
    picture: Picture
    live: Live
    tasks: Tasks
    sessions: Sessions

    @classmethod
    def of(cls, config: ConsoleConfig, admin: Admin, clock: Clock) -> Desk:
        """A desk for a cluster."""
        picture = Picture(admin, clock)
        live = Live(
            admin,
            picture,
            clock,
            interval_seconds=config.poll_interval_ms / 1000,
            viewers_max=config.viewers_max,
        )
        sessions = Sessions(
            UserFile(config.users),
            clock,
            hours=config.session_hours,
            sessions_max=config.sessions_max,
            read_only=config.read_only,
        )
        return cls(config, admin, clock, picture, live, Tasks(clock, live.tell), sessions)

    async def close(self) -> None:
        """End all that runs; the admin is its owner's."""
        await self.tasks.close()
        await self.live.close()
        await self.picture.close()
