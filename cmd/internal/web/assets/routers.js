// The virtual routers.

import { badge, byId, el, setText } from "./dom.js";
import { plural, span, time } from "./format.js";
import { Grid } from "./grid.js";
import { isUnwell, routerKind, worstFirst } from "./judge.js";
import { lane } from "./timeline.js";

let store = null;

const grid = new Grid(byId("routers-grid"), {
  caption: "Virtual routers",
  empty: "No virtual router matches the filter.",
  columns: [
    { title: "Name", render: (cell, r) => setText(cell, r.name) },
    { title: "State", render: (cell, r) => badge(cell, routerKind(r), r.state) },
    { title: "For", className: "number", render: (cell, r) => setText(cell, span((store.now() - Date.parse(r.since)) / 1000)) },
    { title: "MASTER", className: "middle", render: (cell, r) => setText(cell, r.state === "MASTER" ? "here" : r.master ?? "–") },
    { title: "Priority", className: "number middle", render: (cell, r) => setText(cell, priority(r)) },
    { title: "Interface", className: "wide", render: (cell, r) => setText(cell, r.interface) },
    { title: "VRID", className: "number wide", render: (cell, r) => setText(cell, String(r.vrid)) },
    { title: "Addresses", className: "wide addresses", render: (cell, r) => setText(cell, few(r.addresses)) },
  ],
  detail,
});

export function showRouters(s, matches, onlyUnwell) {
  store = s;
  const rows = store.rows("routers").filter((r) =>
    (!onlyUnwell || isUnwell(routerKind(r))) && matches(r.name, r.group, r.state, r.interface, r.device, ...r.addresses));
  grid.show(worstFirst(rows, routerKind));
}

export const firstRouters = () => grid.first();

function priority(r) {
  return r.effective === r.priority ? String(r.priority) : `${r.effective} of ${r.priority}`;
}

function few(addresses) {
  if (addresses.length === 0) return "–";
  return addresses.slice(0, 2).join(", ") + (addresses.length > 2 ? ` and ${addresses.length - 2} more` : "");
}

// detail shows what has no column, and the transitions of one virtual router.
function detail(node, r) {
  const now = store.now();
  const facts = [["Reason", r.why]];
  for (const reason of r.reasons ?? []) facts.push(["Fault", `${reason.text}, for ${span((now - Date.parse(reason.since)) / 1000)}`]);
  if (r.rival) facts.push(["Rival", `${r.rival} advertises as MASTER too`]);
  if (r.silenced) facts.push(["Not sent", r.silenced]);
  for (const wait of r.waits ?? []) facts.push(["Waits", `${wait.key}: ${wait.text ?? `until ${time(new Date(wait.until), now)}`}`]);
  facts.push(["Group", r.group], ["Addresses", r.addresses.join(", ") || "none"], ["Device", [r.interface, r.device, r.mac].filter(Boolean).join(" · ")],
    ["Protocol", `VRRP version ${r.version}, ${r.family === "ipv6" ? "IPv6" : "IPv4"}, VRID ${r.vrid}, an advert every ${r.interval_ms} ms`]);
  const events = store.events.filter((e) => e.kind === "instance" && e.subject === r.name);
  const text = JSON.stringify([facts, events.length]);
  if (node.dataset.text !== text) {
    node.dataset.text = text;
    node.replaceChildren(factList(facts), el("p", { class: "small-title" }, events.length === 0 ? "No transition is known." : plural(events.length, "transition")),
      el("div", { class: "one-lane" }), transitions(events.slice(-10).reverse(), now));
  }
  lane(node.querySelector(".one-lane"), r, events, now);
}

export function factList(facts) {
  const known = facts.filter(([, value]) => value);
  return el("dl", { class: "facts" }, ...known.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function transitions(events, now) {
  return el("ol", { class: "transitions" }, ...events.map((e) =>
    el("li", {}, el("time", { datetime: e.at }, time(new Date(e.time), now)), ` ${e.from} to ${e.to}${e.reason ? `: ${e.reason}` : ""}`)));
}
