// What people do with Theo's messages in Telegram: approve, move, cancel, vote, react.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { House } from './telegram-theo.js';

const policy = 'policy:\n  tools:\n    schedule: {approval: required}\n';
const call = (name, hour = 15) => `@TheoBot book a call about ${name} on 2 March 2038 at ${hour}:00`;

async function open(t, options = {}) {
  let made;
  const house = await House.open({ ...options, setUp: (tg) => {
    const [ana, ben, eve] = [tg.user('Ana'), tg.user('Ben'), tg.user('Eve')];
    made = { ana, ben, eve, group: tg.supergroup('Deals', [ana, ben, eve], { quiet: true, admins: [ana] }) };
    tg.bot.clear();
    return [made.group.id];
  } });
  t.after(() => house.close());
  return { house, tg: house.tg, ...made };
}
const events = async (house) => (await house.theo.api('GET', '/api/schedule?include_cancelled=true&from=2038-01-01T00:00:00Z&to=2039-01-01T00:00:00Z')).json.events;
const see = (tg, chat, id) => tg.spoken(chat).find((m) => m.id === id);
const becomes = (tg, chat, id, pattern) => tg.until(() => pattern.test(see(tg, chat, id).text) && see(tg, chat, id), { ms: 12000, what: `${pattern} in ${see(tg, chat, id).text}` });
const answered = (tg, press) => tg.until(() => press.answer, { what: 'the answer to the press' });
const labels = (message) => (message.buttons ?? []).flat();

test('an approval: only admins may, the message says who decided, and it happens once', async (t) => {
  const { house, tg, ana, eve, group } = await open(t, { config: policy });
  ana.says(group, '/settings timezone Europe/Madrid');
  await tg.said(group);
  ana.says(group, call('Acme'));
  const asked = await tg.said(group, { matching: /Book this call/ });
  assert.match(asked.text, /^Book this call\?\n📅 Call\nTue 2 Mar 2038, 15:00–15:30 CET/);
  assert.deepEqual(labels(asked), ['Approve', 'Refuse']);
  assert.match((await answered(tg, eve.presses(asked.message, 'Approve'))).text, /admin/);
  assert.equal((await events(house)).length, 0);
  await answered(tg, ana.presses(asked.message, 'Approve'));
  const done = await becomes(tg, group, asked.id, /Approved by Ana/);
  assert.deepEqual(labels(done), []);
  await tg.said(group, { matching: /Booked/ });
  assert.equal((await events(house)).length, 1);
});

test('an approval that is decided over the interface, or by nobody, says so in the chat', async (t) => {
  const { house, tg, ana, group } = await open(t, { config: policy });
  ana.says(group, call('Acme'));
  const asked = await tg.said(group, { matching: /Book this call/ });
  const [approval] = (await house.theo.api('GET', '/api/approvals')).json.approvals;
  assert.equal((await house.theo.api('POST', `/api/approvals/${approval.id}`, { decision: 'refuse' })).status, 200);
  const done = await becomes(tg, group, asked.id, /Refused, outside this chat/);
  assert.deepEqual(labels(done), []);
  assert.equal((await events(house)).length, 0);
});

test('a card: time in the chat\'s zone, and cancelling it asks once more', async (t) => {
  const { house, tg, ana, ben, eve, group } = await open(t);
  ana.says(group, '/settings timezone Europe/Madrid');
  await tg.said(group);
  ana.says(group, `${call('Acme')} with Ben`);
  const card = await tg.said(group, { matching: /📅/ });
  assert.match(card.text, /📅 .*\n.*2 Mar 2038, 15:00–15:30 CET/);
  assert.deepEqual(labels(card), ['Move', 'Cancel']);
  assert.match((await answered(tg, eve.presses(card.message, 'Cancel'))).text, /Only who takes part/);
  await answered(tg, ana.presses(card.message, 'Cancel'));
  assert.deepEqual(labels(await becomes(tg, group, card.id, /Cancel this for everyone/)), ['Yes, cancel it', 'No, keep it']);
  await answered(tg, ana.presses(card.message, 'No, keep it'));
  await tg.until(() => labels(see(tg, group, card.id)).includes('Move'), { what: 'the card' });
  assert.equal((await events(house))[0].status, 'confirmed');
  ana.presses(card.message, 'Cancel');
  await becomes(tg, group, card.id, /Cancel this for everyone/);
  const [one, two] = [ana.presses(card.message, 'Yes, cancel it'), ana.presses(card.message, 'Yes, cancel it')];
  await answered(tg, one);
  await answered(tg, two);
  const gone = await becomes(tg, group, card.id, /Cancelled/);
  assert.deepEqual(labels(gone), []);
  assert.match(gone.text, /Booked/, 'the answer itself stays');
  assert.deepEqual((await events(house)).filter((e) => e.status === 'confirmed'), []);
});

test('a card offers three free times and moves the event; what others changed meanwhile is said', async (t) => {
  const { house, tg, ana, group } = await open(t);
  ana.says(group, call('Acme'));
  const card = await tg.said(group, { matching: /📅/ });
  ana.presses(card.message, 'Move');
  const offer = await becomes(tg, group, card.id, /Move it to when/);
  assert.equal(labels(offer).length, 4);
  const [event] = await events(house);
  ana.presses(card.message, labels(offer)[1]);
  const moved = await becomes(tg, group, card.id, /Moved by Ana/);
  assert.deepEqual(labels(moved), ['Move', 'Cancel']);
  const [after] = await events(house);
  assert.notEqual(after.start, event.start);
  assert.ok(moved.text.includes(labels(offer)[1].slice(0, 16)), moved.text);

  ana.presses(card.message, 'Cancel');
  await becomes(tg, group, card.id, /Cancel this for everyone/);
  const patch = await house.theo.api('PATCH', `/api/schedule/${event.id}`, { start: '2038-03-05T09:00:00Z', end: '2038-03-05T09:30:00Z' });
  assert.equal(patch.status, 200, patch.text);
  assert.match((await answered(tg, ana.presses(card.message, 'Yes, cancel it'))).text, /changed it meanwhile/);
  await becomes(tg, group, card.id, /5 Mar 2038/);
  assert.equal((await events(house))[0].status, 'confirmed');
});

test('made-up and foreign buttons do nothing', async (t) => {
  const { house, tg, ana, group } = await open(t);
  ana.says(group, call('Acme'));
  const card = await tg.said(group, { matching: /📅/ });
  const [button] = card.message.markup.inline_keyboard.flat().filter((b) => b.text === 'Cancel');
  assert.ok(Buffer.byteLength(button.callback_data) <= 64);
  const [event] = await events(house);
  for (const data of [button.callback_data.replace(/^c/, 'x'), button.callback_data.replace(/.$/, (c) => (c === 'A' ? 'B' : 'A')), `x${event.id}0.0.AAAAAAAAAAAAAAAA`, 'x']) {
    card.message.markup.inline_keyboard[0][1].callback_data = data;
    assert.match((await answered(tg, ana.presses(card.message, data))).text, /expired/);
  }
  assert.equal((await events(house))[0].status, 'confirmed');
});

test('kill -9 between a press and its outcome: it happens once, and the card says so', { timeout: 120000 }, async (t) => {
  const { house, tg, ana, group } = await open(t, { stub: { limits: false } });
  let kills = 0;
  const steps = ['bot.card', 'bot.work', 'outbox.sending', 'outbox.sent', 'store.commit.before=2', 'store.commit.after=2'];
  for (const [i, step] of steps.entries()) {
    ana.says(group, call(`deal${i}`, 9 + i));
    const card = await tg.said(group, { matching: /📅/ });
    ana.presses(card.message, 'Cancel');
    await becomes(tg, group, card.id, /Cancel this for everyone/);
    await tg.quiet(100);
    await house.theo.stop();
    await house.start({ THEO_FAULTS: `${step}!kill` });
    ana.presses(card.message, 'Yes, cancel it');
    const dead = house.theo.exited.then(() => true);
    if (await Promise.race([dead, new Promise((r) => setTimeout(r, 2500, false))])) kills++;
    else await house.kill();
    await house.start();
    const gone = await becomes(tg, group, card.id, /Cancelled/);
    assert.deepEqual(labels(gone), []);
    assert.deepEqual((await events(house)).map((e) => e.status), Array(i + 1).fill('cancelled'), step);
    assert.equal(tg.spoken(group).length, i + 1, step);
  }
  t.diagnostic(`${kills} of ${steps.length} steps killed it`);
  if (kills === 0) t.skip('this build has no named faults');
});

test('reactions are feedback on the run of an answer; taking one back removes it', async (t) => {
  const { house, tg, ana, ben, group } = await open(t);
  tg.world.promote(group, tg.bot); // only admins are told of reactions
  ana.says(group, call('Acme'));
  const answer = await tg.said(group, { matching: /📅/ });
  const [event] = await events(house);
  const session = (await house.theo.api('GET', '/api/sessions')).json.sessions.find((s) => s.title === 'Deals');
  const [{ id: run }] = (await house.theo.api('GET', `/api/runs?session_id=${session.id}`)).json.runs;
  assert.ok(event);
  const feedback = async () => (await house.theo.api('GET', `/api/runs/${run}`)).json.feedback ?? [];
  const is = async (wanted) => {
    for (let i = 0; i < 60; i++) {
      const now = (await feedback()).map((f) => `${f.by.replace(/\d+/, 'N')} ${f.emoji} ${f.verdict}`).sort();
      if (JSON.stringify(now) === JSON.stringify([...wanted].sort())) return;
      await new Promise((r) => setTimeout(r, 100));
    }
    assert.deepEqual(await feedback(), wanted);
  };
  ana.reacts(answer.message, '👍');
  await is(['telegram:N 👍 good']);
  ben.reacts(answer.message, '👎');
  await is(['telegram:N 👍 good', 'telegram:N 👎 bad']);
  ana.reacts(answer.message, '🔥');
  await is(['telegram:N 🔥 good', 'telegram:N 👎 bad']);
  ana.reacts(answer.message, '');
  await is(['telegram:N 👎 bad']);
  const metrics = (await house.theo.api('GET', '/metrics')).text;
  assert.match(metrics, /theo_feedback_total\{verdict="good"\} 2/);
  assert.match(metrics, /theo_feedback_total\{verdict="taken_back"\} 1/);
});

test('an answer that is asked for as a file comes as a document', async (t) => {
  const { tg, ana, ben, group } = await open(t);
  ben.says(group, 'We agreed on 40 seats for Acme, 4711 euros a year.');
  ana.says(group, '/summary file');
  const file = await tg.until(() => tg.spoken(group).find((m) => m.document), { what: 'a document' });
  assert.match(file.document.file_name, /^\w+-\d{4}-\d\d-\d\d\.md$/);
  assert.match(file.caption, /as a file/);
  ana.says(group, '@TheoBot what did we agree for Acme? As a file, please.');
  await tg.until(() => tg.spoken(group).filter((m) => m.document).length === 2, { what: 'another document' });
  ana.says(group, '/summary');
  const text = await tg.said(group, { matching: /4711/ });
  assert.equal(text.document, undefined);
});

test('a poll for a time: when all have voted the winner is said, and booked once', async (t) => {
  const { house, tg, ana, ben, eve, group } = await open(t);
  ben.says(group, 'I am around.');
  ana.says(group, '/schedule poll call about Acme next week');
  const asked = await tg.until(() => tg.spoken(group).find((m) => m.poll), { what: 'the poll' });
  const choices = asked.poll.options.map((o) => o.text);
  assert.ok(choices.length >= 3 && choices.length <= 5);
  assert.equal(asked.poll.is_anonymous, false);
  ana.votes(asked.message, [0, 1]);
  await tg.quiet(300);
  ana.votes(asked.message, [1]);
  assert.equal(tg.spoken(group).length, 1);
  ben.votes(asked.message, [1]);
  const end = await tg.said(group, { matching: /Most votes/ });
  assert.ok(end.text.includes(choices[1]) && end.text.includes('(2)'), end.text);
  assert.deepEqual(labels(end), ['Book it']);
  assert.throws(() => ana.votes(asked.message, [0]), /the poll is closed/);
  assert.match((await answered(tg, eve.presses(end.message, 'Book it'))).text, /Only who takes part/);
  const presses = [ana.presses(end.message, 'Book it'), ben.presses(end.message, 'Book it')];
  for (const press of presses) await answered(tg, press);
  const card = await becomes(tg, group, end.id, /📅/);
  assert.match(card.text, /Ana, Ben/);
  assert.deepEqual(labels(card), ['Move', 'Cancel']);
  await tg.quiet(300);
  assert.equal((await house.theo.api('GET', '/api/schedule')).json.events.length, 1);
});

test('a poll with words is closed by who asked, also after a restart; a vote counts once', async (t) => {
  const { house, tg, ana, ben, eve, group } = await open(t);
  eve.says(group, 'I never vote.');
  ana.says(group, '/poll Where do we meet?; Madrid; Lisbon; Berlin');
  const asked = await tg.until(() => tg.spoken(group).find((m) => m.poll), { what: 'the poll' });
  tg.fault({ on: 'update', do: 'duplicate', times: 1 });
  ben.votes(asked.message, ['Lisbon']);
  await tg.quiet(500);
  await house.kill();
  await house.start();
  ana.votes(asked.message, ['Lisbon', 'Berlin']);
  await tg.quiet(500);
  eve.says(group, '/poll close');
  await tg.said(group, { matching: /Only an admin/ });
  ana.says(group, '/poll close');
  const end = await tg.said(group, { matching: /Most votes/ });
  assert.match(end.text, /Where do we meet\?\n.*Lisbon \(2\)/);
  assert.deepEqual(labels(end), []);
  assert.throws(() => eve.votes(asked.message, ['Madrid']), /the poll is closed/);
  assert.equal(tg.log.of('stopPoll').length, 1);
  ana.says(group, '/poll close');
  await tg.said(group, { matching: /No poll is open/ });
});

// A model that books when it is told to, and takes a while for what is slow.
async function slowModel(t) {
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { messages } = JSON.parse(body);
    const said = JSON.stringify(messages), last = messages.at(-1);
    if (/take your time/.test(said)) await new Promise((r) => setTimeout(r, 4000));
    const call = { id: 'c1', type: 'function', function: { name: 'schedule', arguments: JSON.stringify({ summary: 'Acme', start: '2038-03-02T15:00:00Z' }) } };
    const booking = last.role !== 'tool' && /book a call/.test(JSON.stringify(last));
    const message = booking ? { role: 'assistant', content: null, tool_calls: [call] } : { role: 'assistant', content: last.role === 'tool' ? 'Booked.' : 'Done at last.' };
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ id: 'x', object: 'chat.completion', model: 'm', choices: [{ index: 0, message, finish_reason: booking ? 'tool_calls' : 'stop' }], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } }));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => { server.closeAllConnections(); server.close(); });
  return { THEO_MODEL: 'openai:gpt-test', THEO_OPENAI_BASE_URL: `http://127.0.0.1:${server.address().port}/v1`, OPENAI_API_KEY: 'sk-x', THEO_MODEL_FALLBACK: '', THEO_TELEGRAM_STREAM: 'off' };
}

test('a press is answered, and acts, while another answer of that chat is being made', async (t) => {
  const { house, tg, ana, group } = await open(t, { env: await slowModel(t) });
  ana.says(group, '@TheoBot book a call');
  const card = await tg.said(group, { matching: /📅/ });
  ana.says(group, '@TheoBot take your time');
  await tg.quiet(500);
  ana.presses(card.message, 'Cancel');
  await becomes(tg, group, card.id, /Cancel this for everyone/);
  await answered(tg, ana.presses(card.message, 'Yes, cancel it'));
  await becomes(tg, group, card.id, /Cancelled/);
  assert.equal(tg.spoken(group).length, 1, 'the slow answer is still being made');
  assert.deepEqual((await events(house)).map((e) => e.status), ['cancelled']);
  await tg.said(group, { matching: /Done at last/ });
});
