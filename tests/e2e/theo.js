// Starts a real Theo for a test and talks to it. Nothing here knows the inside of the program.
import { spawn, execFile } from 'node:child_process';
import { mkdtempSync, rmSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import net from 'node:net';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const bin = process.env.THEO_BIN ?? join(root, 'build', 'theo');
export const sanitized = bin.includes('asan');

if (!existsSync(bin)) throw new Error(`no ${bin}; build first (script/test e2e)`);

// Run a command to its end: {code, stdout, stderr}.
export function run(args, { env = {}, input, cwd } = {}) {
  return new Promise((resolve) => {
    const child = execFile(bin, args, {
      env: cleanEnv(env), cwd, maxBuffer: 64 << 20, timeout: 60000, killSignal: 'SIGKILL',
    }, (error, stdout, stderr) => resolve({
      code: error ? error.code ?? `signal ${error.signal}` : 0, stdout, stderr,
    }));
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
  });
}

// The caller's own settings must not leak into a test.
export function cleanEnv(extra) {
  const env = {};
  for (const [name, value] of Object.entries(process.env))
    if (!name.startsWith('THEO_') && name !== 'OPENAI_API_KEY') env[name] = value;
  return { ...env, NO_COLOR: '1', ...extra };
}

// Below the ports that the system gives to outgoing connections, and from a place of each process's own:
// between the look and its use nobody else takes it, also with several files at a time.
let nextPort = 10000 + Math.floor(Math.random() * 22000);

export async function freePort() {
  for (;;) {
    const port = nextPort;
    nextPort = port === 31999 ? 10000 : port + 1;
    if (await isFree(port)) return port;
  }
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.on('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

// Until check() is true; throws when it takes longer than any machine should.
export async function until(what, check, ms = 60000) {
  for (const end = performance.now() + ms; !await check();) {
    if (performance.now() > end) throw new Error(`${what} did not come`);
    await new Promise((r) => setTimeout(r, 20));
  }
}

// The next full minute that is not too near to be spoken of, in ms.
export const nextMinute = () => Math.ceil((Date.now() + 20000) / 60000) * 60000;

export function scratch() {
  return mkdtempSync(join(tmpdir(), 'theo-e2e-'));
}

// A server with its own data folder and an admin key (idempotency keys are kept per API key: a test
// that restarts the server passes the one it had).
export async function start({ dir, key, env = {}, args = [], port, tls = false } = {}) {
  const own = !dir;
  dir ??= scratch();
  port ??= await freePort();
  const data = join(dir, 'data');
  const child = spawn(bin, ['serve', '--listen', `127.0.0.1:${port}`, '--data-dir', data, ...args], {
    env: cleanEnv(env), stdio: ['ignore', 'pipe', 'pipe'], cwd: dir,
  });
  const theo = {
    child, dir, data, port, url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`, log: '', key: '',
    exited: new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal }))),
  };
  const collect = (chunk) => { theo.log += chunk; };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  await ready(theo);
  theo.key = key ?? await newKey(data);

  theo.api = (method, path, body, headers = {}) => api(theo, method, path, body, headers);
  theo.chat = (chat_context, extra = {}, headers = {}) =>
    api(theo, 'POST', '/api/chat', { chat_context, ...extra }, headers);
  theo.kill = async () => { child.kill('SIGKILL'); await theo.exited; };
  theo.stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    const limit = setTimeout(() => child.kill('SIGKILL'), 45000);
    const end = await theo.exited;
    clearTimeout(limit);
    if (own) rmSync(dir, { recursive: true, force: true });
    if (/ERROR: (Address|Leak|Undefined)Sanitizer|runtime error:/.test(theo.log))
      throw new Error(`sanitizer report:\n${theo.log.slice(-6000)}`);
    return end;
  };
  return theo;
}

async function newKey(data) {
  const made = await run(['keys', 'create', '--data-dir', data, '--name', 'e2e', '--scopes',
    'admin', '--json']);
  if (made.code !== 0) throw new Error(`keys create: ${made.stderr}${made.stdout}`);
  return JSON.parse(made.stdout).key;
}

async function ready(theo) {
  for (let i = 0; i < 600; i++) {
    if (theo.child.exitCode !== null || theo.child.signalCode !== null)
      throw new Error(`theo serve ended at start:\n${theo.log}`);
    try {
      await tcp(theo.port);
      return;
    } catch {
      await new Promise((r) => setTimeout(r, 50));
    }
  }
  throw new Error(`theo serve is not ready:\n${theo.log}`);
}

function tcp(port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(); });
    socket.on('error', reject);
  });
}

// One call; body is sent as JSON unless it is a string or Buffer.
async function api(theo, method, path, body, headers) {
  const raw = typeof body === 'string' || Buffer.isBuffer(body);
  const all = { Authorization: `Bearer ${theo.key}`, ...headers };
  for (const name of Object.keys(all)) if (all[name] === null) delete all[name];
  if (body !== undefined && !('Content-Type' in all)) all['Content-Type'] = 'application/json';
  const response = await fetch(theo.url + path, {
    method, headers: all, body: body === undefined ? undefined : raw ? body : JSON.stringify(body),
  });
  const text = await response.text();
  let json;
  try { json = JSON.parse(text); } catch { /* not JSON: the test looks at text */ }
  return { status: response.status, headers: response.headers, text, json };
}

// Send bytes on a plain socket and return all that comes back until the peer closes or ms passed.
export function raw(port, bytes, { ms = 5000, end = false } = {}) {
  return new Promise((resolve) => {
    let out = '';
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.write(bytes);
      if (end) socket.end();
    });
    const done = () => { clearTimeout(limit); socket.destroy(); resolve(out); };
    const limit = setTimeout(done, ms);
    socket.on('data', (chunk) => { out += chunk.toString('latin1'); });
    socket.on('end', done);
    socket.on('error', done);
  });
}

// Parse a text/event-stream body into [{event, id, data}].
export function events(text) {
  return text.split(/\n\n/).filter((block) => block.trim() && !block.startsWith(':')).map((block) => {
    const event = { event: 'message', id: undefined, data: '' };
    for (const line of block.split('\n')) {
      const match = /^(event|id|data): ?(.*)$/.exec(line);
      if (!match) continue;
      if (match[1] === 'data') event.data += (event.data ? '\n' : '') + match[2];
      else event[match[1]] = match[2];
    }
    return event;
  });
}
