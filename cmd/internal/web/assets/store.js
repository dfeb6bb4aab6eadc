// What the page knows of the director. Messages of the stream change it; everything
// else only reads it.

// samples is how many looks the sparklines go back.
export const samples = 90;
const keptEvents = 4000;

export class Store {
  head = null;
  tables = new Map(); // name → { order: [key], rows: Map(key → row) }
  events = []; // oldest first
  history = new Map(); // key of load → { active: [], rate: [] }
  skew = 0; // ms that the director's clock is ahead of ours
  fresh = []; // events of the latest message

  // state replaces everything. What was counted so far is kept.
  state(message) {
    this.tables = new Map();
    this.events = [];
    this.#apply(message);
    this.fresh = [];
  }

  delta(message) {
    this.#apply(message);
  }

  #apply(message) {
    this.skew = Date.parse(message.now) - Date.now();
    if (message.head) this.head = message.head;
    for (const [name, change] of Object.entries(message.tables ?? {})) this.#change(name, change);
    this.fresh = message.events ?? [];
    for (const event of this.fresh) event.time = Date.parse(event.at);
    this.events = this.events.concat(this.fresh).slice(-keptEvents);
    this.#sample();
  }

  #change(name, change) {
    let table = this.tables.get(name);
    if (!table) this.tables.set(name, (table = { order: [], rows: new Map() }));
    for (const [key, row] of Object.entries(change.rows ?? {})) {
      if (!Array.isArray(row)) row.key = key;
      table.rows.set(key, row);
    }
    if (change.order || change.emptied) {
      table.order = change.order ?? [];
      const left = new Set(table.order);
      for (const key of table.rows.keys()) if (!left.has(key)) table.rows.delete(key);
    }
  }

  // sample adds the present numbers to the history, for the sparklines.
  #sample() {
    const load = this.tables.get("load");
    if (!load) return;
    for (const [key, row] of load.rows) {
      let h = this.history.get(key);
      if (!h) this.history.set(key, (h = { active: [], rate: [] }));
      h.active.push(row[0]);
      h.rate.push(row[3] ?? 0);
      if (h.active.length > samples) {
        h.active.shift();
        h.rate.shift();
      }
    }
    for (const key of this.history.keys()) if (!load.rows.has(key)) this.history.delete(key);
  }

  // now is the present time of the director.
  now() {
    return new Date(Date.now() + this.skew);
  }

  // rows returns the rows of a table in order.
  rows(name) {
    const table = this.tables.get(name);
    return table ? table.order.map((key) => table.rows.get(key)) : [];
  }

  row(name, key) {
    return this.tables.get(name)?.rows.get(key);
  }
}
