// How brokers are listed, on the overview and on their own page.

import { bytes, lasting, percent, rate } from "../format.js";
import { Badge, Bar, Moment } from "../parts/basics.js";
import { to } from "../router.js";
import { t } from "../text.js";
import { html } from "../view.js";

const DISK_WARN = 0.75;
const DISK_BAD = 0.88;

/** RocketMQ deletes early above three quarters and refuses messages above nine tenths. */
export function diskTone(ratio) {
  if (ratio === null || ratio === undefined || ratio < DISK_WARN) return "";
  return ratio < DISK_BAD ? "warn" : "bad";
}

export function brokerColumns({ whole = false } = {}) {
  return [
    { name: "name", title: t("column.broker"), cell: (row) => html`<a class="name" href=${to("brokers", row.name, row.id)}>${row.name}</a>
      ${row.id !== 0 && html` <${Badge}>${t("broker.replica", { id: row.id })}<//>`}` },
    { name: "state", title: t("column.state"), cell: (row) => html`<${Badge} tone=${row.up ? "good" : "bad"}>${t(row.up ? "state.up" : "state.down")}<//>` },
    { name: "address", title: t("column.address"), low: true, cell: (row) => html`<span class="mono">${row.address}</span>` },
    { name: "in", title: t("figure.in"), num: true, cell: (row) => rate(row.put_tps) },
    { name: "out", title: t("figure.out"), num: true, cell: (row) => rate(row.get_tps) },
    { name: "latency", title: t("figure.latency"), num: true, low: true, cell: (row) => lasting(row.latency_ms) },
    whole && { name: "p99", title: t("column.put_p99"), num: true, low: true, cell: (row) => lasting(row.put_p99_ms) },
    whole && { name: "behind", title: t("column.behind"), num: true, low: true, cell: (row) => bytes(row.dispatch_behind_bytes) },
    { name: "disk", title: t("figure.disk"), cell: (row) => html`${percent(row.disk_ratio)}
      <${Bar} ratio=${row.disk_ratio} tone=${diskTone(row.disk_ratio)} label=${t("broker.disk", { ratio: percent(row.disk_ratio) })} />` },
    { name: "version", title: t("column.version"), low: true, cell: (row) => row.version ?? "–" },
    { name: "boot", title: t("column.boot"), low: true, cell: (row) => html`<${Moment} ms=${row.boot_ms} ago />` },
  ];
}
