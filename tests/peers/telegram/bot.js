// One bot's side of Telegram: its queue of updates, long polling, and deliveries to its webhook (one
// under way for each chat, others of that chat behind it; repeated with growing pauses).
'use strict';
const http = require('node:http');
const https = require('node:https');
const { ApiError } = require('./errors.js');
const { readArgs } = require('./http.js');
const { onRequest } = require('./world.js');

const kinds = ['message', 'edited_message', 'channel_post', 'edited_channel_post', 'guest_message', 'message_reaction',
  'message_reaction_count', 'inline_query', 'chosen_inline_result', 'callback_query', 'poll', 'poll_answer', 'my_chat_member',
  'chat_member', 'chat_join_request', 'stopped_message_generation'];

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Bot {
  constructor(stub, { token, privacy = true, first_update_id = 871300001, ...user }) {
    this.stub = stub;
    this.token = token;
    this.user = { id: Number(token.split(':')[0]), is_bot: true, first_name: 'Theo', username: 'TheoBot', ...user };
    this.privacy = privacy;
    this.privates = new Map();
    this.commands = new Map();
    this.revoked = false;
    this.nextUpdate = first_update_id;
    this.pending = new Map(); // update_id → {id, key, update, body}
    this.queues = new Map(); // chat → entries that wait for the webhook, in order
    this.allowed = null; // null: all but those that must be asked for
    this.webhook = null;
    this.poll = null; // the getUpdates that waits
    this.lastPoll = { offset: NaN, at: -Infinity };
    this.nextConflict = -Infinity;
    this.lastError = null;
    this.active = 0;
    this.ready = [];
  }
  get name() { return this.user.first_name; }
  get id() { return this.user.id; }

  wants(kind) { return this.allowed === null ? !onRequest.includes(kind) : this.allowed.includes(kind); }

  setAllowed(list) {
    const known = list.filter((kind) => kinds.includes(kind));
    this.allowed = known.length === 0 ? null : known;
  }

  // An update has come into being. Order within key (a chat) is kept.
  push(kind, object, key) {
    if (!this.wants(kind)) return;
    const id = this.nextUpdate++;
    const entry = { id, key, kind, body: JSON.stringify({ update_id: id, [kind]: object }), attempt: 0, delay: 0 };
    this.pending.set(id, entry);
    this.stub.log.update(this, entry);
    if (this.webhook) this.enqueue(entry);
    else this.answerPoll();
  }

  clear() {
    this.pending.clear();
    this.queues.clear();
    this.ready.length = 0;
  }

  // ---- long polling ----

  async conflict(text) {
    const now = Date.now(), pause = this.stub.options.conflictDelayMs;
    if (now < this.nextConflict) await sleep(pause);
    else this.nextConflict = now + pause;
    throw new ApiError(409, `Conflict: ${text}`);
  }

  async getUpdates({ offset = 0, limit = 100, timeout = 0 }, gone) {
    if (this.webhook) await this.conflict("can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first");
    const now = Date.now(), throttle = this.stub.options.repeatedOffsetMs;
    let wait = Math.min(Math.max(timeout, 0), 50) * this.stub.options.secondMs;
    if (offset === this.lastPoll.offset && now < this.lastPoll.at + throttle) wait = Math.max(wait, throttle);
    if (offset === this.lastPoll.offset && now < this.lastPoll.at + throttle / 6) limit = 1;
    this.lastPoll = { offset, at: now };
    this.endPoll('terminated by other getUpdates request; make sure that only one bot instance is running');
    if (offset < 0) for (const id of [...this.pending.keys()].slice(0, offset)) this.pending.delete(id);
    else for (const id of this.pending.keys()) {
      if (id >= offset) break;
      this.pending.delete(id);
    }
    limit = Math.min(Math.max(limit, 1), 100);
    if (this.pending.size > 0 || wait === 0) return this.batch(limit);
    return new Promise((resolve, reject) => {
      const poll = { resolve, reject, limit };
      poll.timer = setTimeout(() => this.donePoll(poll, []), wait);
      this.poll = poll;
      this.stub.changed();
      gone?.(() => this.dropPoll(poll));
    });
  }

  batch(limit) {
    const list = [];
    for (const entry of this.pending.values()) {
      if (list.length === limit) break;
      list.push(entry);
    }
    return this.stub.faults.updates(this, list).map((entry) => JSON.parse(entry.body));
  }
  answerPoll() {
    if (!this.poll) return;
    const { poll } = this;
    // What comes in one go is seen by one call.
    setImmediate(() => { if (this.poll === poll && this.pending.size > 0) this.donePoll(poll, this.batch(poll.limit)); });
  }
  donePoll(poll, updates) {
    clearTimeout(poll.timer);
    if (this.poll === poll) this.poll = null;
    poll.resolve(updates);
  }
  endPoll(text) {
    const { poll } = this;
    if (!poll) return;
    clearTimeout(poll.timer);
    this.poll = null;
    this.conflict(text).catch(poll.reject);
  }
  // The client hung up while it waited: what comes is for the next call.
  dropPoll(poll) {
    if (this.poll === poll) this.donePoll(poll, []);
  }

  // ---- webhook ----

  setWebhook(hook) {
    this.closeWebhook();
    this.webhook = hook;
    if (!hook) return;
    const address = new URL(this.stub.route(hook.url));
    hook.options = {
      method: 'POST', host: address.hostname, port: address.port || (address.protocol === 'https:' ? 443 : 80), path: address.pathname + address.search,
    };
    hook.client = address.protocol === 'https:' ? https : http;
    hook.agent = new hook.client.Agent({ keepAlive: true, maxSockets: hook.max_connections, rejectUnauthorized: false });
    hook.headers = { 'Content-Type': 'application/json', Connection: 'keep-alive' };
    if (hook.secret_token) hook.headers['X-Telegram-Bot-Api-Secret-Token'] = hook.secret_token;
    this.endPoll('terminated by setWebhook request');
    this.queues.clear();
    this.ready.length = 0;
    for (const entry of this.pending.values()) this.enqueue(entry);
  }
  closeWebhook() {
    this.webhook?.agent.destroy();
    this.webhook = null;
    this.queues.clear();
    this.ready.length = 0;
  }

  enqueue(entry) {
    const queue = this.queues.get(entry.key);
    if (queue) {
      queue.push(entry);
      return;
    }
    this.queues.set(entry.key, [entry]);
    this.ready.push(entry.key);
    this.deliver();
  }

  deliver() {
    while (this.webhook && this.ready.length > 0 && this.active < this.webhook.max_connections) {
      const key = this.ready.shift();
      const entry = this.queues.get(key)?.[0];
      if (!entry) continue;
      this.active++;
      this.attempt(this.webhook, entry).finally(() => {
        this.active--;
        this.deliver();
      });
    }
  }

  async attempt(hook, entry) {
    entry.attempt++;
    const fault = this.stub.faults.delivery(this, entry);
    if (fault?.do === 'delay') await sleep(fault.ms);
    if (fault?.do === 'reorder') await this.others(entry, fault.ms ?? 1000);
    if (fault?.do === 'duplicate') await this.send(hook, entry, {});
    const begun = Date.now();
    const answer = await this.send(hook, entry, fault ?? {});
    this.stub.log.delivery(this, entry, { ...answer, ms: Date.now() - begun, body: undefined });
    this.stub.changed();
    if (this.webhook !== hook) return;
    const accepted = answer.status >= 200 && answer.status <= 299 && fault?.do !== 'drop_after';
    if (accepted) {
      this.pending.delete(entry.id);
      this.executeReply(answer);
      this.nextOf(entry.key);
      return;
    }
    this.lastError = { date: this.stub.world.seconds(), message: answer.status ? `Wrong response from the webhook: ${answer.status} ${answer.reason}` : answer.error };
    const { firstMs, mostMs } = this.stub.options.backoff;
    entry.delay = entry.delay ? Math.min(entry.delay * 2, mostMs) : firstMs;
    const asked = Math.min(answer.retryAfter ?? 0, 3600) * this.stub.options.secondMs;
    setTimeout(() => {
      if (this.webhook !== hook) return;
      this.ready.push(entry.key);
      this.deliver();
    }, asked || entry.delay).unref();
  }

  nextOf(key) {
    const queue = this.queues.get(key);
    queue?.shift();
    if (queue?.length) this.ready.push(key);
    else this.queues.delete(key);
    this.stub.changed();
  }

  // Wait until something else was delivered, so that two chats' updates arrive the other way round.
  async others(entry, ms) {
    const last = this.stub.log.delivered;
    for (const end = Date.now() + ms; Date.now() < end && this.stub.log.delivered === last;) await sleep(2);
  }

  // One POST: {status, reason, retryAfter, type, body} or {error}.
  send(hook, entry, fault) {
    return new Promise((resolve) => {
      const body = Buffer.from(entry.body);
      const request = hook.client.request({ ...hook.options, agent: hook.agent, headers: { ...hook.headers, 'Content-Length': body.length } });
      const limit = setTimeout(() => request.destroy(new Error('Read timeout expired')), this.stub.options.webhookTimeoutMs);
      const done = (answer) => { clearTimeout(limit); resolve(answer); };
      request.on('error', (error) => done({ error: error.message }));
      request.on('response', (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', (error) => done({ error: error.message }));
        response.on('end', () => done({
          status: response.statusCode, reason: response.statusMessage, retryAfter: Number(response.headers['retry-after']) || 0,
          headers: response.headers, body: Buffer.concat(chunks),
        }));
      });
      if (fault.do === 'drop') {
        request.write(body.subarray(0, body.length >> 1));
        setTimeout(() => request.destroy(new Error('Connection closed')), 10);
      } else if (fault.do === 'slow') dribble(request, body, fault.ms ?? 5);
      else request.end(body);
    });
  }

  // "Reply in response": the answer's body may be a call.
  executeReply({ headers, body }) {
    if (!body || body.length === 0) return;
    const { args, files, problem } = readArgs('', headers, body);
    const method = String(args.method ?? '').toLowerCase();
    if (problem || method === '' || /^(get|setwebhook$|deletewebhook$|close$|logout$)/.test(method)) return;
    delete args.method;
    this.stub.call(this, method, args, files, { inResponse: true }).catch(() => {});
  }
}

async function dribble(stream, bytes, ms) {
  for (const byte of bytes) {
    if (stream.destroyed) return;
    stream.write(Buffer.of(byte));
    await sleep(ms);
  }
  stream.end();
}

module.exports = { Bot, dribble, kinds, sleep };
