// A value that several parts of the page watch, and values that outlive the page.

import { useEffect, useState } from "./view.js";

export class Cell {
  #watchers = new Set();

  constructor(value) {
    this.value = value;
  }

  set(value) {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const watcher of [...this.#watchers]) watcher(value);
  }

  watch(watcher) {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}

/** Draw the calling component again whenever the cell changes. */
export function useCell(cell) {
  const [, draw] = useState(0);
  useEffect(() => {
    const stop = cell.watch(() => draw((times) => times + 1));
    draw((times) => times + 1); // it may have changed between drawing and watching
    return stop;
  }, [cell]);
  return cell.value;
}

// A browser may refuse to keep anything; the console then starts from its defaults each time.
export function remembered(name) {
  try {
    return localStorage.getItem(`pocketmq.${name}`);
  } catch {
    return null;
  }
}

export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(`pocketmq.${name}`);
    else localStorage.setItem(`pocketmq.${name}`, value);
  } catch {
    // Nothing to do: the choice lasts as long as the page.
  }
}
