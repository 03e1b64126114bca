// Small things that every page shows: badges, moments, notes, loading, empty places, copied text.

import { moment, relative, shortMoment } from "../format.js";
import { t, term } from "../text.js";
import { html } from "../view.js";
import { say } from "./toasts.js";

export function Badge({ tone = "", children }) {
  return html`<span class=${`badge ${tone}`}>${children}</span>`;
}

const KIND_TONES = { fifo: "info", transaction: "info", delay: "info", retry: "warn", dead_letter: "bad" };

export function Kind({ kind }) {
  return html`<${Badge} tone=${KIND_TONES[kind] ?? ""}>${term("kind", kind)}<//>`;
}

/** A moment, short on the page and whole under the pointer. */
export function Moment({ ms, ago = false }) {
  if (!ms || ms <= 0) return html`<span class="soft">–</span>`;
  const iso = new Date(ms).toISOString();
  return html`<time datetime=${iso} title=${`${moment(ms)} · ${iso}`}>${ago ? relative(ms) : shortMoment(ms)}</time>`;
}

export function Note({ tone = "info", title, children, live = false }) {
  return html`<div class=${`note ${tone}`} role=${live ? "alert" : undefined}>
    ${title && html`<strong>${title}</strong>`}
    ${children}
  </div>`;
}

/** What went wrong, what to do next, and a button that tries again. */
export function Problem({ error, again }) {
  if (!error) return null;
  const next = error.hint ?? (`next.${error.code}` === t(`next.${error.code}`) ? "" : t(`next.${error.code}`));
  return html`<div class="note bad" role="alert">
    <strong>${t("problem.title")}</strong>
    <span>${error.message}</span>
    ${error.details?.reference && html`<span class="small soft">${t("problem.reference", { reference: error.details.reference })}</span>`}
    ${next && html`<span class="soft">${next}</span>`}
    ${again && html`<div class="row end"><button type="button" onClick=${again}>${t("action.again")}</button></div>`}
  </div>`;
}

export function Loading() {
  return html`<p class="loading" role="status">${t("loading")}</p>`;
}

export function Empty({ title, children }) {
  return html`<div class="empty"><strong>${title}</strong>${children}</div>`;
}

/** Draw an answer: loading, refused, or `children(data)`; a refusal stands above older data. */
export function Answer({ answer, children }) {
  return html`
    <${Problem} error=${answer.error} again=${answer.again} />
    ${answer.data ? children(answer.data) : !answer.error && html`<${Loading} />`}
  `;
}

export function Panel({ title, actions, children, inside = false }) {
  return html`<section class="panel">
    ${(title || actions) && html`<header><h2>${title}</h2>${actions}</header>`}
    ${inside ? html`<div class="inside">${children}</div>` : children}
  </section>`;
}

export function Figures({ items }) {
  return html`<dl class="figures">
    ${items.filter(Boolean).map(
      ({ name, value, unit, tone = "", title }) => html`<div class=${`figure ${tone}`} key=${name} title=${title}>
        <dt>${name}</dt><dd>${value}${unit && html` <small>${unit}</small>`}</dd>
      </div>`,
    )}
  </dl>`;
}

const NOTHING = [null, undefined, "", false];

/** Pairs of a name and what stands for it; pairs without anything to show are left out. */
export function Definitions({ items }) {
  return html`<dl class="definitions">
    ${items.filter((item) => item && !NOTHING.includes(item[1])).map(
      ([name, value]) => html`<dt key=${`t${name}`}>${name}</dt><dd key=${`d${name}`}>${value}</dd>`,
    )}
  </dl>`;
}

/** A share of a whole as a bar beside its number; `tone` colours it. */
export function Bar({ ratio, tone = "", label }) {
  const width = `${Math.max(0, Math.min(1, ratio ?? 0)) * 100}%`;
  return html`<div class=${`bar ${tone}`} role="img" aria-label=${label}><i style=${{ width }}></i></div>`;
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say(t("copied"));
  } catch {
    say(t("copied.not"), "warn"); // plain http from another machine has no clipboard
  }
}

export function Copy({ text, label }) {
  return html`<button type="button" class="quiet small" aria-label=${label ?? t("action.copy_what", { what: text })}
    onClick=${() => copy(text)}>${t("action.copy")}</button>`;
}

export function Command({ text }) {
  return html`<div class="command"><code>${text}</code><${Copy} text=${text} /></div>`;
}
