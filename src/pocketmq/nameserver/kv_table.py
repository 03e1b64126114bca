"""Settings that operators keep on the name server: namespace -> key -> value.

They live in one file, `kvConfig.json`, in Apache's form:

    {"configTable":{"ORDER_TOPIC_CONFIG":{"Orders":"broker-a:8"}}}

`KvFile` replaces it whole: a temporary file is written and synced, then renamed over the old one,
so that a crash leaves the old content or the new.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from pocketmq.errors import ConfigError, MalformedBody
from pocketmq.protocol.bodies.fastjson import dumps_plain, loads

ORDER_TOPICS: Final = "ORDER_TOPIC_CONFIG"


class KvTable:
    """The settings in memory. Changed on the event loop only."""

    def __init__(self) -> None:
        self._namespaces: dict[str, dict[str, str]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, namespace: str, key: str) -> str | None:
        """A value, or None when there is none."""
        return self._namespaces.get(namespace, {}).get(key)

    def namespace(self, namespace: str) -> Mapping[str, str] | None:
        """All settings of a namespace, or None when it was never used."""
        known = self._namespaces.get(namespace)
        return None if known is None else dict(known)

    def put(self, namespace: str, key: str, value: str) -> None:
        """Add or replace one setting."""
        entries = self._namespaces.setdefault(namespace, {})
        self._count += key not in entries
        entries[key] = value

    def delete(self, namespace: str, key: str) -> bool:
        """Remove one setting; False when there is none. Its namespace stays, if empty."""
        if self._namespaces.get(namespace, {}).pop(key, None) is None:
            return False
        self._count -= 1
        return True

    def encode(self) -> bytes:
        """The content of the file."""
        return dumps_plain({"configTable": self._namespaces})

    def load(self, data: bytes) -> None:
        """Take the settings of a file. Raise MalformedBody when it cannot be read."""
        document = loads(data)
        namespaces = document.get("configTable") if isinstance(document, dict) else None
        if not isinstance(namespaces, dict):
            raise MalformedBody("there is no configTable in it")
        for namespace, entries in namespaces.items():
            if not isinstance(entries, dict):
                raise MalformedBody(f"the namespace {namespace!r} is not a map")
            known = self._namespaces.setdefault(str(namespace), {})
            known.update((str(key), str(value)) for key, value in entries.items())
        self._count = sum(map(len, self._namespaces.values()))


class Loaded(Protocol):
    """What the content of a file is given to."""

    def load(self, data: bytes) -> None:
        """Take it. Raise MalformedBody when it cannot be read."""
        ...


class KvFile:
    """The file of some settings."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load_into(self, table: Loaded) -> None:
        """Read the file, if there is one. Raise ConfigError when it cannot be read."""
        try:
            data = self.path.read_bytes()
            if data.strip():
                table.load(data)
        except FileNotFoundError:
            return
        except (OSError, MalformedBody) as error:
            raise ConfigError(
                f"the settings in {self.path} cannot be read ({error}); correct the "
                "file, or move it away to start without settings"
            ) from None

    def replace(self, data: bytes) -> None:
        """Make `data` the content, durably. It blocks, so it runs on a worker thread."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(self.path.name + ".tmp")
        with open(fresh, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self.path)
