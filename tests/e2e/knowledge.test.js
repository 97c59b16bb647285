// What an agent is given besides the chat: documents that it searches and cites, and input that has
// the shape it asks for.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LLMock } from '@copilotkit/aimock';
import { start, run, scratch } from './theo.js';

const yaml = `
agents:
  support:
    tools: []
    knowledge: [handbook/]
  quoter:
    tools: []
    input-schema:
      type: object
      additionalProperties: false
      required: [company]
      properties:
        company: {type: string, minLength: 2}
        units: {type: integer, minimum: 1}
`;
let mock, theo;

before(async () => {
  mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  const dir = scratch();
  writeFileSync(join(dir, 'theo.yaml'), yaml);
  mkdirSync(join(dir, 'handbook'));
  writeFileSync(join(dir, 'handbook', 'returns.md'), '# Returns\n\nGoods come back within 30 days.\n\n# Islands\n\nWe do not ship to islands.\n');
  theo = await start({ dir, env: { THEO_MODEL: 'openai:gpt-test', THEO_OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: 'sk-configured-key-0123456789', THEO_MODEL_FALLBACK: '' } });
});
after(async () => { await theo.stop(); await mock.stop(); });
beforeEach(() => mock.reset());

test('an agent looks things up and cites file, line and words', async () => {
  mock.on({ userMessage: /islands/, hasToolResult: false }, { toolCalls: [{ name: 'search_knowledge', arguments: JSON.stringify({ query: 'ship to islands' }) }] });
  mock.on({ userMessage: /islands/, hasToolResult: true }, { content: 'No, not to islands.' });
  const { json, text } = await theo.chat('Ana: Theo, do we ship to islands?', { agent: 'support' });
  assert.equal(json?.reply, 'No, not to islands.', text);
  assert.deepEqual(json.citations, [{ url: 'handbook/returns.md#L5', title: 'Islands', quote: '# Islands\n\nWe do not ship to islands.' }]);
  const tools = mock.getRequests()[0].body.tools.map((t) => t.function.name);
  assert.deepEqual(tools, ['search_knowledge']);
});

test('nobody else has that tool', async () => {
  mock.onMessage(/Theo/, { content: 'Yes.' });
  await theo.chat('Ana: Theo, are you there?');
  assert.ok(!mock.getRequests()[0].body.tools.some((t) => t.function.name === 'search_knowledge'));
});

test('input that does not fit is refused with its field; what fits is told to the agent', async () => {
  for (const [metadata, field] of [[undefined, 'metadata.company'], [{ company: 'Acme', units: 0 }, 'metadata.units'], [{ company: 'Acme', color: 'red' }, 'metadata.color']]) {
    const { status, json } = await theo.chat('Ana: Theo, a quote please', { agent: 'quoter', ...(metadata && { metadata }) });
    assert.equal(status, 422, JSON.stringify(json));
    assert.equal(json.field, field);
    assert.match(json.detail, /input-schema of quoter/);
  }
  assert.equal(mock.getRequests().length, 0);
  mock.onMessage(/quote/, { content: 'Twelve.' });
  const { json, text } = await theo.chat('Ana: Theo, a quote please', { agent: 'quoter', metadata: { company: 'Acme', units: 3 } });
  assert.equal(json?.reply, 'Twelve.', text);
  assert.match(mock.getRequests()[0].body.messages[0].content, /Input[^]*"company":"Acme","units":3/);
  const { agents } = (await theo.api('GET', '/api/agents')).json;
  assert.deepEqual(agents.find((a) => a.name === 'quoter').input_schema.required, ['company']);
});

test('mistakes name the line and the file', async () => {
  for (const [text, expected] of [
    ['agents:\n  a:\n    knowledge: [missing.md]\n', /theo\.yaml:3: knowledge .*missing\.md cannot be opened/],
    ['agents:\n  a:\n    knowledge: [theo.png]\n', /theo\.png is not UTF-8 text/],
    ['agents:\n  a:\n    knowledge: {path: x}\n', /theo\.yaml:3: agents\.a\.knowledge must be a list/],
    ['agents:\n  a:\n    input-schema: {type: string}\n', /agents\.a\.input-schema must be a JSON Schema/],
  ]) {
    const dir = scratch();
    writeFileSync(join(dir, 'theo.yaml'), text);
    writeFileSync(join(dir, 'theo.png'), Buffer.from([0x89, 0x50, 0x4e, 0x47, 0]));
    const made = await run(['serve', '--listen', '127.0.0.1:0', '--data-dir', join(dir, 'data')], { cwd: dir });
    assert.equal(made.code, 2, made.stderr);
    assert.match(made.stderr, expected);
  }
});
