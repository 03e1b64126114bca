// Long actions and how far they are; the stream of events moves them on.

import { at, get, mayWrite, remove, useAction, useAnswer } from "../api.js";
import { count } from "../format.js";
import { tasks } from "../live.js";
import { useCell } from "../store.js";
import { t } from "../text.js";
import { html, useEffect } from "../view.js";
import { Badge, Moment, Problem } from "./basics.js";

const SHOWN = 5;
const ASK_MS = 1000;
const TONES = { running: "info", done: "good", failed: "bad", stopped: "warn" };

export function noteTask(task) {
  tasks.set({ ...tasks.value, [task.id]: task });
}

/** The latest actions, those about one group when it is named; nothing when there are none. */
export function TaskList({ about = null }) {
  const answer = useAnswer("/tasks");
  const newer = useCell(tasks);
  const all = { ...Object.fromEntries((answer.data?.items ?? []).map((task) => [task.id, task])), ...newer };
  const shown = Object.values(all)
    .filter((task) => about === null || task.about === about)
    .sort((a, b) => b.started_ms - a.started_ms)
    .slice(0, SHOWN);
  if (shown.length === 0) return null;
  return html`<section class="panel"><header><h2>${t("tasks.title")}</h2></header>
    <div class="inside stack">${shown.map((task) => html`<${Task} key=${task.id} task=${task} />`)}</div></section>`;
}

function Task({ task }) {
  const stop = useAction(async () => noteTask(await remove(at`/tasks/${task.id}`)));
  const running = task.state === "running";
  useEffect(() => {
    if (!running) return undefined;
    // Events tell of each step; this asks in case the stream was away for the last one.
    const timer = setInterval(() => get(at`/tasks/${task.id}`).then(noteTask, () => clearInterval(timer)), ASK_MS);
    return () => clearInterval(timer);
  }, [task.id, running]);
  const words = task.total === null ? t("tasks.so_far", { done: count(task.done) }) : t("tasks.of", { done: count(task.done), total: count(task.total) });
  return html`<div class="stack task">
    <div class="row"><strong>${t("tasks.redrive", { about: task.about })}</strong><${Badge} tone=${TONES[task.state]}>${t(`tasks.${task.state}`)}<//>
      <span class="soft">${words}${task.failed > 0 ? ` · ${t("tasks.failures", { count: count(task.failed) })}` : ""}</span>
      <span class="soft small"><${Moment} ms=${task.started_ms} ago /></span>
      ${running && mayWrite() && html`<button type="button" class="quiet" disabled=${stop.busy} onClick=${stop.run}>${t("tasks.stop")}</button>`}</div>
    ${running && html`<progress aria-label=${words} value=${task.total ? task.done : undefined} max=${task.total || 1}></progress>`}
    ${task.error && html`<span class="wrap">${task.error}</span>`}
    <${Problem} error=${stop.error} />
  </div>`;
}
