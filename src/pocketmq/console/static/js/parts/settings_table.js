// The settings of one broker; those that may be changed while it runs have a button.

import { at, mayWrite, patch, useAction, useAnswer } from "../api.js";
import { t } from "../text.js";
import { html, useState } from "../view.js";
import { Answer, Badge, Empty, Problem } from "./basics.js";
import { Dialog } from "./dialog.js";
import { Check, Search, Select, Text } from "./fields.js";
import { Table } from "./table.js";
import { say } from "./toasts.js";

export function SettingsTable({ name, id }) {
  const answer = useAnswer(at`/brokers/${name}/${id}/settings`);
  const [q, setQ] = useState("");
  const [only, setOnly] = useState(false);
  const [changing, setChanging] = useState(null);
  const low = q.toLowerCase();
  return html`
    <div class="inside row">
      <${Search} label=${t("settings.search")} value=${q} onValue=${setQ} />
      <${Check} label=${t("settings.changeable")} checked=${only} onValue=${setOnly} />
    </div>
    <${Answer} answer=${answer}>${({ items }) => html`<${Table} caption=${t("page.settings")} tall rowKey=${(row) => row.name}
      rows=${items.filter((row) => (!only || row.changeable) && `${row.name} ${row.help ?? ""}`.toLowerCase().includes(low))}
      empty=${html`<${Empty} title=${t("settings.none_found")}><span>${t("settings.none_found.next")}</span><//>`}
      columns=${[
        { name: "name", title: t("column.name"), cell: (row) => html`<code class="wrap">${row.name}</code>${row.help && html`<div class="small soft">${row.help}</div>`}` },
        { name: "value", title: t("column.value"), cell: (row) => html`<span class="mono wrap">${row.value}</span>` },
        { name: "change", title: t("settings.may_change"), cell: (row) => row.changeable && mayWrite()
          ? html`<button type="button" aria-label=${t("settings.change", { name: row.name })} onClick=${() => setChanging(row)}>${t("action.change")}</button>`
          : html`<${Badge}>${t(row.changeable ? "yes" : "settings.restart")}<//>` },
      ]} />`}<//>
    ${changing && html`<${Change} broker=${name} id=${id} row=${changing} onClose=${() => setChanging(null)} onDone=${answer.again} />`}`;
}

function Change({ broker, id, row, onClose, onDone }) {
  const [value, setValue] = useState(row.value);
  const save = useAction(() => patch(at`/brokers/${broker}/${id}/settings`, { settings: { [row.name]: value } }));
  const submit = async (event) => {
    event.preventDefault();
    if ((await save.run()) === undefined) return;
    say(t("settings.changed", { name: row.name, value }));
    onClose();
    onDone();
  };
  const truth = row.value === "true" || row.value === "false";
  return html`<${Dialog} title=${t("settings.change", { name: row.name })} onClose=${onClose}>
    <form class="form" onSubmit=${submit}>
      ${row.help && html`<p class="soft">${row.help}</p>`}
      ${truth ? html`<${Select} label=${t("column.value")} value=${value} onValue=${setValue} options=${[["true", "true"], ["false", "false"]]} autofocus />`
        : html`<${Text} label=${t("column.value")} value=${value} onValue=${setValue} required autofocus />`}
      <p class="soft small">${t("settings.change.about", { broker })}</p>
      <${Problem} error=${save.error} />
      <div class="row end"><button type="button" onClick=${onClose}>${t("action.cancel")}</button>
        <button type="submit" class="main" disabled=${save.busy || value === row.value}>${t("action.save")}</button></div>
    </form>
  <//>`;
}
