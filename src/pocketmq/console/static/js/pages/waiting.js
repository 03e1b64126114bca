// Messages that nobody can receive yet: delayed by level, timed, and halves of transactions.

import { at, useAnswer, usePages } from "../api.js";
import { count, lasting } from "../format.js";
import { Answer, Empty, Figures, Moment } from "../parts/basics.js";
import { MessageList } from "../parts/message_list.js";
import { Head } from "../parts/shell.js";
import { Table } from "../parts/table.js";
import { Tabs } from "../parts/tabs.js";
import { route, setQuery, to } from "../router.js";
import { useCell } from "../store.js";
import { t } from "../text.js";
import { html } from "../view.js";

const SIZE = 32;

export function Page() {
  const { query } = useCell(route);
  const answer = useAnswer("/waiting", {}, { every: 3000 });
  return html`<${Head} title=${t("page.waiting")} lead=${t("waiting.lead")} />
    <${Answer} answer=${answer}>${(data) => html`
      <${Figures} items=${[
        data.levels && { name: t("waiting.levels"), value: count(data.levels.reduce((sum, level) => sum + level.messages, 0)) },
        data.timer && { name: t("waiting.timer"), value: count(data.timer.messages) },
        data.timer && { name: t("waiting.behind"), value: lasting(data.timer.behind_ms), tone: data.timer.behind_ms > 5000 ? "warn" : "" },
        data.half && { name: t("waiting.half"), value: count(data.half.messages) },
      ]} />
      <section class="panel">
        <${Tabs} label=${t("page.waiting")} value=${query.tab ?? "levels"} onValue=${(tab) => setQuery({ tab, level: "" })} tabs=${[
          ["levels", t("waiting.levels"), () => html`<${Levels} levels=${data.levels} level=${query.level} />`],
          ["timer", t("waiting.timer"), () => html`<${Waiting} kind="timer" path="/waiting/timer" />`],
          ["half", t("waiting.half"), () => html`<${Waiting} kind="half" path="/waiting/half" />`],
        ]} />
      </section>`}<//>`;
}

function Levels({ levels, level }) {
  if (level) return html`<${Waiting} kind="level" path=${at`/waiting/levels/${level}`} title=${t("waiting.level", { level })} />`;
  const rows = (levels ?? []).filter((row) => row.messages > 0);
  return html`<${Table} caption=${t("waiting.levels")} rows=${rows} rowKey=${(row) => row.level}
    empty=${html`<${Empty} title=${t("waiting.none_levels")}><span>${t("waiting.none_levels.next")}</span><//>`}
    columns=${[
      { name: "level", title: t("send.level"), cell: (row) => html`<a href=${to("waiting", { tab: "levels", level: row.level })}>${row.level}</a>` },
      { name: "delay", title: t("column.delay"), cell: (row) => lasting(row.delay_ms) },
      { name: "messages", title: t("column.messages"), num: true, cell: (row) => count(row.messages) },
    ]} />`;
}

function Waiting({ kind, path, title = t(`waiting.${kind}`) }) {
  const list = usePages(path, { limit: SIZE });
  return html`
    ${kind === "level" && html`<div class="inside row"><button type="button" class="quiet" onClick=${() => setQuery({ level: "" })}>← ${t("waiting.levels")}</button><strong>${title}</strong></div>`}
    <${MessageList} list=${list} caption=${title}
      empty=${html`<${Empty} title=${t(`waiting.none_${kind}`)}><span>${t(`waiting.none_${kind}.next`)}</span><//>`}
      first=${kind === "half" ? [] : [{ name: "due", title: t("waiting.due"), cell: (row) => html`<${Moment} ms=${row.due_ms} /> <span class="soft small"><${Moment} ms=${row.due_ms} ago /></span>` }]}
      last=${[
        { name: "origin", title: t("waiting.for"), cell: (row) => row.origin?.topic ? html`<a href=${to("topics", row.origin.topic)}>${row.origin.topic}</a>` : "–" },
        ...(kind === "half" ? [
          { name: "checks", title: t("waiting.checks"), num: true, cell: (row) => count(row.checks) },
          { name: "producer", title: t("waiting.producer"), cell: (row) => row.producer_group ?? "–" },
        ] : []),
      ]} />`;
}
