// All consumer groups, a page at a time.

import { mayWrite, useAnswer } from "../api.js";
import { brief, count, rate } from "../format.js";
import { Answer, Badge, Empty } from "../parts/basics.js";
import { Search } from "../parts/fields.js";
import { Head } from "../parts/shell.js";
import { Pager, Table } from "../parts/table.js";
import { go, route, setQuery, to } from "../router.js";
import { useCell } from "../store.js";
import { t, term } from "../text.js";
import { html, useState } from "../view.js";
import { GroupForm } from "./group_form.js";

const SIZE = 50;
const KINDS = ["user", "system", "all"];
const REFRESH_MS = 5000;

export function Page() {
  const { query } = useCell(route);
  const [making, setMaking] = useState(false);
  const { q = "", kind = "user", sort = "name", page = 1 } = query;
  const answer = useAnswer("/groups", { q, kind, sort, page, size: SIZE, figures: true }, { every: REFRESH_MS });
  return html`<${Head} title=${t("page.groups")} lead=${t("groups.lead")}
      actions=${mayWrite() && html`<button type="button" class="main" onClick=${() => setMaking(true)}>${t("groups.new")}</button>`} />
    <div class="row">
      <${Search} label=${t("groups.search")} value=${q} onValue=${(text) => setQuery({ q: text, page: "" })} />
      <select aria-label=${t("column.kind")} value=${kind} onChange=${(event) => setQuery({ kind: event.currentTarget.value, page: "" })}>
        ${KINDS.map((one) => html`<option key=${one} value=${one} selected=${one === kind}>${t(`groups.${one}`)}</option>`)}
      </select>
    </div>
    <section class="panel"><${Answer} answer=${answer}>${(data) => html`
      <${Table} caption=${t("page.groups")} rows=${data.items} rowKey=${(row) => row.name} columns=${columns()}
        sort=${sort} onSort=${(wanted) => setQuery({ sort: wanted, page: "" })}
        empty=${html`<${Empty} title=${q ? t("groups.none_found", { q }) : t("groups.none")}><span>${t("groups.none.next")}</span><//>`} />
      <${Pager} data=${data} onPage=${(wanted) => setQuery({ page: wanted })} />`}<//></section>
    ${making && html`<${GroupForm} onClose=${() => setMaking(false)} onDone=${(group) => go("groups", group.name)} />`}`;
}

function columns() {
  return [
    { name: "name", title: t("column.group"), sort: "name", cell: (row) => html`<a class="name" href=${to("groups", row.name)}>${row.name}</a>` },
    { name: "state", title: t("column.state"), cell: (row) => html`<${State} group=${row} />` },
    { name: "members", title: t("column.members"), num: true, cell: (row) => count(row.members) },
    { name: "lag", title: t("figure.lag"), num: true, cell: (row) => brief(row.lag) },
    { name: "out", title: t("figure.out"), num: true, low: true, cell: (row) => rate(row.consume_tps) },
    { name: "model", title: t("column.model"), low: true, cell: (row) => term("model", row.model) || "–" },
    { name: "type", title: t("column.type"), low: true, cell: (row) => term("type", row.type) || "–" },
    { name: "retries", title: t("column.retries"), num: true, low: true, cell: (row) => count(row.retries_max) },
  ];
}

function State({ group }) {
  if (!group.enabled) return html`<${Badge} tone="bad">${t("state.disabled")}<//>`;
  if (group.members === null) return html`<${Badge}>–<//>`;
  if (group.members > 0) return html`<${Badge} tone="good">${t("state.online")}<//>`;
  return html`<${Badge} tone=${group.lag > 0 ? "warn" : ""}>${t("state.offline")}<//>`;
}
