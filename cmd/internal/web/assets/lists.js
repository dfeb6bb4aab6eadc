// The shorter tables: alerts, resources, trackers, and what happened.

import { badge, byId, el, setText } from "./dom.js";
import { plural, span, time } from "./format.js";
import { Grid } from "./grid.js";
import { resourceKind, worstFirst } from "./judge.js";

let store = null;

const since = (row) => (row.since ? span((store.now() - Date.parse(row.since)) / 1000) : "–");

const alerts = new Grid(byId("alerts-grid"), {
  caption: "Alerts in progress",
  empty: "No alert matches the filter.",
  columns: [
    { title: "Subject", render: (cell, a) => setText(cell, a.subject) },
    { title: "For", className: "number", render: (cell, a) => setText(cell, since(a)) },
    { title: "Rule", className: "middle", render: (cell, a) => setText(cell, a.rule) },
    { title: "Messages", className: "number middle", render: (cell, a) => setText(cell, String(a.sent)) },
    { title: "Taken care of by", className: "middle", render: (cell, a) => setText(cell, a.ack_comment ? `${a.acked_by}: ${a.ack_comment}` : a.acked_by || "nobody") },
    { title: "Reason", className: "words", render: (cell, a) => setText(cell, a.reason ?? "") },
  ],
});

const resources = new Grid(byId("resources-grid"), {
  caption: "Resources",
  empty: "No resource matches the filter.",
  columns: [
    { title: "Name", render: (cell, r) => setText(cell, r.name) },
    { title: "State", render: (cell, r) => badge(cell, resourceKind(r), r.state) },
    { title: "For", className: "number middle", render: (cell, r) => setText(cell, since(r)) },
    { title: "Type", className: "middle", render: (cell, r) => setText(cell, r.type) },
    { title: "Runs with", className: "middle", render: (cell, r) => setText(cell, r.group) },
    { title: "Problem", className: "words", render: (cell, r) => setText(cell, r.problem ?? "") },
  ],
});

const trackers = new Grid(byId("trackers-grid"), {
  caption: "Trackers",
  empty: "No tracker matches the filter.",
  columns: [
    { title: "Name", render: (cell, t) => setText(cell, t.name) },
    { title: "State", render: (cell, t) => badge(cell, { up: "good", down: "bad" }[t.state] ?? "off", t.state) },
    { title: "For", className: "number middle", render: (cell, t) => setText(cell, since(t)) },
    { title: "Type", className: "middle", render: (cell, t) => setText(cell, t.type) },
    { title: "Reason", className: "words", render: (cell, t) => setText(cell, t.reason ?? "") },
  ],
});

const events = new Grid(byId("events-grid"), {
  caption: "What happened, the latest first",
  empty: "Nothing that matches the filter has happened.",
  columns: [
    { title: "Time", className: "when", render: (cell, e) => setText(cell, time(new Date(e.time), store.now())) },
    { title: "Kind", className: "middle", render: (cell, e) => setText(cell, e.kind) },
    { title: "Subject", className: "middle", render: (cell, e) => setText(cell, e.subject ?? "") },
    { title: "Change", className: "middle", render: (cell, e) => setText(cell, changed(e)) },
    { title: "Reason", className: "middle words", render: (cell, e) => setText(cell, e.reason ?? "") },
    { title: "What", className: "narrow words", render: inOne },
  ],
});

const changed = (e) => (e.from && e.to ? `${e.from} to ${e.to}` : e.to ?? "");

// inOne says all of an event in one cell, for a narrow window.
function inOne(cell, e) {
  if (!cell.firstElementChild) cell.append(el("strong"), el("span", { class: "row-note" }));
  setText(cell.firstElementChild, `${e.subject ?? e.kind} ${changed(e)}`.trim());
  setText(cell.lastElementChild, e.reason ?? "");
}

export function showLists(s, matches) {
  store = s;
  alerts.show(store.rows("alerts").filter((a) => matches(a.subject, a.rule, a.reason)));
  resources.show(worstFirst(store.rows("resources").filter((r) => matches(r.name, r.group, r.type, r.state, r.problem)), resourceKind));
  trackers.show(store.rows("trackers").filter((t) => matches(t.name, t.type, t.state)));
  const shown = store.events.filter((e) => matches(e.subject, e.kind, e.from, e.to, e.reason));
  for (const e of shown) e.key = `${e.seq} ${e.kind}`;
  events.show(shown.reverse());
}

export function firstLists() {
  for (const grid of [alerts, resources, trackers, events]) grid.first();
}

// transitionWords says what fresh events mean, in one sentence for a screen reader.
export function transitionWords(fresh) {
  const told = fresh.filter((e) => ["instance", "group", "service"].includes(e.kind) && e.to);
  if (told.length === 0) return "";
  if (told.length > 3) return `${plural(told.length, "change")} of state, the latest: ${told.at(-1).subject} is ${told.at(-1).to}`;
  return told.map((e) => `${e.subject} is ${e.to}`).join(". ");
}

