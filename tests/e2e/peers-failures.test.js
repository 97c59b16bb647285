// What went wrong in other systems, each as a test: people who lose their turns, messages that
// overwrite each other, chats that leak, tools that run again, runs that never end.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { LLMock } from '@copilotkit/aimock';
import { writeFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { start, scratch, run } from './theo.js';

let mock, theo;
before(async () => {
  mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  theo = await start({ env: { THEO_MODEL: 'openai:gpt-test', THEO_OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: 'sk-configured-key-0123456789', THEO_MODEL_FALLBACK: '', THEO_RUN_MAX_MODEL_CALLS: '6' } });
});
after(async () => { await theo.stop(); await mock.stop(); });
beforeEach(() => mock.reset());

const stored = async (id) => (await theo.api('GET', `/api/sessions/${id}/messages?limit=200`)).json.messages;
const read = async (id) => (await theo.api('GET', `/api/runs/${id}`)).json;
const schedule = (summary) => ({ toolCalls: [{ name: 'schedule', arguments: JSON.stringify({ summary, start: '2038-06-02T15:00:00Z', duration_minutes: 30 }) }] });
const broken = { error: { message: 'overloaded', type: 'server_error' }, status: 500 };

test('two people, four messages each: all are kept with their author, and both see all', async () => {
  mock.onMessage(/./, { content: 'Noted.' });
  let session;
  for (let i = 1; i <= 4; i++)
    for (const who of ['Ana', 'Ben']) {
      const { json, text } = await theo.chat(`${who}: Theo, point ${i} of ${who}`, { session_id: session });
      session ??= json?.session_id;
      assert.equal(json?.reply, 'Noted.', text);
    }
  const said = (await stored(session)).filter((m) => m.party !== 'Theo');
  assert.deepEqual(said.map((m) => `${m.party}: ${m.message}`), [1, 2, 3, 4].flatMap((i) => ['Ana', 'Ben'].map((who) => `${who}: Theo, point ${i} of ${who}`)));
  const last = JSON.stringify(mock.getRequests().at(-1).body.messages);
  for (const who of ['Ana', 'Ben'])
    for (let i = 1; i <= 4; i++) assert.match(last, new RegExp(`${who}: Theo, point ${i} of ${who}`));
});

test('ten messages at once: ten model calls, ten runs, each with all of its own events', async () => {
  mock.onMessage(/./, { content: 'Noted.' });
  const first = await theo.chat('Ana: Theo, we begin');
  const id = first.json.session_id;
  const people = ['Ana', 'Ben', 'Cleo', 'Dan', 'Eva', 'Finn', 'Gus', 'Hana', 'Ivo', 'Jan'];
  const all = await Promise.all(people.map((who, i) => theo.chat(`${who}: Theo, number ${i}`, { session_id: id })));
  assert.deepEqual(all.map((a) => a.status), Array(10).fill(200));
  const answering = mock.getRequests().filter((r) => /a partner in group chats/.test(JSON.stringify(r.body))); // notes of the chat are another call
  assert.equal(answering.length, 11);
  const messages = await stored(id);
  for (const [i, who] of people.entries()) assert.equal(messages.filter((m) => m.party === who && m.message === `Theo, number ${i}`).length, 1);
  for (const { json } of all) {
    const { events } = await read(json.run_id);
    assert.deepEqual(events.map((e) => e.seq), events.map((_, i) => i + 1));
    assert.equal(events[0].type, 'run.started');
    assert.equal(events.at(-1).type, 'run.completed');
    assert.equal(events.filter((e) => e.type === 'model.completed').length, 1);
  }
});

test('a chat whose name begins like another one\'s sees nothing of it', async () => {
  mock.onMessage(/./, { content: 'Noted.' });
  const { json } = await theo.chat('Ana: Theo, the secret is plum');
  const near = await theo.chat('Ben: Theo, what is it?', { session_id: json.session_id.slice(0, -1) });
  assert.equal(near.status, 404, near.text);
  mock.clearRequests?.();
  await theo.chat('Ben: Theo, what is it?');
  assert.doesNotMatch(JSON.stringify(mock.getRequests().at(-1).body), /plum/);
});

test('the model fails after a tool had succeeded: a repeated run has the effect once', async () => {
  const key = { 'Idempotency-Key': 'peers-14' };
  mock.on({ userMessage: /book/, hasToolResult: false }, schedule('Peers'));
  mock.on({ userMessage: /book/, hasToolResult: true }, broken);
  const first = await theo.chat('Ana: Theo, book it', {}, key);
  assert.equal(first.status, 503, first.text);
  mock.reset();
  mock.on({ userMessage: /book/, hasToolResult: false }, schedule('Peers'));
  mock.on({ userMessage: /book/, hasToolResult: true }, { content: 'Booked.' });
  const second = await theo.chat('Ana: Theo, book it', {}, key);
  assert.equal(second.json?.reply, 'Booked.', second.text);
  assert.equal(second.json.actions[0].status, 'reused');
  const { events } = (await theo.api('GET', '/api/schedule?from=2038-06-01T00:00:00Z&to=2038-06-30T00:00:00Z')).json;
  assert.equal(events.filter((e) => e.summary === 'Peers').length, 1);
});

test('a tool that failed is not said to be done', async () => {
  mock.on({ userMessage: /book/, hasToolResult: false }, { toolCalls: [{ name: 'schedule', arguments: '{"summary":"x","start":"yesterday-ish"}' }] });
  mock.on({ userMessage: /book/, hasToolResult: true }, { content: 'I could not book it.' });
  const { json, text } = await theo.chat('Ana: Theo, book it');
  assert.equal(json?.events.length, 0, text);
  assert.ok(!json.actions.some((a) => a.status === 'done'), text);
  assert.match(mock.getRequests().at(-1).body.messages.at(-1).content, /error/);
});

// Failure 6.
test('a message that was corrected does not book a second time', async () => {
  mock.on({ userMessage: /intro/, hasToolResult: false }, schedule('Corrected'));
  mock.on({ userMessage: /intro/, hasToolResult: true }, { content: 'It is booked.' });
  mock.onMessage(/./, { content: '[silence]' });
  const first = await theo.chat('Ana: Theo, bok the intro cal on 2038-06-02 at 15:00');
  assert.equal(first.json.events.length, 1, first.text);
  const session_id = first.json.session_id;
  // The line alone, corrected; then the whole chat, with the line corrected in it.
  const again = await theo.chat('Ana: Theo, book the intro call on 2038-06-02 at 15:00', { session_id });
  assert.equal(again.status, 200, again.text);
  const whole = await theo.chat('Ana: Theo, book the intro call on 2038-06-02 at 15:00\nTheo: It is booked.\nBen: Thanks', { session_id });
  assert.equal(whole.status, 200, whole.text);
  assert.equal(whole.json.actions.length, 0, whole.text);
  const { events } = (await theo.api('GET', '/api/schedule?from=2038-06-01T00:00:00Z&to=2038-06-30T00:00:00Z')).json;
  assert.equal(events.filter((e) => e.summary === 'Corrected').length, 1, JSON.stringify(events));
  assert.equal(again.json.events[0].id, first.json.events[0].id);
});

// Failure 15.
test('an approved call is said to be done when it was, and another key than the asking one may approve', async () => {
  const dir = scratch();
  writeFileSync(join(dir, 'theo.yaml'), 'policy:\n  tools:\n    schedule: {approval: required}\n');
  const own = await start({ dir });
  const text = 'Ana: Theo, book a call with ben@example.com on 2031-03-04 at 15:00 called Intro.';
  try {
    const made = await run(['keys', 'create', '--data-dir', own.data, '--name', 'other', '--scopes', 'chat', '--json']);
    const other = { Authorization: `Bearer ${JSON.parse(made.stdout).key}` };
    const asked = await own.chat(text, { time_zone: 'UTC' });
    assert.match(asked.json.reply, /has not been done yet/);
    assert.equal((await own.api('GET', '/api/schedule')).json.events.length, 0);
    const done = await own.api('POST', `/api/approvals/${asked.json.approvals[0].id}`, { decision: 'approve' }, other);
    assert.equal(done.json?.approval.state, 'done', done.text);
    const { events } = (await own.api('GET', '/api/schedule')).json;
    assert.deepEqual(done.json.result.events.map((e) => e.id), events.map((e) => e.id));
    assert.equal(events.length, 1);
    const more = await own.chat(text.replace('15:00', '17:00'), { time_zone: 'UTC' });
    const refused = await own.api('POST', `/api/approvals/${more.json.approvals[0].id}`, { decision: 'refuse' }, other);
    assert.match(refused.json.result.reply, /^Not done: /);
    assert.deepEqual(refused.json.result.events, []);
    assert.equal((await own.api('GET', '/api/schedule')).json.events.length, 1);
  } finally {
    await own.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});

// Failure 16.
test('what a turn stores does not grow with the chat', async () => {
  mock.onMessage(/./, { content: 'Noted.' });
  let session_id;
  const sizes = [];
  for (let i = 0; i < 60; i++) {
    const { json, text } = await theo.chat(`Ana: Theo, here is point number ${100 + i}`, { session_id });
    session_id ??= json?.session_id;
    sizes.push((await theo.api('GET', `/api/runs/${json.run_id}`)).text.length);
    assert.equal(json.reply, 'Noted.', text);
  }
  assert.ok(Math.max(...sizes.slice(50)) < 1.1 * Math.max(...sizes.slice(1, 11)), sizes.join());
});

// Failure 17.
test('a source that no tool gave is no citation', async () => {
  mock.on({ userMessage: /turnover/, hasToolResult: false }, { toolCalls: [{ name: 'recall', arguments: '{"query":"turnover of Acme"}' }] });
  mock.on({ userMessage: /turnover/, hasToolResult: true }, { content: 'It is 3 million (source: https://example.com/made-up, "3 million").' });
  const { json, text } = await theo.chat('Ana: Theo, what is the turnover of Acme?');
  assert.equal(json?.spoke, true, text);
  assert.ok(!json.citations.some((c) => /made-up/.test(c.url)), text);
  assert.ok(!json.citations.some((c) => /3 million/.test(c.quote)), text);
});

test('a model that calls tools for ever is ended by the run\'s budget, which the answer names', async () => {
  mock.on({ userMessage: /loop/ }, { toolCalls: [{ name: 'fly', arguments: '{}' }] });
  const { status, json, text } = await theo.chat('Ana: Theo, loop');
  assert.notEqual(status, 200, text);
  assert.match(json.detail, /budget of 6 model-calls/);
  assert.ok(mock.getRequests().length <= 6);
});

test('a short question is a small prompt, and nobody asks a model when nobody asks Theo', async () => {
  mock.onMessage(/ping/, { content: 'pong' });
  await theo.chat('Ana: Theo, ping');
  const { messages } = mock.getRequests()[0].body;
  assert.ok(JSON.stringify(messages).length < 4096, `${JSON.stringify(messages).length} bytes`);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.equal(mock.getRequests().length, 1);
});
