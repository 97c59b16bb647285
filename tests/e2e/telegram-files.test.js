// Files in a chat: documents are read and found again there and nowhere else, what cannot be read is
// declined kindly, voice messages become words where a server for that is configured.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { LLMock } from '@copilotkit/aimock';
import { Telegram } from '../peers/telegram.js';
import { start } from './theo.js';

let tg, mock, speech, theo, heard = [];
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
before(async () => {
  mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
  await mock.start();
  speech = http.createServer((request, response) => {
    let body = '';
    request.setEncoding('latin1').on('data', (d) => { body += d; }).on('end', () => {
      heard.push({ url: request.url, auth: request.headers.authorization, type: request.headers['content-type'], body });
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ text: 'Theo, what is the weather in the file?' }));
    });
  });
  await new Promise((r) => speech.listen(0, '127.0.0.1', r));
  tg = new Telegram({ bot: { username: 'TheoBot', privacy: false }, limits: false });
  await tg.start();
});
after(async () => { await theo?.stop(); await tg.stop(); await mock.stop(); speech.close(); });

const bot = (more = {}) => start({ env: {
  THEO_TELEGRAM_TOKEN: tg.bot.token, THEO_TELEGRAM_API_ROOT: tg.root, THEO_MODEL: 'openai:gpt-test', THEO_TELEGRAM_STREAM: 'off',
  THEO_OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: 'sk-configured-key-0123456789', THEO_MODEL_FALLBACK: '', ...more } });

test('a document is read, answered from and cited; another chat does not see it', async () => {
  const ana = tg.user('Ana'), ben = tg.user('Ben');
  theo = await bot({ THEO_TELEGRAM_ALLOW: `${ana.id},${ben.id}` });
  ana.sends(tg.bot, { document: { name: 'offer.txt', mime: 'text/plain', bytes: Buffer.from('Offer 2038\n\nThe price of one sensor is 12 euro.\n') } });
  assert.match((await tg.said(ana)).text, /read offer\.txt/);
  mock.on({ userMessage: /price of one sensor/, hasToolResult: false }, { toolCalls: [{ name: 'search_documents', arguments: '{"query":"price of one sensor"}' }] });
  mock.on({ userMessage: /price of one sensor/, hasToolResult: true }, { content: 'It is 12 euro.' });
  ana.says(tg.bot, 'What is the price of one sensor?');
  assert.match((await tg.said(ana)).text, /12 euro/);
  const results = () => mock.getRequests().flatMap((r) => r.body.messages).filter((m) => m.role === 'tool').map((m) => m.content);
  assert.match(results().at(-1), /offer\.txt[\s\S]*12 euro/);
  ben.says(tg.bot, 'What is the price of one sensor?');
  await tg.said(ben);
  assert.doesNotMatch(results().at(-1), /12 euro/);
});

test('in a group a file is taken without a word; what cannot be read is declined to who asks', async () => {
  const cleo = tg.user('Cleo'), group = tg.group('Deals', [cleo]);
  await theo.stop();
  theo = await bot({ THEO_TELEGRAM_ALLOW: `${cleo.id},${group.id}` });
  await tg.said(group).catch(() => null); // it introduces itself
  cleo.sends(group, { document: { name: 'list.csv', mime: 'text/csv', bytes: Buffer.from('name,price\nsensor,12\n') } });
  cleo.sends(group, { document: { name: 'tool.exe', mime: 'application/octet-stream', bytes: Buffer.from('MZ') } });
  cleo.sends(group, { photo: { bytes: Buffer.from('JFIF') } });
  const silent = await Promise.race([tg.said(group).then((m) => m.text), sleep(1500).then(() => null)]);
  assert.equal(silent, null);
  cleo.sends(tg.bot, { document: { name: 'tool.exe', mime: 'application/octet-stream', bytes: Buffer.from('MZ') } });
  assert.match((await tg.said(cleo)).text, /PDF, Word, text and CSV/);
  cleo.sends(tg.bot, { document: { name: 'broken.docx', mime: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', bytes: Buffer.from('no zip') } });
  assert.match((await tg.said(cleo)).text, /could not read/);
  cleo.sends(tg.bot, { voice: { bytes: Buffer.from('OggS') } });
  assert.match((await tg.said(cleo)).text, /write it to me/);
});

test('a voice message becomes words, where a server is configured', async () => {
  const dan = tg.user('Dan');
  await theo.stop();
  theo = await bot({ THEO_TELEGRAM_ALLOW: `${dan.id}`, THEO_SPEECH_BASE_URL: `http://127.0.0.1:${speech.address().port}/v1`, THEO_SPEECH_API_KEY: 'sk-speech-key' });
  mock.onMessage(/weather in the file/, { content: 'Sunny.' });
  dan.sends(tg.bot, { voice: { bytes: Buffer.from('OggS-voice') } });
  assert.match((await tg.said(dan)).text, /Sunny/);
  assert.equal(heard.length, 1);
  assert.equal(heard[0].url, '/v1/audio/transcriptions');
  assert.equal(heard[0].auth, 'Bearer sk-speech-key');
  assert.match(heard[0].body, /name="model"\r\n\r\nwhisper-1/);
  assert.match(heard[0].body, /OggS-voice/);
  const [session] = (await theo.api('GET', '/api/sessions')).json.sessions;
  const { json } = await theo.api('GET', `/api/sessions/${session.id}/messages`);
  assert.match(json.messages[0].message, /^\[voice message\] Theo, what is the weather/);
});
