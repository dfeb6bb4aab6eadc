// This director and its peers, and who is MASTER of what.

import { badge, byId, el, setAttribute, setList, setText } from "./dom.js";
import { plural, span, time } from "./format.js";
import { Grid } from "./grid.js";
import { routerKind } from "./judge.js";
import { units } from "./verdict.js";

let grid = null;
let columns = "";

export function showDirectors(store, link, matches) {
  const here = summary(store, link);
  const peers = store.rows("peers");
  setList(byId("directors-cards"), [here, ...peers], (d) => d.name, makeCard, (node, d) => updateCard(node, d, store));
  if (peers.length > 0) showUnits(store, peers, matches);
  byId("units").hidden = peers.length === 0;
}

// summary is this director as its peers see it.
function summary(store, link) {
  const all = units(store);
  const h = store.head;
  return {
    name: h.director, here: true, asked: true, error: link.lost ? "it does not answer" : "", since: link.lost ? new Date(link.lost + store.skew).toISOString() : h.started,
    problems: h.unwell.length, started: h.started, software: h.software, units: Object.fromEntries(all.map((u) => [u.name, u.state])),
    masters: all.filter((u) => u.state === "MASTER").length,
  };
}

function makeCard(d) {
  const name = d.here ? el("strong", {}, d.name) : el("a", { href: d.url }, d.name);
  return el("li", { class: "card" }, el("p", { class: "card-top" }, el("span", { class: "card-name" }, name), el("span", { class: "card-state" })),
    el("p", { class: "card-line" }), el("p", { class: "card-line muted" }));
}

function updateCard(node, d, store) {
  const now = store.now();
  const [top, line, small] = node.children;
  const state = top.lastElementChild;
  const total = Object.keys(d.units ?? {}).length;
  if (!d.asked) badge(state, "off", "not asked yet");
  else if (d.error) badge(state, "bad", "no answer");
  else if (d.problems > 0) badge(state, "bad", plural(d.problems, "problem"));
  else badge(state, "good", "well");
  if (d.error) setText(line, `${d.error}; since ${time(new Date(d.since), now)}`);
  else setText(line, d.asked ? (total === 0 ? "No virtual routers" : `MASTER of ${d.masters || "none"} of ${total}`) : "");
  setText(small, d.started ? `${d.here ? "this director · " : ""}holdfast ${d.software} · up ${span((now - Date.parse(d.started)) / 1000)}` : "");
}

// showUnits shows a column for each director. Another set of peers needs another table.
function showUnits(store, peers, matches) {
  const names = [store.head.director, ...peers.map((p) => p.name)];
  if (!grid || columns !== names.join("\n")) {
    columns = names.join("\n");
    grid = new Grid(byId("units"), {
      caption: "Who is MASTER of what",
      scrolls: true,
      empty: "No group or virtual router matches the filter.",
      columns: [
        { title: "Name", render: (cell, u) => setText(cell, u.name) },
        ...names.map((name, i) => ({ title: name, render: (cell, u) => stateOf(cell, u.states[i]) })),
      ],
    });
  }
  const rows = units(store).filter((u) => matches(u.name, u.state)).map((u) => ({
    key: u.name, name: u.name,
    states: [u.state, ...peers.map((p) => (p.error || !p.asked ? "?" : p.units?.[u.name] ?? "–"))],
  }));
  const masters = (u) => u.states.filter((s) => s === "MASTER").length;
  grid.show(rows.sort((a, b) => (masters(a) === 1) - (masters(b) === 1)));
}

function stateOf(cell, state) {
  if (state === "?" || state === "–") {
    cell.replaceChildren(el("span", { class: "muted" }, state === "?" ? "not known" : "not there"));
    return;
  }
  if (cell.firstElementChild && !cell.firstElementChild.classList.contains("badge")) cell.replaceChildren();
  badge(cell, routerKind({ state }), state);
}
