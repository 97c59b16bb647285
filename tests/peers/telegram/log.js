// What happened: calls, updates and deliveries, each with its time; and counters of them.
'use strict';

class Log {
  constructor({ keepLog, now }) {
    Object.assign(this, { keep: keepLog, now, calls: [], updates: [], deliveries: [], broken: [] });
    Object.assign(this, { count: 0, delivered: 0, connections: 0, perMethod: new Map() });
  }

  call(bot, method, args, files, { inResponse = false, request }) {
    this.count++;
    this.perMethod.set(method, (this.perMethod.get(method) ?? 0) + 1);
    const entry = { at: this.now(), n: this.count, bot, method, args, files, inResponse, port: request?.socket.remotePort, done: false };
    if (this.keep) this.calls.push(entry);
    return entry;
  }
  answered(entry, answer) {
    entry.until = this.now();
    entry.status = answer.status;
    entry.answer = answer.body;
  }
  update(bot, entry) {
    if (this.keep) this.updates.push({ at: this.now(), bot, id: entry.id, kind: entry.kind, key: entry.key });
  }
  delivery(bot, entry, { status, error, ms }) {
    this.count++;
    if (status >= 200 && status <= 299) this.delivered++;
    if (this.keep) this.deliveries.push({ at: this.now(), bot, id: entry.id, key: entry.key, attempt: entry.attempt, status, error, ms });
  }

  // Calls of a method, of all when it is left out; matching: some of the arguments.
  of(method, matching = {}) {
    return this.calls.filter((c) => (!method || c.method === method.toLowerCase()) &&
      Object.entries(matching).every(([name, value]) => c.args[name] === String(value)));
  }
  tail(count = 12) {
    return this.calls.slice(-count).map((c) => `  ${c.method} ${JSON.stringify(c.args).slice(0, 300)} → ${c.status ?? '?'} ${c.answer?.description ?? ''}`).join('\n');
  }
}

module.exports = { Log };
