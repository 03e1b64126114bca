"""Everything an endpoint may use, built once and closed at the end."""

from __future__ import annotations

from dataclasses import dataclass

from pocketmq.admin import Admin
from pocketmq.admin.doctor import Diagnosis, examine
from pocketmq.clock import Clock
from pocketmq.console.aged import Aged
from pocketmq.console.broker_logins import BrokerLogins
from pocketmq.console.config import ConsoleConfig
from pocketmq.console.live import Live
from pocketmq.console.picture import Picture
from pocketmq.console.sessions import Sessions
from pocketmq.console.tasks import Tasks
from pocketmq.console.users import UserFile

Diagnosed = tuple[int, Diagnosis]
_DIAGNOSIS_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Desk:
    """What stands on an operator's desk."""

    config: ConsoleConfig
    admin: Admin
    clock: Clock
    picture: Picture
    live: Live
    tasks: Tasks
    diagnosis: Aged[Diagnosed]
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
            brokers=BrokerLogins(admin) if config.broker_login else None,
        )
        tasks = Tasks(clock, live.tell)
        diagnosis: Aged[Diagnosed] = Aged(clock, _DIAGNOSIS_SECONDS)
        return cls(config, admin, clock, picture, live, tasks, diagnosis, sessions)

    async def diagnose(self) -> Diagnosed:
        """What the doctor says, and when; a few seconds ago at most."""

        async def find() -> Diagnosed:
            return self.clock.now_ms(), await examine(self.admin)

        return await self.diagnosis.get("", find)

    async def close(self) -> None:
        """End all that runs; the admin is its owner's."""
        await self.diagnosis.close()
        await self.tasks.close()
        await self.live.close()
        await self.picture.close()
        self.sessions.users.close()
