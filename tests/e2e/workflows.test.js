// Workflows of theo.yaml: steps in a declared order, what they do when one fails, and a run's events
// that tell how far it got.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LLMock } from '@copilotkit/aimock';
import { start, run, scratch, root, until } from './theo.js';

const yaml = `
agents:
  researcher: {role: finds out, tools: []}
  writer: {role: writes, tools: []}
  critic: {role: judges, tools: []}
teams:
  desk: {mode: coordinate, members: [line], tools: []}
  crew: {mode: tasks, members: [researcher, writer, critic], tools: []}
workflows:
  line:
    role: facts, then a text
    steps:
      - {name: facts, agent: researcher, input: "FACTS about {{input}}"}
      - {name: text, agent: writer, input: "WRITE from {{facts}}"}
    answer: "Text: {{text}}"
  both:
    steps:
      - name: views
        parallel:
          - {name: for, agent: researcher, input: FOR}
          - {name: against, agent: critic, input: AGAINST}
      - {name: sum, agent: writer, input: "SUM {{for}} / {{against}} / {{views}}"}
  rounds:
    steps:
      - name: work
        loop:
          - {name: draft, agent: writer, input: "DRAFT after {{previous}}"}
          - {name: verdict, agent: critic, input: "JUDGE {{draft}}"}
        until: verdict equals "good"
        max: 4
    answer: "{{draft}}"
  pick:
    steps:
      - {name: topic, agent: researcher, input: TOPIC}
      - name: route
        router: topic
        cases:
          sales: [{name: sell, agent: writer, input: SELL}]
          support: [{name: help, agent: writer, input: HELP}]
        else: [{name: other, agent: writer, input: OTHER}]
      - name: polite
        if: not previous contains "please"
        then: [{name: ask, agent: critic, input: "PLEASE {{previous}}"}]
  booking:
    steps:
      - {name: title, agent: writer, input: TITLE}
      - name: book
        tool: schedule
        arguments: {summary: "Call: {{title}}", start: "2038-05-04T15:00:00Z", duration_minutes: 30}
      - {name: done, agent: writer, input: CONFIRM}
  failing:
    steps:
      - {name: first, agent: researcher, input: BREAK, on-error: skip}
      - {name: second, agent: researcher, input: BREAK, retries: 1, fallback: [{name: spare, agent: writer, input: SPARE}]}
      - {name: third, agent: writer, input: "AFTER {{second}}"}
  broken:
    steps:
      - {name: only, agent: researcher, input: BREAK}
  slow:
    steps:
      - {name: wait, agent: researcher, input: SLOW, timeout-ms: 300, on-error: skip}
      - {name: next, agent: writer, input: NEXT}
`;
let mock, theo;
const env = () => ({ THEO_MODEL: 'openai:gpt-test', THEO_OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: 'sk-configured-key-0123456789', THEO_MODEL_FALLBACK: '', THEO_MODEL_RETRIES: '0' });

before(async () => {
  mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  const dir = scratch();
  writeFileSync(join(dir, 'theo.yaml'), yaml);
  theo = await start({ dir, env: env() });
});
after(async () => { await theo.stop(); await mock.stop(); });
beforeEach(() => mock.reset());

const system = (request) => request.messages.find((m) => m.role === 'system').content;
const task = (request) => request.messages.filter((m) => m.role === 'user').map((m) => m.content.match(/The task\n([^]*)/)?.[1].trim()).find(Boolean) ?? '';
const says = (word, answer, options) => mock.on({ predicate: (request) => task(request).startsWith(word) }, answer, options);
const broken = { error: { message: 'overloaded', type: 'server_error' }, status: 500 };
const tasks = () => mock.getRequests().map((r) => task(r.body));
const steps = async (id) => (await theo.api('GET', `/api/runs/${id}`)).json.events
  .filter((e) => e.type.startsWith('step.'))
  .map((e) => `${e.data.step} ${e.data.status ?? 'started'}`);

test('steps in order: what one found is in the next one\'s task, and the answer is composed', async () => {
  says('FACTS', { content: 'Acme sells sensors.' });
  says('WRITE', { content: 'Sensors by Acme.' });
  const { json, text } = await theo.chat('Ana: Theo, who is Acme?', { agent: 'line' });
  assert.equal(json?.reply, 'Text: Sensors by Acme.', text);
  assert.equal(json.agent, 'line');
  assert.deepEqual(tasks(), ['FACTS about Theo, who is Acme?', 'WRITE from Acme sells sensors.']);
  assert.deepEqual(await steps(json.run_id), ['facts started', 'facts done', 'text started', 'text done']);
});

test('an output that looks like a template is not read as one', async () => {
  says('FACTS', { content: 'see {{input}}' });
  says('WRITE', { content: '{{facts}}' });
  const { json, text } = await theo.chat('Ana: Theo, who is Acme?', { agent: 'line' });
  assert.equal(json?.reply, 'Text: {{facts}}', text);
  assert.equal(tasks()[1], 'WRITE from see {{input}}');
});

test('steps at the same time', async () => {
  says('FOR', { content: 'cheap' });
  says('AGAINST', { content: 'late' });
  says('SUM', { content: 'Cheap but late.' });
  const { json, text } = await theo.chat('Ana: Theo, shall we?', { agent: 'both' });
  assert.equal(json?.reply, 'Cheap but late.', text);
  assert.match(tasks().at(-1), /^SUM cheap \/ late \/ for: cheap/);
  const seen = await steps(json.run_id);
  assert.deepEqual(seen.slice(0, 3), ['views started', 'for started', 'against started']);
});

test('a loop ends when its condition holds, or after max rounds', async () => {
  let judged = 0;
  says('DRAFT', { content: 'a draft' });
  mock.on({ predicate: (r) => task(r).startsWith('JUDGE') && ++judged % 3 !== 0 }, { content: 'bad' });
  says('JUDGE', { content: 'Good' });
  const { json, text } = await theo.chat('Ana: Theo, write it', { agent: 'rounds' });
  assert.equal(json?.reply, 'a draft', text);
  assert.equal(tasks().filter((t) => t.startsWith('JUDGE')).length, 3);
  mock.reset();
  says('DRAFT', { content: 'a draft' });
  says('JUDGE', { content: 'bad' });
  await theo.chat('Ana: Theo, write it', { agent: 'rounds' });
  assert.equal(tasks().length, 8);
});

test('a router and a condition', async () => {
  says('TOPIC', { content: 'It is Support, I think.' });
  says('HELP', { content: 'Restart it.' });
  says('PLEASE', { content: 'Please restart it.' });
  const { json, text } = await theo.chat('Ana: Theo, it hangs', { agent: 'pick' });
  assert.equal(json?.reply, 'Please restart it.', text);
  mock.reset();
  says('TOPIC', { content: 'weather' });
  says('OTHER', { content: 'Could you say more, please?' });
  const other = await theo.chat('Ana: Theo, it rains', { agent: 'pick' });
  assert.equal(other.json?.reply, 'Could you say more, please?', other.text);
});

test('a tool as a step has its effect once, however often the request is repeated', async () => {
  const key = { 'Idempotency-Key': 'workflow-once' };
  says('TITLE', { content: 'Acme' });
  says('CONFIRM', broken);
  const first = await theo.chat('Ana: Theo, book it', { agent: 'booking' }, key);
  assert.equal(first.status, 503, first.text);
  mock.reset();
  says('TITLE', { content: 'Acme' });
  says('CONFIRM', { content: 'It is booked.' });
  const second = await theo.chat('Ana: Theo, book it', { agent: 'booking' }, key);
  assert.equal(second.json?.reply, 'It is booked.', second.text);
  assert.equal(second.json.actions.find((a) => a.tool === 'schedule').status, 'reused');
  const { events } = (await theo.api('GET', '/api/schedule?from=2038-05-01T00:00:00Z&to=2038-05-30T00:00:00Z')).json;
  assert.deepEqual(events.map((e) => e.summary), ['Call: Acme']);
});

test('on-error: skip, retries and fallback; else the run fails and says which step', async () => {
  says('BREAK', broken);
  says('SPARE', { content: 'from the spare' });
  says('AFTER', { content: 'fine' });
  const { json, text } = await theo.chat('Ana: Theo, go', { agent: 'failing' });
  assert.equal(json?.reply, 'fine', text);
  assert.equal(tasks().at(-1), 'AFTER from the spare');
  assert.deepEqual(await steps(json.run_id), ['first started', 'first skipped', 'second started', 'second started', 'second failed', 'spare started', 'spare done', 'third started', 'third done']);
  const { status } = await theo.chat('Ana: Theo, go', { agent: 'broken' });
  assert.equal(status, 503);
});

test('a step that takes too long is left, and the next one goes on', async () => {
  says('SLOW', { content: 'late' }, { chaos: { latencyMs: 5000 } });
  says('NEXT', { content: 'on time' });
  const { json, text } = await theo.chat('Ana: Theo, go', { agent: 'slow' });
  assert.equal(json?.reply, 'on time', text);
  assert.deepEqual((await steps(json.run_id)).slice(0, 2), ['wait started', 'wait skipped']);
});

test('a workflow is a member of a team', async () => {
  says('FACTS', { content: 'Acme sells sensors.' });
  says('WRITE', { content: 'Sensors.' });
  mock.on({ userMessage: /Acme/, hasToolResult: false }, { toolCalls: [{ name: 'ask_line', arguments: '{"task":"look at them"}' }] });
  mock.on({ userMessage: /Acme/, hasToolResult: true }, { content: 'They sell sensors.' });
  const { json, text } = await theo.chat('Ana: Theo, who is Acme?', { agent: 'desk' });
  assert.equal(json?.reply, 'They sell sensors.', text);
  assert.ok(tasks().includes('FACTS about look at them'), tasks().join());
});

test('tasks: in the order of what waits for what, with the outcome of those before; a failure blocks those after alone', async () => {
  const list = [
    { id: 'facts', member: 'researcher', task: 'FACTS of Acme' },
    { id: 'doubts', member: 'critic', task: 'BREAK' },
    { id: 'text', member: 'writer', task: 'WRITE it', after: ['facts'] },
    { id: 'end', member: 'writer', task: 'NEXT', after: ['text', 'doubts'] },
  ];
  says('FACTS', { content: 'Acme sells sensors.' });
  says('BREAK', broken);
  says('WRITE', { content: 'Sensors.' });
  mock.on({ userMessage: /Acme/, hasToolResult: false }, { toolCalls: [{ name: 'do_tasks', arguments: JSON.stringify({ tasks: list }) }] });
  mock.on({ userMessage: /Acme/, hasToolResult: true }, { content: 'They sell sensors.' });
  const { json, text } = await theo.chat('Ana: Theo, what of Acme?', { agent: 'crew' });
  assert.equal(json?.reply, 'They sell sensors.', text);
  const told = JSON.parse(mock.getRequests().at(-1).body.messages.at(-1).content);
  assert.deepEqual(told.tasks.map((t) => `${t.id} ${t.state} ${t.answer ?? ''}`), ['facts done Acme sells sensors.', 'doubts failed ', 'text done Sensors.', 'end blocked ']);
  const writer = mock.getRequests().find((r) => task(r.body).startsWith('WRITE'));
  assert.equal(task(writer.body), 'WRITE it\n\nThe outcome of facts:\nAcme sells sensors.');
});

test('tasks that wait for one another, or for one that there is not, are given back', async () => {
  const list = [{ id: 'a', member: 'writer', task: 'NEXT', after: ['b'] }, { id: 'b', member: 'writer', task: 'NEXT', after: ['a'] }];
  mock.on({ userMessage: /Acme/, hasToolResult: false }, { toolCalls: [{ name: 'do_tasks', arguments: JSON.stringify({ tasks: list }) }] });
  mock.on({ userMessage: /Acme/, hasToolResult: true }, { content: 'I could not.' });
  const { json, text } = await theo.chat('Ana: Theo, what of Acme?', { agent: 'crew' });
  assert.equal(json?.reply, 'I could not.', text);
  assert.match(mock.getRequests().at(-1).body.messages.at(-1).content, /waits for b, which is no task above it/);
});

test('who can be asked', async () => {
  const { workflows } = (await theo.api('GET', '/api/workflows')).json;
  assert.equal(workflows.length, 8);
  const { json } = await theo.api('GET', '/api/workflows/both');
  assert.deepEqual(json.steps, ['for', 'against', 'views', 'sum']);
  assert.deepEqual(json.members, ['researcher', 'critic', 'writer']);
  assert.equal((await theo.api('GET', '/api/workflows/desk')).status, 404);
  assert.equal((await theo.api('GET', '/api/agents/line')).status, 404);
});

test('mistakes in the file are named with their line, and nothing starts', async () => {
  const flow = (steps) => `agents:\n  a: {}\nworkflows:\n  w:\n    steps:\n${steps.map((s) => `      - ${s}\n`).join('')}`;
  const cases = [
    [flow(['{name: x, agent: ghost}']), /theo\.yaml:6: workflows\.w\.x names ghost/],
    [flow(['{name: x, agent: a}', '{name: y, tool: fly}']), /theo\.yaml:7: workflows\.w\.y names fly/],
    [flow(['{name: x, agent: a, input: "{{later}}"}', '{name: later, agent: a}']), /theo\.yaml:6.*\{\{later\}\}/],
    [flow(['{name: x, agent: a, input: "{{input"}']), /\{\{ without \}\}/],
    [flow(['{name: p, parallel: [{name: x, agent: a}, {name: y, agent: a, input: "{{x}}"}]}']), /\{\{x\}\}/],
    [flow(['{name: x, agent: a}', '{name: x, agent: a}']), /theo\.yaml:7.*another step/],
    [flow(['{name: x, agent: a, tool: recall}']), /both agent and tool/],
    [flow(['{name: x}']), /one of agent, tool/],
    [flow(['{agent: a}']), /name/],
    [flow(['{name: x, agent: a, max: 3}']), /no member max/],
    [flow(['{name: x, agent: a, on-error: shrug}']), /on-error/],
    [flow(['{name: x, agent: a, retries: 0}']), /retries/],
    [flow(['{name: x, if: "y contains z", then: [{name: z, agent: a}]}']), /if must be like/],
    [flow(['{name: x, human: Ana, on-timeout: later}']), /on-timeout must be stop, skip or go-on/],
    [flow(['{name: x, tool: schedule, on-timeout: go-on}']), /not called when nobody agreed/],
    [flow(['{name: x, agent: w}']), /theo\.yaml:5.*lead back/],
    ['workflows:\n  w: {steps: []}\n', /list of steps/],
    ['workflows:\n  w: {steps: [x], model: builtin}\n', /no member model/],
    ['agents:\n  w: {}\nworkflows:\n  w: {steps: []}\n', /another agent or team/],
  ];
  for (const [text, want] of cases) {
    const dir = scratch();
    writeFileSync(join(dir, 'theo.yaml'), text);
    const { code, stderr } = await run(['serve', '--listen', '127.0.0.1:0', '--data-dir', join(dir, 'data')], { cwd: dir });
    assert.equal(code, 2, `${text}\n${stderr}`);
    assert.match(stderr, want, text);
  }
});

test('a client that goes away ends all that runs at the same time: steps, members, tasks', async () => {
  const late = { chaos: { latencyMs: 20000 } };
  const cancelled = async () => Number((await theo.api('GET', '/metrics')).text.match(/theo_runs_total\{outcome="cancelled"\} (\d+)/)?.[1] ?? 0);
  const asked = new Set(); // the mock lists a request when it has answered it
  for (const word of ['FOR', 'AGAINST'])
    mock.on({ predicate: (request) => task(request).startsWith(word) && asked.add(word) }, { content: 'late' }, late);
  const list = [{ id: 'a', member: 'writer', task: 'FOR' }, { id: 'b', member: 'critic', task: 'AGAINST' }];
  mock.on({ userMessage: /tasks/ }, { toolCalls: [{ name: 'do_tasks', arguments: JSON.stringify({ tasks: list }) }] });
  for (const [agent, said] of [['both', 'Ana: Theo, shall we?'], ['crew', 'Ana: Theo, the tasks']]) {
    const before = await cancelled();
    asked.clear();
    const gone = new AbortController();
    const call = fetch(`${theo.url}/api/chat`, {
      method: 'POST', signal: gone.signal, body: JSON.stringify({ chat_context: said, agent }),
      headers: { Authorization: `Bearer ${theo.key}`, 'Content-Type': 'application/json' },
    }).catch(() => 'aborted');
    await until('all questions', () => asked.size === 2);
    gone.abort();
    assert.equal(await call, 'aborted');
    for (let i = 0; (await cancelled()) !== before + 1; i++) {
      assert.ok(i < 500, agent);
      await new Promise((r) => setTimeout(r, 100));
    }
  }
});
