// Make or change a user or a rule. What is typed as a password goes to the server and never comes back.

import { at, patch, post, put, useAction } from "../api.js";
import { Note, Problem } from "../parts/basics.js";
import { Dialog } from "../parts/dialog.js";
import { Check, Choice, Field, Long, Select, Text } from "../parts/fields.js";
import { say } from "../parts/toasts.js";
import { t, term } from "../text.js";
import { html, useId, useState } from "../view.js";

const ACTIONS = ["All", "Pub", "Sub", "Create", "Update", "Delete", "Get", "List"];
const KINDS = ["Topic", "Group", "Cluster", "*"];

function Form({ title, save, action, onClose, onDone, done, children }) {
  const submit = async (event) => {
    event.preventDefault();
    if ((await save.run()) === undefined) return;
    say(done());
    onClose();
    onDone();
  };
  return html`<${Dialog} ...${{ title, onClose }}>
    <form class="form" onSubmit=${submit}>
      ${children}
      <${Problem} error=${save.error} />
      <div class="row end">
        <button type="button" onClick=${onClose}>${t("action.cancel")}</button>
        <button type="submit" class="main" disabled=${save.busy}>${action}</button>
      </div>
    </form>
  <//>`;
}

/** A warning beside what would shut the console out. */
export function Own({ name }) {
  return html`<${Note} tone="warn"><span>${t("access.own.about", { name })}</span><//>`;
}

export function UserForm({ user = null, own = false, onClose, onDone }) {
  const [name, setName] = useState(user?.name ?? "");
  const [password, setPassword] = useState("");
  const [type, setType] = useState(user?.type ?? "Normal");
  const [enabled, setEnabled] = useState(user?.enabled ?? true);
  const save = useAction(() => (user
    ? patch(at`/access/users/${user.name}`, { password: password || null, type, enabled })
    : post("/access/users", { name, password, type, enabled })));
  const done = () => t(user ? "access.user_changed" : "access.user_made", { name });
  return html`<${Form} title=${user ? t("access.change_user", { name }) : t("access.new_user")}
    action=${t(user ? "action.save" : "access.new_user")} ...${{ save, onClose, onDone, done }}>
    ${own && html`<${Own} name=${name} />`}
    ${!user && html`<${Text} label=${t("access.user")} help=${t("access.user.help")} value=${name} onValue=${setName} required maxlength="255" autofocus />`}
    <${Text} label=${t("access.password")} help=${t(user ? "access.password.keep" : "access.password.help")} type="password"
      autocomplete="new-password" value=${password} onValue=${setPassword} required=${!user} maxlength="1024" />
    <${Select} label=${t("access.type")} value=${type} onValue=${setType} options=${["Normal", "Super"].map((one) => [one, term("access_type", one)])} />
    <${Check} label=${t("access.enabled")} checked=${enabled} onValue=${setEnabled} />
  <//>`;
}

export function RuleForm({ rule = null, users, onClose, onDone }) {
  const [subject, setSubject] = useState(rule?.subject ?? "");
  const [kind, setKind] = useState("Topic");
  const [name, setName] = useState("");
  const [actions, setActions] = useState(rule?.actions ?? []);
  const [decision, setDecision] = useState(rule?.decision ?? "Allow");
  const [sources, setSources] = useState((rule?.sources ?? []).join("\n"));
  const resource = rule?.resource ?? (kind === "*" ? kind : `${kind}:${name}`);
  const save = useAction(() => put("/access/rules", {
    subject, resource, actions, decision, kind: rule?.kind ?? "Custom",
    sources: sources.split("\n").map((line) => line.trim()).filter(Boolean),
  }));
  const turn = (action, on) => setActions(ACTIONS.filter((one) => (one === action ? on : actions.includes(one))));
  const done = () => t("access.rule_saved", { subject, resource });
  return html`<${Form} title=${rule ? t("access.change_rule", rule) : t("access.new_rule")}
    action=${t(rule ? "action.save" : "access.new_rule")} ...${{ save, onClose, onDone, done }}>
    ${!rule && html`
      <${Subject} users=${users} value=${subject} onValue=${setSubject} />
      <${Select} label=${t("access.resource")} value=${kind} onValue=${setKind} options=${KINDS.map((one) => [one, term("access_resource", one)])} />
      ${kind !== "*" && html`<${Text} label=${t("access.resource_name")} help=${t("access.resource_name.help")} value=${name} onValue=${setName} required maxlength="255" />`}`}
    <fieldset class="whole"><legend>${t("access.actions")}</legend><div class="row">
      ${ACTIONS.map((one) => html`<${Check} key=${one} label=${one} checked=${actions.includes(one)} onValue=${(on) => turn(one, on)} />`)}
    </div></fieldset>
    <${Choice} label=${t("access.decision")} value=${decision} onValue=${setDecision} options=${["Allow", "Deny"].map((one) => [one, term("access_decision", one)])} />
    <${Long} label=${t("access.sources")} help=${t("access.sources.help")} rows=${3} value=${sources} onValue=${setSources} />
  <//>`;
}

/** Whose rule: the users there are, and anything may be typed. */
function Subject({ users, value, onValue }) {
  const list = useId();
  return html`<${Field} label=${t("access.rule_of")} help=${t("access.rule_of.help")}>
    ${(ties) => html`<input autocomplete="off" spellcheck=${false} list=${list} value=${value} required maxlength="255" autofocus
        onInput=${(event) => onValue(event.currentTarget.value)} ...${ties} />
      <datalist id=${list}>${users.map((one) => html`<option key=${one.name} value=${one.name} />`)}</datalist>`}
  <//>`;
}
