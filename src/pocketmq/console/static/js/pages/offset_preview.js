// What moving a group's position would do, worked out from questions alone; nothing is changed.

import { at, get } from "../api.js";
import { t } from "../text.js";

const ROUND = 8; // queues asked at once

/** move: { way, group, topic, target, at_ms, to } → { queues, again, skipped, members } */
export async function preview(move) {
  const owner = move.way === "clone" ? move.to : move.group;
  const [topic, source, members] = await Promise.all([
    get(at`/topics/${move.topic}`),
    positions(move.group, move.topic),
    get(at`/groups/${owner}/members`).then(({ items }) => items.length, notThereYet),
  ]);
  const own = move.way === "clone" ? await positions(owner, move.topic).catch(nobodyYet) : source;
  const queues = topic.queues.map((queue) => ({ ...queue, consumed: own.get(name(queue)) ?? 0 }));
  await setTargets(move, queues, source);
  const changed = queues.filter((queue) => queue.target !== null);
  const sum = (take) => changed.reduce((total, queue) => total + Math.max(0, take(queue)), 0);
  return {
    queues: changed,
    again: sum((queue) => queue.consumed - Math.max(queue.target, queue.first)),
    skipped: sum((queue) => queue.target - Math.max(queue.consumed, queue.first)),
    members,
  };
}

const name = (queue) => `${queue.broker}:${queue.queue_id}`;

async function positions(group, topic) {
  const found = new Map();
  for (let page = 1; ; page += 1) {
    const { items, total, size } = await get(at`/groups/${group}/progress`, { topic, page, size: 500 });
    for (const item of items) found.set(name(item), item.consumed);
    if (page * size >= total) return found;
  }
}

// A group that has never consumed has no position; it may get one all the same.
function nobodyYet(error) {
  if (error.status === 404) return new Map();
  throw error;
}

function notThereYet(error) {
  if (error.status === 404) return 0;
  throw error;
}

async function setTargets(move, queues, source) {
  if (move.way === "clone") {
    for (const queue of queues) queue.target = source.get(name(queue)) ?? null;
  } else if (move.way === "skip" || move.target === "end") {
    for (const queue of queues) queue.target = queue.end;
  } else if (move.target === "start") {
    for (const queue of queues) queue.target = queue.first;
  } else {
    if (move.at_ms === null) throw new Error(t("offsets.no_moment"));
    for (let n = 0; n < queues.length; n += ROUND) {
      await Promise.all(queues.slice(n, n + ROUND).map((queue) => setByTime(move, queue)));
    }
  }
}

/** The offset of the first message stored at the moment or after it; the end when there is none. */
async function setByTime(move, queue) {
  const query = { topic: move.topic, queue: name(queue), from_ms: move.at_ms, to_ms: Date.now() + 60_000, order: "oldest", limit: 1 };
  const { items } = queue.messages === 0 ? { items: [] } : await get("/messages", query);
  queue.target = items.length > 0 ? items[0].offset : queue.end;
}
