// What happened to messages, in sentences, as the server tells it, with its evidence.

import { Badge, Command, Definitions } from "../parts/basics.js";
import { to } from "../router.js";
import { t, term } from "../text.js";
import { html } from "../view.js";

const TONES = {
  consumed: "good",
  dead: "bad",
  forbidden: "bad",
  retrying: "warn",
  behind: "warn",
  offline: "warn",
  invisible: "info",
  handling: "info",
};

export function Explanation({ explanation }) {
  return html`<${Findings} findings=${explanation.findings} />
    ${explanation.messages.map((message) => html`<${Message} key=${message.message_id} ...${{ message, alone: explanation.messages.length === 1 }} />`)}`;
}

function Message({ message, alone }) {
  return html`<article class="stack">
    ${!alone && html`<h2><a class="mono wrap" href=${to("messages", message.topic, message.message_id)}>${message.message_id}</a></h2>`}
    <${Findings} findings=${message.findings} />
    <h2>${t("explain.groups")}</h2>
    ${message.groups.length === 0 && html`<p class="soft">${t("explain.no_groups")}</p>`}
    ${message.groups.map((one) => html`<div class=${`note ${TONES[one.status] ?? ""}`} key=${one.group}>
      <div class="row"><a class="name" href=${to("groups", one.group)}>${one.group}</a><${Badge} tone=${TONES[one.status] ?? ""}>${term("status", one.status)}<//></div>
      ${one.findings.map((finding, n) => html`<${Finding} key=${n} finding=${finding} />`)}
    </div>`)}
  </article>`;
}

function Findings({ findings }) {
  if (findings.length === 0) return null;
  return html`<ol class="life">${findings.map((finding, n) => html`<li key=${n}><${Finding} finding=${finding} /></li>`)}</ol>`;
}

function Finding({ finding }) {
  return html`<div class="finding"><span class="wrap">${finding.text}</span>
    <${Evidence} values=${finding.evidence} />
    ${finding.command && html`<${Command} text=${finding.command} />`}</div>`;
}

export function Evidence({ values }) {
  const items = Object.entries(values ?? {});
  if (items.length === 0) return null;
  const words = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));
  return html`<details class="small soft"><summary>${t("explain.evidence")}</summary>
    <${Definitions} items=${items.map(([name, value]) => [name, html`<span class="mono">${words(value)}</span>`])} /></details>`;
}
