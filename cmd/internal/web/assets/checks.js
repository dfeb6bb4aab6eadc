// The health checks: those that fail first, with what their servers answered.

import { badge, byId, el, setText } from "./dom.js";
import { count, latency, span, time } from "./format.js";
import { Grid } from "./grid.js";
import { checkKind, isUnwell, worstFirst } from "./judge.js";
import { factList } from "./routers.js";
import { strip } from "./spark.js";

let store = null;

const grid = new Grid(byId("checks-grid"), {
  caption: "Health checks",
  empty: "No check matches the filter.",
  columns: [
    { title: "Server", render: server },
    { title: "State", render: (cell, c) => badge(cell, checkKind(c), c.state) },
    { title: "For", className: "number", render: (cell, c) => setText(cell, c.since ? span((store.now() - Date.parse(c.since)) / 1000) : "–") },
    { title: "Type", className: "wide", render: (cell, c) => setText(cell, c.type) },
    { title: "Took", className: "number wide", render: (cell, c) => setText(cell, latency(numbers(c)[3])) },
    { title: "Median", className: "number middle", render: (cell, c) => setText(cell, latency(numbers(c)[4])) },
    { title: "99th percentile", className: "number middle", render: (cell, c) => setText(cell, latency(numbers(c)[6])) },
    { title: "Latest results", className: "wide", render: results },
    { title: "Last failure", className: "middle words", render: (cell, c) => setText(cell, lastFailure(c)) },
  ],
  detail,
});

export function showChecks(s, matches, onlyUnwell) {
  store = s;
  const rows = store.rows("checks").filter((c) => (!onlyUnwell || isUnwell(checkKind(c))) && matches(c.key, c.type, c.address, c.state));
  grid.show(worstFirst(rows, checkKind));
}

export const firstChecks = () => grid.first();

const numbers = (c) => store.row("latency", c.key) ?? [];

// server has the failure of a check that is not well too, where the window has no room
// for its column.
function server(cell, c) {
  if (!cell.firstElementChild) cell.append(el("span"), el("span", { class: "row-note narrow-note" }));
  setText(cell.firstElementChild, c.key);
  setText(cell.lastElementChild, isUnwell(checkKind(c)) ? lastFailure(c) : "");
}

function results(cell, c) {
  if (!cell.firstElementChild) cell.append(el("span"), el("span", { class: "unseen" }));
  const text = numbers(c)[0] ?? "";
  strip(cell.firstElementChild, text);
  setText(cell.lastElementChild, `${[...text].filter((mark) => mark === "+").length} of ${text.length} good`);
}

function lastFailure(c) {
  if (c.not_asked) return `not asked: ${c.not_asked}`;
  const f = c.failures?.[0];
  return f ? `${f.reason}, ${span((store.now() - Date.parse(f.at)) / 1000)} ago` : "none known";
}

function detail(node, c) {
  const n = numbers(c);
  const good = [...(n[0] ?? "")].filter((mark) => mark === "+").length;
  const facts = [["Type", [c.type, c.address].filter(Boolean).join(" · ")], ["Attempts", `${count(n[1])}, of which ${count(n[2])} failed`], ["Latest results", `${good} of ${n[0]?.length ?? 0} good`],
    ["Latency", n[4] === null || n[4] === undefined ? "" : `median ${latency(n[4])}, 90th percentile ${latency(n[5])}, 99th percentile ${latency(n[6])}`], ["Not asked", c.not_asked]];
  const text = JSON.stringify([facts, c.failures]);
  if (node.dataset.text === text) return;
  node.dataset.text = text;
  const failures = (c.failures ?? []).map((f) => el("li", {}, el("time", { datetime: f.at }, time(new Date(f.at), store.now())), ` ${f.reason}`));
  node.replaceChildren(factList(facts), el("p", { class: "small-title" }, failures.length > 0 ? "Latest failures" : "No failure is known."), el("ol", { class: "transitions" }, ...failures));
}
