// All brokers; one can be drained, so that producers leave it, and be used again.

import { at, mayWrite, put, useAnswer } from "../api.js";
import { Answer, Badge, Empty } from "../parts/basics.js";
import { Confirm } from "../parts/dialog.js";
import { Head } from "../parts/shell.js";
import { Table } from "../parts/table.js";
import { say } from "../parts/toasts.js";
import { t } from "../text.js";
import { html, useState } from "../view.js";
import { brokerColumns } from "./broker_columns.js";

export function Page() {
  const answer = useAnswer("/brokers", {}, { every: 3000 });
  const [draining, setDraining] = useState(null);
  const turn = async (name, writable) => {
    await put(at`/brokers/${name}/writable`, { writable });
    say(t(writable ? "brokers.resumed" : "brokers.drained_now", { name }));
    answer.again();
  };
  const resume = (name) => turn(name, true).catch((error) => say(error.message, "bad"));
  const columns = (drained) => [
    ...brokerColumns({ whole: true }),
    { name: "takes", title: t("column.takes"), cell: ({ id, name }) => id === 0 && html`
      <div class="row"><${Badge} tone=${drained.includes(name) ? "warn" : ""}>${t(drained.includes(name) ? "brokers.drained" : "brokers.takes")}<//>
      ${mayWrite() && (drained.includes(name)
        ? html`<button type="button" class="small" aria-label=${t("brokers.resume_of", { name })} onClick=${() => resume(name)}>${t("brokers.resume")}</button>`
        : html`<button type="button" class="small" aria-label=${t("brokers.drain_of", { name })} onClick=${() => setDraining(name)}>${t("brokers.drain")}</button>`)}</div>` },
  ];
  return html`<${Head} title=${t("page.brokers")} lead=${t("brokers.lead")} />
    <section class="panel"><${Answer} answer=${answer}>${(data) => html`
      <${Table} caption=${t("page.brokers")} rows=${data.items} rowKey=${(row) => `${row.name}/${row.id}`} columns=${columns(data.drained)}
        empty=${html`<${Empty} title=${t("brokers.none")}><span>${t("brokers.none.next")}</span><//>`} />`}<//></section>
    ${draining && html`<${Confirm} title=${t("brokers.drain.title", { name: draining })} action=${t("brokers.drain")}
      act=${() => turn(draining, false)} onClose=${() => setDraining(null)}><p>${t("brokers.drain.about")}</p><//>`}`;
}
