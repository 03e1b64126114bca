// The table of contents: which page is drawn for which address. A page runs when it is opened.

export const GROUPS = [
  ["nav.traffic", ["overview", "topics", "groups", "clients"]],
  ["nav.messages", ["messages", "explain", "send", "filter", "dead-letters", "waiting"]],
  ["nav.care", ["doctor", "offsets", "brokers", "name-servers", "access", "settings"]],
];

const FILES = {
  overview: () => import("./pages/overview.js"),
  topics: () => import("./pages/topics.js"),
  topic: () => import("./pages/topic.js"),
  groups: () => import("./pages/groups.js"),
  group: () => import("./pages/group.js"),
  member: () => import("./pages/member.js"),
  clients: () => import("./pages/clients.js"),
  messages: () => import("./pages/messages.js"),
  message: () => import("./pages/message.js"),
  explain: () => import("./pages/explain.js"),
  send: () => import("./pages/send.js"),
  filter: () => import("./pages/filter.js"),
  offsets: () => import("./pages/offsets.js"),
  "dead-letters": () => import("./pages/dead_letters.js"),
  "dead-letter": () => import("./pages/dead_letter.js"),
  waiting: () => import("./pages/waiting.js"),
  brokers: () => import("./pages/brokers.js"),
  broker: () => import("./pages/broker.js"),
  "name-servers": () => import("./pages/name_servers.js"),
  access: () => import("./pages/access.js"),
  settings: () => import("./pages/settings.js"),
  doctor: () => import("./pages/doctor.js"),
};

const loaded = new Map();

/** Fetch the page of an address, so that it is drawn at once; a problem is told when it is drawn. */
export function begin(parts) {
  return find(parts).load?.().catch(() => {});
}

/** Which page an address means, and the entry of the list that is lit for it. */
export function find(parts) {
  const [first, ...rest] = parts;
  const inner = {
    topics: rest.length === 1 && "topic",
    groups: rest.length === 1 ? "group" : rest.length === 3 && rest[1] === "clients" && "member",
    messages: rest.length === 2 && "message",
    "dead-letters": rest.length === 1 && "dead-letter",
    brokers: rest.length === 2 && "broker",
  };
  const name = rest.length === 0 ? first : inner[first] || null;
  if (name === null || !Object.hasOwn(FILES, name)) return { load: null, page: null, section: first };
  const load = async () => {
    const { Page } = await FILES[name]();
    loaded.set(name, Page);
    return Page;
  };
  return { load, page: loaded.get(name) ?? null, section: first };
}
