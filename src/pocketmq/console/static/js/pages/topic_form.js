// Make a topic, or change one.

import { at, post, put, useAction } from "../api.js";
import { Problem } from "../parts/basics.js";
import { Dialog } from "../parts/dialog.js";
import { Select, Text } from "../parts/fields.js";
import { say } from "../parts/toasts.js";
import { t, term } from "../text.js";
import { html, useState } from "../view.js";

const TYPES = ["", "NORMAL", "FIFO", "DELAY", "TRANSACTION", "MIXED"];
const PERMISSIONS = ["both", "read", "write", "none"];
const KINDS_WITH_TYPE = ["normal", "fifo", "delay", "transaction", "mixed"];

export function TopicForm({ topic = null, onClose, onDone }) {
  const part = topic?.parts[0];
  const [name, setName] = useState(topic?.name ?? "");
  const [queues, setQueues] = useState(String(part?.write_queues ?? 8));
  const [permission, setPermission] = useState(part?.permission ?? "both");
  const [type, setType] = useState(topic && KINDS_WITH_TYPE.includes(topic.kind) ? topic.kind.toUpperCase() : "");
  const save = useAction(async () => {
    const body = { queues: Number(queues), permission, ...(type ? { message_type: type } : {}) };
    return topic ? put(at`/topics/${topic.name}`, body) : post("/topics", { name, ...body });
  });
  const submit = async (event) => {
    event.preventDefault();
    const done = await save.run();
    if (!done) return;
    say(t(topic ? "topic.changed" : "topic.made", { name }));
    onClose();
    onDone(done);
  };
  return html`<${Dialog} title=${topic ? t("topic.change", { name }) : t("topics.new")} onClose=${onClose}>
    <form class="form" onSubmit=${submit}>
      ${!topic && html`<${Text} label=${t("topic.name")} help=${t("topic.name.help")} value=${name} onValue=${setName} required maxlength="127" autofocus />`}
      <${Text} label=${t("topic.queues")} help=${t("topic.queues.help")} type="number" min="1" max="1024" value=${queues} onValue=${setQueues} required />
      <${Select} label=${t("topic.type")} help=${t("topic.type.help")} value=${type} onValue=${setType}
        options=${TYPES.map((one) => [one, one === "" ? t("topic.type.any") : term("kind", one.toLowerCase())])} />
      <${Select} label=${t("column.permission")} value=${permission} onValue=${setPermission} options=${PERMISSIONS.map((one) => [one, term("permission", one)])} />
      <${Problem} error=${save.error} />
      <div class="row end">
        <button type="button" onClick=${onClose}>${t("action.cancel")}</button>
        <button type="submit" class="main" disabled=${save.busy}>${t(topic ? "action.save" : "topics.new")}</button>
      </div>
    </form>
  <//>`;
}
