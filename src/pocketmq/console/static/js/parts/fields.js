// What forms are made of. Every field has a label; its help and its error are tied to it.

import { get } from "../api.js";
import { t } from "../text.js";
import { html, useEffect, useId, useRef, useState } from "../view.js";

export function Field({ label, help, wrong, whole = false, children }) {
  const id = useId();
  const about = `${id}-about`;
  return html`<div class=${`field ${whole ? "whole" : ""}`}>
    <label for=${id}>${label}</label>
    ${children({ id, "aria-describedby": help || wrong ? about : undefined, "aria-invalid": wrong ? "true" : undefined })}
    ${(help || wrong) && html`<small id=${about} class=${wrong ? "wrong" : ""}>${wrong || help}</small>`}
  </div>`;
}

export function Text({ label, help, wrong, whole, value, onValue, ...more }) {
  return html`<${Field} ...${{ label, help, wrong, whole }}>
    ${(ties) => html`<input autocomplete="off" spellcheck=${false} value=${value}
      onInput=${(event) => onValue(event.currentTarget.value)} ...${ties} ...${more} />`}
  <//>`;
}

export function Long({ label, help, wrong, whole = true, value, onValue, rows = 6, ...more }) {
  return html`<${Field} ...${{ label, help, wrong, whole }}>
    ${(ties) => html`<textarea spellcheck=${false} rows=${rows} value=${value}
      onInput=${(event) => onValue(event.currentTarget.value)} ...${ties} ...${more}></textarea>`}
  <//>`;
}

export function Select({ label, help, value, onValue, options, whole, ...more }) {
  return html`<${Field} ...${{ label, help, whole }}>
    ${(ties) => html`<select value=${value} onChange=${(event) => onValue(event.currentTarget.value)} ...${ties} ...${more}>
      ${options.map(([name, title]) => html`<option key=${name} value=${name} selected=${name === value}>${title}</option>`)}
    </select>`}
  <//>`;
}

export function Check({ label, checked, onValue, ...more }) {
  return html`<label class="check"><input type="checkbox" checked=${checked}
    onChange=${(event) => onValue(event.currentTarget.checked)} ...${more} />${label}</label>`;
}

/** One of a few, side by side. */
export function Choice({ label, value, onValue, options }) {
  const name = useId();
  return html`<fieldset class="choice"><legend class="hidden-text">${label}</legend>
    ${options.map(([option, title]) => html`<label key=${option}>
      <input type="radio" name=${name} value=${option} checked=${option === value} onChange=${() => onValue(option)} />${title}
    </label>`)}
  </fieldset>`;
}

const SUGGESTIONS = 20;

/** A name that the server knows: it suggests while one types, and anything may be typed. */
export function Name({ kind, label, value, onValue, help, all = false, ...more }) {
  const list = useId();
  const [names, setNames] = useState([]);
  useEffect(() => {
    const leaving = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const found = await get(`/${kind}`, { q: value, size: SUGGESTIONS, kind: all ? "all" : "user" }, leaving.signal);
        setNames(found.items.map((item) => item.name));
      } catch {
        setNames([]); // suggestions only; the form's own question tells what is wrong
      }
    }, 150);
    return () => {
      leaving.abort();
      clearTimeout(timer);
    };
  }, [kind, value, all]);
  return html`<${Field} ...${{ label, help }}>
    ${(ties) => html`<input autocomplete="off" spellcheck=${false} list=${list} value=${value}
        onInput=${(event) => onValue(event.currentTarget.value)} ...${ties} ...${more} />
      <datalist id=${list}>${names.map((name) => html`<option key=${name} value=${name} />`)}</datalist>`}
  <//>`;
}

/** A box that filters a list, telling its text only once the typing rests. */
export function Search({ value, onValue, label }) {
  const [text, setText] = useState(value);
  const given = useRef(value);
  useEffect(() => {
    if (given.current === value) return; // what is typed meanwhile stays
    given.current = value;
    setText(value);
  }, [value]);
  useEffect(() => {
    if (text === value) return undefined;
    const timer = setTimeout(() => {
      given.current = text;
      onValue(text);
    }, 200);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<input type="search" data-search placeholder=${label} aria-label=${label} value=${text}
    onInput=${(event) => setText(event.currentTarget.value)} />`;
}

/** Read "name = value" lines, as properties are typed. Throws with the line that has no "=". */
export function readPairs(text) {
  const pairs = {};
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const cut = line.indexOf("=");
    if (cut <= 0) throw new Error(t("pairs.wrong", { line: line.trim() }));
    pairs[line.slice(0, cut).trim()] = line.slice(cut + 1).trim();
  }
  return pairs;
}

export const writePairs = (pairs) => Object.entries(pairs).map(([name, value]) => `${name} = ${value}`).join("\n");
