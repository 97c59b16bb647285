// Several instances behind one webhook, on one store: a chat is worked on by one at a time, in order.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { join } from 'node:path';
import { rmSync } from 'node:fs';
import { nextMinute, run, scratch, start } from './theo.js';
import { postgres } from './postgres-server.js';
import { Telegram } from '../peers/telegram.js';

const secret = 'webhook-secret_1';
let server, missing;

before(async () => {
  const got = await postgres('direct');
  if (typeof got === 'string') missing = got;
  else server = got;
});
after(async () => { await server?.end(); });

const reply = (content) => JSON.stringify({ id: 'x', object: 'chat.completion', model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } });

// A model that answers "answer N" to "question N", ms(N) later. calls: the numbers in the order they
// came; most: how many it worked on at once, of one chat ("of X" in the question).
async function model(ms) {
  const found = { calls: [], atWork: new Map(), most: 0 };
  const web = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => { body += chunk; });
    request.on('end', async () => {
      const asked = JSON.parse(body).messages.at(-1).content;
      response.setHeader('Content-Type', 'application/json');
      if (asked.startsWith('{')) { // what is to be kept of the talk
        response.end(reply('{}'));
        return;
      }
      const [, n, chat] = /question (\d+) of (\w+)/.exec(asked);
      const now = (found.atWork.get(chat) ?? 0) + 1;
      found.calls.push(`${chat}${n}`);
      found.atWork.set(chat, now);
      found.most = Math.max(found.most, now);
      let over = false;
      const end = () => { if (!over) { over = true; found.atWork.set(chat, found.atWork.get(chat) - 1); } };
      response.on('close', end);
      await new Promise((resolve) => setTimeout(resolve, ms(Number(n))));
      end();
      response.end(reply(`answer ${n} of ${chat}`));
    });
  });
  await new Promise((resolve) => web.listen(0, '127.0.0.1', resolve));
  found.env = { THEO_MODEL: 'openai:gpt-test', THEO_OPENAI_BASE_URL: `http://127.0.0.1:${web.address().port}/v1`, OPENAI_API_KEY: 'sk-x', THEO_MODEL_FALLBACK: '' };
  found.close = () => { web.closeAllConnections(); web.close(); };
  return found;
}

// Before the instances: gives each delivery to the next of them that lives.
async function balancer(instances) {
  let turn = 0;
  const web = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    for (let i = 0; i < instances.length; i++) {
      const theo = instances[turn++ % instances.length];
      try {
        const answer = await fetch(theo.url + request.url, { method: 'POST', body: Buffer.concat(chunks),
          headers: { 'Content-Type': 'application/json', 'X-Telegram-Bot-Api-Secret-Token': request.headers['x-telegram-bot-api-secret-token'] } });
        theo.taken = (theo.taken ?? 0) + 1;
        return response.writeHead(answer.status).end();
      } catch { /* it is dead: the next one */ }
    }
    return response.writeHead(502).end();
  });
  await new Promise((resolve) => web.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${web.address().port}`, close: () => { web.closeAllConnections(); web.close(); } };
}

// Two instances on the same store, a group for each name, and a model that takes ms(N).
async function open(t, { store, ms, chats = ['A'], limits = false }) {
  const dir = scratch(), thinking = await model(ms), tg = new Telegram({ bot: { privacy: false }, ...(limits ? {} : { limits: false }) });
  await tg.start();
  const people = [tg.user('Ana'), tg.user('Ben')];
  const groups = chats.map((name) => tg.supergroup(name, people, { quiet: true }));
  tg.bot.clear();
  const env = { THEO_TELEGRAM_TOKEN: tg.bot.token, THEO_TELEGRAM_API_ROOT: tg.root, THEO_TELEGRAM_WEBHOOK_SECRET: secret, THEO_TELEGRAM_STREAM: 'off',
    ...(limits ? {} : { THEO_TELEGRAM_LIMIT_CHAT: '0', THEO_TELEGRAM_LIMIT_GROUP: '0' }), THEO_TELEGRAM_ALLOW: [...people, ...groups].map((one) => one.id).join(','),
    ...thinking.env, ...(store ? { THEO_STORE: store } : {}) };
  const made = await run(['keys', 'create', '--data-dir', join(dir, 'data'), '--name', 'e2e', '--scopes', 'admin', '--json'], { env });
  assert.equal(made.code, 0, made.stderr);
  const { key } = JSON.parse(made.stdout);
  const instances = [await start({ dir, key, env }), await start({ dir, key, env })];
  const front = await balancer(instances);
  tg.bot.setWebhook({ url: `${front.url}/telegram/webhook`, max_connections: 40, secret_token: secret });
  t.after(async () => {
    await Promise.all(instances.map((theo) => theo.stop()));
    front.close();
    thinking.close();
    await tg.stop();
    rmSync(dir, { recursive: true, force: true });
    for (const theo of instances) assert.doesNotMatch(theo.log, /ERROR: (Address|Leak|Undefined)Sanitizer|runtime error:/);
  });
  return { tg, people, groups, instances, thinking, ms };
}

const stores = [['SQLite', async () => ''], ['PostgreSQL', async (name) => { await server.create(name); return server.url(name); }]];
const on = (title, name, fn, kinds = ['SQLite', 'PostgreSQL']) => {
  for (const [kind, store] of stores.filter(([one]) => kinds.includes(one)))
    test(`${title}, on ${kind}`, { timeout: 150000 }, async (t) => {
      if (kind === 'PostgreSQL' && !server) { t.skip(missing); return; }
      await fn(t, await store(name));
    });
};

on('a chat whose updates come to two instances in turn: each question is answered once, in order, one at a time', 'turns', async (t, store) => {
  const { tg, people, groups, instances, thinking } = await open(t, { store, ms: (n) => (n % 3) * 80, chats: ['A', 'B'] });
  for (let n = 0; n < 12; n++)
    for (const group of groups) {
      people[n % 2].says(group, `@TheoBot question ${n} of ${group.title}`);
      if (n % 4 === 1) people[0].says(group, 'a word between us'); // needs no answer
    }
  const expected = (name) => Array.from({ length: 12 }, (_, n) => `answer ${n} of ${name}`);
  await tg.until(() => groups.every((group) => tg.spoken(group).length >= 12), { ms: 60000, what: 'all answers' });
  await tg.quiet(1500);
  for (const group of groups) {
    assert.deepEqual(tg.spoken(group).map((m) => m.text), expected(group.title));
    assert.equal(new Set(tg.spoken(group).map((m) => m.reply_to)).size, 12);
  }
  assert.equal(thinking.most, 1, 'one piece of work of a chat at a time');
  assert.equal(thinking.calls.length, 24, 'no question was thought about twice');
  for (const theo of instances) assert.ok(theo.taken >= 10, 'both were given updates');
});

on('with the limits of Telegram what waits at one instance does not wait for the lease of the other', 'limits', async (t, store) => {
  const { tg, people, groups: [group], instances: [theo] } = await open(t, { store, limits: true, ms: () => 5 });
  for (let n = 0; n < 12; n++) people[n % 2].says(group, `@TheoBot question ${n} of A`);
  await tg.until(() => tg.spoken(group).length >= 12, { ms: 29000, what: 'all answers' }); // sooner than a lease ends
  // Two deliveries at once may come in in either order: what counts is the order of the chat's record.
  const [session] = (await theo.api('GET', '/api/sessions')).json.sessions;
  const { messages } = (await theo.api('GET', `/api/sessions/${session.id}/messages?limit=200`)).json;
  const heard = messages.filter((m) => m.direction === 'in').map((m) => m.message.replace('@TheoBot question', 'answer'));
  assert.deepEqual(tg.spoken(group).map((m) => m.text), heard);
  assert.deepEqual(tg.log.calls.filter((call) => /edit/i.test(call.method)), [], 'nothing is looked for that was never sent');
}, ['PostgreSQL']);

on('the instance that works on a chat is killed: the other goes on with what it left, in order, and nothing comes twice', 'killed', async (t, store) => {
  let first = true;
  const { tg, people, groups: [group], instances, thinking } = await open(t, { store, ms: () => (first ? 60000 : 50) });
  people[0].says(group, '@TheoBot question 0 of A');
  for (let n = 1; n < 4; n++) people[n % 2].says(group, `@TheoBot question ${n} of A`);
  await tg.until(() => tg.bot.pending.size === 0 && thinking.calls.length > 0, { what: 'the work' });
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.deepEqual(thinking.calls, ['A0'], 'the others wait for the first');
  assert.deepEqual(instances.map((theo) => theo.taken), [2, 2]);
  await instances[0].kill();
  first = false;
  await tg.until(() => tg.spoken(group).length >= 4, { ms: 100000, what: 'all answers' });
  await tg.quiet(2000);
  assert.deepEqual(tg.spoken(group).map((m) => m.text), [0, 1, 2, 3].map((n) => `answer ${n} of A`));
  assert.deepEqual(thinking.calls, ['A0', 'A0', 'A1', 'A2', 'A3'], 'only what was cut off is thought about again');
}, ['PostgreSQL']);

on('the instance that works on a chat stops: what waited there is done by the other', 'stopped', async (t, store) => {
  const { tg, people, groups: [group], instances } = await open(t, { store, ms: () => 700 });
  for (let n = 0; n < 4; n++) people[n % 2].says(group, `@TheoBot question ${n} of A`);
  await tg.until(() => tg.bot.pending.size === 0, { what: 'the deliveries' });
  await instances[0].stop();
  await tg.until(() => tg.spoken(group).length >= 4, { ms: 25000, what: 'all answers' }); // sooner than a lease ends
  await tg.quiet(1500);
  assert.deepEqual(tg.spoken(group).map((m) => m.text), [0, 1, 2, 3].map((n) => `answer ${n} of A`));
}, ['SQLite']);

// Each instance looks for what is due by itself, and the rows of all groups are due at once.
on('what is due is said once', 'due', async (t, store) => {
  const { tg, people: [ana], groups } = await open(t, { store, ms: () => 0, chats: ['A', 'B', 'C', 'D'] });
  const at = nextMinute();
  for (const group of groups)
    for (const what of ['deck', 'contract'])
      ana.says(group, `/remind at ${new Date(at).toISOString().slice(11, 16)} UTC send the ${what}`);
  for (const group of groups) await tg.until(() => tg.spoken(group).length >= 2, { ms: 60000 });
  for (const group of groups) await tg.until(() => tg.spoken(group).length >= 4, { ms: 150000 });
  await tg.quiet(6000);
  for (const group of groups)
    assert.deepEqual(tg.spoken(group).map((one) => /Reminder: send the \w+/.exec(one.text)?.[0]).filter(Boolean).sort(),
      ['Reminder: send the contract', 'Reminder: send the deck'], group.title);
});
