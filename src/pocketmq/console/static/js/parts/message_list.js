// Messages in a table, for every page that finds some.

import { bytes, count } from "../format.js";
import { to } from "../router.js";
import { t } from "../text.js";
import { html } from "../view.js";
import { Empty, Moment, Problem } from "./basics.js";
import { More, Table } from "./table.js";

export function messageLink(message) {
  return to("messages", message.topic, message.offset_id || message.id);
}

/** `list` comes from usePages; `first` and `last` are columns of the page's own around the usual ones. */
export function MessageList({ list, caption, first = [], last = [], empty, link = messageLink }) {
  return html`
    <${Problem} error=${list.error} again=${list.items?.length > 0 ? list.more : list.again} />
    ${(list.items !== null || list.loading) && html`
      <${Table} caption=${caption} rows=${list.items} rowKey=${(row) => row.offset_id || `${row.broker}${row.log_offset}`}
        empty=${list.error ? html`<${Empty} title=${t("messages.not_asked")} />` : empty}
        columns=${[
          ...first,
          { name: "stored", title: t("column.stored"), cell: (row) => html`<a class="num-left" href=${link(row)}><${Moment} ms=${row.stored_ms} /></a>` },
          { name: "keys", title: t("column.keys"), cell: (row) => html`<span class="wrap">${row.keys.join(" ") || "–"}</span>` },
          { name: "tag", title: t("column.tag"), cell: (row) => row.tag || "–" },
          { name: "preview", title: t("column.body"), cell: (row) => html`<code class="wrap">${row.preview ? shorten(row.preview) : t("messages.binary")}</code>` },
          { name: "size", title: t("column.size"), num: true, low: true, cell: (row) => bytes(row.size) },
          { name: "queue", title: t("column.queue"), low: true, cell: (row) => `${row.broker ?? ""}:${row.queue_id}` },
          { name: "offset", title: t("column.offset"), num: true, low: true, cell: (row) => count(row.offset) },
          ...last,
        ]} />
      <${More} list=${list} />`}`;
}

const SHOWN = 90;

const shorten = (text) => (text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);
