// Tabs, moved through with the arrow keys as screen readers expect.

import { html, useId, useRef } from "../view.js";

/** tabs: [[name, title, draw], …]; `draw` is called for the chosen one only. */
export function Tabs({ label, tabs, value, onValue }) {
  const id = useId();
  const list = useRef(null);
  const shown = tabs.filter(Boolean);
  const here = Math.max(0, shown.findIndex(([name]) => name === value));
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = (here + step + shown.length) % shown.length;
    onValue(shown[next][0]);
    list.current.children[next].focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} ref=${list} onKeyDown=${move}>
      ${shown.map(([name, title], n) => html`<button type="button" key=${name} role="tab" id=${`${id}-${name}`}
        aria-selected=${n === here} aria-controls=${n === here ? `${id}-panel` : undefined} tabindex=${n === here ? 0 : -1}
        onClick=${() => onValue(name)}>${title}</button>`)}
    </div>
    <div role="tabpanel" id=${`${id}-panel`} aria-labelledby=${`${id}-${shown[here][0]}`} class="tab-panel">${shown[here][2]()}</div>`;
}
