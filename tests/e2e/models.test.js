// Theo with a Chat-Completions server: aimock in strict mode, and a socket that misbehaves on purpose
// for what no well-made server sends.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { LLMock } from '@copilotkit/aimock';
import { start, events, until } from './theo.js';

let mock, theo;
const ask = 'Ana: hello\nBen: Theo, ';

before(async () => {
  mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  theo = await start({
    env: {
      THEO_MODEL: 'openai:gpt-test', THEO_OPENAI_BASE_URL: `${mock.url}/v1`,
      OPENAI_API_KEY: 'sk-configured-key-0123456789', THEO_MODEL_FALLBACK: '',
    },
  });
});
after(async () => {
  await theo.stop();
  await mock.stop();
});
beforeEach(() => {
  mock.reset();
});

const requests = () => mock.getRequests().filter((r) => /chat\/completions/.test(r.path));

test('plain answer, prompt size and shape of the request', async () => {
  mock.onMessage(/capital/, { content: 'Paris is the capital of France.' });
  const { status, json } = await theo.chat(ask + 'what is the capital of France?');
  assert.equal(status, 200);
  assert.equal(json.reply, 'Paris is the capital of France.');
  assert.equal(json.spoke, true);
  assert.match(json.model, /gpt-test/);
  assert.equal(json.usage.model_calls, 1);
  const { body } = requests()[0];
  assert.equal(body.messages[0].role, 'system');
  assert.ok(JSON.stringify(body.messages).length < 4096, 'prompt before tools is under 4 KB');
  const said = body.messages.filter((m) => m.role === 'user').map((m) => m.content).join('\n');
  assert.match(said, /Ana: hello/);
  assert.match(said, /Ben: Theo, what is the capital/);
});

test('no model call when Theo has nothing to say', async () => {
  const { json } = await theo.chat('Ana: morning\nBen: morning!');
  assert.equal(json.spoke, false);
  assert.equal(requests().length, 0);
});

test('a tool call is carried out, its result goes back, the answer follows', async () => {
  mock.on({ userMessage: /book/, hasToolResult: false }, {
    toolCalls: [{ id: 'call_1', name: 'schedule', arguments: JSON.stringify({
      summary: 'Acme intro', start: '2038-03-02T15:00:00Z', duration_minutes: 30, attendees: ['ana@acme.example'] }) }],
  });
  mock.on({ userMessage: /book/, hasToolResult: true }, { content: 'Booked for 15:00.' });
  const { json } = await theo.chat(ask + 'book the intro for 2 March 2038 3pm');
  assert.equal(json.reply, 'Booked for 15:00.');
  assert.equal(json.events.length, 1);
  assert.equal(json.actions[0].status, 'done');
  assert.equal(json.usage.tool_calls, 1);
  const second = requests()[1].body.messages;
  const call = second.find((m) => m.role === 'assistant' && m.tool_calls);
  const result = second.find((m) => m.role === 'tool');
  assert.equal(result.tool_call_id, call.tool_calls[0].id);
  assert.match(result.content, /Acme intro/);
});

test('parallel tool calls: every id answered once, in order, before the next message', async () => {
  mock.on({ userMessage: /both/, hasToolResult: false }, { toolCalls: [
    { id: 'call_a', name: 'summarise', arguments: '{}' },
    { id: 'call_b', name: 'recall', arguments: '{"query":"hello"}' },
  ] });
  mock.on({ userMessage: /both/, hasToolResult: true }, { content: 'Done both.' });
  const { json } = await theo.chat(ask + 'do both');
  assert.equal(json.reply, 'Done both.');
  assert.equal(json.actions.length, 2);
  const roles = requests()[1].body.messages.slice(-3);
  assert.deepEqual(roles.map((m) => m.role), ['assistant', 'tool', 'tool']);
  assert.deepEqual(roles.slice(1).map((m) => m.tool_call_id), ['call_a', 'call_b']);
});

test('streaming: deltas arrive as events and add up to the reply', async () => {
  // One UTF-16 unit a piece; no character beyond the BMP, whose halves no JSON string can carry.
  const content = 'A longer answer — with ünïcode ✓ — that comes in very small pieces.';
  mock.onMessage(/stream/, { content }, { chunkSize: 1 });
  const { text } = await theo.chat(ask + 'please stream', { stream: true });
  const list = events(text);
  const deltas = list.filter((e) => e.event === 'model.delta').map((e) => JSON.parse(e.data));
  assert.ok(deltas.length > 5);
  assert.equal(deltas.map((d) => d.text ?? d.data?.text).join(''), content);
  const last = JSON.parse(list.at(-1).data);
  assert.equal((last.result ?? last).reply, content);
  assert.equal(requests()[0].body.stream, true);
});

test('streamed tool calls are put together', async () => {
  mock.on({ userMessage: /recall/, hasToolResult: false },
    { toolCalls: [{ id: 'c1', name: 'recall', arguments: '{"query":"hello"}' }] }, { chunkSize: 2 });
  mock.on({ userMessage: /recall/, hasToolResult: true }, { content: 'Ana said hello.' });
  const { text } = await theo.chat(ask + 'recall what Ana said', { stream: true });
  const last = JSON.parse(events(text).at(-1).data);
  assert.equal((last.result ?? last).reply, 'Ana said hello.');
});

test('429 with Retry-After is waited for and retried', async () => {
  let calls = 0;
  mock.onMessage(/busy/, () => (++calls === 1
    ? { error: { message: 'slow down', type: 'rate_limit_error', code: 'rate_limit_exceeded' }, status: 429, retryAfter: 1 }
    : { content: 'Here now.' }));
  const { json } = await theo.chat(ask + 'are you busy?');
  assert.equal(json.reply, 'Here now.');
  assert.equal(calls, 2);
});

test('500 is retried; a used-up quota is not', async () => {
  let calls = 0;
  mock.onMessage(/flaky/, () => (++calls < 3 ? { error: { message: 'oops', type: 'server_error' }, status: 500 } : { content: 'Third time.' }));
  assert.equal((await theo.chat(ask + 'flaky?')).json.reply, 'Third time.');
  let broke = 0;
  mock.onMessage(/broke/, () => { broke++; return { error: { message: 'no money', type: 'insufficient_quota', code: 'insufficient_quota' }, status: 429 }; });
  const { status } = await theo.chat(ask + 'broke?');
  assert.equal(broke, 1);
  assert.ok(status >= 500, `${status}`);
});

test('401 says whose key is wrong and never shows it', async () => {
  mock.onMessage(/secret/, { error: { message: 'Incorrect API key provided: sk-conf...', type: 'invalid_request_error', code: 'invalid_api_key' }, status: 401 });
  const { status, text } = await theo.chat(ask + 'secret?');
  assert.ok(status >= 400);
  assert.ok(!text.includes('sk-configured-key'));
  assert.ok(!theo.log.includes('sk-configured-key'));
});

test("the caller's own key is used, and kept nowhere", async () => {
  mock.onMessage(/mine/, { content: 'With your key.' });
  const { json } = await theo.chat(ask + 'mine?', {}, { 'X-Model-API-Key': 'sk-callers-own-key-42' });
  assert.equal(json.reply, 'With your key.');
  const sent = requests()[0].headers;
  assert.ok(JSON.stringify(sent).length > 0);
  assert.ok(!theo.log.includes('sk-callers-own-key-42'));
  const run = await theo.api('GET', `/api/runs/${json.run_id}`);
  assert.ok(!run.text.includes('sk-callers-own-key-42'));
});

test('malformed arguments go back to the model once', async () => {
  let calls = 0;
  mock.onMessage(/mangled/, () => (++calls === 1
    ? { toolCalls: [{ id: 'bad', name: 'recall', arguments: '{"query": "hel' }] }
    : { content: 'Sorry, without that.' }));
  const { json } = await theo.chat(ask + 'mangled');
  assert.equal(json.reply, 'Sorry, without that.');
  const back = requests()[1].body.messages.find((m) => m.role === 'tool' && m.tool_call_id === 'bad');
  assert.match(back.content, /error/);
});

test('an unknown tool is answered, not obeyed; a loop ends by its budget', async () => {
  mock.onMessage(/forever/, { toolCalls: [{ name: 'launch_rocket', arguments: '{}' }] });
  const { status, json, text } = await theo.chat(ask + 'forever');
  assert.ok(requests().length <= 8, `${requests().length} model calls`);
  assert.match(text, /budget|model calls/);
  assert.ok(status === 200 || status >= 400);
  assert.ok(!json.events?.length);
});

test('a stream cut in the middle is an error, not half an answer', async () => {
  mock.onMessage(/cut/, { content: 'This answer will never be whole because the line is cut.' }, { truncateAfterChunks: 2, chunkSize: 5 });
  const { text } = await theo.chat(ask + 'cut', { stream: true });
  const list = events(text);
  assert.equal(list.at(-1).event, 'run.failed', text);
});

test('the next model takes over when the first is down, never for our own mistakes', async () => {
  const other = await start({
    env: { THEO_MODEL: 'openai:gpt-test', THEO_OPENAI_BASE_URL: `${mock.url}/v1`, THEO_OPENAI_API_KEY: 'k', THEO_MODEL_RETRIES: '0', THEO_MODEL_FALLBACK: 'builtin' },
  });
  try {
    mock.onMessage(/agree/, { error: { message: 'down', type: 'server_error' }, status: 503 });
    const { status, json } = await other.chat('Ana: We agreed on 12 euro.\nBen: Theo, what did we agree?');
    assert.equal(status, 200);
    assert.match(json.model, /builtin/);
    assert.match(json.reply, /12 euro/);
    mock.onMessage(/wrong/, { error: { message: 'bad schema', type: 'invalid_request_error' }, status: 400 });
    const ours = await other.chat(ask + 'wrong');
    assert.ok(ours.status >= 400, ours.text);
  } finally {
    await other.stop();
  }
});

test('a model that answers garbage, hangs up or never ends is reported within the time limit', async () => {
  const answers = [
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\nnot json!',
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"choices":',
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"choices":[]}',
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"error":{"code":502,"message":"upstream"}}',
    'SSH-2.0-OpenSSH_9\r\n',
    '',
    null, // accepts and never answers
  ];
  let next = 0;
  const liar = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      const answer = answers[next];
      if (answer !== null) socket.end(answer);
    });
  });
  await new Promise((r) => liar.listen(0, '127.0.0.1', r));
  const other = await start({
    env: { THEO_MODEL: 'openai:liar', THEO_OPENAI_BASE_URL: `http://127.0.0.1:${liar.address().port}/v1`, THEO_MODEL_RETRIES: '0', THEO_MODEL_FALLBACK: '', THEO_MODEL_TIMEOUT_MS: '1500' },
  });
  try {
    for (next = 0; next < answers.length; next++) {
      const { status, json, text } = await other.chat(ask + 'well?');
      assert.ok([502, 503, 504].includes(status), `answer ${next}: ${text}`);
      assert.ok(json.detail.length > 10);
    }
  } finally {
    await other.stop();
    liar.closeAllConnections?.();
    liar.close();
  }
});

test('a client that goes away cancels its run', async () => {
  let asked = 0;
  const hang = net.createServer((socket) => socket.on('error', () => {}).once('data', () => { asked++; }));
  await new Promise((r) => hang.listen(0, '127.0.0.1', r));
  const other = await start({
    env: { THEO_MODEL: 'openai:hang', THEO_OPENAI_BASE_URL: `http://127.0.0.1:${hang.address().port}/v1`, THEO_MODEL_FALLBACK: '' },
  });
  try {
    const gone = new AbortController();
    const call = fetch(`${other.url}/api/chat`, {
      method: 'POST', signal: gone.signal, body: JSON.stringify({ chat_context: ask + 'hm?' }),
      headers: { Authorization: `Bearer ${other.key}`, 'Content-Type': 'application/json' },
    }).catch(() => 'aborted');
    await until('the question to the model', () => asked > 0);
    gone.abort();
    assert.equal(await call, 'aborted');
    for (let i = 0; ; i++) {
      const { text } = await other.api('GET', '/metrics');
      if (/theo_runs_total\{outcome="cancelled"\} 1/.test(text)) break;
      assert.ok(i < 500, text);
      await new Promise((r) => setTimeout(r, 100));
    }
  } finally {
    await other.stop();
    hang.close();
  }
});
