// Acknowledged means stored: kill -9 under load, a full disk, damaged files, two processes.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync, rmSync, mkdirSync, statSync, truncateSync, openSync, writeSync, closeSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { start, run, scratch, until } from './theo.js';

test('five kills under load lose no acknowledged chat and book nothing twice', async () => {
  const dir = scratch();
  const acknowledged = [];
  let asked = 0, key;
  try {
    for (let round = 0; round < 5; round++) {
      const theo = await start({ dir, key });
      key = theo.key;
      let stop = false;
      const clients = Array.from({ length: 8 }, async (_, client) => {
        while (!stop) {
          const marker = `m${round}-${client}-${asked++}`;
          const text = `Ana: marker ${marker}\nBen: Theo, book a call about ${marker} on 2 March 2038 at 15:00`;
          try {
            const { status, json } = await theo.chat(text, {}, { 'Idempotency-Key': marker });
            if (status === 200) acknowledged.push({ marker, json });
          } catch { /* killed: not acknowledged */ }
        }
      });
      await new Promise((r) => setTimeout(r, 400 + 150 * round));
      await until('answers', () => acknowledged.length > 11 * (round + 1));
      await theo.kill();
      stop = true;
      await Promise.all(clients);
    }
    assert.ok(acknowledged.length > 50, `only ${acknowledged.length} chats to judge by`);
    const theo = await start({ dir, key });
    try {
      for (const { marker, json } of acknowledged) {
        const run_ = await theo.api('GET', `/api/runs/${json.run_id}`);
        assert.equal(run_.status, 200, `run of ${marker}`);
        const { json: list } = await theo.api('GET', `/api/sessions/${json.session_id}/messages`);
        const said = list.messages ?? list.items;
        assert.equal(said.length, 3, `messages of ${marker}`);
        assert.ok(JSON.stringify(said).includes(marker));
        const again = await theo.chat(`Ana: marker ${marker}\nBen: Theo, book a call about ${marker} on 2 March 2038 at 15:00`, {}, { 'Idempotency-Key': marker });
        assert.equal(again.json.run_id, json.run_id, 'a repeated request is replayed');
      }
      const booked = acknowledged.flatMap(({ json }) => json.events.map((e) => e.id));
      assert.equal(booked.length, acknowledged.length);
      assert.equal(new Set(booked).size, booked.length);
      const log = theo.log;
      assert.ok(!/corrupt/i.test(log));
    } finally {
      await theo.stop();
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('three kills under load on one known chat: what was acknowledged stands there once, whole', async () => {
  const dir = scratch();
  const acknowledged = [];
  let asked = 0, key, session;
  try {
    for (let round = 0; round < 3; round++) {
      const theo = await start({ dir, key });
      key = theo.key;
      session ??= (await theo.chat('Ana: hello\nBen: Theo, what did we agree?')).json.session_id;
      let stop = false;
      const clients = Array.from({ length: 4 }, async () => {
        while (!stop) {
          const marker = `k${asked++}k`;
          try {
            const { status, json } = await theo.chat(`Ana: Theo, what about ${marker}?`, { session_id: session },
              { 'Idempotency-Key': marker });
            if (status === 200) acknowledged.push({ marker, json });
          } catch { /* killed: not acknowledged */ }
        }
      });
      await new Promise((r) => setTimeout(r, 500));
      await until('answers', () => acknowledged.length > 7 * (round + 1));
      await theo.kill();
      stop = true;
      await Promise.all(clients);
    }
    assert.ok(acknowledged.length > 20, `only ${acknowledged.length} chats to judge by`);
    const theo = await start({ dir, key });
    try {
      const messages = [];
      for (let cursor = ''; cursor !== null;) {
        const { json } = await theo.api('GET', `/api/sessions/${session}/messages?limit=200&cursor=${cursor}`);
        messages.push(...json.messages);
        cursor = json.next_cursor || null;
      }
      messages.sort((a, b) => a.seq - b.seq);
      messages.forEach((message, i) => assert.equal(message.seq, i + 1));
      for (const { marker, json } of acknowledged) {
        const at = messages.findIndex((m) => m.direction === 'in' && m.run_id === json.run_id);
        assert.ok(messages[at].message.includes(marker), marker);
        assert.equal(messages.filter((m) => m.direction === 'in' && m.message.includes(marker)).length, 1);
        const answers = messages.filter((m) => m.direction === 'out' && m.run_id === json.run_id);
        assert.deepEqual(answers.map((m) => m.message), [json.reply]);
        assert.ok(answers[0].seq > messages[at].seq);
        assert.equal((await theo.api('GET', `/api/runs/${json.run_id}`)).json.state, 'completed');
      }
    } finally {
      await theo.stop();
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a full disk is said, nothing is half-stored, and work goes on when there is room', async (t) => {
  const dir = scratch();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', dir], { stdio: 'pipe' });
  } catch {
    rmSync(dir, { recursive: true, force: true });
    t.skip('mounting a small tmpfs needs root');
    return;
  }
  try {
    const theo = await start({ dir });
    const filler = join(dir, 'filler');
    const before_ = await theo.chat('Ana: before\nBen: Theo, what did we agree?');
    assert.equal(before_.status, 200);
    try { writeFileSync(filler, Buffer.alloc(16 << 20)); } catch { /* full, as meant */ }
    let full;
    for (let i = 0; i < 200 && full?.status !== 507; i++)
      full = await theo.chat(`Ana: ${'lorem ipsum '.repeat(2000)} ${i}\nBen: Theo, summarise`);
    assert.equal(full.status, 507, full.text);
    assert.match(full.json.detail, /full|space/i);
    assert.equal((await theo.api('GET', '/healthz')).status, 200);
    rmSync(filler);
    let later;
    for (let i = 0; i < 150; i++) {
      later = await theo.chat('Ana: after\nBen: Theo, what did we agree?');
      if (later.status === 200) break;
      await new Promise((r) => setTimeout(r, 200));
    }
    assert.equal(later.status, 200, later.text);
    const { json } = await theo.api('GET', `/api/sessions/${before_.json.session_id}/messages`);
    assert.ok((json.messages ?? json.items).length >= 2);
    await theo.stop();
  } finally {
    execFileSync('umount', ['-l', dir]);
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a damaged database and a wrong master key are named, with what to do', async () => {
  const dir = scratch();
  try {
    let theo = await start({ dir });
    await theo.chat('Ana: hi\nBen: Theo, what did we agree?');
    await theo.stop();
    const keyFile = readdirSync(theo.data).map((n) => join(theo.data, n)).find((p) => /master/.test(p) && statSync(p).isFile());
    assert.ok(keyFile, 'a master key file in the data folder');
    assert.equal(statSync(keyFile).mode & 0o777, 0o600);
    const good = readFileSync(keyFile);
    writeFileSync(keyFile, 'ab'.repeat(32) + '\n');
    let out = await run(['serve', '--listen', '127.0.0.1:0', '--data-dir', theo.data]);
    assert.notEqual(out.code, 0);
    assert.match(out.stderr + out.stdout, /master key/i);
    writeFileSync(keyFile, good);
    const db = join(theo.data, 'theo.db');
    const fd = openSync(db, 'r+');
    writeSync(fd, Buffer.alloc(100, 0x5a), 0, 100, 0);
    closeSync(fd);
    out = await run(['serve', '--listen', '127.0.0.1:0', '--data-dir', theo.data]);
    assert.notEqual(out.code, 0);
    assert.match(out.stderr + out.stdout, /theo\.db/);
    assert.match(out.stderr + out.stdout, /restore|backup|corrupt|database/i);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
