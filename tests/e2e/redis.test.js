// Instances that share a Redis: one limit, revocations at once; and Theo without it when it is gone.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import net from 'node:net';
import { start, run, scratch, freePort } from './theo.js';

const program = ['/usr/bin/redis-server', '/usr/local/bin/redis-server', '/bin/redis-server'].find((path) => {
  try { accessSync(path, constants.X_OK); return true; } catch { return false; }
});
const skip = program ? false : 'redis-server is not installed';
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// A Redis that can be killed and started again on its port.
async function redis({ password } = {}) {
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'theo-redis-'));
  const words = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', dir];
  if (password) words.push('--requirepass', password);
  const server = {
    port, url: `redis://${password ? `:${password}@` : ''}127.0.0.1:${port}`,
    async up() {
      server.child = spawn(program, words, { stdio: 'ignore' });
      for (let i = 0; i < 500; i++) {
        try { return await server.say('PING'); } catch { await pause(20); }
      }
      throw new Error('redis-server does not start');
    },
    async down() {
      if (server.child.exitCode !== null || server.child.signalCode !== null) return;
      const gone = new Promise((resolve) => server.child.once('exit', resolve));
      server.child.kill('SIGKILL');
      await gone;
    },
    async end() { await server.down(); rmSync(dir, { recursive: true, force: true }); },
    // One inline command; the answer as Redis sends it.
    say: (command) => new Promise((resolve, reject) => {
      let out = '';
      const socket = net.connect(port, '127.0.0.1', () => {
        socket.write(`${password ? `AUTH ${password}\r\n` : ''}${command}\r\nQUIT\r\n`);
      });
      socket.on('data', (chunk) => { out += chunk; });
      socket.on('end', () => { socket.destroy(); resolve(out); });
      socket.on('error', reject);
    }),
  };
  await server.up();
  return server;
}

// Two instances on one data folder and one Redis.
async function pair(env) {
  const dir = scratch();
  const first = await start({ dir, env });
  const second = await start({ dir, env, key: first.key });
  return {
    first, second,
    async stop() {
      await second.stop();
      await first.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const until = async (what, check) => {
  for (let i = 0; i < 1000; i++) {
    if (await check()) return i;
    await pause(10);
  }
  throw new Error(`never: ${what}`);
};
const cacheHealth = async (theo) => (await theo.api('GET', '/api/config')).json.health.cache;
async function readyz(theo) {
  const { status, text } = await theo.api('GET', '/readyz');
  assert.equal(status, 200, text);
  return `${status} ${text}`;
}
// One of its loops at least.
const connected = (theo) => until('connected to Redis', async () => await cacheHealth(theo) === 'ok');

async function newKey(theo, scopes = ['read']) {
  const made = await theo.api('POST', '/api/auth/keys', { name: 'one of many', scopes });
  assert.equal(made.status, 201, made.text);
  return made.json;
}

test('two instances let one limit through together, and keep nothing readable in Redis', { skip }, async () => {
  const server = await redis();
  const both = await pair({ THEO_REDIS_URL: server.url, THEO_RATE_PER_MINUTE: '60' });
  try {
    await connected(both.first);
    await connected(both.second);
    const { key } = await newKey(both.first);
    const counts = {};
    await Promise.all(Array.from({ length: 160 }, async (_, i) => {
      const theo = i % 2 ? both.first : both.second;
      const { status } = await theo.api('GET', '/api/auth/whoami', undefined, { Authorization: `Bearer ${key}` });
      counts[status] = (counts[status] ?? 0) + 1;
    }));
    // One more comes free each second.
    assert.ok(counts[200] >= 60 && counts[200] <= 70, JSON.stringify(counts));
    assert.equal(counts[200] + counts[429], 160, JSON.stringify(counts));
    const keys = (await server.say('KEYS *')).split('\r\n').filter((line) => /^theo|^[a-z]/.test(line));
    assert.ok(keys.some((name) => name.startsWith('theo:default:rate:')), keys.join());
    for (const name of keys) assert.match(name, /^theo:([\w-]*:rate:[0-9a-f]{32}|:health)$/);
  } finally {
    await both.stop();
    await server.end();
  }
});

// How many polls 10 ms apart a revocation at one instance needs to count at the other.
async function pollsUntilRevoked(both) {
  const made = await newKey(both.first);
  const ask = () => both.second.api('GET', '/api/auth/whoami', undefined, { Authorization: `Bearer ${made.key}` });
  assert.equal((await ask()).status, 200); // read from the store now, and kept for a second
  const revoked = await both.first.api('DELETE', `/api/auth/keys/${made.id}`);
  assert.ok(revoked.status < 300, revoked.text);
  return until('revoked', async () => (await ask()).status === 401);
}

test('a key revoked at one instance is refused by the other at once', { skip }, async () => {
  const server = await redis();
  const both = await pair({ THEO_REDIS_URL: server.url });
  try {
    await connected(both.first);
    await until('listening', async () => /theo:keys\r\n:2/.test(await server.say('PUBSUB NUMSUB theo:keys')));
    const polls = [];
    for (let round = 0; round < 7; round++) polls.push(await pollsUntilRevoked(both));
    polls.sort((a, b) => a - b);
    // Without the broadcast it takes the rest of a second: some 60 polls and more.
    assert.ok(polls[3] <= 10, `polls: ${polls}`);

    await server.down();
    await until('noticed', async () => (await cacheHealth(both.second)) !== 'ok');
    await pollsUntilRevoked(both); // later, but it counts
  } finally {
    await both.stop();
    await server.end();
  }
});

test('a key revoked on the command line is refused by a server at once', { skip }, async () => {
  const server = await redis();
  const theo = await start({ env: { THEO_REDIS_URL: server.url } });
  try {
    await until('listening', async () => /theo:keys\r\n:1/.test(await server.say('PUBSUB NUMSUB theo:keys')));
    const made = await newKey(theo);
    const ask = () => theo.api('GET', '/api/auth/whoami', undefined, { Authorization: `Bearer ${made.key}` });
    assert.equal((await ask()).status, 200);
    const heard = net.connect(server.port, '127.0.0.1');
    let said = '';
    heard.on('data', (chunk) => { said += chunk; });
    heard.write('SUBSCRIBE theo:keys\r\n');
    await until('subscribed', () => said.includes('subscribe'));
    const revoked = await run(['keys', 'revoke', made.id, '--data-dir', theo.data], { env: { THEO_REDIS_URL: server.url } });
    assert.equal(revoked.code, 0, revoked.stderr);
    await until('told', () => said.includes(made.id));
    await until('refused', async () => (await ask()).status === 401);
    heard.destroy();
  } finally {
    await theo.stop();
    await server.end();
  }
});

test('Redis killed under load fails no request, limits go on, and it is used again when it is back', { skip }, async () => {
  const server = await redis({ password: 'hunter2' });
  const theo = await start({ env: { THEO_REDIS_URL: server.url, THEO_RATE_PER_MINUTE: '1000000' } });
  let stop = false, count = 0, clients = [];
  const wrong = [];
  try {
    await connected(theo);
    clients = Array.from({ length: 8 }, async (_, client) => {
      while (!stop) {
        try {
          const { status, text } = await theo.chat(`Ana: hello ${client}\nBen: Theo, what did we agree?`);
          if (status !== 200) wrong.push(`${status} ${text}`);
        } catch (error) {
          wrong.push(`${error}`);
        }
        count++;
      }
    });
    const some = () => { const goal = count + 40; return until('work goes on', () => count >= goal); };
    for (let round = 0; round < 2; round++) {
      await some();
      await server.down();
      await some();
      await until('degraded', async () => /^degraded: Redis at 127\.0\.0\.1:\d+ /.test(await cacheHealth(theo)));
      await until('said by readyz', async () => await readyz(theo) === '200 {"status":"ready","degraded":["cache"]}');
      await some();
      await server.up();
      await connected(theo);
      await until('ready', async () => await readyz(theo) === '200 {"status":"ready"}');
    }
    await some();
    stop = true;
    await Promise.all(clients);
    assert.deepEqual(wrong, []);
    assert.ok(count >= 240, `${count}`);
    assert.match(await server.say('INFO commandstats'), /cmdstat_eval:calls=\d\d+,/);
    assert.ok(!theo.log.includes('hunter2'));
  } finally {
    stop = true;
    await Promise.all(clients);
    await theo.stop();
    await server.end();
  }
});

test('without Redis each instance keeps the limit for itself, with what it let through before', { skip }, async () => {
  const server = await redis();
  const theo = await start({ env: { THEO_REDIS_URL: server.url, THEO_RATE_PER_MINUTE: '40' } });
  try {
    await connected(theo);
    const { key } = await newKey(theo);
    const ask = async () => (await theo.api('GET', '/api/auth/whoami', undefined, { Authorization: `Bearer ${key}` })).status;
    const begun = performance.now();
    for (let i = 0; i < 30; i++) assert.equal(await ask(), 200);
    await server.down();
    const after = [];
    for (let i = 0; i < 40; i++) after.push(await ask());
    const passed = after.filter((status) => status === 200).length;
    const refilled = (performance.now() - begun) / 1500; // 40 a minute
    assert.ok(passed >= 10 && passed <= 11 + refilled, `${passed} of 40, ${refilled} refilled`);
    assert.equal(after.filter((status) => status === 429).length, 40 - passed);
  } finally {
    await theo.stop();
    await server.end();
  }
});

test('a wrong password or a Redis that is not there is told at start, and Theo serves', { skip }, async () => {
  const server = await redis({ password: 'right' });
  const nobody = await freePort();
  try {
    for (const [url, why] of [
      [`redis://:hunter2@127.0.0.1:${server.port}`, /refuses the user or the password in redis\.url/],
      [`redis://127.0.0.1:${server.port}`, /wants a password and redis\.url holds none: write it there before the host, as :PASSWORD@/],
      [`redis://:hunter2@127.0.0.1:${nobody}`, /cannot be reached \(connection refused\): start it/],
    ]) {
      const theo = await start({ env: { THEO_REDIS_URL: url } });
      try {
        await until('told', () => why.test(theo.log));
        assert.match(await cacheHealth(theo), why);
        assert.equal((await theo.chat('Ana: hi\nBen: Theo, what did we agree?')).status, 200);
        assert.equal((await theo.api('GET', '/readyz')).status, 200);
        const shown = await run(['config'], { env: { THEO_REDIS_URL: url } });
        assert.ok(!`${theo.log}${shown.stdout}${shown.stderr}`.includes('hunter2'));
      } finally {
        await theo.stop();
      }
    }
  } finally {
    await server.end();
  }
});

test('a wrong URL ends the start with what is wrong, without the password', async () => {
  const dir = scratch();
  try {
    for (const [url, why] of [
      ['redis://:hunter2@', /names no host/], ['rediss://:hunter2@127.0.0.1:', /port/],
      ['redis://:hunter2@127.0.0.1:x', /port/], ['http://127.0.0.1', /does not begin with redis:/],
    ]) {
      const { code, stderr } = await run(['serve', '--listen', '127.0.0.1:0', '--data-dir', join(dir, 'data')],
        { env: { THEO_REDIS_URL: url } });
      assert.equal(code, 2, stderr);
      assert.match(stderr, why);
      assert.ok(!stderr.includes('hunter2'));
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
