// @ts-check
// Figures, times and names in plain words.

const UNITS = /** @type {const} */ ([
  [86_400, "day"],
  [3_600, "hour"],
  [60, "minute"],
  [1, "second"],
]);

/**
 * A span in its two largest units: 90 → "1 minute 30 seconds".
 * @param {number} span in seconds
 * @returns {string}
 */
export function seconds(span) {
  let rest = Math.max(0, Math.ceil(span));
  const parts = [];
  for (const [size, name] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(many(count, name));
  }
  return parts.slice(0, 2).join(" ") || "0 seconds";
}

/**
 * "1 code", "2 codes".
 * @param {number} count
 * @param {string} name
 */
export function many(count, name) {
  return `${count.toLocaleString("en")} ${name}${count === 1 ? "" : "s"}`;
}

/**
 * A time as people read it, in their own zone: today's without its day.
 * @param {string | number | Date} when
 */
export function time(when) {
  const date = new Date(when);
  const today = new Date();
  const clock = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  if (date.toDateString() === today.toDateString()) return clock;
  /** @type {Intl.DateTimeFormatOptions} */
  const day = { day: "numeric", month: "short" };
  if (date.getFullYear() !== today.getFullYear()) day.year = "numeric";
  return `${date.toLocaleDateString("en-GB", day)}, ${clock.slice(0, 5)}`;
}

/**
 * How far away a time is: "in 4 minutes", "2 hours ago".
 * @param {string | number | Date} when
 */
export function away(when) {
  const span = (new Date(when).getTime() - Date.now()) / 1000;
  const size = Math.abs(span);
  const [unit, name] = UNITS.find(([unit]) => size >= unit) ?? UNITS[3];
  const words = many(Math.floor(size / unit), name);
  if (size < 1) return "now";
  return span > 0 ? `in ${words}` : `${words} ago`;
}

/**
 * A duration as protobuf's JSON writes it, in seconds: "1.5s" → 1.5.
 * @param {string} duration
 */
export function protoSeconds(duration) {
  return Number(duration.replace(/s$/, ""));
}

/**
 * A share in percent, or a dash when there is no whole.
 * @param {number} part
 * @param {number} whole
 */
export function percent(part, whole) {
  return whole === 0 ? "–" : `${Math.round((100 * part) / whole)} %`;
}

/**
 * An amount in the operator's currency, or a dash for none.
 * @param {number} amount
 */
export function money(amount) {
  return amount === 0 ? "–" : amount.toLocaleString("en", { maximumFractionDigits: amount >= 10 ? 2 : 4 });
}
