// What is wrong or soon will be, why it matters, and the command that mends it.

import { useAnswer } from "../api.js";
import { count } from "../format.js";
import { Answer, Badge, Command, Moment, Note } from "../parts/basics.js";
import { Head } from "../parts/shell.js";
import { t } from "../text.js";
import { html } from "../view.js";
import { Evidence } from "./explanation.js";

const SEVERITIES = ["problem", "warning", "note"];
const TONES = { problem: "bad", warning: "warn", note: "info" };

export function Page() {
  const answer = useAnswer("/doctor");
  const actions = html`<button type="button" class="main" disabled=${answer.loading} onClick=${answer.again}>${t("doctor.again")}</button>`;
  return html`<${Head} title=${t("page.doctor")} lead=${t("doctor.lead")} actions=${actions} />
    <${Answer} answer=${answer}>${(data) => html`
      <p class="row soft">${SEVERITIES.map((one) => html`<${Badge} key=${one} tone=${TONES[one]}>${t(`severity.${one}`)} ${count(data.findings.filter((finding) => finding.severity === one).length)}<//>`)}
        <${Moment} ms=${data.at_ms} /> · ${t("doctor.looked", { checks: count(data.checks.length), brokers: count(data.brokers), topics: count(data.topics), groups: count(data.groups) })}</p>
      ${data.findings.length === 0 && html`<${Note} tone="good" title=${t("doctor.well")}><span class="soft">${t("doctor.well.next")}</span><//>`}
      ${[...data.findings].sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity)).map((finding, n) => html`
        <article class=${`note ${TONES[finding.severity]}`} key=${`${finding.check}${finding.subject}${n}`}>
          <div class="row"><strong>${finding.what}</strong><${Badge} tone=${TONES[finding.severity]}>${t(`severity.${finding.severity}`)}<//></div>
          <span class="soft">${finding.why}</span>
          <span>${finding.mend}</span>
          ${finding.command && html`<${Command} text=${finding.command} />`}
          <${Evidence} values=${finding.evidence} />
        </article>`)}`}<//>`;
}
