// The command line as a newcomer meets it.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { rmSync, writeFileSync, statSync, readdirSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { run, start, scratch, root } from './theo.js';

const withDir = (fn) => async (t) => {
  const dir = scratch();
  try { await fn(dir, t); } finally { rmSync(dir, { recursive: true, force: true }); }
};

test('help, version and wrong words', async () => {
  const help = await run(['help']);
  assert.equal(help.code, 0);
  for (const command of ['serve', 'chat', 'schedule', 'keys', 'config', 'doctor', 'version'])
    assert.match(help.stdout, new RegExp(`\\b${command}\\b`));
  assert.match((await run(['version'])).stdout, /\d+\.\d+\.\d+/);
  for (const command of ['serve', 'chat', 'schedule', 'keys', 'config', 'doctor'])
    assert.equal((await run([command, '--help'])).code, 0, command);
  for (const args of [['sevre'], ['serve', '--no-such-flag'], ['keys', 'destroy'], ['serve', '--listen', 'nonsense'],
    ['chat', '/no/such/file.txt'], ['serve', '--threads', 'many']]) {
    const out = await run(args);
    assert.equal(out.code, 2, `${args.join(' ')}: ${out.stderr}`);
    assert.equal(out.stderr.trim().split('\n').length, 1, out.stderr);
  }
  assert.match((await run(['sevre'])).stderr, /serve/);
});

test('theo chat FILE and theo chat -', withDir(async (dir) => {
  const file = join(dir, 'chat.txt');
  writeFileSync(file, 'Ana: We agreed on 12 euro per unit.\nBen: Theo, what did we agree?\n');
  const data = ['--data-dir', join(dir, 'data')];
  const plain = await run(['chat', file, ...data]);
  assert.equal(plain.code, 0, plain.stderr);
  assert.match(plain.stdout, /12 euro/);
  const piped = await run(['chat', '-', '--json', ...data], { input: 'Ana: We agreed on 12 euro.\nBen: Theo, what did we agree?' });
  assert.equal(piped.code, 0, piped.stderr);
  assert.equal(JSON.parse(piped.stdout).spoke, true);
  const empty = await run(['chat', '-', ...data], { input: '' });
  assert.equal(empty.code, 2);
}));

test('keys beside a running server: create, list, rotate, revoke', async () => {
  const theo = await start();
  try {
    const keys = async (...args) => {
      const out = await run(['keys', ...args, '--data-dir', theo.data, '--json']);
      assert.equal(out.code, 0, out.stderr);
      return JSON.parse(out.stdout);
    };
    const made = await keys('create', '--name', 'crm', '--scopes', 'chat read');
    assert.match(made.key, /^theo_[0-9a-f]{8}_[A-Za-z0-9_-]{43}$/);
    const list = await keys('list');
    assert.ok(JSON.stringify(list).includes(made.id));
    assert.ok(!JSON.stringify(list).includes(made.key));
    const headers = { Authorization: `Bearer ${made.key}` };
    assert.equal((await theo.chat('Ana: hi', {}, headers)).status, 200);
    const rotated = await keys('rotate', made.id);
    assert.equal((await theo.chat('Ana: hi', {}, { Authorization: `Bearer ${rotated.key}` })).status, 200);
    await run(['keys', 'revoke', rotated.id, '--data-dir', theo.data]);
    const bad = await run(['keys', 'create', '--data-dir', theo.data, '--name', 'x', '--scopes', 'emperor']);
    assert.equal(bad.code, 2);
    assert.match(bad.stderr, /scope/);
  } finally {
    await theo.stop();
  }
});

test('first start makes keys with tight modes and says where', async () => {
  const theo = await start();
  try {
    assert.equal(statSync(theo.data).mode & 0o777, 0o700);
    for (const name of readdirSync(theo.data))
      assert.equal(statSync(join(theo.data, name)).mode & 0o077, 0, name);
    assert.match(theo.log, /admin\.key/);
  } finally {
    await theo.stop();
  }
});

test('config shows each value with its origin; environment and flags win over the file', withDir(async (dir) => {
  const file = join(dir, 'theo.yaml');
  writeFileSync(file, 'log:\n  level: warn\nthreads: 3\n');
  const out = await run(['config', '--json', '--threads', '5'], { env: { THEO_CONFIG: file, THEO_TIME_ZONE: 'Europe/Madrid', OPENAI_API_KEY: 'sk-should-not-show-000' } });
  assert.equal(out.code, 0, out.stderr);
  assert.ok(!out.stdout.includes('sk-should-not-show'));
  assert.match(out.stdout, /Europe\/Madrid/);
  for (const [text, place] of [['threads: three\n', /threads/], ['thraeds: 3\n', /threads/], ['threads: [1\n', /theo\.yaml:\d+|line \d+/], ['agent: {name: &a x, system-prompt: *b}\n', /./]]) {
    writeFileSync(file, text);
    const bad = await run(['config'], { env: { THEO_CONFIG: file } });
    assert.equal(bad.code, 2, text);
    assert.match(bad.stderr, place);
  }
  assert.equal((await run(['config'], { env: { THEO_LISTNE: 'x' } })).code, 2);
}));

test('the example configuration is valid', async () => {
  const out = await run(['config'], { env: { THEO_CONFIG: join(root, 'theo.example.yaml') } });
  assert.equal(out.code, 0, out.stderr);
});

test('doctor says what is wrong and what to do', withDir(async (dir) => {
  const data = join(dir, 'data');
  const good = await run(['doctor', '--data-dir', data]);
  assert.equal(good.code, 0, good.stdout + good.stderr);
  mkdirSync(join(dir, 'loose'), { mode: 0o777 });
  const dead = await run(['doctor', '--data-dir', data], { env: { THEO_MODEL: 'openai:x', THEO_OPENAI_BASE_URL: 'http://127.0.0.1:9/v1', OPENAI_API_KEY: 'k' } });
  assert.equal(dead.code, 1, dead.stdout);
  assert.match(dead.stdout, /127\.0\.0\.1:9|openai/);
}));

test('a taken port is one plain line', async () => {
  const theo = await start();
  const other = scratch();
  try {
    const out = await run(['serve', '--listen', `127.0.0.1:${theo.port}`, '--data-dir', join(other, 'd')]);
    assert.notEqual(out.code, 0);
    assert.match(out.stderr, new RegExp(`${theo.port}`));
  } finally {
    await theo.stop();
    rmSync(other, { recursive: true, force: true });
  }
});

test('schedule from the command line', withDir(async (dir) => {
  const data = ['--data-dir', join(dir, 'data')];
  const made = await run(['schedule', 'book', '--summary', 'Intro', '--when', '2 March 2027 at 15:00', '--time-zone', 'Europe/Madrid', '--json', ...data]);
  assert.equal(made.code, 0, made.stderr);
  assert.match(JSON.parse(made.stdout).start, /^2027-03-02T15:00:00/);
  const list = await run(['schedule', 'list', '--json', ...data]);
  assert.equal(list.code, 0, list.stderr);
  assert.match(list.stdout, /Intro/);
}));
