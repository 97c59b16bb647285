// Agents and teams of theo.yaml: each with its own instructions and tools, members asked by their
// leader, one event log, and mistakes in the file named by line.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LLMock } from '@copilotkit/aimock';
import { start, run, scratch, root } from './theo.js';

const yaml = `
agents:
  researcher:
    role: finds out about companies
    instructions: SAY-SOURCES
    tools: [recall]
  scheduler:
    role: books calls
    tools: [schedule]
  coder:
    instructions: CODE-ONLY
    output-schema:
      type: object
      additionalProperties: false
      required: [city]
      properties: {city: {type: string}}
teams:
  house: {mode: coordinate, members: [researcher, scheduler], tools: []}
  desk: {mode: route, members: [researcher, scheduler], tools: []}
  panel: {mode: broadcast, members: [researcher, scheduler], tools: []}
  office: {members: [house, coder]}
`;
let mock, theo;
const env = () => ({ THEO_MODEL: 'openai:gpt-test', THEO_OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: 'sk-configured-key-0123456789', THEO_MODEL_FALLBACK: '' });

before(async () => {
  mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  const dir = scratch();
  writeFileSync(join(dir, 'theo.yaml'), yaml);
  theo = await start({ dir, env: env() });
});
after(async () => { await theo.stop(); await mock.stop(); });
beforeEach(() => mock.reset());

const system = (body) => body.messages.find((m) => m.role === 'system').content;
const toolNames = (body) => (body.tools ?? []).map((t) => t.function.name);
const asks = (name, task) => ({ name: `ask_${name}`, arguments: JSON.stringify({ task }) });
// Answers by who asks: a member's instructions name its task.
const member = (task) => (request) => request.messages.some((m) => m.role === 'user' && m.content.includes(`The task\n${task}`));

test('an agent works with its own instructions and tools', async () => {
  mock.onMessage(/Acme/, { content: 'Acme sells sensors.' });
  const { json } = await theo.chat('Ana: Theo, who is Acme?', { agent: 'researcher' });
  assert.equal(json.reply, 'Acme sells sensors.');
  assert.equal(json.agent, 'researcher');
  const { body } = mock.getRequests()[0];
  assert.match(system(body), /SAY-SOURCES/);
  assert.deepEqual(toolNames(body), ['recall']);
});

test('a leader asks two members at once and composes; their effects and events are the run\'s', async () => {
  mock.on({ predicate: member('find Acme') }, { content: 'Acme: sensors.' });
  mock.on({ predicate: member('book it'), hasToolResult: false }, { toolCalls: [{ name: 'schedule', arguments: JSON.stringify({ summary: 'Acme', start: '2038-03-02T15:00:00Z', duration_minutes: 30 }) }] });
  mock.on({ predicate: member('book it'), hasToolResult: true }, { content: 'Booked.' });
  mock.on({ userMessage: /Acme/, hasToolResult: false }, { toolCalls: [asks('researcher', 'find Acme'), asks('scheduler', 'book it')] });
  mock.on({ userMessage: /Acme/, hasToolResult: true }, { content: 'Acme sells sensors; the call is booked.' });
  const { json, text } = await theo.chat('Ana: Theo, look at Acme and book a call', { agent: 'house' });
  assert.equal(json?.reply, 'Acme sells sensors; the call is booked.', text);
  assert.equal(json.events.length, 1);
  assert.equal(json.usage.model_calls, 5);
  assert.ok(json.actions.some((a) => a.tool === 'schedule' && a.status === 'done'));
  const seen = (await theo.api('GET', `/api/runs/${json.run_id}`)).json.events;
  const of = (type) => seen.filter((e) => e.type === type);
  assert.equal(of('member.started').length, 2);
  assert.equal(of('member.completed').length, 2);
  assert.equal(of('effect.done').length, 1);
  assert.equal(of('effect.done')[0].data.agent, 'scheduler');
  assert.deepEqual(seen.map((e) => e.seq), seen.map((_, i) => i + 1));
  const leader = mock.getRequests().find((r) => toolNames(r.body).includes('ask_researcher')).body;
  assert.deepEqual(toolNames(leader).sort(), ['ask_researcher', 'ask_scheduler']);
});

test('a repeated request does not repeat what a member did', async () => {
  const key = { 'Idempotency-Key': 'team-once' };
  mock.on({ predicate: member('book it'), hasToolResult: false }, { toolCalls: [{ name: 'schedule', arguments: JSON.stringify({ summary: 'Once', start: '2038-04-02T15:00:00Z', duration_minutes: 30 }) }] });
  mock.on({ predicate: member('book it'), hasToolResult: true }, { content: 'Booked.' });
  mock.on({ userMessage: /once/, hasToolResult: false }, { toolCalls: [asks('scheduler', 'book it')] });
  mock.on({ userMessage: /once/, hasToolResult: true }, { error: { message: 'overloaded', type: 'server_error' }, status: 500 });
  const first = await theo.chat('Ana: Theo, book it once', { agent: 'house' }, key);
  assert.equal(first.status, 503, first.text);
  mock.reset();
  mock.on({ predicate: member('book it'), hasToolResult: false }, { toolCalls: [{ name: 'schedule', arguments: JSON.stringify({ summary: 'Once', start: '2038-04-02T15:00:00Z', duration_minutes: 30 }) }] });
  mock.on({ predicate: member('book it'), hasToolResult: true }, { content: 'Booked.' });
  mock.on({ userMessage: /once/, hasToolResult: false }, { toolCalls: [asks('scheduler', 'book it')] });
  mock.on({ userMessage: /once/, hasToolResult: true }, { content: 'It is booked.' });
  const second = await theo.chat('Ana: Theo, book it once', { agent: 'house' }, key);
  assert.equal(second.json?.reply, 'It is booked.', second.text);
  const booked = (await theo.api('GET', '/api/schedule?from=2038-04-01T00:00:00Z')).json.events;
  assert.equal(booked.filter((e) => e.summary === 'Once').length, 1);
});

test('route: the member\'s answer is the answer', async () => {
  mock.on({ predicate: member('who is it') }, { content: 'Acme, of Cologne.' });
  mock.on({ userMessage: /Acme/ }, { toolCalls: [asks('researcher', 'who is it')] });
  const { json, text } = await theo.chat('Ana: Theo, who is Acme?', { agent: 'desk' });
  assert.equal(json?.reply, 'Acme, of Cologne.', text);
  assert.equal(json.usage.model_calls, 2);
});

test('broadcast: all members answer first, one of them failing does not end it', async () => {
  mock.on({ predicate: (r) => system(r).includes('books calls') }, { error: { message: 'overloaded', type: 'server_error' }, status: 500 });
  mock.on({ predicate: (r) => system(r).includes('SAY-SOURCES') }, { content: 'I found sensors.' });
  mock.on({ predicate: (r) => system(r).includes('Your colleagues have spoken') }, { content: 'Sensors, says the researcher.' });
  const { json, text } = await theo.chat('Ana: Theo, who is Acme?', { agent: 'panel' });
  assert.equal(json?.reply, 'Sensors, says the researcher.', text);
  const last = mock.getRequests().at(-1).body.messages.filter((m) => m.role === 'user').map((m) => m.content).join('\n');
  assert.match(last, /colleague researcher\): I found sensors/);
  assert.match(last, /colleague scheduler\): could not answer/);
});

test('a member that fails is told to its leader', async () => {
  mock.on({ predicate: member('find') }, { error: { message: 'bad', type: 'invalid_request_error' }, status: 400 });
  mock.on({ userMessage: /Acme/, hasToolResult: false }, { toolCalls: [asks('researcher', 'find')] });
  mock.on({ userMessage: /Acme/, hasToolResult: true }, { content: 'I could not find out.' });
  const { json, text } = await theo.chat('Ana: Theo, who is Acme?', { agent: 'house' });
  assert.equal(json?.reply, 'I could not find out.', text);
});

test('a reply of a given shape: asked for, checked, repaired once', async () => {
  let calls = 0;
  mock.on({ userMessage: /capital/, predicate: () => ++calls === 1 }, { content: '{"town":"Paris"}' });
  mock.on({ predicate: (r) => r.messages.length > 2 }, { content: '{"city":"Paris"}' });
  const { json, text } = await theo.chat('Ana: Theo, the capital of France?', { agent: 'coder' });
  assert.equal(json?.reply, '{"city":"Paris"}', text);
  const [first, second] = mock.getRequests().map((r) => r.body);
  assert.equal(first.response_format.type, 'json_schema');
  assert.match(JSON.stringify(second.messages.at(-1)), /town|city/);
  mock.reset();
  mock.onMessage(/./, { content: 'no JSON' });
  const bad = await theo.chat('Ana: Theo, the capital of France?', { agent: 'coder' });
  assert.equal(bad.status, 503, bad.text);
});

test('who can be asked', async () => {
  const agents = (await theo.api('GET', '/api/agents')).json.agents;
  assert.deepEqual(agents.map((a) => a.name), ['Theo', 'researcher', 'scheduler', 'coder']);
  assert.equal((await theo.api('GET', '/api/teams/office')).json.mode, 'coordinate');
  assert.equal((await theo.api('GET', '/api/agents/house')).status, 404);
  const unknown = await theo.chat('Ana: Theo, hi', { agent: 'nobody' });
  assert.equal(unknown.status, 422);
  assert.equal(unknown.json.field, 'agent');
});

test('theo chat asks one by name', async () => {
  const dir = scratch();
  writeFileSync(join(dir, 'theo.yaml'), yaml);
  mock.onMessage(/Acme/, { content: 'Sensors.' });
  const args = ['chat', '-', '--json', '--agent', 'researcher', '--data-dir', join(dir, 'data')];
  const { code, stdout, stderr } = await run(args, { cwd: dir, env: env(), input: 'Ana: Theo, who is Acme?' });
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).agent, 'researcher');
  const unknown = await run([...args.slice(0, 4), 'nobody', ...args.slice(5)], { cwd: dir, env: env(), input: 'Ana: Theo, hi' });
  assert.equal(unknown.code, 2);
});

test('mistakes in the file are named with their line, and nothing starts', async () => {
  const cases = [
    ['agents:\n  a: {}\nteams:\n  t: {members: [u]}\n  u: {members: [t]}\n', /theo\.yaml:4.*back to the team itself/],
    ['agents:\n  a:\n    tools: [fly]\n', /theo\.yaml:\d+.*agents\.a\.tools.*fly/],
    ['agents:\n  a:\n    modle: x\n', /agents\.a has no member modle/],
    ['agents:\n  a: {}\nteams:\n  a: {members: [a]}\n', /another agent or team/],
    ['teams:\n  t: {members: []}\n', /teams\.t\.members/],
    ['teams:\n  t: {members: [ghost]}\n', /ghost/],
    ['agents:\n  a: {model: "nowhere:x"}\n', /nowhere/],
    ['agents:\n  a: {output-schema: "{"}\n', /output-schema/],
    ['agents:\n  a: {output-schema: {type: string}}\n', /output-schema/],
    ['agents:\n  a: {max-tool-calls: 0}\n', /max-tool-calls/],
    ['agents: [a]\n', /agents/],
    ['agents:\n  a: {}\nteams:\n  t: {members: [a], mode: shout}\n', /mode/],
  ];
  for (const [text, want] of cases) {
    const dir = scratch();
    writeFileSync(join(dir, 'theo.yaml'), text);
    const { code, stderr } = await run(['serve', '--listen', '127.0.0.1:0', '--data-dir', join(dir, 'data')], { cwd: dir });
    assert.equal(code, 2, `${text}\n${stderr}`);
    assert.match(stderr, want, text);
    assert.equal(stderr.split('\n').filter((line) => line.startsWith('theo:')).length, 1, stderr);
  }
});

test('the house that is shipped, and the examples of the documentation, are good', async () => {
  const blocks = [...readFileSync(join(root, 'docs/agents.md'), 'utf8').matchAll(/```yaml\n([^]*?)```/g)].map((m) => m[1]);
  assert.ok(blocks.length >= 2);
  for (const text of [readFileSync(join(root, 'examples/house.yaml'), 'utf8'),
    readFileSync(join(root, 'examples/review.yaml'), 'utf8'), ...blocks]) {
    const dir = scratch();
    writeFileSync(join(dir, 'theo.yaml'), text);
    const own = await start({ dir, env: env() });
    try {
      const { agents } = (await own.api('GET', '/api/agents')).json;
      assert.ok(agents.length > 1, text);
    } finally { await own.stop(); }
  }
});
