// Which page is shown is written behind the # of the address: #/topics/orders?tab=groups.

import { Cell } from "./store.js";

export const route = new Cell(read());

function read() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").filter(Boolean).map(decode);
  return { parts: parts.length > 0 ? parts : ["overview"], query: Object.fromEntries(new URLSearchParams(query)) };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // somebody typed a lone %
  }
}

window.addEventListener("hashchange", () => route.set(read()));

/** The address of a page: to("topics", "orders", { tab: "groups" }). */
export function to(...parts) {
  const query = typeof parts[parts.length - 1] === "object" ? parts.pop() : {};
  const kept = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
  return `#/${parts.map(encodeURIComponent).join("/")}${search ? `?${search}` : ""}`;
}

export function go(...parts) {
  location.hash = to(...parts);
}

/** Change the query of this page without a new entry in the history. */
export function setQuery(changes) {
  const { parts, query } = route.value;
  history.replaceState(null, "", to(...parts, { ...query, ...changes }));
  route.set(read());
}
