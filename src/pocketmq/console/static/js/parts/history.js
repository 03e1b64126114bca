// The figures of one thing while its page is open, kept a while so that coming back shows the line.

import { useMemo, useRef } from "../view.js";

const POINTS_MAX = 600;
const THINGS_MAX = 20;
const histories = new Map();

/** Add the figures of `value` each time it is a new answer, and return all points so far. */
export function useHistory(name, value, figures) {
  const last = useRef(null);
  return useMemo(() => {
    const points = histories.get(name) ?? [];
    if (last.current === value) return points;
    last.current = value;
    const point = { at_ms: Date.now() };
    for (const figure of figures) point[figure] = value[figure] ?? null;
    const grown = [...points.slice(1 - POINTS_MAX), point];
    histories.delete(name); // the newest is kept longest
    histories.set(name, grown);
    if (histories.size > THINGS_MAX) histories.delete(histories.keys().next().value);
    return grown;
  }, [name, value]);
}
