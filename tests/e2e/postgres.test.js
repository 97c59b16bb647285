// Theo on a real PostgreSQL that is killed, cut off, locked down and set up wrongly.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { chownSync, copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import net from 'node:net';
import { promisify } from 'node:util';
import { root, run, sanitized, scratch, start } from './theo.js';
import { postgres } from './postgres-server.js';

const exec = promisify(execFile);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const book = (marker) => `Ana: marker ${marker}\nBen: Theo, book a call about ${marker} on 2 March 2038 at 15:00`;
let server, missing;

// Theo on it, with a key that was made beforehand.
async function theoOn(url, { dir, key, env = {} } = {}) {
  const all = { THEO_STORE: url, ...env };
  if (!key) {
    const made = await run(['keys', 'create', '--data-dir', join(dir, 'data'), '--name', 'e2e', '--scopes', 'admin', '--json'],
      { env: all });
    assert.equal(made.code, 0, made.stderr);
    key = JSON.parse(made.stdout).key;
  }
  return start({ dir, key, env: all });
}

const on = (name, fn) => test(name, async (t) => {
  if (!server) { t.skip(missing); return; }
  const dir = scratch();
  try { await fn(dir, t); } finally { rmSync(dir, { recursive: true, force: true }); }
});

before(async () => {
  const got = await postgres('direct');
  if (typeof got === 'string') missing = got;
  else server = got;
});
after(async () => { await server?.end(); });

on('the server is killed three times under load from two instances: nothing acknowledged is lost or doubled', async (dir) => {
  await server.create('load');
  const first = await theoOn(server.url('load'), { dir });
  const second = await theoOn(server.url('load'), { dir, key: first.key });
  const done = [];
  let stop = false, failed = 0, asked = 0;
  const turn = async (theo, marker) => {
    for (let i = 0; i < 200; i++) {
      const { status, json, text } = await theo.chat(book(marker), {}, { 'Idempotency-Key': marker });
      if (status === 200) return done.push({ marker, json });
      assert.ok([409, 500, 503, 504].includes(status), `${status} ${text}`);
      failed++;
      await pause(100);
    }
    throw new Error(`${marker} was never answered`);
  };
  try {
    const clients = [first, second].flatMap((theo, n) => Array.from({ length: 6 }, async (_, c) => {
      while (!stop) await turn(theo, `m${n}-${c}-${asked++}`);
    }));
    const all = Promise.all(clients);
    for (let round = 0; round < 3; round++) {
      await pause(700);
      await server.kill();
    }
    await pause(700);
    stop = true;
    await all;
    assert.ok(done.length > 30, `only ${done.length} turns to judge by`);
    for (const { marker, json } of done) {
      const { status, json: list } = await second.api('GET', `/api/sessions/${json.session_id}/messages`);
      assert.equal(status, 200, marker);
      const said = list.messages ?? list.items;
      assert.equal(said.length, 3, `messages of ${marker}: ${JSON.stringify(said)}`);
      assert.ok(JSON.stringify(said).includes(marker));
    }
    assert.equal(new Set(done.map(({ json }) => json.run_id)).size, done.length);
    assert.equal(await server.rows('load', 'select count(*) from calendar_events'), done.length);
    assert.equal(await server.rows('load', "select count(*) from runs where state = 'completed'"), done.length);
  } finally {
    stop = true;
    await first.stop();
    await second.stop();
  }
});

// Between Theo and the server. cut('after'): the next COMMIT arrives and its answer does not.
// cut('before'): it does not arrive.
async function proxy() {
  const sockets = new Set();
  let mode = null, cuts = 0;
  const listener = net.createServer((client) => {
    const upstream = net.connect(server.port, '127.0.0.1');
    let drop = false;
    const end = () => { client.destroy(); upstream.destroy(); sockets.delete(client); };
    sockets.add(client);
    client.on('data', (chunk) => {
      if (mode && chunk.includes('INSERT INTO') && chunk.includes('COMMIT')) {
        drop = true;
        cuts++;
        if (mode === 'before') { mode = null; end(); return; }
        mode = null;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => { if (drop) setTimeout(end, 50); else client.write(chunk); });
    for (const socket of [client, upstream]) { socket.on('error', end); socket.on('close', end); }
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: listener.address().port, cut: (how) => { mode = how; }, cuts: () => cuts,
    end: () => { for (const s of sockets) s.destroy(); listener.close(); },
  };
}

for (const how of ['after', 'before']) {
  on(`the connection breaks ${how} a commit arrives: Theo finds out what became of it, and nothing is doubled`, async (dir) => {
    const name = `cut_${how}`, between = await proxy();
    await server.create(name);
    const theo = await theoOn(server.url(name, '?sslmode=disable', between.port), { dir });
    try {
      assert.equal((await theo.chat(book('first'), {}, { 'Idempotency-Key': 'first' })).status, 200);
      for (let n = 0; n < 4; n++) {
        between.cut(how);
        const marker = `cut${n}`;
        const told = await theo.chat(book(marker), {}, { 'Idempotency-Key': marker });
        assert.equal(told.status, 200, told.text);
        assert.equal(between.cuts(), n + 1);
        const again = await theo.chat(book(marker), {}, { 'Idempotency-Key': marker });
        assert.equal(again.json.run_id, told.json.run_id);
        const { json } = await theo.api('GET', `/api/sessions/${told.json.session_id}/messages`);
        assert.equal((json.messages ?? json.items).length, 3);
      }
      assert.equal(await server.rows(name, 'select count(*) from calendar_events'), 5);
    } finally {
      await theo.stop();
      between.end();
    }
  });
}

const serve = (dir, url, env = {}) =>
  run(['serve', '--listen', '127.0.0.1:0', '--data-dir', join(dir, 'data')], { env: { THEO_STORE: url, ...env } });

on('each wrong setting is named at the start with what to do, and none shows the password', async (dir) => {
  await server.create('wrong');
  await server.sql('postgres', "create database theo_locked owner postgres; ");
  await server.sql('theo_locked', 'revoke create on schema public from public, theo');
  await server.sql('postgres', "create database theo_latin owner theo encoding 'LATIN1' template template0");
  const at = (rest) => server.url('wrong').replace(/\/theo_wrong$/, rest);
  const cases = [
    ['postgres://theo:secret@%zz/x', 2, /address cannot be read.*postgres:\/\/HOST/s],
    [server.url('wrong').replace('secret', 'hunter2'), 2, /password authentication failed.*check user and password/s],
    [server.url('wrong').replace('theo:secret', 'nobody:secret'), 2, /check user and password|create that role/],
    [at('/theo_none'), 2, /database "theo_none" does not exist.*create the database/s],
    [server.url('wrong', '', 1), 1, /Connection refused.*check that the server runs/s],
    ['postgres://theo:secret@no-such-host.invalid/x', 1, /check the host in the URL/],
    [server.url('locked'), 1, /permission denied.*grant the role CREATE/s],
    [server.url('latin'), 2, /encoded in LATIN1.*UTF8/s],
    [server.url('wrong', '?sslmode=require'), 2, /does not support SSL.*sslmode/s],
  ];
  for (const [url, code, pattern] of cases) {
    const out = await serve(dir, url);
    assert.equal(out.code, code, `${url}: ${out.stderr}`);
    assert.match(out.stderr, pattern);
    assert.ok(!/hunter2|:secret/.test(out.stderr + out.stdout), out.stderr);
  }
  const migrated = await run(['migrate', '--data-dir', join(dir, 'data')], { env: { THEO_STORE: server.url('wrong') } });
  assert.equal(migrated.code, 0, migrated.stderr);
  await server.sql('theo_wrong', "update meta set value = '99' where name = 'schema_version'");
  for (const command of [['serve', '--listen', '127.0.0.1:0'], ['migrate', '--dry-run']]) {
    const newer = await run([...command, '--data-dir', join(dir, 'data')], { env: { THEO_STORE: server.url('wrong') } });
    assert.equal(newer.code, 2, newer.stderr);
    assert.match(newer.stderr, /schema 99.*run a newer theo/s);
  }
});

on('verify-full: a wrong CA and a wrong name are refused, the right ones are taken', async (dir) => {
  const ssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: 'ignore' });
  const owner = statSync(join(server.folder, 'data'));
  for (const ca of ['ca', 'other'])
    ssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${ca}`,
      '-keyout', `${ca}.key`, '-out', `${ca}.crt`);
  ssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=localhost', '-keyout', 'server.key',
    '-out', 'server.csr');
  writeFileSync(join(dir, 'san'), 'subjectAltName=DNS:localhost');
  ssl('x509', '-req', '-in', 'server.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'san',
    '-out', 'server.crt');
  for (const name of ['server.key', 'server.crt']) {
    const to = join(server.folder, 'data', name);
    copyFileSync(join(dir, name), to);
    chownSync(to, owner.uid, owner.gid);
    execFileSync('chmod', ['600', to]);
  }
  await server.create('tls');
  await server.set('ssl', 'on');
  const url = (ca, host) => `postgres://theo:secret@${host}:${server.port}/theo_tls?sslmode=verify-full&sslrootcert=${join(dir, ca)}`;
  const plan = (to) => run(['migrate', '--dry-run', '--data-dir', join(dir, 'data')], { env: { THEO_STORE: to } });
  try {
    const good = await plan(url('ca.crt', 'localhost'));
    assert.equal(good.code, 0, good.stderr);
    const cases = [
      [url('other.crt', 'localhost'), /certificate verify failed.*name the CA/s],
      [url('ca.crt', '127.0.0.1'), /does not match host name.*name the server/s],
      [url('none.crt', 'localhost'), /root certificate file.*sslrootcert/s],
    ];
    for (const [wrong, pattern] of cases) {
      const out = await serve(dir, wrong);
      assert.equal(out.code, 2, out.stderr);
      assert.match(out.stderr, pattern);
    }
  } finally {
    await server.sql('postgres', 'alter system reset ssl');
    server.ctl('reload');
  }
});

on('readiness says what is wrong with the server, and callers are never blamed for it', async (dir) => {
  await server.create('ready');
  const theo = await theoOn(server.url('ready'), { dir });
  const readyAgain = async () => {
    for (let i = 0; i < 100; i++) {
      if ((await theo.api('GET', '/readyz')).status === 200) return;
      await pause(100);
    }
    throw new Error('never ready again');
  };
  const unready = async (pattern) => {
    await pause(1100); // a commit of the last second is proof enough
    const { status, text } = await theo.api('GET', '/readyz');
    assert.equal(status, 503, text);
    assert.match(text, pattern);
    const chat = await theo.chat('Ana: hi\nBen: Theo, what did we agree?');
    assert.equal(chat.status, 503, chat.text);
    assert.equal((await theo.api('GET', '/healthz')).status, 200);
  };
  try {
    assert.equal((await theo.api('GET', '/readyz')).status, 200);
    server.ctl('stop', '-m', 'immediate');
    await unready(/PostgreSQL.*check that the server runs/s);
    server.ctl('start');
    await readyAgain();
    await server.sql('postgres', "alter role theo password 'changed'");
    await server.sql('postgres', "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'theo'");
    await unready(/password authentication failed/);
    await server.sql('postgres', "alter role theo password 'secret'");
    await readyAgain();
    await server.sql('theo_ready', 'alter table runs owner to postgres; alter table meta owner to postgres');
    await unready(/permission denied.*grant/s);
    await server.sql('theo_ready', 'alter table runs owner to theo; alter table meta owner to theo');
    await readyAgain();
    assert.equal((await theo.chat('Ana: hi\nBen: Theo, what did we agree?')).status, 200);
    assert.ok(!theo.log.includes('secret'), 'no password in the log');
  } finally {
    try { server.ctl('start'); } catch { /* it runs, as meant */ }
    await theo.stop();
  }
});

on('row-level security is a second wall: also the owner of the tables sees one workspace only', async (dir) => {
  await server.create('wall');
  const theo = await theoOn(server.url('wall'), { dir });
  try {
    assert.equal((await theo.chat('Ana: hi\nBen: Theo, what did we agree?')).status, 200);
  } finally { await theo.stop(); }
  await server.sql('theo_wall', 'create role reader; grant select on all tables in schema public to reader');
  const tables = (await server.sql('theo_wall', "select relname from pg_class where relkind = 'r' and relnamespace = "
    + "'public'::regnamespace and relname <> 'meta'")).split('\n');
  assert.ok(tables.length >= 14);
  const count = async (role, workspace, table) => Number((await server.sql('theo_wall', `set role ${role}; `
    + (workspace ? `set theo.workspace = '${workspace}'; ` : '') + `select count(*) from ${table}`)));
  for (const role of ['theo', 'reader']) {
    for (const table of tables) {
      assert.equal(await count(role, null, table), 0, `${role} in ${table}`);
      assert.equal(await count(role, 'another', table), 0, `${role} in ${table}`);
    }
    assert.ok(await count(role, 'default', 'runs') > 0);
  }
  await assert.rejects(server.sql('theo_wall', "set role theo; insert into runs (workspace_id, id, version) values ('default', 'x', 1)"),
    /row-level security/);
  assert.equal(await server.sql('theo_wall', "set role theo; set theo.workspace = 'another'; with d as (delete from runs returning 1) "
    + 'select count(*) from d'), '0');
});

on('the roles of deploy/postgres: one makes the tables, the other serves and may change none', async (dir) => {
  await exec('psql', ['-X', '-q', '-h', server.folder, '-p', `${server.port}`, '-U', 'postgres', '-v', 'role=team', '-v', 'owner_password=o',
    '-v', 'serve_password=s', '-f', join(root, 'deploy/postgres/roles.sql'), 'postgres']);
  const url = (user, password) => `postgres://${user}:${password}@127.0.0.1:${server.port}/team`;
  const early = await serve(dir, url('team', 's'));
  assert.equal(early.code, 1, early.stderr);
  assert.match(early.stderr, /permission denied.*grant the role CREATE/s);
  const made = await run(['migrate', '--data-dir', join(dir, 'data')], { env: { THEO_STORE: url('team_owner', 'o') } });
  assert.equal(made.code, 0, made.stderr);
  const theo = await theoOn(url('team', 's'), { dir });
  try {
    assert.equal((await theo.chat(book('roles'))).status, 200);
    assert.equal((await theo.api('GET', '/readyz')).status, 200);
  } finally { await theo.stop(); }
  await assert.rejects(server.sql('team', 'set role team; alter table runs add column x text'), /must be owner/);
  await assert.rejects(server.sql('team', 'set role team; drop policy theo_workspace on runs'), /must be owner/);
});

on('eight instances that start at once make the tables once', async (dir) => {
  await server.create('once');
  await server.set('log_statement', 'ddl');
  const from = server.log().length;
  const env = { THEO_STORE: server.url('once').replace('postgres://', 'postgresql://') };
  mkdirSync(join(dir, 'data'), { recursive: true });
  assert.equal((await run(['migrate', '--data-dir', join(dir, 'first')], { env: { THEO_STORE: 'sqlite' } })).code, 0);
  copyFileSync(join(dir, 'first', 'master.key'), join(dir, 'data', 'master.key'));
  const planned = await run(['migrate', '--dry-run', '--data-dir', join(dir, 'data')], { env });
  assert.equal(planned.code, 0, planned.stderr);
  const tables = planned.stdout.match(/^make table/gm).length;
  const all = await Promise.all(Array.from({ length: 8 }, () => run(['migrate', '--data-dir', join(dir, 'data')], { env })));
  await server.sql('postgres', 'alter system reset log_statement');
  server.ctl('reload');
  for (const out of all) assert.equal(out.code, 0, out.stderr);
  const log = server.log().slice(from);
  assert.equal(log.match(/CREATE POLICY/g).length, tables, 'each policy was made once');
  assert.equal((await run(['migrate', '--dry-run', '--data-dir', join(dir, 'data')], { env })).stdout,
    'The tables are as they should be.\n');
});

on('an index is made online, and one whose making broke off is made again', async (dir) => {
  await server.create('index');
  const env = { THEO_STORE: server.url('index') };
  const migrate = (...more) => run(['migrate', ...more, '--data-dir', join(dir, 'data')], { env });
  assert.equal((await migrate()).code, 0);
  await server.sql('theo_index', "update pg_index set indisvalid = false where indexrelid = 'approvals_by_state_due_at'::regclass; "
    + 'drop index outbox_by_state_due_at; alter table schedules drop column rule; drop policy theo_workspace on inbox; '
    + "update meta set value = 'older' where name = 'schema'");
  const planned = await migrate('--dry-run');
  assert.equal(planned.code, 0, planned.stderr);
  assert.deepEqual(planned.stdout.trim().split('\n').sort(), ['add column rule to table schedules', 'drop broken index approvals_by_state_due_at',
    'make index approvals_by_state_due_at', 'make index outbox_by_state_due_at', 'protect table inbox by row-level security']);
  await server.set('log_statement', 'ddl');
  const from = server.log().length;
  const many = await Promise.all([migrate(), migrate(), migrate()]);
  await server.sql('postgres', 'alter system reset log_statement');
  server.ctl('reload');
  for (const out of many) assert.equal(out.code, 0, out.stderr);
  const log = server.log().slice(from);
  assert.equal(log.match(/CREATE INDEX CONCURRENTLY/g).length, 2);
  assert.ok(!/CREATE INDEX IF/.test(log));
  assert.equal(await server.rows('index', "select count(*) from pg_index where not indisvalid"), 0);
  assert.equal((await migrate('--dry-run')).stdout, 'The tables are as they should be.\n');
});

on('a backup goes from PostgreSQL to SQLite and back', async (dir) => {
  await server.create('from');
  await server.create('to');
  const data = join(dir, 'data'), theo = await theoOn(server.url('from'), { dir });
  const ok = async (store, ...args) => {
    const out = await run([...args, '--data-dir', data], { env: { THEO_STORE: store } });
    assert.equal(out.code, 0, `${args.join(' ')}: ${out.stderr}`);
    return out.stdout;
  };
  try {
    for (let i = 0; i < 20; i++) assert.equal((await theo.chat(book(`b${i}`))).status, 200);
    await ok(server.url('from'), 'backup', join(dir, 'one'));
  } finally { await theo.stop(); }
  await ok('sqlite', 'restore', join(dir, 'one'));
  await ok('sqlite', 'backup', join(dir, 'two'));
  await ok(server.url('to'), 'restore', join(dir, 'two'));
  const people = (await ok(server.url('to'), 'export', '--person', 'ben')).trim().split('\n');
  assert.equal(people.length, 20);
  for (const table of ['runs', 'messages', 'chat_sessions', 'agent_actions', 'calendar_events', 'api_keys'])
    assert.equal(await server.rows('to', `select count(*) from ${table}`), await server.rows('from', `select count(*) from ${table}`), table);
});

on('through PgBouncer in transaction mode, two instances share the work', async (dir) => {
  if (sanitized) return;
  const pooled = await postgres('pgbouncer');
  if (!pooled) return;
  try {
    await pooled.create('pool');
    const first = await theoOn(pooled.url('pool'), { dir });
    const second = await theoOn(pooled.url('pool'), { dir, key: first.key });
    try {
      const made = await Promise.all(Array.from({ length: 40 }, (_, i) => [first, second][i % 2].chat(book(`p${i}`))));
      for (const { status, text } of made) assert.equal(status, 200, text);
      assert.equal(await pooled.rows('pool', 'select count(*) from calendar_events'), 40);
    } finally {
      await first.stop();
      await second.stop();
    }
  } finally { await pooled.end(); }
});
