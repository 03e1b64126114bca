// Find messages: by time, key, id, or position in a queue.

import { at, useAnswer, usePages } from "../api.js";
import { fromInput, toInput } from "../format.js";
import { Empty } from "../parts/basics.js";
import { Choice, Name, Text } from "../parts/fields.js";
import { MessageList } from "../parts/message_list.js";
import { Head } from "../parts/shell.js";
import { route, setQuery } from "../router.js";
import { useCell } from "../store.js";
import { t } from "../text.js";
import { html, useEffect, useRef, useState } from "../view.js";

const WAYS = ["time", "key", "id", "offset"];
const HOUR_MS = 3_600_000;
const SPANS = [["hour", HOUR_MS], ["day", 24 * HOUR_MS], ["week", 168 * HOUR_MS]];
const SIZE = 50;

export function Page() {
  const { query } = useCell(route);
  const by = WAYS.includes(query.by) ? query.by : "time";
  const [form, setForm] = useState({ ...query, from: query.from ?? toInput(Date.now() - HOUR_MS), until: query.until ?? "" });
  const change = (name) => (value) => setForm((old) => ({ ...old, [name]: value }));
  const [asked, setAsked] = useState(() => question(by, form));
  const found = usePages(asked ? "/messages" : null, asked ?? {});
  const way = useRef(by);
  useEffect(() => {
    if (way.current !== by) setAsked(question(by, form));
    way.current = by;
  }, [by]);
  const submit = (event) => {
    event.preventDefault();
    setQuery({ ...form, by });
    setAsked(question(by, form));
    found.again();
  };
  return html`<${Head} title=${t("page.messages")} lead=${t("messages.lead")} />
    <section class="panel"><form class="inside stack" onSubmit=${submit}>
      <${Choice} label=${t("messages.by")} value=${by} onValue=${(way) => setQuery({ by: way })} options=${WAYS.map((way) => [way, t(`messages.by_${way}`)])} />
      <div class="form cols">
        <${Name} kind="topics" all label=${t("column.topic")} value=${form.topic ?? ""} onValue=${change("topic")} required />
        <${Ways} ...${{ by, form, change }} />
      </div>
      <div class="row end">
        ${by === "time" && SPANS.map(([name, ms]) => html`<button key=${name} type="button" class="quiet" onClick=${() => setForm((old) => ({ ...old, from: toInput(Date.now() - ms), until: "" }))}>${t(`messages.last_${name}`)}</button>`)}
        <button type="submit" class="main">${t("messages.find")}</button>
      </div>
    </form></section>
    ${asked
      ? html`<section class="panel"><${MessageList} list=${found} caption=${t("page.messages")}
          empty=${html`<${Empty} title=${t("messages.none")}><span>${t(`messages.none_${by}`)}</span><//>`} /></section>`
      : html`<section class="panel"><${Empty} title=${t("messages.start")}><span>${t("messages.start.next")}</span><//></section>`}`;
}

function Ways({ by, form, change }) {
  if (by === "id") {
    return html`<${Text} label=${t("messages.id")} help=${t("messages.id.help")} value=${form.id ?? ""} onValue=${change("id")} required data-search />`;
  }
  if (by === "key") {
    return html`<${Text} label=${t("messages.key")} help=${t("messages.key.help")} value=${form.key ?? ""} onValue=${change("key")} required data-search />`;
  }
  if (by === "offset") return html`<${Position} ...${{ form, change }} />`;
  return html`
    <${Text} label=${t("messages.from")} type="datetime-local" step="1" value=${form.from} onValue=${change("from")} required />
    <${Text} label=${t("messages.until")} help=${t("messages.until.help")} type="datetime-local" step="1" value=${form.until} onValue=${change("until")} />`;
}

/** The queues of the chosen topic are offered, so that nobody has to know their names. */
function Position({ form, change }) {
  const topic = useAnswer(form.topic ? at`/topics/${form.topic}` : null);
  const queues = topic.data?.queues ?? [];
  const names = queues.map((queue) => `${queue.broker}:${queue.queue_id}`);
  const here = queues.find((queue) => `${queue.broker}:${queue.queue_id}` === form.queue);
  return html`
    <div class="field"><label for="queue">${t("column.queue")}</label>
      <input id="queue" list="queues" autocomplete="off" placeholder="broker:0" value=${form.queue ?? ""} required
        onInput=${(event) => change("queue")(event.currentTarget.value)} />
      <datalist id="queues">${names.map((name) => html`<option key=${name} value=${name} />`)}</datalist></div>
    <${Text} label=${t("column.offset")} type="number" min="0" value=${form.offset ?? ""} onValue=${change("offset")} required
      help=${here ? t("messages.offset.range", { first: here.first, end: here.end }) : t("messages.offset.help")} />`;
}

/** What to ask the server, or null while the form is not complete. */
function question(by, form) {
  const topic = form.topic?.trim();
  if (!topic) return null;
  if (by === "id") return form.id ? { topic, id: form.id.trim() } : null;
  if (by === "key") return form.key ? { topic, key: form.key.trim(), limit: SIZE } : null;
  if (by === "offset") return form.queue && form.offset !== undefined && form.offset !== "" ? { topic, queue: form.queue, offset: form.offset, limit: SIZE } : null;
  const from_ms = fromInput(form.from);
  if (from_ms === null) return null;
  return { topic, from_ms, to_ms: fromInput(form.until) ?? Date.now() + 60_000, limit: SIZE };
}
