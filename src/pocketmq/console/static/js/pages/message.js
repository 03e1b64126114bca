// One message: its body, its properties, what became of it, and giving it to a group again.

import { at, mayWrite, post, useAction, useAnswer } from "../api.js";
import { bytes, count, lasting } from "../format.js";
import { Answer, Badge, Copy, Definitions, Empty, Moment, Note, Problem } from "../parts/basics.js";
import { Body } from "../parts/body.js";
import { Dialog } from "../parts/dialog.js";
import { Select, Text } from "../parts/fields.js";
import { Head } from "../parts/shell.js";
import { Tabs } from "../parts/tabs.js";
import { route, setQuery, to } from "../router.js";
import { useCell } from "../store.js";
import { t, term } from "../text.js";
import { html, useState } from "../view.js";
import { Explanation } from "./explanation.js";
import { TraceLine } from "./trace_line.js";

const CONSUMED = ["success", "commit"];

export function Page({ args: [topic, id] }) {
  const { query } = useCell(route);
  const answer = useAnswer(at`/messages/${topic}/${id}`);
  const [resending, setResending] = useState(false);
  const crumb = html`<a href=${to("topics")}>${t("page.topics")}</a> / <a href=${to("topics", topic)}>${topic}</a> / <a href=${to("messages", { topic })}>${t("page.messages")}</a> /`;
  const actions = mayWrite() && html`
    <a class="button" href=${to("send", { topic, like: id })}>${t("message.again")}</a>
    <button type="button" onClick=${() => setResending(true)}>${t("message.resend")}</button>`;
  return html`<${Head} title=${answer.data?.id || id} ...${{ crumb, actions }} />
    <${Answer} answer=${answer}>${(message) => html`
      <section class="panel"><div class="inside"><${Facts} message=${message} /></div></section>
      <section class="panel">
        <${Tabs} label=${t("page.message")} value=${query.tab ?? "body"} onValue=${(tab) => setQuery({ tab })} tabs=${[
          ["body", t("column.body"), () => html`<${Body} topic=${topic} id=${id} body=${message.body} />`],
          ["explain", t("message.explain"), () => html`<${Explain} topic=${topic} id=${id} />`],
          ["trace", t("message.trace"), () => html`<${Trace} topic=${topic} id=${id} />`],
          ["properties", t("message.properties"), () => html`<div class="inside"><${Properties} values=${message.properties} /></div>`],
        ]} />
      </section>`}<//>
    ${resending && html`<${Resend} topic=${topic} id=${id} onClose=${() => setResending(false)} />`}`;
}

function Facts({ message }) {
  return html`<${Definitions} items=${[
    [t("column.topic"), html`<a href=${to("topics", message.topic)}>${message.topic}</a>`],
    [t("column.keys"), message.keys.map((key) => html`<a key=${key} class="wrap" href=${to("messages", { topic: message.topic, by: "key", key })}>${key}</a> `)],
    [t("column.tag"), message.tag],
    [t("column.stored"), html`<${Moment} ms=${message.stored_ms} /> · ${message.broker}:${message.queue_id} @ ${count(message.offset)}`],
    [t("message.born"), html`<${Moment} ms=${message.born_ms} /> · <span class="mono">${message.born_host}</span>`],
    [t("message.id"), html`<span class="mono">${message.id}</span> <${Copy} text=${message.id} />`],
    [t("message.offset_id"), message.offset_id && message.offset_id !== message.id && html`<span class="mono">${message.offset_id}</span> <${Copy} text=${message.offset_id} />`],
    [t("message.retries"), message.retries > 0 && html`<${Badge} tone="warn">${count(message.retries)}<//>`],
    [t("message.transaction"), message.transaction && term("transaction", message.transaction)],
    [t("column.size"), `${bytes(message.size)} · ${t("message.log_offset", { offset: count(message.log_offset) })}`],
  ]} />`;
}

function Properties({ values }) {
  const items = Object.entries(values).map(([name, value]) => [html`<code>${name}</code>`, html`<span class="mono wrap">${value}</span>`]);
  return items.length > 0 ? html`<dl class="definitions">${items.map(([name, value], n) => html`<dt key=${`t${n}`}>${name}</dt><dd key=${`d${n}`}>${value}</dd>`)}</dl>` : html`<${Empty} title=${t("message.no_properties")} />`;
}

function Explain({ topic, id }) {
  const answer = useAnswer(at`/messages/${topic}/${id}/explain`);
  return html`<div class="inside stack"><${Answer} answer=${answer}>${(data) => html`<${Explanation} explanation=${data} />`}<//></div>`;
}

function Trace({ topic, id }) {
  const [from, setFrom] = useState("");
  const [asked, setAsked] = useState("");
  const answer = useAnswer(at`/messages/${topic}/${id}/trace`, { trace_topic: asked });
  const submit = (event) => {
    event.preventDefault();
    setAsked(from.trim());
  };
  return html`<div class="inside stack">
    <form class="row" onSubmit=${submit}>
      <${Text} label=${t("trace.topic")} placeholder="RMQ_SYS_TRACE_TOPIC" value=${from} onValue=${setFrom} />
      <button type="submit">${t("trace.read")}</button>
    </form>
    <${Answer} answer=${answer}>${({ items }) => items.length > 0 ? html`<${TraceLine} items=${items} />`
      : html`<${Empty} title=${t("trace.none")}><span>${t("trace.none.next")}</span><//>`}<//>
  </div>`;
}

function Resend({ topic, id, onClose }) {
  const groups = useAnswer(at`/topics/${topic}/groups`);
  const names = groups.data?.items.map((item) => item.group) ?? [];
  const [group, setGroup] = useState("");
  const chosen = group || names[0] || "";
  const members = useAnswer(chosen ? at`/groups/${chosen}/members` : null);
  const [client, setClient] = useState("");
  const [result, setResult] = useState(null);
  const resend = useAction(() => post(at`/messages/${topic}/${id}/resend`, { group: chosen, ...(client ? { client } : {}) }));
  const submit = async (event) => {
    event.preventDefault();
    setResult(null);
    setResult((await resend.run()) ?? null);
  };
  return html`<${Dialog} title=${t("message.resend")} onClose=${onClose}>
    <form class="form" onSubmit=${submit}>
      <p class="soft">${t("resend.about")}</p>
      ${groups.data && names.length === 0
        ? html`<${Note} tone="warn" title=${t("topic.no_groups")}><span class="soft">${t("resend.nobody")}</span><//>`
        : html`
          <${Select} label=${t("column.group")} value=${chosen} onValue=${setGroup} options=${names.map((name) => [name, name])} />
          <${Select} label=${t("column.client")} value=${client} onValue=${setClient}
            options=${[["", t("resend.any")], ...(members.data?.items ?? []).map((one) => [one.client_id, one.client_id])]} />`}
      <${Problem} error=${groups.error ?? resend.error} />
      ${result && html`<${Note} tone=${CONSUMED.includes(result.outcome) ? "good" : "bad"} title=${term("outcome", result.outcome)} live>
        <span>${t("resend.result", { client: result.client_id, time: lasting(result.spent_ms) })}</span>
        ${result.remark && html`<span class="wrap">${result.remark}</span>`}<//>`}
      <div class="row end"><button type="button" onClick=${onClose}>${t("action.close")}</button>
        <button type="submit" class="main" disabled=${!chosen || resend.busy}>${t("resend.do")}</button></div>
    </form>
  <//>`;
}
