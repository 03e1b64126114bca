// Move a group's position in a topic, after a look at what that would do.

import { at, mayWrite, post, useAction, useAnswer } from "../api.js";
import { count, fromInput, toInput } from "../format.js";
import { Empty, Note, Problem } from "../parts/basics.js";
import { Confirm } from "../parts/dialog.js";
import { Choice, Name, Select, Text } from "../parts/fields.js";
import { Head } from "../parts/shell.js";
import { Table } from "../parts/table.js";
import { say } from "../parts/toasts.js";
import { route, setQuery, to } from "../router.js";
import { useCell } from "../store.js";
import { t } from "../text.js";
import { html, useState } from "../view.js";
import { preview } from "./offset_preview.js";

const WAYS = ["reset", "skip", "clone"];
const HOUR_MS = 3_600_000;

export function Page() {
  const { query } = useCell(route);
  const way = WAYS.includes(query.way) ? query.way : "reset";
  const [form, setForm] = useState({ group: query.group ?? "", topic: query.topic ?? "", target: "time", at: toInput(Date.now() - HOUR_MS), to: "" });
  const [plan, setPlan] = useState(null);
  const [asking, setAsking] = useState(false);
  const change = (name) => (value) => {
    setPlan(null);
    setForm((old) => ({ ...old, [name]: value }));
  };
  const turn = (wanted) => {
    setPlan(null);
    setQuery({ way: wanted });
  };
  const group = useAnswer(form.group.trim() ? at`/groups/${form.group.trim()}` : null);
  const topics = sorted(group.data?.topics.map((one) => one.topic) ?? []);
  const topic = form.topic || topics[0] || "";
  const move = { way, group: form.group.trim(), topic, target: form.target, at_ms: fromInput(form.at), to: form.to.trim() };
  const look = useAction(() => preview(move));
  const submit = async (event) => {
    event.preventDefault();
    setPlan((await look.run()) ?? null);
  };
  const act = async () => {
    await apply(move);
    say(t("offsets.done", { group: way === "clone" ? move.to : move.group, topic }));
    setPlan(null);
    group.again();
  };
  if (!mayWrite()) return html`<${Head} title=${t("page.offsets")} /><${Note} tone="warn"><span>${t("viewer.cannot")}</span><//>`;
  return html`<${Head} title=${t("page.offsets")} lead=${t(`offsets.${way}.lead`)} />
    <section class="panel"><form class="inside stack" onSubmit=${submit}>
      <${Choice} label=${t("offsets.way")} value=${way} onValue=${turn} options=${WAYS.map((one) => [one, t(`offsets.${one}`)])} />
      <div class="form cols">
        <${Name} kind="groups" label=${t(way === "clone" ? "offsets.source" : "column.group")} value=${form.group} onValue=${change("group")} required />
        <${Select} label=${t("column.topic")} value=${topic} onValue=${change("topic")} options=${[...new Set([...topics, ...(form.topic ? [form.topic] : [])])].map((one) => [one, one])} />
        ${way === "clone" && html`<${Name} kind="groups" label=${t("offsets.clone_to")} value=${form.to} onValue=${change("to")} required />`}
        ${way === "reset" && html`<${Select} label=${t("offsets.target")} value=${form.target} onValue=${change("target")}
          options=${["time", "start", "end"].map((one) => [one, t(`offsets.to_${one}`)])} />`}
        ${way === "reset" && form.target === "time" && html`<${Text} label=${t("offsets.moment")} type="datetime-local" step="1" value=${form.at} onValue=${change("at")} required />`}
      </div>
      <${Problem} error=${group.error?.status === 404 ? group.error : look.error} />
      <div class="row end"><button type="submit" class="main" disabled=${look.busy || !topic || !form.group.trim()}>${t("offsets.look")}</button></div>
    </form></section>
    ${plan && html`<${Plan} plan=${plan} move=${move} go=${() => setAsking(true)} />`}
    ${asking && plan && html`<${Confirm} title=${t("offsets.confirm", { group: way === "clone" ? move.to : move.group })} action=${t(`offsets.${way}`)} act=${act} onClose=${() => setAsking(false)}>
      <p>${summary(plan)}</p>${plan.members > 0 && html`<p class="soft">${t("offsets.online", { count: count(plan.members) })}</p>`}<//>`}`;
}

// The group's own retry topic is seldom what is meant.
const sorted = (topics) => [...topics].sort((a, b) => a.startsWith("%") - b.startsWith("%") || (a < b ? -1 : 1));

function summary(plan) {
  const parts = [];
  if (plan.again > 0) parts.push(t("offsets.again", { count: count(plan.again) }));
  if (plan.skipped > 0) parts.push(t("offsets.skipped", { count: count(plan.skipped) }));
  return parts.length > 0 ? parts.join(" ") : t("offsets.nothing");
}

function Plan({ plan, move, go }) {
  return html`<section class="panel">
    <header><h2>${t("offsets.preview")}</h2><a href=${to("groups", move.group)}>${move.group}</a></header>
    <div class="inside stack">
      <${Note} tone=${plan.skipped > 0 ? "warn" : "info"} title=${summary(plan)}>
        ${plan.members > 0 && html`<span class="soft">${t("offsets.online", { count: count(plan.members) })}</span>`}<//>
    </div>
    <${Table} caption=${t("offsets.preview")} rows=${plan.queues} rowKey=${(row) => `${row.broker}${row.queue_id}`}
      empty=${html`<${Empty} title=${t("group.no_progress")}><span>${t("group.no_progress.next")}</span><//>`}
      columns=${[
        { name: "queue", title: t("column.queue"), cell: (row) => `${row.broker}:${row.queue_id}` },
        { name: "now", title: t("offsets.now"), num: true, cell: (row) => count(row.consumed) },
        { name: "then", title: t("offsets.then"), num: true, cell: (row) => html`<b>${count(row.target)}</b>` },
        { name: "difference", title: t("offsets.difference"), num: true, cell: (row) => difference(row.target - row.consumed) },
        { name: "range", title: t("offsets.range"), num: true, low: true, cell: (row) => `${count(row.first)} – ${count(row.end)}` },
      ]} />
    <div class="pager"><button type="button" class="danger main" disabled=${plan.queues.length === 0} onClick=${go}>${t(`offsets.${move.way}`)}…</button></div>
  </section>`;
}

const difference = (value) => (value > 0 ? `+${count(value)}` : count(value));

function apply(move) {
  if (move.way === "clone") return post("/offsets/clone", { source: move.group, target: move.to, topic: move.topic });
  if (move.way === "skip") return post("/offsets/skip", { group: move.group, topic: move.topic });
  const target = move.target === "time" ? { to_ms: move.at_ms } : { to: move.target };
  return post("/offsets/reset", { group: move.group, topic: move.topic, ...target, force: true });
}
