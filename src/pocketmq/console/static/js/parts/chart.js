// A chart over time: axes with units, a legend with the figures under the pointer, both themes.

import { brief, bytes, clock, lasting, percent, rate } from "../format.js";
import { useCell } from "../store.js";
import { language, t } from "../text.js";
import { theme } from "../theme.js";
import { html, useEffect, useMemo, useRef, useState } from "../view.js";

// The plotter is as much work to start as all else on the page; the figures need not wait for it.
const plotter = () => import("../../vendor/uplot.js");

const UNITS = { rate, lasting, count: brief, percent, bytes };
const COLOURS = ["--chart-1", "--chart-2", "--chart-3"];
const SWATCHES = ["one", "two", "three"];
const FONT = '11px system-ui, "Noto Sans", sans-serif';
const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
const HEIGHT_PX = 186;

/**
 * points: [{ at_ms, … }], oldest first; lines: [{ name, title }] of what to draw; unit: a word of
 * UNITS. `most` fixes the top of the scale where it is known (1 for a share); `step`: how far
 * apart points are, in milliseconds.
 */
export function Chart({ title, points: all, lines, unit, most, step = 0 }) {
  const points = useMemo(() => withGaps(all, step), [all, step]);
  const place = useRef(null);
  const plot = useRef(null);
  const [under, setUnder] = useState(null);
  const colours = useCell(theme);
  useCell(language);
  const say = UNITS[unit];
  const data = useMemo(() => columns(points, lines), [points, lines]);
  const enough = points.length > 1;
  const newest = useRef(data);
  newest.current = data;
  useEffect(() => {
    if (!enough) return undefined;
    const box = place.current;
    let watcher = null;
    let wanted = true;
    plotter().then(({ default: Plot }) => {
      if (!wanted) return;
      plot.current = new Plot(options(box, lines, say, unit, most, setUnder), newest.current, box);
      watcher = new ResizeObserver(() => plot.current.setSize({ width: box.clientWidth, height: HEIGHT_PX }));
      watcher.observe(box);
    });
    return () => {
      wanted = false;
      watcher?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [enough, colours, unit, most]);
  useEffect(() => plot.current?.setData(data), [data]);
  const point = points[under ?? points.length - 1] ?? {};
  const words = lines.map((line) => `${line.title} ${say(point[line.name])}`).join(", ");
  return html`<figure class="panel chart">
    <header>
      <h2>${title}</h2>
      <div class="legend">
        ${under !== null && html`<span>${clock(new Date(point.at_ms))}</span>`}
        ${lines.map((line, n) => html`<span key=${line.name}><i class=${`swatch ${SWATCHES[n]}`}></i>${line.title} <b>${say(point[line.name])}</b></span>`)}
      </div>
    </header>
    <div class="plot" ref=${place} role="img" aria-label=${`${title}: ${words}`}>
      ${!enough && html`<span class="none">${t("chart.waiting")}</span>`}
    </div>
  </figure>`;
}

const columns = (points, lines) => [
  points.map((point) => point.at_ms / 1000),
  ...lines.map((line) => points.map((point) => point[line.name] ?? null)),
];

/** Where nobody looked for a while there is no line, instead of one that was never measured. */
function withGaps(points, step) {
  if (step === 0) return points;
  const whole = [];
  for (const point of points) {
    const last = whole[whole.length - 1];
    if (last && point.at_ms - last.at_ms > 4 * step) whole.push({ at_ms: last.at_ms + step });
    whole.push(point);
  }
  return whole;
}

function options(box, lines, say, unit, most, setUnder) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--soft"),
    font: FONT,
    grid: { stroke: colour("--chart-grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: box.clientWidth,
    height: HEIGHT_PX,
    padding: [10, 26, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    hooks: { setCursor: [(chart) => setUnder(chart.cursor.idx ?? null)] },
    scales: { y: { range: (chart, low, high) => [0, most ?? roof(high, unit)] } },
    axes: [
      { ...axis, size: 26, space: 78, incrs: SECONDS, values: (chart, splits) => splits.map((at) => clock(new Date(at * 1000))) },
      { ...axis, size: 62, space: 30, values: (chart, splits) => splits.map((value) => say(value)) },
    ],
    series: [
      {},
      ...lines.map((line, n) => ({
        label: line.title,
        stroke: colour(COLOURS[n]),
        width: 1.6,
        fill: lines.length === 1 ? `${colour(COLOURS[n])}1f` : undefined,
        points: { show: false },
      })),
    ],
  };
}

// An empty scale still needs a height, and a line at the very top cannot be read.
function roof(high, unit) {
  const least = { rate: 10, count: 10, lasting: 5, percent: 0.05, bytes: 1024 }[unit];
  return Math.max(least, (high ?? 0) * 1.15);
}
