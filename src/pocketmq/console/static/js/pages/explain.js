// What happened to a message: by its id, or to all that carry a key.

import { useAnswer } from "../api.js";
import { Answer, Empty } from "../parts/basics.js";
import { Choice, Name, Text } from "../parts/fields.js";
import { Head } from "../parts/shell.js";
import { route, setQuery } from "../router.js";
import { useCell } from "../store.js";
import { t } from "../text.js";
import { html, useState } from "../view.js";
import { Explanation } from "./explanation.js";

export function Page() {
  const { query } = useCell(route);
  const [form, setForm] = useState({ by: query.id ? "id" : "key", topic: query.topic ?? "", key: query.key ?? "", id: query.id ?? "", group: query.group ?? "" });
  const change = (name) => (value) => setForm((old) => ({ ...old, [name]: value }));
  const complete = query.id || (query.key && query.topic);
  const answer = useAnswer(complete ? "/explain" : null, { id: query.id, key: query.key, topic: query.topic, group: query.group });
  const submit = (event) => {
    event.preventDefault();
    const { by, topic, key, id, group } = form;
    setQuery({ topic: topic.trim(), group: group.trim(), key: by === "key" ? key.trim() : "", id: by === "id" ? id.trim() : "" });
    answer.again();
  };
  return html`<${Head} title=${t("page.explain")} lead=${t("explain.lead")} />
    <section class="panel"><form class="inside stack" onSubmit=${submit}>
      <${Choice} label=${t("messages.by")} value=${form.by} onValue=${change("by")} options=${["key", "id"].map((way) => [way, t(`messages.by_${way}`)])} />
      <div class="form cols">
        <${Name} kind="topics" all label=${t("column.topic")} value=${form.topic} onValue=${change("topic")} required=${form.by === "key"} />
        ${form.by === "key"
          ? html`<${Text} label=${t("messages.key")} value=${form.key} onValue=${change("key")} required data-search />`
          : html`<${Text} label=${t("messages.id")} value=${form.id} onValue=${change("id")} required data-search />`}
        <${Name} kind="groups" label=${t("explain.group")} value=${form.group} onValue=${change("group")} />
      </div>
      <div class="row end"><button type="submit" class="main">${t("explain.do")}</button></div>
    </form></section>
    <section class="panel"><div class="inside stack">
      ${complete ? html`<${Answer} answer=${answer}>${(data) => html`<${Explanation} explanation=${data} />`}<//>`
        : html`<${Empty} title=${t("explain.start")}><span>${t("explain.start.next")}</span><//>`}
    </div></section>`;
}
