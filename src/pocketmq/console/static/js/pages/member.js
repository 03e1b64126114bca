// What one consumer says of itself: its queues, its pace, its settings, its threads.

import { at, useAnswer } from "../api.js";
import { bytes, count, lasting, rate } from "../format.js";
import { Answer, Badge, Definitions, Empty, Moment } from "../parts/basics.js";
import { Head } from "../parts/shell.js";
import { Table } from "../parts/table.js";
import { Tabs } from "../parts/tabs.js";
import { route, setQuery, to } from "../router.js";
import { useCell } from "../store.js";
import { t } from "../text.js";
import { html, useState } from "../view.js";

export function Page({ args: [group, , client] }) {
  const { query } = useCell(route);
  const [stack, setStack] = useState(false);
  const answer = useAnswer(at`/groups/${group}/running`, { client, stack });
  const crumb = html`<a href=${to("groups")}>${t("page.groups")}</a> / <a href=${to("groups", group, { tab: "members" })}>${group}</a> /`;
  const actions = html`<button type="button" disabled=${answer.loading} onClick=${answer.again}>${t("action.refresh")}</button>`;
  return html`<${Head} title=${client} ...${{ crumb, actions }} lead=${t("member.lead")} />
    <${Answer} answer=${answer}>${(data) => html`<section class="panel">
      <${Tabs} label=${client} value=${query.tab ?? "queues"} onValue=${(tab) => setQuery({ tab })} tabs=${[
        ["queues", t("column.queues"), () => html`<${Queues} rows=${data.queues} popped=${data.pop_queues} />`],
        ["pace", t("member.pace"), () => html`<${Pace} rows=${data.status} />`],
        ["properties", t("member.properties"), () => html`<div class="inside"><${Definitions} items=${Object.entries(data.properties)} /></div>`],
        ["stack", t("member.stack"), () => html`<${Stack} text=${data.stack} asked=${stack} ask=${() => setStack(true)} />`],
      ]} />
    </section>`}<//>`;
}

function Queues({ rows, popped }) {
  const shown = rows.length > 0 || !popped ? rows : popped;
  return html`<${Table} caption=${t("column.queues")} rows=${shown} rowKey=${(row) => `${row.topic}${row.broker}${row.queue_id}`}
    empty=${html`<${Empty} title=${t("member.no_queues")}><span>${t("member.no_queues.next")}</span><//>`}
    columns=${[
      { name: "topic", title: t("column.topic"), cell: (row) => html`<a href=${to("topics", row.topic)}>${row.topic}</a>` },
      { name: "queue", title: t("column.queue"), cell: (row) => `${row.broker}:${row.queue_id}` },
      { name: "commit", title: t("column.consumed"), num: true, cell: (row) => count(row.commit_offset) },
      { name: "cached", title: t("member.cached"), num: true, cell: (row) => html`${count(row.cached)} <small class="soft">${bytes(row.cached_bytes)}</small>` },
      { name: "state", title: t("column.state"), low: true, cell: (row) => html`
        ${row.locked && html`<${Badge} tone="info">${t("member.locked")}<//>`} ${row.dropped && html`<${Badge} tone="warn">${t("member.dropped")}<//>`}` },
      { name: "pulled", title: t("member.pulled"), low: true, cell: (row) => html`<${Moment} ms=${row.pulled_ms} ago />` },
      { name: "consumed", title: t("member.consumed"), low: true, cell: (row) => html`<${Moment} ms=${row.consumed_ms} ago />` },
    ]} />`;
}

function Pace({ rows }) {
  return html`<${Table} caption=${t("member.pace")} rows=${rows} rowKey=${(row) => row.topic}
    empty=${html`<${Empty} title=${t("member.no_pace")} />`}
    columns=${[
      { name: "topic", title: t("column.topic"), cell: (row) => row.topic },
      { name: "ok", title: t("member.ok"), num: true, cell: (row) => rate(row.ok_tps) },
      { name: "failed", title: t("member.failed"), num: true, cell: (row) => rate(row.failed_tps) },
      { name: "hour", title: t("member.failed_hour"), num: true, cell: (row) => count(row.failed_hour) },
      { name: "consume", title: t("member.consume_time"), num: true, cell: (row) => lasting(row.consume_rt_ms) },
      { name: "pull", title: t("member.pull_time"), num: true, low: true, cell: (row) => lasting(row.pull_rt_ms) },
      { name: "pulls", title: t("member.pulls"), num: true, low: true, cell: (row) => rate(row.pull_tps) },
    ]} />`;
}

function Stack({ text, asked, ask }) {
  if (!asked) {
    return html`<${Empty} title=${t("member.stack.ask")}><span>${t("member.stack.about")}</span>
      <button type="button" onClick=${ask}>${t("member.stack.get")}</button><//>`;
  }
  return text ? html`<div class="inside"><pre class="body-text" tabindex="0">${text}</pre></div>` : html`<${Empty} title=${t("member.stack.none")} />`;
}
