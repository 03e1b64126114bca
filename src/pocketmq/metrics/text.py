"""Samples and how they are written: Prometheus text 0.0.4, and OpenMetrics 1.0.

prometheus-client writes both too, at ten microseconds a sample; a broker with a thousand topics has
tens of thousands of samples, and a scrape of it is to take less than a tenth of a second. The lines
of samples are the same in both formats, so they are made once. Tests read all of it back with
prometheus-client's strict parsers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

from pocketmq.metrics.families import CATALOGUE, Family

TEXT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_OPEN_ENDED: Final = math.inf


def label_text(**labels: str) -> str:
    """Labels as they stand between the braces."""
    return ",".join([f'{name}="{escaped(value)}"' for name, value in labels.items()])


def escaped(value: str) -> str:
    """A label's value with what would end it made harmless."""
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return value


class Samples:
    """What one scrape found. A sample with the labels of an earlier one is left out."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[str, str]] = {}

    def add(self, family: Family, labels: str, value: float) -> None:
        """One sample of a counter or a gauge."""
        lines = self._lines.get(family.name)
        if lines is None:
            lines = self._lines[family.name] = {}
        braces = f"{{{labels}}}" if labels else ""
        lines.setdefault(labels, f"{family.name}{braces} {_number(value)}\n")

    def add_histogram(
        self,
        family: Family,
        labels: str,
        classes: Mapping[float, int],
        total: float | None = None,
    ) -> None:
        """A histogram: how many lie in each class, by its upper end, the last of them infinite.

        `total` is the sum of all that was measured; without it there is no sum and no count.
        """
        name, gap = family.name, "," if labels else ""
        seen, text = 0, ""
        for limit, number in classes.items():
            seen += number
            text += f'{name}_bucket{{{labels}{gap}le="{_limit(limit)}"}} {seen}\n'
        if total is not None:
            text += f"{name}_count{{{labels}}} {seen}\n{name}_sum{{{labels}}} {_number(total)}\n"
        self._lines.setdefault(name, {}).setdefault(labels, text)

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def render(self, *, open_metrics: bool) -> bytes:
        """All of it."""
        parts: list[str] = []
        for family in CATALOGUE:
            lines = self._lines.get(family.name)
            if lines:
                parts += _head(family, open_metrics)
                parts += lines.values()
        if open_metrics:
            parts.append("# EOF\n")
        return "".join(parts).encode()


def wants_open_metrics(accept: str) -> bool:
    """Whether a client's Accept header prefers OpenMetrics to the older text."""
    best: dict[str, float] = {}
    for part in accept.split(","):
        kind, *parameters = [item.strip().lower() for item in part.split(";")]
        quality = next((item[2:] for item in parameters if item.startswith("q=")), "1")
        try:
            best[kind] = max(best.get(kind, 0.0), float(quality))
        except ValueError:
            continue
    open_metrics = best.get("application/openmetrics-text", 0.0)
    return open_metrics > 0 and open_metrics >= best.get("text/plain", 0.0)


def _head(family: Family, open_metrics: bool) -> Iterable[str]:
    name = family.name
    if open_metrics and family.kind == "counter":
        name = name.removesuffix("_total")
    yield f"# HELP {name} {family.help}\n"
    yield f"# TYPE {name} {family.kind}\n"


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")


def _limit(value: float) -> str:
    return "+Inf" if value == _OPEN_ENDED else repr(float(value))
