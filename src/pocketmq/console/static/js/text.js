// The words of the page. Each language is one flat table in text/, with the same keys.

import { fetchOnce, preferredLanguage } from "./early.js";
import { Cell, remember } from "./store.js";

export const LANGUAGES = { en: "English", zh: "中文" };

let words = {};
export const language = new Cell("en");

/** The text for a key; {name} in it is replaced by values.name. An unknown key shows itself. */
export function t(key, values = {}) {
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The text for one word of a family that the server may add to, else the word itself. */
export function term(family, word) {
  if (word === null || word === undefined || word === "") return "";
  return words[`${family}.${word}`] ?? String(word);
}

export async function speak(wanted) {
  const name = wanted in LANGUAGES ? wanted : "en";
  const answer = await fetchOnce(new URL(`static/text/${name}.json`, document.baseURI).href);
  if (!answer.ok) throw new Error(`text/${name}.json answers ${answer.status}`);
  words = await answer.json();
  document.documentElement.lang = name === "zh" ? "zh-CN" : name;
  language.set(name);
}

export function choose(name) {
  remember("language", name);
  return speak(name);
}

export const preferred = () => preferredLanguage;
