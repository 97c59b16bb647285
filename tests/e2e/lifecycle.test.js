// Backup, restore, erasure, retention and migration with the real program.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { run, start, scratch } from './theo.js';

const withDir = (fn) => async (t) => {
  const dir = scratch();
  try { await fn(dir, t); } finally { rmSync(dir, { recursive: true, force: true }); }
};
const CHAT = 'Ana: We agreed on 12 euro per unit.\nZelda: Theo, what did we agree?\n';
const ok = async (...args) => {
  const out = await run(args);
  assert.equal(out.code, 0, `${args.join(' ')}: ${out.stderr}`);
  return out.stdout;
};
const lines = (text) => text.split('\n').filter(Boolean).map((line) => JSON.parse(line));

test('a backup made beside a running server is restored elsewhere', withDir(async (dir) => {
  const theo = await start();
  const file = join(dir, 'copy.theo'), other = join(dir, 'other');
  try {
    const made = await theo.chat(CHAT, {});
    assert.equal(made.status, 200);
    const summary = JSON.parse(await ok('backup', file, '--data-dir', theo.data, '--json'));
    assert.ok(summary.rows > 5);
    assert.equal(readFileSync(file).length, summary.bytes);
    assert.ok(!readFileSync(file).includes('12 euro'), 'text is sealed in the file');
    assert.equal((await run(['backup', file, '--data-dir', theo.data])).code, 1, 'none is overwritten');
    const busy = await run(['restore', file, '--force', '--data-dir', theo.data]);
    assert.equal(busy.code, 1);
    assert.match(busy.stderr, /stop it/);

    const keyless = await run(['restore', file, '--data-dir', other]);
    assert.match(keyless.stderr, /master key/);
    mkdirSync(other, { recursive: true });
    copyFileSync(join(theo.data, 'master.key'), join(other, 'master.key'));
    await ok('restore', file, '--data-dir', other);
    const rows = lines(await ok('export', '--person', 'zelda', '--data-dir', other));
    assert.equal(rows.length, 1);
    assert.equal(rows[0].message, 'Theo, what did we agree?');
    const again = await run(['restore', file, '--data-dir', other]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /--force/);
    await ok('restore', file, '--force', '--data-dir', other);
  } finally { await theo.stop(); }
}));

test('a cut or altered backup is refused, and so is another master key', withDir(async (dir) => {
  const data = join(dir, 'data'), file = join(dir, 'copy.theo');
  assert.equal((await run(['chat', '-', '--data-dir', data], { input: CHAT })).code, 0);
  await ok('backup', file, '--data-dir', data);
  const bytes = readFileSync(file);
  const refuse = async (name, change, pattern) => {
    const into = join(dir, name);
    mkdirSync(into);
    copyFileSync(join(data, 'master.key'), join(into, 'master.key'));
    change(into);
    const out = await run(['restore', file, '--data-dir', into]);
    assert.equal(out.code, 1, name);
    assert.match(out.stderr, pattern, name);
    assert.equal((await ok('export', '--person', 'Zelda', '--data-dir', into)), '', name);
    writeFileSync(file, bytes);
  };
  await refuse('cut', () => truncateSync(file, bytes.length - 1), /cut short/);
  await refuse('altered', () => {
    const changed = Buffer.from(bytes);
    changed[bytes.length >> 1] ^= 1;
    writeFileSync(file, changed);
  }, /altered|cut short/);
  await refuse('key', (into) => writeFileSync(join(into, 'master.key'), 'ab'.repeat(32) + '\n', { mode: 0o600 }),
    /master key/);
}));

test('erase takes what a person wrote and leaves the others', withDir(async (dir) => {
  const data = ['--data-dir', join(dir, 'data')];
  assert.equal((await run(['chat', '-', ...data], { input: CHAT })).code, 0);
  assert.equal((await run(['erase', '--person', 'Zelda', ...data])).code, 2, 'it asks for --yes');
  assert.equal((await run(['erase', '--yes', ...data])).code, 2);
  const erased = JSON.parse(await ok('erase', '--person', 'zelda', '--yes', '--json', ...data));
  assert.deepEqual(erased, { messages: 1, runs: 1, sessions: 1 });
  assert.equal(await ok('export', '--person', 'Zelda', ...data), '');
  assert.equal(lines(await ok('export', '--person', 'Ana', ...data)).length, 1);
  assert.deepEqual(JSON.parse(await ok('erase', '--person', 'zelda', '--yes', '--json', ...data)),
    { messages: 0, runs: 0, sessions: 0 });
}));

test('retention is set, shown and refused when it makes no sense', withDir(async (dir) => {
  const data = ['--data-dir', join(dir, 'data')];
  assert.equal((await run(['retention', ...data])).code, 2, 'there is no folder yet, and none is made');
  await ok('migrate', ...data);
  assert.match(await ok('retention', ...data), /until somebody deletes/);
  await ok('retention', '--days', '30', ...data);
  assert.equal(JSON.parse(await ok('retention', '--json', ...data)).retention_days, 30);
  assert.equal((await run(['retention', '--days', 'soon', ...data])).code, 2);
  assert.equal((await run(['retention', '--days', '-3', ...data])).code, 2);
}));

test('migrate says what it would do, and does it', withDir(async (dir) => {
  const folder = join(dir, 'data'), data = ['--data-dir', folder];
  const plan = JSON.parse(await ok('migrate', '--dry-run', '--json', ...data));
  assert.equal(plan.done, false);
  assert.equal(plan.changes.length, 1);
  assert.ok(!existsSync(folder), 'a dry run makes nothing');
  await ok('migrate', ...data);
  assert.deepEqual(JSON.parse(await ok('migrate', '--dry-run', '--json', ...data)).changes, []);
}));

test('the master key is changed while a server works', withDir(async () => {
  const theo = await start();
  try {
    const first = await theo.chat(CHAT, {});
    assert.equal(first.status, 200);
    const before = readFileSync(join(theo.data, 'master.key'), 'utf8');
    const out = JSON.parse(await ok('keys', 'rotate-master', '--json', '--data-dir', theo.data));
    assert.equal(out.workspaces, 1);
    assert.notEqual(readFileSync(join(theo.data, 'master.key'), 'utf8'), before);
    assert.equal(readFileSync(join(theo.data, 'master.key.old'), 'utf8'), before);
    assert.equal((await theo.chat(CHAT, {})).status, 200, 'the server goes on');
    assert.equal(lines(await ok('export', '--person', 'Zelda', '--data-dir', theo.data)).length, 2);
    rmSync(join(theo.data, 'master.key.old'));
    assert.equal(lines(await ok('export', '--person', 'Zelda', '--data-dir', theo.data)).length, 2,
      'nothing needs the old key');
    await ok('keys', 'rotate-master', '--data-dir', theo.data);
    assert.equal(lines(await ok('export', '--person', 'Zelda', '--data-dir', theo.data)).length, 2);
    writeFileSync(join(theo.data, 'master.key'), 'ab'.repeat(32) + '\n', { mode: 0o600 });
    rmSync(join(theo.data, 'master.key.old'));
    const wrong = await run(['export', '--person', 'Zelda', '--data-dir', theo.data]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /sealed under master key/);
  } finally { await theo.stop(); }
}));
