// theo doctor on installations that are broken in ways that happen: it says what is wrong, and what to do.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bin, cleanEnv, run, scratch, start } from './theo.js';

const TOKEN = '123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';

const withDir = (fn) => async (t) => {
  const dir = scratch();
  try { await fn(dir, t); } finally { rmSync(dir, { recursive: true, force: true }); }
};

// A server of models, or of bots, that answers everything alike.
async function serve(status, body, headers = {}) {
  const server = createServer((request, response) => response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body)));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => new Promise((resolve) => server.close(resolve)) };
}

// What is wrong in env: {check: detail} of what is not ok.
async function wrong(dir, env, args = []) {
  const out = await run(['doctor', '--json', '--data-dir', join(dir, 'data'), ...args], { env });
  const all = JSON.parse(out.stdout), bad = all.filter((one) => one.state !== 'ok' && one.check !== 'open files');
  assert.equal(out.code, all.some((one) => one.state === 'broken') ? 1 : 0);
  assert.equal(out.stderr, '', 'the findings say it');
  return Object.fromEntries(bad.map((one) => [one.check, one.detail]));
}

const SETTINGS = [
  [{ THEO_MODEL: 'openai:x' }, 'model', /OPENAI_API_KEY/],
  [{ THEO_MODEL: 'anthropic:x' }, 'model', /ANTHROPIC_API_KEY/],
  [{ THEO_MODEL: 'gemini:x' }, 'model', /GEMINI_API_KEY/],
  [{ THEO_MODEL_FALLBACK: 'foo' }, 'model', /"foo".*builtin/],
  [{ THEO_MODEL: 'openai:x', THEO_OPENAI_BASE_URL: 'foo' }, 'model', /openai\.base-url.*https/],
  [{ THEO_MODEL: 'openai:x', THEO_OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' }, 'model', /127\.0\.0\.1:9.*refused.*openai\.base-url/],
  [{ THEO_MODEL_PRICES: 'foo' }, 'model', /model\.prices.*"foo"/],
  [{ THEO_STORE: 'postgres:foo' }, 'store', /postgres:\/\/HOST/],
  [{ THEO_STORE: 'mysql://x' }, 'store', /"mysql".*sqlite/],
  [{ THEO_STORE: 'dynamodb://x' }, 'store', /dynamodb:\/\/REGION\/TABLE/],
  [{ THEO_STORE: 'memory' }, 'data folder', /lost/],
  [{ THEO_REDIS_URL: 'redis://127.0.0.1:9' }, 'cache', /refused.*redis\.url/],
  [{ THEO_REDIS_URL: 'foo' }, 'cache', /redis:\/\//],
  [{ THEO_KEY_PROVIDER: 'foo' }, 'master key', /"foo".*file, env/],
  [{ THEO_KEY_PROVIDER: 'env' }, 'master key', /THEO_MASTER_KEY/],
  [{ THEO_KEY_PROVIDER: 'env', THEO_MASTER_KEY: 'abc' }, 'master key', /64 hex digits/],
  [{ THEO_TELEGRAM_TOKEN: 'abc' }, 'telegram', /BotFather/],
  [{ THEO_TELEGRAM_TOKEN: TOKEN, THEO_TELEGRAM_API_ROOT: 'http://127.0.0.1:9' }, 'telegram', /refused.*telegram\.api-root/],
  [{ THEO_TELEGRAM_TOKEN: TOKEN, THEO_TELEGRAM_WEBHOOK_URL: 'http://theo.example/telegram/webhook' }, 'telegram', /https/],
  [{ THEO_TELEGRAM_TOKEN: TOKEN, THEO_TELEGRAM_WEBHOOK_SECRET: 'a b' }, 'telegram', /openssl rand/],
  [{ THEO_TELEGRAM_TOKEN: TOKEN, THEO_TELEGRAM_ALLOW: '42, @ana' }, 'telegram', /"@ana".*theo telegram pair/],
  [{ THEO_TELEGRAM_RECEIVE: 'pigeon' }, 'telegram', /"pigeon"/],
  [{ THEO_SPEECH_BASE_URL: 'foo' }, 'settings', /speech\.base-url.*"foo"/],
  [{ THEO_SERVER_PUBLIC_URL: 'foo' }, 'settings', /server\.public-url.*"foo"/],
  [{ THEO_LISTEN: 'foo' }, 'address', /HOST:PORT/],
  [{ THEO_TLS_CERT: '/no.pem', THEO_TLS_KEY: '/no.pem' }, 'certificate', /tls\.cert/],
];

test('wrong settings, before the first start too; looking makes no folder', withDir(async (dir) => {
  for (const [i, [env, check, says]] of SETTINGS.entries()) {
    const own = join(dir, `${i}`), found = await wrong(own, env);
    assert.match(found[check] ?? JSON.stringify(found), says, JSON.stringify(env));
    if (!env.THEO_STORE?.includes(':')) assert.ok(!existsSync(own), JSON.stringify(env));
  }
  assert.deepEqual(await wrong(dir, {}), {});
}));

test('a theo.yaml that cannot be read is one line with its place', withDir(async (dir) => {
  const file = join(dir, 'theo.yaml');
  writeFileSync(file, 'log:\n  level: [warn\n');
  const out = await run(['doctor', '--json', '--config', file]);
  assert.equal(out.code, 2);
  assert.match(out.stderr, /theo\.yaml:\d+/);
}));

test('models: a wrong key, a name the server does not list, a clock that is off', withDir(async (dir) => {
  const env = (server) => ({ THEO_MODEL: 'openai:gpt-mine', THEO_OPENAI_BASE_URL: server.url, OPENAI_API_KEY: 'sk-x' });
  const refusing = await serve(401, { error: { message: 'no' } });
  assert.match((await wrong(dir, env(refusing))).model, /refuses the key.*OPENAI_API_KEY/);
  await refusing.stop();
  const other = await serve(200, { data: [{ id: 'gpt-yours' }] });
  assert.match((await wrong(dir, env(other))).model, /does not list.*theo models check/);
  await other.stop();
  const gemini = await serve(200, { models: [{ name: 'models/gemini-mine-001' }] });
  assert.deepEqual(await wrong(dir, { THEO_MODEL: 'gemini:gemini-mine', THEO_GEMINI_BASE_URL: gemini.url, GEMINI_API_KEY: 'x' }), {});
  await gemini.stop();
  const date = (seconds) => ({ Date: new Date(Date.now() + seconds * 1000).toUTCString() });
  for (const [seconds, says] of [[0, undefined], [-3600, /ahead of .*NTP/], [7200, /behind .*NTP/]]) {
    const server = await serve(200, { data: [{ id: 'gpt-mine' }] }, date(seconds));
    const found = await wrong(dir, env(server));
    if (says) assert.match(found.clock ?? JSON.stringify(found), says);
    else assert.deepEqual(found, {});
    await server.stop();
  }
}));

test('a Telegram token that is wrong', withDir(async (dir) => {
  const bot = await serve(401, { ok: false, error_code: 401, description: 'Unauthorized' });
  assert.match((await wrong(dir, { THEO_TELEGRAM_TOKEN: TOKEN, THEO_TELEGRAM_API_ROOT: bot.url })).telegram, /401.*token/i);
  await bot.stop();
}));

test('rights of the data folder and its keys', withDir(async (dir) => {
  const data = join(dir, 'data');
  await run(['migrate', '--data-dir', data]);
  chmodSync(data, 0o755);
  assert.match((await wrong(dir, {}))['data folder'], /chmod 700/);
  chmodSync(data, 0o700);
  chmodSync(join(data, 'master.key'), 0o644);
  assert.match((await wrong(dir, {}))['master key'], /chmod 600/);
}));

test('a data folder of somebody else', { skip: process.getuid() !== 0 && 'needs root to be somebody else' }, withDir(async (dir) => {
  const data = join(dir, 'data');
  await run(['migrate', '--data-dir', data]);
  chmodSync(dir, 0o755);
  const asNobody = () => {
    try {
      return execFileSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', bin, 'doctor', '--data-dir', data], { cwd: '/', env: cleanEnv({}), encoding: 'utf8' });
    } catch (error) {
      assert.equal(error.status, 1, error.stderr);
      return error.stdout;
    }
  };
  assert.match(asNobody(), /✗ data folder .*(rights|chown)/);
  chownSync(data, 65534, 65534);
  rmSync(join(data, 'master.key'));
  assert.match(asNobody(), /✗ (store|master key) .*master/);
}));

test('a full disk', { skip: process.getuid() !== 0 && 'needs root to mount a small one' }, withDir(async (dir, t) => {
  const data = join(dir, 'data');
  mkdirSync(data, { mode: 0o700 });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=700', 'tmpfs', data], { stdio: 'pipe' });
  } catch {
    t.skip('mounts are not allowed here');
    return;
  }
  try {
    await run(['migrate', '--data-dir', data]);
    assert.match((await wrong(dir, {})).disk, /\d MB are free.*make room/);
    try { execFileSync('dd', ['if=/dev/zero', `of=${join(data, 'fill')}`, 'bs=4k'], { stdio: 'pipe' }); } catch { /* until it is full */ }
    const full = await wrong(dir, {});
    assert.match(full.disk, /^0 MB are free/);
    assert.match(full.store, /full|room|space/i);
  } finally {
    execFileSync('umount', [data]);
  }
}));

test('a port that is taken: by Theo himself, or by something else', withDir(async (dir) => {
  const other = await serve(404, {});
  assert.match((await wrong(dir, { THEO_LISTEN: new URL(other.url).host })).address, /--listen/);
  await other.stop();
  const theo = await start();
  try {
    assert.deepEqual(await wrong(theo.dir, { THEO_LISTEN: `127.0.0.1:${theo.port}` }), {});
  } finally {
    await theo.stop();
  }
}));
