// The IPVS table: virtual services, and below each its servers.

import { badge, byId, el, setText } from "./dom.js";
import { count, span } from "./format.js";
import { Grid } from "./grid.js";
import { isUnwell, serverKind, serverText, serviceKind, serviceText, worstFirst } from "./judge.js";
import { samples } from "./store.js";
import { spark } from "./spark.js";

// With more servers than this, only services that are not well are open at first, and
// not more than openUnwell of them.
const openAll = 24;
const openUnwell = 3;

let store = null;
let servers = new Map(); // key of the service → its servers
let open = null; // keys of the services that are open at first

// both shows a service and a server in the same way.
const both = (title, className, render) => ({ title, className, render, child: render });

const grid = new Grid(byId("services-grid"), {
  caption: "Virtual services and their servers",
  empty: "No virtual service matches the filter.",
  columns: [
    { title: "Name", render: (cell, v) => named(cell, v.name || v.address, serviceNote(v)), child: (cell, r) => named(cell, r.name, serverNote(r)) },
    { title: "Address", className: "middle", render: (cell, v) => setText(cell, v.address), child: (cell, r) => setText(cell, `${r.address} ${r.forward}`.trim()) },
    { title: "Health", render: (cell, v) => badge(cell, serviceKind(v), serviceText(v)), child: (cell, r) => badge(cell, serverKind(r), serverText(r)) },
    { title: "Up", className: "number", render: (cell, v) => setText(cell, v.foreign ? "" : `${v.up} of ${v.total}`), child: () => {} },
    { title: "Weight", className: "number middle", render: (cell, v) => setText(cell, v.foreign || v.active === "never" ? "" : String(v.weight_up)), child: (cell, r) => setText(cell, weight(r)) },
    both("Active", "number", (cell, row) => withSpark(cell, count(load(row)?.[0]), store.history.get(row.key)?.active)),
    both("Inactive", "number wide", (cell, row) => setText(cell, count(load(row)?.[1]))),
    both("New/s", "number middle", (cell, row) => withSpark(cell, rate(row, 3), load(row)?.length > 3 ? store.history.get(row.key).rate : null)),
    both("In B/s", "number wide", (cell, row) => setText(cell, rate(row, 5))),
    both("Out B/s", "number wide", (cell, row) => setText(cell, rate(row, 6))),
  ],
  opened: (v) => open.has(v.key),
  children: (v) => servers.get(v.key) ?? [],
});

export function showServices(s, matches, onlyUnwell) {
  store = s;
  group();
  const rows = worstFirst(store.rows("services").filter((v) =>
    (!onlyUnwell || isUnwell(serviceKind(v))) && (matches(v.name, v.address, v.scheduler, serviceText(v)) || servers.get(v.key)?.some((r) => matches(v.name, r.name, r.address, r.forward, serverText(r))))), serviceKind);
  open ??= firstOpen(rows);
  grid.show(rows);
  const note = byId("services-note");
  setText(note, notes());
  note.hidden = note.textContent === "";
}

export const firstServices = () => grid.first();

function notes() {
  const h = store.head;
  const parts = [];
  if (h.sync) parts.push(`Connections are synchronized on ${h.sync.interface}, id ${h.sync.id}: ${h.sync.roles.join(" and ") || "stopped"}.`);
  if (h.rates_note) parts.push(`Rates are not measured: ${h.rates_note}.`);
  return parts.join(" ");
}

function group() {
  servers = new Map();
  for (const r of store.rows("servers")) {
    if (servers.has(r.service)) servers.get(r.service).push(r);
    else servers.set(r.service, [r]);
  }
}

function firstOpen(rows) {
  const few = store.rows("servers").length <= openAll;
  const first = few ? rows : rows.filter((v) => isUnwell(serviceKind(v))).slice(0, openUnwell);
  return new Set(first.map((v) => v.key));
}

const load = (row) => store.row("load", row.key);

// rate is one of the rates; it is not 0 if the kernel does not measure it.
function rate(row, at) {
  const numbers = load(row);
  if (!numbers) return "–";
  return numbers.length > at ? count(numbers[at]) : "?";
}

function named(cell, name, note) {
  if (!cell.firstElementChild) cell.append(el("span"), el("span", { class: "row-note" }));
  setText(cell.firstElementChild, name);
  setText(cell.lastElementChild, note);
}

function withSpark(cell, text, values) {
  if (!cell.firstElementChild) cell.append(el("span", { class: "sparked" }, el("span", { class: "figure" })));
  const box = cell.firstElementChild;
  setText(box.querySelector(".figure"), text);
  if (values) spark(box, values, samples);
}

function serviceNote(v) {
  const parts = [v.active === "never" ? "only checked" : v.scheduler, ...(v.flags ?? [])];
  if (v.quorum > 1) parts.push(`quorum ${v.quorum}${v.hysteresis ? ` ± ${v.hysteresis}` : ""}`);
  if (v.persistence_s) parts.push(`persistence ${span(v.persistence_s)}`);
  if (v.follow) parts.push(`where ${v.follow} is MASTER`);
  return parts.join(", ");
}

function weight(r) {
  if (!r.present) return "–";
  return r.weight === r.configured ? String(r.weight) : `${r.weight} of ${r.configured}`;
}

function serverNote(r) {
  const parts = [];
  if (r.order) parts.push(r.order);
  if (r.weight_by) parts.push(`weight by the check ${r.weight_by}`);
  const rest = r.full_at ? (Date.parse(r.full_at) - store.now()) / 1000 : 0;
  if (rest > 0 && r.health === "up") parts.push(`slow start for ${span(rest)}`);
  return parts.join(", ");
}
