// All brokers.

import { useAnswer } from "../api.js";
import { Answer, Empty } from "../parts/basics.js";
import { Head } from "../parts/shell.js";
import { Table } from "../parts/table.js";
import { t } from "../text.js";
import { html } from "../view.js";
import { brokerColumns } from "./broker_columns.js";

export function Page() {
  const answer = useAnswer("/brokers", {}, { every: 3000 });
  return html`<${Head} title=${t("page.brokers")} lead=${t("brokers.lead")} />
    <section class="panel"><${Answer} answer=${answer}>${(data) => html`
      <${Table} caption=${t("page.brokers")} rows=${data.items} rowKey=${(row) => `${row.name}/${row.id}`} columns=${brokerColumns({ whole: true })}
        empty=${html`<${Empty} title=${t("brokers.none")}><span>${t("brokers.none.next")}</span><//>`} />`}<//></section>`;
}
