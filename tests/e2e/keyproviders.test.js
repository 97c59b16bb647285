// Where the master key may be, and how keys are changed: against strict stubs of AWS KMS and Google
// Cloud KMS, with kills in the middle. What is secret must be in no log.
import test from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bin, run, scratch, start } from './theo.js';
import awsKms from '../peers/aws_kms.js';
import googleKms from '../peers/google_kms.js';

const SECRET = 'wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY';
const CHAT = 'Ana: The launch code is heron-7.\nZelda: Theo, what is the launch code?\n';
const lines = (text) => text.trim().split('\n').filter(Boolean);
const hex = () => randomBytes(32).toString('hex');

const inDir = (body) => async (t) => {
  const dir = scratch();
  try { await body(dir, t); } finally { rmSync(dir, { recursive: true, force: true }); }
};

async function ok(args, env) {
  const out = await run(args, { env });
  assert.equal(out.code, 0, `${args.join(' ')}: ${out.stderr}`);
  return out.stdout;
}

async function refused(args, env, pattern) {
  const out = await run(args, { env });
  assert.ok(out.code === 1 || out.code === 2, out.stdout + out.stderr);
  assert.match(out.stderr, pattern);
  return out.stderr;
}

// A chat, from a server of its own that is stopped again; its log.
async function talk(dir, env, args = []) {
  const theo = await startWith(dir, env, args);
  try {
    assert.equal((await theo.chat(CHAT)).status, 200);
  } finally { await theo.stop(); }
  return theo.log;
}

// The first key is made by the server (admin.key): `keys create` would need the same environment.
async function startWith(dir, env, args = []) {
  const theo = await start({ dir, env, args, key: 'none' });
  theo.key = readFileSync(join(theo.data, 'admin.key'), 'utf8').trim();
  return theo;
}

const exported = async (dir, env) =>
  lines(await ok(['export', '--person', 'Zelda', '--data-dir', join(dir, 'data')], env)).length;

async function withAws(body, t) {
  const kms = await awsKms.start();
  try {
    kms.key = kms.addKey('theo');
    kms.user = kms.addUser('AKIDEXAMPLE', SECRET);
    kms.env = {
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: SECRET, AWS_REGION: 'eu-west-1',
      THEO_AWS_KMS_ENDPOINT: kms.url, THEO_KEY_PROVIDER: 'aws-kms:alias/theo',
    };
    await body(kms, t);
  } finally { await kms.stop(); }
}

async function withGoogle(dir, body) {
  const kms = await googleKms.start();
  try {
    kms.key = kms.addKey('theo');
    writeFileSync(join(dir, 'account.json'), kms.credentials, { mode: 0o600 });
    kms.env = {
      GOOGLE_APPLICATION_CREDENTIALS: join(dir, 'account.json'), THEO_GCP_KMS_ENDPOINT: kms.url,
      THEO_KEY_PROVIDER: `gcp-kms:${kms.key.name}`,
    };
    await body(kms);
  } finally { await kms.stop(); }
}

test('env: the key comes from a variable or a mounted file, and is in no log', inDir(async (dir) => {
  const key = hex(), data = ['--data-dir', join(dir, 'data')];
  const env = { THEO_KEY_PROVIDER: 'env', THEO_MASTER_KEY: key, THEO_LOG_LEVEL: 'debug' };
  const log = await talk(dir, env);
  assert.ok(!existsSync(join(dir, 'data', 'master.key')));
  assert.ok(!log.includes(key));
  assert.ok(!(await ok(['config', ...data], env)).includes(key));
  writeFileSync(join(dir, 'mounted'), `${key}\n`, { mode: 0o644 });
  assert.equal(await exported(dir, { THEO_KEY_PROVIDER: 'env', THEO_MASTER_KEY_FILE: join(dir, 'mounted') }), 1);
  await refused(['export', '--person', 'Zelda', ...data], { THEO_KEY_PROVIDER: 'env' }, /openssl rand -hex 32/);
  await refused(['export', '--person', 'Zelda', ...data],
    { THEO_KEY_PROVIDER: 'env', THEO_MASTER_KEY: 'abc' }, /64 hex digits/);
  const other = await refused(['export', '--person', 'Zelda', ...data],
    { THEO_KEY_PROVIDER: 'env', THEO_MASTER_KEY: hex() }, /sealed under master key [0-9a-f]{16}, but key-provider gives [0-9a-f]{16}/);
  assert.ok(!other.includes(key));
  await refused(['export', '--person', 'Zelda', ...data], { THEO_KEY_PROVIDER: 'vault' }, /no key provider "vault"/);
}));

test('aws-kms: one call for each data key, with the workspace as context', inDir((dir) => withAws(async (kms) => {
  const log = await talk(dir, { ...kms.env, THEO_LOG_LEVEL: 'debug' });
  for (const secret of [SECRET, kms.key.material.toString('base64'), kms.key.material.toString('hex')])
    assert.ok(!log.includes(secret));
  const contexts = kms.calls.map((call) => `${call.operation} ${JSON.stringify(call.context)}`);
  const own = '{"theo-workspace":"default","theo-key":"1"}';
  assert.deepEqual(contexts.filter((text) => text.includes('default')), [`Encrypt ${own}`, `Decrypt ${own}`]);
  kms.calls.length = 0;
  const theo = await startWith(dir, kms.env);
  try {
    const answers = await Promise.all(Array.from({ length: 20 }, () => theo.chat(CHAT)));
    for (const answer of answers) assert.equal(answer.status, 200);
    assert.equal(kms.calls.filter((call) => call.context['theo-workspace'] === 'default').length, 1);
    kms.key.state = 'Disabled';
    assert.equal((await theo.chat(CHAT)).status, 200, 'what is held goes on');
  } finally { await theo.stop(); }
})));

test('aws-kms: every refusal says what is wrong and what to do', inDir((dir) => withAws(async (kms) => {
  const data = ['--data-dir', join(dir, 'data')], doctor = ['doctor', ...data], env = kms.env;
  await talk(dir, env);
  kms.user.may = ['Encrypt'];
  await refused(['export', '--person', 'Zelda', ...data], env, /kms:Decrypt .*: allow kms:Encrypt and kms:Decrypt/);
  kms.user.may = ['Encrypt', 'Decrypt'];
  kms.user.expired = true;
  await refused(['export', '--person', 'Zelda', ...data], env, /credentials have expired.*renew/);
  kms.user.expired = false;
  kms.key.state = 'PendingDeletion';
  await refused(['export', '--person', 'Zelda', ...data], env, /pending deletion.*cancel its deletion/);
  kms.key.state = 'Disabled';
  const out = await run(doctor, { env });
  assert.match(out.stdout + out.stderr, /is disabled: enable it/);
  assert.notEqual(out.code, 0);
  kms.key.state = 'Enabled';
  kms.skew = 3600e3;
  await refused(['export', '--person', 'Zelda', ...data], env, /clock is wrong.*NTP/);
  kms.skew = 0;
  const wrong = (extra, pattern) => refused(['export', '--person', 'Zelda', ...data], { ...env, ...extra }, pattern);
  await wrong({ AWS_REGION: 'us-east-1' }, /not that of region us-east-1/);
  await wrong({ AWS_SECRET_ACCESS_KEY: 'x' }, /does not know the AWS credentials/);
  await wrong({ THEO_KEY_PROVIDER: 'aws-kms:alias/none' }, /no KMS key alias\/none in region eu-west-1/);
  await wrong({ THEO_KEY_PROVIDER: 'aws-kms:' }, /needs a key/);
  const other = kms.addKey('other');
  const text = await wrong({ THEO_KEY_PROVIDER: 'aws-kms:alias/other' }, /sealed under master key/);
  assert.ok(text.includes(kms.key.arn) && text.includes(other.arn), 'both keys are named');
  kms.faults.push([400, 'ThrottlingException', 'Rate exceeded'], 'drop', [500, 'KMSInternalException', '']);
  assert.equal(await exported(dir, env), 1, 'what may pass is tried again');
  kms.faults.push(...Array(5).fill([400, 'ThrottlingException', 'Rate exceeded']));
  await wrong({}, /goes on refusing kms:Encrypt .*ThrottlingException.*quota/);
  await kms.stop();
  await wrong({}, /does not answer; check the region, the endpoint and the network/);
  const restarted = await awsKms.start(); // so that the stop at the end finds one
  kms.stop = restarted.stop;
})));

test('gcp-kms: works, binds to the workspace, and says what is wrong', inDir((dir) => withGoogle(dir, async (kms) => {
  const data = ['--data-dir', join(dir, 'data')], env = kms.env;
  const log = await talk(dir, { ...env, THEO_LOG_LEVEL: 'debug' });
  assert.ok(!log.includes('ya29.') && !log.includes('PRIVATE KEY'));
  assert.equal(kms.calls.filter((call) => call.aad === 'theo|default|1').length, 2);
  assert.equal(await exported(dir, env), 1);
  const wrong = (pattern, extra = {}) => refused(['export', '--person', 'Zelda', ...data], { ...env, ...extra }, pattern);
  kms.may = ['encrypt'];
  await wrong(/roles\/cloudkms.cryptoKeyEncrypterDecrypter/);
  kms.may = ['encrypt', 'decrypt'];
  kms.key.state = 'DISABLED';
  await wrong(/is disabled, destroyed/);
  kms.key.state = 'ENABLED';
  kms.faults.push([403, 'PERMISSION_DENIED', [{ reason: 'SERVICE_DISABLED' }]]);
  await wrong(/gcloud services enable/);
  await wrong(/There is no key/, { THEO_KEY_PROVIDER: `gcp-kms:${kms.key.name}x` });
  await wrong(/needs a key/, { THEO_KEY_PROVIDER: 'gcp-kms:theo' });
  kms.faults.push([429, 'RESOURCE_EXHAUSTED'], 'drop', [401, 'UNAUTHENTICATED']);
  assert.equal(await exported(dir, env), 1);
})));

test('a backup made under a KMS key is restored under it, and refused when altered', inDir((dir) => withAws(async (kms) => {
  const file = join(dir, 'backup'), copy = ['--data-dir', join(dir, 'copy')];
  await talk(dir, kms.env);
  await ok(['backup', file, '--data-dir', join(dir, 'data')], kms.env);
  await ok(['restore', file, ...copy], kms.env);
  assert.equal(lines(await ok(['export', '--person', 'Zelda', ...copy], kms.env)).length, 1);
  const bytes = readFileSync(file);
  bytes[bytes.length - 40] ^= 1;
  writeFileSync(file, bytes);
  await refused(['restore', file, '--data-dir', join(dir, 'third')], kms.env, /altered|damaged/);
})));

test('the master key moves from the file to KMS while servers serve', inDir((dir) => withAws(async (kms) => {
  const data = ['--data-dir', join(dir, 'data')], both = { ...kms.env, THEO_KEY_PROVIDER: 'file,aws-kms:alias/theo' };
  const theo = await startWith(dir, both);
  try {
    assert.equal((await theo.chat(CHAT)).status, 200);
    for (const fault of [[403, 'AccessDeniedException', 'no'], null]) {
      if (fault) kms.faults.push(null, null, fault); // the key opens, the wrapping fails
      const out = await run(['keys', 'rotate-master', '--to', 'aws-kms:alias/theo', '--json', ...data],
        { env: { ...kms.env, THEO_KEY_PROVIDER: 'file' } });
      assert.equal(out.code, fault ? 1 : 0, out.stderr);
      if (!fault) assert.deepEqual(JSON.parse(out.stdout), { workspaces: 1, master_key_id: `aws-kms:${kms.key.arn}` });
      assert.equal((await theo.chat(CHAT)).status, 200, 'the server goes on');
    }
  } finally { await theo.stop(); }
  assert.equal(await exported(dir, kms.env), 3);
  await refused(['export', '--person', 'Zelda', ...data], { ...kms.env, THEO_KEY_PROVIDER: 'file' },
    /sealed under master key aws-kms:arn:.* but key-provider gives [0-9a-f]{16}/);
  rmSync(join(dir, 'data', 'master.key'));
  assert.equal(await exported(dir, kms.env), 3, 'nothing needs the file');
  await ok(['keys', 'rotate-master', '--to', 'env:NEW_KEY', ...data], { ...kms.env, NEW_KEY: 'ab'.repeat(32) });
  assert.equal(await exported(dir, { THEO_KEY_PROVIDER: 'env', THEO_MASTER_KEY: 'ab'.repeat(32) }), 3);
})));

test('a rotation that is killed again and again loses nothing', inDir((dir) => withAws(async (kms) => {
  const data = ['--data-dir', join(dir, 'data')], env = { ...kms.env, THEO_KEY_PROVIDER: 'file,aws-kms:alias/theo', THEO_KEY_REFRESH_SECONDS: '1' };
  const theo = await startWith(dir, env);
  let said = 0;
  try {
    for (let i = 0; i < 18; i++) {
      const args = i % 2 ? ['keys', 'rotate-data', '--reseal', ...data]
        : ['keys', 'rotate-master', ...[['--to', 'aws-kms:alias/theo'], ['--to', 'file'], []][i / 2 % 3], ...data];
      const child = spawn(bin, args, { env: { ...process.env, ...env }, stdio: 'ignore' });
      const gone = new Promise((resolve) => child.on('exit', resolve));
      await new Promise((resolve) => setTimeout(resolve, 20 + 11 * i));
      child.kill('SIGKILL');
      await gone;
      assert.equal((await theo.chat(CHAT)).status, 200);
      said++;
    }
  } finally { await theo.stop(); }
  assert.equal(await exported(dir, env), said);
  await ok(['keys', 'rotate-master', '--to', 'aws-kms:alias/theo', ...data], env);
  assert.equal(await exported(dir, kms.env), said);
})));

test('data keys rotate while two servers serve; old rows are sealed anew', inDir(async (dir) => {
  const data = ['--data-dir', join(dir, 'data')], env = { THEO_KEY_REFRESH_SECONDS: '1' };
  const one = await startWith(dir, env), two = await startWith(dir, env);
  try {
    two.key = one.key;
    assert.equal((await one.chat(CHAT)).status, 200);
    assert.equal((await two.chat(CHAT)).status, 200);
    assert.deepEqual(JSON.parse(await ok(['keys', 'rotate-data', '--json', ...data], env)),
      { workspaces: 1, resealed: 0, left: 0, dropped: 0 });
    let stop = false, answered = 0;
    const load = [one, two].map(async (theo) => {
      while (!stop) {
        assert.equal((await theo.chat(CHAT)).status, 200);
        answered++;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });
    const out = JSON.parse(await ok(['keys', 'rotate-data', '--workspace', 'default', '--reseal', '--json', ...data], env));
    stop = true;
    await Promise.all(load);
    assert.equal(out.left, 0);
    assert.equal(out.dropped, 2);
    assert.ok(out.resealed > 0);
    assert.equal(await exported(dir, env), answered + 2, 'every row opens');
    assert.equal((await one.chat(CHAT)).status, 200);
    await refused(['keys', 'rotate-data', '--workspace', 'nobody', ...data], env, /no workspace nobody/);
  } finally { await one.stop(); await two.stop(); }
}));
