// openapi.yaml against the running program: every documented operation exists, every answer seen here
// fits the schema documented for its status.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import YAML from 'yaml';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { start, root } from './theo.js';

const contract = YAML.parse(readFileSync(join(root, 'openapi.yaml'), 'utf8'));
let theo, ajv;

before(async () => {
  theo = await start();
  ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addSchema(contract, 'openapi');
});
after(async () => { await theo.stop(); });

const resolve = (node) => {
  while (node?.$ref) node = node.$ref.slice(2).split('/').reduce((n, k) => n[k.replace(/~1/g, '/').replace(/~0/g, '~')], contract);
  return node;
};
const pointer = (...keys) => keys.map((k) => encodeURIComponent(k.replace(/~/g, '~0').replace(/\//g, '~1'))).join('/');

function template(path) {
  const clean = path.split('?')[0];
  return Object.keys(contract.paths).find((t) =>
    new RegExp(`^${t.replace(/[.]/g, '\\.').replace(/\{[^}]+\}/g, '[^/]+')}$`).test(clean));
}

async function call(method, path, body, headers) {
  const answer = await theo.api(method, path, body, headers);
  const name = template(path);
  assert.ok(name, `${path} is not in openapi.yaml`);
  const operation = contract.paths[name][method.toLowerCase()];
  assert.ok(operation, `${method} ${name} is not in openapi.yaml`);
  const documented = operation.responses[answer.status] ?? operation.responses.default;
  assert.ok(documented, `${method} ${name} answered ${answer.status}, which is not documented: ${answer.text.slice(0, 300)}`);
  const type = (answer.headers.get('content-type') ?? '').split(';')[0];
  const content = resolve(documented).content;
  if (answer.text) {
    assert.ok(content?.[type], `${method} ${name} ${answer.status}: ${type} is not documented`);
    if (answer.json !== undefined && content[type].schema) {
      const keys = operation.responses[answer.status] ? String(answer.status) : 'default';
      const own = documented.$ref ?? null;
      const ref = own
        ? `openapi${own}/content/${pointer(type)}/schema`
        : `openapi#/${pointer('paths', name, method.toLowerCase(), 'responses', keys, 'content', type, 'schema')}`;
      const validate = ajv.getSchema(ref) ?? ajv.compile({ $ref: ref });
      assert.ok(validate(answer.json), `${method} ${name} ${answer.status}: ${ajv.errorsText(validate.errors)}\n${answer.text.slice(0, 600)}`);
    }
  }
  return answer;
}

test('answers fit the contract', async () => {
  const chat = await call('POST', '/api/chat', { chat_context: 'Ana: 12 euro.\nBen: Theo, what did we agree?' });
  assert.equal(chat.status, 200);
  await call('POST', '/api/chat', { chat_context: 'Ana: hm\nBen: yes' });
  await call('POST', '/api/chat', { chat_context: '' });
  await call('POST', '/api/chat', { chat_context: 'Ana: x' }, { Authorization: null });
  await call('POST', '/api/chat', '{');
  await call('POST', '/api/chat', { chat_context: 'x'.repeat(3 << 20) });
  const sent = await call('POST', '/a2a/message:send', { message: { messageId: 'm', role: 'ROLE_USER', parts: [{ text: 'What did we agree?' }] } });
  assert.equal(sent.status, 200);
  await call('POST', '/a2a/message:send', {});
  await call('POST', '/a2a/message:stream', '{');
  await call('GET', `/a2a/tasks/${sent.json.task.id}`);
  await call('GET', '/a2a/tasks/none');
  const made = await call('POST', '/api/schedule', { summary: 'S', start: '2038-01-01T10:00:00Z', duration_minutes: 30, time_zone: 'UTC', attendees: ['a@b.example', 'Ben'] });
  assert.equal(made.status, 201);
  const id = made.json.id;
  await call('GET', '/api/schedule');
  await call('GET', `/api/schedule/${id}`);
  await call('GET', `/api/schedule/${id}?format=ics`);
  await call('PATCH', `/api/schedule/${id}`, { summary: 'T' });
  await call('DELETE', `/api/schedule/${id}`);
  await call('GET', '/api/schedule/01ARZ3NDEKTSV4RRFFQ69G5FAV');
  await call('POST', '/api/schedule', { summary: 'S' });
  await call('POST', '/api/schedule/availability', { from: '2038-01-04T00:00:00Z', to: '2038-01-05T00:00:00Z', duration_minutes: 30, time_zone: 'UTC' });
  const memory = await call('POST', '/api/memories', { session_id: chat.json.session_id, text: 'Ana sells sensors.' });
  assert.equal(memory.status, 201);
  await call('POST', '/api/memories', { session_id: chat.json.session_id, text: '' });
  await call('POST', '/api/memories', { session_id: 'nowhere', text: 'x' });
  await call('GET', '/api/memories');
  await call('GET', `/api/memories?session_id=${chat.json.session_id}`);
  await call('GET', `/api/memories/${memory.json.id}`);
  await call('PATCH', `/api/memories/${memory.json.id}`, { text: 'Ana sells cold-chain sensors.' });
  await call('PATCH', `/api/memories/${memory.json.id}`, { text: 'late', version: 1 });
  await call('DELETE', `/api/memories/${memory.json.id}`);
  await call('GET', `/api/memories/${memory.json.id}`);
  await call('GET', '/api/runs');
  const ofChat = await call('GET', `/api/runs?session_id=${chat.json.session_id}`);
  assert.deepEqual(ofChat.json.runs.map((run) => run.id), [chat.json.run_id]);
  await call('GET', '/api/runs?state=asleep');
  await call('GET', '/api/runs?state=completed&agent=Theo&limit=1');
  await call('GET', '/api/agents');
  await call('GET', '/api/agents/Theo');
  await call('GET', '/api/agents/nobody');
  await call('GET', '/api/teams');
  await call('GET', '/api/teams/nobody');
  await call('GET', '/api/workflows');
  await call('GET', '/api/workflows/nobody');
  await call('GET', '/api/sessions');
  await call('GET', `/api/sessions/${chat.json.session_id}`);
  await call('GET', `/api/sessions/${chat.json.session_id}/messages`);
  await call('GET', `/api/runs/${chat.json.run_id}`);
  await call('GET', '/api/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV');
  const key = await call('POST', '/api/auth/keys', { name: 'k', scopes: ['chat'] });
  assert.equal(key.status, 201);
  await call('GET', '/api/auth/keys');
  await call('GET', '/api/auth/whoami');
  await call('POST', `/api/auth/keys/${key.json.id}/rotate`, {});
  await call('DELETE', `/api/auth/keys/${key.json.id}`);
  await call('GET', '/api/config');
  await call('GET', '/healthz');
  await call('GET', '/readyz');
  await call('GET', '/metrics');
  await call('DELETE', `/api/sessions/${chat.json.session_id}`);
});

test('every documented operation is served', async () => {
  for (const [path, item] of Object.entries(contract.paths))
    for (const method of Object.keys(item).filter((m) => /^(get|post|put|patch|delete)$/.test(m))) {
      const { status } = await theo.api(method.toUpperCase(), path.replace(/\{[^}]+\}/g, '01ARZ3NDEKTSV4RRFFQ69G5FAV'),
        method === 'get' || method === 'delete' ? undefined : {});
      assert.ok(![405, 501].includes(status), `${method} ${path}: ${status}`);
    }
});

test('the contract is served as JSON, the page for people as HTML', async () => {
  const { json, headers } = await theo.api('GET', '/openapi.json', undefined, { Authorization: null });
  assert.match(headers.get('content-type'), /^application\/json/);
  assert.deepEqual(json.paths, JSON.parse(JSON.stringify(contract.paths)));
  const page = await theo.api('GET', '/docs', undefined, { Authorization: null });
  assert.match(page.headers.get('content-type'), /^text\/html/);
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src/);
});

test('documented examples are accepted or at least well-formed', async () => {
  const media = contract.paths['/api/chat'].post.requestBody.content['application/json'];
  const list = media.examples ? Object.values(media.examples).map((e) => resolve(e).value) : [media.example];
  assert.ok(list[0], 'POST /api/chat has an example');
  for (const value of list) assert.equal((await theo.api('POST', '/api/chat', value)).status, 200);
});
