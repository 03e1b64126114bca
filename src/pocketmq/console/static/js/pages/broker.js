// One broker: its figures, what it says of itself, its settings.

import { at, useAnswer } from "../api.js";
import { brief, bytes, lasting, percent, rate } from "../format.js";
import { Answer, Badge, Empty, Figures, Moment, Note } from "../parts/basics.js";
import { Search } from "../parts/fields.js";
import { SettingsTable } from "../parts/settings_table.js";
import { Head } from "../parts/shell.js";
import { Table } from "../parts/table.js";
import { Tabs } from "../parts/tabs.js";
import { route, setQuery, to } from "../router.js";
import { useCell } from "../store.js";
import { t } from "../text.js";
import { html, useState } from "../view.js";
import { diskTone } from "./broker_columns.js";

export function Page({ args: [name, id] }) {
  const { query } = useCell(route);
  const answer = useAnswer(at`/brokers/${name}/${id}`, {}, { every: 3000 });
  const crumb = html`<a href=${to("brokers")}>${t("page.brokers")}</a> /`;
  const badges = answer.data && html`<${Badge} tone=${answer.data.up ? "good" : "bad"}>${t(answer.data.up ? "state.up" : "state.down")}<//>
    <span class="soft mono">${answer.data.address}</span>`;
  return html`<${Head} title=${id === "0" ? name : `${name} · ${t("broker.replica", { id })}`} ...${{ crumb, badges }} />
    <${Answer} answer=${answer}>${(broker) => html`
      ${!broker.up && html`<${Note} tone="bad" title=${broker.error}><span class="soft">${t("attention.down.next")}</span><//>`}
      <${Figures} items=${[
        { name: t("figure.in"), value: rate(broker.put_tps) },
        { name: t("figure.out"), value: rate(broker.get_tps) },
        { name: t("broker.in_today"), value: brief(broker.put_today) },
        { name: t("broker.out_today"), value: brief(broker.get_today) },
        { name: t("figure.latency"), value: lasting(broker.latency_ms) },
        { name: t("column.put_p99"), value: lasting(broker.put_p99_ms) },
        { name: t("figure.disk"), value: percent(broker.disk_ratio), tone: diskTone(broker.disk_ratio) },
        { name: t("column.behind"), value: bytes(broker.dispatch_behind_bytes) },
        { name: t("broker.earliest"), value: html`<${Moment} ms=${broker.earliest_ms} ago />` },
        { name: t("column.boot"), value: html`<${Moment} ms=${broker.boot_ms} ago />` },
      ]} />
      <section class="panel">
        <${Tabs} label=${name} value=${query.tab ?? "runtime"} onValue=${(tab) => setQuery({ tab })} tabs=${[
          ["runtime", t("broker.runtime"), () => html`<${Runtime} values=${broker.runtime} />`],
          ["settings", t("page.settings"), () => html`<${SettingsTable} name=${name} id=${id} />`],
        ]} />
      </section>`}<//>`;
}

function Runtime({ values }) {
  const [q, setQ] = useState("");
  const low = q.toLowerCase();
  const rows = Object.entries(values ?? {}).filter(([name]) => name.toLowerCase().includes(low)).sort();
  return html`<div class="inside"><${Search} label=${t("broker.runtime.search")} value=${q} onValue=${setQ} /></div>
    <${Table} caption=${t("broker.runtime")} rows=${rows} rowKey=${(row) => row[0]} tall
      empty=${html`<${Empty} title=${t("settings.none_found")} />`}
      columns=${[
        { name: "name", title: t("column.name"), cell: ([key]) => html`<code class="wrap">${key}</code>` },
        { name: "value", title: t("column.value"), cell: ([, value]) => html`<span class="mono wrap">${value}</span>` },
      ]} />`;
}
