"""Draws the results as one SVG: rates and CPU per request as bars on logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from bench.rows import APACHE, ECHO, POCKETMQ, Figures, Result

COLOURS = {ECHO: "#9aa5b1", POCKETMQ: "#1f6feb", APACHE: "#d9822b"}
LABELS = {ECHO: "C echo (floor)", POCKETMQ: "PocketMQ", APACHE: "Apache RocketMQ"}
BAR, GAP, PANEL, LABEL, MARGIN, TOP = 13, 14, 400, 220, 60, 84


def draw(results: Sequence[Result], subtitle: str) -> str:
    """The whole drawing."""
    height = TOP + sum(_row_height(r) for r in results) + 40
    width = LABEL + 2 * (PANEL + MARGIN)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="system-ui, sans-serif" font-size="12" fill="#24292f">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(16, 24, "PocketMQ benchmark", size=17, weight="600"),
        _text(16, 42, subtitle, colour="#57606a"),
        *_legend(width),
        *_panel(
            results, LABEL, "requests per second (more is better)", lambda f: f.requests_per_second
        ),
        *_panel(
            results,
            LABEL + PANEL + MARGIN,
            "server CPU per request, µs (less is better)",
            lambda f: f.server_cpu_us,
        ),
    ]
    y = TOP
    for result in results:
        parts.append(
            _text(LABEL - 12, y + _row_height(result) / 2 - 3, result.row.title, anchor="end")
        )
        y += _row_height(result)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row_height(result: Result) -> int:
    return BAR * len(result.figures) + GAP


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    size: int = 12,
    weight: str = "400",
    colour: str = "#24292f",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}" fill="{colour}">{escape(text)}</text>'
    )


def _legend(width: int) -> list[str]:
    parts = []
    x = width - 400
    for name, label in LABELS.items():
        parts.append(f'<rect x="{x}" y="14" width="12" height="12" fill="{COLOURS[name]}"/>')
        parts.append(_text(x + 17, 24, label))
        x += 130
    return parts


def _panel(
    results: Sequence[Result], left: int, title: str, read: Callable[[Figures], float]
) -> list[str]:
    values = [read(f) for r in results for f in r.figures.values() if read(f) > 0] or [1.0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    scale = (PANEL - 50) / max(1, high - low)
    bottom = TOP + sum(_row_height(r) for r in results)
    parts = [_text(left, TOP - 14, title, weight="600")]
    for power in range(low, high + 1):
        x = left + (power - low) * scale
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 4}" y2="{bottom}" stroke="#e4e8ec"/>'
        )
        parts.append(_text(x, bottom + 16, number(10.0**power), anchor="middle", colour="#57606a"))
    y = float(TOP)
    for result in results:
        for name in (n for n in LABELS if n in result.figures):
            value = read(result.figures[name])
            length = max(1.0, (math.log10(value) - low) * scale) if value > 0 else 1.0
            parts.append(
                f'<rect x="{left}" y="{y:.1f}" width="{length:.1f}" height="{BAR - 2}" '
                f'fill="{COLOURS[name]}"/>'
            )
            parts.append(_text(left + length + 4, y + BAR - 3, number(value), size=11))
            y += BAR
        y += GAP
    return parts


def number(value: float) -> str:
    """A number as short as a reader needs: 1.2M, 411k, 58, 2.4, 0.23."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            scaled = value / size
            return f"{scaled:.1f}{unit}".replace(".0", "") if scaled < 10 else f"{scaled:.0f}{unit}"
    if value >= 10:
        return f"{value:.0f}"
    return f"{value:.1f}".removesuffix(".0") if value >= 1 else f"{value:.2g}"
