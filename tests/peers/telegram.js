// A strict Telegram Bot API (10.x) for tests, with a world of people and chats behind it.
//
// In a test:
//   const tg = new Telegram({ token: '123456:TEST', bot: { username: 'TheoBot', privacy: false } });
//   const root = await tg.start();                     // "http://127.0.0.1:PORT", the API root
//   const ana = tg.user('Ana'), group = tg.group('Deals', [ana]);
//   ana.says(group, '@TheoBot when do we meet?');
//   const answer = await tg.said(group);               // the bot's next message there
//   await tg.stop();
// As a program: node tests/peers/telegram.js [--port 8081] [--token T] [--username U] [--no-limits]
//   [--no-log] [--scenario FILE]: prints one line of JSON, {"root", "token"}, and plays the scenario's
//   steps with whatever bot connects.
//
// It takes what Telegram takes and refuses what Telegram refuses with Telegram's words; what a
// method does not know is listed in tg.oddities. People's doings are in telegram/world.js, the
// methods in telegram/methods.js, texts in telegram/entities.js, faults in telegram/faults.js,
// limits in telegram/limits.js, deliveries in telegram/bot.js.
'use strict';
const http = require('node:http');
const { collect, readArgs } = require('./telegram/http.js');
const { ApiError } = require('./telegram/errors.js');
const { World } = require('./telegram/world.js');
const { Bot, dribble, sleep } = require('./telegram/bot.js');
const { methods } = require('./telegram/methods.js');
const { known } = require('./telegram/parameters.js');
const { Faults } = require('./telegram/faults.js');
const { Limits } = require('./telegram/limits.js');
const { Log } = require('./telegram/log.js');
const { read } = require('./telegram/screen.js');

const defaults = {
  token: '123456:TEST-token_of-the-stub',
  bot: {},
  limits: {}, // of telegram/limits.js; false: none
  secondMs: 1000, // how long a second of Telegram's own waiting takes
  conflictDelayMs: 3000, // a 409 that follows another is held back so long
  repeatedOffsetMs: 3000, // getUpdates with the same offset waits so long
  backoff: { firstMs: 50, mostMs: 2000 }, // of deliveries to a webhook
  webhookTimeoutMs: 60000,
  pressSeconds: 30, // how long a pressed button can be answered
  localWebhooks: true, // take http://127.0.0.1:PORT as webhook
  routes: {}, // {'https://theo.example': 'http://127.0.0.1:8080'}: where deliveries really go
  keepLog: true, // false: only counters, for throughput
  now: () => Date.now(),
};

class Telegram {
  constructor(given = {}) {
    this.options = { ...defaults, ...given, backoff: { ...defaults.backoff, ...given.backoff } };
    this.waiting = new Set();
    this.faults = new Faults();
    this.limits = new Limits(this.options.limits, this.options.now, this.options.secondMs);
    this.log = new Log(this.options);
    this.world = new World({ now: this.options.now, changed: () => this.changed() });
    this.oddities = new Set();
    this.bot = this.addBot({ token: this.options.token, ...this.options.bot });
    this.server = http.createServer({ keepAliveTimeout: 60000 }, (request, response) => this.handle(request, response));
    this.server.on('connection', (socket) => { this.log.connections++; socket.setNoDelay(true); });
  }

  addBot(given) {
    const bot = new Bot(this, given);
    this.world.bots.push(bot);
    this.world.users.set(bot.user.id, bot.user);
    return bot;
  }

  async start(port = 0) {
    await new Promise((resolve, reject) => {
      this.server.on('error', reject);
      this.server.listen(port, '127.0.0.1', resolve);
    });
    this.root = `http://127.0.0.1:${this.server.address().port}`;
    return this.root;
  }

  async stop() {
    for (const bot of this.world.bots) bot.closeWebhook();
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  route(url) {
    for (const [from, to] of Object.entries(this.options.routes)) if (url.startsWith(from)) return to + url.slice(from.length);
    return url;
  }

  // ---- calls ----

  async handle(request, response) {
    let body;
    try {
      body = await collect(request);
    } catch (error) {
      if (error.message === 'too large') this.reply(response, 413, { ok: false, error_code: 413, description: 'Request Entity Too Large' });
      return;
    }
    const path = request.url.split('?')[0];
    const file = /^\/file\/bot([^/]+)\/(.+)$/.exec(path);
    if (file) return this.download(response, decodeURIComponent(file[1]), decodeURIComponent(file[2]));
    const match = /^\/bot([^/]*)\/([^/]*)$/.exec(path);
    if (!match) return this.reply(response, 404, { ok: false, error_code: 404, description: 'Not Found' });
    const [bot, refusal] = this.botOf(decodeURIComponent(match[1]));
    if (refusal) return this.reply(response, refusal.code, refusal.body());
    const { args, files, problem } = readArgs(request.url, request.headers, body);
    if (problem) return this.reply(response, 400, { ok: false, error_code: 400, description: `Bad Request: ${problem}` });
    await this.call(bot, match[2].toLowerCase(), args, files, { request, response });
  }

  botOf(token) {
    const invalid = [null, new ApiError(401, 'Unauthorized: invalid token specified')];
    if (token[0] === '0' || token.length > 80 || !/^\d{1,16}:/.test(token)) return invalid;
    const bot = this.world.bots.find((b) => b.token === token);
    return bot && !bot.revoked ? [bot, null] : [null, new ApiError(401, 'Unauthorized')];
  }

  // Do one call, with the fault that was ordered for it, and answer.
  async call(bot, method, args, files, { request, response, inResponse = false }) {
    const entry = this.log.call(bot, method, args, files, { inResponse, request });
    const fault = this.faults.call(bot, method, args);
    if (fault) entry.fault = fault.do;
    if (fault?.do === 'drop') return request?.socket.destroy();
    if (fault?.do === 'delay') await sleep(fault.ms);
    const answer = ['error', 'html'].includes(fault?.do) ? this.refused(fault, args) : await this.execute(bot, method, args, files, response, entry);
    this.log.answered(entry, answer);
    this.changed();
    if (!response) return undefined;
    if (fault?.do === 'drop_after') return request.socket.destroy();
    if (fault?.do === 'hang') return undefined;
    if (fault?.do === 'delay_after') await sleep(fault.ms);
    if (fault?.do === 'html') {
      response.writeHead(answer.status, { 'Content-Type': 'text/html' }).end('<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>\n');
      return undefined;
    }
    return this.reply(response, answer.status, answer.body, fault);
  }

  refused(fault, args) {
    const code = fault.code ?? (fault.do === 'html' ? 502 : 500);
    const parameters = fault.retry_after === undefined ? fault.parameters : { retry_after: fault.retry_after };
    if (fault.retry_after !== undefined) this.limits.hold(args.chat_id, fault.retry_after);
    const texts = { 429: `Too Many Requests: retry after ${fault.retry_after}`, 500: 'Internal Server Error: restart' };
    return { status: code, body: new ApiError(code, fault.description ?? texts[code] ?? http.STATUS_CODES[code], parameters).body() };
  }

  async execute(bot, method, args, files, response, entry) {
    const context = { bot, world: this.world, options: this.options, files, gone: (then) => response?.on('close', then) };
    try {
      if (!Object.hasOwn(methods, method)) throw new ApiError(404, 'Not Found: method not found');
      const attached = (name) => name in files && Object.values(args).includes(`attach://${name}`);
      for (const name of [...Object.keys(args), ...Object.keys(files)])
        if (!known(method, name) && !attached(name)) this.oddities.add(`${method}: ${name}`);
      const id = Number(args.chat_id);
      if (args.chat_id) this.limits.check(method, args.chat_id, id < 0 && this.world.chats.get(id)?.type !== 'channel');
      else this.limits.check(method, method);
      const result = await methods[method](context, args);
      entry.done = true;
      if (Array.isArray(result) && result.length === 2 && typeof result[1] === 'string') return { status: 200, body: { ok: true, result: result[0], description: result[1] } };
      return { status: 200, body: { ok: true, result } };
    } catch (error) {
      if (!(error instanceof ApiError)) {
        this.log.broken.push(error);
        throw error;
      }
      return { status: error.code, body: error.body() };
    }
  }

  reply(response, status, body, fault) {
    const bytes = Buffer.from(JSON.stringify(body));
    const headers = { 'Content-Type': 'application/json', 'Content-Length': bytes.length };
    if (body.parameters?.retry_after) headers['Retry-After'] = body.parameters.retry_after;
    response.writeHead(status, headers);
    if (fault?.do === 'half') {
      response.write(bytes.subarray(0, bytes.length >> 1));
      setTimeout(() => response.destroy(), 10);
    } else if (fault?.do === 'slow') dribble(response, bytes, fault.ms ?? 5);
    else response.end(bytes);
  }

  download(response, token, path) {
    const [, refusal] = this.botOf(token);
    if (refusal) return this.reply(response, refusal.code, refusal.body());
    const file = [...this.world.files.values()].find((f) => f.path === path);
    if (!file) return this.reply(response, 404, { ok: false, error_code: 404, description: 'Not Found' });
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': file.content.length });
    return response.end(file.content);
  }

  fault(given) { return this.faults.add(given); }

  // ---- for tests ----

  user(given) { return this.world.user(given); }
  group(...args) { return this.world.group(...args); }
  supergroup(...args) { return this.world.supergroup(...args); }
  forum(...args) { return this.world.forum(...args); }
  channel(...args) { return this.world.channel(...args); }
  topic(...args) { return this.world.topic(...args); }
  private(person, bot = this.bot) { return this.world.privateChat(person, bot); }

  // What a person sees in a chat: [{id, from, text, …}] (telegram/screen.js).
  screen(chat, more) { return this.world.screen(this.chat(chat), more).map(read); }
  // The bot's messages there.
  spoken(chat, more) { return this.screen(chat, more).filter((m) => m.bot); }
  chat(chat) { return chat.language_code !== undefined || chat.first_name !== undefined ? this.private(chat) : chat; }

  changed() { for (const look of [...this.waiting]) look(); }

  // Wait until look() gives something true; looked at whenever anything changes.
  until(look, { ms = 20000, what = 'what the test waits for' } = {}) {
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        this.waiting.delete(check);
        reject(new Error(`${what} did not come within ${ms} ms; the last calls:\n${this.log.tail()}`));
      }, ms);
      const check = () => {
        let found;
        try { found = look(); } catch (error) { found = error; }
        if (!found) return;
        clearTimeout(limit);
        this.waiting.delete(check);
        if (found instanceof Error) reject(found);
        else resolve(found);
      };
      this.waiting.add(check);
      check();
    });
  }

  // The bot's first message in a chat that said() has not given yet (or that comes).
  async said(chat, { ms, thread, matching } = {}) {
    const where = this.chat(chat);
    where.given ??= new Set();
    const message = await this.until(() => this.spoken(where, { thread })
      .find((m) => !where.given.has(m.id) && (!matching || matching.test(m.text ?? m.caption ?? ''))), { ms, what: `a message of the bot in ${where.title ?? where.person.name}` });
    where.given.add(message.id);
    return message;
  }

  // Wait until everything was delivered and nothing happened for ms.
  async quiet(ms = 300) {
    for (;;) {
      const before = this.log.count;
      await this.until(() => this.world.bots.every((bot) => bot.pending.size === 0 || (!bot.webhook && !bot.poll)), { what: 'the delivery of all updates' });
      await sleep(ms);
      if (this.log.count === before) return;
    }
  }
}

module.exports = { Telegram };

if (require.main === module) require('./telegram/program.js').main(Telegram);
