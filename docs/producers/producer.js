// Log events and labels from Node (18 or newer), without dependencies: batches, compressed, tried again.
//
//     node docs/producers/producer.js http://127.0.0.1:8321 late-flights
//
// BAROGRAPH_KEY is the key, where one is needed. What is sent twice counts once: every event has an id.
"use strict";
const { gzipSync } = require("node:zlib");
const { randomUUID } = require("node:crypto");
const { setTimeout: sleep } = require("node:timers/promises");

const LATER = new Set([401, 403, 404, 408, 409, 425, 429, 500, 502, 503, 504]);

class Producer {
  constructor(url, model, { key = process.env.BAROGRAPH_KEY, rows = 1000, queue = 50_000, interval = 250 } = {}) {
    this.base = `${url.replace(/\/+$/, "")}/v1/models/${encodeURIComponent(model)}`;
    this.headers = { "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip" };
    if (key) this.headers.Authorization = `Bearer ${key}`;
    this.rows = rows;
    this.limit = queue;
    this.waiting = { events: [], labels: [] };
    this.dropped = 0;
    this.sending = Promise.resolve();
    this.timer = setInterval(() => this.flush(), interval);
    this.timer.unref(); // it keeps no process alive: call close()
  }

  // Log one event, and return its id. `timestamp` is a Date, or text; without a zone it is in that of the model.
  log({ id = randomUUID(), timestamp = new Date(), features, prediction, score, scores, context }) {
    this.add("events", { id, timestamp, features, prediction, score, scores, context });
    return id;
  }

  label(id, label, at = new Date()) {
    this.add("labels", { id, label, label_timestamp: at });
  }

  add(kind, row) {
    const lines = this.waiting[kind];
    lines.push(toJson(row));
    if (lines.length > this.limit) this.dropped += lines.splice(0, lines.length - this.limit).length; // newest kept
    if (lines.length >= this.rows) this.flush();
  }

  // Send what waits; the promise is kept when the server has it. One request runs at a time, so the order stays.
  flush() {
    this.sending = this.sending.then(async () => {
      for (const kind of ["events", "labels"]) {
        while (this.waiting[kind].length) {
          const lines = this.waiting[kind].splice(0, this.rows);
          this.told?.(kind, await this.post(kind, gzipSync(lines.join("\n"))));
        }
      }
    });
    return this.sending;
  }

  async close() {
    clearInterval(this.timer);
    await this.flush();
  }

  async post(kind, body) {
    for (let pause = 250; ; pause = Math.min(2 * pause, 60_000)) {
      let wait = pause * (0.5 + Math.random() / 2);
      try {
        const signal = AbortSignal.timeout(30_000);
        const answer = await fetch(`${this.base}/${kind}`, { method: "POST", headers: this.headers, body, signal });
        const said = await answer.json();
        if (answer.status === 200 || "rejected_rows" in said) return said; // 422: none of the rows was taken
        if (!LATER.has(answer.status)) return { refused: said.detail };
        wait = Math.max(wait, 1000 * (Number(answer.headers.get("Retry-After")) || 0));
      } catch (error) {
        if (error instanceof SyntaxError) return { refused: String(error) };
      } // the connection broke off, or there is none
      await sleep(wait);
    }
  }
}

// JSON.stringify makes null of NaN, and fails for a BigInt: here they stay what they are. A Date is text in UTC.
function toJson(row) {
  return JSON.stringify(row, (_, value) => {
    if (typeof value === "number" && !Number.isFinite(value)) return String(value);
    if (typeof value === "bigint") return value.toString(); // as text: every digit is kept
    return value; // what is undefined is left out, null stays null
  });
}

async function main(url, model) {
  const producer = new Producer(url, model, { rows: 5 });
  producer.told = (kind, said) => console.log(JSON.stringify(said));
  const at = new Date("2025-06-01T10:00:00Z");
  const log = (name, features, more) =>
    producer.log({ id: `js-${name}`, timestamp: at, features, score: 0.25, ...more });
  const plain = { x: 1.5, amount: 2, colour: "red", known: true, code: "A1" };
  log("plain", plain, { context: { version: "7", latency_ms: 3.5 } });
  log("nan", { x: NaN, colour: "red" });
  log("infinite", { x: -Infinity, colour: "red" });
  log("null", { x: null, colour: null });
  log("missing", { x: undefined });
  log("big", { amount: 9007199254740993n, code: 9007199254740993n });
  log("decimal", { amount: "12.30", code: "12.30" }); // decimals are text in JavaScript
  log("naive", { x: 1.5 }, { timestamp: "2025-06-01T10:00:00" }); // a Date always has a zone
  log("unicode-ü", { colour: 'grün 🦊 "\\' });
  log("truth", { x: true, known: false });
  log("wrong", { x: "much" });
  producer.label("js-plain", 0, new Date("2025-06-02T10:00:00Z"));
  producer.label("js-plain", 1, new Date("2025-06-03T10:00:00Z"));
  producer.label("js-nan", 0, new Date("2025-06-02T10:00:00Z"));
  await producer.close();
}

if (require.main === module) main(process.argv[2], process.argv[3]);
module.exports = { Producer };
