// The first thing that somebody who was woken at night sees: is all well, who is
// MASTER, and what is wrong in words.

import { byId, el, setAttribute, setList, setText } from "./dom.js";
import { plural, span, time } from "./format.js";
import { serverKind } from "./judge.js";

const shownProblems = 8;
const title = byId("verdict-title");
const text = byId("verdict-text");
const list = byId("verdict-list");
let whole = false; // all problems are shown

const more = el("button", { type: "button", click: () => { whole = true; showList(); } });
list.after(more);
let problems = [];

// showVerdict shows what the director says, or if it does not answer, since when.
export function showVerdict(store, link) {
  const h = store.head;
  problems = h.unwell.concat(peerProblems(store)).map((text, i) => [weightOf(text), i, text]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map((p) => p[2]);
  const down = servers(store, "bad");
  const kind = link.lost ? "lost" : problems.length > 0 ? "bad" : down > 0 ? "warn" : "good";
  setAttribute(byId("verdict"), "class", `verdict ${kind}`);
  setText(title, sentence(h, link, store, down));
  setText(text, facts(store));
  setText(byId("director"), h.director);
  document.title = `${problems.length > 0 ? `(${problems.length}) ` : ""}${h.director}: holdfast`;
  showList();
}

// weightOf puts first what keeps clients from being served.
function weightOf(text) {
  if (/ has \d+ MASTERs: /.test(text)) return 0;
  const at = ["service ", "vrrp ", "lvs", "director "].findIndex((start) => text.startsWith(start));
  return at < 0 ? 9 : at + 1;
}

// servers counts the servers of a kind. Those that nobody misses are no problem of their
// service, and yet somebody wants to know.
function servers(store, kind) {
  return store.rows("servers").filter((r) => !r.fallback && serverKind(r) === kind).length;
}

function sentence(h, link, store, down) {
  if (link.lost) return `${h.director} has not answered since ${time(new Date(link.lost + store.skew), store.now())}`;
  if (problems.length > 0) return plural(problems.length, "problem");
  return down === 0 ? "All is well" : `Everything works, ${down === 1 ? "1 server is" : `${down} servers are`} down`;
}

function showList() {
  const shown = whole ? problems : problems.slice(0, shownProblems);
  setList(list, shown, (p) => p, () => el("li"), (node, p) => setText(node, p));
  list.hidden = shown.length === 0;
  more.hidden = shown.length === problems.length;
  setText(more, `Show all ${problems.length} problems`);
}

// peerProblems says which peers do not answer, and what two directors are MASTER of.
function peerProblems(store) {
  const found = [];
  const peers = store.rows("peers");
  for (const p of peers) {
    if (p.asked && p.error) found.push(`director ${p.name} has not answered since ${time(new Date(p.since), store.now())}: ${p.error}`);
    else if (p.problems > 0) found.push(`director ${p.name} has ${plural(p.problems, "problem")}, the first: ${p.unwell[0]}`);
  }
  for (const unit of units(store)) {
    const masters = peers.filter((p) => p.units?.[unit.name] === "MASTER" && !p.error).map((p) => p.name);
    if (unit.state === "MASTER") masters.unshift(store.head.director);
    if (masters.length > 1) found.push(`${unit.name} has ${masters.length} MASTERs: ${masters.join(" and ")}`);
  }
  return found;
}

// units are the groups, and the virtual routers without a group.
export function units(store) {
  return store.rows("groups").concat(store.rows("routers").filter((r) => !r.group));
}

function facts(store) {
  const parts = [];
  const all = units(store);
  if (all.length > 0) {
    const masters = all.filter((u) => u.state === "MASTER");
    const names = masters.length > 0 && masters.length <= 4 ? ` (${masters.map((u) => u.name).join(", ")})` : "";
    parts.push(`MASTER of ${masters.length || "none"} of ${all.length}${names}`);
  }
  const services = store.rows("services").filter((v) => !v.foreign);
  if (services.length > 0) {
    const up = services.reduce((n, v) => n + v.up, 0);
    const total = services.reduce((n, v) => n + v.total, 0);
    parts.push(`${up} of ${plural(total, "server")} up in ${plural(services.length, "service")}`);
    const drained = store.rows("servers").filter((r) => r.drained).length;
    if (drained > 0) parts.push(`${drained} drained`);
  }
  if (all.length === 0 && services.length === 0) parts.push("Nothing is configured yet");
  parts.push(`running for ${span((store.now() - Date.parse(store.head.started)) / 1000)}`);
  return parts.join(" · ");
}

export function problemCount() {
  return problems.length;
}
