// How numbers and times are written. The rules are those of `holdfast status`.

const prefixes = "KMGTPE";

// count has at most four digits before a decimal prefix: 9999, 10.0K, 1.5M.
export function count(n) {
  if (n === null || n === undefined) return "–";
  if (n < 10000) return String(n);
  let value = n;
  for (const prefix of prefixes) {
    value /= 1000;
    if (value < 999.95) return value.toFixed(1) + prefix;
  }
  return String(n);
}

// span is a number of seconds in at most two units: 4s, 5m 12s, 3h 10m, 12d 4h.
export function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${s % 60}s`;
  if (s < 86400) return `${Math.floor(s / 3600)}h ${Math.floor(s / 60) % 60}m`;
  return `${Math.floor(s / 86400)}d ${Math.floor(s / 3600) % 24}h`;
}

// latency is a number of milliseconds with three digits.
export function latency(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms >= 1000) return `${(ms / 1000).toPrecision(3)} s`;
  if (ms >= 100) return `${Math.round(ms)} ms`;
  return `${Number(ms.toPrecision(3))} ms`;
}

export function plural(n, one, many = `${one}s`) {
  return `${n} ${n === 1 ? one : many}`;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

// time is the time of day, with the day unless it is today.
export function time(date, now) {
  const text = clock.format(date);
  return date.toDateString() === now.toDateString() ? text : `${day.format(date)} ${text}`;
}
