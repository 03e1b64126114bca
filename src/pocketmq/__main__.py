"""Starts the command line: `python -m pocketmq` is `pocketmq`."""

from __future__ import annotations

from pocketmq.cli.main import main

if __name__ == "__main__":
    main()
