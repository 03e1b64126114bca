// The console: who is looking, which language, which page.

import { openSession, session } from "./api.js";
import { listen } from "./keyboard.js";
import { follow, unfollow } from "./live.js";
import { Login } from "./pages/login.js";
import { Problem } from "./parts/basics.js";
import { Shell } from "./parts/shell.js";
import { useCell } from "./store.js";
import { language, preferred, speak, t } from "./text.js";
import { html, render, useEffect } from "./view.js";

export async function start(place) {
  const opening = openSession().catch((error) => error);
  await speak(preferred());
  const failure = await opening;
  listen();
  render(html`<${Console} failure=${failure} />`, place);
}

export const loggedOut = (state) => state.auth && state.user === null;

function Console({ failure }) {
  const state = useCell(session);
  useCell(language);
  const inside = state !== null && !loggedOut(state);
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
