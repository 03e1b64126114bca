// The console: who is looking, which language, which page.

import { ahead, openSession, session } from "./api.js";
import { forgetEarly } from "./early.js";
import { listen } from "./keyboard.js";
import { follow, unfollow } from "./live.js";
import { begin } from "./pages.js";
import { Login } from "./pages/login.js";
import { Problem } from "./parts/basics.js";
import { Shell } from "./parts/shell.js";
import { route } from "./router.js";
import { useCell } from "./store.js";
import { language, preferred, speak, t } from "./text.js";
import { html, render, useEffect } from "./view.js";

const PATIENCE_MS = 150;

export async function start(place) {
  const opening = openSession().catch((error) => error);
  await speak(preferred());
  const failure = await opening;
  if (isInside(session.value)) await firstPage(route.value.parts);
  forgetEarly();
  listen();
  render(html`<${Console} failure=${failure} />`, place);
}

const isInside = (state) => state !== null && !(state.auth && state.user === null);

/** Have what is drawn first at hand, so that it is drawn once and whole; a slow cluster is not waited for. */
async function firstPage(parts) {
  const asking = parts.join("/") === "overview" ? ahead("/overview") : undefined;
  const patience = new Promise((over) => setTimeout(over, PATIENCE_MS));
  await Promise.race([Promise.all([begin(parts), asking]), patience]);
}

function Console({ failure }) {
  const state = useCell(session);
  useCell(language);
  const inside = isInside(state);
  useEffect(() => {
    if (!inside) return undefined;
    follow();
    return unfollow;
  }, [inside]);
  if (state === null) {
    return html`<main class="boot-problem"><h1>${t("start.failed")}</h1>
      <${Problem} error=${failure} again=${() => location.reload()} /></main>`;
  }
  return inside ? html`<${Shell} />` : html`<${Login} />`;
}
