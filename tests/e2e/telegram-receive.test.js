// How updates come in: by webhook and by long polling, conflicts, several instances, restarts.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { House } from './telegram-theo.js';
import { run, start, freePort } from './theo.js';

const two = (tg) => { const [ana, ben] = [tg.user('Ana'), tg.user('Ben')]; return { ana, ben, group: tg.supergroup('Deals', [ana, ben], { quiet: true }) }; };
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function open(t, build, options = {}) {
  let made;
  const house = await House.open({ ...options, setUp: (tg) => {
    made = build(tg);
    tg.bot.clear();
    return (made.allow ?? Object.values(made)).flat().map((one) => one.id);
  } });
  t.after(() => house.close());
  return { house, tg: house.tg, ...made };
}
const until = async (what, check, ms = 30000) => {
  for (const end = Date.now() + ms; !check();) {
    if (Date.now() > end) throw new Error(`no ${what}`);
    await sleep(20);
  }
};
const polls = (tg) => tg.log.of('getUpdates');
const isPolling = (theo) => /telegram\.polling/.test(theo.log);

// All that people said in the chat of a title.
async function heard(theo, title) {
  const { json } = await theo.api('GET', '/api/sessions?limit=200');
  const [session] = json.sessions.filter((s) => s.title === title);
  if (!session) return [];
  const list = (await theo.api('GET', `/api/sessions/${session.id}/messages?limit=200`)).json.messages;
  return list.filter((m) => m.direction === 'in').map((m) => m.message);
}

// What Telegram sends, by hand.
const update = (id, text, chat = { id: 42, type: 'private', first_name: 'Li' }) => ({ update_id: id, message: {
  message_id: id, date: Math.floor(Date.now() / 1000), text, chat, from: { id: 42, is_bot: false, first_name: 'Li' } } });
const deliver = (theo, body, headers = { 'X-Telegram-Bot-Api-Secret-Token': 'webhook-secret_1' }) => fetch(`${theo.url}/telegram/webhook`, {
  method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers },
});
const connected = (theo) => until('connection', () => /channel\.connected/.test(theo.log));

test('of two instances on one store one polls; another takes over when it is killed, and when it stops', async (t) => {
  const { house, tg, ana } = await open(t, two, { mode: 'poll' });
  await until('polling', () => isPolling(house.theo));
  const others = [];
  t.after(() => Promise.all(others.map((other) => other.stop())));
  const another = async () => {
    const other = await start({ dir: house.dir, port: await freePort(), key: house.key, env: house.env });
    others.push(other);
    await connected(other);
    return other;
  };
  const second = await another();
  await sleep(6000); // longer than it takes to look at the lease again
  assert.equal(isPolling(second), false, 'only one asks');
  ana.says(tg.bot, 'hello');
  await tg.said(ana);
  assert.deepEqual(polls(tg).filter((c) => c.status === 409), []);

  await house.kill();
  await until('second poller', () => isPolling(second), 40000);
  ana.says(tg.bot, 'and now?');
  await tg.said(ana, { ms: 60000 }); // the dead one may have been in the middle of its answer

  const third = await another();
  assert.equal(isPolling(third), false);
  await second.stop();
  await until('third poller', () => isPolling(third), 40000);
  ana.says(tg.bot, 'still there?');
  await tg.said(ana, { ms: 20000 });
  await tg.quiet(1000);
  assert.equal(tg.spoken(ana).length, 3);
  await house.start();
});

test('polling beside a webhook says what to do, does not spin, and goes on when that is done', async (t) => {
  const { house, tg, ana } = await open(t, two, { mode: 'poll' });
  await tg.until(() => tg.bot.poll, { what: 'a waiting getUpdates' });
  tg.bot.setWebhook({ url: 'http://127.0.0.1:9/elsewhere', max_connections: 1 });
  const from = polls(tg).length;
  await until('advice', () => /theo telegram remove/.test(house.theo.log), 20000);
  await sleep(7000);
  const count = polls(tg).length - from;
  assert.ok(count <= 4, `${count} calls in 7 s`);
  assert.ok(polls(tg).slice(from).every((c) => c.status === 409));
  assert.ok(!house.theo.log.includes(tg.bot.token), 'the token is in no log');
  const removed = await run(['telegram', 'remove', '--data-dir', house.theo.data], { env: house.env });
  assert.equal(removed.code, 0, removed.stderr);
  assert.equal(tg.bot.webhook, null);
  ana.says(tg.bot, 'hello');
  await tg.said(ana, { ms: 40000 });
});

test('polling: each chat in order, once, over duplicates, lost answers, kill -9 and restarts', { timeout: 240000 }, async (t) => {
  const count = 40;
  const { house, tg, ana, ben, groups } = await open(t, (tg) => {
    const [ana, ben] = [tg.user('Ana'), tg.user('Ben')];
    const groups = Array.from({ length: 12 }, (_, i) => tg.supergroup(`Group ${i}`, [ana, ben], { quiet: true }));
    return { ana, ben, groups, allow: [ana, ben, ...groups] };
  }, { mode: 'poll', stub: { limits: false } });
  const text = (group, n) => `note ${n} of group ${group} is kept`;
  for (let k = 0; k < 10; k++) tg.fault({ on: 'update', do: 'duplicate', nth: 3 + 40 * k });
  tg.fault({ method: 'getUpdates', do: 'drop_after', nth: 2 });
  tg.fault({ method: 'getUpdates', do: 'html', code: 502, nth: 4 });
  for (let n = 0; n < count; n++) {
    for (const [g, group] of groups.entries()) (n % 2 ? ana : ben).says(group, text(g, n));
    if (n === 10) {
      await tg.until(() => tg.bot.pending.size < 100, { ms: 60000, what: 'the first batches' });
      await house.kill();
      await house.start();
    }
    if (n === 25) await house.restart();
  }
  await tg.until(() => tg.bot.pending.size === 0, { ms: 90000, what: 'all acknowledgements' });
  for (const [g] of groups.entries())
    assert.deepEqual(await heard(house.theo, `Group ${g}`), Array.from({ length: count }, (_, n) => text(g, n)), `group ${g}`);
});

test('webhook: an update is taken once, also over a restart, and only with the secret', async (t) => {
  const { house } = await open(t, () => ({ allow: [{ id: 42 }] }),
    { env: { THEO_TELEGRAM_RECEIVE: 'webhook', THEO_RATE_FAILURES_PER_MINUTE: '5' } });
  await connected(house.theo);
  const messages = () => heard(house.theo, 'Li');
  const words = ['first', 'second', 'third'];
  for (const [i, word] of words.entries()) assert.equal((await deliver(house.theo, update(900 + i, word))).status, 200);
  await house.restart();
  await connected(house.theo);
  for (const [i, word] of words.entries()) assert.equal((await deliver(house.theo, update(900 + i, word))).status, 200);
  await house.kill();
  await house.start();
  await connected(house.theo);
  assert.equal((await deliver(house.theo, update(902, 'third'))).status, 200);
  const address = { 'X-Forwarded-For': '203.0.113.7' };
  for (const headers of [{}, { 'X-Telegram-Bot-Api-Secret-Token': '' }, { 'X-Telegram-Bot-Api-Secret-Token': 'webhook-secret_' },
    { 'X-Telegram-Bot-Api-Secret-Token': 'webhook-secret_11' }, { Authorization: `Bearer ${house.key}` }])
    assert.equal((await deliver(house.theo, update(950, 'forged'), { ...headers, ...address })).status, 401, JSON.stringify(headers));
  assert.equal((await deliver(house.theo, update(950, 'forged'), address)).status, 429);
  assert.equal((await deliver(house.theo, update(902, 'third'), { 'X-Telegram-Bot-Api-Secret-Token': 'webhook-secret_1', ...address })).status,
    200, 'who has the secret is not limited');
  assert.deepEqual(await messages(), words);
  const deep = `{"update_id":960,"message":${'['.repeat(100)}${']'.repeat(100)}}`;
  for (const body of ['', '{', '[]', 'null', '{"update_id":"7"}', '{"update_id":-1}', deep])
    assert.equal((await deliver(house.theo, body)).status, 400, body.slice(0, 30));
  assert.equal((await deliver(house.theo, `{"update_id":961,"x":"${'x'.repeat(9 << 20)}"}`).catch(() => ({ status: 413 }))).status, 413);
  assert.equal((await fetch(`${house.theo.url}/telegram/webhook`)).status, 405);
});

// Needs a build with -Dfaults=true; the decorator "trace:" is where commits fail.
test('webhook: what could not be stored is asked for again', async (t) => {
  const { house, tg, ana } = await open(t, two, { env: { THEO_STORE: 'trace:sqlite' } });
  await connected(house.theo);
  await house.theo.stop();
  await house.start({ THEO_FAULTS: 'store.commit.before=4+' }); // the first ones are those of the start
  await connected(house.theo);
  let answer;
  for (let i = 0; i < 10 && answer?.status !== 503; i++)
    answer = await deliver(house.theo, update(990 + i, `hello ${i}`, { id: ana.id, type: 'private', first_name: 'Ana' }));
  if (answer.status === 200) return t.skip('this build has no named faults');
  assert.equal(answer.status, 503);
  assert.ok(Number(answer.headers.get('retry-after')) >= 1);
  ana.says(tg.bot, 'hello again');
  await tg.until(() => tg.log.deliveries.some((d) => d.status === 503), { ms: 15000, what: 'a refused delivery' });
  assert.equal(tg.bot.pending.size, 1);
  await house.kill();
  await house.start();
  await tg.until(() => tg.bot.pending.size === 0, { ms: 20000, what: 'the acknowledgement' });
  assert.equal((await heard(house.theo, 'Ana')).filter((text) => text === 'hello again').length, 1);
});
