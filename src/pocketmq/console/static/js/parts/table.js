// Tables, their pages, and the heads that sort them.

import { count } from "../format.js";
import { t } from "../text.js";
import { html } from "../view.js";
import { Loading } from "./basics.js";

/**
 * columns: [{ name, title, cell(row), num, low, sort }]; `low` columns are left out on a phone and
 * `sort` is the word the server sorts by. `empty` stands in place of a table without rows.
 */
export function Table({ caption, columns, rows, rowKey, empty, sort, onSort, tall = false }) {
  if (rows === null || rows === undefined) return html`<${Loading} />`;
  if (rows.length === 0 && empty) return empty;
  const shown = columns.filter(Boolean);
  return html`<div class=${`table-frame ${tall ? "tall" : ""}`} tabindex="0" role="region" aria-label=${caption}>
    <table>
      <caption class="hidden-text">${caption}</caption>
      <thead><tr>${shown.map((column) => html`<${Head} key=${column.name} ...${{ column, sort, onSort }} />`)}</tr></thead>
      <tbody>
        ${rows.map((row, n) => html`<tr key=${rowKey ? rowKey(row) : n}>
          ${shown.map((column) => html`<td key=${column.name} class=${looks(column)}>${column.cell(row)}</td>`)}
        </tr>`)}
      </tbody>
    </table>
  </div>`;
}

const looks = (column) => `${column.num ? "num" : ""} ${column.low ? "low" : ""}`.trim() || undefined;

function Head({ column, sort, onSort }) {
  if (!column.sort || !onSort) {
    return html`<th scope="col" class=${looks(column)}>${column.title ?? html`<span class="hidden-text">${t("table.actions")}</span>`}</th>`;
  }
  const up = sort === column.sort;
  const down = sort === `-${column.sort}`;
  return html`<th scope="col" class=${looks(column)} aria-sort=${up ? "ascending" : down ? "descending" : "none"}>
    <button type="button" onClick=${() => onSort(up ? `-${column.sort}` : column.sort)}>
      ${column.title}<span aria-hidden="true">${up ? " ↑" : down ? " ↓" : ""}</span>
    </button>
  </th>`;
}

/** Buttons below a list that the server cuts into pages. */
export function Pager({ data, onPage }) {
  if (!data || data.total <= data.size) {
    return data && data.total > 0 ? html`<div class="pager">${t("pager.all", { total: count(data.total) })}</div>` : null;
  }
  const first = (data.page - 1) * data.size + 1;
  const last = Math.min(data.total, data.page * data.size);
  return html`<nav class="pager" aria-label=${t("pager.name")}>
    <span>${t("pager.range", { first: count(first), last: count(last), total: count(data.total) })}</span>
    <button type="button" disabled=${data.page <= 1} onClick=${() => onPage(data.page - 1)}>${t("pager.before")}</button>
    <button type="button" disabled=${last >= data.total} onClick=${() => onPage(data.page + 1)}>${t("pager.after")}</button>
  </nav>`;
}

/** A button below a list that has a cursor. */
export function More({ list }) {
  if (!list.next) return list.items?.length > 0 ? html`<div class="pager">${t("pager.all", { total: count(list.items.length) })}</div>` : null;
  return html`<div class="pager">
    <span>${t("pager.so_far", { total: count(list.items.length) })}</span>
    <button type="button" disabled=${list.loading} onClick=${list.more}>${t("pager.more")}</button>
  </div>`;
}

/** Cut a list that is known here into pages of the browser's own, in the server's shape. */
export function cut(rows, page, size) {
  const last = Math.max(1, Math.ceil(rows.length / size));
  const here = Math.min(Math.max(1, page), last);
  return { items: rows.slice((here - 1) * size, here * size), total: rows.length, page: here, size };
}
