// Shortcuts: single keys, and g followed by a letter. Nothing is caught while somebody types.

import { Cell } from "./store.js";
import { go } from "./router.js";
import { switchTheme } from "./theme.js";

export const helpShown = new Cell(false);
export const sideOpen = new Cell(false);

const CHORD_MS = 1200;

export const PLACES = {
  o: ["overview"],
  t: ["topics"],
  c: ["groups"],
  m: ["messages"],
  y: ["explain"],
  s: ["send"],
  f: ["filter"],
  p: ["offsets"],
  x: ["dead-letters"],
  w: ["waiting"],
  l: ["clients"],
  b: ["brokers"],
  n: ["name-servers"],
  a: ["access"],
  e: ["settings"],
  d: ["doctor"],
};

let chordUntil = 0;

export function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.key === "k" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      document.querySelector("[data-jump]")?.focus();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (press(event.key)) event.preventDefault();
  });
}

function press(key) {
  const now = performance.now();
  if (now < chordUntil && key in PLACES) {
    chordUntil = 0;
    go(...PLACES[key]);
    return true;
  }
  chordUntil = key === "g" ? now + CHORD_MS : 0;
  if (key === "?") helpShown.set(true);
  else if (key === "/") focusSearch();
  else if (key === "D") switchTheme();
  else if (key === "j" || key === "k") return step(key === "j" ? 1 : -1);
  else return key === "g";
  return true;
}

function focusSearch() {
  (document.querySelector("[data-search]") ?? document.querySelector("[data-jump]"))?.focus();
}

/** Move the focus from row to row, to the first link of each. */
function step(by) {
  const links = [...document.querySelectorAll("tbody tr")].map((row) => row.querySelector("a, button, input")).filter(Boolean);
  if (links.length === 0) return false;
  const row = document.activeElement?.closest("tbody tr");
  const here = row ? links.findIndex((link) => row.contains(link)) : by > 0 ? -1 : links.length;
  links[Math.min(links.length - 1, Math.max(0, here + by))].focus();
  return true;
}

function isTyping(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName) ||
    (target.tagName === "INPUT" && !/^(checkbox|radio|button)$/.test(target.type)));
}
