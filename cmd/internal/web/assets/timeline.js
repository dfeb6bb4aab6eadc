// The states of virtual routers over time. The same is there as text: in the label of
// each picture, and in the table of events.

import { byId, el, setList, setText, svg } from "./dom.js";
import { plural, span } from "./format.js";

const windows = [["15 minutes", 900], ["1 hour", 3600], ["6 hours", 21600], ["1 day", 86400], ["7 days", 604800]];
const lanes = 8;
const width = 1000;
const height = 20;

let seconds = 3600;
let list = null;
let axis = null;
let note = null;

// build makes the choice of the window. changed is called when somebody chooses.
function build(changed) {
  const choice = el("select", { id: "window", change: (event) => { seconds = Number(event.target.value); changed(); } },
    ...windows.map(([name, s]) => el("option", { value: s, selected: s === seconds }, name)));
  list = el("ul", { class: "lanes" });
  axis = el("p", { class: "axis", "aria-hidden": "true" }, el("span"), el("span"), el("span"));
  note = el("p", { class: "note" });
  const legend = el("p", { class: "legend" }, ...[["MASTER", "master"], ["BACKUP", "backup"], ["FAULT", "fault"], ["INIT", "init"]].map(([name, kind]) =>
    el("span", {}, svg("svg", { viewBox: "0 0 12 12", class: "key", "aria-hidden": "true" }, svg("rect", { class: kind, width: 12, height: 12 })), name)));
  byId("timeline").replaceChildren(el("div", { class: "line-top" }, el("label", { for: "window" }, "Transitions of the last"), choice, legend), list, axis, note);
}

// showTimeline shows the virtual routers that changed last.
export function showTimeline(store, matches, changed) {
  if (!list) build(changed);
  const now = store.now();
  const since = now - seconds * 1000;
  const bySubject = new Map();
  for (const e of store.events) {
    if (e.kind !== "instance" || e.time < since) continue;
    if (bySubject.has(e.subject)) bySubject.get(e.subject).push(e);
    else bySubject.set(e.subject, [e]);
  }
  const routers = store.rows("routers").filter((r) => matches(r.name, r.group, r.state, r.interface, ...r.addresses));
  const newest = (r) => bySubject.get(r.name)?.at(-1).time ?? 0;
  const moved = routers.filter((r) => bySubject.has(r.name));
  const shown = (routers.length > lanes ? moved.sort((a, b) => newest(b) - newest(a)) : routers).slice(0, lanes);
  setList(list, shown, (r) => r.name, () => el("li", {}, el("span", { class: "lane-name" }), el("span", { class: "lane" })), (node, r) => {
    setText(node.firstElementChild, r.name);
    draw(node.lastElementChild, r, bySubject.get(r.name) ?? [], now, seconds);
  });
  const ends = [`${short(seconds)} ago`, `${short(seconds / 2)} ago`, "now"];
  ends.forEach((text, i) => setText(axis.children[i], text));
  const still = routers.length - moved.length;
  let text = "";
  if (moved.length > lanes) text = `${plural(moved.length, "virtual router")} changed; these are the latest ${lanes}.`;
  else if (routers.length > lanes) text = moved.length === 0 ? `None of ${plural(routers.length, "virtual router")} changed.` : `The other ${plural(still, "virtual router")} did not change.`;
  setText(note, text);
  note.hidden = text === "";
  axis.hidden = shown.length === 0;
  list.hidden = shown.length === 0;
}

const short = (s) => span(s).replace(/ 0[smh]$/, "");

// lane shows one virtual router in a window that its known transitions fill.
export function lane(node, router, events, now) {
  const oldest = events.length > 0 ? events[0].time : Date.parse(router.since);
  draw(node, router, events, now, Math.max(60, ((now - oldest) / 1000) * 1.1));
}

function draw(node, router, events, now, length) {
  const begin = now - length * 1000;
  const parts = segments(router, events, begin, now.getTime());
  const signature = parts.map((p) => `${p.state}${Math.round(((p.from - begin) / (length * 1000)) * width)}`).join(" ");
  if (node.dataset.signature === signature) return;
  node.dataset.signature = signature;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": words(router, parts, now) });
  for (const p of parts) {
    const x = ((p.from - begin) / (length * 1000)) * width;
    const w = Math.max(2, ((p.to - p.from) / (length * 1000)) * width);
    picture.append(svg("rect", { class: p.state.toLowerCase(), x: Math.min(x, width - 2).toFixed(1), y: 0, width: w.toFixed(1), height },
      svg("title", {}, `${p.state} for ${span((p.to - p.from) / 1000)}${p.reason ? `: ${p.reason}` : ""}`)));
  }
  node.replaceChildren(picture);
}

// segments are the states of a virtual router from begin to now.
function segments(router, events, begin, now) {
  const parts = [];
  let from = begin;
  let state = events.length > 0 ? events[0].from || router.state : router.state;
  let reason = "";
  if (events.length > 0 && state === "INIT") state = "unknown"; // the daemon started just then
  if (events.length === 0) {
    reason = router.why;
    from = Math.max(begin, Math.min(Date.parse(router.since), now));
    if (from > begin) parts.push({ state: "unknown", from: begin, to: from });
  }
  for (const e of events) {
    if (e.time > from) parts.push({ state, from, to: e.time, reason });
    from = Math.max(from, e.time);
    ({ to: state, reason } = e);
  }
  parts.push({ state, from, to: now, reason });
  return parts;
}

function words(router, parts, now) {
  const last = parts.at(-1);
  const changes = plural(parts.length - 1, "change");
  return `${router.name}: ${last.state} for ${span((now - last.from) / 1000)}, ${changes} shown`;
}

