// Short words at the edge of the page after something was done.

import { Cell, useCell } from "../store.js";
import { html } from "../view.js";

const LASTING_MS = 5000;
const toasts = new Cell([]);
let number = 0;

export function say(text, tone = "good") {
  number += 1;
  const toast = { number, text, tone };
  toasts.set([...toasts.value.slice(-3), toast]);
  setTimeout(() => toasts.set(toasts.value.filter((one) => one !== toast)), LASTING_MS);
}

export function Toasts() {
  const shown = useCell(toasts);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${shown.map((toast) => html`<div class=${`note ${toast.tone}`} key=${toast.number}>${toast.text}</div>`)}
  </div>`;
}
