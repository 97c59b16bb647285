// The conformance tool of the MCP project against Theo, as a server and as a client, for the
// newest revision of either era. Each of its scenarios is either run or named here with the
// reason why it says nothing about Theo; a scenario that is in neither list fails the first test.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { start, scratch } from './theo.js';

const modules = join(dirname(createRequire(import.meta.url).resolve('ajv/package.json')), '..');
const tool = join(modules, '@modelcontextprotocol/conformance/dist/index.js');
const driver = join(dirname(fileURLToPath(import.meta.url)), 'mcp-conformance-client.js');
const together = 3; // runs at once

// The tool imports fs.globSync for a command that is not used here; Node has it from version 22 on.
const hook = `data:text/javascript,${encodeURIComponent(`import { register } from 'node:module';
register('data:text/javascript,' + encodeURIComponent(\`export async function load(url, context, next) {
  const loaded = await next(url, context);
  return url.endsWith('conformance/dist/index.js')
    ? { ...loaded, source: String(loaded.source).replace(/globSync as \\\\w+,/, '') } : loaded; }\`));`)}`;

const fixture = (what) => `wants the test server's own ${what}`;
const unoffered = (what) => `Theo offers no ${what}`;

// run: true, or an object of checks that are not judged, with the reasons.
const server = {
  'server-initialize': true,
  ping: true,
  'tools-list': true,
  'dns-rebinding-protection': true,
  'http-header-validation': true,
  'input-required-result-unsupported-methods': true,
  'server-stateless': {
    'sep-2575-server-rejects-undeclared-capability': fixture('tool test_missing_capability'),
    'sep-2575-missing-capability-http-400': fixture('tool test_missing_capability'),
    'sep-2575-http-server-no-independent-requests-on-stream': fixture('tool test_streaming_elicitation'),
    'sep-2575-server-no-log-without-loglevel': fixture('tool test_logging_tool'),
  },
  caching: {
    'sep-2549-prompts-list-caching-hints': unoffered('prompts'),
    'sep-2549-resources-list-caching-hints': unoffered('resources'),
    'sep-2549-resources-templates-list-caching-hints': unoffered('resources'),
  },
  'server-sse-multiple-streams': { 'server-sse-multiple-streams-session': unoffered('sessions (2025-11-25)') },
  'sep-2164-resource-not-found': {
    'sep-2164-error-code': unoffered('resources: the method is unknown, -32601'),
    'sep-2164-data-uri': unoffered('resources'),
  },
};
const serverLeft = [
  [/^server-session-lifecycle$|^server-sse-polling$/, unoffered('sessions')],
  [/^logging-set-level$/, unoffered('log messages to clients')],
  [/^completion-complete$/, unoffered('completions')],
  [/^resources-/, unoffered('resources')],
  [/^prompts-/, unoffered('prompts')],
  [/^tools-call-/, fixture('tools (test_simple_text, test_error_handling, …)')],
  [/^json-schema-2020-12$/, fixture('tool json_schema_2020_12_tool')],
  [/^http-custom-header-server-validation$/, fixture('tool with x-mcp-header; none of Theo\'s has one')],
  [/^elicitation-/, unoffered('elicitation')],
  [/^input-required-result-/, fixture('tools that ask the client for input; none of Theo\'s does')],
  [/^tasks-/, unoffered('tasks, an extension')],
  [/^sep-2640-/, unoffered('skills, an extension')],
];
const client = {
  initialize: true,
  tools_call: true,
  'sse-retry': true,
  'request-metadata': true,
  'http-standard-headers': true,
  'http-custom-headers': true,
  'http-invalid-tool-headers': true,
  'json-schema-ref-no-deref': true,
  'json-schema-2020-12-preservation': true,
  'sep-2322-client-request-state': {
    'sep-2322-client-request-state-echoed': 'wants a client that answers elicitations',
    'sep-2322-client-jsonrpc-id-different': 'wants a client that answers elicitations',
    'sep-2322-client-no-state-omitted': 'wants a client that answers elicitations',
  },
};
const clientLeft = [
  [/^elicitation-/, 'Theo asks no person on behalf of a server'],
  [/^auth\//, 'Theo has no OAuth for MCP servers: keys are configured as headers'],
  [/^sep-2640-/, 'Theo uses no skills, an extension'],
];
const revisions = ['2025-11-25', '2026-07-28'];

let theo, proxy, url, known;

function conformance(args, cwd) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--import', hook, tool, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    child.stdout.on('data', (c) => { log += c; });
    child.stderr.on('data', (c) => { log += c; });
    child.on('close', () => resolve(log));
  });
}

// {server: {scenario: [revisions]}, client: …} as the tool lists them.
async function scenarios() {
  const found = { server: {}, client: {} };
  let side;
  for (const line of (await conformance(['list'], scratch())).split('\n')) {
    if (/^\w+.* scenarios/.test(line)) side = line.split(' ')[0].toLowerCase();
    const m = /^ {2}- (\S+) \[(.*)\]/.exec(line);
    if (m && found[side]) found[side][m[1]] = m[2].split(',');
  }
  return found;
}

before(async () => {
  known = await scenarios();
  theo = await start();
  // The tool sends no API key, so a proxy adds one.
  proxy = http.createServer((req, res) => {
    const out = http.request({ host: '127.0.0.1', port: theo.port, path: req.url, method: req.method,
      headers: { ...req.headers, authorization: `Bearer ${theo.key}` } }, (back) => { res.writeHead(back.statusCode, back.headers); back.pipe(res); });
    req.pipe(out);
    out.on('error', () => res.destroy());
  });
  await new Promise((r) => proxy.listen(0, '127.0.0.1', r));
  url = `http://localhost:${proxy.address().port}/mcp`;
});
after(async () => {
  proxy.closeAllConnections();
  proxy.close();
  await theo.stop();
});

test('every scenario of the conformance tool is run or left out for a reason', (t) => {
  for (const [side, run, left] of [['server', server, serverLeft], ['client', client, clientLeft]]) {
    const names = Object.keys(known[side]);
    assert.ok(names.length > 30, `the tool lists its ${side} scenarios`);
    for (const name of Object.keys(run)) assert.ok(names.includes(name), `${side} scenario ${name} is gone`);
    const reasons = names.filter((name) => !run[name]).map((name) => [name, left.find(([re]) => re.test(name))?.[1]]);
    assert.deepEqual(reasons.filter(([, why]) => !why).map(([name]) => name), [], `${side} scenarios nobody judged`);
    t.diagnostic(`${side}: ${Object.keys(run).length} of ${names.length} scenarios apply`);
    for (const [, why] of left)
      t.diagnostic(`${side}: ${reasons.filter(([, w]) => w === why).length} scenarios left out: ${why}`);
  }
});

// Run one scenario for one revision; gives what it found wrong, and how many checks it judged.
async function judge(side, name, revision, excused) {
  const cwd = scratch();
  const target = side === 'server' ? ['--url', url] : ['--command', `"${process.execPath}" "${driver}"`];
  const log = await conformance([side, ...target, '--scenario', name, '--spec-version', revision, '--output-dir', cwd], cwd);
  const files = readdirSync(cwd, { recursive: true }).map((f) => join(cwd, f));
  const checks = files.filter((f) => f.endsWith('checks.json')).flatMap((f) => JSON.parse(readFileSync(f, 'utf8')));
  const words = () => log.slice(-1500) + files.filter((f) => /std(out|err)\.txt$/.test(f)).map((f) => readFileSync(f, 'utf8')).join('\n');
  const wrong = checks.filter((c) => ['FAILURE', 'WARNING'].includes(c.status) && !excused[c.id])
    .map((c) => `${name} ${revision}: ${c.id}: ${c.errorMessage ?? c.description} ${JSON.stringify(c.details ?? null)}`);
  return { wrong, passed: checks.filter((c) => c.status === 'SUCCESS').length, words };
}

for (const [side, run] of [['server', server], ['client', client]]) {
  test(`the conformance tool finds nothing wrong with Theo as a ${side}`, async (t) => {
    const jobs = Object.entries(run).flatMap(([name, excused]) => known[side][name]
      .filter((r) => revisions.includes(r) && !skipped(excused, r)).map((revision) => ({ name, revision, excused })));
    const wrong = [];
    let total = 0;
    await Promise.all(Array.from({ length: together }, async () => {
      for (let job = jobs.shift(); job; job = jobs.shift()) {
        const found = await judge(side, job.name, job.revision, job.excused);
        if (found.passed === 0) wrong.push(`${job.name} ${job.revision} passed no check: ${found.words()}`);
        wrong.push(...found.wrong);
        total += found.passed;
      }
    }));
    assert.deepEqual(wrong, []);
    t.diagnostic(`${total} checks passed`);
    assert.ok(total > (side === 'server' ? 50 : 40), `only ${total} checks were passed`);
  });
}

// A scenario whose only check for a revision is excused is not run for it.
function skipped(excused, revision) {
  return Object.values(excused).some((why) => why.includes(`(${revision})`));
}
