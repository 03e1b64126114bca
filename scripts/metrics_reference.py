"""Writes docs/reference/metrics.md from the catalogue of metrics.

python scripts/metrics_reference.py           write the page
python scripts/metrics_reference.py --check   fail when the page is not what would be written
"""

from __future__ import annotations

import sys
from pathlib import Path

from pocketmq.metrics.families import BASE_LABELS, CATALOGUE, LEFT_OUT, Family

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "metrics.md"

HEAD = """<!-- Written by scripts/metrics_reference.py (make docs); change the source instead. -->
# Metrics

`/metrics` is served by the console's port, by `pocketmq exporter` in front of any cluster, and by a
broker with `metricsExporterType=PROM` at port 5557; as Prometheus text 0.0.4, or as OpenMetrics for
who asks for it. [The operations guide](../guides/operations.md) tells what to watch.

Names and labels that start `rocketmq_` are those of Apache RocketMQ 5. Every sample carries
{base} too: the cluster, `broker`, and the broker's name; and what
`metricsLabel` adds. Counters begin at 0 when the broker starts. What is marked is also had from
Apache's brokers, which are asked with Apache's requests.

| Metric | Kind | Labels | From Apache's | What it tells |
|---|---|---|---|---|
"""

LEFT_OUT_HEAD = """
Apache's metrics that are not there, and why:

| Metric | Reason |
|---|---|
"""


def page() -> str:
    """The page."""
    base = ", ".join(f"`{label}`" for label in BASE_LABELS)
    rows = "".join(map(_row, CATALOGUE))
    absent = "".join(f"| `{name}` | {reason} |\n" for name, reason in LEFT_OUT.items())
    return HEAD.format(base=base) + rows + LEFT_OUT_HEAD + absent


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    anywhere = "yes" if family.anywhere else ""
    return f"| `{family.name}` | {family.kind} | {labels} | {anywhere} | {family.help} |\n"


def main() -> None:
    """Write the page, or compare it."""
    text = page()
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return
    if "--check" in sys.argv:
        sys.exit(f"docs/reference/{PAGE.name} is out of date; run make docs")
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
