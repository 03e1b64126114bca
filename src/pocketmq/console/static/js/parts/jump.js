// The box at the top: type a name and go to the topic, the group or the page that has it.

import { get } from "../api.js";
import { GROUPS } from "../pages.js";
import { go } from "../router.js";
import { t } from "../text.js";
import { html, useEffect, useState } from "../view.js";

const EACH = 6;

export function Jump() {
  const [text, setText] = useState("");
  const [found, setFound] = useState([]);
  const [here, setHere] = useState(0);
  const [open, setOpen] = useState(false);
  const wanted = text.trim();
  useEffect(() => {
    setHere(0);
    setFound(wanted === "" ? [] : pages(wanted));
    if (wanted === "") return undefined;
    const leaving = new AbortController();
    const timer = setTimeout(async () => {
      const lists = await Promise.all([names("topics", wanted, leaving), names("groups", wanted, leaving)]);
      if (!leaving.signal.aborted) setFound([...lists.flat(), ...pages(wanted), byId(wanted)].filter(Boolean));
    }, 120);
    return () => {
      leaving.abort();
      clearTimeout(timer);
    };
  }, [wanted]);
  const take = (one) => {
    setText("");
    setOpen(false);
    document.activeElement?.blur();
    go(...one.to);
  };
  const onKeyDown = (event) => {
    if (event.key === "Escape") setOpen(false);
    else if (event.key === "Enter" && found[here]) take(found[here]);
    else if (event.key === "ArrowDown") setHere(Math.min(found.length - 1, here + 1));
    else if (event.key === "ArrowUp") setHere(Math.max(0, here - 1));
    else return;
    event.preventDefault();
  };
  const shown = open && found.length > 0;
  return html`<div class="jump" role="search">
    <input type="search" data-jump autocomplete="off" spellcheck=${false} placeholder=${t("jump.hint")} aria-label=${t("jump.hint")}
      role="combobox" aria-expanded=${shown} aria-controls="jump-list" aria-autocomplete="list"
      aria-activedescendant=${shown ? `jump-${here}` : undefined} value=${text}
      onInput=${(event) => {
        setText(event.currentTarget.value);
        setOpen(true);
      }} onFocus=${() => setOpen(true)} onBlur=${() => setOpen(false)} onKeyDown=${onKeyDown} />
    ${shown && html`<ul class="jump-list" id="jump-list" role="listbox" aria-label=${t("jump.hint")}>
      ${found.map((one, n) => html`<li key=${`${one.kind}${one.name}`} id=${`jump-${n}`} role="option" aria-selected=${n === here}
        onMouseDown=${(event) => {
          event.preventDefault();
          take(one);
        }}><span>${one.name}</span><small>${one.kind}</small></li>`)}
    </ul>`}
  </div>`;
}

async function names(kind, wanted, leaving) {
  try {
    const { items } = await get(`/${kind}`, { q: wanted, size: EACH, kind: "all" }, leaving.signal);
    return items.map((item) => ({ name: item.name, kind: t(`jump.${kind}`), to: [kind, item.name] }));
  } catch {
    return []; // what is found elsewhere is still of use
  }
}

function pages(wanted) {
  const low = wanted.toLowerCase();
  return GROUPS.flatMap(([, list]) => list)
    .filter((name) => t(`page.${name}`).toLowerCase().includes(low))
    .map((name) => ({ name: t(`page.${name}`), kind: t("jump.page"), to: [name] }));
}

// Both forms of a message id are 32 hexadecimal digits; only the topic is missing.
function byId(wanted) {
  if (!/^[0-9A-Fa-f]{32,40}$/.test(wanted)) return null;
  return { name: wanted, kind: t("jump.message"), to: ["messages", { by: "id", id: wanted }] };
}
