// What Theo does in a group by itself: reminders, the daily digest, the brief before a call, and what
// it knows of people and deals.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { LLMock } from '@copilotkit/aimock';
import { nextMinute } from './theo.js';
import { House } from './telegram-theo.js';

async function open(t, options = {}) {
  let made;
  const house = await House.open({ ...options, setUp: (tg) => {
    const [ana, ben] = [tg.user('Ana'), tg.user('Ben')];
    made = { ana, ben, group: tg.supergroup('Deals', [ana, ben], { quiet: true }), other: tg.supergroup('Other', [ana, ben], { quiet: true }) };
    tg.bot.clear();
    return Object.values(made).map((one) => one.id);
  } });
  t.after(() => house.close());
  return { house, tg: house.tg, ...made };
}
// A time of the day in UTC, as people write it.
const clock = (ms) => new Date(ms).toISOString().slice(11, 16);
const soon = { ms: 150000 };

test('reminders: asked for, heard, listed, cancelled', async (t) => {
  const { tg, ana, ben, group, other } = await open(t);
  ana.says(group, '/remind 3 March 2099 3pm send the deck to Acme');
  assert.match((await tg.said(group)).text, /#1 Tue 3 Mar 2099, 15:00 UTC – send the deck to Acme/);
  ben.says(group, 'Ben owes us the signed contract by 5 March 2099');
  await tg.quiet(600);
  ana.says(group, '@TheoBot remind us on 6 March 2099 at 10:00 to call Carla');
  assert.match((await tg.said(group)).text, /#3 Fri 6 Mar 2099, 10:00 UTC – call Carla/);
  ana.says(group, '/remind list');
  const list = await tg.said(group);
  assert.match(list.text, /#1 .*deck/);
  assert.match(list.text, /#2 Thu 5 Mar 2099, 09:00 UTC – Ben – the signed contract/);
  assert.match(list.text, /#3 .*Carla/);
  ana.says(group, '/remind cancel 1');
  assert.match((await tg.said(group)).text, /Dropped: #1/);
  ana.says(group, '/remind cancel 1');
  assert.match((await tg.said(group)).text, /no reminder #1/);
  ana.says(other, '/remind list');
  assert.match((await tg.said(other)).text, /No reminders/);
  ana.says(group, '/remind yesterday buy milk');
  assert.match((await tg.said(group)).text, /over|cannot/);
});

test('a reminder is said once, at its time', async (t) => {
  const { tg, ana, group } = await open(t);
  const at = nextMinute();
  ana.says(group, `/remind at ${clock(at)} UTC send the deck`);
  await tg.said(group);
  const said = await tg.said(group, soon);
  assert.match(said.text, /Reminder: send the deck/);
  assert.match(said.text, /Ana/);
  assert.ok(Date.now() >= at);
});

test('deals: each move with its reason', async (t) => {
  const { tg, ana, ben, group, other } = await open(t);
  ana.says(group, '/deal Acme Corp lead met at the fair');
  assert.match((await tg.said(group)).text, /Acme Corp: lead .*Ana.*: met at the fair/);
  ben.says(group, '/deal acme corp proposal they want 40 seats');
  await tg.said(group);
  ana.says(group, '/deals');
  const all = await tg.said(group);
  assert.match(all.text, /proposal .*Ben.*40 seats/);
  assert.doesNotMatch(all.text, /fair/);
  ana.says(group, '/deal Acme Corp');
  assert.match((await tg.said(group)).text, /lead[^]*proposal/);
  ana.says(group, '/deal Acme Corp won');
  assert.match((await tg.said(group)).text, /why/);
  ana.says(other, '/deals');
  assert.match((await tg.said(other)).text, /No deals/);
});

test('contacts: from this chat alone', async (t) => {
  const { tg, ana, ben, group, other } = await open(t);
  ana.says(group, 'I met Carla Ortiz from Acme Labs yesterday, her mail: carla@acme.example');
  ben.says(group, 'You can reach me at +34 600 123 456');
  ana.says(group, '/contacts');
  const { text } = await tg.said(group);
  assert.match(text, /Carla Ortiz, Acme Labs, carla@acme\.example/);
  assert.match(text, /Ben, \+34 600 123 456/);
  ana.says(group, '/contacts acme labs');
  assert.match((await tg.said(group)).text, /Carla Ortiz/);
  ana.says(other, '/contacts Carla');
  assert.match((await tg.said(other)).text, /Nobody said/);
});

// The built-in model quotes, another one writes; when it says what nobody said, or fails, there are quotes too.
test('the digest at its hour: once, and nothing when nothing was said', async (t) => {
  const mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  t.after(() => mock.stop());
  mock.on({ predicate: (r) => /eighty/.test(JSON.stringify(r.messages)) }, { content: '**Agreed**\n- 99 seats' });
  mock.on({ predicate: (r) => /seventy/.test(JSON.stringify(r.messages)) }, { error: { message: 'down', type: 'server_error' }, status: 500 });
  mock.on({ userMessage: /digest of these messages/ }, { content: '**Vereinbart**\n- Acme: 40 Plätze zu 12 Euro' });
  const env = { THEO_MODEL: 'openai:gpt-test', THEO_OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: 'sk-configured-key-0123456789', THEO_MODEL_FALLBACK: '' };
  const quotes = [/Agreed[^]*Ana: We agreed on 40 seats/, /To do[^]*Ben: I'll send the contract/];
  await Promise.all([
    [{}, 'today', quotes],
    [{ env }, 'today', [/\*?Vereinbart/, /Acme: 40 Plätze zu 12 Euro/]],
    [{ env }, 'eighty', quotes],
    [{ env }, 'seventy', quotes],
  ].map(async ([options, word, wanted]) => {
    const { tg, ana, ben, group } = await open(t, options);
    const at = nextMinute();
    ana.says(group, '/settings timezone UTC');
    await tg.said(group);
    ana.says(group, `/settings digest ${clock(at)}`);
    assert.match((await tg.said(group)).text, new RegExp(`digest: ${clock(at)}`));
    ana.says(group, `We agreed on 40 seats for Acme at 12 euros ${word}.`);
    ben.says(group, "I'll send the contract to Acme by Friday.");
    const digest = await tg.said(group, soon);
    assert.ok(Date.now() >= at);
    assert.match(digest.text, /What was said since/);
    for (const one of wanted) assert.match(digest.text, one);
    assert.doesNotMatch(digest.text, /99/);
    await tg.quiet(6000);
    assert.equal(tg.spoken(group).length, 3);
  }));
});

test('a brief before a call, and the question after it; none for one that moved or was cancelled', async (t) => {
  const { house, tg, ana, ben, group } = await open(t);
  ben.says(group, 'Acme wants the pricing with 40 seats.');
  ana.says(group, '/settings brief 1');
  await tg.said(group);
  ana.says(group, '@TheoBot book a call with Ben about Acme on 2 March 2038 at 15:00');
  await tg.said(group);
  const [event] = (await house.theo.api('GET', '/api/schedule')).json.events;
  const start = Date.now() + 70000;
  const moved = await house.theo.api('PATCH', `/api/schedule/${event.id}`, { start: new Date(start).toISOString(), end: new Date(start + 2000).toISOString() });
  assert.equal(moved.status, 200, JSON.stringify(moved.json));
  const brief = await tg.said(group, soon);
  assert.ok(Date.now() < start);
  assert.match(brief.text, /Coming up:/);
  assert.match(brief.text, /Ben: Acme wants the pricing with 40 seats/);
  const after = await tg.said(group, { ms: 120000 });
  assert.ok(Date.now() >= start + 2000);
  assert.match(after.text, /Who does what/);
  await tg.quiet(1000);
});

// Between claim and commit, after the commit, and before it is sent.
test('kill -9 around a reminder: it is said once', { timeout: 240000 }, async (t) => {
  const kills = await Promise.all(['bot.service', 'bot.service_done', 'outbox.sending'].map(async (step) => {
    const { house, tg, ana, group } = await open(t);
    const at = nextMinute();
    ana.says(group, `/remind at ${clock(at)} UTC send the deck`);
    await tg.said(group);
    await tg.quiet(300);
    await house.restart({ THEO_FAULTS: `${step}!kill` });
    const end = await Promise.race([house.theo.exited.then(() => 'dead'), tg.until(() => tg.spoken(group).length > 1, soon).then(() => 'said', () => 'silent')]);
    if (end === 'said') return 0;
    assert.equal(end, 'dead', step);
    await house.start();
    assert.match((await tg.said(group, soon)).text, /Reminder: send the deck/, step);
    await tg.quiet(6000);
    assert.equal(tg.spoken(group).length, 2, step);
    return 1;
  }));
  if (kills.every((one) => one === 0)) t.skip('this build has no named faults');
  else assert.deepEqual(kills, [1, 1, 1]);
});
