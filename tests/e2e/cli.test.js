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

const COMMANDS = ['serve', 'poll', 'telegram', 'mcp', 'chat', 'schedule', 'models', 'eval', 'replay', 'doctor', 'config',
  'keys', 'migrate', 'backup', 'restore', 'export', 'erase', 'retention', 'version', 'help'];

test('help names every command, and each explains itself on a screen of 90 columns', async () => {
  const help = await run(['help']);
  assert.equal(help.code, 0);
  for (const args of [[], ['--help'], ['-h']]) assert.equal((await run(args)).stdout, help.stdout, `theo ${args}`);
  for (const command of COMMANDS) {
    assert.match(help.stdout, new RegExp(`^  ${command} +\\S`, 'm'));
    const one = await run([command, '--help']);
    assert.equal(one.code, 0, command);
    assert.match(one.stdout, new RegExp(`^Usage: theo ${command}\\b`, 'm'));
    assert.equal(one.stderr, '', command);
    assert.equal((await run(['help', command])).stdout, one.stdout, command);
    for (const line of one.stdout.split('\n')) assert.ok(line.length <= 90, line);
  }
  assert.ok(!help.stdout.includes('\u001b'), 'colours are for terminals');
  // An option that a command takes is an option that its help names.
  assert.match((await run(['chat', '--help'])).stdout, /--must-reply +\S/);
  assert.match((await run(['version'])).stdout, /^theo \d+\.\d+\.\d+$/m);
  assert.match(JSON.parse((await run(['version', '--json'])).stdout).version, /^\d+\.\d+\.\d+$/);
});

// What is typed, and what the one line about it must name.
const MISTAKES = [
  ['sevre', /"sevre".*theo serve/], ['-v', /theo help/], ['help sevre', /theo serve/], ['version x', /"x"/],
  ['serve extra', /"extra"/], ['serve --no-such-flag', /--no-such-flag.*theo help serve/], ['serve -x', /-x.*theo help serve/],
  ['serve --listen', /--listen needs a value/], ['serve --listen nonsense', /HOST:PORT.*"nonsense"/],
  ['serve --threads many', /threads.*0 to 256.*"many"/], ['serve --threads 999', /0 to 256.*"999"/],
  ['serve --config /no/such.yaml', /\/no\/such\.yaml/], ['serve --log-level loud', /log\.level.*"loud"/],
  ['serve --time-zone Mars/One', /Europe\/Madrid.*"Mars\/One"/], ['serve --model openia:x', /"openia:x".*builtin/],
  ['serve --store foo', /"foo".*sqlite/], ['serve --tls-cert a.pem', /tls\.key/],
  ['serve --tls-cert /no.pem --tls-key /no.pem', /\/no\.pem.*tls\.cert/],
  ['poll', /telegram\.token.*BotFather/], ['telegram', /setup/], ['telegram dance', /"dance"/], ['telegram status', /telegram\.token/],
  ['chat /no/such.txt', /\/no\/such\.txt/], ['chat a b', /"b"/], ['chat -', /Name: message/], ['chat --url http://127.0.0.1:9 -', /--key/],
  ['chat --key k -', /--url/], ['chat --url ftp://x --key k -', /http/], ['mcp x', /"x"/], ['mcp --url x', /--key/],
  ['models foo', /"foo"/], ['models check foo', /foo.*model/],
  ['schedule', /book.*list/], ['schedule foo', /"foo"/], ['schedule book --summary x', /--when/],
  ['schedule book --summary x --start yesterday', /start.*offset/], ['schedule show', /id/],
  ['schedule book --summary x --when soonish', /next Tuesday 3pm/],
  ['schedule book --summary x --when today --duration-minutes few', /--duration-minutes.*"few"/],
  ['keys', /create/], ['keys destroy', /"destroy"/], ['keys create', /--name/], ['keys rotate', /theo keys list/],
  ['keys create --name x --scopes emperor', /"emperor".*admin/], ['keys create --name x --scopes chat --expires soon', /offset/],
  ['keys rotate x --grace-seconds few', /--grace-seconds.*"few"/], ['keys rotate-data --to file', /--to/],
  ['config x', /"x"/], ['config --jsn', /--jsn/], ['doctor x', /"x"/], ['migrate x', /"x"/],
  ['backup', /FILE/], ['backup a b', /"b"/], ['restore', /FILE/], ['restore /no/such', /\/no\/such/],
  ['export', /--person/], ['erase', /--person/], ['erase --person Ana', /--yes/],
  ['retention --days few', /--days.*"few"/], ['eval', /FILE/], ['eval /no/such', /\/no\/such/], ['replay', /RUN/],
  // A mistyped folder is no empty store.
  ['backup FILE', /--data-dir/], ['export --person Ana', /--data-dir/], ['erase --person Ana --yes', /--data-dir/],
  ['retention', /--data-dir/], ['replay RUN', /--data-dir/], ['keys list', /--data-dir/], ['schedule list', /--data-dir/],
  ['keys rotate-master', /--data-dir/],
];

test('a mistake is one plain line that names it, and exit status 2', withDir(async (dir) => {
  for (const [text, names] of MISTAKES) {
    const out = await run(text.split(' '), { cwd: dir, env: { THEO_DATA_DIR: join(dir, 'nowhere') } });
    const lines = out.stderr.trim().split('\n');
    assert.equal(out.code, 2, `theo ${text}: ${out.stderr}`);
    assert.equal(lines.length, 1, `theo ${text}: ${out.stderr}`);
    assert.match(lines[0], /^theo: /, text);
    assert.match(lines[0], names, text);
    assert.equal(out.stdout, '', text);
    if (/--data-dir/.test(names.source)) assert.deepEqual(readdirSync(dir).filter((name) => name === 'nowhere'), [], text);
    rmSync(join(dir, 'nowhere'), { recursive: true, force: true });
  }
}));

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
