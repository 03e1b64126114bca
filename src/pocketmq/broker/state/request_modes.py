"""How groups fetch topics, PULL or POP: `config/messageRequestMode.json`."""

from __future__ import annotations

from pocketmq.broker.state.saved import ChangeLog
from pocketmq.broker.state.table_file import TableFile
from pocketmq.clock import Clock
from pocketmq.protocol.bodies.pop import MessageRequestMode, MessageRequestModes


class RequestModes:
    """What operators set."""

    def __init__(self, clock: Clock, *, file: TableFile | None = None) -> None:
        self._modes: dict[str, dict[str, MessageRequestMode]] = {}
        self.file = file
        self.changes = ChangeLog(clock)

    def load(self) -> None:
        """Read the file. Raise CorruptStore, OSError."""
        found = self.file.load(MessageRequestModes.from_json) if self.file is not None else None
        if found is not None:
            self._modes = {t: dict(groups) for t, groups in found.message_request_mode_map.items()}

    def encode(self) -> bytes:
        """The content of the file, and the answer to 402."""
        return MessageRequestModes(self._modes).to_json()

    def find(self, topic: str, group: str) -> MessageRequestMode | None:
        """What was set for a group."""
        return self._modes.get(topic, {}).get(group)

    def put(self, mode: MessageRequestMode) -> None:
        """Set it."""
        self._modes.setdefault(mode.topic, {})[mode.consumer_group] = mode
        self.changes.changed(())
