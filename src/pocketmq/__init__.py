"""PocketMQ: Apache RocketMQ's name server and broker in Python.

Importing this package loads nothing else, and needs the standard library alone.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
