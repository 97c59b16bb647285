// theo chat as somebody at a terminal meets it: script(1) gives it a pseudo-terminal.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bin, cleanEnv, scratch } from './theo.js';

// A conversation: each line is typed when the prompt for it stands there, then Ctrl-D. Returns what the terminal
// showed, and what went to stdout when that is a pipe (`piped`).
function converse(args, lines, { env = {}, piped } = {}) {
  const quoted = [bin, 'chat', ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qec', piped ? `${quoted} >'${piped}'` : quoted, '/dev/null'], {
    env: cleanEnv({ USER: '', ...env }), stdio: ['pipe', 'pipe', 'inherit'],
  });
  const waiting = [...lines, null];
  return new Promise((resolve) => {
    let shown = '';
    let prompts = 0;
    child.stdout.on('data', (chunk) => {
      shown += chunk;
      for (const now = shown.split('You: ').length - 1; prompts < now; prompts++) {
        if (waiting.length === 0) continue;
        const line = waiting.shift();
        child.stdin.write(line === null ? '\x04' : `${line}\n`);
      }
    });
    child.stdin.on('error', () => {});
    child.on('close', (code) => resolve({ code, shown: shown.replaceAll('\r', '') }));
  });
}

test('a conversation at a terminal: to Theo, as somebody else, an empty line, the end', async () => {
  const dir = scratch();
  try {
    const data = ['--data-dir', join(dir, 'data')];
    const first = await converse(data, ['Ana: We agreed on 12 euro per unit.', 'Émile: Fine with me.', '', 'what did we agree?']);
    assert.equal(first.code, 0, first.shown);
    assert.match(first.shown, /Agreed:\n- Ana: We agreed on 12 euro per unit\./);
    const session = /theo chat --session (\w{26})\n/.exec(first.shown);
    assert.ok(session, first.shown);

    const later = await converse([...data, '--session', session[1]], ['what did we agree?']);
    assert.equal(later.code, 0, later.shown);
    assert.match(later.shown, /12 euro/);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('with --json each answer is a line on stdout, the prompts stand beside it', async () => {
  const dir = scratch();
  try {
    const piped = join(dir, 'answers');
    const data = ['--data-dir', join(dir, 'data')];
    const out = await converse(['--json', ...data], ['hello', 'what can you do?'], { piped });
    assert.equal(out.code, 0, out.shown);
    const answers = readFileSync(piped, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(answers.length, 2);
    assert.equal(answers[0].session_id, answers[1].session_id);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a model that is down: the built-in one answers, and no key is shown', async () => {
  const dir = scratch();
  try {
    const out = await converse(['--data-dir', join(dir, 'data')], ['hello, what can you do?'], {
      env: { THEO_MODEL: 'openai:x', THEO_OPENAI_BASE_URL: 'http://127.0.0.1:9/v1', OPENAI_API_KEY: 'sk-secret123' },
    });
    assert.equal(out.code, 0, out.shown);
    assert.match(out.shown, /\(built-in model\)/);
    assert.ok(!out.shown.includes('sk-secret123'));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
