// Groups that have given up on messages.

import { useAnswer } from "../api.js";
import { count } from "../format.js";
import { Answer, Empty, Moment } from "../parts/basics.js";
import { Search } from "../parts/fields.js";
import { Head } from "../parts/shell.js";
import { Pager, Table } from "../parts/table.js";
import { TaskList } from "../parts/tasks.js";
import { route, setQuery, to } from "../router.js";
import { useCell } from "../store.js";
import { t } from "../text.js";
import { html } from "../view.js";

const SIZE = 50;

export function Page() {
  const { query } = useCell(route);
  const { q = "", page = 1 } = query;
  const answer = useAnswer("/dead-letters", { q, page, size: SIZE }, { every: 5000 });
  return html`<${Head} title=${t("page.dead-letters")} lead=${t("dead.lead")} />
    <div class="row"><${Search} label=${t("groups.search")} value=${q} onValue=${(text) => setQuery({ q: text, page: "" })} /></div>
    <section class="panel"><${Answer} answer=${answer}>${(data) => html`
      <${Table} caption=${t("page.dead-letters")} rows=${data.items} rowKey=${(row) => row.group}
        empty=${html`<${Empty} title=${q ? t("groups.none_found", { q }) : t("dead.none")}><span>${t("dead.none.next")}</span><//>`}
        columns=${[
          { name: "group", title: t("column.group"), cell: (row) => html`<a class="name" href=${to("dead-letters", row.group)}>${row.group}</a>` },
          { name: "messages", title: t("column.messages"), num: true, cell: (row) => count(row.messages) },
          { name: "waiting", title: t("dead.waiting"), num: true, cell: (row) => count(row.waiting) },
          { name: "updated", title: t("dead.newest"), cell: (row) => html`<${Moment} ms=${row.updated_ms} ago />` },
          { name: "topic", title: t("column.topic"), low: true, cell: (row) => html`<a href=${to("topics", row.topic)}>${row.topic}</a>` },
        ]} />
      <${Pager} data=${data} onPage=${(wanted) => setQuery({ page: wanted })} />`}<//></section>
    <${TaskList} />`;
}
