// One consumer group: how far behind it is, queue by queue, and who its members are.

import { at, mayWrite, remove, useAnswer } from "../api.js";
import { brief, count, lasting, rate } from "../format.js";
import { Answer, Badge, Definitions, Empty, Figures, Moment, Note } from "../parts/basics.js";
import { Chart } from "../parts/chart.js";
import { Confirm } from "../parts/dialog.js";
import { Check } from "../parts/fields.js";
import { useHistory } from "../parts/history.js";
import { Head } from "../parts/shell.js";
import { Pager, Table } from "../parts/table.js";
import { Tabs } from "../parts/tabs.js";
import { say } from "../parts/toasts.js";
import { go, route, setQuery, to } from "../router.js";
import { useCell } from "../store.js";
import { t, term } from "../text.js";
import { html, useMemo, useState } from "../view.js";
import { GroupForm } from "./group_form.js";

const REFRESH_MS = 3000;

export function Page({ args: [name] }) {
  const answer = useAnswer(at`/groups/${name}`, {}, { every: REFRESH_MS });
  const [doing, setDoing] = useState(null);
  const group = answer.data;
  const crumb = html`<a href=${to("groups")}>${t("page.groups")}</a> /`;
  const actions = mayWrite() && html`
    <a class="button" href=${to("offsets", { group: name })}>${t("group.offsets")}</a>
    <button type="button" disabled=${!group} onClick=${() => setDoing("change")}>${t("action.change")}</button>
    <button type="button" class="danger" onClick=${() => setDoing("delete")}>${t("action.delete")}</button>`;
  return html`<${Head} ...${{ title: name, crumb, actions }} badges=${group && html`<${Badges} group=${group} />`} />
    <${Answer} answer=${answer}>${(data) => html`<${Group} group=${data} />`}<//>
    ${doing === "change" && html`<${GroupForm} group=${group} onClose=${() => setDoing(null)} onDone=${answer.again} />`}
    ${doing === "delete" && html`<${Delete} name=${name} onClose=${() => setDoing(null)} />`}`;
}

function Badges({ group }) {
  const enabled = group.parts.every((part) => part.enabled);
  return html`
    ${!enabled && html`<${Badge} tone="bad">${t("state.disabled")}<//>`}
    <${Badge} tone=${group.members.length > 0 ? "good" : "warn"}>${t(group.members.length > 0 ? "state.online" : "state.offline")}<//>
    ${group.model && html`<${Badge}>${term("model", group.model)}<//>`}
    ${group.type && html`<${Badge}>${term("type", group.type)}<//>`}`;
}

function Group({ group }) {
  const { query } = useCell(route);
  const rates = group.topics.map((topic) => topic.consume_tps).filter((value) => value !== null);
  const consume_tps = rates.length > 0 ? rates.reduce((sum, value) => sum + value, 0) : null;
  const points = useHistory(`group/${group.name}`, useMemo(() => ({ lag: group.lag, consume_tps }), [group]), ["lag", "consume_tps"]);
  const lines = useMemo(
    () => ({ lag: [{ name: "lag", title: t("figure.lag") }], out: [{ name: "consume_tps", title: t("figure.out") }] }),
    [t("figure.lag")],
  );
  return html`
    ${group.differing.map((one) => html`<${Differing} key=${one.topic} one=${one} />`)}
    ${group.members.length === 0 && group.lag > 0 && html`<${Note} tone="warn" title=${t("group.nobody")}><span class="soft">${t("group.nobody.next")}</span><//>`}
    <${Figures} items=${[
      { name: t("figure.lag"), value: brief(group.lag), title: count(group.lag) },
      { name: t("figure.out"), value: rate(consume_tps) },
      { name: t("column.members"), value: count(group.members.length) },
      { name: t("column.topics"), value: count(group.topics.length) },
      { name: t("figure.dead"), value: group.dead_letters > 0 ? html`<a href=${to("dead-letters", group.name)}>${count(group.dead_letters)}</a>` : count(group.dead_letters), tone: group.dead_letters > 0 ? "bad" : "" },
    ]} />
    <div class="grid-2">
      <${Chart} title=${t("chart.lag")} points=${points} lines=${lines.lag} unit="count" />
      <${Chart} title=${t("chart.consumed")} points=${points} lines=${lines.out} unit="rate" />
    </div>
    <section class="panel">
      <${Tabs} label=${group.name} value=${query.tab ?? "progress"} onValue=${(tab) => setQuery({ tab })} tabs=${[
        ["progress", t("group.progress"), () => html`<${Progress} group=${group} topic=${query.topic ?? ""} />`],
        ["topics", t("group.topics"), () => html`<${Topics} group=${group} />`],
        ["members", t("column.members"), () => html`<${Members} group=${group} />`],
        ["brokers", t("group.parts"), () => html`<${Parts} group=${group} />`],
      ]} />
    </section>`;
}

function Differing({ one }) {
  return html`<${Note} tone="bad" title=${t("group.differing", { topic: one.topic })}>
    <${Definitions} items=${Object.entries(one.expressions).map(([client, expression]) => [client, html`<code>${expression}</code>`])} />
    <span class="soft">${t("group.differing.next")}</span><//>`;
}

function Progress({ group, topic }) {
  const [page, setPage] = useState(1);
  const answer = useAnswer(at`/groups/${group.name}/progress`, { topic, page, size: 100 }, { every: REFRESH_MS });
  const known = [...new Set([...group.topics.map((one) => one.topic), ...(topic ? [topic] : [])])];
  return html`
    ${known.length > 1 && html`<div class="inside"><select aria-label=${t("column.topic")} value=${topic} onChange=${(event) => setQuery({ topic: event.currentTarget.value })}>
      <option value="" selected=${topic === ""}>${t("group.all_topics")}</option>
      ${known.map((one) => html`<option key=${one} value=${one} selected=${one === topic}>${one}</option>`)}</select></div>`}
    <${Answer} answer=${answer}>${(data) => html`
      <${Table} caption=${t("group.progress")} rows=${data.items} rowKey=${(row) => `${row.topic}${row.broker}${row.queue_id}`}
        empty=${html`<${Empty} title=${t("group.no_progress")}><span>${t("group.no_progress.next")}</span><//>`}
        columns=${[
          { name: "topic", title: t("column.topic"), cell: (row) => html`<a href=${to("topics", row.topic)}>${row.topic}</a>` },
          { name: "queue", title: t("column.queue"), cell: (row) => `${row.broker}:${row.queue_id}` },
          { name: "lag", title: t("figure.lag"), num: true, cell: (row) => html`<b>${count(row.lag)}</b>` },
          { name: "consumed", title: t("column.consumed"), num: true, low: true, cell: (row) => count(row.consumed) },
          { name: "end", title: t("column.end"), num: true, low: true, cell: (row) => count(row.end) },
          { name: "age", title: t("column.delay"), cell: (row) => (row.lag > 0 && row.consumed_ms ? lasting(Date.now() - row.consumed_ms) : "–") },
          { name: "client", title: t("column.client"), low: true, cell: (row) => row.client_id
            ? html`<a class="mono wrap" href=${to("groups", group.name, "clients", row.client_id)}>${row.client_id}</a>`
            : html`<${Badge} tone=${row.lag > 0 ? "warn" : ""}>${t("group.nobody_has")}<//>` },
        ]} />
      <${Pager} data=${data} onPage=${setPage} />`}<//>`;
}

function Topics({ group }) {
  return html`<${Table} caption=${t("group.topics")} rows=${group.topics} rowKey=${(row) => row.topic}
    empty=${html`<${Empty} title=${t("group.no_progress")}><span>${t("group.no_progress.next")}</span><//>`}
    columns=${[
      { name: "topic", title: t("column.topic"), cell: (row) => html`<a href=${to("topics", row.topic)}>${row.topic}</a>` },
      { name: "expression", title: t("column.expression"), cell: (row) => html`${row.expression_type && html`<${Badge}>${row.expression_type}<//>`} <code class="wrap">${row.expression ?? "–"}</code>` },
      { name: "lag", title: t("figure.lag"), num: true, cell: (row) => count(row.lag) },
      { name: "out", title: t("figure.out"), num: true, low: true, cell: (row) => rate(row.consume_tps) },
      { name: "consumed", title: t("column.consumed_at"), low: true, cell: (row) => html`<${Moment} ms=${row.consumed_ms} />` },
    ]} />`;
}

function Members({ group }) {
  return html`<${Table} caption=${t("column.members")} rows=${group.members} rowKey=${(row) => row.client_id}
    empty=${html`<${Empty} title=${t("group.nobody")}><span>${t("group.nobody.next")}</span><//>`}
    columns=${[
      { name: "client", title: t("column.client"), cell: (row) => html`<a class="mono wrap" href=${to("groups", group.name, "clients", row.client_id)}>${row.client_id}</a>` },
      { name: "address", title: t("column.address"), cell: (row) => html`<span class="mono">${row.address}</span>` },
      { name: "language", title: t("column.language"), low: true, cell: (row) => row.language },
      { name: "version", title: t("column.version"), low: true, cell: (row) => row.version_name },
      { name: "subscriptions", title: t("column.subscriptions"), low: true, cell: (row) => row.subscriptions.map((one) => html`<div key=${one.topic}>${one.topic} <code>${one.expression}</code></div>`) },
    ]} />`;
}

function Parts({ group }) {
  return html`<${Table} caption=${t("group.parts")} rows=${group.parts} rowKey=${(row) => row.broker} columns=${[
    { name: "broker", title: t("column.broker"), cell: (row) => html`<a href=${to("brokers", row.broker, 0)}>${row.broker}</a>` },
    { name: "enabled", title: t("group.enabled"), cell: (row) => t(row.enabled ? "yes" : "no") },
    { name: "orderly", title: t("group.orderly"), low: true, cell: (row) => t(row.orderly ? "yes" : "no") },
    { name: "broadcast", title: t("group.broadcast"), low: true, cell: (row) => t(row.broadcast ? "yes" : "no") },
    { name: "retries", title: t("column.retries"), num: true, cell: (row) => count(row.retries_max) },
    { name: "timeout", title: t("group.timeout"), num: true, low: true, cell: (row) => count(row.consume_timeout_min) },
  ]} />`;
}

function Delete({ name, onClose }) {
  const [offsets, setOffsets] = useState(true);
  const act = async () => {
    await remove(at`/groups/${name}`, { offsets });
    say(t("group.deleted", { name }));
    go("groups");
  };
  return html`<${Confirm} title=${t("group.delete", { name })} name=${name} action=${t("action.delete")} ...${{ act, onClose }}>
    <p>${t("group.delete.about")}</p>
    <${Check} label=${t("group.delete.offsets")} checked=${offsets} onValue=${setOffsets} />
  <//>`;
}
