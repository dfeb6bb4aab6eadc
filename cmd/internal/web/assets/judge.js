// What is well and what is not, for sorting, colours and the filter. The sentences
// about it come from the director.

// Lower ranks come first.
export const rank = { bad: 0, warn: 1, good: 2, idle: 3, off: 4 };

export function routerKind(r) {
  if (r.state === "FAULT" || r.rival || r.silenced) return "bad";
  if (r.state === "MASTER") return "good";
  return r.state === "BACKUP" ? "idle" : "off";
}

export function serverKind(s) {
  if (s.fallback) return s.present ? "warn" : "off";
  if (s.health === "down") return "bad";
  if (s.drained) return "warn";
  return s.health === "up" ? "good" : "off";
}

export function serverText(s) {
  if (s.fallback) return s.present ? "fallback in use" : "fallback";
  return s.drained ? `${s.health}, drained` : s.health;
}

export function serviceKind(v) {
  const never = v.active === "never"; // it is only checked
  if (v.foreign || (!v.wanted && !never)) return "off";
  if ((!v.present && !never) || v.health === "down") return "bad";
  if (v.on_fallback || v.up < v.total) return "warn";
  return v.health === "up" ? "good" : "off";
}

export function serviceText(v) {
  if (v.foreign) return "not ours";
  if (v.active === "never") return v.health;
  if (!v.wanted) return "not here";
  if (!v.present) return "missing";
  if (v.on_fallback) return "fallback";
  return v.health;
}

export function checkKind(c) {
  return { up: "good", down: "bad", waiting: "warn" }[c.state] ?? "off";
}

export function resourceKind(r) {
  if (r.state === "failed" || r.state === "stuck") return "bad";
  if (r.problem) return "warn";
  return { started: "good", stopped: "idle" }[r.state] ?? "off";
}

export const isUnwell = (kind) => kind === "bad" || kind === "warn";

// worstFirst sorts rows by their kind, and otherwise leaves the order of the
// configuration.
export function worstFirst(rows, kindOf) {
  return rows.map((row, i) => [rank[kindOf(row)] < 2 ? rank[kindOf(row)] : 2, i, row])
    .sort((a, b) => a[0] - b[0] || a[1] - b[1]).map((x) => x[2]);
}
