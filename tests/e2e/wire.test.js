// Bad input over real sockets: each gets its documented answer and the server goes on.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { start, raw, run, until } from './theo.js';

let theo;
before(async () => {
  theo = await start({
    args: ['--server.header-timeout-ms', '1500', '--server.body-timeout-ms', '1500'].map((a) => a.replace('server.', 'server-')),
  });
});
after(async () => {
  const { status } = await theo.api('GET', '/healthz');
  assert.equal(status, 200);
  await theo.stop();
});

const problem = (answer, status) => {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers.get('content-type'), /^application\/problem\+json/);
  for (const name of ['type', 'title', 'status', 'detail', 'request_id'])
    assert.ok(answer.json[name] !== undefined, `${name} in ${answer.text}`);
  assert.equal(answer.json.status, status);
  return answer.json;
};

test('who is asking', async () => {
  problem(await theo.chat('Ana: hi', {}, { Authorization: null }), 401);
  problem(await theo.chat('Ana: hi', {}, { Authorization: 'Bearer theo_00000000_' + 'A'.repeat(43) }), 401);
  problem(await theo.chat('Ana: hi', {}, { Authorization: 'Basic abc' }), 401);
  problem(await theo.chat('Ana: hi', {}, { Authorization: 'Bearer ' + theo.key.slice(0, -1) + (theo.key.endsWith('A') ? 'B' : 'A') }), 401);
  const ok = await theo.chat('Ana: hi', {}, { Authorization: null, 'X-API-Key': theo.key });
  assert.equal(ok.status, 200);
});

test('scopes', async () => {
  const made = await theo.api('POST', '/api/auth/keys', { name: 'reader', scopes: ['read'] });
  assert.equal(made.status, 201, made.text);
  problem(await theo.chat('Ana: hi', {}, { Authorization: `Bearer ${made.json.key}` }), 403);
  const list = await theo.api('GET', '/api/auth/keys');
  assert.equal(list.status, 200);
  assert.ok(!list.text.includes(made.json.key), 'a key is shown once');
  assert.ok(!/hash/.test(list.text));
});

test('a revoked key stops working within a second, made by another process', async () => {
  const made = await run(['keys', 'create', '--data-dir', theo.data, '--name', 'short', '--scopes', 'chat', '--json']);
  const { id, key } = JSON.parse(made.stdout);
  const headers = { Authorization: `Bearer ${key}` };
  assert.equal((await theo.chat('Ana: hi', {}, headers)).status, 200);
  assert.equal((await run(['keys', 'revoke', id, '--data-dir', theo.data])).code, 0);
  await new Promise((r) => setTimeout(r, 1100));
  problem(await theo.chat('Ana: hi', {}, headers), 401);
});

test('bodies', async () => {
  problem(await theo.api('POST', '/api/chat', '{"chat_context": '), 400);
  problem(await theo.api('POST', '/api/chat', ''), 400);
  problem(await theo.api('POST', '/api/chat', '[]'), 422);
  problem(await theo.api('POST', '/api/chat', '['.repeat(5000) + ']'.repeat(5000)), 400);
  problem(await theo.api('POST', '/api/chat', Buffer.from('{"chat_context":"Ana: \xff\xfe"}', 'latin1')), 400);
  problem(await theo.api('POST', '/api/chat', Buffer.from('{"chat_context":"Ana: \0"}')), 400);
  problem(await theo.api('POST', '/api/chat', '{"chat_context":"Ana: hi"}', { 'Content-Type': 'text/plain' }), 415);
  problem(await theo.api('POST', '/api/chat', { chat_context: 'x'.repeat(10 << 20) }), 413);
  assert.equal(problem(await theo.api('POST', '/api/chat', {}), 422).field, 'chat_context');
  assert.equal(problem(await theo.chat(''), 422).field, 'chat_context');
  assert.equal(problem(await theo.chat('no party anywhere in here'), 422).field, 'chat_context');
  assert.equal(problem(await theo.chat(7), 422).field, 'chat_context');
  assert.match(problem(await theo.chat([{ party: 'Ana', message: 'a' }, { party: 3, message: 'b' }]), 422).field, /chat_context\[1\]/);
  assert.equal(problem(await theo.chat('Ana: hi', { stream: 'yes' }), 422).field, 'stream');
  assert.equal(problem(await theo.chat('Ana: hi', { time_zone: 'Nowhere/Land' }), 422).field, 'time_zone');
  assert.equal(problem(await theo.chat('Ana: hi', { model: 'nonsense:x' }), 422).field, 'model');
  assert.equal(problem(await theo.chat('Ana: hi', { metadata: 'x' }), 422).field, 'metadata');
  problem(await theo.chat('Ana: hi', { session_id: '01ARZ3NDEKTSV4RRFFQ69G5FAV' }), 404);
  const tolerant = await theo.chat('Ana: hi', { unknown_member: { a: 1 } });
  assert.equal(tolerant.status, 200);
});

test('paths and methods', async () => {
  problem(await theo.api('GET', '/api/nothing'), 404);
  const answer = await theo.api('PUT', '/api/chat', {});
  problem(answer, 405);
  assert.match(answer.headers.get('allow'), /POST/);
  problem(await theo.api('GET', '/api/sessions/' + 'x'.repeat(300)), 404);
});

test('request smuggling and malformed heads are refused', async () => {
  const host = 'Host: x\r\n';
  const cases = [
    ['POST /api/chat HTTP/1.1\r\n' + host + 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['POST /api/chat HTTP/1.1\r\n' + host + 'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello', 400],
    ['POST /api/chat HTTP/1.1\r\n' + host + 'Content-Length: +5\r\n\r\nhello', 400],
    ['GET /healthz HTTP/1.1\r\n' + host + 'X : y\r\n\r\n', 400],
    ['GET /healthz HTTP/1.1\r\n' + host + 'A: b\r\n c\r\n\r\n', 400],
    ['GET /healthz HTTP/1.1\n' + 'Host: x\n\n', 400],
    ['GET /healthz HTTP/1.1\r\n\r\n', 400],
    ['GET /healthz HTTP/3.7\r\n' + host + '\r\n', 505],
    ['GET /healthz HTTP/1.1\r\n' + host + 'X: ' + 'y'.repeat(40000) + '\r\n\r\n', 431],
    ['GET /' + 'y'.repeat(40000) + ' HTTP/1.1\r\n' + host + '\r\n', 414],
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ];
  for (const [bytes, status] of cases) {
    const answer = await raw(theo.port, Buffer.from(bytes, 'latin1'), { end: true });
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), JSON.stringify(bytes.slice(0, 60)));
  }
});

test('pipelined requests are answered in order', async () => {
  const one = (path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
  const answer = await raw(theo.port, one('/healthz') + one('/nothing') + one('/healthz'), { ms: 1500 });
  const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d+) /g)].map((m) => m[1]);
  assert.deepEqual(statuses, ['200', statuses[1], '200']);
  assert.ok(['401', '404'].includes(statuses[1]));
});

test('a head that dribbles in meets its deadline, whatever is sent meanwhile', async () => {
  const answer = await new Promise((resolve) => {
    let out = '';
    const socket = net.connect(theo.port, '127.0.0.1');
    const text = 'GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ' + 'y'.repeat(500);
    let i = 0;
    const timer = setInterval(() => { if (i < text.length) socket.write(text[i++]); }, 50);
    socket.on('data', (d) => { out += d; });
    socket.on('error', () => {});
    socket.on('close', () => { clearInterval(timer); resolve({ out, sent: i, whole: text.length }); });
  });
  assert.match(answer.out, /^HTTP\/1\.1 408 /);
  assert.ok(answer.sent < answer.whole, 'closed before the text was through');
});

test('health, readiness, metrics, config', async () => {
  assert.equal((await theo.api('GET', '/healthz', undefined, { Authorization: null })).status, 200);
  assert.equal((await theo.api('GET', '/readyz', undefined, { Authorization: null })).status, 200);
  const metrics = await theo.api('GET', '/metrics');
  assert.equal(metrics.status, 200);
  assert.match(metrics.text, /^# TYPE theo_http_requests_total counter$/m);
  assert.ok(metrics.text.endsWith('\n'));
  const config = await theo.api('GET', '/api/config');
  assert.equal(config.status, 200);
  assert.equal(config.json.model, 'builtin');
  assert.ok(!config.text.includes(theo.key));
  problem(await theo.api('GET', '/api/config', undefined, { Authorization: null }), 401);
});

test('a rate limit answers 429 with Retry-After and counts per key', async () => {
  const limited = await start({ args: ['--rate-per-minute', '5'] });
  try {
    const statuses = [];
    let last;
    for (let i = 0; i < 7; i++) statuses.push((last = await limited.api('GET', '/api/sessions')).status);
    assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429, 429]);
    assert.ok(Number(last.headers.get('retry-after')) > 0);
    assert.match(last.headers.get('ratelimit') ?? '', /r=0/);
  } finally {
    await limited.stop();
  }
});

test('wrong keys are limited by the address they come from, and nobody else is', async () => {
  const limited = await start({ args: ['--rate-failures-per-minute', '3'] });
  const wrong = `Bearer theo_00000000_${'A'.repeat(43)}`;
  const as = (Authorization, address) =>
    limited.api('GET', '/api/sessions', undefined, { Authorization, 'X-Forwarded-For': address });
  try {
    assert.equal((await as(`Bearer ${limited.key}`, '203.0.113.9')).status, 200);
    for (let i = 0; i < 3; i++) problem(await as(wrong, '203.0.113.7'), 401);
    const told = await as(wrong, '203.0.113.7');
    assert.match(problem(told, 429).detail, /address/);
    assert.ok(Number(told.headers.get('retry-after')) > 0);
    assert.equal((await as(`Bearer ${limited.key}`, '203.0.113.7')).status, 200);
    problem(await as(wrong, '203.0.113.8'), 401);
    await until('the log', () => /auth\.limited.*203\.0\.113\.7/.test(limited.log));
  } finally {
    await limited.stop();
  }
});

test('SIGTERM lets a running request finish and exits 0', async () => {
  const other = await start();
  const socket = net.connect(other.port, '127.0.0.1');
  let out = '';
  socket.on('data', (d) => { out += d; });
  const body = JSON.stringify({ chat_context: 'Ana: Theo, what did we agree?' });
  socket.write(`POST /api/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${other.key}\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`);
  await until('the reading of the head', () => out.includes('100 Continue'));
  socket.write(body.slice(0, 10));
  other.child.kill('SIGTERM');
  await new Promise((r) => setTimeout(r, 200));
  socket.write(body.slice(10));
  const end = await other.exited; // a second SIGTERM would mean: at once
  assert.match(out, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  assert.deepEqual(end, { code: 0, signal: null });
  await other.stop();
});

test('query parameters are checked like bodies', async () => {
  for (const [path, field] of [['/api/schedule?format=pdf', 'format'], ['/api/schedule?to=', 'to'],
    ['/api/schedule?limit=0', 'limit'], ['/api/schedule?include_cancelled=perhaps', 'include_cancelled'],
    ['/api/sessions?cursor=nonsense', 'cursor']])
    assert.equal(problem(await theo.api('GET', path), 422).field, field);
  const answer = await theo.api('GET', '/api/schedule/availability');
  problem(answer, 405);
  assert.equal(answer.headers.get('allow'), 'POST');
});
