// All topics, a page at a time.

import { mayWrite, useAnswer } from "../api.js";
import { brief, count, rate } from "../format.js";
import { Answer, Badge, Empty, Kind, Moment } from "../parts/basics.js";
import { Search } from "../parts/fields.js";
import { Head } from "../parts/shell.js";
import { Pager, Table } from "../parts/table.js";
import { go, route, setQuery, to } from "../router.js";
import { useCell } from "../store.js";
import { t, term } from "../text.js";
import { html, useState } from "../view.js";
import { TopicForm } from "./topic_form.js";

const SIZE = 50;
const KINDS = ["user", "normal", "fifo", "delay", "transaction", "mixed", "unspecified", "retry", "dead_letter", "system", "all"];
const REFRESH_MS = 5000;

export function Page() {
  const { query } = useCell(route);
  const [making, setMaking] = useState(false);
  const { q = "", kind = "user", sort = "name", page = 1 } = query;
  const answer = useAnswer("/topics", { q, kind, sort, page, size: SIZE, figures: true }, { every: REFRESH_MS });
  return html`<${Head} title=${t("page.topics")} lead=${t("topics.lead")}
      actions=${mayWrite() && html`<button type="button" class="main" onClick=${() => setMaking(true)}>${t("topics.new")}</button>`} />
    <div class="row">
      <${Search} label=${t("topics.search")} value=${q} onValue=${(text) => setQuery({ q: text, page: "" })} />
      <select aria-label=${t("column.kind")} value=${kind} onChange=${(event) => setQuery({ kind: event.currentTarget.value, page: "" })}>
        ${KINDS.map((one) => html`<option key=${one} value=${one} selected=${one === kind}>${term("kind", one)}${amount(answer.data?.kinds, one)}</option>`)}
      </select>
    </div>
    <section class="panel">
      <${Answer} answer=${answer}>${(data) => html`
        <${Table} caption=${t("page.topics")} rows=${data.items} rowKey=${(row) => row.name} columns=${columns()}
          sort=${sort} onSort=${(wanted) => setQuery({ sort: wanted, page: "" })} empty=${html`<${None} q=${q} make=${() => setMaking(true)} />`} />
        <${Pager} data=${data} onPage=${(wanted) => setQuery({ page: wanted })} />`}
      <//>
    </section>
    ${making && html`<${TopicForm} onClose=${() => setMaking(false)} onDone=${(topic) => go("topics", topic.name)} />`}`;
}

const amount = (kinds, kind) => (kinds && kind in kinds ? ` (${count(kinds[kind])})` : "");

function columns() {
  return [
    { name: "name", title: t("column.topic"), sort: "name", cell: (row) => html`<a class="name" href=${to("topics", row.name)}>${row.name}</a>` },
    { name: "kind", title: t("column.kind"), cell: (row) => html`<${Kind} kind=${row.kind} />` },
    { name: "queues", title: t("column.queues"), num: true, sort: "queues", cell: (row) => count(row.queues) },
    { name: "permission", title: t("column.permission"), low: true, cell: (row) => html`<${Permission} value=${row.permission} />` },
    { name: "messages", title: t("column.messages"), num: true, cell: (row) => brief(row.messages) },
    { name: "in", title: t("figure.in"), num: true, cell: (row) => rate(row.put_tps) },
    { name: "updated", title: t("column.last_message"), low: true, cell: (row) => html`<${Moment} ms=${row.updated_ms} ago />` },
    { name: "brokers", title: t("column.brokers"), low: true, cell: (row) => row.brokers.join(", ") },
  ];
}

export function Permission({ value }) {
  return html`<${Badge} tone=${value === "both" ? "" : "warn"}>${term("permission", value)}<//>`;
}

function None({ q, make }) {
  if (q) return html`<${Empty} title=${t("topics.none_found", { q })}><span>${t("topics.none_found.next")}</span><//>`;
  return html`<${Empty} title=${t("topics.none")}><span>${t("topics.none.next")}</span>
    ${mayWrite() && html`<button type="button" class="main" onClick=${make}>${t("topics.new")}</button>`}<//>`;
}
