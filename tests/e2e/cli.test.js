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

// What is written, the line that is named, and what else the message must say.
const YAML = [
  ['agents:\n  a:\n    rol: x\n', 3, /agents\.a.*rol.*did you mean role/],
  ['agents:\n  a:\n    role: x\n    tools: [shedule]\n', 3, /agents\.a\.tools.*shedule.*did you mean schedule/],
  ['agents:\n  a: {role: x, tools: schedule}\n', 2, /agents\.a\.tools must be a list/],
  ['agents:\n  - name: a\n', 1, /agents must be a mapping/],
  ['agents:\n\ta: {role: x}\n', 2, /tab.*spaces/],
  ['agents:\n  a: {role: x, model: "opnai:x"}\n', 2, /agent a.*"opnai:x".*openai/],
  ['agents:\n  a: {role: x, model: openai: x}\n', 2, /colon not in quotes/],
  ['agents:\n  a: {role: x}\n  a: {role: y}\n', 3, /agents\.a has a name that another/],
  ['agents:\n  a: {role: x, max-tool-calls: many}\n', 2, /max-tool-calls must be a whole number/],
  ['agents:\n  a: {role: x, output-schema: {type: objct}}\n', 2, /output-schema must be a JSON Schema/],
  ['agents:\n  a: {role: x, knowledge: [nowhere.md]}\n', 2, /nowhere\.md/],
  ['agents:\n  a: {role: x, evaluations: [groundd]}\n', 2, /groundd.*grounded, language, judge/],
  ['agents:\n  a: {role: x}\nteams:\n  t: {role: y, mode: route, members: [a, b]}\n', 4, /teams\.t\.members names b/],
  ['agents:\n  a: {role: x}\nteams:\n  t: {role: y, mode: coordnate, members: [a]}\n', 4, /teams\.t\.mode must be coordinate, route/],
  ['teams:\n  t: {role: y, mode: route, members: [u]}\n  u: {role: y, mode: route, members: [t]}\n', 2, /lead back to the team/],
  ['workflows:\n  w: {role: x}\n', 2, /workflows\.w needs a list of steps/],
  ['workflows:\n  w:\n    steps:\n      - {name: s, agent: nobody}\n', 4, /workflows\.w\.s names nobody/],
  ['agents:\n  a: {role: x}\nworkflows:\n  w:\n    steps:\n      - {name: s, agent: a, input: "{{nope}}"}\n', 6, /\{\{nope\}\}/],
  ['agents:\n  a: {role: x}\nworkflows:\n  w:\n    steps:\n      - {name: s, agent: a, on-error: ignore}\n', 6, /on-error must be fail or skip/],
  ['policy:\n  tool: {schedule: {approval: required}}\n', 2, /policy\.tool.*known are tools/],
  ['policy:\n  tools:\n    shedule: {approval: required}\n', 3, /shedule/],
  ['policy:\n  tools:\n    schedule: {approval: yes}\n', 3, /approval must be none, audit or required/],
  ['guards:\n  before: [redct]\n', 2, /redct.*redact, injection/],
  ['guards:\n  before:\n    - redact: {kinds: [carrd]}\n', 3, /kinds.*email, phone, card, iban/],
  ['mcp:\n  x: {}\n', 2, /MCP server x.*url or command/],
  ['mcp:\n  x: {url: "http://b.example", heders: {}}\n', 2, /"heders"/],
  ['mcp:\n  x: {command: npx some-server}\n', 2, /args/],
  ['mcp:\n  x: {url: "http://b.example", timeout_ms: soon}\n', 2, /timeout_ms must be a whole number/],
  ['mcp:\n  x: {url: "http://b.example", headers: {A: "${NOPE_KEY}"}}\n', 2, /NOPE_KEY/],
  ['a2a:\n  r: {description: x}\n', 2, /A2A agent r.*url/],
  ['telegram:\n  tokn: x\n', 2, /telegram\.tokn.*did you mean "telegram\.token"/],
  ['telegrm:\n  token: x\n', 1, /did you mean "telegram"/],
  ['run:\n  record: maybe\n', 2, /run\.record must be true or false/],
  ['threads: 1\nthreads: 2\n', 2, /theo\.yaml:1/],
  ['log:\n level: info\n  format: json\n', 3, /indented wrongly/],
  ['openai:\n  api-key: ${OPENAI_API_KEY}\n', 2, /openai\.api-key.*variable/],
];

test('a mistake in theo.yaml is one line with file, line, name and remedy', withDir(async (dir) => {
  for (const [text, line, says] of YAML) {
    writeFileSync(join(dir, 'theo.yaml'), text);
    const out = await run(['chat', '-', '--store', 'memory', '--data-dir', join(dir, 'data')], { cwd: dir, input: 'Ana: hi' });
    assert.equal(out.code, 2, `${text}${out.stderr}${out.stdout}`);
    assert.equal(out.stderr.trim().split('\n').length, 1, out.stderr);
    assert.ok(out.stderr.startsWith(`theo: theo.yaml:${line}: `), `${text}${out.stderr}`);
    assert.match(out.stderr, says);
  }
}));

test('the example configurations are valid', withDir(async (dir) => {
  for (const file of ['theo.example.yaml', 'examples/house.yaml', 'examples/review.yaml']) {
    const out = await run(['chat', '-', '--store', 'memory', '--data-dir', dir, '--config', join(root, file)], { input: 'Ana: hi' });
    assert.equal(out.code, 0, `${file}: ${out.stderr}`);
  }
}));

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
  const made = await run(['schedule', 'book', '--summary', 'Intro', '--when', '2 March 2038 at 15:00', '--time-zone', 'Europe/Madrid', '--json', ...data]);
  assert.equal(made.code, 0, made.stderr);
  assert.match(JSON.parse(made.stdout).start, /^2038-03-02T15:00:00/);
  const list = await run(['schedule', 'list', '--json', ...data]);
  assert.equal(list.code, 0, list.stderr);
  assert.match(list.stdout, /Intro/);
}));
