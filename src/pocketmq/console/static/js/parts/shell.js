// The frame: list of pages, search, state of the connection, and the page itself.

import { isAdmin, mayWrite, post, openSession, session } from "../api.js";
import { count } from "../format.js";
import { helpShown, PLACES, sideOpen } from "../keyboard.js";
import { overview, problem, stream } from "../live.js";
import { find, GROUPS } from "../pages.js";
import { route, to } from "../router.js";
import { useCell } from "../store.js";
import { choose, language, LANGUAGES, t } from "../text.js";
import { switchTheme, theme } from "../theme.js";
import { html, useEffect, useRef, useState } from "../view.js";
import { Loading, Note, Problem } from "./basics.js";
import { Dialog } from "./dialog.js";
import { Jump } from "./jump.js";
import { Toasts } from "./toasts.js";

export function Shell() {
  const { parts } = useCell(route);
  const page = useRef(null);
  const open = useCell(sideOpen);
  useEffect(() => sideOpen.set(false), [parts.join("/")]);
  return html`<div class="shell">
    <a class="skip" href=${location.hash} onClick=${(event) => {
      event.preventDefault();
      page.current.focus();
    }}>${t("shell.skip")}</a>
    <div class="brand">
      <button type="button" class="quiet menu-button" aria-expanded=${open} aria-controls="pages" aria-label=${t("shell.menu")}
        onClick=${() => sideOpen.set(!open)}>☰</button>
      <a href=${to("overview")}><img src="static/icon.svg" alt="" /><span>PocketMQ</span></a>
    </div>
    <${Top} />
    <${Side} open=${open} section=${find(parts).section} />
    ${open && html`<div class="scrim" onClick=${() => sideOpen.set(false)}></div>`}
    <main class="page stack" ref=${page} tabindex="-1"><${Page} parts=${parts} /></main>
    <${Toasts} />
    <${Help} />
  </div>`;
}

function Page({ parts }) {
  const broken = useCell(problem);
  const { load, page } = find(parts);
  const key = parts.join("/");
  const [shown, setShown] = useState({ of: page ? key : null, draw: page, error: null });
  useEffect(() => {
    let wanted = true;
    scrollTo(0, 0);
    if (load === null) {
      setShown({ of: key, draw: null, error: new Error(t("page.none", { address: location.hash })) });
      return undefined;
    }
    load().then(
      (draw) => wanted && setShown({ of: key, draw, error: null }),
      (error) => wanted && setShown({ of: key, draw: null, error }),
    );
    return () => {
      wanted = false;
    };
  }, [key]);
  const warning = broken && html`<${Note} tone="bad" title=${t("problem.cluster")} live>
    <span>${broken.message}</span><span class="soft">${t("problem.cluster.next")}</span><//>`;
  if (shown.of !== key) return html`${warning}<${Loading} />`;
  if (shown.error) return html`<${Head} title=${t("page.none.title")} /><${Problem} error=${shown.error} again=${() => location.reload()} />`;
  return html`${warning}<${shown.draw} key=${key} args=${parts.slice(1)} />`;
}

/** Set the title of the tab and draw the head of the page. */
export function Head({ title, crumb, badges, actions, lead }) {
  useEffect(() => {
    document.title = `${title} · PocketMQ`;
  }, [title]);
  return html`<div>
    <div class="head">
      ${crumb && html`<div class="crumb">${crumb}</div>`}
      <h1>${title}</h1>${badges}<div class="grow"></div>
      ${actions && html`<div class="row">${actions}</div>`}
    </div>
    ${lead && html`<p class="lead">${lead}</p>`}
  </div>`;
}

function Top() {
  const state = useCell(session);
  const dark = useCell(theme) === "dark";
  const spoken = useCell(language);
  const other = Object.keys(LANGUAGES).find((name) => name !== spoken);
  const leave = async () => {
    await post("/logout").finally(openSession);
  };
  return html`<header class="topbar">
    <${Jump} />
    <div class="grow"></div>
    <${Live} />
    <button type="button" class="quiet" lang=${other} onClick=${() => choose(other)}>${LANGUAGES[other]}</button>
    <button type="button" class="quiet" aria-label=${t(dark ? "shell.light" : "shell.dark")} title=${t(dark ? "shell.light" : "shell.dark")}
      onClick=${switchTheme}>${dark ? "☀" : "☾"}</button>
    <button type="button" class="quiet wide" aria-label=${t("shell.keys")} title=${t("shell.keys")} onClick=${() => helpShown.set(true)}>?</button>
    ${state.user && html`<span class="soft wide">${state.user}${mayWrite() ? "" : ` · ${t("shell.viewer")}`}</span>
      <button type="button" class="quiet" onClick=${leave}>${t("shell.leave")}</button>`}
  </header>`;
}

const TONES = { live: "good", opening: "warn", lost: "bad", closed: "" };

function Live() {
  const state = useCell(stream);
  const broken = useCell(problem) !== null;
  const tone = broken ? "bad" : TONES[state];
  const words = broken ? t("live.problem") : t(`live.${state}`);
  return html`<span class="live" title=${t("live.title")} role="status"><i class=${`dot ${tone}`}></i><span class="wide">${words}</span>
    <span class="hidden-text">${words}</span></span>`;
}

function Side({ open, section }) {
  const dead = useCell(overview)?.totals.dead_letters_waiting;
  return html`<nav id="pages" class=${`side ${open ? "open" : ""}`} aria-label=${t("shell.pages")}>
    ${GROUPS.map(([title, names]) => html`<h2 key=${title} id=${title}>${t(title)}</h2>
      <ul key=${`${title}-list`} aria-labelledby=${title}>
        ${names.filter((name) => name !== "access" || isAdmin()).map((name) => html`<li key=${name}>
          <a href=${to(name)} aria-current=${name === section ? "page" : undefined}>${t(`page.${name}`)}
            ${name === "dead-letters" && dead > 0 && html`<span class="badge bad">${count(dead)}</span>`}</a></li>`)}
      </ul>`)}
  </nav>`;
}

function Help() {
  if (!useCell(helpShown)) return null;
  const keys = [
    ["?", t("keys.help")],
    ["/", t("keys.search")],
    ["Ctrl K", t("keys.jump")],
    ["j  k", t("keys.rows")],
    ["D", t("keys.theme")],
    ["Esc", t("keys.escape")],
    ...Object.entries(PLACES).map(([key, [name]]) => [`g ${key}`, t(`page.${name}`)]),
  ];
  return html`<${Dialog} title=${t("shell.keys")} onClose=${() => helpShown.set(false)}>
    <dl class="definitions">${keys.map(([key, words]) => html`<dt key=${`k${key}`}>${key.split(" ").filter(Boolean).map((one) => html`<kbd key=${one}>${one}</kbd> `)}</dt><dd key=${`w${key}`}>${words}</dd>`)}</dl>
    <div class="row end"><button type="button" class="main" onClick=${() => helpShown.set(false)}>${t("action.close")}</button></div>
  <//>`;
}
