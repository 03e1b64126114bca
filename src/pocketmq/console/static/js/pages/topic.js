// One topic: its rate, its queues, who reads it, who writes it, on which brokers it lies.

import { at, mayWrite, remove, useAnswer } from "../api.js";
import { brief, count, lasting, rate } from "../format.js";
import { Answer, Definitions, Empty, Figures, Kind, Moment } from "../parts/basics.js";
import { Chart } from "../parts/chart.js";
import { Confirm } from "../parts/dialog.js";
import { useHistory } from "../parts/history.js";
import { Head } from "../parts/shell.js";
import { cut, Pager, Table } from "../parts/table.js";
import { Tabs } from "../parts/tabs.js";
import { say } from "../parts/toasts.js";
import { go, route, setQuery, to } from "../router.js";
import { useCell } from "../store.js";
import { t } from "../text.js";
import { html, useMemo, useState } from "../view.js";
import { clientColumns } from "./client_columns.js";
import { TopicForm } from "./topic_form.js";
import { Permission } from "./topics.js";

const REFRESH_MS = 3000;
const QUEUES_SHOWN = 100;

export function Page({ args: [name] }) {
  const answer = useAnswer(at`/topics/${name}`, {}, { every: REFRESH_MS });
  const [doing, setDoing] = useState(null);
  const topic = answer.data;
  const crumb = html`<a href=${to("topics")}>${t("page.topics")}</a> /`;
  const actions = html`
    <a class="button" href=${to("messages", { topic: name })}>${t("topic.messages")}</a>
    ${mayWrite() && html`
      <a class="button" href=${to("send", { topic: name })}>${t("page.send")}</a>
      <button type="button" disabled=${!topic} onClick=${() => setDoing("change")}>${t("action.change")}</button>
      <button type="button" class="danger" onClick=${() => setDoing("delete")}>${t("action.delete")}</button>`}`;
  return html`<${Head} ...${{ title: name, crumb, actions }} badges=${topic && html`<${Kind} kind=${topic.kind} />`} />
    <${Answer} answer=${answer}>${(data) => html`<${Topic} topic=${data} />`}<//>
    ${doing === "change" && html`<${TopicForm} topic=${topic} onClose=${() => setDoing(null)} onDone=${answer.again} />`}
    ${doing === "delete" && html`<${Delete} name=${name} messages=${topic?.messages} onClose=${() => setDoing(null)} />`}`;
}

function Topic({ topic }) {
  const { query } = useCell(route);
  const points = useHistory(`topic/${topic.name}`, topic, ["put_tps", "get_tps", "messages"]);
  const lines = useMemo(
    () => [{ name: "put_tps", title: t("figure.in") }, { name: "get_tps", title: t("figure.out") }],
    [t("figure.in")],
  );
  const newest = Math.max(0, ...topic.queues.map((queue) => queue.updated_ms ?? 0));
  return html`
    <${Figures} items=${[
      { name: t("column.messages"), value: brief(topic.messages), title: count(topic.messages) },
      { name: t("figure.in"), value: rate(topic.put_tps) },
      { name: t("figure.out"), value: rate(topic.get_tps) },
      { name: t("column.queues"), value: count(topic.queues.length) },
      { name: t("column.last_message"), value: html`<${Moment} ms=${newest} ago />` },
    ]} />
    <${Chart} title=${t("chart.traffic")} points=${points} lines=${lines} unit="rate" />
    <section class="panel">
      <${Tabs} label=${topic.name} value=${query.tab ?? "queues"} onValue=${(tab) => setQuery({ tab })} tabs=${[
        ["queues", t("column.queues"), () => html`<${Queues} topic=${topic} />`],
        ["groups", t("topic.groups"), () => html`<${Groups} name=${topic.name} />`],
        ["producers", t("topic.producers"), () => html`<${Producers} name=${topic.name} />`],
        ["brokers", t("topic.parts"), () => html`<${Parts} topic=${topic} />`],
      ]} />
    </section>`;
}

function Queues({ topic }) {
  const [page, setPage] = useState(1);
  const data = cut(topic.queues, page, QUEUES_SHOWN);
  return html`<${Table} caption=${t("column.queues")} rows=${data.items} rowKey=${(row) => `${row.broker}:${row.queue_id}`}
      empty=${html`<${Empty} title=${t("topic.no_queues")}><span>${t("topic.no_queues.next")}</span><//>`}
      columns=${[
        { name: "queue", title: t("column.queue"), cell: (row) => html`<a href=${to("messages", { topic: topic.name, by: "offset", queue: `${row.broker}:${row.queue_id}`, offset: row.first })}>${row.broker}:${row.queue_id}</a>` },
        { name: "first", title: t("column.first"), num: true, low: true, cell: (row) => count(row.first) },
        { name: "end", title: t("column.end"), num: true, cell: (row) => count(row.end) },
        { name: "messages", title: t("column.messages"), num: true, cell: (row) => count(row.messages) },
        { name: "updated", title: t("column.last_message"), cell: (row) => html`<${Moment} ms=${row.updated_ms} />` },
      ]} />
    <${Pager} data=${data} onPage=${setPage} />`;
}

function Groups({ name }) {
  const answer = useAnswer(at`/topics/${name}/groups`, {}, { every: REFRESH_MS });
  return html`<${Answer} answer=${answer}>${(data) => html`<${Table} caption=${t("topic.groups")} rows=${data.items} rowKey=${(row) => row.group}
    empty=${html`<${Empty} title=${t("topic.no_groups")}><span>${t("topic.no_groups.next")}</span><//>`}
    columns=${[
      { name: "group", title: t("column.group"), cell: (row) => html`<a class="name" href=${to("groups", row.group, { topic: name })}>${row.group}</a>` },
      { name: "members", title: t("column.members"), num: true, cell: (row) => count(row.members) },
      { name: "lag", title: t("figure.lag"), num: true, cell: (row) => count(row.lag) },
      { name: "tps", title: t("figure.out"), num: true, low: true, cell: (row) => rate(row.consume_tps) },
      { name: "age", title: t("column.delay"), low: true, cell: (row) => (row.lag > 0 && row.consumed_ms ? lasting(Date.now() - row.consumed_ms) : "–") },
    ]} />`}<//>`;
}

function Producers({ name }) {
  const answer = useAnswer(at`/topics/${name}/producers`);
  return html`<${Answer} answer=${answer}>${(data) => html`<${Table} caption=${t("topic.producers")} rows=${data.items} rowKey=${(row) => row.client_id}
    empty=${html`<${Empty} title=${t("topic.no_producers")}><span>${t("topic.no_producers.next")}</span><//>`} columns=${clientColumns()} />`}<//>`;
}

function Parts({ topic }) {
  const attributes = Object.entries(topic.attributes);
  return html`<${Table} caption=${t("topic.parts")} rows=${topic.parts} rowKey=${(row) => row.broker} columns=${[
      { name: "broker", title: t("column.broker"), cell: (row) => html`<a href=${to("brokers", row.broker, 0)}>${row.broker}</a>` },
      { name: "cluster", title: t("column.cluster"), low: true, cell: (row) => row.cluster },
      { name: "address", title: t("column.address"), low: true, cell: (row) => html`<span class="mono">${row.address}</span>` },
      { name: "read", title: t("column.read_queues"), num: true, cell: (row) => count(row.read_queues) },
      { name: "write", title: t("column.write_queues"), num: true, cell: (row) => count(row.write_queues) },
      { name: "permission", title: t("column.permission"), cell: (row) => html`<${Permission} value=${row.permission} />` },
      { name: "order", title: t("column.order"), low: true, cell: (row) => t(row.order ? "yes" : "no") },
    ]} />
    ${attributes.length > 0 && html`<div class="inside"><${Definitions} items=${attributes} /></div>`}`;
}

function Delete({ name, messages, onClose }) {
  const act = async () => {
    await remove(at`/topics/${name}`);
    say(t("topic.deleted", { name }));
    go("topics");
  };
  return html`<${Confirm} title=${t("topic.delete", { name })} name=${name} action=${t("action.delete")} ...${{ act, onClose }}>
    <p>${t("topic.delete.about", { count: count(messages) })}</p>
  <//>`;
}
