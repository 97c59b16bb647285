// A real PostgreSQL for tests.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './theo.js';

const exec = promisify(execFile);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// A server of our own, as the conformance suite has it; it ends with its standard input. A string says
// why there is none.
export async function postgres(way) {
  const tell = 'console.log(JSON.stringify(process.env)); process.stdin.resume()';
  const child = spawn('python3', [join(root, 'tests/conformance/store/with_postgres.py'), way, process.execPath, '-e', tell],
    { stdio: ['pipe', 'pipe', 'inherit'] });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  let out = '';
  for await (const chunk of child.stdout) {
    out += chunk;
    if (out.includes('\n')) break;
  }
  const skipped = /^1\.\.0 # SKIP (.*)/.exec(out);
  if (skipped) return skipped[1];
  const env = JSON.parse(out.split('\n')[0]);
  const folder = dirname(env.TEST_POSTGRES_CTL);
  const port = Number(env.TEST_POSTGRES.split(':')[1]);
  const sql = async (database, statement) => (await exec(env.TEST_POSTGRES_SQL, [database, statement])).stdout.trim();
  return {
    port, folder, sql,
    log: () => readFileSync(join(folder, 'server.log'), 'utf8'),
    // pg_ctl leaves the server behind with the pipes it was given.
    ctl: (...args) => execFileSync(env.TEST_POSTGRES_CTL, args, { stdio: 'ignore' }),
    // A new session has the value when this returns.
    async set(name, value) {
      await sql('postgres', `alter system set ${name} = ${value}`);
      this.ctl('reload');
      for (let i = 0; i < 500 && await sql('postgres', `show ${name}`) !== value; i++) await pause(20);
    },
    create: (name) => exec(env.TEST_POSTGRES_CREATE, [name]),
    url: (name, rest = '', at = port) => `postgres://theo:secret@127.0.0.1:${at}/theo_${name}${rest}`,
    rows: async (name, query) => Number(await sql(`theo_${name}`, query)),
    async kill() {
      process.kill(Number(readFileSync(join(folder, 'data/postmaster.pid'), 'utf8').split('\n')[0]), 'SIGKILL');
      for (let i = 0; i < 100; i++) { // pg_ctl refuses while a child of the old server lives
        await pause(50);
        try { return this.ctl('start'); } catch { /* not yet */ }
      }
      throw new Error('PostgreSQL does not come back');
    },
    async end() { child.stdin.end(); await gone; },
  };
}
