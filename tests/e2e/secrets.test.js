// Secrets that Theo is given show up nowhere: not in logs, answers, problems, events, commands' output or
// the files of the data folder, whatever fails. Each secret here is a word of its own, so that it is known
// again wherever it comes out, also in a part.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { readdirSync, readFileSync, statSync, writeFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { start, run, scratch, raw } from './theo.js';
import { House } from './telegram-theo.js';

const secrets = {
  token: 'AAtelegramWord7f3aQQQQQQQQQQQQQQQQQQ',
  webhook: 'webhookWord7f3a',
  openai: 'sk-openaiWord7f3a0123456789abcdef',
  caller: 'sk-callerWord7f3a0123456789abcdef',
  speech: 'speechWord7f3a',
  redis: 'redisWord7f3a',
  mcp: 'mcpWord7f3a',
  a2a: 'aaWord7f3a',
  userinfo: 'userinfoWord7f3a',
};
const word = /\b(\w*Word7f3a\w*)/;

// Servers that fail in many ways; what they are told is told back, as some real ones do.
function failing() {
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => { body += chunk; });
    request.on('end', () => {
      const told = `${request.url} ${JSON.stringify(request.headers)} ${body}`;
      const ways = [
        () => { response.writeHead(401, { 'Content-Type': 'application/json' }); response.end(JSON.stringify({ ok: false, error_code: 401, description: `Unauthorized: ${told}`, error: { message: `Wrong key: ${told}`, code: 'invalid_api_key' } })); },
        () => { response.writeHead(500, { 'Content-Type': 'text/html' }); response.end(`<html>${told}</html>`); },
        () => { response.writeHead(429, { 'Content-Type': 'application/json', 'Retry-After': '0' }); response.end(JSON.stringify({ ok: false, error_code: 429, description: `Too many: ${told}`, error: { message: told } })); },
        () => { response.writeHead(302, { Location: `http://127.0.0.1:1/${encodeURIComponent(told)}` }); response.end(); },
        () => { response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '99999' }); response.write(told); response.destroy(); },
        () => { response.writeHead(200, { 'Content-Type': 'application/json' }); response.end(`not JSON: ${told}`); },
        () => { response.socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n${told}`); },
        () => { response.destroy(); },
      ];
      ways[server.way % ways.length]();
    });
  });
  server.way = 0;
  server.ways = 8;
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

function files(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((one) => {
    const path = join(dir, one.name);
    return one.isDirectory() ? files(path) : statSync(path).isFile() ? [path] : [];
  });
}
const hide = (text) => text.replace(/Word7f3a/g, 'W…');
function free(what, text) {
  const found = word.exec(text);
  assert.ok(!found, found && `${what} shows ${hide(found[1])}: ${hide(text.slice(Math.max(0, found.index - 300), found.index + 100))}`);
}

test('whatever fails, no secret shows up', { timeout: 120000 }, async (t) => {
  const other = await failing();
  const root = `http://127.0.0.1:${other.address().port}`, dir = scratch();
  t.after(() => { other.closeAllConnections(); other.close(); rmSync(dir, { recursive: true, force: true }); });
  writeFileSync(join(dir, 'theo.yaml'), `
mcp:
  crm: {url: "${root}/mcp", headers: {Authorization: "Bearer ${secrets.mcp}"}}
a2a:
  friend: {url: "${root}", headers: {X-Key: ${secrets.a2a}}}
`);
  const env = {
    THEO_LOG_LEVEL: 'debug', THEO_MODEL: 'openai:m', THEO_MODEL_FALLBACK: 'builtin', OPENAI_API_KEY: secrets.openai,
    THEO_OPENAI_BASE_URL: `http://user:${secrets.userinfo}@127.0.0.1:${other.address().port}/v1`,
    THEO_TELEGRAM_TOKEN: `123456789:${secrets.token}`, THEO_TELEGRAM_API_ROOT: root, THEO_TELEGRAM_WEBHOOK_SECRET: secrets.webhook,
    THEO_TELEGRAM_WEBHOOK_URL: 'https://theo.example/telegram/webhook', THEO_SPEECH_BASE_URL: root, THEO_SPEECH_API_KEY: secrets.speech,
    THEO_REDIS_URL: `redis://:${secrets.redis}@127.0.0.1:1/0`,
  };
  const theo = await start({ dir, env });
  const seen = [];
  const keep = (answer) => seen.push(`${answer.status} ${[...answer.headers].join(' ')} ${answer.text}`);

  for (other.way = 0; other.way < other.ways; other.way++) {
    keep(await theo.chat('Ana: Theo, what did Ben say?', { metadata: { a: 1 } }, { 'X-Model-API-Key': secrets.caller, 'Idempotency-Key': `k${other.way}` }));
    keep(await theo.chat('Ana: Theo, ask the friend', { stream: true }));
    keep(await theo.api('POST', '/telegram/webhook', { update_id: 1 }, { 'X-Telegram-Bot-Api-Secret-Token': secrets.webhook }));
    keep(await theo.api('POST', '/telegram/webhook', { update_id: 1 }, { 'X-Telegram-Bot-Api-Secret-Token': `${secrets.webhook}x` }));
  }
  for (const path of ['/api/config', '/api/runs', '/api/sessions', '/api/agents', '/metrics', '/readyz', '/api/auth/whoami', '/api/approvals'])
    keep(await theo.api('GET', path));
  keep(await theo.api('POST', '/api/chat', '{broken', { 'X-Model-API-Key': secrets.caller }));
  seen.push(await raw(theo.port, `POST /api/chat HTTP/1.1\r\nHost: x\r\nX-Model-API-Key: ${secrets.caller}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n`));
  const { json } = await theo.api('GET', '/api/sessions');
  for (const session of json.sessions)
    for (const one of (await theo.api('GET', `/api/runs?session_id=${session.id}`)).json.runs) {
      keep(await theo.api('GET', `/api/runs/${one.id}`));
      keep(await theo.api('GET', `/api/runs/${one.id}/events`));
    }
  assert.ok(json.sessions.length > 0);

  const data = ['--data-dir', theo.data], there = { env, cwd: dir };
  for (const args of [['config'], ['config', '--json'], ['doctor', ...data], ['doctor', '--json', ...data], ['models'], ['telegram', 'status', ...data],
    ['telegram', 'setup', ...data], ['backup', join(dir, 'backup.theo'), ...data], ['export', join(dir, 'export.json'), ...data], ['version']]) {
    other.way = args.length;
    const { stdout, stderr } = await run(args, there);
    free(`theo ${args[0]}`, stdout + stderr);
  }
  await theo.stop();
  free('the log', theo.log);
  seen.forEach((text, i) => free(`answer ${i}`, text));
  for (const path of files(dir))
    if (!path.endsWith('theo.yaml')) free(path, readFileSync(path, 'latin1'));
});

test('a bot whose Bot API fails keeps its token to itself, in the chats and the store', { timeout: 120000 }, async (t) => {
  let group, ana;
  const token = `123456789:${secrets.token}`;
  const house = await House.open({ stub: { token, limits: false }, env: { THEO_LOG_LEVEL: 'debug', THEO_TELEGRAM_LIMIT_CHAT: '0', THEO_TELEGRAM_LIMIT_GROUP: '0' }, setUp: (tg) => {
    ana = tg.user('Ana');
    group = tg.supergroup('Deals', [ana], { quiet: true });
    tg.bot.clear();
    return [group.id];
  } });
  t.after(() => house.close());
  for (const way of ['error', 'html', 'drop', 'drop_after', 'half'])
    house.tg.fault({ method: 'sendMessage', do: way, times: 1 });
  ana.says(group, '@TheoBot book a call about Acme on 2 March 2038 at 15:00');
  await house.tg.said(group, { matching: /Booked/, ms: 60000 });
  await house.theo.stop();
  free('the log', house.theo.log);
  free('the chat', JSON.stringify(house.tg.spoken(group).map((m) => m.text)));
  for (const path of files(house.dir)) free(path, readFileSync(path, 'latin1'));
});
