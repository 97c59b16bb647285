// A2A both ways, with the project's own SDK as the other side, and by hand for the older form and for
// peers that misbehave.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import express from 'express';
import { LLMock } from '@copilotkit/aimock';
import { ClientFactory, ClientFactoryOptions, DefaultAgentCardResolver, JsonRpcTransportFactory, RestTransportFactory } from '@a2a-js/sdk/client';
import { DefaultRequestHandler, InMemoryTaskStore, AgentEvent } from '@a2a-js/sdk/server';
import { agentCardHandler, jsonRpcHandler, UserBuilder } from '@a2a-js/sdk/server/express';
import { Role, TaskState } from '@a2a-js/sdk';
import { start, scratch, freePort, events, run } from './theo.js';

let mock, theo, peer, odd;

// An agent made with the SDK: says what it was told, as a task with an artifact.
class Echo {
  async execute(context, bus) {
    const said = context.userMessage.parts.map((p) => p.content?.value ?? '').join(' ');
    this.headers = context.context?.user;
    if (said.includes('message only')) {
      bus.publish(AgentEvent.message({ messageId: 'm-1', role: Role.ROLE_AGENT, contextId: context.contextId, taskId: '',
        parts: [text('just a message')], metadata: {}, extensions: [], referenceTaskIds: [] }));
      bus.finished();
      return;
    }
    const state = said.includes('please fail') ? TaskState.TASK_STATE_FAILED : TaskState.TASK_STATE_COMPLETED;
    bus.publish(AgentEvent.task({ id: context.taskId, contextId: context.contextId, history: [],
      status: { state: TaskState.TASK_STATE_WORKING, timestamp: new Date().toISOString() }, artifacts: [], metadata: {} }));
    if (said.includes('slowly')) await new Promise((r) => setTimeout(r, 300));
    if (state === TaskState.TASK_STATE_COMPLETED)
      bus.publish(AgentEvent.artifactUpdate({ taskId: context.taskId, contextId: context.contextId, append: false, lastChunk: true, metadata: {},
        artifact: { artifactId: 'a', name: 'a', description: '', parts: [text(`echo: ${said}\u200b`)], metadata: {}, extensions: [] } }));
    bus.publish(AgentEvent.statusUpdate({ taskId: context.taskId, contextId: context.contextId, metadata: {},
      status: { state, timestamp: new Date().toISOString(), message: state === TaskState.TASK_STATE_FAILED ? {
        messageId: 'm-2', role: Role.ROLE_AGENT, parts: [text('out of paper')], contextId: '', taskId: '', metadata: {}, extensions: [], referenceTaskIds: [] } : undefined } }));
    bus.finished();
  }
  cancelTask = async () => {};
}
const text = (value) => ({ content: { $case: 'text', value }, metadata: {}, filename: '', mediaType: 'text/plain' });

async function startPeer() {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const seen = [];
  const card = { name: 'Echo', description: 'Says it again.\u200b', version: '1', supportedInterfaces: [
    { url: `${url}/rpc`, protocolBinding: 'JSONRPC', protocolVersion: '1.0', tenant: '' }],
    capabilities: { streaming: true, pushNotifications: false, extensions: [] }, defaultInputModes: ['text/plain'], defaultOutputModes: ['text/plain'],
    skills: [], securitySchemes: {}, securityRequirements: [], signatures: [] };
  const handler = new DefaultRequestHandler(card, new InMemoryTaskStore(), new Echo());
  const app = express();
  app.use((req, res, next) => { seen.push(req.headers); next(); });
  app.use('/.well-known/agent-card.json', agentCardHandler({ agentCardProvider: handler }));
  app.use('/rpc', jsonRpcHandler({ requestHandler: handler, userBuilder: UserBuilder.noAuthentication }));
  const server = await new Promise((r) => { const s = app.listen(port, '127.0.0.1', () => r(s)); });
  return { url, server, seen };
}

// A peer by hand; act decides on each POST.
async function startOdd() {
  const made = { act: null, interfaces: null };
  made.server = http.createServer((req, res) => {
    let body = '';
    req.on('data', (c) => { body += c; });
    req.on('end', () => {
      const json = (o) => { res.writeHead(200, { 'Content-Type': 'application/json' }); res.end(JSON.stringify(o)); };
      if (req.method === 'GET') json({ name: 'Odd', supportedInterfaces: made.interfaces ?? [{ url: `${made.url}/rpc`, protocolBinding: 'JSONRPC', protocolVersion: '0.3' }] });
      else made.act(JSON.parse(body), json, res);
    });
  });
  await new Promise((r) => made.server.listen(0, '127.0.0.1', r));
  made.url = `http://127.0.0.1:${made.server.address().port}`;
  return made;
}

before(async () => {
  mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  peer = await startPeer();
  odd = await startOdd();
  const dir = scratch();
  writeFileSync(join(dir, 'theo.yaml'), `threads: 1\na2a:
  echo: { url: "${peer.url}", headers: { Authorization: "Bearer \${ECHO_KEY}" } }
  odd: { url: "${odd.url}/.well-known/agent-card.json", timeout_ms: 2000, description: "An odd one." }
`);
  theo = await start({ dir, env: { ECHO_KEY: 'k-123', THEO_MODEL: 'openai:gpt-test', THEO_OPENAI_BASE_URL: `${mock.url}/v1`,
    OPENAI_API_KEY: 'sk-configured-key-0123456789', THEO_MODEL_FALLBACK: '' } });
});
after(async () => {
  await theo.stop();
  peer.server.close();
  odd.server.closeAllConnections();
  odd.server.close();
  await mock.stop();
});
beforeEach(() => mock.reset());

const withKey = (url, init = {}) => fetch(url, { ...init, headers: { ...Object.fromEntries(new Headers(init.headers)), Authorization: `Bearer ${theo.key}` } });
const bindings = { 'JSON-RPC': JsonRpcTransportFactory, 'HTTP+JSON': RestTransportFactory };
const client = (binding = 'JSON-RPC') => new ClientFactory({
  transports: [new bindings[binding]({ fetchImpl: withKey })], cardResolver: new DefaultAgentCardResolver({ fetchImpl: withKey }) }).createFromUrl(theo.url);
const message = (value, more = {}) => ({ message: { messageId: `m-${Math.random()}`, role: Role.ROLE_USER, parts: [text(value)],
  contextId: '', taskId: '', metadata: {}, extensions: [], referenceTaskIds: [], ...more }, configuration: undefined, metadata: {}, tenant: '' });
const textOf = (task) => task.artifacts[0].parts[0].content.value;

for (const binding of Object.keys(bindings)) test(`the SDK's client over ${binding} reads the card, sends a message, goes on in its context, reads the task`, async () => {
  const agent = await client(binding);
  mock.onMessage(/capital/, { content: 'Paris.' });
  const task = await agent.sendMessage(message('What is the capital of France?'));
  assert.equal(task.status.state, TaskState.TASK_STATE_COMPLETED);
  assert.equal(textOf(task), 'Paris.');
  const again = await agent.getTask({ id: task.id, historyLength: 0, tenant: '' });
  assert.equal(textOf(again), 'Paris.');
  mock.reset();
  mock.onMessage(/population/, { content: 'Two million.' });
  const next = await agent.sendMessage(message('And its population?', { contextId: task.contextId }));
  assert.equal(next.contextId, task.contextId);
  const sent = mock.getRequests().at(-1).body.messages.map((m) => m.content).join('\n');
  assert.match(sent, /capital of France/);
  await assert.rejects(agent.getTask({ id: '01J00000000000000000000000', tenant: '' }), { name: 'TaskNotFoundError', message: /no task with this id/ });
  await assert.rejects(agent.cancelTask({ id: task.id, tenant: '', metadata: {} }), { name: 'TaskNotCancelableError', message: /has ended already/ });
});

for (const binding of Object.keys(bindings)) test(`a stream over ${binding} gives the task, its artifact and its end`, async () => {
  const agent = await client(binding);
  mock.onMessage(/rain/, { content: 'It rains.' });
  const seen = [];
  for await (const item of agent.sendMessageStream(message('Does it rain?'))) seen.push(item);
  const kinds = seen.map((s) => s.payload?.$case ?? s.kind ?? s.$case);
  assert.deepEqual(kinds, ['task', 'artifactUpdate', 'statusUpdate']);
});

const rpc = (method, params, id = 1) => ({ jsonrpc: '2.0', id, method, params });

test('the names and forms of 0.3', async () => {
  mock.onMessage(/old/, { content: 'Old indeed.' });
  const params = { message: { kind: 'message', messageId: 'm', role: 'user', parts: [{ kind: 'text', text: 'old form?' }] } };
  const { json } = await theo.api('POST', '/a2a', rpc('message/send', params));
  assert.equal(json.result.kind, 'task');
  assert.equal(json.result.status.state, 'completed');
  assert.equal(json.result.artifacts[0].parts[0].text, 'Old indeed.');
  const stream = await theo.api('POST', '/a2a', rpc('message/stream', params));
  assert.match(stream.headers.get('content-type'), /event-stream/);
  const all = events(stream.text).map((e) => JSON.parse(e.data).result);
  assert.deepEqual(all.map((r) => r.kind), ['task', 'artifact-update', 'status-update']);
  assert.equal(all[2].final, true);
  const got = await theo.api('POST', '/a2a', rpc('tasks/get', { id: json.result.id }));
  assert.equal(got.json.result.status.state, 'completed');
});

test('what Theo does not do is refused by its code', async () => {
  const send = (m) => rpc('SendMessage', { message: m });
  const part = { parts: [{ text: 'hi' }], role: 'ROLE_USER', messageId: 'm' };
  const cases = [[rpc('ListTasks', {}), -32004], [rpc('SubscribeToTask', { id: 'x' }), -32004], [rpc('CreateTaskPushNotificationConfig', {}), -32003],
    [rpc('GetExtendedAgentCard', {}), -32007], [rpc('Nope', {}), -32601], [send({ ...part, parts: [] }), -32602], [send({}), -32602],
    [send({ ...part, contextId: '01J00000000000000000000000' }), -32602], [send({ ...part, taskId: 'x' }), -32004], [rpc('GetTask', { id: '../x' }), -32001], ['{', -32700], ['{}', -32600]];
  for (const [body, code] of cases) {
    const { json } = await theo.api('POST', '/a2a', body);
    assert.equal(json.error?.code, code, JSON.stringify(body));
  }
  assert.equal((await theo.api('POST', '/a2a', rpc('GetTask', {}), { 'A2A-Version': '2.0' })).json.error.code, -32009);
  assert.equal((await theo.api('POST', '/a2a', rpc('GetTask', {}), { Authorization: null })).status, 401);
  assert.equal((await theo.api('POST', '/a2a', rpc('GetTask', {}), { Origin: 'https://evil.example' })).status, 403);
  const made = await run(['keys', 'create', '--data-dir', theo.data, '--name', 's', '--scopes', 'schedule', '--json']);
  assert.equal((await theo.api('POST', '/a2a', rpc('GetTask', {}), { Authorization: `Bearer ${JSON.parse(made.stdout).key}` })).status, 403);
});

test('CancelTask ends a task that works', async () => {
  mock.onMessage(/slow/, { content: 'late' }, { chaos: { latencyMs: 20000 } });
  const response = await withKey(`${theo.url}/a2a`, { method: 'POST', headers: { 'Content-Type': 'application/json', 'A2A-Version': '1.0' },
    body: JSON.stringify(rpc('SendStreamingMessage', { message: { messageId: 'm', role: 'ROLE_USER', parts: [{ text: 'slow please' }] } })) });
  let log = '';
  let cancelled;
  for await (const chunk of response.body) {
    log += Buffer.from(chunk).toString();
    const id = /"id":"(\w{26})"/.exec(log)?.[1];
    if (id && !cancelled) cancelled = theo.api('POST', '/a2a', rpc('CancelTask', { id }), { 'A2A-Version': '1.0' });
  }
  assert.equal((await cancelled).json.result.status.state, 'TASK_STATE_CANCELED');
  assert.match(log, /TASK_STATE_CANCELED/);
});

const rest = (method, path, body, headers) => theo.api(method, `/a2a${path}`, body, { 'A2A-Version': '1.0', ...headers });
const hello = { message: { messageId: 'm', role: 'ROLE_USER', parts: [{ text: 'hello there' }] } };

test('HTTP+JSON: bodies without an envelope, errors as google.rpc.Status', async () => {
  mock.onMessage(/hello there/, { content: 'Hello.' });
  const sent = await rest('POST', '/message:send', JSON.stringify(hello), { 'Content-Type': 'application/a2a+json' });
  assert.equal(sent.status, 200);
  assert.match(sent.headers.get('content-type'), /^application\/a2a\+json/);
  assert.deepEqual(Object.keys(sent.json), ['task']);
  const got = await rest('GET', `/tasks/${sent.json.task.id}?historyLength=2`);
  assert.match(got.headers.get('content-type'), /^application\/a2a\+json/);
  assert.equal(got.json.artifacts[0].parts[0].text, 'Hello.');
  const key = { 'Idempotency-Key': '"rest-1"' };
  const once = await rest('POST', '/message:send', hello, key), twice = await rest('POST', '/message:send', hello, key);
  assert.equal(twice.json.task.id, once.json.task.id);
  assert.match(twice.headers.get('content-type'), /^application\/a2a\+json/);
  const part = hello.message;
  const cases = [
    ['GET', '/tasks/01J00000000000000000000000', undefined, 404, 'NOT_FOUND', 'TASK_NOT_FOUND'],
    ['GET', '/tasks/x%20y', undefined, 404, 'NOT_FOUND', 'TASK_NOT_FOUND'],
    ['POST', '/tasks/nope:cancel', undefined, 404, 'NOT_FOUND', 'TASK_NOT_FOUND'],
    ['POST', `/tasks/${sent.json.task.id}:cancel`, {}, 400, 'FAILED_PRECONDITION', 'TASK_NOT_CANCELABLE'],
    ['POST', '/message:send', {}, 400, 'INVALID_ARGUMENT', 'INVALID_PARAMS'],
    ['POST', '/message:stream', { message: { ...part, parts: [] } }, 400, 'INVALID_ARGUMENT', 'INVALID_PARAMS'],
    ['POST', '/message:send', { message: { ...part, contextId: '01J00000000000000000000000' } }, 400, 'INVALID_ARGUMENT', 'INVALID_PARAMS'],
    ['POST', '/message:send', { message: { ...part, taskId: 'x' } }, 400, 'FAILED_PRECONDITION', 'UNSUPPORTED_OPERATION'],
  ];
  for (const [method, path, body, status, name, reason] of cases) {
    const { status: was, json } = await rest(method, path, body);
    assert.deepEqual([was, json?.error?.code, json?.error?.status, json?.error?.details?.[0]?.reason], [status, status, name, reason], `${method} ${path}`);
  }
  assert.equal((await rest('POST', '/message:send', hello, { 'A2A-Version': '0.3' })).json.error.details[0].reason, 'VERSION_NOT_SUPPORTED');
  assert.equal((await rest('POST', '/message:send', '{')).status, 400);
  assert.equal((await rest('POST', '/message:send', hello, { Authorization: null })).status, 401);
  assert.equal((await rest('POST', '/message:send', hello, { Origin: 'https://evil.example' })).status, 403);
  assert.equal((await rest('POST', '/message:send', 'x', { 'Content-Type': 'text/plain' })).status, 415);
  assert.equal((await rest('GET', '/tasks')).status, 404, 'not offered');
  assert.equal((await rest('PUT', '/message:send', hello)).status, 405);
  assert.equal((await rest('POST', '/tasks/:cancel')).status, 405, 'no task has an empty id');
});

test('HTTP+JSON: a task that works is ended by :cancel', async () => {
  mock.onMessage(/slow/, { content: 'late' }, { chaos: { latencyMs: 20000 } });
  const agent = await client('HTTP+JSON');
  const states = [];
  let cancelled;
  for await (const item of agent.sendMessageStream(message('slow please'))) {
    states.push((item.payload.value.status ?? {}).state);
    cancelled ??= agent.cancelTask({ id: item.payload.value.id, tenant: '', metadata: {} });
  }
  assert.deepEqual(states, [TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_CANCELED]);
  assert.equal((await cancelled).status.state, TaskState.TASK_STATE_CANCELED);
});

// ---- Theo asks other agents

async function ask(name, said) {
  mock.reset();
  mock.on({ hasToolResult: false }, { toolCalls: [{ id: 'c', name, arguments: JSON.stringify({ message: said }) }] });
  mock.on({ hasToolResult: true }, { content: 'Done.' });
  const { json } = await theo.chat('Ana: Theo, ask the other one');
  const asked = mock.getRequests();
  return { json, result: asked.at(-1).body.messages.find((m) => m.role === 'tool').content.replace(/^\[From outside[^\n]*\n/, ''), tools: asked[0].body.tools.map((t) => t.function) };
}

test('an agent made with the SDK is asked as a tool: task, message, failure', async () => {
  const { result, tools, json } = await ask('echo__ask', 'hello slowly');
  assert.equal(result, 'echo: hello slowly');
  assert.equal(json.actions[0].status, 'done');
  assert.ok(tools.find((t) => t.name === 'echo__ask'));
  assert.equal(tools.find((t) => t.name === 'odd__ask').description, 'An odd one.');
  assert.ok(peer.seen.some((h) => h.authorization === 'Bearer k-123'));
  assert.ok(peer.seen.some((h) => h['a2a-version'] === '1.0'));
  assert.equal((await ask('echo__ask', 'message only')).result, 'just a message');
  assert.match((await ask('echo__ask', 'please fail')).result, /out of paper/);
});

test('a 0.3 agent, and agents that misbehave', async () => {
  odd.act = (m, json) => {
    assert.equal(m.method, 'message/send');
    assert.equal(m.params.message.parts[0].kind, 'text');
    json({ jsonrpc: '2.0', id: m.id, result: { kind: 'task', id: 't', contextId: 'c', status: { state: 'completed' }, artifacts: [{ artifactId: 'a', parts: [{ kind: 'text', text: 'old echo' }] }] } });
  };
  assert.equal((await ask('odd__ask', 'x')).result, 'old echo');
  let polls = 0;
  odd.act = (m, json) => json({ jsonrpc: '2.0', id: m.id, result: m.method === 'message/send' || ++polls < 2
    ? { kind: 'task', id: 't', status: { state: 'working' } } : { kind: 'task', id: 't', status: { state: 'completed' }, artifacts: [{ parts: [{ kind: 'text', text: 'polled' }] }] } });
  assert.equal((await ask('odd__ask', 'x')).result, 'polled');
  const bad = [
    [(m, json) => json({ jsonrpc: '2.0', id: m.id, error: { code: -32603, message: 'oops' } }), /oops/],
    [(m, json) => json({ jsonrpc: '2.0', id: 'other', result: {} }), /another request|protocol/],
    [(m, json, res) => res.end('<html>'), /not valid JSON/],
    [(m, json, res) => { res.writeHead(500); res.end(); }, /HTTP 500/],
    [() => {}, /did not finish|in time/],
    [(m, json) => json({ jsonrpc: '2.0', id: m.id, result: { kind: 'task', id: 't', status: { state: 'completed' } } }), /no text/],
    [(m, json) => json({ jsonrpc: '2.0', id: m.id, result: { kind: 'message', parts: [{ kind: 'text', text: 'z'.repeat(6 << 20) }] } }), /too_large/],
  ];
  for (const [act, expected] of bad) {
    odd.act = act;
    assert.match((await ask('odd__ask', 'x')).result, expected);
  }
});
