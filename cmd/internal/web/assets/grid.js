// A table of many rows: only one page of them is in the document, and only what has
// changed is touched.

import { el, setAttribute, setList, setText } from "./dom.js";

const pageSize = 25;

// A Grid shows rows with a key. Its options are:
//   caption   what the table is, for screen readers
//   columns   [{ title, className, render(cell, row) }]; the first is the row's header
//   detail    fill(node, row), for a part that a button opens below the row; optional
//   children  children(row), for rows that a button opens below the row; optional. The
//             columns show them with their child(cell, row).
//   opened    opened(row) says whether a row is open until somebody closes it; optional
//   scrolls   the table may be wider than the window
//   empty     what is said when there is no row
export class Grid {
  #page = 0;
  #choice = new Map(); // key → whether somebody opened or closed the row
  #rows = [];

  constructor(parent, options) {
    this.options = options;
    this.id = parent.id;
    const heads = options.columns.map((c) => el("th", { scope: "col", class: c.className }, c.title));
    this.body = el("tbody");
    this.table = el("table", {}, el("caption", { class: "unseen" }, options.caption), el("thead", {}, el("tr", {}, ...heads)), this.body);
    this.empty = el("p", { class: "note" }, options.empty);
    this.before = el("button", { type: "button", click: () => this.#turn(-1) }, "Previous");
    this.after = el("button", { type: "button", click: () => this.#turn(1) }, "Next");
    this.place = el("span", { role: "status" });
    this.pager = el("div", { class: "pager", role: "group", "aria-label": `Pages of ${options.caption}` }, this.before, this.place, this.after);
    // What can be scrolled sideways must be reached by keyboard.
    const frame = options.scrolls ? { class: "frame scrolls", tabindex: 0, role: "group", "aria-label": options.caption } : { class: "frame" };
    parent.replaceChildren(el("div", frame, this.table), this.empty, this.pager);
  }

  // show makes the table show rows. The caller has filtered and sorted them.
  show(rows) {
    this.#rows = rows;
    this.#page = Math.min(this.#page, Math.max(0, Math.ceil(rows.length / pageSize) - 1));
    this.#render();
  }

  first() {
    this.#page = 0;
  }

  #turn(by) {
    this.#page += by;
    this.#render();
    this.table.scrollIntoView({ block: "nearest" });
    if (this.before.disabled && by < 0) this.after.focus();
    if (this.after.disabled && by > 0) this.before.focus();
  }

  isOpen(row) {
    return this.#choice.get(row.key) ?? this.options.opened?.(row) ?? false;
  }

  #render() {
    const from = this.#page * pageSize;
    const rows = this.#rows.slice(from, from + pageSize);
    setList(this.body, rows.flatMap((row) => this.#parts(row)), (part) => `${part.kind} ${part.row.key}`, (part) => this.#make(part), (node, part) => this.#update(node, part));
    this.table.hidden = rows.length === 0;
    this.empty.hidden = rows.length > 0;
    this.pager.hidden = this.#rows.length <= pageSize;
    this.before.disabled = this.#page === 0;
    this.after.disabled = from + pageSize >= this.#rows.length;
    setText(this.place, `${from + 1} to ${from + rows.length} of ${this.#rows.length}`);
  }

  // parts are what there is of a row: itself, and if it is open, what is below it.
  #parts(row) {
    const parts = [{ kind: "row", row }];
    if (!this.#opens || !this.isOpen(row)) return parts;
    if (this.options.detail) parts.push({ kind: "detail", row });
    for (const child of this.options.children?.(row) ?? []) parts.push({ kind: "child", row: child });
    return parts;
  }

  get #opens() {
    return this.options.detail || this.options.children;
  }

  #make({ kind, row }) {
    if (kind === "detail") {
      return el("tr", { class: kind, id: this.#detailId(row) }, el("td", { colspan: this.options.columns.length }, el("div", { class: "inside" })));
    }
    const cells = this.options.columns.map((c, i) => el(i === 0 ? "th" : "td", { class: c.className, scope: i === 0 && "row" }));
    const node = el("tr", { class: kind }, ...cells);
    cells[0].append(el("span", { class: "name" }));
    if (kind === "row" && this.#opens) {
      node.toggle = el("button", { type: "button", class: "toggle", click: () => this.#flip(node.row) });
      node.toggle.append(cells[0].firstElementChild);
      cells[0].append(node.toggle);
    }
    return node;
  }

  #detailId(row) {
    return `${this.id}-${row.key.replace(/[^A-Za-z0-9]/g, (c) => `_${c.codePointAt(0)}_`)}`;
  }

  #flip(row) {
    this.#choice.set(row.key, !this.isOpen(row));
    this.#render();
  }

  #update(node, { kind, row }) {
    node.row = row;
    if (kind === "detail") {
      this.options.detail(node.firstElementChild.firstElementChild, row);
      return;
    }
    this.options.columns.forEach((column, i) => {
      const cell = i === 0 ? node.querySelector(".name") : node.children[i];
      (kind === "child" ? column.child : column.render)(cell, row);
    });
    if (node.toggle) {
      const open = this.isOpen(row);
      setAttribute(node.toggle, "aria-expanded", String(open));
      if (open && this.options.detail) setAttribute(node.toggle, "aria-controls", this.#detailId(row));
      else node.toggle.removeAttribute("aria-controls");
    }
  }
}
