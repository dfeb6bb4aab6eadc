// The page: what arrives changes the store, and what the store has is shown.

import { byId, el, setAttribute, setText, setList } from "./dom.js";
import { firstChecks, showChecks } from "./checks.js";
import { showDirectors } from "./directors.js";
import { plural, time } from "./format.js";
import { checkKind, isUnwell, resourceKind, routerKind, serviceKind } from "./judge.js";
import { firstLists, showLists, transitionWords } from "./lists.js";
import { firstRouters, showRouters } from "./routers.js";
import { firstServices, showServices } from "./services.js";
import { Store } from "./store.js";
import { connect } from "./stream.js";
import { showTimeline } from "./timeline.js";
import { problemCount, showVerdict } from "./verdict.js";

const store = new Store();
const link = { lost: null, leaving: "", note: "" };
let query = "";
let onlyUnwell = false;
let drawn = false;

// matches says whether one of the texts has every word of the filter.
let words = [];
function matches(...texts) {
  if (words.length === 0) return true;
  const text = texts.filter(Boolean).join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

function show() {
  if (!store.head) return;
  const began = performance.now();
  showVerdict(store, link);
  showDirectors(store, link, matches);
  showTimeline(store, matches, show);
  showRouters(store, matches, onlyUnwell);
  showServices(store, matches, onlyUnwell);
  showChecks(store, matches, onlyUnwell);
  showLists(store, matches);
  showSections();
  showFoot();
  showLive();
  performance.measure(drawn ? "holdfast-update" : "holdfast-first", { start: began });
  drawn = true;
}

// sections are those that have something to show, with how much of it is not well.
const sections = [
  ["directors", "Directors", () => 1 + store.rows("peers").length, () => store.rows("peers").filter((p) => p.error || p.problems > 0).length + (store.head.unwell.length > 0 ? 1 : 0)],
  ["routers", "Virtual routers", () => store.rows("routers").length, () => store.rows("routers").filter((r) => isUnwell(routerKind(r))).length],
  ["services", "Services", () => store.rows("services").length, () => store.rows("services").filter((v) => isUnwell(serviceKind(v))).length],
  ["checks", "Checks", () => store.rows("checks").length, () => store.rows("checks").filter((c) => isUnwell(checkKind(c))).length],
  ["alerts", "Alerts", () => store.rows("alerts").length, () => store.rows("alerts").length],
  ["resources", "Resources", () => store.rows("resources").length, () => store.rows("resources").filter((r) => isUnwell(resourceKind(r))).length],
  ["trackers", "Trackers", () => store.rows("trackers").length, () => store.rows("trackers").filter((t) => t.state === "down").length],
  ["events", "Events", () => store.events.length, () => 0],
];

function showSections() {
  const there = sections.map(([id, title, size, unwell]) => ({ id, title, size: size(), unwell: unwell() })).filter((s) => s.size > 0);
  for (const [id] of sections) byId(id).hidden = !there.some((s) => s.id === id);
  setList(byId("sections"), there, (s) => s.id, (s) => el("a", { href: `#${s.id}` }, el("span"), el("span", { class: "amount" })), (node, s) => {
    setText(node.firstElementChild, s.title);
    setText(node.lastElementChild, s.unwell > 0 ? `${s.unwell} not well` : s.id === "events" ? "" : String(s.size));
    setAttribute(node.lastElementChild, "class", s.unwell > 0 ? "amount bad" : "amount");
  });
}

function showFoot() {
  const h = store.head;
  const parts = [`holdfast ${h.software}`, `process ${h.pid}`, `${h.config}, in force since ${time(new Date(h.loaded), store.now())}`];
  if (h.realtime_note) parts.push(`no real-time priority: ${h.realtime_note}`);
  setText(byId("foot"), parts.join(" · "));
}

function showLive() {
  const state = link.lost ? (link.leaving ? "leaving" : "lost") : "ok";
  setAttribute(byId("live"), "class", `live ${state}`);
  setText(byId("live-text"), link.lost ? link.leaving || "No connection, trying again" : link.note || "Live");
}

// announce tells a screen reader, and not more often than it can speak.
let announced = 0;
let waiting = "";
function announce(text) {
  if (text) waiting = text;
  if (waiting && Date.now() - announced > 5000) {
    announced = Date.now();
    setText(byId("announce"), waiting);
    waiting = "";
  }
}

let before = null;

const noteKey = "holdfast-note";

// loadAgain gets the page that belongs to another version of the daemon.
function loadAgain() {
  try {
    sessionStorage.setItem(noteKey, link.note);
  } catch {
    // Storage is forbidden: the note is lost.
  }
  location.reload();
}

try {
  link.note = sessionStorage.getItem(noteKey) ?? "";
  sessionStorage.removeItem(noteKey);
} catch {
  // Storage is forbidden: there is no note.
}

function arrived() {
  link.lost = null;
  link.leaving = "";
  const h = store.head;
  if (before && (before.pid !== h.pid || before.started !== h.started)) {
    const how = before.software === h.software ? `${h.director} was restarted` : `${h.director} was upgraded from ${before.software} to ${h.software}`;
    link.note = `Live; ${how} at ${time(new Date(h.started), store.now())}`;
    announce(how);
  }
  if (before && before.page !== h.page) {
    loadAgain();
    return;
  }
  const were = problemCount();
  show();
  const now = problemCount();
  if (before && were !== now) announce(now === 0 ? "All is well" : plural(now, "problem"));
  before = { page: h.page, pid: h.pid, started: h.started, software: h.software };
}

connect({
  state(message) {
    store.state(message);
    arrived();
  },
  delta(message) {
    store.delta(message);
    announce(transitionWords(store.fresh));
    arrived();
  },
  leaving(returns) {
    link.lost = Date.now();
    link.leaving = returns ? "holdfast is being upgraded" : "holdfast was stopped, trying again";
    show();
  },
  lost(heard) {
    link.lost ??= heard ?? Date.now();
    link.leaving = "";
    if (store.head) show();
    else {
      setText(byId("verdict-title"), "The director does not answer");
      setText(byId("verdict-text"), "Trying again.");
      showLive();
    }
  },
});

setInterval(() => {
  announce("");
  if (link.lost) show();
}, 1000);

byId("filter").addEventListener("submit", (event) => event.preventDefault());
byId("search").addEventListener("input", (event) => {
  query = event.target.value;
  words = query.toLowerCase().split(/\s+/).filter(Boolean);
  filtered();
});
byId("unwell").addEventListener("change", (event) => {
  onlyUnwell = event.target.checked;
  filtered();
});

function filtered() {
  for (const first of [firstRouters, firstServices, firstChecks, firstLists]) first();
  show();
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const theme = byId("theme");

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : dark.matches;
}

function nameTheme() {
  setText(theme, isDark() ? "Light" : "Dark");
  setAttribute(theme, "aria-label", isDark() ? "Use light colours" : "Use dark colours");
}

theme.addEventListener("click", () => {
  const chosen = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = chosen;
  try {
    localStorage.setItem("holdfast-theme", chosen);
  } catch {
    // Storage is forbidden: the choice lasts as long as the page.
  }
  nameTheme();
});
dark.addEventListener("change", nameTheme);
nameTheme();
