// The login, for clusters where users are asked for.

import { post, session, useAction } from "../api.js";
import { Problem } from "../parts/basics.js";
import { Text } from "../parts/fields.js";
import { t } from "../text.js";
import { html, useEffect, useState } from "../view.js";

export function Login() {
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const login = useAction(async () => session.set(await post("/login", { user, password })));
  useEffect(() => {
    document.title = `${t("login.title")} · PocketMQ`;
  }, []);
  const submit = (event) => {
    event.preventDefault();
    login.run();
  };
  return html`<main class="login panel">
    <h1>${t("login.title")}</h1>
    <form onSubmit=${submit}>
      <${Text} label=${t("login.user")} value=${user} onValue=${setUser} autocomplete="username" required autofocus />
      <${Text} label=${t("login.password")} value=${password} onValue=${setPassword} type="password" autocomplete="current-password" required />
      <${Problem} error=${login.error} />
      <button type="submit" class="main" disabled=${login.busy}>${t("login.enter")}</button>
    </form>
  </main>`;
}
