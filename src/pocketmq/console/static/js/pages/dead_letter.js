// The dead letters of one group: look, choose, send back.

import { at, mayWrite, post, usePages } from "../api.js";
import { count, fromInput } from "../format.js";
import { Badge, Empty } from "../parts/basics.js";
import { Confirm } from "../parts/dialog.js";
import { Choice, Text } from "../parts/fields.js";
import { MessageList } from "../parts/message_list.js";
import { Head } from "../parts/shell.js";
import { noteTask, TaskList } from "../parts/tasks.js";
import { say } from "../parts/toasts.js";
import { to } from "../router.js";
import { t } from "../text.js";
import { html, useState } from "../view.js";

const SIZE = 50;

export function Page({ args: [group] }) {
  const [span, setSpan] = useState({ from: "", until: "" });
  const [chosen, setChosen] = useState(new Set());
  const [asking, setAsking] = useState(null);
  const [target, setTarget] = useState("group");
  const times = { from_ms: fromInput(span.from), to_ms: fromInput(span.until) };
  const list = usePages(at`/dead-letters/${group}/messages`, { ...times, limit: SIZE });
  const pick = (id) => (event) => {
    const next = new Set(chosen);
    if (event.currentTarget.checked) next.add(id);
    else next.delete(id);
    setChosen(next);
  };
  const redrive = (what) => async () => {
    noteTask(await post(at`/dead-letters/${group}/redrive`, what));
    say(t("dead.started"));
    list.again();
    setChosen(new Set());
  };
  const all = { all: true, ...(times.from_ms && { from_ms: times.from_ms }), ...(times.to_ms && { to_ms: times.to_ms }) };
  const ready = mayWrite() && list.items?.length > 0;
  const crumb = html`<a href=${to("dead-letters")}>${t("page.dead-letters")}</a> /`;
  const actions = mayWrite() && html`
    ${chosen.size > 0 && html`<button type="button" disabled=${!ready} onClick=${() => setAsking({ ids: [...chosen] })}>${t("dead.redrive_chosen", { count: count(chosen.size) })}</button>`}
    <button type="button" class="main" disabled=${!ready} onClick=${() => setAsking(all)}>${t("dead.redrive_all")}</button>`;
  return html`<${Head} title=${group} ...${{ crumb, actions }} lead=${t("dead.group.lead")} />
    <${TaskList} about=${group} />
    <section class="panel">
      <div class="inside form cols">
        <${Text} label=${t("messages.from")} type="datetime-local" step="1" value=${span.from} onValue=${(from) => setSpan({ ...span, from })} />
        <${Text} label=${t("messages.until")} type="datetime-local" step="1" value=${span.until} onValue=${(until) => setSpan({ ...span, until })} />
      </div>
      <${MessageList} list=${list} caption=${t("page.dead-letters")}
        empty=${html`<${Empty} title=${t("dead.none_here")}><span>${t("dead.none.next")}</span><//>`}
        first=${mayWrite() ? [{ name: "pick", cell: (row) => html`<input type="checkbox" checked=${chosen.has(row.offset_id)} onChange=${pick(row.offset_id)}
          aria-label=${t("dead.choose", { id: row.id })} />` }] : []}
        last=${[
          { name: "origin", title: t("dead.origin"), cell: (row) => row.origin_topic ? html`<a href=${to("topics", row.origin_topic)}>${row.origin_topic}</a>` : "–" },
          { name: "given", title: t("column.state"), cell: (row) => row.given_back ? html`<${Badge} tone="good">${t("dead.given_back")}<//>` : "–" },
        ]} />
    </section>
    ${asking && html`<${Confirm} title=${t("dead.redrive")} action=${t("dead.redrive")} act=${redrive({ ...asking, to: target })} onClose=${() => setAsking(null)}>
      <p>${asking.all ? t("dead.redrive.about_all", { group }) : t("dead.redrive.about", { count: count(asking.ids.length), group })}</p>
      <${Choice} label=${t("dead.to")} value=${target} onValue=${setTarget} options=${["group", "topic"].map((one) => [one, t(`dead.to_${one}`)])} />
      <p class="soft">${t(`dead.to_${target}.about`)}</p><//>`}`;
}
