"""The consumer groups of this broker: `config/subscriptionGroup.json`.

A group is set up by an operator or comes to be when it is first used. Beside its settings a group
may be forbidden to use a topic: a bit set per group and topic, of which bit 2 forbids reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pocketmq.broker.config import TopicsConfig
from pocketmq.broker.state.saved import ChangeLog, encode_table
from pocketmq.broker.state.table_file import TableFile
from pocketmq.clock import Clock
from pocketmq.message.topics import BUILT_IN_GROUPS, group_problem, is_system_group
from pocketmq.protocol.bodies.fastjson import dumps_plain
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup, SubscriptionGroupTable
from pocketmq.protocol.bodies.versions import DataVersion

FORBID_READ_BIT = 2


class GroupTable:
    """Finds, makes and changes groups. Changed on the event loop only."""

    def __init__(
        self, config: TopicsConfig, clock: Clock, *, file: TableFile | None = None
    ) -> None:
        self._config = config
        self._groups: dict[str, SubscriptionGroup] = {}
        self._rows: dict[str, bytes] = {}
        self._forbidden: dict[str, dict[str, int]] = {}
        self.auto_create = config.auto_create_groups
        self.file = file
        self.changes = ChangeLog(clock)
        self.find: Callable[[str], SubscriptionGroup | None] = self._groups.get

    # -- loading and saving -----------------------------------------------------------------

    def load(self) -> None:
        """Read the file, then add what every broker has. Raise CorruptStore, OSError."""
        table = self.file.load(SubscriptionGroupTable.from_json) if self.file is not None else None
        if table is not None:
            self.changes.version = table.data_version
            for group in table.subscription_group_table.values():
                if group.group_name:
                    self._store(group)
            self._forbidden = {name: dict(topics) for name, topics in table.forbidden_table.items()}
        missing = [name for name in BUILT_IN_GROUPS if name not in self._groups]
        self.put_all([SubscriptionGroup(name) for name in missing])

    def encode(self) -> bytes:
        """The content of the file."""
        rows = self._rows
        for name, group in self._groups.items():
            if name not in rows:
                rows[name] = b"%b:%b" % (dumps_plain(name), group.to_json())
        return encode_table(
            {
                "dataVersion": self.changes.version.to_json(),
                "forbiddenTable": dumps_plain(self._forbidden),
                "subscriptionGroupTable": rows.values(),
            }
        )

    # -- reading ----------------------------------------------------------------------------

    @property
    def data_version(self) -> DataVersion:
        """Changes whenever a group does."""
        return self.changes.version

    @property
    def configs(self) -> Mapping[str, SubscriptionGroup]:
        """All groups, as they are now."""
        return dict(self._groups)

    @property
    def forbidden(self) -> Mapping[str, Mapping[str, int]]:
        """What groups may not do with topics."""
        return {group: dict(topics) for group, topics in self._forbidden.items()}

    def __len__(self) -> int:
        return len(self._groups)

    def may_read(self, group: str, topic: str) -> bool:
        """False when an operator forbade it."""
        if not self._forbidden:
            return True
        return not self._forbidden.get(group, {}).get(topic, 0) >> FORBID_READ_BIT & 1

    # -- changing ---------------------------------------------------------------------------

    def find_or_create(self, group: str) -> SubscriptionGroup | None:
        """The group, made if it may be. None when it may not: its name, the settings, the limit."""
        known = self._groups.get(group)
        if known is not None:
            return known
        if not self.auto_create and not is_system_group(group):
            return None
        if len(self._groups) >= self._config.groups_max or group_problem(group) is not None:
            return None
        made = SubscriptionGroup(group)
        self.put(made)
        return made

    def put(self, group: SubscriptionGroup) -> None:
        """Make a group or change it."""
        self.put_all((group,))

    def put_all(self, groups: Iterable[SubscriptionGroup]) -> None:
        """Make or change several groups as one change."""
        changed = [group.group_name for group in groups if self._store(group)]
        if changed:
            self.changes.changed(changed)

    def delete(self, group: str) -> bool:
        """Forget a group and what it was forbidden; False when there is none."""
        forbidden = self._forbidden.pop(group, None)
        known = self._groups.pop(group, None)
        self._rows.pop(group, None)
        if known is None and forbidden is None:
            return False
        self.changes.changed((group,))
        return known is not None

    def set_readable(self, group: str, topic: str, readable: bool) -> None:
        """Allow a group to read a topic, or forbid it."""
        topics = self._forbidden.get(group, {})
        old = topics.get(topic, 0)
        bit = 1 << FORBID_READ_BIT
        new = old & ~bit if readable else old | bit
        if new == old:
            return
        if new:
            self._forbidden.setdefault(group, {})[topic] = new
        else:
            del topics[topic]
            if not topics:
                del self._forbidden[group]
        self.changes.changed((group,))

    def set_auto_create(self, allowed: bool) -> None:
        """Allow groups to be created by using them, or forbid it."""
        self.auto_create = allowed

    # -- inside -----------------------------------------------------------------------------

    def _store(self, group: SubscriptionGroup) -> bool:
        name = group.group_name
        if self._groups.get(name) == group:
            return False
        self._groups[name] = group
        self._rows.pop(name, None)
        return True
