// What went wrong in other systems, each as a test: people who lose their turns, messages that
// overwrite each other, chats that leak, tools that run again, runs that never end.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { LLMock } from '@copilotkit/aimock';
import { start } from './theo.js';

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
const schedule = (summary) => ({ toolCalls: [{ name: 'schedule', arguments: JSON.stringify({ summary, start: '2027-06-02T15:00:00Z', duration_minutes: 30 }) }] });
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
  const { events } = (await theo.api('GET', '/api/schedule?from=2027-06-01T00:00:00Z&to=2027-06-30T00:00:00Z')).json;
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
