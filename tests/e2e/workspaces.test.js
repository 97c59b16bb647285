// Several workspaces on one server: keys are made by the command line, nothing of one is seen from another, and what the
// server does by itself it does in all of them.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import YAML from 'yaml';
import { LLMock } from '@copilotkit/aimock';
import { root, run, scratch, start } from './theo.js';

const contract = YAML.parse(readFileSync(join(root, 'openapi.yaml'), 'utf8'));
const POLICY = 'policy:\n  tools:\n    schedule: {approval: required}\n';
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
let dir, theo, acme;

const keyOf = async (data, workspace, ...more) => {
  const made = await run(['keys', 'create', '--data-dir', data, '--name', 'e2e', '--scopes', 'admin', '--workspace', workspace, '--json', ...more]);
  assert.equal(made.code, 0, made.stderr);
  return JSON.parse(made.stdout).key;
};

before(async () => {
  dir = scratch();
  writeFileSync(join(dir, 'theo.yaml'), POLICY);
  theo = await start({ dir });
  acme = { Authorization: `Bearer ${await keyOf(theo.data, 'acme')}` };
});
after(() => theo.stop());

test('keys belong to their workspace, also on the command line', async () => {
  const ids = async (...args) => JSON.parse((await run(['keys', 'list', '--data-dir', theo.data, '--json', ...args])).stdout).keys.map((k) => k.id);
  const [own] = await ids('--workspace', 'acme');
  assert.equal((await ids()).includes(own), false);
  assert.equal((await theo.api('GET', '/api/auth/whoami', undefined, acme)).json.workspace_id, 'acme');
  for (const [args, code, want] of [
    [['list', '--workspace', 'nothing'], 1, /There is no workspace nothing/],
    [['list', '--workspace', 'a b'], 1, /There is no workspace|workspace id/],
    [['create', '--name', 'x', '--scopes', 'chat', '--workspace', 'a b'], 2, /workspace id is made of printable ASCII/],
    [['create', '--name', 'x', '--scopes', 'chat', '--workspace', 'x', '--url', theo.url], 2, /--workspace and --url exclude each other/],
    [['revoke', own], 1, /./],
  ]) {
    const made = await run(['keys', ...args, '--data-dir', theo.data]);
    assert.match(made.stderr, want);
    assert.notEqual(made.code, 0, args.join(' '));
    if (code === 2) assert.equal(made.code, 2, args.join(' '));
  }
  assert.equal((await theo.api('GET', '/api/auth/whoami', undefined, acme)).status, 200, 'it could not be revoked from elsewhere');
});

test('nothing of one workspace is seen or changed from another', async () => {
  const chat = (await theo.chat('Ana: our margin is 12 percent.\nBen: Theo, what did Ana say about the margin?')).json;
  const asked = (await theo.chat('Ana: Theo, book a call with ben@example.com on 2031-03-04 at 15:00 called Intro.')).json;
  const ids = {
    '/api/sessions/{id}': chat.session_id,
    '/api/runs/{id}': chat.run_id,
    '/a2a/tasks/{id}': chat.run_id,
    '/api/approvals/{id}': asked.approvals[0].id,
    '/api/schedule/{id}': (await theo.api('POST', '/api/schedule', { summary: 'S', start: '2031-01-01T10:00:00Z', duration_minutes: 30, time_zone: 'UTC', attendees: ['a@b.example'] })).json.id,
    '/api/memories/{id}': (await theo.api('POST', '/api/memories', { session_id: chat.session_id, text: 'Ben pays by card.' })).json.id,
    '/api/auth/keys/{id}': (await theo.api('POST', '/api/auth/keys', { name: 'other', scopes: 'read' })).json.id,
  };
  for (const [path, id] of Object.entries(ids)) assert.ok(id, path);
  let seen = 0;
  for (const [path, methods] of Object.entries(contract.paths)) {
    const base = path.match(/^.*\{id\}/)?.[0];
    for (const method of Object.keys(methods).filter((m) => /^(get|post|put|patch|delete)$/.test(m))) {
      if (base) {
        assert.ok(ids[base], `${path}: this test knows no id for it`);
        const { status, text } = await theo.api(method.toUpperCase(), path.replace('{id}', ids[base]), method === 'get' || method === 'delete' ? undefined : bodyOf(path), acme);
        assert.equal(status, 404, `${method} ${path}: ${text}`);
        seen++;
      } else if (method === 'get' && path.startsWith('/api/')) {
        const query = path === '/api/schedule/availability' ? '?from=2031-01-01T00:00:00Z&to=2031-01-02T00:00:00Z&duration_minutes=30' : '';
        const { status, text } = await theo.api('GET', path.replace('{name}', 'Theo') + query, undefined, acme);
        assert.ok(status < 500, `${path}: ${text}`);
        for (const id of Object.values(ids)) assert.ok(!text.includes(id), `${path} shows ${id}`);
        assert.doesNotMatch(text, /12 percent|pays by card|Intro/, path);
      }
    }
  }
  assert.ok(seen >= 15, `${seen} operations`);
  const { json } = await theo.chat('Ben: Theo, what did Ana say about the margin?', {}, acme);
  assert.doesNotMatch(json.reply ?? '', /12 percent/);
  const there = await theo.chat('Ben: Theo, and now?', { session_id: chat.session_id }, acme);
  assert.equal(there.status, 404, there.text);
  for (const path of [`/api/sessions/${ids['/api/sessions/{id}']}`, `/api/approvals/${ids['/api/approvals/{id}']}`, `/api/memories/${ids['/api/memories/{id}']}`])
    assert.equal((await theo.api('GET', path)).status, 200, `${path} is still there`);
});

const bodyOf = (path) => (/approvals/.test(path) ? { decision: 'approve' } : /schedule|memories/.test(path) ? { summary: 'x', text: 'x' } : {});

test('a run that a crash cut off is closed in every workspace', async () => {
  const mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  const env = { THEO_MODEL: 'openai:gpt-test', THEO_OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: 'sk-configured-key-0123456789', THEO_MODEL_FALLBACK: '' };
  mock.onMessage(/wait/, { content: 'late' }, { chaos: { latencyMs: 20000 } });
  let own = await start({ dir: scratch(), env });
  try {
    const other = { Authorization: `Bearer ${await keyOf(own.data, 'acme')}` };
    const lost = own.chat('Ana: Theo, wait a while', {}, other).catch(() => null);
    let found;
    for (let i = 0; !found; i++) {
      assert.ok(i < 200);
      await sleep(50);
      found = (await own.api('GET', '/api/runs?state=running', undefined, other)).json.runs[0];
    }
    const { dir: home, key } = own;
    await own.kill();
    await lost;
    own = await start({ dir: home, key, env });
    assert.equal((await own.api('GET', `/api/runs/${found.id}`, undefined, other)).json.state, 'interrupted');
  } finally {
    await own.stop();
    await mock.stop();
  }
});

test('a run is cancelled through another process in every workspace', async () => {
  const mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  const env = { THEO_MODEL: 'openai:gpt-test', THEO_OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: 'sk-configured-key-0123456789', THEO_MODEL_FALLBACK: '' };
  mock.onMessage(/wait/, { content: 'late' }, { chaos: { latencyMs: 20000 } });
  const one = await start({ dir: scratch(), env });
  const two = await start({ dir: one.dir, key: one.key, env });
  try {
    const other = { Authorization: `Bearer ${await keyOf(one.data, 'acme')}` };
    const call = one.chat('Ana: Theo, wait a while', {}, other);
    let found;
    for (let i = 0; !found; i++) {
      assert.ok(i < 200);
      await sleep(50);
      found = (await two.api('GET', '/api/runs?state=running', undefined, other)).json.runs[0];
    }
    assert.equal((await two.api('POST', `/api/runs/${found.id}/cancel`, undefined, other)).status, 202);
    assert.notEqual((await call).status, 200);
  } finally {
    await two.stop();
    await one.stop();
    await mock.stop();
  }
});
