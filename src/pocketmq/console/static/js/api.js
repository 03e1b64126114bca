// Questions to the console's HTTP API, and the hooks that keep an answer on the page.

import { fetchOnce } from "./early.js";
import { Cell } from "./store.js";
import { useCallback, useEffect, useRef, useState } from "./view.js";

export const session = new Cell(null);

export class Refusal extends Error {
  constructor(status, error) {
    super(error.message ?? `HTTP ${status}`);
    this.status = status;
    this.code = error.code ?? "unknown";
    this.hint = error.hint ?? null;
    this.details = error.details ?? {};
  }
}

export function address(path, query = {}) {
  const url = new URL(`api/v1${path}`, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

/** Fill a path: at`/topics/${name}` encodes what is put in. */
export function at(strings, ...values) {
  return strings.reduce((path, part, n) => path + encodeURIComponent(values[n - 1]) + part);
}

async function call(method, path, { query, body, signal } = {}, again = true) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") {
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (session.value?.csrf) headers["X-CSRF-Token"] = session.value.csrf;
  }
  let answer;
  try {
    const options = { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) };
    const { href } = address(path, query);
    answer = await (method === "GET" ? fetchOnce(href, options) : fetch(href, options));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, { code: "no_console", message: String(error.message) });
  }
  const data = await answer.json().catch(() => ({}));
  if (answer.ok) return data;
  const refusal = new Refusal(answer.status, data.error ?? {});
  if (refusal.code === "csrf" && again) {
    await openSession(); // the edge was started again, its tokens with it
    return call(method, path, { query, body, signal }, false);
  }
  if (answer.status === 401 && path !== "/login") await openSession();
  throw refusal;
}

export const get = (path, query, signal) => call("GET", path, { query, signal });
export const post = (path, body = {}) => call("POST", path, { body });
export const put = (path, body) => call("PUT", path, { body });
export const patch = (path, body) => call("PATCH", path, { body });
export const remove = (path, query) => call("DELETE", path, { query });

export async function openSession() {
  session.set(await call("GET", "/session"));
}

export const isAdmin = () => session.value?.role === "admin";
export const mayWrite = () => isAdmin() && !session.value.read_only;

const begun = new Map();

/** Begin to ask what a component will ask by useAnswer, so that it may be drawn whole at once. */
export function ahead(path, query = {}) {
  const asking = { data: null, answer: get(path, query) };
  begun.set(address(path, query).href, asking);
  return asking.answer.then((data) => { asking.data = data; }, () => {}); // the component tells the error
}

/**
 * Ask, and ask again when the question changes, every `every` milliseconds while the page is seen,
 * or on again(). A path of null asks nothing. The last answer stays while a new one is awaited.
 */
export function useAnswer(path, query = {}, { every = 0 } = {}) {
  const question = path === null ? null : address(path, query).href;
  const [state, setState] = useState(() => {
    const data = begun.get(question)?.data ?? null;
    return { data, error: null, loading: path !== null, of: data === null ? null : question };
  });
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (question === null) {
      setState({ data: null, error: null, loading: false, of: null });
      return undefined;
    }
    const leaving = new AbortController();
    let timer = 0;
    const ask = async () => {
      if (every > 0 && document.hidden) {
        timer = setTimeout(ask, every);
        return;
      }
      try {
        const early = begun.get(question);
        begun.delete(question);
        const data = await (early ? early.answer : get(path, query, leaving.signal));
        if (leaving.signal.aborted) return;
        setState({ data, error: null, loading: false, of: question });
      } catch (error) {
        if (leaving.signal.aborted) return;
        setState((last) => ({
          data: last.of === question ? last.data : null, error, loading: false, of: question,
        }));
      }
      if (every > 0 && !leaving.signal.aborted) timer = setTimeout(ask, every);
    };
    setState((last) => ({ ...last, loading: true, error: last.of === question ? last.error : null }));
    ask();
    return () => {
      leaving.abort();
      clearTimeout(timer);
    };
  }, [question, round, every]);
  const again = useCallback(() => setRound((n) => n + 1), []);
  return { ...state, again };
}

/** A list with a cursor: items of all pages fetched so far, and more(). */
export function usePages(path, query) {
  const [state, setState] = useState({ items: null, next: null, error: null, loading: false });
  const [round, setRound] = useState(0);
  const running = useRef(null);
  const question = path === null ? null : address(path, query).href;
  const load = async (cursor, before) => {
    running.current?.abort();
    const leaving = (running.current = new AbortController());
    setState({ items: cursor === null ? null : before, next: null, error: null, loading: true });
    try {
      const page = await get(path, cursor === null ? query : { ...query, cursor }, leaving.signal);
      setState({ items: [...before, ...page.items], next: page.next, error: null, loading: false });
    } catch (error) {
      if (leaving.signal.aborted) return;
      setState({ items: before, next: cursor, error, loading: false });
    }
  };
  useEffect(() => {
    if (question === null) setState({ items: null, next: null, error: null, loading: false });
    else load(null, []);
    return () => running.current?.abort();
  }, [question, round]);
  return {
    ...state,
    more: () => load(state.next, state.items ?? []),
    again: () => setRound((n) => n + 1),
  };
}

/** An action that a button starts: { run, busy, error }. run answers undefined when it failed. */
export function useAction(action) {
  const [state, setState] = useState({ busy: false, error: null });
  const run = async (...values) => {
    setState({ busy: true, error: null });
    try {
      const result = await action(...values);
      setState({ busy: false, error: null });
      return result;
    } catch (error) {
      setState({ busy: false, error });
      return undefined;
    }
  };
  return { ...state, run, forget: () => setState({ busy: false, error: null }) };
}
