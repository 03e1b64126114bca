// The name servers, and whether they agree.

import { useAnswer } from "../api.js";
import { count, lasting } from "../format.js";
import { Answer, Badge, Definitions, Empty, Note } from "../parts/basics.js";
import { Head } from "../parts/shell.js";
import { Table } from "../parts/table.js";
import { t } from "../text.js";
import { html } from "../view.js";

export function Page() {
  const answer = useAnswer("/name-servers", {}, { every: 5000 });
  return html`<${Head} title=${t("page.name-servers")} lead=${t("name_servers.lead")} />
    <${Answer} answer=${answer}>${(data) => html`<${NameServers} items=${data.items} />`}<//>`;
}

function NameServers({ items }) {
  const up = items.filter((item) => item.up);
  const agree = (figure) => new Set(up.map((item) => item[figure])).size <= 1;
  return html`
    ${!(agree("brokers") && agree("topics")) && html`<${Note} tone="warn" title=${t("name_servers.differ")}><span class="soft">${t("name_servers.differ.next")}</span><//>`}
    <section class="panel"><${Table} caption=${t("page.name-servers")} rows=${items} rowKey=${(row) => row.address}
      empty=${html`<${Empty} title=${t("name_servers.none")} />`}
      columns=${[
        { name: "address", title: t("column.address"), cell: (row) => html`<span class="mono">${row.address}</span>${row.error && html`<div class="small wrap">${row.error}</div>`}` },
        { name: "state", title: t("column.state"), cell: (row) => html`<${Badge} tone=${row.up ? "good" : "bad"}>${t(row.up ? "state.up" : "state.down")}<//>` },
        { name: "latency", title: t("figure.latency"), num: true, cell: (row) => lasting(row.latency_ms) },
        { name: "brokers", title: t("column.brokers"), num: true, cell: (row) => count(row.brokers) },
        { name: "topics", title: t("column.topics"), num: true, cell: (row) => count(row.topics) },
      ]} /></section>
    ${up.map((item) => Object.keys(item.settings ?? {}).length > 0 && html`<details class="panel" key=${item.address}>
      <summary class="inside"><strong>${t("name_servers.settings", { address: item.address })}</strong></summary>
      <div class="inside"><${Definitions} items=${Object.entries(item.settings).map(([name, value]) => [name, html`<span class="mono">${value}</span>`])} /></div></details>`)}`;
}
