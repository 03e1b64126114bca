"""Configuration: declared by each subsystem, read from files, environment and flags.

`setting` and `group` declare (declaring.py). What people write arrives as entries (sources.py);
`resolve` turns entries into configs, later ones winning, and says what it did not understand
(resolving.py). values.py reads and prints single values, apache.py lists RocketMQ's own keys.
"""

from __future__ import annotations

from pocketmq.settings.declaring import Setting, group, setting, settings_of
from pocketmq.settings.resolving import Names, Resolved, as_properties, resolve
from pocketmq.settings.sources import Entry, read_environment, read_file, read_flag

__all__ = [
    "Entry",
    "Names",
    "Resolved",
    "Setting",
    "as_properties",
    "group",
    "read_environment",
    "read_file",
    "read_flag",
    "resolve",
    "setting",
    "settings_of",
]
