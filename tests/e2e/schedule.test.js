// The calendar routes on the local calendar.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { start } from './theo.js';

let theo;
before(async () => { theo = await start(); });
after(async () => { await theo.stop(); });

const intro = {
  summary: 'Acme × Globex intro', attendees: ['ana@acme.example', 'ben@globex.example'],
  start: '2038-03-02T15:00:00+01:00', duration_minutes: 30, time_zone: 'Europe/Madrid',
};

test('book, read, move, list, cancel', async () => {
  const made = await theo.api('POST', '/api/schedule', intro);
  assert.equal(made.status, 201, made.text);
  assert.equal(new Date(made.json.start).toISOString(), '2038-03-02T14:00:00.000Z');
  assert.equal(new Date(made.json.end).toISOString(), '2038-03-02T14:30:00.000Z');
  assert.equal(made.json.attendees.length, 2);
  const path = `/api/schedule/${made.json.id}`;

  const moved = await theo.api('PATCH', path, { start: '2038-03-03T10:00:00+01:00' });
  assert.equal(moved.status, 200, moved.text);
  assert.equal(new Date(moved.json.end) - new Date(moved.json.start), 30 * 60000);

  const list = await theo.api('GET', '/api/schedule?from=2038-03-01T00:00:00Z&to=2038-04-01T00:00:00Z');
  assert.equal(list.status, 200);
  const items = list.json.events ?? list.json.items;
  assert.deepEqual(items.map((e) => e.id), [made.json.id]);

  const gone = await theo.api('DELETE', path);
  assert.ok([200, 204].includes(gone.status));
  assert.ok([200, 204].includes((await theo.api('DELETE', path)).status), 'cancel is idempotent');
  const after_ = await theo.api('GET', path);
  assert.equal(after_.json.status, 'cancelled');
  assert.equal((await theo.api('PATCH', path, { start: '2038-03-04T10:00:00Z' })).status, 422);
});

test('a phrase instead of a start', async () => {
  const made = await theo.api('POST', '/api/schedule',
    { summary: 'Sync', when: 'next Tuesday at 3pm', duration_minutes: 45, time_zone: 'America/New_York', attendees: [] });
  assert.equal(made.status, 201, made.text);
  const local = new Intl.DateTimeFormat('en-US', { timeZone: 'America/New_York', weekday: 'long', hour: 'numeric', hour12: false })
    .format(new Date(made.json.start));
  assert.match(local, /Tuesday.*15/);
});

test('daylight saving: a time that does not exist moves forward, one that does keeps its zone', async () => {
  const made = await theo.api('POST', '/api/schedule',
    { summary: 'Early', when: '2038-03-28 02:30', duration_minutes: 30, time_zone: 'Europe/Madrid', attendees: [] });
  assert.equal(made.status, 201, made.text);
  assert.equal(new Date(made.json.start).toISOString(), '2038-03-28T01:30:00.000Z');
});

test('the same Idempotency-Key books once', async () => {
  const headers = { 'Idempotency-Key': 'once-please' };
  const first = await theo.api('POST', '/api/schedule', intro, headers);
  const second = await theo.api('POST', '/api/schedule', intro, headers);
  assert.equal(first.json.id, second.json.id);
  assert.equal(second.status, 201);
});

test('availability leaves booked times out', async () => {
  const day = { from: '2038-06-07T00:00:00Z', to: '2038-06-08T00:00:00Z' };
  await theo.api('POST', '/api/schedule',
    { summary: 'Busy', attendees: ['ana@acme.example'], start: '2038-06-07T10:00:00Z', duration_minutes: 60, time_zone: 'UTC' });
  const { status, json, text } = await theo.api('POST', '/api/schedule/availability',
    { ...day, duration_minutes: 30, time_zone: 'UTC', attendees: ['ana@acme.example'] });
  assert.equal(status, 200, text);
  assert.ok(json.slots.length > 0);
  for (const slot of json.slots) {
    const start_ = new Date(slot.start), end = new Date(slot.end);
    assert.ok(end <= new Date('2038-06-07T10:00:00Z') || start_ >= new Date('2038-06-07T11:00:00Z'),
      `${slot.start} overlaps`);
  }
});

test('iCalendar export', async () => {
  const made = await theo.api('POST', '/api/schedule', { ...intro, summary: 'Comma, semicolon; done' });
  const { status, text, headers } = await theo.api('GET', `/api/schedule/${made.json.id}?format=ics`);
  assert.equal(status, 200);
  assert.match(headers.get('content-type'), /^text\/calendar/);
  assert.match(text, /^BEGIN:VCALENDAR\r\n/);
  assert.match(text, /DTSTART:20380302T140000Z\r\n/);
  assert.match(text, /SUMMARY:Comma\\, semicolon\\; done\r\n/);
  for (const line of text.split('\r\n')) assert.ok(Buffer.byteLength(line) <= 75, line);
});

test('wrong input names the field and the remedy', async () => {
  const cases = [
    [{ ...intro, summary: '' }, 'summary'], [{ ...intro, start: 'soon-ish' }, 'start'],
    [{ ...intro, start: undefined }, /start|when/], [{ ...intro, time_zone: 'Mars/Olympus' }, 'time_zone'],
    [{ ...intro, attendees: ['not an email@'] }, /attendees/], [{ ...intro, duration_minutes: -5 }, /duration_minutes/],
    [{ ...intro, duration_minutes: '30' }, /duration_minutes/], [{ ...intro, end: '2020-01-01T00:00:00Z', duration_minutes: undefined }, 'end'],
  ];
  for (const [body, field] of cases) {
    const { status, json, headers, text } = await theo.api('POST', '/api/schedule', body);
    assert.equal(status, 422, text);
    assert.match(headers.get('content-type'), /^application\/problem\+json/);
    assert.match(json.field, field instanceof RegExp ? field : new RegExp(`^${field}`), text);
    assert.ok(json.detail.length > 10);
  }
});
