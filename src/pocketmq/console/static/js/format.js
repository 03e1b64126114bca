// Numbers, sizes, lengths of time and moments, in the words of the chosen language. Both languages write
// numbers alike, so that Intl is not needed; to start it takes as long as to draw a whole page.

import { language, t } from "./text.js";

export const NOTHING = "–";

const known = (value) => typeof value === "number" && Number.isFinite(value);

/** With commas, and at most so many digits behind the point. */
function number(value, digits = 0) {
  const [whole, fraction = ""] = value.toFixed(digits).split(".");
  const kept = fraction.replace(/0+$/, "");
  return `${whole.replace(/\B(?=(\d{3})+$)/g, ",").replace(/^-0$/, "0")}${kept && `.${kept}`}`;
}

/** A count in full: 12,345. */
export function count(value) {
  return known(value) ? number(value) : NOTHING;
}

const LARGE = {
  en: [["T", 1e12, 1e9], ["B", 1e9, 1e6], ["M", 1e6, 1e3], ["K", 1e3, 1]],
  zh: [["万亿", 1e12, 1e8], ["亿", 1e8, 1e4], ["万", 1e4, 1]],
};

/** A count in few characters: 12.3K. */
export function brief(value) {
  if (!known(value)) return NOTHING;
  if (Math.abs(value) < 10000) return number(value, value % 1 && value < 10 ? 1 : 0);
  // 999,960 would be written as 1000K, so it is 1M.
  const [unit, size] = LARGE[language.value].find(([, size, next]) => Math.abs(value) >= size - next / 20);
  return `${number(value / size, 1)}${unit}`;
}

/** Messages in a second. */
export function rate(value) {
  return known(value) ? `${brief(value)}/s` : NOTHING;
}

export function percent(ratio) {
  return known(ratio) ? `${number(ratio * 100, ratio < 0.1 ? 1 : 0)}%` : NOTHING;
}

export function bytes(value) {
  if (!known(value)) return NOTHING;
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  let size = value;
  while (Math.abs(size) >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${number(size, unit > 0 && size < 10 ? 1 : 0)} ${units[unit]}`;
}

/** A length of time: 340 µs, 12 ms, 3.5 s, 4 min 10 s, 2 d 3 h. */
export function lasting(ms) {
  if (!known(ms)) return NOTHING;
  if (ms < 0) return `-${lasting(-ms)}`;
  if (ms > 0 && ms < 1) return `${count(ms * 1000)} µs`;
  if (ms < 1000) return `${number(ms, ms < 10 ? 1 : 0)} ms`;
  if (ms < 60_000) return `${number(ms / 1000, ms < 10_000 ? 1 : 0)} s`;
  const parts = [];
  let left = Math.round(ms / 1000);
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    if (left >= size && parts.length < 2) {
      parts.push(`${Math.floor(left / size)} ${unit}`);
      left %= size;
    } else if (parts.length > 0) {
      break;
    }
  }
  return parts.join(" ");
}

const isMoment = (ms) => known(ms) && ms > 0;

const two = (value) => String(value).padStart(2, "0");

/** A moment of the local clock, to the millisecond: 2026-11-21 16:04:05.678. */
export function moment(ms) {
  if (!isMoment(ms)) return NOTHING;
  const date = new Date(ms);
  return `${day(date)} ${clock(date)}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** A moment to the second, without the date when that is today. */
export function shortMoment(ms) {
  if (!isMoment(ms)) return NOTHING;
  const date = new Date(ms);
  return date.toDateString() === new Date().toDateString() ? clock(date) : `${day(date)} ${clock(date)}`;
}

export function clock(date) {
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

function day(date) {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** How long ago, or in how long. */
export function relative(ms, now = Date.now()) {
  if (!isMoment(ms)) return NOTHING;
  const distance = Math.round((ms - now) / 1000);
  if (Math.abs(distance) < 2) return t("time.now");
  const [unit, size] = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]].find(([, size]) => Math.abs(distance) >= size);
  const values = { count: Math.trunc(Math.abs(distance) / size) };
  return distance < 0 ? t(`time.ago.${unit}`, values) : t(`time.in.${unit}`, values);
}

/** For <input type=datetime-local>: the local time without a zone. */
export function toInput(ms) {
  const date = new Date(ms);
  return `${day(date)}T${clock(date)}`;
}

export function fromInput(text) {
  const ms = new Date(text).getTime();
  return Number.isFinite(ms) ? ms : null;
}
