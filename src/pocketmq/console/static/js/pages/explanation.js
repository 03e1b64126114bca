// What happened to a message, in sentences, as the server tells it, with its evidence.

import { Badge, Command, Definitions, Moment } from "../parts/basics.js";
import { to } from "../router.js";
import { t, term } from "../text.js";
import { html } from "../view.js";

const TONES = { consumed: "good", dead: "bad", retrying: "warn", behind: "warn", offline: "warn", differing: "bad", invisible: "info" };
const COMMAND = /^pocketmq /;

export function Explanation({ explanation }) {
  return html`
    <p><strong>${explanation.summary}</strong></p>
    ${explanation.facts.length > 0 && html`<ol class="life">
      ${explanation.facts.map((fact, n) => html`<li key=${n}>
        <span class="wrap">${fact.text}</span>
        <div class="small soft row">${fact.at_ms > 0 && html`<${Moment} ms=${fact.at_ms} />`}<${Evidence} values=${fact.evidence} /></div>
      </li>`)}
    </ol>`}
    <h2>${t("explain.groups")}</h2>
    ${explanation.groups.length === 0 && html`<p class="soft">${t("explain.no_groups")}</p>`}
    ${explanation.groups.map((one) => html`<div class=${`note ${TONES[one.verdict] ?? ""}`} key=${one.group}>
      <div class="row"><a class="name" href=${to("groups", one.group)}>${one.group}</a><${Badge} tone=${TONES[one.verdict] ?? ""}>${term("verdict", one.verdict)}<//></div>
      <span>${one.text}</span>
      ${one.advice && (COMMAND.test(one.advice) ? html`<${Command} text=${one.advice} />` : html`<span class="soft">${one.advice}</span>`)}
      <${Evidence} values=${one.evidence} />
    </div>`)}`;
}

function Evidence({ values }) {
  const items = Object.entries(values ?? {});
  if (items.length === 0) return null;
  const words = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));
  return html`<details class="small"><summary>${t("explain.evidence")}</summary>
    <${Definitions} items=${items.map(([name, value]) => [name, html`<span class="mono">${words(value)}</span>`])} /></details>`;
}
