// What Theo remembers of a chat: written behind the answers, recalled in its chat alone, correctable and
// erasable.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { LLMock } from '@copilotkit/aimock';
import { start } from './theo.js';

let mock, theo;
before(async () => {
  mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  theo = await start({ env: {
    THEO_MODEL: 'openai:gpt-test', THEO_OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: 'sk-configured-key-0123456789',
    THEO_MODEL_FALLBACK: '', THEO_MEMORY_EVERY_MESSAGES: '6',
  } });
});
after(async () => { await theo.stop(); await mock.stop(); });

const notes = async (session) => (await theo.api('GET', `/api/memories?session_id=${session}`)).json.memories;
const system = () => mock.getRequests().at(-1).body.messages.find((m) => m.role === 'system').content;

async function until(check) {
  for (let i = 0; i < 400; i++) {
    const value = await check();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail('it did not come to pass');
}

test('a chat is noted by the model behind the answer, and recalled in that chat alone', async () => {
  mock.on({ userMessage: /"messages":/ }, { content: JSON.stringify({
    summary: 'Ana sells sensors to Ben.',
    notes: [{ kind: 'decision', subject_kind: 'person', subject: 'Ben', text: 'Ben takes 500 units at 12 euro.', message: 2 }] }) });
  mock.onMessage(/Theo/, { content: 'Noted.' });
  const first = await theo.chat('Ana: We sell sensors.\nBen: 500 units at 12 euro, agreed.\nAna: Great.\nBen: And the deck?\nAna: Friday.\nBen: Theo, ok?');
  assert.equal(first.json.reply, 'Noted.');
  const session = first.json.session_id;
  const found = await until(async () => { const list = await notes(session); return list.length === 2 && list; });
  assert.deepEqual(found.map((m) => m.kind).sort(), ['decision', 'summary']);

  await theo.chat('Ben: Theo, what was the price?', { session_id: session });
  assert.match(system(), /What you remember[^]*Ben takes 500 units at 12 euro/);
  await theo.chat('Cleo: Theo, what did Ben agree to?');
  assert.doesNotMatch(system(), /12 euro/);

  const decision = found.find((m) => m.kind === 'decision');
  const changed = await theo.api('PATCH', `/api/memories/${decision.id}`, { text: 'Ben takes 600 units at 11 euro.' });
  assert.equal(changed.status, 200);
  await theo.chat('Ben: Theo, and now?', { session_id: session });
  assert.match(system(), /600 units at 11 euro/);
  assert.doesNotMatch(system(), /12 euro\./);
  assert.equal((await theo.api('PATCH', `/api/memories/${decision.id}`, { state: 'closed' })).json.state, 'closed');
  await theo.chat('Ben: Theo, once more?', { session_id: session });
  assert.doesNotMatch(system(), /600 units/);
  assert.equal((await theo.api('DELETE', `/api/memories/${decision.id}`)).status, 204);
  assert.equal((await theo.api('GET', `/api/memories/${decision.id}`)).status, 404);

  assert.equal((await theo.api('DELETE', `/api/sessions/${session}`)).status, 204);
  assert.equal((await notes(session)).length, 0);
});

test('notes by hand, and what is wrong with them', async () => {
  mock.onMessage(/Theo/, { content: 'Noted.' });
  const session = (await theo.chat('Ana: Theo, hello')).json.session_id;
  const made = await theo.api('POST', '/api/memories', { session_id: session, kind: 'preference', subject_kind: 'person', subject: 'Ana', text: 'Ana prefers mornings.' });
  assert.equal(made.status, 201);
  await theo.chat('Ana: Theo, when?', { session_id: session });
  assert.match(system(), /Ana prefers mornings/);
  for (const [body, field] of [
    [{ text: 'x' }, 'session_id'], [{ session_id: session, text: ' ' }, 'text'], [{ session_id: session, text: 'x', kind: 'gossip' }, 'kind'],
    [{ session_id: session, text: 'x', subject_kind: 'cat' }, 'subject_kind'], [{ session_id: session, text: 'x'.repeat(2001) }, 'text'],
  ]) {
    const answer = await theo.api('POST', '/api/memories', body);
    assert.equal(answer.status, 422, JSON.stringify(body));
    assert.equal(answer.json.field, field);
  }
  assert.equal((await theo.api('POST', '/api/memories', { session_id: 'gone', text: 'x' })).status, 404);
});
