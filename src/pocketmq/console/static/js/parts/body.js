// A message's body, in the views the server made of it. All of them are text and stay text.

import { address, at } from "../api.js";
import { bytes } from "../format.js";
import { t, term } from "../text.js";
import { html, useState } from "../view.js";
import { copy, Empty, Note } from "./basics.js";
import { Choice } from "./fields.js";

const VIEWS = ["text", "json", "java", "hessian", "hex"];

export function Body({ topic, id, body }) {
  const there = VIEWS.filter((name) => body.views[name] !== null && body.views[name] !== undefined);
  const [view, setView] = useState(there.includes(body.guess) ? body.guess : there[0]);
  if (body.size === 0) return html`<${Empty} title=${t("body.empty")} />`;
  const text = body.views[view] ?? "";
  return html`<div class="inside stack">
    <div class="row">
      <${Choice} label=${t("body.view")} value=${view} onValue=${setView} options=${there.map((name) => [name, term("body", name)])} />
      <span class="soft">${bytes(body.size)}${body.compressed ? ` · ${t("body.compressed")}` : ""}</span>
      <button type="button" class="quiet" onClick=${() => copy(text)}>${t("action.copy")}</button>
      <a class="button" href=${address(at`/messages/${topic}/${id}/body`)} download>${t("body.download")}</a>
    </div>
    ${body.cut && html`<${Note} tone="warn"><span>${t("body.cut")}</span><//>`}
    <pre class=${`body-text ${view === "hex" ? "hex" : ""}`} tabindex="0" aria-label=${t("column.body")} role="region">${text}</pre>
  </div>`;
}
