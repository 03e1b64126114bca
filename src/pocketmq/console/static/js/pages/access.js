// Who may connect to the brokers and what they may do: users, rules, and who lacks which.

import { at, mayWrite, patch, post, remove, useAnswer } from "../api.js";
import { Answer, Badge, Command, Empty, Note, Panel } from "../parts/basics.js";
import { Confirm } from "../parts/dialog.js";
import { Search, Select } from "../parts/fields.js";
import { Head } from "../parts/shell.js";
import { Table } from "../parts/table.js";
import { Tabs } from "../parts/tabs.js";
import { say } from "../parts/toasts.js";
import { route, setQuery } from "../router.js";
import { useCell } from "../store.js";
import { t, term } from "../text.js";
import { html, useState } from "../view.js";
import { Own, RuleForm, UserForm } from "./access_forms.js";

export function Page() {
  const { query } = useCell(route);
  const answer = useAnswer("/access"); // asked for once: brokers answer with passwords in clear
  const [open, setOpen] = useState(null);
  const { tab = "users", q = "" } = query;
  const keeps = answer.data && !answer.data.unavailable;
  const actions = html`<button type="button" onClick=${answer.again}>${t("action.refresh")}</button>
    ${mayWrite() && keeps && html`
    <button type="button" class=${tab === "users" ? "main" : ""} onClick=${() => setOpen({ form: "user" })}>${t("access.new_user")}</button>
    <button type="button" class=${tab === "rules" ? "main" : ""} onClick=${() => setOpen({ form: "rule" })}>${t("access.new_rule")}</button>`}`;
  return html`<${Head} title=${t("page.access")} lead=${t("access.lead")} actions=${actions} />
    <${Answer} answer=${answer}>${(data) => html`
      <${State} data=${data} />
      ${keeps && html`<div class="row"><${Search} label=${t("access.search")} value=${q} onValue=${(text) => setQuery({ q: text })} /></div>
        <section class="panel"><${Tabs} label=${t("page.access")} value=${tab} onValue=${(name) => setQuery({ tab: name })} tabs=${[
          ["users", t("access.users"), () => html`<${Users} data=${data} q=${q} onOpen=${setOpen} again=${answer.again} />`],
          ["rules", t("access.rules"), () => html`<${Rules} data=${data} q=${q} onOpen=${setOpen} />`],
        ]} /></section>`}
      <${Switches} brokers=${data.brokers} />
      ${open && html`<${Opened} ...${{ open, data }} onClose=${() => setOpen(null)} onDone=${answer.again} />`}`}<//>`;
}

const lines = (settings) => Object.entries(settings).map(([name, value]) => `${name}=${value}`);
const BOTH = { authenticationEnabled: "true", authorizationEnabled: "true" };

/** What an operator has to know before the tables: no users kept, or nobody asks for them. */
function State({ data }) {
  const told = data.brokers.filter((one) => one.error === null);
  const asking = told.filter((one) => one.authentication).length;
  const looking = told.filter((one) => one.authorization).length;
  const mixed = (count) => count > 0 && count < told.length;
  return html`
    ${Object.entries(data.problems).map(([broker, problem]) => html`<${Note} key=${broker} tone="warn" title=${t("access.left_out", { broker })}><span>${problem}</span><//>`)}
    ${data.unavailable && html`<${Note} tone="warn" title=${t("access.unavailable")}>
      <span>${data.unavailable.split(";")[0]}</span><span>${t("access.unavailable.steps")}</span>
      ${lines(data.to_set).map((line) => html`<${Command} key=${line} text=${line} />`)}<//>`}
    ${!data.unavailable && told.length > 0 && asking === 0 && html`<${Note} tone="warn" title=${t("access.off.title")}>
      <span>${t("access.off.steps")}</span>${lines(BOTH).map((line) => html`<${Command} key=${line} text=${line} />`)}<//>`}
    ${asking > 0 && asking === told.length && looking === 0 && html`<${Note} tone="warn" title=${t("access.half.title")}>
      <span>${t("access.half.steps")}</span><${Command} text="authorizationEnabled=true" /><//>`}
    ${(mixed(asking) || mixed(looking)) && html`<${Note} tone="warn" title=${t("access.mixed")} />`}`;
}

function Switches({ brokers }) {
  const word = (on) => (on === null ? "–" : html`<${Badge} tone=${on ? "good" : ""}>${t(on ? "access.on" : "access.off")}<//>`);
  return html`<${Panel} title=${t("access.switches")}>
    <${Table} caption=${t("access.switches")} rows=${brokers} rowKey=${(row) => row.name} columns=${[
      { name: "name", title: t("column.broker"), cell: (row) => row.name },
      { name: "authentication", title: t("access.authentication"), cell: (row) => word(row.authentication) },
      { name: "authorization", title: t("access.authorization"), cell: (row) => html`${word(row.authorization)} ${row.error}` },
    ]} /><//>`;
}

const has = (q, ...texts) => texts.some((text) => text.toLowerCase().includes(q.toLowerCase()));

function Users({ data, q, onOpen, again }) {
  const rows = data.users.filter((one) => has(q, one.name));
  const turn = async (user) => {
    try {
      await patch(at`/access/users/${user.name}`, { enabled: !user.enabled });
      say(t("access.user_changed", { name: user.name }));
    } catch (error) {
      say(error.message, "bad");
    }
    again();
  };
  return html`<${Table} caption=${t("access.users")} rows=${rows} rowKey=${(row) => row.name}
    empty=${html`<${Empty} title=${q ? t("access.none_found", { q }) : t("access.no_users")}><span>${t("access.no_users.next")}</span><//>`}
    columns=${[
      { name: "name", title: t("column.name"), cell: (row) => html`<span class="name">${row.name}</span>${row.name === data.signs_as && html` <${Badge} tone="info">${t("access.own")}<//>`}` },
      { name: "type", title: t("column.type"), low: true, cell: (row) => row.type },
      { name: "state", title: t("column.state"), cell: (row) => html`<${Badge} tone=${row.enabled ? "good" : "warn"}>${t(row.enabled ? "access.is_enabled" : "access.is_disabled")}<//>` },
      { name: "spread", title: t("column.access"), low: true, cell: (row) => html`<${Spread} row=${row} />` },
      mayWrite() && { name: "actions", cell: (row) => html`<div class="row end">
        ${!isSame(row) && html`<button type="button" class="small" aria-label=${t("access.sync_of", { name: row.name })} onClick=${() => onOpen({ sync: { user: row.name }, name: row.name, brokers: row.brokers })}>${t("access.sync")}</button>`}
        <button type="button" class="small" aria-label=${t("access.change_of", { name: row.name })} onClick=${() => onOpen({ form: "user", user: row })}>${t("action.change")}</button>
        ${row.name !== data.signs_as && html`<button type="button" class="small" aria-label=${t(row.enabled ? "access.disable_of" : "access.enable_of", { name: row.name })} onClick=${() => turn(row)}>${t(row.enabled ? "access.disable" : "access.enable")}</button>`}
        <button type="button" class="small danger" aria-label=${t("access.delete_of", { name: row.name })} onClick=${() => onOpen({ deleting: "user", user: row })}>${t("action.delete")}</button>
      </div>` },
    ]} />`;
}

function Rules({ data, q, onOpen }) {
  const rows = data.rules.filter((one) => has(q, one.subject, one.resource));
  const named = (row) => `${row.subject} ${row.resource}`;
  return html`<${Table} caption=${t("access.rules")} rows=${rows} rowKey=${(row) => `${named(row)} ${row.kind} ${row.brokers}`}
    empty=${html`<${Empty} title=${q ? t("access.none_found", { q }) : t("access.no_rules")}><span>${t("access.no_rules.next")}</span><//>`}
    columns=${[
      { name: "subject", title: t("column.subject"), cell: (row) => html`<span class="name">${row.subject.replace(/^User:/, "")}</span>` },
      { name: "resource", title: t("column.resource"), cell: (row) => html`<code class="wrap">${row.resource}</code>${row.kind !== "Custom" && html` <${Badge}>${row.kind}<//>`}` },
      { name: "actions_", title: t("column.actions"), cell: (row) => row.actions.join(", ") },
      { name: "decision", title: t("column.decision"), cell: (row) => html`<${Badge} tone=${row.decision === "Allow" ? "good" : "bad"}>${term("access_decision", row.decision)}<//>` },
      { name: "sources", title: t("column.sources"), low: true, cell: (row) => row.sources.join(", ") || t("access.anywhere") },
      { name: "spread", title: t("column.access"), low: true, cell: (row) => html`<${Spread} row=${row} />` },
      mayWrite() && { name: "actions", cell: (row) => html`<div class="row end">
        ${!isSame(row) && html`<button type="button" class="small" aria-label=${t("access.sync_of", { name: row.subject })} onClick=${() => onOpen({ sync: { subject: row.subject }, name: row.subject, brokers: data.brokers.map((one) => one.name) })}>${t("access.sync")}</button>`}
        <button type="button" class="small" aria-label=${t("access.change_of", { name: named(row) })} onClick=${() => onOpen({ form: "rule", rule: row })}>${t("action.change")}</button>
        <button type="button" class="small danger" aria-label=${t("access.delete_of", { name: named(row) })} onClick=${() => onOpen({ deleting: "rule", rule: row })}>${t("action.delete")}</button>
      </div>` },
    ]} />`;
}

const isSame = (row) => row.lacking.length === 0 && !row.differences?.length;

function Spread({ row }) {
  if (isSame(row)) return html`<span class="soft">${t("access.same")}</span>`;
  const what = (row.differences ?? []).map((one) => term("access_differs", one)).join(", ");
  return html`${row.lacking.length > 0 && html`<${Badge} tone="bad">${t("access.lacking", { brokers: row.lacking.join(", ") })}<//> `}
    ${what && html`<${Badge} tone="bad">${t("access.differs", { what })}<//>`}`;
}

/** The dialog that is open. */
function Opened({ open, data, onClose, onDone }) {
  if (open.form === "user") return html`<${UserForm} user=${open.user} own=${open.user && open.user.name === data.signs_as} ...${{ onClose, onDone }} />`;
  if (open.form === "rule") return html`<${RuleForm} rule=${open.rule} users=${data.users} ...${{ onClose, onDone }} />`;
  if (open.sync) return html`<${Sync} ...${{ open, onClose, onDone }} />`;
  const { user, rule } = open;
  const drop = async () => {
    if (user) await remove(at`/access/users/${user.name}`);
    else await remove("/access/rules", { subject: rule.subject, resource: rule.resource });
    say(user ? t("access.user_deleted", { name: user.name }) : t("access.rule_deleted", rule));
    onDone();
  };
  return html`<${Confirm} title=${user ? t("access.delete_user", { name: user.name }) : t("access.delete_rule", rule)}
    action=${t("action.delete")} act=${drop} onClose=${onClose}>
    <p>${user ? t("access.delete_user.about", { name: user.name }) : t("access.delete_rule.about")}</p>
    ${user && user.name === data.signs_as && html`<${Own} name=${user.name} />`}<//>`;
}

function Sync({ open, onClose, onDone }) {
  const [source, setSource] = useState(open.brokers[0]);
  const act = async () => {
    await post("/access/sync", { ...open.sync, source });
    say(t("access.synced", { name: open.name }));
    onDone();
  };
  return html`<${Confirm} title=${t("access.sync.title", { name: open.name })} action=${t("access.sync")} ...${{ act, onClose }}>
    <${Select} label=${t("access.sync.source")} value=${source} onValue=${setSource} options=${open.brokers.map((one) => [one, one])} /><//>`;
}
