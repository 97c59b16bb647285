// Runs over the interface: their events page by page and as a stream that goes on where it broke,
// cancelled from outside, gone on with after a crash, forked.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { LLMock } from '@copilotkit/aimock';
import { start, scratch } from './theo.js';

let mock, theo;
const env = () => ({ THEO_MODEL: 'openai:gpt-test', THEO_OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: 'sk-configured-key-0123456789', THEO_MODEL_FALLBACK: '' });
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

before(async () => {
  mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  theo = await start({ env: env() });
});
after(async () => { await theo.stop(); await mock.stop(); });
beforeEach(() => mock.reset());

const books = (answer = 'Booked.', options) => {
  mock.on({ userMessage: /book/, hasToolResult: false }, {
    toolCalls: [{ name: 'schedule', arguments: JSON.stringify({ action: 'book', summary: 'Call', start: '2038-03-02T15:00:00Z', duration_minutes: 30 }) }],
  });
  mock.on({ userMessage: /book/, hasToolResult: true }, { content: answer }, options);
};
// The events of a stream, as [{id, type, data}], until it ends or `stop` says so.
async function read(url, headers, { method = 'GET', body, stop = () => false } = {}) {
  const leave = new AbortController(), events = [];
  const response = await fetch(url, { method, body, signal: leave.signal, headers });
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type'), /text\/event-stream/);
  let text = '';
  const decoder = new TextDecoder();
  try {
    for await (const piece of response.body) {
      text += decoder.decode(piece, { stream: true });
      for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
        const field = (name) => text.slice(0, end).split('\n').filter((l) => l.startsWith(`${name}:`)).map((l) => l.slice(name.length + 1).trimStart()).join('\n');
        if (!field('event')) continue;
        events.push({ id: field('id') === '' ? null : Number(field('id')), type: field('event'), data: JSON.parse(field('data')) });
        if (stop(events.at(-1))) { leave.abort(); return events; }
      }
    }
  } catch (error) {
    if (error.name !== 'AbortError') throw error;
  }
  return events;
}
const auth = (more = {}) => ({ Authorization: `Bearer ${theo.key}`, 'Content-Type': 'application/json', Accept: 'text/event-stream', ...more });
const streamChat = (chat_context, options) =>
  read(`${theo.url}/api/chat`, auth(), { method: 'POST', body: JSON.stringify({ chat_context, stream: true }), ...options });
const follow = (id, more, options) => read(`${theo.url}/api/runs/${id}/events`, auth(more), options);

test('the events of a run, page by page', async () => {
  books();
  const { json } = await theo.chat('Ana: Theo, please book a call tomorrow 3pm');
  const whole = (await theo.api('GET', `/api/runs/${json.run_id}/events?limit=1000`)).json;
  assert.equal(whole.ended, true);
  assert.equal(whole.state, 'completed');
  assert.deepEqual(whole.events.map((e) => e.seq), whole.events.map((_, i) => i + 1));
  assert.equal(whole.events.at(-1).type, 'run.completed');
  assert.equal(whole.events.at(-1).data.reply, 'Booked.');
  const pages = [];
  for (let after = 0; ;) {
    const { json: page } = await theo.api('GET', `/api/runs/${json.run_id}/events?limit=3&after=${after}`);
    if (page.events.length === 0) break;
    pages.push(...page.events);
    after = page.last_seq;
  }
  assert.deepEqual(pages, whole.events);
  assert.equal((await theo.api('GET', '/api/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV/events')).status, 404);
  assert.equal((await theo.api('GET', `/api/runs/${json.run_id}/events?limit=0`)).status, 422);
  const wrong = await theo.api('GET', `/api/runs/${json.run_id}/events`, undefined, { 'Last-Event-ID': 'x' });
  assert.equal(wrong.status, 422);
});

test('a stream that broke is gone on with by Last-Event-ID: no event lost, none twice', async () => {
  mock.on({ userMessage: /slow book/, hasToolResult: false }, {
    toolCalls: [{ name: 'schedule', arguments: JSON.stringify({ action: 'book', summary: 'Slow', start: '2038-03-03T15:00:00Z', duration_minutes: 30 }) }],
  }, { chaos: { latencyMs: 700 } });
  mock.on({ userMessage: /slow book/, hasToolResult: true }, { content: 'Booked slowly.' }, { chaos: { latencyMs: 700 } });
  const seen = await streamChat('Ana: Theo, slow book please', { stop: (e) => e.type === 'model.started' });
  const run = seen[0].data.run_id, last = Math.max(...seen.map((e) => e.id ?? 0));
  const rest = await follow(run, { 'Last-Event-ID': String(last) });
  const ids = [...seen, ...rest].filter((e) => e.id !== null).map((e) => e.id);
  assert.deepEqual(ids, ids.map((_, i) => i + 1));
  assert.equal(rest.at(-1).type, 'run.completed');
  assert.equal(rest.at(-1).data.reply, 'Booked slowly.');
  assert.equal((await theo.api('GET', '/api/schedule?from=2038-03-03T00:00:00Z&to=2038-03-04T00:00:00Z')).json.events.length, 1);
  // The same again of a run that has ended, from the beginning and from the middle.
  assert.deepEqual((await follow(run)).map((e) => e.id), ids);
  assert.deepEqual((await follow(run, { 'Last-Event-ID': '2' })).map((e) => e.id), ids.slice(2));
  const over = await fetch(`${theo.url}/api/runs/${run}/events`, { headers: auth({ 'Last-Event-ID': String(ids.at(-1)) }) });
  assert.equal(over.status, 204);
});

test('a run is cancelled from outside; an ended one is not', async () => {
  mock.onMessage(/wait/, { content: 'late' }, { chaos: { latencyMs: 20000 } });
  const call = theo.chat('Ana: Theo, wait a while');
  let run;
  for (let i = 0; !run; i++) {
    assert.ok(i < 1000);
    await sleep(50);
    run = (await theo.api('GET', '/api/runs?state=running')).json.runs[0];
  }
  const first = await theo.api('POST', `/api/runs/${run.id}/cancel`);
  assert.equal(first.status, 202);
  assert.equal(first.json.state, 'cancelling');
  assert.notEqual((await call).status, 200);
  const { json } = await theo.api('GET', `/api/runs/${run.id}`);
  assert.equal(json.state, 'cancelled');
  assert.equal(json.events.at(-1).type, 'run.cancelled');
  assert.equal((await theo.api('POST', `/api/runs/${run.id}/cancel`)).status, 200);
  mock.onMessage(/hello/, { content: 'Hello.' });
  const done = await theo.chat('Ana: Theo, hello');
  const refused = await theo.api('POST', `/api/runs/${done.json.run_id}/cancel`);
  assert.equal(refused.status, 409);
  assert.match(refused.json.detail, /completed/);
});

test('a run is cancelled through another process on the same data', async () => {
  mock.onMessage(/wait/, { content: 'late' }, { chaos: { latencyMs: 20000 } });
  const other = await start({ dir: theo.dir, key: theo.key, env: env() });
  try {
    const call = theo.chat('Ana: Theo, wait here too');
    let run;
    for (let i = 0; !run; i++) {
      assert.ok(i < 1000);
      await sleep(50);
      run = (await other.api('GET', '/api/runs?state=running')).json.runs[0];
    }
    assert.equal((await other.api('POST', `/api/runs/${run.id}/cancel`)).status, 202);
    assert.notEqual((await call).status, 200);
    assert.equal((await other.api('GET', `/api/runs/${run.id}`)).json.state, 'cancelled');
  } finally {
    await other.stop();
  }
});

test('a run that a crash cut off is gone on with, and books once', async () => {
  const dir = scratch();
  let own = await start({ dir, env: env() });
  books('never', { chaos: { latencyMs: 20000 } });
  const lost = own.chat('Ana: Theo, book a call').catch(() => null);
  for (let i = 0; ; i++) {
    assert.ok(i < 1000);
    await sleep(50);
    if ((await own.api('GET', '/api/schedule?from=2038-03-01T00:00:00Z&to=2038-03-05T00:00:00Z')).json.events.length === 1) break;
  }
  const { key } = own;
  await own.kill();
  await lost;
  mock.reset();
  books();
  own = await start({ dir, key, env: env() });
  try {
    const sessions = (await own.api('GET', '/api/sessions')).json.sessions;
    const [run] = (await own.api('GET', `/api/runs?session_id=${sessions[0].id}`)).json.runs;
    assert.equal(run.state, 'interrupted');
    const { events, ended } = (await own.api('GET', `/api/runs/${run.id}/events`)).json;
    assert.equal(ended, true);
    assert.deepEqual(events.map((e) => e.seq), events.map((_, i) => i + 1));
    assert.equal(events.at(-1).type, 'run.interrupted', 'who followed it learns that it is over');
    assert.equal(events.filter((e) => e.type === 'run.interrupted').length, 1);
    const { status, json, text } = await own.api('POST', `/api/runs/${run.id}/continue`);
    assert.equal(status, 200, text);
    assert.equal(json.reply, 'Booked.');
    assert.equal(json.session_id, sessions[0].id);
    assert.equal((await own.api('GET', '/api/schedule?from=2038-03-01T00:00:00Z&to=2038-03-05T00:00:00Z')).json.events.length, 1);
    assert.equal((await own.api('GET', `/api/sessions/${json.session_id}/messages`)).json.messages.length, 2);
    assert.equal((await own.api('POST', `/api/runs/${json.run_id}/continue`)).status, 409);
    const twice = await own.api('POST', `/api/runs/${run.id}/continue`);
    assert.equal(twice.status, 409);
    assert.match(twice.json.detail, new RegExp(json.run_id));
    assert.equal((await own.api('GET', `/api/sessions/${json.session_id}/messages`)).json.messages.length, 2);
  } finally {
    await own.stop();
  }
});

test('a continuation that a crash cut off is made again, at once and once', async () => {
  const dir = scratch();
  let own = await start({ dir, env: env() });
  const { key } = own;
  // Whoever waits for it is cut off, and the run is found as left behind by the next process.
  const cutOff = async (call) => {
    mock.reset();
    mock.onMessage(/colour/, { content: 'never' }, { chaos: { latencyMs: 20000 } });
    const lost = call().catch(() => null);
    for (let i = 0; ; i++) {
      assert.ok(i < 200);
      await sleep(50);
      if ((await own.api('GET', '/api/runs?state=running')).json.runs.length === 1) break;
    }
    await own.kill();
    await lost;
    mock.reset();
    mock.onMessage(/colour/, { content: 'Blue.' });
    own = await start({ dir, key, env: env() });
  };
  try {
    await cutOff(() => own.chat('Ana: Theo, which colour?'));
    const [run] = (await own.api('GET', '/api/runs?state=interrupted')).json.runs;
    await cutOff(() => own.api('POST', `/api/runs/${run.id}/continue`));
    assert.equal((await own.api('GET', '/api/runs?state=interrupted')).json.runs.length, 2);
    const { status, json, text } = await own.api('POST', `/api/runs/${run.id}/continue`);
    assert.equal(status, 200, text);
    assert.equal(json.reply, 'Blue.');
    const twice = await own.api('POST', `/api/runs/${run.id}/continue`);
    assert.equal(twice.status, 409);
    assert.match(twice.json.detail, new RegExp(json.run_id));
    assert.equal((await own.api('GET', `/api/sessions/${run.session_id}/messages`)).json.messages.length, 2);
  } finally {
    await own.stop();
  }
});

test('a fork has the history, and its own end', async () => {
  mock.onMessage(/colour/, { content: 'Blue.' });
  mock.onMessage(/shape/, { content: 'Round.' });
  const first = (await theo.chat('Ana: Theo, which colour?')).json;
  const fork = await theo.api('POST', `/api/runs/${first.run_id}/fork`, { message: 'Theo, and which shape?', party: 'Ben', from_event: 1000 });
  assert.equal(fork.status, 200, fork.text);
  assert.equal(fork.json.reply, 'Round.');
  assert.notEqual(fork.json.session_id, first.session_id);
  const said = async (id) => (await theo.api('GET', `/api/sessions/${id}/messages`)).json.messages.map((m) => `${m.party}: ${m.message}`);
  assert.deepEqual(await said(first.session_id), ['Ana: Theo, which colour?', 'Theo: Blue.']);
  assert.deepEqual(await said(fork.json.session_id), ['Ana: Theo, which colour?', 'Theo: Blue.', 'Ben: Theo, and which shape?', 'Theo: Round.']);
  const again = await theo.api('POST', `/api/runs/${first.run_id}/fork`);
  assert.equal(again.status, 200, again.text);
  assert.deepEqual(await said(again.json.session_id), ['Ana: Theo, which colour?', 'Theo: Blue.']);
  for (const from_event of ['x', 2, -1]) {
    const refused = await theo.api('POST', `/api/runs/${first.run_id}/fork`, { from_event });
    assert.equal(refused.status, 422, refused.text);
    assert.equal(refused.json.field, 'from_event');
  }
});

test('a fork of an old run has the history before it, however much was said since', async () => {
  mock.reset();
  mock.on({ userMessage: /./ }, { content: 'Blue.' });
  const first = (await theo.chat('Ana: the ovens are red\nAna: Theo, which colour?')).json;
  const lines = Array.from({ length: 400 }, (_, i) => `Ben: remark ${i}`).join('\n');
  for (let i = 0; i < 2; i++) assert.equal((await theo.chat(lines.replaceAll('remark', `remark ${i}`), { session_id: first.session_id })).status, 200);
  const { status, json, text } = await theo.api('POST', `/api/runs/${first.run_id}/fork`);
  assert.equal(status, 200, text);
  const { messages } = (await theo.api('GET', `/api/sessions/${json.session_id}/messages`)).json;
  assert.deepEqual(messages.map((m) => m.message), ['the ovens are red', 'Theo, which colour?', 'Blue.']);
});
