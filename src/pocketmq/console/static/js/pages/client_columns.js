// How clients are listed: on their own page, with a topic's producers, with a group's members.

import { Badge, Moment } from "../parts/basics.js";
import { to } from "../router.js";
import { t } from "../text.js";
import { html } from "../view.js";

export function clientColumns() {
  return [
    { name: "id", title: t("column.client"), cell: (row) => html`<span class="mono wrap">${row.client_id}</span>` },
    { name: "roles", title: t("column.roles"), cell: (row) => html`<div class="row">${row.roles.map((role) => html`<${Role} key=${role.kind + role.group} role=${role} client=${row.client_id} />`)}</div>` },
    { name: "address", title: t("column.address"), low: true, cell: (row) => html`<span class="mono">${row.address}</span>` },
    { name: "language", title: t("column.language"), low: true, cell: (row) => row.language },
    { name: "version", title: t("column.version"), low: true, cell: (row) => row.version_name },
    { name: "updated", title: t("column.heard"), low: true, cell: (row) => html`<${Moment} ms=${row.updated_ms} ago />` },
  ];
}

function Role({ role, client }) {
  if (role.kind === "producer") return html`<${Badge}>${t("role.producer", { group: role.group })}<//>`;
  return html`<a href=${to("groups", role.group, "clients", client)}><${Badge} tone="info">${t("role.consumer", { group: role.group })}<//></a>`;
}
