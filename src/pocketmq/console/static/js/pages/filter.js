// Try a filter: does this expression take a message with these properties, and why.

import { post, useAction } from "../api.js";
import { Badge, Empty, Note, Problem } from "../parts/basics.js";
import { Choice, Long, Name, readPairs, Text } from "../parts/fields.js";
import { Head } from "../parts/shell.js";
import { Table } from "../parts/table.js";
import { t, term } from "../text.js";
import { html, useState } from "../view.js";

const TONES = { true: "good", false: "warn", unknown: "", impossible: "bad" };

export function Page() {
  const [form, setForm] = useState({ type: "SQL92", expression: "amount > 100 AND region IN ('eu', 'us')", from: "typed", properties: "amount = 250\nregion = eu", tag: "", topic: "", id: "" });
  const [result, setResult] = useState(null);
  const change = (name) => (value) => setForm((old) => ({ ...old, [name]: value }));
  const test = useAction(() => post("/filters/test", compose(form)));
  const submit = async (event) => {
    event.preventDefault();
    setResult(null);
    const answer = await test.run();
    setResult(answer ? { ...answer, expression: form.expression } : null);
  };
  return html`<${Head} title=${t("page.filter")} lead=${t("filter.lead")} />
    <section class="panel"><form class="inside stack" onSubmit=${submit}>
      <${Choice} label=${t("column.type")} value=${form.type} onValue=${change("type")} options=${[["SQL92", "SQL92"], ["TAG", t("filter.tag")]]} />
      <${Text} label=${t("column.expression")} help=${t(form.type === "TAG" ? "filter.tag.help" : "filter.sql.help")} value=${form.expression} onValue=${change("expression")} required class="mono" />
      <${Choice} label=${t("filter.from")} value=${form.from} onValue=${change("from")} options=${[["typed", t("filter.typed")], ["stored", t("filter.stored")]]} />
      ${form.from === "stored"
        ? html`<div class="form cols"><${Name} kind="topics" all label=${t("column.topic")} value=${form.topic} onValue=${change("topic")} required />
            <${Text} label=${t("messages.id")} value=${form.id} onValue=${change("id")} required /></div>`
        : html`<div class="form cols">
            ${form.type === "SQL92" && html`<${Long} label=${t("message.properties")} help=${t("pairs.help")} rows=${4} value=${form.properties} onValue=${change("properties")} />`}
            <${Text} label=${t("column.tag")} value=${form.tag} onValue=${change("tag")} /></div>`}
      <${Problem} error=${test.error} />
      <div class="row end"><button type="submit" class="main" disabled=${test.busy}>${t("filter.do")}</button></div>
    </form></section>
    ${result && html`<${Result} result=${result} />`}`;
}

function Result({ result }) {
  if (!result.valid) {
    return html`<${Note} tone="bad" title=${t("filter.invalid")} live><span>${result.error.message}</span>
      <${Pointed} text=${result.expression} at=${result.error.position} /><//>`;
  }
  return html`<${Note} tone=${result.matches ? "good" : "warn"} title=${t(result.matches ? "filter.matches" : "filter.misses")} live><span>${result.why}</span><//>
    <section class="panel"><${Table} caption=${t("filter.values")} rows=${result.values} empty=${html`<${Empty} title=${t("filter.no_values")} />`}
      columns=${[
        { name: "text", title: t("filter.part"), cell: (row) => html`<code class="wrap">${row.text}</code>` },
        { name: "seen", title: t("filter.seen"), cell: (row) => Object.entries(row.seen).map(([name, value]) => html`<div key=${name}><code class="wrap">${name} = ${value ?? t("filter.not_set")}</code></div>`) },
        { name: "value", title: t("filter.value"), cell: (row) => html`<${Badge} tone=${TONES[row.value]}>${term("truth", row.value)}<//>` },
      ]} /></section>`;
}

/** The expression with the place where it goes wrong marked. */
function Pointed({ text, at }) {
  if (at === null || at === undefined) return null;
  return html`<code class="wrap">${text.slice(0, at)}<mark>${text.slice(at, at + 1) || "␣"}</mark>${text.slice(at + 1)}</code>`;
}

function compose(form) {
  const { type, expression } = form;
  if (form.from === "stored") return { type, expression, topic: form.topic.trim(), id: form.id.trim() };
  return { type, expression, properties: type === "SQL92" ? readPairs(form.properties) : {}, ...(form.tag && { tag: form.tag }) };
}
