// How the cluster is right now: what needs somebody, the figures, the charts, the busiest.

import { useAnswer } from "../api.js";
import { brief, count, lasting, percent, rate } from "../format.js";
import { overview, take } from "../live.js";
import { Answer, Bar, Empty, Figures, Note, Panel } from "../parts/basics.js";
import { Chart } from "../parts/chart.js";
import { Head } from "../parts/shell.js";
import { Table } from "../parts/table.js";
import { to } from "../router.js";
import { useCell } from "../store.js";
import { t } from "../text.js";
import { html, useEffect, useMemo } from "../view.js";
import { diskTone, brokerColumns } from "./broker_columns.js";

export function Page() {
  const live = useCell(overview);
  const first = useAnswer("/overview");
  useEffect(() => first.data && take(first.data), [first.data]);
  const answer = live ? { ...first, data: live, error: null } : first;
  return html`<${Head} title=${t("page.overview")} />
    <${Answer} answer=${answer}>${(data) => html`<${Overview} data=${data} />`}<//>`;
}

function Overview({ data }) {
  const { totals, brokers, history } = data;
  const lines = useMemo(
    () => ({
      traffic: [
        { name: "put_tps", title: t("figure.in") },
        { name: "get_tps", title: t("figure.out") },
      ],
      latency: [{ name: "latency_ms", title: t("figure.latency") }],
      lag: [{ name: "lag", title: t("figure.lag") }],
      disk: [{ name: "disk_ratio", title: t("figure.disk") }],
    }),
    [t("figure.in")],
  );
  const last = history.points[history.points.length - 1] ?? {};
  return html`
    <${Attention} totals=${totals} brokers=${brokers} />
    <${Figures} items=${[
      { name: t("figure.in"), value: brief(totals.put_tps), unit: t("unit.per_second") },
      { name: t("figure.out"), value: brief(totals.get_tps), unit: t("unit.per_second") },
      { name: t("figure.latency"), value: lasting(last.latency_ms), title: t("figure.latency.about") },
      { name: t("figure.lag"), value: brief(totals.lag), title: t("figure.lag.about") },
      { name: t("figure.dead"), value: brief(totals.dead_letters), tone: totals.dead_letters_waiting > 0 ? "bad" : "", title: t("figure.dead.about") },
      { name: t("figure.disk"), value: percent(totals.disk_ratio), tone: diskTone(totals.disk_ratio) },
      { name: t("figure.topics"), value: count(totals.topics) },
      { name: t("figure.groups"), value: count(totals.groups) },
      { name: t("figure.clients"), value: count(totals.clients) },
    ]} />
    <div class="grid-2">
      <${Chart} title=${t("chart.traffic")} points=${history.points} step=${history.step_ms} lines=${lines.traffic} unit="rate" />
      <${Chart} title=${t("chart.latency")} points=${history.points} step=${history.step_ms} lines=${lines.latency} unit="lasting" />
      <${Chart} title=${t("chart.lag")} points=${history.points} step=${history.step_ms} lines=${lines.lag} unit="count" />
      <${Chart} title=${t("chart.disk")} points=${history.points} step=${history.step_ms} lines=${lines.disk} unit="percent" most=${1} />
    </div>
    <${Panel} title=${t("page.brokers")}>
      <${Table} caption=${t("page.brokers")} columns=${brokerColumns()} rows=${brokers} rowKey=${(row) => `${row.name}/${row.id}`} />
    <//>
    <div class="grid-2">
      <${Panel} title=${t("overview.top_topics")}><${TopTopics} rows=${data.top_topics} /><//>
      <${Panel} title=${t("overview.top_groups")}><${TopGroups} rows=${data.top_groups} /><//>
    </div>`;
}

/** What somebody should look at first; nothing is drawn when all is well. */
function Attention({ totals, brokers }) {
  const down = brokers.filter((broker) => !broker.up);
  const full = brokers.filter((broker) => diskTone(broker.disk_ratio) !== "");
  return html`
    ${down.map((broker) => html`<${Note} tone="bad" key=${`${broker.name}/${broker.id}`} title=${t("attention.down", { name: broker.name, address: broker.address })}>
      <span>${broker.error}</span><span class="soft">${t("attention.down.next")}</span><//>`)}
    ${full.map((broker) => html`<${Note} tone=${diskTone(broker.disk_ratio)} key=${`disk${broker.name}/${broker.id}`}
      title=${t("attention.disk", { name: broker.name, ratio: percent(broker.disk_ratio) })}>
      <span class="soft">${t("attention.disk.next")}</span><//>`)}
    ${totals.topics === 0 && html`<${Note} title=${t("overview.no_topics")}><div class="row">
      <span>${t("overview.no_topics.next")}</span><a class="button main" href=${to("send")}>${t("page.send")}</a></div><//>`}
    ${totals.dead_letters_waiting > 0 && html`<${Note} tone="warn"><div class="row">
      <span>${t("attention.dead", { count: count(totals.dead_letters_waiting) })}</span>
      <a class="button" href=${to("dead-letters")}>${t("attention.dead.look")}</a></div><//>`}`;
}

function TopTopics({ rows }) {
  const most = Math.max(1, ...rows.map((row) => row.put_tps ?? 0));
  return html`<${Table} caption=${t("overview.top_topics")} rows=${rows} rowKey=${(row) => row.topic}
    empty=${html`<${Empty} title=${t("topics.none")}><span>${t("topics.none.next")}</span><//>`}
    columns=${[
      { name: "topic", title: t("column.topic"), cell: (row) => html`<a class="name" href=${to("topics", row.topic)}>${row.topic}</a>` },
      { name: "share", title: t("column.share"), low: true, cell: (row) => html`<${Bar} ratio=${(row.put_tps ?? 0) / most} label=${rate(row.put_tps)} />` },
      { name: "tps", title: t("figure.in"), num: true, cell: (row) => rate(row.put_tps) },
      { name: "messages", title: t("column.messages"), num: true, cell: (row) => brief(row.messages) },
    ]} />`;
}

function TopGroups({ rows }) {
  return html`<${Table} caption=${t("overview.top_groups")} rows=${rows} rowKey=${(row) => row.group}
    empty=${html`<${Empty} title=${t("overview.no_groups")}><span>${t("overview.no_groups.next")}</span><//>`}
    columns=${[
      { name: "group", title: t("column.group"), cell: (row) => html`<a class="name" href=${to("groups", row.group)}>${row.group}</a>` },
      { name: "members", title: t("column.members"), num: true, cell: (row) => count(row.members) },
      { name: "lag", title: t("figure.lag"), num: true, cell: (row) => brief(row.lag) },
    ]} />`;
}
