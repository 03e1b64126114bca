// Make a group, or change one.

import { at, post, put, useAction } from "../api.js";
import { Problem } from "../parts/basics.js";
import { Dialog } from "../parts/dialog.js";
import { Check, Text } from "../parts/fields.js";
import { say } from "../parts/toasts.js";
import { t } from "../text.js";
import { html, useState } from "../view.js";

export function GroupForm({ group = null, onClose, onDone }) {
  const part = group?.parts[0];
  const [name, setName] = useState(group?.name ?? "");
  const [retries, setRetries] = useState(String(part?.retries_max ?? 16));
  const [timeout, setTimeoutMin] = useState(String(part?.consume_timeout_min ?? 15));
  const [enabled, setEnabled] = useState(part?.enabled ?? true);
  const [orderly, setOrderly] = useState(part?.orderly ?? false);
  const [broadcast, setBroadcast] = useState(part?.broadcast ?? true);
  const save = useAction(async () => {
    const body = { retries_max: Number(retries), consume_timeout_min: Number(timeout), enabled, orderly, broadcast };
    return group ? put(at`/groups/${group.name}`, body) : post("/groups", { name, ...body });
  });
  const submit = async (event) => {
    event.preventDefault();
    const done = await save.run();
    if (!done) return;
    say(t(group ? "group.changed" : "group.made", { name }));
    onClose();
    onDone(done);
  };
  return html`<${Dialog} title=${group ? t("group.change", { name }) : t("groups.new")} onClose=${onClose}>
    <form class="form" onSubmit=${submit}>
      ${!group && html`<${Text} label=${t("group.name")} help=${t("group.name.help")} value=${name} onValue=${setName} required maxlength="255" autofocus />`}
      <${Text} label=${t("group.retries")} help=${t("group.retries.help")} type="number" min="0" max="100" value=${retries} onValue=${setRetries} required />
      <${Text} label=${t("group.timeout")} help=${t("group.timeout.help")} type="number" min="1" max="10080" value=${timeout} onValue=${setTimeoutMin} required />
      <div>
        <${Check} label=${t("group.enabled")} checked=${enabled} onValue=${setEnabled} />
        <${Check} label=${t("group.orderly")} checked=${orderly} onValue=${setOrderly} />
        <${Check} label=${t("group.broadcast")} checked=${broadcast} onValue=${setBroadcast} />
      </div>
      <${Problem} error=${save.error} />
      <div class="row end">
        <button type="button" onClick=${onClose}>${t("action.cancel")}</button>
        <button type="submit" class="main" disabled=${save.busy}>${t(group ? "action.save" : "groups.new")}</button>
      </div>
    </form>
  <//>`;
}
