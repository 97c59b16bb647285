// POST /api/chat and what hangs on it, with nothing configured: the built-in model.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EventSource } from 'eventsource';
import { start, events, root } from './theo.js';

let theo;
before(async () => { theo = await start(); });
after(async () => { await theo.stop(); });

const scheduling = [
  'Ana (Acme): Hi Ben, great to meet you. Shall we have a call about the integration?',
  'Ben (Globex): Sure, next Tuesday at 3pm works for me.',
  'Ana (Acme): Perfect. Theo, please book 30 minutes for us.',
].join('\n');

test('a transcript goes in, a useful answer comes out', async () => {
  const { status, json, headers } = await theo.chat(scheduling, { time_zone: 'Europe/Madrid' });
  assert.equal(status, 200);
  assert.match(headers.get('content-type'), /^application\/json/);
  assert.equal(json.spoke, true);
  assert.equal(typeof json.reply, 'string');
  for (const name of ['session_id', 'run_id', 'agent', 'model', 'citations', 'actions', 'approvals',
    'events', 'usage', 'latency_ms']) assert.ok(name in json, name);
  assert.equal(json.events.length, 1, json.reply);
  const event = json.events[0];
  assert.equal(event.time_zone, 'Europe/Madrid');
  assert.match(event.start, /T15:00:00/);
  assert.equal(new Date(event.end) - new Date(event.start), 30 * 60000);
  assert.equal(new Date(event.start).getUTCDay(), 2);
  assert.equal(json.actions[0].tool, 'schedule');
  const stored = await theo.api('GET', `/api/schedule/${event.id}`);
  assert.equal(stored.status, 200);
  assert.equal(stored.json.id, event.id);
});

test('silence when nobody needs Theo', async () => {
  const { status, json } = await theo.chat('Ana: morning!\nBen: morning :)\nAna: coffee was great');
  assert.equal(status, 200);
  assert.equal(json.spoke, false);
  assert.equal(json.reply, null);
  assert.equal(typeof json.reason, 'string');
  assert.equal(json.usage.model_calls, 0);
});

test('must_reply breaks the silence', async () => {
  const { json } = await theo.chat('Ana: morning!\nBen: morning :)', { must_reply: true });
  assert.equal(json.spoke, true);
  assert.ok(json.reply.length > 0);
});

test('messages may come as an array, with times', async () => {
  const { status, json } = await theo.chat([
    { party: 'Ana', message: 'We agreed on 500 units at 12 euro each.', at: '2026-03-02T09:00:00Z' },
    { party: 'Ben', message: 'Yes, and I will send the contract by Friday.', at: '2026-03-02T09:01:00Z' },
    { party: 'Ana', message: 'Theo, what did we agree?' },
  ]);
  assert.equal(status, 200);
  assert.match(json.reply, /500 units|contract/);
});

test('every example transcript behaves as its kind asks', async () => {
  const folder = join(root, 'examples');
  const files = readdirSync(folder).filter((name) => name.endsWith('.txt'));
  assert.ok(files.length >= 3);
  for (const name of files) {
    const { status, json } = await theo.chat(readFileSync(join(folder, name), 'utf8'));
    assert.equal(status, 200, name);
    assert.equal(json.spoke, !/noise|silent/.test(name), `${name}: ${json.reply ?? json.reason}`);
  }
});

test('a session continues, keeps authors and is read back', async () => {
  const first = await theo.chat('Ana: Our budget is 40k this quarter.\nBen: Noted.');
  const id = first.json.session_id;
  const second = await theo.chat('Ben: Theo, what did Ana say about the budget?', { session_id: id });
  assert.equal(second.json.session_id, id);
  assert.match(second.json.reply, /40k/);
  const { json } = await theo.api('GET', `/api/sessions/${id}/messages`);
  const said = json.messages ?? json.items;
  assert.deepEqual(said.slice(0, 3).map((m) => m.party ?? m.author), ['Ana', 'Ben', 'Ben']);
  assert.equal(said.length, 4);
});

test('sending the whole context again stores no message twice', async () => {
  const lines = ['Ana: one', 'Ben: two', 'Ana: three'];
  const first = await theo.chat(lines.join('\n'));
  const id = first.json.session_id;
  await theo.chat([...lines, 'Ben: four'].join('\n'), { session_id: id });
  const { json } = await theo.api('GET', `/api/sessions/${id}/messages`);
  assert.equal((json.messages ?? json.items).length, 4);
});

test('ten at once on one session: ten runs, no message lost', async () => {
  const first = await theo.chat('Ana: hello everyone');
  const id = first.json.session_id;
  const answers = await Promise.all(Array.from({ length: 10 }, (_, i) =>
    theo.chat(`Ben: note number ${i} for the record`, { session_id: id })));
  assert.deepEqual(answers.map((a) => a.status), Array(10).fill(200));
  assert.equal(new Set(answers.map((a) => a.json.run_id)).size, 10);
  const { json } = await theo.api('GET', `/api/sessions/${id}/messages`);
  const texts = (json.messages ?? json.items).map((m) => m.message ?? m.text);
  for (let i = 0; i < 10; i++)
    assert.equal(texts.filter((t) => t.includes(`number ${i} `)).length, 1, `note ${i}`);
});

test('server-sent events: run.completed is last and carries the same object', async () => {
  const { status, text, headers } = await theo.chat(scheduling, { stream: true });
  assert.equal(status, 200);
  assert.match(headers.get('content-type'), /^text\/event-stream/);
  const list = events(text);
  assert.equal(list[0].event, 'run.started');
  assert.equal(list.at(-1).event, 'run.completed');
  const last = JSON.parse(list.at(-1).data);
  const result = last.result ?? last;
  assert.ok(result.run_id && result.reply);
  const ids = list.filter((e) => e.id !== undefined).map((e) => Number(e.id));
  assert.deepEqual(ids, [...ids].sort((a, b) => a - b));
  const run = await theo.api('GET', `/api/runs/${result.run_id}`);
  assert.equal(run.status, 200);
  const stored = run.json.events.map((e) => e.type);
  assert.deepEqual(stored.filter((t) => t !== 'model.delta'),
    list.map((e) => e.event).filter((t) => t !== 'model.delta'));
  assert.equal(run.json.events.at(-1).type, 'run.completed');
  assert.deepEqual(run.json.events.at(-1).data, run.json.result);
});

test('a browser-grade event source client reads the stream', async () => {
  const seen = [];
  await new Promise((resolve, reject) => {
    const source = new EventSource(`${theo.url}/api/chat`, {
      fetch: (input, init) => fetch(input, {
        ...init, method: 'POST', body: JSON.stringify({ chat_context: scheduling }),
        headers: { ...init.headers, Authorization: `Bearer ${theo.key}`, 'Content-Type': 'application/json' },
      }),
    });
    for (const type of ['run.started', 'model.completed', 'tool.completed', 'run.completed'])
      source.addEventListener(type, (event) => {
        seen.push(event.type);
        if (event.type === 'run.completed') { source.close(); resolve(); }
      });
    source.onerror = (error) => { source.close(); reject(new Error(error.message ?? 'stream error')); };
  });
  assert.equal(seen[0], 'run.started');
  assert.equal(seen.at(-1), 'run.completed');
});

test('the same Idempotency-Key gives the same answer and books once', async () => {
  const headers = { 'Idempotency-Key': '"8e03978e-40d5-43dd-bc93-6894a57f9324"' };
  const first = await theo.chat(scheduling, {}, headers);
  const second = await theo.chat(scheduling, {}, headers);
  assert.equal(first.status, 200);
  assert.deepEqual(second.json, first.json);
  const other = await theo.chat(scheduling + '\nBen: thanks', {}, headers);
  assert.equal(other.status, 422);
});

test('deleting a session deletes it for good', async () => {
  const secret = 'the zebra protocol is 7731';
  const { json } = await theo.chat(`Ana: ${secret}\nBen: ok`);
  assert.equal((await theo.api('DELETE', `/api/sessions/${json.session_id}`)).status, 204);
  assert.equal((await theo.api('GET', `/api/sessions/${json.session_id}`)).status, 404);
  assert.equal((await theo.api('GET', `/api/runs/${json.run_id}`)).status, 404);
});

test('what people said is not readable in the data folder', async () => {
  const secret = 'periwinkle-aardvark-merger';
  await theo.chat(`Ana: about the ${secret}\nTheo: noted\nBen: Theo, summarise please`);
  for (const name of readdirSync(theo.data)) {
    const path = join(theo.data, name);
    if (!statSync(path).isFile()) continue;
    assert.equal(statSync(path).mode & 0o077, 0, `${name} is readable by others`);
    assert.equal(readFileSync(path).includes(secret), false, `${name} holds plain text`);
  }
});

test('the log names requests and runs, never secrets or what was said', async () => {
  await theo.chat('Ana: xylophone-budget-secret is fine\nBen: Theo, what did we agree?');
  for (let i = 0; i < 200 && !/request_id/.test(theo.log); i++) await new Promise((resolve) => setTimeout(resolve, 25));
  assert.match(theo.log, /request_id/);
  assert.ok(!theo.log.includes(theo.key.slice('theo_12345678_'.length)));
  assert.ok(!theo.log.includes('xylophone'));
});
