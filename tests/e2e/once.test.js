// Exactly once, with kill -9: a server that dies at the n-th passing of a named fault point, for every
// point in the source and every passing on the way, and the next one that brings the booking to its
// end. The points are read from the source, so that a new one is walked by itself. Needs a build with
// -Dfaults=true.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { start, scratch, root } from './theo.js';

const points = [...new Set(readdirSync(join(root, 'src'), { recursive: true })
  .filter((name) => name.endsWith('.c'))
  .flatMap((name) => [...readFileSync(join(root, 'src', name), 'utf8').matchAll(/errinj\("([a-z.]+)"\)/g)])
  .map((match) => match[1]))].sort();

const SLOT = { summary: 'Intro', attendees: ['ben@example.com'], start: '2031-03-04T15:00:00Z', duration_minutes: 30 };
const key = { 'Idempotency-Key': 'once' };
const ways = {
  run: (theo) => theo.chat('Ana: Theo, book a call with ben@example.com on 2031-03-04 at 15:00 called Intro.', { time_zone: 'UTC' }, key),
  mcp: (theo) => theo.api('POST', '/mcp', { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'schedule', arguments: SLOT } }, key),
};

// 'died' where the process was killed, 'lived' where the point was not passed so often.
async function attempt(way, fault) {
  const dir = scratch();
  let theo = await start({ dir });
  const admin = theo.key;
  try {
    await theo.stop();
    const killed = await start({ dir, key: admin, env: { THEO_FAULTS: `${fault}!kill` } }).catch(() => null);
    const answer = killed && await ways[way](killed).catch(() => null);
    if (killed) await killed.kill();
    theo = await start({ dir, key: admin });
    const again = await ways[way](theo);
    assert.equal(again.status, 200, `${way} ${fault}: ${again.text}`);
    assert.match(again.text, /booked/i, `${way} ${fault}`);
    const { events } = (await theo.api('GET', '/api/schedule')).json;
    assert.equal(events.length, 1, `${way} ${fault}: ${JSON.stringify(events)}`);
    await theo.stop();
    return answer ? 'lived' : 'died';
  } finally {
    await theo.kill().catch(() => {});
    rmSync(dir, { recursive: true, force: true });
  }
}

for (const way of Object.keys(ways))
  test(`${way}: killed at each passing of each fault point, the event is booked once`, { timeout: 600000 }, async (t) => {
    let deaths = 0;
    assert.ok(points.length >= 8, points.join());
    for (const point of points)
      for (let n = 1; n < 60; n++) {
        if (await attempt(way, `${point}=${n}`) === 'lived') break;
        deaths++;
      }
    if (deaths === 0) return t.skip('this build has no named faults');
    assert.ok(deaths >= 10, `${deaths}`);
    t.diagnostic(`${deaths} deaths at ${points.length} points`);
  });
