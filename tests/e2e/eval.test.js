// theo eval: cases of a file; theo replay: what really happened, again.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LLMock } from '@copilotkit/aimock';
import { root, run, scratch, start } from './theo.js';

const withDir = (fn) => async (t) => {
  const dir = scratch();
  try { await fn(dir, t); } finally { rmSync(dir, { recursive: true, force: true }); }
};

// A real XML parser (expat) reads the report; it refuses what is not well-formed.
function junit(path) {
  const script = `
import json, sys, xml.etree.ElementTree as tree
def node(e): return {"tag": e.tag, "attributes": e.attrib, "text": e.text or "", "children": [node(c) for c in e]}
print(json.dumps(node(tree.parse(sys.argv[1]).getroot())))`;
  return JSON.parse(execFileSync('python3', ['-c', script, path], { encoding: 'utf8' }));
}

const evaluate = (dir, text, args = [], options = {}) => {
  writeFileSync(join(dir, 'cases.yaml'), text);
  return run(['eval', 'cases.yaml', ...args], { cwd: dir, ...options, env: { TMPDIR: dir, ...options.env } });
};

test('the example\'s cases pass with the built-in model', withDir(async (dir) => {
  const report = join(dir, 'out.xml');
  const out = await run(['eval', join(root, 'examples/eval.yaml'), '--junit', report],
    { cwd: dir, env: { TMPDIR: dir } });
  assert.equal(out.code, 0, out.stdout + out.stderr);
  assert.match(out.stdout, /5 passed, 0 failed, 1 check skipped/);
  assert.match(out.stdout, /judge: no judge is configured/);
  assert.ok(!out.stdout.includes('\x1b'), 'no colours where there is no terminal');
  assert.deepEqual(readdirSync(dir), ['out.xml'], 'nothing is left behind');
  const [suite] = junit(report).children;
  assert.equal(suite.attributes.tests, '6');
  assert.equal(suite.attributes.failures, '0');
  assert.equal(suite.attributes.skipped, '1');
  assert.deepEqual(suite.children.filter((c) => c.children.some((e) => e.tag === 'skipped'))
    .map((c) => c.attributes.name), ['says what was agreed: judge']);
}));

const failing = (expect) => `cases:
  - name: "a <b> & \\"c\\" \\a"
    now: 2026-03-02T09:00:00Z
    chat: ["Ana: Theo, book a call with Ben tomorrow at 15:00 called <R&D>."]
    expect: ${expect}
`;

test('a case that must fail does fail, by the check that it violates', withDir(async (dir) => {
  const checks = {
    '{speaks: false}': /^silence was expected, and it said: Booked/,
    '{tools: [recall]}': /^no call of recall; calls: schedule/,
    '{tools: [schedule, schedule]}': /^no call of schedule; calls: schedule/,
    '{tools: [{name: schedule, arguments: {duration_minutes: 44}}]}': /duration_minutes":44/,
    '{tools: [{name: schedule, arguments: {attendees: [Carla]}}]}': /no call of schedule/,
    '{tools: []}': /^no tool was to be called/,
    '{not_tools: schedule}': /^schedule was called/,
    '{contains: pineapple}': /^"pineapple" is not in: Booked/,
    '{not_contains: [x-ray, BOOKED]}': /^"BOOKED" is in: Booked/,
    '{matches: "^Cancelled"}': /is not in: Booked/,
    '{max_chars: 3}': /3 are allowed/,
    '{citations_min: 1}': /has 0 citations, 1 are wanted/,
  };
  for (const [expect, message] of Object.entries(checks)) {
    const out = await evaluate(dir, failing(expect), ['--junit', 'out.xml', '--json']);
    assert.equal(out.code, 1, `${expect}: ${out.stdout}${out.stderr}`);
    const json = JSON.parse(out.stdout);
    assert.equal(json.failed, 1, expect);
    const failed = json.cases[0].checks.filter((c) => c.outcome === 'failed');
    assert.equal(failed.length, 1, expect);
    assert.match(failed[0].message, message, expect);
    const [suite] = junit(join(dir, 'out.xml')).children;
    assert.equal(suite.attributes.failures, '1');
    const [one] = suite.children;
    assert.equal(one.attributes.name, 'a <b> & "c" \uFFFD');
    assert.equal(one.attributes.line, '2');
    const failure = one.children.find((c) => c.tag === 'failure');
    assert.equal(failure.attributes.type, failed[0].check);
    assert.equal(failure.attributes.message, failed[0].message);
    assert.match(one.children.find((c) => c.tag === 'system-out').text, /<R&D>|Booked/);
  }
  const table = await evaluate(dir, failing('{speaks: false, contains: Booked}'));
  assert.equal(table.code, 1);
  assert.match(table.stdout, /✗ a <b>/);
  assert.match(table.stdout, /0 passed, 1 failed$/m);
}));

test('cases know nothing of each other, and arguments may hold more than is expected', withDir(async (dir) => {
  const one = (name) => `
  - name: ${name}
    chat:
      - Ana: Theo, book a call with Ben tomorrow at 15:00 called Intro.
    expect:
      tools:
        - {name: schedule, arguments: {action: book, attendees: [Ben]}}
      not_contains: already`;
  const out = await evaluate(dir, `defaults: {now: 2026-03-02T09:00:00+01:00, time_zone: Europe/Madrid}
cases:${one('first')}${one('second')}
  - name: nothing is booked here
    chat: |
      Ana: Theo, what is booked?
    expect: {not_contains: Intro, speaks: true}
`, ['--json']);
  assert.equal(out.code, 0, out.stdout + out.stderr);
  const { cases } = JSON.parse(out.stdout);
  assert.deepEqual(cases.map((c) => c.name), ['first', 'second', 'nothing is booked here']);
  assert.deepEqual(cases[0].tools[0].arguments, cases[1].tools[0].arguments);
  assert.deepEqual(readdirSync(dir), ['cases.yaml']);
  const only = await evaluate(dir, readFileSync(join(dir, 'cases.yaml'), 'utf8'), ['--json', '--only', 'FIRST']);
  assert.deepEqual(JSON.parse(only.stdout).cases.map((c) => c.name), ['first']);
}));

test('a bad file is refused with its line and field', withDir(async (dir) => {
  const bad = [
    ['cases: [', /cases\.yaml:\d: not valid YAML/],
    ['', /begins with "cases:"/],
    ['cases: []', /cases\.yaml:1: cases must be a list with at least one case/],
    ['cases:\n  - name: x\n    chat: "Ana: hi"\n', /:2: case 1 \(x\): expect is missing/],
    ['cases:\n  - name: x\n    expect: {speaks: true}\n', /:2: case 1 \(x\): chat is missing/],
    ['cases:\n  - chat: "Ana: hi"\n    expect:\n      speak: true\n', /:4: case 1: speak is not known here; there are: speaks/],
    ['cases:\n  - chat: "Ana: hi"\n    expect:\n      speaks: yes please\n', /:4: case 1: speaks must be true or false/],
    ['cases:\n  - chat: "Ana: hi"\n    expect:\n      speaks: true\n      max_chars: many\n', /:5: case 1: max_chars must be a number/],
    ['cases:\n  - chat: "Ana: hi"\n    expect:\n      matches: "(open"\n', /:4: case 1: matches is no regular expression: \(open/],
    ['cases:\n  - chat: "Ana: hi"\n    expect:\n      tools:\n        - nam: schedule\n', /:5: case 1: nam is not known/],
    ['cases:\n  - chat: "Ana: hi"\n    time_zone: Mars/Base\n    expect: {speaks: true}\n', /:3: case 1: time_zone must be an IANA name/],
    ['defaults:\n  now: tomorrow\ncases:\n  - chat: "Ana: hi"\n    expect: {speaks: true}\n', /:2: case 1: now must be a time/],
    ['cases:\n  - chat: [42]\n    expect: {speaks: true}\n', /:2: case 1: chat holds lines/],
    ['cases:\n  - chat: no party at all\n    expect: {speaks: true}\n', /:2: case 1: chat cannot be read/],
    ['cases:\n  - chat: "Ana: hi"\n    expect: {speaks: true}\n    expect: {speaks: false}\n', /:3: case 1: expect stands there twice/],
    ['cases:\n  - &a chat: "Ana: hi"\n    expect: *a\n', /cases\.yaml:\d: anchors, aliases/],
  ];
  for (const [text, message] of bad) {
    const out = await evaluate(dir, text);
    assert.equal(out.code, 2, `${text}\n${out.stdout}${out.stderr}`);
    assert.match(out.stderr, message, text);
    assert.equal(out.stderr.trim().split('\n').length, 1, out.stderr);
  }
  assert.equal((await run(['eval', join(dir, 'none.yaml')])).code, 2);
  assert.equal((await run(['eval'])).code, 2);
  const unknown = await evaluate(dir, 'cases:\n  - chat: "Ana: hi"\n    agent: nobody\n    expect: {speaks: false}\n');
  assert.equal(unknown.code, 1);
  assert.match(unknown.stdout, /There is no agent, team or workflow nobody/);
}));

test('a judge model decides by the rubric', withDir(async (dir) => {
  const mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  try {
    const env = { THEO_EVAL_JUDGE_MODEL: 'openai:judge', THEO_OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: 'k', THEO_MODEL_RETRIES: '0' };
    const verdict = (content) => {
      mock.reset();
      mock.on({ predicate: (r) => r.model === 'judge' }, typeof content === 'string' ? { content } : content);
      return evaluate(dir, 'cases:\n  - chat: "Ana: hello"\n    must_reply: true\n    expect:\n      judge: It greets Ana.\n', ['--json'], { env });
    };
    const good = await verdict('{"pass": true, "reason": "It does."}');
    assert.equal(good.code, 0, good.stdout + good.stderr);
    const asked = JSON.stringify(mock.getRequests().at(-1).body.messages);
    assert.match(asked, /It greets Ana\./);
    assert.match(asked, /Ana: hello/);
    assert.match(asked, /built-in model/, 'the answer that is judged');
    for (const [content, message] of [['{"pass": false, "reason": "It is rude."}', /It is rude/],
      ['Fine, I guess.', /not readable/], [{ error: { message: 'no', type: 'server_error' }, status: 500 }, /did not answer/]]) {
      const out = await verdict(content);
      assert.equal(out.code, 1, out.stdout);
      assert.match(JSON.parse(out.stdout).cases[0].checks[0].message, message);
    }
  } finally {
    await mock.stop();
  }
}));

test('the labelled data sets keep their command', async (t) => {
  const data = process.env.THEO_DATA ?? join(root, '../shared/data');
  if (!existsSync(join(data, 'when'))) return t.skip('no labelled data');
  const out = await run(['eval', 'when', '--data', data]);
  assert.equal(out.code, 0, out.stderr);
  assert.match(out.stdout.trim().split('\n').at(-1), /^when 0\.\d{4} \d+$/);
  assert.equal((await run(['eval', 'when', '--data', '/no/such/folder'])).code, 77);
  assert.equal((await run(['eval', 'wen', '--data', data])).code, 2);
});

test('help pages', async () => {
  for (const [command, words] of [['eval', /eval\.judge-model[^]*--junit/], ['replay', /run\.record[^]*--live-model/]]) {
    const out = await run(['help', command]);
    assert.equal(out.code, 0);
    assert.match(out.stdout, words);
    assert.match((await run(['help'])).stdout, new RegExp(`\\b${command} `));
  }
});

const replay = (theo, id, args = [], env = {}) =>
  run(['replay', id, '--data-dir', theo.data, ...args], { cwd: theo.dir, env });

test('a run with tool calls is replayed without its model, and does nothing', async () => {
  const mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  const env = { THEO_MODEL: 'openai:gpt-x', THEO_MODEL_FALLBACK: 'openai:gpt-y', THEO_OPENAI_BASE_URL: `${mock.url}/v1`,
    OPENAI_API_KEY: 'k', THEO_MODEL_RETRIES: '0' };
  const theo = await start({ env });
  let stopped = false;
  try {
    mock.on({ predicate: (r) => r.model === 'gpt-x' && r.messages.at(-1).role === 'tool' },
      { error: { message: 'overloaded', type: 'server_error' }, status: 500 });
    mock.on({ predicate: (r) => r.model === 'gpt-y' }, { content: 'It stands in the calendar.' });
    mock.on({ predicate: (r) => r.model === 'gpt-x' }, { content: 'A moment.', toolCalls: [
      { name: 'schedule', arguments: { action: 'book', summary: 'Intro', start: '2031-03-04T15:00:00Z', duration_minutes: 30 } },
      { name: 'summarise', arguments: { focus: 'all' } },
      { name: 'nonsense', arguments: { a: 1 } }] });
    const { json, text } = await theo.chat('Ana: Theo, book the intro on 2031-03-04 at 15:00.', { time_zone: 'UTC' });
    assert.equal(json?.reply, 'It stands in the calendar.', text);
    assert.equal(json.model, 'openai:gpt-y');
    const before = (await theo.api('GET', `/api/runs/${json.run_id}`)).text;
    await mock.stop();
    stopped = true;
    for (let i = 0; i < 2; i++) { // beside the running server, with another model configured
      const out = await replay(theo, json.run_id);
      assert.equal(out.code, 0, out.stdout + out.stderr);
      assert.match(out.stdout, /^replayed \d+ events, identical\n$/);
    }
    const report = JSON.parse((await replay(theo, json.run_id, ['--json'])).stdout);
    assert.equal(report.identical, true);
    assert.equal(report.events, JSON.parse(before).events.length);
    assert.equal((await theo.api('GET', `/api/runs/${json.run_id}`)).text, before, 'nothing is written');
    assert.equal((await theo.api('GET', '/api/schedule')).json.events.length, 1, 'nothing is booked');
    assert.equal((await theo.api('GET', `/api/runs?session_id=${json.session_id}`)).json.runs.length, 1);

    const other = await replay(theo, json.run_id, ['--agent-system-prompt', 'Say less.']);
    assert.equal(other.code, 1);
    assert.match(other.stdout, /^first difference at event 3, model\.started, data\.prompt\n  expected  "[0-9a-f]{16}"\n  got       "[0-9a-f]{16}"\n/);
    const policy = await replay(theo, json.run_id, ['--policy', '{"tools":{"schedule":{"approval":"required"}}}', '--json']);
    assert.equal(policy.code, 1);
    assert.deepEqual(Object.keys(JSON.parse(policy.stdout).difference), ['seq', 'type', 'field', 'expected', 'got', 'why']);

    const live = await replay(theo, json.run_id, ['--live-model', '--json']);
    assert.equal(live.code, 1, 'the built-in model goes another way');
    assert.equal(JSON.parse(live.stdout).difference.field, 'data.model');
  } finally {
    if (!stopped) await mock.stop();
    await theo.stop();
  }
});

test('what is kept for a replay is stored, and not told to who watches', async () => {
  const theo = await start();
  try {
    const ask = { chat_context: 'Ana: Theo, book a call with Ben tomorrow at 15:00 called Intro.', stream: true };
    const streamed = (await theo.api('POST', '/api/chat', ask)).text;
    assert.match(streamed, /event: tool\.completed/);
    assert.ok(!streamed.includes('"record"'));
    const id = streamed.match(/"run_id":"(\w+)"/)[1];
    const stored = (await theo.api('GET', `/api/runs/${id}`)).json.events;
    assert.ok(stored.find((e) => e.type === 'tool.completed').data.record.content);
    assert.equal(stored.filter((e) => e.type === 'model.completed').at(-1).data.record, undefined,
      'the answer stands in the result');
    assert.equal((await replay(theo, id)).code, 0);
  } finally {
    await theo.stop();
  }
});

test('a run that people approved is replayed with their decisions', async () => {
  const dir = scratch();
  writeFileSync(join(dir, 'theo.yaml'), 'policy:\n  tools:\n    schedule: {approval: required}\n');
  const theo = await start({ dir });
  const ask = 'Ana: Theo, book a call with ben@example.com on 2031-03-04 at 15:00 called Intro.';
  try {
    for (const decision of [{ decision: 'approve' }, { decision: 'refuse', reason: 'not now' },
      { decision: 'approve', arguments: { action: 'book', summary: 'Other', start: '2031-03-05T10:00:00Z' } }]) {
      const answer = (await theo.chat(ask, { time_zone: 'UTC' })).json;
      assert.match((await replay(theo, answer.run_id)).stdout, /identical/, 'while it waits');
      const done = await theo.api('POST', `/api/approvals/${answer.approvals[0].id}`, decision);
      assert.equal(done.status, 200, done.text);
      const booked = (await theo.api('GET', '/api/schedule')).json.events.length;
      const out = await replay(theo, answer.run_id);
      assert.equal(out.code, 0, out.stdout + out.stderr);
      assert.equal((await theo.api('GET', '/api/schedule')).json.events.length, booked);
      const without = await run(['replay', answer.run_id, '--data-dir', theo.data], { cwd: theo.data });
      assert.equal(without.code, 1, 'without the policy it would not have waited');
      assert.match(without.stdout, /policy\.blocked, type\n {2}expected {2}policy\.blocked\n {2}got {7}tool\.started/);
    }
  } finally {
    await theo.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a run of a team behind a guard is replayed, and its record holds no personal data', async () => {
  const mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  const dir = scratch();
  writeFileSync(join(dir, 'theo.yaml'), `guards: {before: [redact]}
agents: {finder: {tools: []}, critic: {tools: []}}
teams: {desk: {mode: broadcast, members: [finder, critic], tools: [schedule]}}
`);
  const theo = await start({ dir, env: { THEO_MODEL: 'openai:gpt-x', THEO_OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: 'k' } });
  try {
    const text = (r) => JSON.stringify(r.messages);
    mock.on({ predicate: (r) => r.messages.at(-1).role === 'tool' }, { content: 'Booked with [EMAIL_1].' });
    mock.on({ predicate: (r) => text(r).includes('your colleague') }, { toolCalls: [{ name: 'schedule',
      arguments: { summary: 'Call', attendees: ['[EMAIL_1]'], start: '2031-05-04T09:00:00Z', duration_minutes: 30 } }] });
    mock.on({ predicate: () => true }, { content: 'I say: [EMAIL_1].' });
    const answer = await theo.chat('Ana: Theo, book a call with ben@acme.example on 4 May 2031', { agent: 'desk' });
    assert.equal(answer.json?.reply, 'Booked with ben@acme.example.', answer.text);
    const { events } = (await theo.api('GET', `/api/runs/${answer.json.run_id}`)).json;
    assert.equal(events.filter((e) => e.type === 'member.completed').length, 2);
    for (const event of events.filter((e) => e.type.startsWith('model.')))
      assert.doesNotMatch(JSON.stringify(event), /acme\.example/);
    for (let i = 0; i < 3; i++) {
      const out = await replay(theo, answer.json.run_id);
      assert.match(out.stdout, /^replayed \d+ events, identical/, out.stdout + out.stderr);
    }
    const other = await run(['replay', answer.json.run_id, '--data-dir', theo.data, '--json'], { cwd: theo.data });
    assert.equal(other.code, 2, 'without the configuration there is no such team');
    assert.match(other.stderr, /no agent, team or workflow desk/);
  } finally {
    await theo.stop();
    await mock.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a run that a crash cut off is replayed up to there', async () => {
  const mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  const env = { THEO_MODEL: 'openai:gpt-x', THEO_OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: 'k' };
  const dir = scratch();
  let theo = await start({ dir, env });
  try {
    mock.on({ predicate: (r) => r.messages.at(-1).role === 'tool' }, { content: 'Late.' }, { chaos: { latencyMs: 20000 } });
    mock.on({ predicate: () => true }, { toolCalls: [{ name: 'schedule',
      arguments: { summary: 'Call', start: '2031-05-04T09:00:00Z', duration_minutes: 30 } }] });
    const cut = theo.chat('Ana: Theo, book a call on 4 May 2031', { metadata: { a: 1 } }).catch(() => null);
    let runs = [];
    const booked = async () => (await theo.api('GET', '/api/schedule')).json.events.length;
    for (let i = 0; i < 500 && await booked() === 0; i++) await new Promise((r) => setTimeout(r, 20));
    await new Promise((r) => setTimeout(r, 100)); // the model is asked again, and does not answer
    await theo.kill();
    await cut;
    theo = await start({ dir, env, key: theo.key });
    for (let i = 0; i < 500 && runs.length === 0; i++) {
      const { sessions } = (await theo.api('GET', '/api/sessions')).json;
      ({ runs } = (await theo.api('GET', `/api/runs?session_id=${sessions[0].id}`)).json);
      runs = runs.filter((r) => r.state === 'interrupted');
    }
    assert.equal(runs.length, 1);
    const out = await replay(theo, runs[0].id);
    assert.equal(out.code, 0, out.stdout + out.stderr);
    assert.match(out.stdout, /^replayed 6 events, identical; the run was cut off behind them\n$/);
  } finally {
    await theo.stop();
    await mock.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('what cannot be replayed is said', async () => {
  const theo = await start();
  try {
    const [one, two] = [(await theo.chat('Ana: Theo, what is new?')).json, (await theo.chat('Ana: Theo, hello')).json];
    assert.equal((await replay(theo, one.run_id)).code, 0);
    const none = await replay(theo, '01J8ZQ5W8E1V7R3K9T2M4N6P8Q');
    assert.equal(none.code, 2);
    assert.match(none.stderr, /There is no run 01J8ZQ5W8E1V7R3K9T2M4N6P8Q here; GET \/api\/runs/);
    assert.equal((await replay(theo)).code, 2);
    const nowhere = await run(['replay', one.run_id, '--data-dir', join(theo.dir, 'nowhere')]);
    assert.equal(nowhere.code, 2);
    assert.ok(!existsSync(join(theo.dir, 'nowhere')), 'nothing is made');
    assert.equal((await theo.api('DELETE', `/api/sessions/${two.session_id}`)).status, 204);
    assert.equal((await replay(theo, two.run_id)).code, 2);
    await theo.kill();
    // Somebody changes what is stored: it is sealed.
    execFileSync('python3', ['-c', `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
sealed, = db.execute("select sealed from runs where id = ?", (sys.argv[2],)).fetchone()
db.execute("update runs set sealed = ? where id = ?", (sealed[:-1] + bytes([sealed[-1] ^ 1]), sys.argv[2]))
db.commit()`, join(theo.data, 'theo.db'), one.run_id]);
    const changed = await replay(theo, one.run_id);
    assert.equal(changed.code, 1);
    assert.notEqual(changed.stderr, '');
  } finally {
    await theo.stop();
  }
});

test('without run.record a run is stored as before, and cannot be replayed', async () => {
  const theo = await start({ env: { THEO_RUN_RECORD: 'false' } });
  try {
    const { json } = await theo.chat('Ana: Theo, book a call with Ben tomorrow at 15:00 called Intro.');
    const { text } = await theo.api('GET', `/api/runs/${json.run_id}`);
    assert.ok(!text.includes('"record"') && !text.includes('"prompt"'));
    const out = await replay(theo, json.run_id);
    assert.equal(out.code, 1);
    assert.match(out.stderr, /run\.record was off/);
  } finally {
    await theo.stop();
  }
});
