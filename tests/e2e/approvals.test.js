// Tool calls that wait for a person: pause, decide, go on, once, whatever dies in between.
import test from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { start, run, bin, scratch, events, sanitized } from './theo.js';

const POLICY = 'policy:\n  tools:\n    schedule: {approval: required}\n';
const ASK = 'Ana: Theo, book a call with ben@example.com on 2031-03-04 at 15:00 called Intro.';

// A server whose schedule tool needs an approval.
async function house(options = {}) {
  const dir = options.dir ?? scratch();
  writeFileSync(join(dir, 'theo.yaml'), POLICY);
  const theo = await start({ ...options, dir });
  theo.home = dir;
  theo.end = async () => {
    await theo.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  theo.booked = async () => (await theo.api('GET', '/api/schedule')).json.events.length;
  return theo;
}

async function paused(theo, extra = {}, headers = {}) {
  const answer = await theo.chat(ASK, { time_zone: 'UTC', ...extra }, headers);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.approvals.length, 1, answer.text);
  return answer.json;
}

const decide = (theo, approval, body, headers) =>
  theo.api('POST', `/api/approvals/${approval.id}`, body, headers);

test('a run pauses, says so truthfully, and goes on when it is approved', async () => {
  const theo = await house();
  try {
    const answer = await paused(theo);
    const [approval] = answer.approvals;
    assert.match(answer.reply, /has not been done yet/);
    assert.equal(answer.reason, 'waits for approval');
    assert.match(approval.summary, /^schedule: /);
    assert.equal(await theo.booked(), 0);
    assert.equal((await theo.api('GET', `/api/runs/${answer.run_id}`)).json.state, 'paused');

    const listed = (await theo.api('GET', '/api/approvals')).json.approvals;
    assert.deepEqual(listed.map((a) => a.id), [approval.id]);
    assert.ok(!JSON.stringify(listed).includes(approval.token));
    assert.ok(!(await theo.api('GET', `/api/runs/${answer.run_id}`)).text.includes(approval.token));

    const done = await decide(theo, approval, { decision: 'approve' });
    assert.equal(done.status, 200, done.text);
    assert.equal(done.json.approval.state, 'done');
    assert.equal(done.json.run_state, 'completed');
    assert.equal(done.json.result.run_id, answer.run_id);
    assert.equal(done.json.result.events.length, 1);
    assert.equal(done.json.result.actions[0].status, 'done');
    assert.equal(await theo.booked(), 1);

    const again = await decide(theo, approval, { decision: 'approve' });
    assert.equal(again.status, 409);
    assert.equal(await theo.booked(), 1);
    const run = (await theo.api('GET', `/api/runs/${answer.run_id}`)).json;
    assert.equal(run.state, 'completed');
    assert.deepEqual(run.events.map((e) => e.seq), run.events.map((_, i) => i + 1));
    assert.deepEqual((await theo.api('GET', `/api/approvals?session_id=${answer.session_id}`))
      .json.approvals.map((a) => a.state), ['done']);
  } finally {
    await theo.end();
  }
});

test('a token decides without a key, a wrong one learns nothing', async () => {
  const theo = await house();
  try {
    const [approval] = (await paused(theo)).approvals;
    const none = { Authorization: null };
    for (const token of [undefined, 'x', `${'0'.repeat(64)}.default`, `${approval.token}x`])
      assert.equal((await decide(theo, approval, { decision: 'approve', token }, none)).status, 401);
    assert.equal((await theo.api('POST', '/api/approvals/01J8ZQ5W8E1V7R3K9T2M4N6P8Q',
      { decision: 'approve', token: approval.token }, none)).status, 401);
    assert.equal((await theo.api('GET', `/api/approvals/${approval.id}`, undefined, none)).status, 401);
    const done = await decide(theo, approval,
      { decision: 'refuse', reason: 'not now', token: approval.token }, none);
    assert.equal(done.status, 200, done.text);
    assert.equal(done.json.approval.state, 'refused');
    assert.equal(done.json.approval.decided_by, 'token');
    assert.match(done.json.result.reply, /^Not done: schedule: .*not now/);
    assert.equal(await theo.booked(), 0);
  } finally {
    await theo.end();
  }
});

test('wrong decisions are refused and change nothing', async () => {
  const theo = await house();
  try {
    const [approval] = (await paused(theo)).approvals;
    assert.equal((await decide(theo, approval, { decision: 'maybe' })).status, 422);
    assert.equal((await decide(theo, approval, {})).status, 422);
    const wrong = await decide(theo, approval, { decision: 'approve', arguments: { action: 'fly' } });
    assert.equal(wrong.status, 422);
    assert.equal(wrong.json.field, 'arguments');
    assert.equal((await theo.api('POST', '/api/approvals/nope', { decision: 'approve' })).status, 404);
    assert.equal((await theo.api('GET', '/api/approvals?state=odd')).status, 422);
    assert.equal((await theo.api('GET', `/api/approvals/${approval.id}`)).json.state, 'pending');
    assert.equal((await theo.api('GET', '/api/config')).json.policy.tools.schedule.approval, 'required');
  } finally {
    await theo.end();
  }
});

test('of twenty decisions at the same time one counts', async () => {
  const theo = await house();
  try {
    const [approval] = (await paused(theo)).approvals;
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) =>
      decide(theo, approval, { decision: i % 2 ? 'refuse' : 'approve' })));
    assert.equal(answers.filter((a) => a.status === 200).length, 1);
    assert.equal(answers.filter((a) => a.status === 409).length, 19);
    const refused = (await theo.api('GET', `/api/approvals/${approval.id}`)).json.state === 'refused';
    assert.equal(await theo.booked(), refused ? 0 : 1);
  } finally {
    await theo.end();
  }
});

test('a repeated chat and a repeated decision are answered from before', async () => {
  const theo = await house();
  try {
    const key = { 'Idempotency-Key': 'chat-1' };
    const first = await paused(theo, {}, key);
    const again = await theo.chat(ASK, { time_zone: 'UTC' }, key);
    assert.equal(again.json.run_id, first.run_id);
    assert.equal(again.json.approvals[0].token, undefined);
    const one = await decide(theo, first.approvals[0], { decision: 'approve' }, { 'Idempotency-Key': 'd-1' });
    const two = await decide(theo, first.approvals[0], { decision: 'approve' }, { 'Idempotency-Key': 'd-1' });
    assert.equal(two.status, 200);
    assert.deepEqual(two.json, one.json);
    assert.equal(await theo.booked(), 1);
  } finally {
    await theo.end();
  }
});

test('a stream ends with run.paused', async () => {
  const theo = await house();
  try {
    const answer = await theo.chat(ASK, { time_zone: 'UTC', stream: true });
    const last = events(answer.text).at(-1);
    assert.equal(last.event, 'run.paused');
    assert.equal(JSON.parse(last.data).approvals.length, 1);
  } finally {
    await theo.end();
  }
});

test('an approval outlives the process that asked for it', async () => {
  const first = await house();
  const [approval] = (await paused(first)).approvals;
  await first.kill();
  const second = await house({ dir: first.home, key: first.key });
  try {
    const done = await decide(second, approval, { decision: 'approve' });
    assert.equal(done.json?.approval.state, 'done', done.text);
    assert.equal(await second.booked(), 1);
  } finally {
    await second.end();
  }
});

const SLOT = { summary: 'Intro', attendees: ['ben@example.com'], start: '2031-03-04T15:00:00Z', duration_minutes: 30 };
const callTool = (theo, args, headers) => theo.api('POST', '/mcp',
  { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'schedule', arguments: args } }, headers);

test('a tool called over MCP waits like any other call, and has its effect once', async () => {
  const theo = await house();
  try {
    const asked = (await callTool(theo, SLOT, { 'Idempotency-Key': 'mcp-1' })).json.result;
    assert.match(asked.content[0].text, /has not been done yet/);
    const [approval] = asked.structuredContent.approvals;
    assert.equal(approval.token, undefined);
    assert.equal(await theo.booked(), 0);
    const done = await decide(theo, approval, { decision: 'approve' });
    assert.equal(done.json?.approval.state, 'done', done.text);
    assert.equal(done.json.result.events.length, 1);
    assert.equal(await theo.booked(), 1);
    await callTool(theo, SLOT, { 'Idempotency-Key': 'mcp-1' });
    assert.equal(await theo.booked(), 1);
    const run = (await theo.api('GET', `/api/runs/${done.json.result.run_id}`)).json;
    for (const type of ['policy.blocked', 'approval.decided', 'effect.intended', 'effect.done'])
      assert.equal(run.events.filter((e) => e.type === type).length, 1, type);
    const said = (await theo.api('GET', `/api/sessions/${run.session_id}/messages`)).json.messages;
    assert.match(said[0].message, /^schedule: /);
    const list = (await callTool(theo, { action: 'list' })).json.result; // reads: nobody is asked
    assert.match(list.content[0].text, /"status":"listed"/);
  } finally {
    await theo.end();
  }
});

test('without a rule a tool called over MCP runs at once, through the ledger', async () => {
  const theo = await start();
  try {
    for (let i = 0; i < 2; i++) {
      const made = (await callTool(theo, SLOT, { 'Idempotency-Key': 'mcp-2' })).json.result;
      assert.equal(made.isError, false, made.content[0].text);
      assert.ok(made.structuredContent, made.content[0].text);
    }
    assert.equal((await theo.api('GET', '/api/schedule')).json.events.length, 1);
    const wrong = (await callTool(theo, { ...SLOT, start: 'yesterday-ish' })).json.result;
    assert.equal(wrong.isError, true);
    assert.doesNotMatch(wrong.content[0].text, /"hint"/);
    assert.equal((await theo.api('GET', '/api/schedule')).json.events.length, 1);
  } finally {
    await theo.stop();
  }
});

test('a task of A2A that waits for people says so', async () => {
  const theo = await house();
  try {
    const sent = await theo.api('POST', '/a2a', { jsonrpc: '2.0', id: 1, method: 'SendMessage', params: {
      message: { messageId: 'm1', role: 'ROLE_USER', parts: [{ text: ASK.replace(/^Ana: /, '') }] } } }, { 'A2A-Version': '1.0' });
    const { task } = sent.json.result;
    assert.equal(task.status.state, 'TASK_STATE_INPUT_REQUIRED', sent.text);
    assert.match(task.status.message.parts[0].text, /has not been done yet/);
    const [approval] = (await theo.api('GET', '/api/approvals')).json.approvals;
    assert.equal((await decide(theo, approval, { decision: 'approve' })).json.run_state, 'completed');
    const got = await theo.api('POST', '/a2a', { jsonrpc: '2.0', id: 2, method: 'GetTask', params: { id: task.id } }, { 'A2A-Version': '1.0' });
    assert.equal(got.json.result.status.state, 'TASK_STATE_COMPLETED', got.text);
    assert.equal(await theo.booked(), 1);
  } finally {
    await theo.end();
  }
});

test('steps of a workflow wait for a tool and for a text, and other processes go on', async () => {
  const dir = scratch();
  writeFileSync(join(dir, 'theo.yaml'), POLICY + `workflows:
  flow:
    answer: "{{read}}"
    steps:
      - {name: booked, tool: schedule, arguments: {summary: Intro, start: "2031-03-04T15:00:00Z", duration_minutes: 30}}
      - {name: read, human: Shall this go out?, input: "Agreed: {{input}}"}
`);
  let theo = await start({ dir });
  const { key } = theo;
  const another = async () => { await theo.kill(); theo = await start({ dir, key }); };
  try {
    const asked = (await theo.chat('Ana: Theo, the pilot', { agent: 'flow' })).json;
    assert.deepEqual(asked.approvals.map((a) => a.tool), ['schedule']);
    await another();
    const next = (await decide(theo, asked.approvals[0], { decision: 'approve' })).json;
    assert.equal(next.run_state, 'paused');
    const [review] = next.result.approvals;
    assert.equal(review.tool, 'review');
    assert.equal(review.summary, 'Shall this go out?');
    assert.match(review.arguments.text, /^Agreed: /);
    assert.equal((await theo.api('GET', '/api/schedule')).json.events.length, 1);
    await another();
    const done = (await decide(theo, review, { decision: 'approve', arguments: { text: 'Agreed: the pilot, in May' } })).json;
    assert.equal(done.run_state, 'completed');
    assert.equal(done.result.reply, 'Agreed: the pilot, in May');
    assert.equal((await theo.api('GET', '/api/schedule')).json.events.length, 1);
    const run = (await theo.api('GET', `/api/runs/${asked.run_id}`)).json;
    assert.deepEqual(run.events.map((e) => e.seq), run.events.map((_, i) => i + 1));
    for (const type of ['step.started', 'step.completed', 'run.paused'])
      assert.equal(run.events.filter((e) => e.type === type).length, 2, type);
  } finally {
    await theo.kill();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('mistakes in the policy are named by line', async () => {
  const dir = mkdtempSync('/tmp/theo-e2e-');
  writeFileSync(join(dir, 'theo.yaml'), 'policy:\n  tools:\n    schedul: {approval: required}\n');
  const { code, stderr } = await run(['serve', '--listen', '127.0.0.1:0'], { cwd: dir });
  rmSync(dir, { recursive: true, force: true });
  assert.notEqual(code, 0);
  assert.match(stderr, /theo\.yaml:3: policy\.tools names schedul/);
});

// kill -9 at each step between the decision and the end of the run; the next process goes on by
// itself. Needs a build with -Dfaults=true.
const steps = ['approval.decided', 'approval.claimed', 'effect.intended', 'effect.executed',
  ...Array.from({ length: 5 }, (_, i) => `store.commit.before=${i + 1}`),
  ...Array.from({ length: 5 }, (_, i) => `store.commit.after=${i + 1}`)];

test('killed at any step, the effect happens once', { timeout: 240000 }, async (t) => {
  const first = await house();
  let kills = 0;
  await first.stop();
  for (const step of steps) {
    const dir = scratch();
    writeFileSync(join(dir, 'theo.yaml'), POLICY);
    let theo = await start({ dir });
    const { key } = theo;
    const [approval] = (await paused(theo)).approvals;
    await theo.kill();
    theo = await start({ dir, key, env: { THEO_FAULTS: `${step}!kill` } });
    const answer = await decide(theo, approval, { decision: 'approve' }).catch(() => null);
    if (!answer) kills++;
    await theo.kill();
    theo = await start({ dir, key });
    let state = '';
    for (let i = 0; i < 1000 && !['done', 'pending', 'failed'].includes(state); i++) {
      state = (await theo.api('GET', `/api/approvals/${approval.id}`)).json.state;
      await new Promise((r) => setTimeout(r, 50));
    }
    if (state === 'pending') // killed before the decision was stored: nobody was told that it counts
      state = (await decide(theo, approval, { decision: 'approve' })).json.approval.state;
    const booked = (await theo.api('GET', '/api/schedule')).json.events.length;
    assert.equal(state, 'done', step);
    assert.equal(booked, 1, step);
    await theo.stop();
    rmSync(dir, { recursive: true, force: true });
  }
  rmSync(first.home, { recursive: true, force: true });
  if (kills === 0) t.skip('this build has no named faults');
});
