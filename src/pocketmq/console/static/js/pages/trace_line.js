// A message's trace as a line of time: each step below the one before, with the time between them.

import { lasting } from "../format.js";
import { Badge, Moment } from "../parts/basics.js";
import { t, term } from "../text.js";
import { html } from "../view.js";

const TOLD = ["handled", "ended"]; // steps whose good end is worth a word
const GOOD = ["", "success", "commit", "ok", "committed"];

export function TraceLine({ items }) {
  const steps = [...items].sort((a, b) => a.at_ms - b.at_ms);
  return html`<ol class="life">${steps.map((step, n) => html`<${Step} key=${n} ...${{ step, before: steps[n - 1] }} />`)}</ol>`;
}

function Step({ step, before }) {
  const outcome = String(step.outcome ?? "").toLowerCase();
  const good = GOOD.includes(outcome);
  const details = [
    step.cost_ms > 0 && t("trace.took", { time: lasting(step.cost_ms) }),
    step.attempt > 1 && t("trace.attempt", { n: step.attempt }),
    step.group,
    step.client,
    step.broker,
    step.by_broker && t("trace.by_broker"),
  ].filter(Boolean);
  return html`<li class=${good ? "" : "bad"}>
    <strong>${term("trace", step.what)}</strong>
    ${outcome && (!good || TOLD.includes(step.what)) && html` <${Badge} tone=${good ? "good" : "bad"}>${term("outcome", outcome)}<//>`}
    ${before && html` <span class="soft small">+${lasting(step.at_ms - before.at_ms)}</span>`}
    <div class="small soft wrap"><${Moment} ms=${step.at_ms} />${details.map((detail) => ` · ${detail}`)}</div>
  </li>`;
}
