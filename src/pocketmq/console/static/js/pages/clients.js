// Everybody who is connected.

import { useAnswer } from "../api.js";
import { Answer, Empty } from "../parts/basics.js";
import { Search } from "../parts/fields.js";
import { Head } from "../parts/shell.js";
import { Pager, Table } from "../parts/table.js";
import { route, setQuery } from "../router.js";
import { useCell } from "../store.js";
import { t } from "../text.js";
import { html } from "../view.js";
import { clientColumns } from "./client_columns.js";

const SIZE = 50;
const KINDS = ["all", "consumer", "producer"];

export function Page() {
  const { query } = useCell(route);
  const { q = "", kind = "all", page = 1 } = query;
  const answer = useAnswer("/clients", { q, kind, page, size: SIZE }, { every: 5000 });
  return html`<${Head} title=${t("page.clients")} lead=${t("clients.lead")} />
    <div class="row">
      <${Search} label=${t("clients.search")} value=${q} onValue=${(text) => setQuery({ q: text, page: "" })} />
      <select aria-label=${t("column.roles")} value=${kind} onChange=${(event) => setQuery({ kind: event.currentTarget.value, page: "" })}>
        ${KINDS.map((one) => html`<option key=${one} value=${one} selected=${one === kind}>${t(`clients.${one}`)}</option>`)}
      </select>
    </div>
    <section class="panel"><${Answer} answer=${answer}>${(data) => html`
      <${Table} caption=${t("page.clients")} rows=${data.items} rowKey=${(row) => row.client_id} columns=${clientColumns()}
        empty=${html`<${Empty} title=${t("clients.none")}><span>${t("clients.none.next")}</span><//>`} />
      <${Pager} data=${data} onPage=${(wanted) => setQuery({ page: wanted })} />`}<//></section>`;
}
