"""What users may do: `config/acls.json`, by subject (`User:alice`), as requests write it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pocketmq.broker.access_config import AccessConfig
from pocketmq.broker.rules.acl_documents import acl_document, acl_from
from pocketmq.broker.state.saved import ChangeLog
from pocketmq.broker.state.table_file import TableFile
from pocketmq.clock import Clock
from pocketmq.errors import MalformedBody
from pocketmq.protocol.bodies.documents import Document
from pocketmq.protocol.bodies.security import AclDocument
from pocketmq.protocol.bodies.versions import DataVersion
from pocketmq.security.acls import Acl


@dataclass(frozen=True, slots=True)
class AclsDocument(Document):
    """The file's content."""

    acls: dict[str, AclDocument] = field(default_factory=dict)
    data_version: DataVersion = DataVersion()  # noqa: RUF009 - immutable

    plain_keys: ClassVar[bool] = True


class AclTable:
    """Remembers the policies of subjects."""

    def __init__(
        self, config: AccessConfig, clock: Clock, *, file: TableFile | None = None
    ) -> None:
        self._config = config
        self._acls: dict[str, Acl] = {}
        self._entries = 0
        self.file = file
        self.changes = ChangeLog(clock)

    def load(self) -> None:
        """Read the file. Raise CorruptStore, OSError."""
        found = self.file.load(_decoded) if self.file is not None else None
        if found is not None:
            self._acls, self.changes.version = found
            self._entries = sum(acl.entry_count for acl in self._acls.values())

    def encode(self) -> bytes:
        """The content of the file."""
        acls = {subject: acl_document(acl) for subject, acl in sorted(self._acls.items())}
        return AclsDocument(acls, self.changes.version).to_json()

    def find(self, subject: str) -> Acl | None:
        """The policies of a subject."""
        return self._acls.get(subject)

    def all(self) -> list[Acl]:
        """All, sorted by subject."""
        return [acl for _, acl in sorted(self._acls.items())]

    def room_problem(self, acl: Acl) -> str | None:
        """Why this has no room, or None."""
        old = self._acls.get(acl.subject)
        if acl.entry_count > self._config.entries_per_user_max:
            return (
                f"{acl.entry_count} entries for {acl.subject}; at most "
                f"{self._config.entries_per_user_max} are kept (access.entries_per_user_max)"
            )
        total = self._entries - (old.entry_count if old is not None else 0) + acl.entry_count
        if total > self._config.entries_max:
            return (
                f"{total} entries of all users; at most {self._config.entries_max} are kept "
                "(access.entries_max)"
            )
        return None

    def put(self, acl: Acl) -> None:
        """Replace a subject's policies; without any it is forgotten."""
        self._drop(acl.subject)
        if acl.policies:
            self._acls[acl.subject] = acl
            self._entries += acl.entry_count
        self.changes.changed((acl.subject,))

    def remove(self, subject: str) -> None:
        """Forget a subject."""
        if self._drop(subject):
            self.changes.changed((subject,))

    def _drop(self, subject: str) -> bool:
        old = self._acls.pop(subject, None)
        if old is not None:
            self._entries -= old.entry_count
        return old is not None


def _decoded(content: bytes) -> tuple[dict[str, Acl], DataVersion]:
    document = AclsDocument.from_json(content)
    try:
        acls = {subject: acl_from(subject, one) for subject, one in document.acls.items()}
    except ValueError as error:
        # An entry that is left out may be the one that denies.
        raise MalformedBody(str(error)) from None
    return acls, document.data_version
