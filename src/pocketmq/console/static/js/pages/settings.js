// The settings of the brokers, and this browser's own.

import { session, useAnswer } from "../api.js";
import { Answer, Definitions, Note } from "../parts/basics.js";
import { Choice } from "../parts/fields.js";
import { SettingsTable } from "../parts/settings_table.js";
import { Head } from "../parts/shell.js";
import { route, setQuery } from "../router.js";
import { useCell } from "../store.js";
import { choose, language, LANGUAGES, t } from "../text.js";
import { choice, chooseTheme } from "../theme.js";
import { html } from "../view.js";

export function Page() {
  const { query } = useCell(route);
  const brokers = useAnswer("/brokers");
  const key = (broker) => `${broker.name}/${broker.id}`;
  return html`<${Head} title=${t("page.settings")} lead=${t("settings.lead")} />
    <div class="grid-2"><${Browser} /><${Session} /></div>
    <${Answer} answer=${brokers}>${({ items }) => {
      const broker = items.find((item) => key(item) === query.broker) ?? items[0];
      if (!broker) return html`<${Note} tone="warn" title=${t("brokers.none")}><span>${t("brokers.none.next")}</span><//>`;
      return html`<section class="panel">
        <header><h2>${t("settings.of", { name: broker.name })}</h2>
          ${items.length > 1 && html`<select aria-label=${t("column.broker")} value=${key(broker)} onChange=${(event) => setQuery({ broker: event.currentTarget.value })}>
            ${items.map((item) => html`<option key=${key(item)} value=${key(item)} selected=${item === broker}>${key(item)}</option>`)}</select>`}</header>
        <${SettingsTable} key=${key(broker)} name=${broker.name} id=${broker.id} />
      </section>`;
    }}<//>`;
}

function Browser() {
  const spoken = useCell(language);
  const wanted = useCell(choice);
  return html`<section class="panel"><header><h2>${t("settings.browser")}</h2></header><div class="inside"><${Definitions} items=${[
    [t("settings.language"), html`<${Choice} label=${t("settings.language")} value=${spoken} onValue=${choose} options=${Object.entries(LANGUAGES)} />`],
    [t("settings.theme"), html`<${Choice} label=${t("settings.theme")} value=${wanted} onValue=${chooseTheme} options=${["auto", "light", "dark"].map((one) => [one, t(`theme.${one}`)])} />`],
  ]} /></div></section>`;
}

function Session() {
  const state = useCell(session);
  const who = state.auth ? `${state.user} · ${t(`role.${state.role}`)}` : t("settings.no_auth");
  return html`<section class="panel"><header><h2>${t("settings.session")}</h2></header><div class="inside"><${Definitions} items=${[
    [t("settings.who"), who],
    [t("page.name-servers"), state.name_servers.join(", ")],
    [t("column.version"), `PocketMQ ${state.version}`],
    [t("settings.api"), html`<a href="api/v1/openapi.json">api/v1/openapi.json</a>`],
  ]} /></div></section>`;
}
