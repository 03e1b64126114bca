"""Configuration: declared by each subsystem, read from files, environment and flags.

`setting` and `group` declare (declaring.py). What people write arrives as entries (sources.py);
`resolve` turns entries into configs, later ones winning, and says what it did not understand
(resolving.py). values.py reads and prints single values, apache.py lists RocketMQ's own keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketmq.lazy import loader

if TYPE_CHECKING:
    from pocketmq.settings.declaring import Setting as Setting
    from pocketmq.settings.declaring import group as group
    from pocketmq.settings.declaring import setting as setting
    from pocketmq.settings.declaring import settings_of as settings_of
    from pocketmq.settings.resolving import Names as Names
    from pocketmq.settings.resolving import Resolved as Resolved
    from pocketmq.settings.resolving import as_properties as as_properties
    from pocketmq.settings.resolving import resolve as resolve
    from pocketmq.settings.sources import Entry as Entry
    from pocketmq.settings.sources import read_environment as read_environment
    from pocketmq.settings.sources import read_file as read_file
    from pocketmq.settings.sources import read_flag as read_flag

_PLACES = {
    "Entry": "pocketmq.settings.sources",
    "Names": "pocketmq.settings.resolving",
    "Resolved": "pocketmq.settings.resolving",
    "Setting": "pocketmq.settings.declaring",
    "as_properties": "pocketmq.settings.resolving",
    "group": "pocketmq.settings.declaring",
    "read_environment": "pocketmq.settings.sources",
    "read_file": "pocketmq.settings.sources",
    "read_flag": "pocketmq.settings.sources",
    "resolve": "pocketmq.settings.resolving",
    "setting": "pocketmq.settings.declaring",
    "settings_of": "pocketmq.settings.declaring",
}

__all__ = [*_PLACES]


if not TYPE_CHECKING:
    __getattr__ = loader(__name__, _PLACES)
