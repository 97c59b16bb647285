// theo telegram: what Telegram is told once, and only when it differs; pairing; theo poll; the webhook.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Telegram } from '../peers/telegram.js';
import { run, scratch, start, freePort } from './theo.js';

let tg, dir, env;
before(async () => {
  tg = new Telegram({ bot: { username: 'TheoBot', privacy: true }, limits: false });
  await tg.start();
  dir = scratch();
  env = { THEO_TELEGRAM_TOKEN: tg.bot.token, THEO_TELEGRAM_API_ROOT: tg.root, THEO_DATA_DIR: `${dir}/data` };
});
after(() => tg.stop());

const calls = (method) => tg.log.of(method).length;
const hook = (more = {}) => ({ ...env, THEO_TELEGRAM_WEBHOOK_URL: 'https://theo.example/telegram/webhook', THEO_TELEGRAM_WEBHOOK_SECRET: 'abc_123', ...more });
const telegram = async (verb, more = env) => {
  const { code, stdout, stderr } = await run(['telegram', verb, '--json'], { env: more });
  assert.equal(code, 0, stderr);
  const { findings } = JSON.parse(stdout);
  return { all: findings, changed: findings.filter((f) => f.state === 'changed').length, said: findings.map((f) => f.text).join('\n') };
};

test('setup sets what differs, and nothing the second time', async () => {
  const before = await telegram('status');
  assert.equal(before.changed, 0);
  assert.match(before.said, /Privacy mode is on.*\/setprivacy/);
  assert.match(before.said, /nobody is answered/);
  const first = await telegram('setup');
  assert.equal(first.changed, 1);
  assert.match(first.said, /Menus of commands set: 12 /);
  assert.equal(calls('setMyCommands'), 12);
  const menu = (key) => tg.bot.commands.get(key).map((c) => c.command);
  for (const language of ['', 'es', 'de', 'fr', 'ru', 'pt']) {
    assert.ok(menu(`default ${language}`).includes('poll') && !menu(`default ${language}`).includes('start'), 'groups');
    assert.ok(menu(`all_private_chats ${language}`).includes('start') && !menu(`all_private_chats ${language}`).includes('poll'), 'private chats');
  }
  assert.match(tg.bot.commands.get('all_private_chats de').find((c) => c.command === 'agenda').description, /Termine|Kalender/);
  const commands = calls('setMyCommands');
  tg.bot.commands.set('all_private_chats ru', []);
  assert.equal((await telegram('setup')).changed, 1, 'only what differs');
  assert.equal(calls('setMyCommands'), commands + 1);
  assert.equal((await telegram('setup')).changed, 0);
  assert.equal(calls('setMyCommands'), commands + 1);
  assert.doesNotMatch((await telegram('status')).said, /not current/);
});

test('setup waits as long as Telegram says', async () => {
  tg.bot.commands.set('all_private_chats ru', []);
  const before = calls('setMyCommands');
  tg.fault({ method: 'setMyCommands', do: 'error', code: 429, retry_after: 1 });
  const set = await telegram('setup');
  assert.match(set.said, /Menus of commands set: 1 /);
  assert.equal(calls('setMyCommands'), before + 2);
});

test('the webhook is registered when address, secret or kinds of updates changed', async () => {
  assert.match((await telegram('status', hook())).said, /not as configured/);
  assert.equal((await telegram('setup', hook())).changed, 1);
  assert.equal((await telegram('setup', hook())).changed, 0);
  assert.equal((await telegram('setup', hook({ THEO_TELEGRAM_WEBHOOK_SECRET: 'other' }))).changed, 1);
  assert.match((await telegram('status')).said, /long polling cannot work beside/);
  assert.match((await telegram('remove')).said, /webhook .* is removed/);
});

test('mistakes are one plain line', async () => {
  for (const [args, more, code, want] of [
    [['telegram', 'status'], { THEO_TELEGRAM_TOKEN: '12:wrong' }, 1, /401 Unauthorized.*telegram\.token/],
    [['telegram', 'status'], { THEO_TELEGRAM_TOKEN: 'bad' }, 2, /not a bot token/],
    [['telegram', 'status'], { THEO_TELEGRAM_TOKEN: '' }, 2, /telegram\.token is not set/],
    [['telegram', 'setup'], hook({ THEO_TELEGRAM_WEBHOOK_SECRET: '' }), 2, /telegram\.webhook-secret/],
    [['telegram', 'dance'], {}, 2, /knows setup, status, remove and pair/],
    [['poll'], { THEO_TELEGRAM_TOKEN: '' }, 2, /telegram\.token is not set/],
    [['serve'], { THEO_TELEGRAM_RECEIVE: 'pigeon' }, 2, /telegram\.receive must be/],
  ]) {
    const { code: got, stderr } = await run(args, { env: { ...env, ...more } });
    assert.equal(got, code, stderr);
    assert.match(stderr, want);
    assert.equal(stderr.trim().split('\n').filter((l) => !l.startsWith('{')).length, 1, stderr);
    assert.ok(!stderr.includes(tg.bot.token), 'the token is never shown');
  }
});

test('doctor tells of the token, the privacy mode and the webhook, and changes nothing', async () => {
  const doctor = async (more) => {
    const { code, stdout } = await run(['doctor', '--json'], { env: { ...env, ...more } });
    return { code, said: JSON.parse(stdout).filter((f) => f.check === 'telegram').map((f) => `${f.state}: ${f.detail}`) };
  };
  const set = calls('setMyCommands');
  const good = await doctor({ THEO_TELEGRAM_ALLOW: '42' });
  assert.equal(good.code, 0);
  assert.match(good.said[0], /^ok: The token works: @TheoBot/);
  assert.match(good.said[1], /^note: Privacy mode is on/);
  assert.equal(good.said.length, 2);
  assert.match((await doctor(hook({ THEO_TELEGRAM_ALLOW: '42' }))).said.join('\n'), /note: The webhook is not as configured/);
  const bad = await doctor({ THEO_TELEGRAM_TOKEN: '12:wrong' });
  assert.equal(bad.code, 1);
  assert.match(bad.said[0], /^broken: .*401/);
  assert.deepEqual((await doctor({ THEO_TELEGRAM_TOKEN: '' })).said, []);
  assert.equal(calls('setMyCommands'), set, 'it changes nothing');
});

test('a pairing code lets one chat in, once; others are told that Theo is private', async () => {
  const paired = await run(['telegram', 'pair'], { env });
  const code = paired.stdout.split('\n')[0];
  const theo = await start({ dir, env });
  const ana = tg.user('Ana'), ben = tg.user('Ben');
  try {
    ana.says(tg.bot, 'hello?');
    assert.match((await tg.said(ana)).text, /pairing code/);
    ana.says(tg.bot, '/start nonsense');
    assert.match((await tg.said(ana)).text, /not valid/);
    ana.says(tg.bot, `/start ${code}`);
    assert.match((await tg.said(ana)).text, /Welcome/);
    ana.says(tg.bot, '/status');
    assert.match((await tg.said(ana)).text, /working/);
    ben.says(tg.bot, `/start ${code}`);
    assert.match((await tg.said(ben)).text, /not valid/);
    const kept = (await theo.api('GET', '/api/sessions')).json.sessions;
    assert.equal(kept.length, 1, 'nothing of strangers is kept');
  } finally {
    await theo.stop();
  }
});

test('the webhook takes what shows its secret, once', async () => {
  const port = await freePort();
  const theo = await start({ dir, port, env: hook({ THEO_TELEGRAM_ALLOW: '42' }) });
  const deliver = (body, secret = 'abc_123') => fetch(`${theo.url}/telegram/webhook`, {
    method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'Content-Type': 'application/json', ...(secret ? { 'X-Telegram-Bot-Api-Secret-Token': secret } : {}) },
  });
  const update = (id, text) => ({ update_id: id, message: { message_id: id, date: Math.floor(Date.now() / 1000), text, chat: { id: 42, type: 'private', first_name: 'Li' }, from: { id: 42, is_bot: false, first_name: 'Li' } } });
  try {
    for (let i = 0; (await deliver(update(1, 'hi'))).status === 503; i++) {
      assert.ok(i < 500);
      await new Promise((r) => setTimeout(r, 100));
    }
    assert.equal((await deliver(update(1, 'hi'))).status, 200, 'again');
    assert.equal((await deliver(update(2, 'ho'), '')).status, 401);
    assert.equal((await deliver(update(2, 'ho'), 'abc_124')).status, 401);
    assert.equal((await deliver('{')).status, 400);
    assert.equal((await deliver('[1]')).status, 400);
    assert.equal((await deliver({ update_id: 9, something_new: {} })).status, 200);
    const [session] = (await theo.api('GET', '/api/sessions')).json.sessions.filter((s) => s.title === 'Li');
    const said = (await theo.api('GET', `/api/sessions/${session.id}/messages`)).json.messages.filter((m) => m.party === 'Li');
    assert.deepEqual(said.map((m) => m.message), ['hi']);
  } finally {
    await theo.stop();
  }
  const closed = await start({ env: { THEO_TELEGRAM_TOKEN: '' } });
  try {
    assert.equal((await fetch(`${closed.url}/telegram/webhook`, { method: 'POST', body: '{}', headers: { 'Content-Type': 'application/json' } })).status, 404);
  } finally {
    await closed.stop();
  }
});
