// The stream of server-sent events: one connection for the whole page, and none while nobody looks.

import { address, openSession } from "./api.js";
import { Cell } from "./store.js";

export const POINTS_MAX = 450;

export const stream = new Cell("closed"); // closed, opening, live, lost
export const overview = new Cell(null);
export const problem = new Cell(null);
export const tasks = new Cell({});

let source = null;
let timer = 0;
let wait = 1000;

export function follow() {
  document.addEventListener("visibilitychange", adjust);
  adjust();
}

export function unfollow() {
  document.removeEventListener("visibilitychange", adjust);
  close("closed");
}

function adjust() {
  if (document.hidden) close("closed");
  else if (source === null) open();
}

function close(state) {
  clearTimeout(timer);
  source?.close();
  source = null;
  stream.set(state);
}

function open() {
  close("opening");
  source = new EventSource(address("/events"));
  source.addEventListener("open", () => {
    wait = 1000;
    stream.set("live");
  });
  source.addEventListener("overview", (event) => {
    stream.set("live");
    problem.set(null);
    take(JSON.parse(event.data));
  });
  source.addEventListener("task", (event) => {
    const task = JSON.parse(event.data);
    tasks.set({ ...tasks.value, [task.id]: task });
  });
  source.addEventListener("problem", (event) => problem.set(JSON.parse(event.data)));
  source.addEventListener("error", lost);
}

// Browsers give up for good after an answer that is no stream, so we come back ourselves.
function lost() {
  close("lost");
  timer = setTimeout(async () => {
    wait = Math.min(wait * 2, 15_000);
    try {
      await openSession(); // the login may have ended
    } catch {
      lost();
      return;
    }
    if (!document.hidden) open();
  }, wait);
}

/** Take a new state of things; the history grows by its points that we do not have yet. */
export function take(data) {
  const before = overview.value?.history?.points ?? [];
  const last = before.length > 0 ? before[before.length - 1].at_ms : 0;
  const fresh = data.history.points.filter((point) => point.at_ms > last);
  const whole = data.history.points.length > 1 && data.history.points.length >= before.length;
  const points = whole ? data.history.points : [...before, ...fresh];
  overview.set({ ...data, history: { ...data.history, points: points.slice(-POINTS_MAX) } });
}
