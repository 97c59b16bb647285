// Each provider's protocol end to end, against aimock in strict mode: plain, streamed, tools (two at
// once, and broken arguments given back), errors, and the fallback from one provider to another.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { LLMock } from '@copilotkit/aimock';
import { start, events, run } from './theo.js';

const ask = 'Ana: hello\nBen: Theo, ';
const providers = [
  { name: 'openai', spec: 'openai:gpt-5-mini', env: (url) => ({ THEO_OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: 'sk-configured-key-0123456789' }) },
  { name: 'anthropic', spec: 'anthropic:claude-sonnet-5', env: (url) => ({ THEO_ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: 'sk-configured-key-0123456789' }) },
  { name: 'gemini', spec: 'gemini:gemini-3-flash', env: (url) => ({ THEO_GEMINI_BASE_URL: url, GEMINI_API_KEY: 'sk-configured-key-0123456789' }) },
];

for (const provider of providers) {
  test(provider.name, async (t) => {
    const mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
    await mock.start();
    const theo = await start({ env: { THEO_MODEL: provider.spec, THEO_MODEL_FALLBACK: '', ...provider.env(mock.url) } });
    try {
      await t.test('plain answer', async () => {
        mock.reset();
        mock.onMessage(/capital/, { content: 'Paris is the capital of France.' });
        const { status, json, text } = await theo.chat(`${ask}what is the capital of France?`);
        assert.equal(status, 200, text);
        assert.equal(json.reply, 'Paris is the capital of France.');
        assert.equal(json.model, provider.spec);
        assert.equal(json.usage.model_calls, 1);
      });

      await t.test('streamed answer', async () => {
        mock.reset();
        mock.onMessage(/capital/, { content: 'Paris is the capital of France, and has been for long.' });
        const list = events((await theo.chat(`${ask}what is the capital of France?`, { stream: true })).text);
        const deltas = list.filter((e) => e.event === 'model.delta').map((e) => JSON.parse(e.data).text);
        assert.equal(deltas.join(''), 'Paris is the capital of France, and has been for long.');
        assert.equal(list.at(-1).event, 'run.completed');
      });

      await t.test('two tools at once, then the answer', async () => {
        mock.reset();
        const book = (summary, start) => ({ name: 'schedule', arguments: JSON.stringify({ summary, start, duration_minutes: 30 }) });
        mock.on({ userMessage: /book/, hasToolResult: false }, { toolCalls: [book('One', '2038-03-02T15:00:00Z'), book('Two', '2038-03-03T15:00:00Z')] });
        mock.on({ hasToolResult: true }, { content: 'Both are booked.' });
        const { json, text } = await theo.chat(`${ask}book both calls`);
        assert.equal(json?.reply, 'Both are booked.', text);
        assert.equal(json.events.length, 2);
        assert.deepEqual(json.actions.map((a) => a.status), ['done', 'done']);
      });

      await t.test('arguments that do not fit are given back once', async () => {
        mock.reset();
        let calls = 0;
        mock.on({ userMessage: /book/, predicate: () => ++calls === 1 }, { toolCalls: [{ name: 'schedule', arguments: '{"summary": 7}' }] });
        mock.on({ hasToolResult: true }, { content: 'I need the day.' });
        const { json, text } = await theo.chat(`${ask}book it`);
        assert.equal(json?.reply, 'I need the day.', text);
        assert.equal(json.events.length, 0);
      });

      await t.test('a wrong key is not masked', async () => {
        mock.reset();
        mock.onMessage(/capital/, { error: { message: 'invalid key', type: 'authentication_error' }, status: 401 });
        const answer = await theo.chat(`${ask}what is the capital of France?`);
        assert.equal(answer.status, 503, answer.text);
        assert.match(answer.text, /operator/);
        assert.doesNotMatch(answer.text + theo.log, /configured-key/);
      });
    } finally {
      await theo.stop();
      await mock.stop();
    }
  });
}

test('when one provider is down the next one answers, in the same run', async () => {
  const down = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  const up = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await down.start();
  await up.start();
  const theo = await start({ env: {
    THEO_MODEL: 'anthropic:claude-sonnet-5', THEO_MODEL_FALLBACK: 'gemini:gemini-3-flash', THEO_MODEL_RETRIES: '0',
    ...providers[1].env(down.url), ...providers[2].env(up.url),
  } });
  try {
    down.onMessage(/capital/, { error: { message: 'overloaded', type: 'overloaded_error' }, status: 529 });
    up.onMessage(/capital/, { content: 'Paris.' });
    const { json, text } = await theo.chat(`${ask}what is the capital of France?`);
    assert.equal(json?.reply, 'Paris.', text);
    assert.equal(json.model, 'gemini:gemini-3-flash');
  } finally {
    await theo.stop();
    await down.stop();
    await up.stop();
  }
});

test('a wrong key is told, although another model stands by', async () => {
  const mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  const theo = await start({ env: { THEO_MODEL: 'anthropic:claude-sonnet-5', THEO_MODEL_FALLBACK: 'builtin', ...providers[1].env(mock.url) } });
  try {
    mock.onMessage(/capital/, { error: { message: 'invalid key', type: 'authentication_error' }, status: 401 });
    const answer = await theo.chat(`${ask}what is the capital of France?`);
    assert.equal(answer.status, 503, answer.text);
    assert.match(answer.text, /operator/);
  } finally {
    await theo.stop();
    await mock.stop();
  }
});

test('what a run cost is told where the price is known, and a budget ends it', async () => {
  const mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  const env = { THEO_MODEL: 'openai:gpt-5-mini', THEO_MODEL_FALLBACK: '', THEO_MODEL_PRICES: 'openai:gpt-5-mini=100000/100000', THEO_RUN_MAX_COST_CENTS: '1', ...providers[0].env(mock.url) };
  const theo = await start({ env });
  try {
    mock.on({ userMessage: /capital/ }, { content: 'Paris.' });
    const { json } = await theo.chat(`${ask}what is the capital of France?`);
    const { input_tokens: input, output_tokens: output, cost_usd: cost } = json.usage;
    assert.ok(input > 0);
    assert.ok(Math.abs(cost - (input + output) / 10) < 1e-6, `${cost} for ${input} + ${output} tokens`);
    mock.reset();
    mock.on({ userMessage: /book/ }, { toolCalls: [{ name: 'recall', arguments: '{"query":"price"}' }] });
    const spent = await theo.chat(`${ask}book it`);
    assert.notEqual(spent.status, 200);
    assert.match(spent.json.detail, /run\.max-cost-cents/);
  } finally {
    await theo.stop();
    await mock.stop();
  }
});

test('theo models lists and checks', async () => {
  const mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  try {
    const env = { THEO_MODEL: 'anthropic:claude-sonnet-5', ...providers[1].env(mock.url) };
    const list = JSON.parse((await run(['models', '--json'], { env })).stdout).models;
    assert.deepEqual(list.map((m) => m.model), ['anthropic:claude-sonnet-5', 'builtin']);
    mock.on({ userMessage: /ready/ }, { content: 'ready' });
    mock.on({ userMessage: /Madrid/ }, { toolCalls: [{ name: 'now_in', arguments: '{"city":"Madrid"}' }] });
    const good = await run(['models', 'check', '--json'], { env });
    assert.equal(good.code, 0, good.stdout + good.stderr);
    assert.deepEqual(JSON.parse(good.stdout).checks.map((c) => [c.check, c.ok]), [['plain', true], ['tools', true], ['stream', true]]);
    const priced = { THEO_MODEL: 'openai:mine', THEO_MODEL_PRICES: 'openai:mine=2/4', ...providers[0].env(mock.url) };
    const spent = JSON.parse((await run(['models', 'check', '--json'], { env: priced })).stdout);
    const tokens = (name) => spent.checks.reduce((sum, c) => sum + c[name], 0);
    assert.ok(tokens('input_tokens') > 0);
    assert.ok(Math.abs(spent.cost_usd - (2 * tokens('input_tokens') + 4 * tokens('output_tokens')) / 1e6) < 1e-12, JSON.stringify(spent));
    assert.equal(JSON.parse(good.stdout).cost_usd, undefined, 'no price, no cost');
    const people = await run(['models', 'check'], { env });
    assert.match(people.stdout, /price not known.*model\.prices/);
    assert.match(people.stdout, /cost is not known/);
    assert.match((await run(['models', 'check'], { env: priced })).stdout, /\$2 in.*\n[^]*This check cost \$0\.\d+/);
    assert.match((await run(['models'], { env: { THEO_MODEL: 'openai:gpt-5-mini' } })).stdout, /gpt-5-mini.*\$0\.25 in.*400000 tokens/);
    mock.reset();
    mock.on({ userMessage: /./ }, { content: 'ready' }); // a model that knows no tools
    const bad = await run(['models', 'check'], { env });
    assert.equal(bad.code, 1);
    assert.match(bad.stdout, /tools.*did not call/);
    assert.equal((await run(['models', 'check', 'openai:other'], { env })).code, 2);
  } finally {
    await mock.stop();
  }
});
