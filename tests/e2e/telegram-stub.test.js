// The Telegram stub itself: it takes what the Bot API takes, refuses what it refuses with its words,
// and delivers as it delivers. A real client library (grammY) is the second opinion.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { Telegram } from '../peers/telegram.js';

// A stub with a few people and chats, and its own client.
async function world(options = {}) {
  const tg = new Telegram({ limits: false, conflictDelayMs: 100, repeatedOffsetMs: 0, ...options });
  await tg.start();
  const ana = tg.user('Ana'), ben = tg.user('Ben');
  const api = (method, args, init = {}) => post(`${tg.root}/bot${tg.bot.token}/${method}`, args, init);
  return { tg, ana, ben, api };
}
async function post(url, args = {}, init = {}) {
  const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(args), ...init });
  return { status: response.status, headers: response.headers, ...await response.json() };
}
const long = (n) => 'x'.repeat(n);
const button = (more) => ({ inline_keyboard: [[{ text: 'Go', ...more }]] });

test('refusals, each with Telegram\'s own words', async (t) => {
  const { tg, ana, ben, api } = await world();
  t.after(() => tg.stop());
  ana.says(tg.bot, 'hi');
  const group = tg.group('Group', [ana]), forum = tg.forum('Forum', [ana]);
  const kicked = tg.supergroup('Kicked', [ana]), left = tg.supergroup('Left', [ana], { bots: [] });
  const gone = tg.group('Gone', [ana]), old = tg.group('Old', [ana]), news = tg.channel('News', [ana]), closedNews = tg.channel('Closed', [ana]);
  const kickedGroup = tg.group('Kicked group', [ana]), leftGroup = tg.group('Left group', [ana], { bots: [] });
  tg.world.kickBot(kicked);
  tg.world.kickBot(kickedGroup);
  tg.world.demote(closedNews, tg.bot);
  tg.world.deleteGroup(gone);
  const upgraded = tg.world.migrate(old);
  const blocked = tg.user('Blocked'), dead = tg.user('Dead');
  blocked.says(tg.bot, 'hi');
  blocked.blocks(tg.bot);
  dead.says(tg.bot, 'hi');
  dead.deactivated = true;
  const topic = tg.topic(forum, 'Deals', ana), closed = tg.topic(forum, 'Closed', ana);
  forum.topics.get(closed).closed = true;
  const own = (await api('sendMessage', { chat_id: group.id, text: 'mine' })).result.message_id;
  const hers = ana.says(group, 'hers').id;
  const poll = (await api('sendPoll', { chat_id: group.id, question: 'Q', options: ['a'], is_closed: true })).result.message_id;
  const to = group.id, text = 'x';

  const rows = [
    ['sendMessage', {}, 400, 'message text is empty'],
    ['sendMessage', { text }, 400, 'chat_id is empty'],
    ['sendMessage', { chat_id: 99, text }, 400, 'chat not found'],
    ['sendMessage', { chat_id: 'ana', text }, 400, 'chat not found'],
    ['sendMessage', { chat_id: '@nobody', text }, 400, 'chat not found'],
    ['sendMessage', { chat_id: ben.id, text }, 400, 'chat not found', 'a person who never wrote'],
    ['sendMessage', { chat_id: to, text: long(4097) }, 400, 'message is too long'],
    ['sendMessage', { chat_id: to, text: '🎉'.repeat(2049) }, 400, 'message is too long', 'UTF-16 counts'],
    ['sendMessage', { chat_id: to, text: long(1 << 16) }, 400, 'text is too long'],
    ['sendMessage', { chat_id: to, text: ' \n ' }, 400, 'text must be non-empty'],
    ['sendMessage', { chat_id: to, text: '<b></b>', parse_mode: 'HTML' }, 400, 'text must be non-empty'],
    ['sendMessage', { chat_id: to, text, parse_mode: 'BBCode' }, 400, 'unsupported parse_mode'],
    ['sendMessage', { chat_id: to, text, link_preview_options: '[]' }, 400, 'object expected as link preview options'],
    ['sendMessage', { chat_id: to, text: '<b>x', parse_mode: 'HTML' }, 400, 'can\'t parse entities: Can\'t find end tag corresponding to start tag "b"'],
    ['sendMessage', { chat_id: to, text: 'é<h1>x</h1>', parse_mode: 'HTML' }, 400, 'can\'t parse entities: Unsupported start tag "h1" at byte offset 2'],
    ['sendMessage', { chat_id: to, text: '<b>x</i>', parse_mode: 'HTML' }, 400, 'can\'t parse entities: Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'],
    ['sendMessage', { chat_id: to, text: 'x</b>', parse_mode: 'HTML' }, 400, 'can\'t parse entities: Unexpected end tag at byte offset 1'],
    ['sendMessage', { chat_id: to, text: 'a < b', parse_mode: 'HTML' }, 400, 'can\'t parse entities: Unsupported start tag "" at byte offset 2'],
    ['sendMessage', { chat_id: to, text: 'a <b', parse_mode: 'HTML' }, 400, 'can\'t parse entities: Unclosed start tag at byte offset 2'],
    ['sendMessage', { chat_id: to, text: '<b>x</b', parse_mode: 'HTML' }, 400, 'can\'t parse entities: Unclosed end tag at byte offset 4'],
    ['sendMessage', { chat_id: to, text: '<span>x</span>', parse_mode: 'HTML' }, 400, 'can\'t parse entities: Tag "span" must have class "tg-spoiler" at byte offset 0'],
    ['sendMessage', { chat_id: to, text: '<a href=x/y>x</a>', parse_mode: 'HTML' }, 400, 'can\'t parse entities: Unexpected end of name token at byte offset 8'],
    ['sendMessage', { chat_id: to, text: '<a ="x">x</a>', parse_mode: 'HTML' }, 400, 'can\'t parse entities: Empty attribute name in the tag "a" at byte offset 0'],
    ['sendMessage', { chat_id: to, text: '<a href="x', parse_mode: 'HTML' }, 400, 'can\'t parse entities: Unclosed start tag at byte offset 0'],
    ['sendMessage', { chat_id: to, text: '<tg-emoji>x</tg-emoji>', parse_mode: 'HTML' }, 400, 'can\'t parse entities: Invalid custom emoji identifier specified'],
    ...[...'_*[]()~`>#+-=|{}.!'].filter((c) => !'_*[~`>'.includes(c)).map((c) =>
      ['sendMessage', { chat_id: to, text: `a${c}b`, parse_mode: 'MarkdownV2' }, 400, `can't parse entities: Character '${c}' is reserved and must be escaped with the preceding '\\'`]),
    ['sendMessage', { chat_id: to, text: 'a > b', parse_mode: 'MarkdownV2' }, 400, "can't parse entities: Character '>' is reserved and must be escaped with the preceding '\\'"],
    ['sendMessage', { chat_id: to, text: 'é*b', parse_mode: 'MarkdownV2' }, 400, "can't parse entities: Can't find end of Bold entity at byte offset 2"],
    ['sendMessage', { chat_id: to, text: '_b', parse_mode: 'MarkdownV2' }, 400, "can't parse entities: Can't find end of Italic entity at byte offset 0"],
    ['sendMessage', { chat_id: to, text: '__b', parse_mode: 'MarkdownV2' }, 400, "can't parse entities: Can't find end of Underline entity at byte offset 0"],
    ['sendMessage', { chat_id: to, text: '~b', parse_mode: 'MarkdownV2' }, 400, "can't parse entities: Can't find end of Strikethrough entity at byte offset 0"],
    ['sendMessage', { chat_id: to, text: '||b', parse_mode: 'MarkdownV2' }, 400, "can't parse entities: Can't find end of Spoiler entity at byte offset 0"],
    ['sendMessage', { chat_id: to, text: '`b', parse_mode: 'MarkdownV2' }, 400, "can't parse entities: Can't find end of Code entity at byte offset 0"],
    ['sendMessage', { chat_id: to, text: '```\nb', parse_mode: 'MarkdownV2' }, 400, "can't parse entities: Can't find end of Pre entity at byte offset 0"],
    ['sendMessage', { chat_id: to, text: '```c\nb', parse_mode: 'MarkdownV2' }, 400, "can't parse entities: Can't find end of PreCode entity at byte offset 0"],
    ['sendMessage', { chat_id: to, text: '[b', parse_mode: 'MarkdownV2' }, 400, "can't parse entities: Can't find end of TextUrl entity at byte offset 0"],
    ['sendMessage', { chat_id: to, text: '[b](http://a', parse_mode: 'MarkdownV2' }, 400, "can't parse entities: Can't find end of a URL at byte offset 4"],
    ['sendMessage', { chat_id: to, text: '![b](http://a)', parse_mode: 'MarkdownV2' }, 400, "can't parse entities: Invalid tg://emoji or tg://time URL specified"],
    ['sendMessage', { chat_id: to, text: '>*b\nc', parse_mode: 'MarkdownV2' }, 400, "can't parse entities: Can't find end of Bold entity at byte offset 1"],
    ['sendMessage', { chat_id: to, text: 'a 🎉', entities: [{ type: 'bold', offset: 0, length: 3 }] }, 400, 'entity beginning at UTF-16 offset 0 ends in a middle of a UTF-16 symbol at byte offset 2'],
    ['sendMessage', { chat_id: to, text: 'a', entities: [{ type: 'bold', offset: 0, length: 2 }] }, 400, 'entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 2'],
    ['sendMessage', { chat_id: to, text: 'a', entities: [{ type: 'fat', offset: 0, length: 1 }] }, 400, "can't parse MessageEntity: Unsupported type specified"],
    ['sendMessage', { chat_id: to, text, reply_parameters: { message_id: 99999 } }, 400, 'message to be replied not found'],
    ['sendMessage', { chat_id: to, text, reply_parameters: '7' }, 400, 'object expected as reply parameters'],
    ['sendMessage', { chat_id: to, text, reply_parameters: { quote: 'x' } }, 400, 'can\'t find field "message_id"'],
    ['sendMessage', { chat_id: to, text, reply_parameters: { message_id: hers, quote: 'nowhere' } }, 400, 'QUOTE_TEXT_INVALID'],
    ['sendMessage', { chat_id: forum.id, text, message_thread_id: 1 }, 400, 'message thread not found', 'the General topic has no id'],
    ['sendMessage', { chat_id: forum.id, text, message_thread_id: 4711 }, 400, 'message thread not found'],
    ['sendMessage', { chat_id: forum.id, text, message_thread_id: closed }, 400, 'TOPIC_CLOSED'],
    ['sendChatAction', { chat_id: forum.id, action: 'typing', message_thread_id: 1 }, 400, 'message thread not found'],
    ['sendMessage', { chat_id: to, text, reply_markup: '{' }, 400, "can't parse reply keyboard markup JSON object"],
    ['sendMessage', { chat_id: to, text, reply_markup: '[]' }, 400, 'object expected as reply markup'],
    ['sendMessage', { chat_id: to, text, reply_markup: { inline_keyboard: [{}] } }, 400, 'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays'],
    ['sendMessage', { chat_id: to, text, reply_markup: { inline_keyboard: [['x']] } }, 400, "can't parse inline keyboard button: InlineKeyboardButton must be an Object"],
    ['sendMessage', { chat_id: to, text, reply_markup: { inline_keyboard: [[{ url: 'https://a.b' }]] } }, 400, 'can\'t parse inline keyboard button: Can\'t find field "text"'],
    ['sendMessage', { chat_id: to, text, reply_markup: button({}) }, 400, "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"],
    ['sendMessage', { chat_id: to, text, reply_markup: button({ callback_data: '' }) }, 400, "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"],
    ['sendMessage', { chat_id: to, text, reply_markup: button({ callback_data: long(65) }) }, 400, 'BUTTON_DATA_INVALID'],
    ['sendMessage', { chat_id: to, text, reply_markup: button({ callback_data: 'é'.repeat(33) }) }, 400, 'BUTTON_DATA_INVALID', 'bytes count'],
    ['sendMessage', { chat_id: to, text, reply_markup: button({ callback_data: 'a', url: 'https://a.b' }) }, 400, 'BUTTON_TYPE_INVALID'],
    ['sendMessage', { chat_id: to, text, reply_markup: button({ url: 'no link' }) }, 400, "inline keyboard button URL 'no link' is invalid: Wrong HTTP URL"],
    ['sendMessage', { chat_id: to, text, reply_markup: button({ text: '', callback_data: 'a' }) }, 400, 'inline keyboard button text must be non-empty'],
    ['editMessageText', { text }, 400, 'message identifier is not specified'],
    ['editMessageText', { chat_id: to, message_id: 99999, text }, 400, 'message to edit not found'],
    ['editMessageText', { chat_id: to, message_id: hers, text }, 400, "message can't be edited"],
    ['editMessageText', { chat_id: to, message_id: poll, text }, 400, 'there is no text in the message to edit'],
    ['editMessageText', { chat_id: to, message_id: own, text: long(4097) }, 400, 'message is too long'],
    ['editMessageText', { chat_id: to, message_id: own, text: 'mine' }, 400, 'message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message'],
    ['editMessageText', { chat_id: to, message_id: own, text, reply_markup: { keyboard: [['a']] } }, 400, 'inline keyboard expected'],
    ['editMessageReplyMarkup', { chat_id: to, message_id: own }, 400, 'message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message'],
    ['deleteMessage', { chat_id: to, message_id: 99999 }, 400, 'message to delete not found'],
    ['deleteMessage', { chat_id: to, message_id: hers }, 400, "message can't be deleted"],
    ['sendMessageDraft', { chat_id: to, draft_id: 1, text }, 400, 'chat not found'],
    ['sendMessageDraft', { chat_id: ana.id, draft_id: 0, text }, 400, 'RANDOM_ID_INVALID'],
    ['sendMessageDraft', { chat_id: ana.id, draft_id: 1, text: long(4097) }, 400, 'message is too long'],
    ['sendChatAction', { chat_id: to, action: 'dancing' }, 400, 'wrong parameter action in request'],
    ['sendDocument', { chat_id: to }, 400, 'there is no document in the request'],
    ['sendDocument', { chat_id: to, document: 'https://example.com/a.pdf' }, 400, 'failed to get HTTP URL content'],
    ['sendDocument', { chat_id: to, document: 'AAA' }, 400, 'wrong remote file identifier specified: Wrong padding in the string'],
    ['sendPoll', { chat_id: to, question: long(301), options: ['a'] }, 400, 'poll question length must not exceed 300'],
    ['sendPoll', { chat_id: to, question: '', options: ['a'] }, 400, 'text must be non-empty'],
    ['sendPoll', { chat_id: to, question: 'Q', options: [] }, 400, 'poll must have at least one answer option'],
    ['sendPoll', { chat_id: to, question: 'Q', options: Array(13).fill('a') }, 400, "poll can't have more than 12 options"],
    ['sendPoll', { chat_id: to, question: 'Q', options: [{ text: long(101) }] }, 400, 'poll options length must not exceed 100'],
    ['sendPoll', { chat_id: to, question: 'Q', options: [7] }, 400, 'expected an option to be of type String'],
    ['sendPoll', { chat_id: to, question: 'Q', options: '{}' }, 400, 'expected an Array of String as options'],
    ['sendPoll', { chat_id: to, question: 'Q' }, 400, "can't parse options JSON object"],
    ['sendPoll', { chat_id: to, question: 'Q', options: ['a'], type: 'vote' }, 400, 'unsupported poll type specified'],
    ['sendPoll', { chat_id: to, question: 'Q', options: ['a'], type: 'quiz' }, 400, 'correct quiz option list must be non-empty'],
    ['sendPoll', { chat_id: to, question: 'Q', options: ['a'], open_period: 4 }, 400, 'POLL_CLOSE_DATE_INVALID'],
    ['sendPoll', { chat_id: news.id, question: 'Q', options: ['a'], is_anonymous: false }, 400, "non-anonymous polls can't be sent to channel chats"],
    ['stopPoll', { chat_id: to, message_id: poll }, 400, 'poll has already been closed'],
    ['setMessageReaction', { chat_id: to, message_id: hers, reaction: [{ type: 'emoji', emoji: '👍' }, { type: 'emoji', emoji: '👎' }] }, 400, 'REACTIONS_TOO_MANY'],
    ['setMessageReaction', { chat_id: to, message_id: hers, reaction: [{ type: 'emoji', emoji: '🧿' }] }, 400, 'REACTION_INVALID'],
    ['setMessageReaction', { chat_id: to, message_id: 99999, reaction: [] }, 400, 'message to react not found'],
    ['setMyCommands', { commands: [{ command: 'Start', description: 'x' }] }, 400, 'BOT_COMMAND_INVALID'],
    ['setMyCommands', { commands: [{ command: long(33), description: 'x' }] }, 400, 'command length must not exceed 32'],
    ['setMyCommands', { commands: [{ command: 'a', description: ' ' }] }, 400, 'command description must be non-empty'],
    ['setMyCommands', { commands: [{ command: 'a', description: long(257) }] }, 400, 'command description length must not exceed 256'],
    ['setMyCommands', { commands: [{ command: 'a' }] }, 400, 'can\'t parse BotCommand: Can\'t find field "description"'],
    ['setMyCommands', { commands: Array(101).fill({ command: 'a', description: 'b' }) }, 400, 'BOT_COMMANDS_TOO_MUCH'],
    ['setMyCommands', { commands: [], language_code: 'english' }, 400, 'invalid language code specified'],
    ['setMyCommands', { commands: [], scope: { type: 'all' } }, 400, "can't parse BotCommandScope: Unsupported type specified"],
    ['answerCallbackQuery', { callback_query_id: '1' }, 400, 'query is too old and response timeout expired or query ID is invalid'],
    ['answerCallbackQuery', { callback_query_id: '1', text: long(201) }, 400, 'MESSAGE_TOO_LONG'],
    ['getFile', { file_id: 'x' }, 400, 'invalid file_id'],
    ['getFile', {}, 400, 'file_id not specified'],
    ['getChatMember', { chat_id: to, user_id: 5 }, 400, 'user not found'],
    ['getChatAdministrators', { chat_id: ana.id }, 400, 'there are no administrators in the private chat'],
    ['sendMessage', { chat_id: blocked.id, text }, 403, 'bot was blocked by the user'],
    ['sendMessage', { chat_id: dead.id, text }, 403, 'user is deactivated'],
    ['sendMessage', { chat_id: kickedGroup.id, text }, 403, 'bot was kicked from the group chat'],
    ['sendMessage', { chat_id: leftGroup.id, text }, 403, 'bot is not a member of the group chat'],
    ['sendMessage', { chat_id: kicked.id, text }, 403, 'bot was kicked from the supergroup chat'],
    ['sendMessage', { chat_id: left.id, text }, 403, 'bot is not a member of the supergroup chat'],
    ['sendMessage', { chat_id: gone.id, text }, 403, 'the group chat was deleted'],
    ['sendMessage', { chat_id: old.id, text }, 400, 'group chat was upgraded to a supergroup chat'],
    ['sendMessage', { chat_id: closedNews.id, text }, 400, 'need administrator rights in the channel chat'],
    ['setWebhook', { url: 'http://theo.example/x' }, 400, 'bad webhook: An HTTPS URL must be provided for webhook'],
    ['setWebhook', { url: 'https://theo.example:8080/x' }, 400, 'bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443'],
    ['setWebhook', { url: 'https://theo.example/x', secret_token: 'a b' }, 400, 'secret token contains unallowed characters'],
    ['setWebhook', { url: 'https://theo.example/x', secret_token: long(257) }, 400, 'secret token is too long'],
  ];
  const prefix = { 400: 'Bad Request', 403: 'Forbidden' };
  for (const [method, args, code, words, why] of rows) {
    const answer = await api(method, args);
    const name = `${method} ${JSON.stringify(args).slice(0, 120)} ${why ?? ''}`;
    assert.equal(answer.description, `${prefix[code]}: ${words}`, name);
    assert.deepEqual([answer.status, answer.ok, answer.error_code], [code, false, code], name);
  }
  const moved = await api('sendMessage', { chat_id: old.id, text });
  assert.deepEqual(moved.parameters, { migrate_to_chat_id: upgraded.id });
  assert.equal((await api('sendMessage', { chat_id: to, text, reply_parameters: { message_id: 99999, allow_sending_without_reply: true } })).ok, true);
  assert.equal((await api('sendMessage', { chat_id: forum.id, text, message_thread_id: topic })).result.is_topic_message, true);
  assert.equal((await api('sendMessage', { chat_id: to, text: long(4096) })).ok, true);
  assert.equal((await api('sendMessage', { chat_id: to, text: `<b>${'&amp;'.repeat(4096)}</b>`, parse_mode: 'HTML' })).result.text.length, 4096, 'counted after parsing');
  assert.equal((await api('sendMessage', { chat_id: to, text, reply_markup: button({ callback_data: long(64) }) })).ok, true);
  assert.deepEqual(tg.log.broken, []);
});

test('tokens, paths and bodies that are none', async (t) => {
  const { tg, api } = await world();
  t.after(() => tg.stop());
  const cases = [
    ['/bot/getMe', 401, 'Unauthorized: invalid token specified'],
    ['/botxyz/getMe', 401, 'Unauthorized: invalid token specified'],
    ['/bot0123:abc/getMe', 401, 'Unauthorized: invalid token specified'],
    ['/bot123456:wrong/getMe', 401, 'Unauthorized'],
    ['/nothing', 404, 'Not Found'],
    [`/bot${tg.bot.token}/sendNothing`, 404, 'Not Found: method not found'],
    [`/file/bot${tg.bot.token}/nothing.txt`, 404, 'Not Found'],
  ];
  for (const [path, status, description] of cases) {
    const answer = await post(tg.root + path);
    assert.deepEqual([answer.status, answer.error_code, answer.description], [status, status, description], path);
  }
  assert.equal((await api('getMe', {}, { body: '[]' })).status, 400);
  tg.bot.revoked = true;
  assert.equal((await api('getMe')).status, 401);
});

test('one call, told in four ways', async (t) => {
  const { tg, ana } = await world();
  t.after(() => tg.stop());
  const group = tg.group('Group', [ana]);
  const url = `${tg.root}/bot${tg.bot.token}/SENDmessage`;
  const args = { chat_id: String(group.id), text: 'x & y', reply_markup: JSON.stringify(button({ callback_data: 'd' })) };
  const form = new FormData();
  for (const [name, value] of Object.entries(args)) form.set(name, value);
  await fetch(`${url}?${new URLSearchParams(args)}`);
  await fetch(url, { method: 'POST', body: new URLSearchParams(args) });
  await fetch(url, { method: 'POST', body: form });
  await post(url, { ...args, chat_id: group.id, reply_markup: button({ callback_data: 'd' }) });
  assert.deepEqual(tg.spoken(group).map((m) => [m.text, m.buttons]), Array(4).fill(['x & y', [['Go']]]));
});

test('long polling: offsets, allowed updates, waiting, 409', async (t) => {
  const { tg, ana, api } = await world({ bot: { privacy: false } });
  t.after(() => tg.stop());
  const group = tg.group('Group', [ana], { quiet: true });
  for (const text of ['one', 'two', 'three']) ana.says(group, text);
  const first = (await api('getUpdates', { limit: 2 })).result;
  assert.deepEqual(first.map((u) => u.message.text), ['one', 'two']);
  assert.equal(first[1].update_id, first[0].update_id + 1);
  assert.deepEqual((await api('getUpdates', { offset: first[1].update_id + 1 })).result.map((u) => u.message.text), ['three']);
  assert.deepEqual((await api('getUpdates', { offset: -1 })).result.map((u) => u.message.text), ['three']);
  const offset = first[1].update_id + 2;
  const waiting = api('getUpdates', { offset, timeout: 30, allowed_updates: ['message', 'message_reaction'] });
  const four = ana.says(group, 'four');
  assert.deepEqual((await waiting).result.map((u) => u.message.text), ['four']);
  ana.edits(four, 'vier');
  assert.deepEqual((await api('getUpdates', { offset: offset + 1 })).result, [], 'edits were not asked for');
  ana.reacts(four, '👍');
  assert.deepEqual((await api('getUpdates', { offset: offset + 1 })).result, [], 'reactions are for admins');
  tg.world.promote(group, tg.bot);
  ana.reacts(four, '🔥');
  const [reacted] = (await api('getUpdates', { offset: offset + 1 })).result;
  assert.deepEqual(reacted.message_reaction.new_reaction, [{ type: 'emoji', emoji: '🔥' }]);
  assert.deepEqual(reacted.message_reaction.old_reaction, [{ type: 'emoji', emoji: '👍' }]);

  const begun = Date.now();
  const older = api('getUpdates', { offset: offset + 9, timeout: 30 });
  await tg.until(() => tg.bot.poll, { what: 'a waiting getUpdates' });
  const newer = api('getUpdates', { offset: offset + 9, timeout: 30 });
  assert.deepEqual([(await older).status, (await older).description], [409, 'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running']);
  await tg.until(() => tg.bot.poll, { what: 'a waiting getUpdates' });
  await api('setWebhook', { url: 'https://theo.example/telegram/webhook' });
  assert.equal((await newer).description, 'Conflict: terminated by setWebhook request');
  const third = await api('getUpdates', {});
  assert.equal(third.description, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first");
  assert.ok(Date.now() - begun >= 100, 'a conflict after another is held back');
});

// A webhook that answers as the test says: answers(update, headers) → [status, headers, body].
async function receiver(answers) {
  const seen = [];
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => { body += chunk; });
    request.on('end', async () => {
      const update = JSON.parse(body);
      seen.push({ update, headers: request.headers });
      const [status, headers, text] = await answers(update, request.headers) ?? [200];
      response.writeHead(status, headers ?? {}).end(text ?? '');
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { seen, url: `http://127.0.0.1:${server.address().port}/telegram/webhook`, close: () => { server.closeAllConnections(); server.close(); } };
}

test('webhook: secret, order in a chat, chats at once, retries, Retry-After, reply in response', async (t) => {
  const { tg, ana, ben, api } = await world({ bot: { privacy: false }, secondMs: 100, backoff: { firstMs: 20, mostMs: 40 } });
  t.after(() => tg.stop());
  const a = tg.group('A', [ana, ben], { quiet: true }), b = tg.group('B', [ana, ben], { quiet: true });
  const tries = new Map();
  let underWay = 0, most = 0, release;
  const gate = new Promise((resolve) => { release = resolve; });
  const hook = await receiver(async ({ update_id, message }) => {
    const count = (tries.get(update_id) ?? 0) + 1;
    tries.set(update_id, count);
    most = Math.max(most, ++underWay);
    if (message.text === 'hold') await gate;
    underWay--;
    if (message.text === 'later' && count < 3) return [500];
    if (message.text === 'wait' && count === 1) return [503, { 'Retry-After': '2' }];
    if (message.text === 'echo') return [200, { 'Content-Type': 'application/json' }, JSON.stringify({ method: 'sendMessage', chat_id: message.chat.id, text: 'echoed' })];
    return [200];
  });
  t.after(hook.close);
  assert.equal((await api('setWebhook', { url: hook.url, secret_token: 'se-cret_1', max_connections: 5 })).description, 'Webhook was set');
  assert.equal((await api('setWebhook', { url: hook.url, secret_token: 'se-cret_1', max_connections: 5 })).description, 'Webhook is already set');
  ana.says(a, 'hold');
  ana.says(a, 'after hold');
  ben.says(b, 'later');
  ben.says(b, 'wait');
  ben.says(b, 'echo');
  const echoed = await tg.said(b);
  assert.equal(echoed.text, 'echoed');
  assert.ok(!hook.seen.some(({ update }) => update.message.text === 'after hold'), 'one in flight in a chat');
  release();
  await tg.until(() => tg.bot.pending.size === 0, { what: 'all deliveries' });
  assert.ok(most >= 2, 'chats are delivered at once');
  assert.deepEqual(hook.seen.filter(({ update }) => update.message.chat.id === b.id).map(({ update }) => update.message.text),
    ['later', 'later', 'later', 'wait', 'wait', 'echo']);
  assert.ok(hook.seen.every(({ headers }) => headers['x-telegram-bot-api-secret-token'] === 'se-cret_1' && headers['content-type'] === 'application/json'));
  const waited = tg.log.deliveries.filter((d) => d.id === hook.seen.find(({ update }) => update.message.text === 'wait').update.update_id);
  assert.ok(waited[1].at - waited[0].at >= 195, 'Retry-After is honoured');
  const info = (await api('getWebhookInfo')).result;
  assert.deepEqual([info.url, info.pending_update_count, info.last_error_message], [hook.url, 0, 'Wrong response from the webhook: 503 Service Unavailable']);
  await api('deleteWebhook');
  assert.equal((await api('getWebhookInfo')).result.url, '');
});

test('privacy mode: what a bot sees in a group', async (t) => {
  const { tg, ana, api } = await world();
  t.after(() => tg.stop());
  const group = tg.group('Group', [ana]);
  const texts = async () => {
    const list = (await api('getUpdates')).result;
    if (list.length) await api('getUpdates', { offset: list.at(-1).update_id + 1 });
    return list.filter((u) => u.message?.text).map((u) => u.message.text);
  };
  const own = (await api('sendMessage', { chat_id: group.id, text: 'hello' })).result;
  ana.says(group, 'nothing for you');
  ana.says(group, '/help');
  ana.says(group, '/help@TheoBot now');
  ana.says(group, '/help@OtherBot now');
  ana.says(group, 'yes', { reply_to: own.message_id });
  assert.deepEqual(await texts(), ['/help', '/help@TheoBot now', 'yes']);
  tg.world.setPrivacy(tg.bot, false);
  ana.says(group, 'still nothing');
  assert.deepEqual(await texts(), [], 'it must be added again first');
  assert.equal((await api('getMe')).result.can_read_all_group_messages, true);
  tg.world.kickBot(group);
  tg.world.addBot(group, tg.bot, ana);
  ana.says(group, 'everything');
  assert.deepEqual(await texts(), ['everything']);
});

test('limits: bursts pass, then 429 with retry_after, for each chat, group and all together', async (t) => {
  let now = 1e12;
  const { tg, ana, ben, api } = await world({ limits: { chat: { perSecond: 1, burst: 3 }, group: { count: 5, seconds: 60 }, all: { count: 12, seconds: 1 } }, now: () => now });
  t.after(() => tg.stop());
  for (const person of [ana, ben]) person.says(tg.bot, 'hi');
  const group = tg.group('Group', [ana]);
  const send = async (chat_id) => {
    const answer = await api('sendMessage', { chat_id, text: 'x' });
    if (answer.status === 429) {
      assert.equal(answer.headers.get('retry-after'), String(answer.parameters.retry_after));
      assert.equal(answer.description, `Too Many Requests: retry after ${answer.parameters.retry_after}`);
    }
    return answer.parameters?.retry_after ?? answer.status;
  };
  assert.deepEqual([await send(ana.id), await send(ana.id), await send(ana.id), await send(ana.id)], [200, 200, 200, 1]);
  assert.equal(await send(ben.id), 200, 'other chats go on');
  now += 1000;
  assert.equal(await send(ana.id), 200);
  assert.equal(tg.limits.early, 0);
  const wait = await send(ana.id);
  assert.equal(await send(ana.id), wait);
  assert.equal(tg.limits.early, 1, 'who asks too early is counted');
  for (let i = 0; i < 5; i++) {
    now += 1000;
    assert.equal(await send(group.id), 200);
  }
  now += 1000;
  assert.equal(await send(group.id), 55, 'a group has its own minute');
  const many = Array.from({ length: 14 }, (_, i) => tg.user(`P${i}`));
  now += 2000;
  const results = [];
  for (const person of many) {
    person.says(tg.bot, 'hi');
    results.push(await send(person.id));
  }
  assert.deepEqual(results, [...Array(12).fill(200), 1, 1]);
});

test('files go both ways', async (t) => {
  const { tg, ana, api } = await world();
  t.after(() => tg.stop());
  const bytes = Buffer.from([0, 13, 10, 255, 45, 45]);
  ana.sends(tg.bot, { document: { name: 'deck.pdf', mime: 'application/pdf', bytes }, caption: 'see **this** @TheoBot' });
  const [{ message }] = (await api('getUpdates')).result;
  assert.equal(message.document.file_name, 'deck.pdf');
  assert.deepEqual(message.caption_entities, [{ type: 'mention', offset: 13, length: 8 }]);
  const { result: file } = await api('getFile', { file_id: message.document.file_id });
  const got = await fetch(`${tg.root}/file/bot${tg.bot.token}/${file.file_path}`);
  assert.deepEqual(Buffer.from(await got.arrayBuffer()), bytes);
  const big = ana.sends(tg.bot, { document: { name: 'big.zip', size: 21 << 20 } });
  assert.equal((await api('getFile', { file_id: big.document.file_id })).description, 'Bad Request: file is too big');

  const form = new FormData();
  form.set('chat_id', String(ana.id));
  form.set('caption', 'x'.repeat(1024));
  form.set('document', new Blob([bytes], { type: 'text/plain' }), 'out.txt');
  const sent = await api('sendDocument', {}, { body: form, headers: {} });
  assert.equal(sent.result.document.file_name, 'out.txt');
  assert.deepEqual(tg.world.files.get(sent.result.document.file_id).content, bytes);
  form.set('caption', 'x'.repeat(1025));
  assert.equal((await api('sendDocument', {}, { body: form, headers: {} })).description, 'Bad Request: message caption is too long');
});

test('faults: lost answers, closed connections, errors, slow and late answers', async (t) => {
  const { tg, ana, api } = await world();
  t.after(() => tg.stop());
  const group = tg.group('Group', [ana]);
  const send = (text) => api('sendMessage', { chat_id: group.id, text });
  const texts = () => tg.spoken(group).map((m) => m.text);
  tg.fault({ method: 'sendMessage', do: 'drop_after' });
  await assert.rejects(send('lost answer'));
  tg.fault({ method: 'sendMessage', do: 'drop', nth: 2 });
  await send('first');
  await assert.rejects(send('never'));
  tg.fault({ method: 'sendMessage', do: 'half' });
  await assert.rejects(send('half'));
  tg.fault({ do: 'error' });
  assert.equal((await send('no')).description, 'Internal Server Error: restart');
  tg.fault({ do: 'html', code: 502 });
  await assert.rejects(send('no'), SyntaxError);
  tg.fault({ do: 'delay', ms: 30, chat: group });
  await send('late');
  tg.fault({ do: 'slow', ms: 0 });
  assert.equal((await send('slow')).ok, true);
  assert.deepEqual(texts(), ['lost answer', 'first', 'half', 'late', 'slow']);
  tg.fault({ do: 'error', code: 429, retry_after: 7 });
  assert.deepEqual((await send('no')).parameters, { retry_after: 7 });
  assert.deepEqual((await send('too early')).parameters, { retry_after: 7 });
  assert.equal(tg.limits.early, 1, 'what a fault promised holds as well');
  assert.throws(() => tg.fault({ do: 'sing' }), /no fault/);
});

test('faults of deliveries: duplicates, lost answers, another order between chats', async (t) => {
  const { tg, ana, api } = await world({ bot: { privacy: false }, backoff: { firstMs: 10, mostMs: 20 } });
  t.after(() => tg.stop());
  const a = tg.group('A', [ana], { quiet: true }), b = tg.group('B', [ana], { quiet: true });
  const hook = await receiver(() => [200]);
  t.after(hook.close);
  await api('setWebhook', { url: hook.url });
  tg.fault({ on: 'update', chat: a, do: 'duplicate' });
  tg.fault({ on: 'update', chat: a, text: 'again', do: 'drop_after' });
  tg.fault({ on: 'update', chat: a, text: 'held', do: 'reorder' });
  ana.says(a, 'twice');
  ana.says(a, 'again');
  await tg.until(() => tg.bot.pending.size === 0, { what: 'deliveries' });
  ana.says(a, 'held');
  ana.says(b, 'passes');
  await tg.until(() => tg.bot.pending.size === 0, { what: 'deliveries' });
  assert.deepEqual(hook.seen.map(({ update }) => update.message.text), ['twice', 'twice', 'again', 'again', 'passes', 'held']);
});

test('what people do becomes the updates that Telegram would send', async (t) => {
  const { tg, ana, ben, api } = await world({ bot: { privacy: false } });
  t.after(() => tg.stop());
  let offset = 0;
  const updates = async () => {
    const list = (await api('getUpdates', { offset, allowed_updates: ['message', 'edited_message', 'channel_post', 'my_chat_member', 'chat_member', 'poll_answer', 'callback_query', 'stopped_message_generation'] })).result;
    if (list.length) offset = list.at(-1).update_id + 1;
    return list.map(({ update_id, ...rest }) => ({ kind: Object.keys(rest)[0], ...Object.values(rest)[0] }));
  };
  await updates();
  const group = tg.group('Group', [ana], { quiet: true });
  const news = tg.channel('News', [ana], { quiet: true });
  await updates();

  ana.says(news, 'post');
  const [post] = await updates();
  assert.deepEqual([post.kind, post.from, post.sender_chat.id, post.chat.type], ['channel_post', undefined, news.id, 'channel']);
  ana.says(group, 'as the group', { anonymous: true });
  const [anonymous] = await updates();
  assert.deepEqual([anonymous.from.username, anonymous.sender_chat.id], ['GroupAnonymousBot', group.id]);
  ben.joins(group);
  ben.leaves(group);
  assert.deepEqual((await updates()).map((u) => [u.kind, (u.new_chat_members ?? [u.left_chat_member])[0].id]), [['message', ben.id], ['message', ben.id]]);
  tg.world.promote(group, tg.bot);
  ben.joins(group);
  assert.deepEqual((await updates()).map((u) => [u.kind, u.new_chat_member?.status]), [['my_chat_member', 'administrator'], ['chat_member', 'member'], ['message', undefined]]);
  const album = ana.album(group, [{ photo: { bytes: 'a' } }, { document: { name: 'b.txt', bytes: 'b' } }], { caption: 'two' });
  const sent = await updates();
  assert.deepEqual(sent.map((u) => [u.media_group_id, u.caption]), [[album[0].media_group_id, 'two'], [album[0].media_group_id, undefined]]);
  assert.equal(sent[0].photo.at(-1).width, 1280);
  ana.says(group, '<b>Hi</b> <a href="tg://user?id=' + tg.bot.user.id + '">you</a> 🎉 @TheoBot', { html: true });
  const [marked] = await updates();
  assert.deepEqual(marked.entities.map((e) => [e.type, e.offset, e.length, e.user?.username]),
    [['bold', 0, 2, undefined], ['text_mention', 3, 3, 'TheoBot'], ['mention', 10, 8, undefined]]);
  const moved = tg.world.migrate(group);
  assert.deepEqual((await updates()).map((u) => [u.chat.id, u.migrate_to_chat_id, u.migrate_from_chat_id]), [[group.id, moved.id, undefined], [moved.id, undefined, group.id]]);

  ana.says(tg.bot, 'hi');
  await updates();
  ana.blocks(tg.bot);
  ana.unblocks(tg.bot);
  assert.deepEqual((await updates()).map((u) => [u.kind, u.chat.id, u.new_chat_member.status]), [['my_chat_member', ana.id, 'kicked'], ['my_chat_member', ana.id, 'member']]);
  assert.equal((await api('sendMessageDraft', { chat_id: ana.id, draft_id: 7, text: 'Thin', can_stop: true })).result, true);
  ana.stops();
  assert.deepEqual((await updates()).map((u) => [u.kind, u.draft_id]), [['stopped_message_generation', 7]]);
  assert.equal(tg.private(ana).drafts.size, 0);
  const { result: poll } = await api('sendPoll', { chat_id: moved.id, question: 'When?', options: ['Mon', 'Tue'], is_anonymous: false });
  const message = moved.messages.get(poll.message_id);
  ana.votes(message, ['Tue']);
  ana.votes(message, []);
  assert.deepEqual((await updates()).map((u) => u.option_ids), [[1], []]);
  assert.throws(() => ana.votes(message, ['Wed']), /no such vote/);
  await api('leaveChat', { chat_id: moved.id });
  ana.says(moved, 'nobody hears');
  assert.deepEqual((await updates()).map((u) => u.new_chat_member?.status), ['left']);
});

test('several bots: each has its token, its queue and its private chats; none sees the other speak', async (t) => {
  const { tg, ana, api } = await world({ bot: { privacy: false } });
  t.after(() => tg.stop());
  const other = tg.addBot({ token: '777:other', first_name: 'Otto', username: 'OttoBot', privacy: false });
  const group = tg.group('Group', [ana], { quiet: true });
  const theirs = (method, args) => post(`${tg.root}/bot777:other/${method}`, args);
  assert.equal((await theirs('getMe')).result.username, 'OttoBot');
  await theirs('sendMessage', { chat_id: group.id, text: 'from Otto' });
  ana.says(group, 'to both');
  ana.says(other, 'to Otto');
  const texts = (answer) => answer.result.map((u) => u.message.text);
  assert.deepEqual(texts(await api('getUpdates')), ['to both']);
  assert.deepEqual(texts(await theirs('getUpdates')), ['to both', 'to Otto']);
  assert.equal((await api('sendMessage', { chat_id: ana.id, text: 'x' })).description, 'Bad Request: chat not found', 'she did not write to Theo');
  assert.deepEqual(tg.spoken(group).map((m) => [m.from, m.text]), [['Otto', 'from Otto']]);
});

test('a lost answer of getUpdates brings the same updates again; a duplicate comes in the same batch', async (t) => {
  const { tg, ana, api } = await world();
  t.after(() => tg.stop());
  ana.says(tg.bot, 'one');
  tg.fault({ method: 'getUpdates', do: 'drop_after' });
  await assert.rejects(api('getUpdates'));
  tg.fault({ on: 'update', do: 'duplicate' });
  const { result } = await api('getUpdates');
  assert.deepEqual(result.map((u) => [u.update_id, u.message.text]), [[871300001, 'one'], [871300001, 'one']]);
});

test('the stub as a program plays a scenario with whatever bot connects', async () => {
  const { spawn } = await import('node:child_process');
  const { writeFileSync, mkdtempSync, rmSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  const { join, dirname } = await import('node:path');
  const { fileURLToPath } = await import('node:url');
  const folder = mkdtempSync(join(tmpdir(), 'telegram-stub-'));
  const file = join(folder, 'hello.yaml');
  writeFileSync(file, 'people: {ana: Ana}\nsteps:\n  - ana: hello\n    in: private\n  - theo: HELLO\n');
  const child = spawn(process.execPath, [join(dirname(fileURLToPath(import.meta.url)), '..', 'peers', 'telegram.js'), '--token', '5:t', '--scenario', file]);
  try {
    let out = '';
    const lines = async (count) => {
      while (out.split('\n').length <= count) await new Promise((resolve) => child.stdout.once('data', (chunk) => { out += chunk; resolve(); }));
      return out.trim().split('\n').map((line) => JSON.parse(line));
    };
    const [{ root, token }] = await lines(1);
    assert.equal(token, '5:t');
    const { result: [{ message }] } = await post(`${root}/bot5:t/getUpdates`, { timeout: 5 });
    await post(`${root}/bot5:t/sendMessage`, { chat_id: message.chat.id, text: message.text.toUpperCase() });
    assert.deepEqual((await lines(2))[1], { passed: true });
  } finally {
    child.kill();
    rmSync(folder, { recursive: true });
  }
});

// ---- the second opinion: a client library that many bots are made with ----

async function grammy(tg, setUp) {
  const { Bot } = await import('grammy');
  const bot = new Bot(tg.bot.token, { client: { apiRoot: tg.root } });
  const errors = [];
  bot.catch((error) => errors.push(error));
  setUp(bot);
  await bot.init();
  return { bot, errors };
}

test('grammY: long polling, commands, replies, edits, buttons, polls, files', async (t) => {
  const { tg, ana, ben } = await world({ bot: { privacy: false } });
  const { GrammyError, InlineKeyboard, InputFile } = await import('grammy');
  const group = tg.forum('Forum', [ana, ben], { quiet: true });
  const topic = tg.topic(group, 'Deals', ana);
  const votes = [];
  const { bot, errors } = await grammy(tg, (b) => {
    b.command('ask', (ctx) => ctx.reply(`<b>${ctx.match}</b>`, {
      parse_mode: 'HTML', reply_markup: new InlineKeyboard().text('Yes', 'yes').text('No', 'no'), reply_parameters: { message_id: ctx.msg.message_id },
      message_thread_id: ctx.msg.is_topic_message ? ctx.msg.message_thread_id : undefined,
    }));
    b.callbackQuery('yes', async (ctx) => {
      await ctx.answerCallbackQuery({ text: 'Noted' });
      await ctx.editMessageText(`yes, said ${ctx.from.first_name}`);
    });
    b.command('vote', (ctx) => ctx.replyWithPoll('When?', [{ text: 'Mon' }, { text: 'Tue' }], { is_anonymous: false }));
    b.command('file', (ctx) => ctx.replyWithDocument(new InputFile(Buffer.from('a,b\n1,2\n'), 'table.csv'), { caption: 'the table' }));
    b.on('poll_answer', (ctx) => votes.push(ctx.pollAnswer.option_ids));
    b.on('message:document', async (ctx) => {
      const file = await ctx.getFile();
      const got = await fetch(`${tg.root}/file/bot${tg.bot.token}/${file.file_path}`);
      await ctx.reply(`got ${(await got.text()).length} bytes`);
    });
    b.on('edited_message:text', (ctx) => ctx.react('👀'));
  });
  t.after(() => tg.stop());
  const started = bot.start({ allowed_updates: ['message', 'edited_message', 'callback_query', 'poll_answer'], drop_pending_updates: true });
  await tg.until(() => tg.bot.poll, { what: 'the first getUpdates' });

  ana.says(group, '/ask@TheoBot shall we?', { thread: topic });
  const asked = await tg.said(group);
  assert.deepEqual([asked.text, asked.parts('bold'), asked.buttons, asked.thread], ['shall we?', ['shall we?'], [['Yes', 'No']], topic]);
  const press = ben.presses(asked.message, 'Yes');
  await tg.until(() => press.answer && asked.message.edit_date);
  assert.deepEqual([press.answer.text, asked.message.text], ['Noted', 'yes, said Ben']);
  ana.says(group, '/vote');
  const poll = await tg.said(group);
  assert.equal(poll.thread, undefined);
  ben.votes(poll.message, ['Tue']);
  await tg.until(() => votes.length > 0);
  assert.deepEqual(votes, [[1]]);
  const mine = ben.says(group, '/file');
  assert.deepEqual([(await tg.said(group)).document.file_name, tg.spoken(group).at(-1).caption], ['table.csv', 'the table']);
  ben.edits(mine, 'never mind');
  await tg.until(() => mine.reactions?.get(tg.bot.user.id) === '👀');
  ana.sends(tg.bot, { document: { name: 'x.txt', bytes: Buffer.from('12345') } });
  assert.equal((await tg.said(ana)).text, 'got 5 bytes');

  await assert.rejects(bot.api.sendMessage(group.id, 'x', { message_thread_id: 1 }), (error) =>
    error instanceof GrammyError && error.error_code === 400 && error.description === 'Bad Request: message thread not found');
  tg.fault({ method: 'sendMessage', do: 'error', code: 429, retry_after: 3 });
  await assert.rejects(bot.api.sendMessage(group.id, 'x'), (error) => error.parameters.retry_after === 3);
  await bot.stop();
  await started;
  assert.deepEqual(errors, []);
  assert.deepEqual([...tg.oddities], []);
  assert.deepEqual(tg.log.broken, []);
});

test('grammY: webhook with a secret token', async (t) => {
  const { tg, ana } = await world({ bot: { privacy: false } });
  const { webhookCallback } = await import('grammy');
  const { bot, errors } = await grammy(tg, (b) => b.on('message:text', (ctx) => ctx.reply(`heard ${ctx.msg.text}`)));
  const handle = webhookCallback(bot, 'http', { secretToken: 'right' });
  const server = http.createServer(handle);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => { server.close(); server.closeAllConnections(); return tg.stop(); });
  await bot.api.setWebhook(`http://127.0.0.1:${server.address().port}/`, { secret_token: 'right', allowed_updates: ['message'] });
  ana.says(tg.bot, 'one');
  assert.equal((await tg.said(ana)).text, 'heard one');
  await bot.api.setWebhook(`http://127.0.0.1:${server.address().port}/`, { secret_token: 'wrong' });
  ana.says(tg.bot, 'two');
  await tg.until(() => tg.log.deliveries.some((d) => d.status === 401));
  assert.equal(tg.spoken(ana).length, 1);
  assert.deepEqual(errors, []);
});

test('scenarios: what a file expects is found, and what is missing is said', async () => {
  const { Play, options } = await import('../peers/telegram/scenario.js');
  const play = async (steps) => {
    const scenario = { people: { ana: 'Ana', ben: 'Ben' }, chats: { deals: { type: 'forum', people: ['ana', 'ben'], topics: ['Pricing'] } }, steps };
    const tg = new Telegram({ limits: false, repeatedOffsetMs: 0, ...options(scenario) });
    await tg.start();
    const played = new Play(tg, scenario).setUp();
    const { bot } = await grammy(tg, (b) => {
      b.on('callback_query', (ctx) => ctx.answerCallbackQuery('pressed'));
      b.on('message:text', async (ctx) => {
        const topic = ctx.msg.is_topic_message ? ctx.msg.message_thread_id : undefined;
        if (!ctx.msg.text.includes('@TheoBot')) return;
        const sent = await ctx.reply('…', { message_thread_id: topic, reply_parameters: { message_id: ctx.msg.message_id } });
        await ctx.api.editMessageText(ctx.chat.id, sent.message_id, ctx.msg.text.toUpperCase(), { reply_markup: { inline_keyboard: [[{ text: 'OK', callback_data: 'ok' }]] } });
      });
    });
    const started = bot.start();
    await tg.until(() => tg.bot.poll, { what: 'the first getUpdates' });
    try {
      await played.run();
    } finally {
      await bot.stop();
      await started;
      await tg.stop();
    }
  };
  await play([
    { ana: 'hello', in: 'deals' }, { theo: 'silent', ms: 100 },
    { ana: '$bot hello', in: 'deals/Pricing', as: 'first' },
    { theo: { contains: 'HELLO', not: 'hello', reply: true, buttons: [['OK']], final: 100, edited: true } },
    { ben: { press: 'OK' } }, { theo: { press: 'pressed' } }, { theo: { on: 'answer', contains: 'HELLO', edited: true } },
    { theo: 'silent', in: 'deals/General', ms: 100 },
    { ben: 'hi $bot', in: 'private' }, { theo: { matches: '^HI @', reply: 'last' } },
    { ana: '$bot a', in: 'deals' }, { ana: '$bot b' }, { theo: { count: 2, contains: '@THEOBOT' }, ms: 300 },
    { world: { calls: { method: 'editMessageText', is: 4 } } },
  ]);
  const wrong = [
    [[{ ana: '$bot hello', in: 'deals' }, { theo: { contains: 'bye' }, ms: 300 }], /no "bye"; Theo said "@THEOBOT HELLO"/],
    [[{ ana: '$bot hello', in: 'deals' }, { theo: 'silent', ms: 1000 }], /Theo spoke: "@THEOBOT HELLO"/],
    [[{ ana: 'hello', in: 'deals' }, { theo: 'HELLO', ms: 200 }], /Theo said nothing within 200 ms/],
    [[{ ana: '$bot x', in: 'deals/Pricing' }, { theo: 'X', in: 'deals/General', ms: 200 }], /Theo said nothing/],
    [[{ ana: '$bot x', in: 'deals' }, { theo: { count: 2 }, ms: 200 }], /said 1 things, not 2/],
    [[{ ana: '$bot x', in: 'deals' }, { theo: 'X' }, { theo: { on: 'answer', contains: 'Y' }, ms: 200 }], /no "Y"; Theo said/],
    [[{ carl: 'x', in: 'deals' }], /nobody is called "carl"/],
    [[{ ana: 'x', in: 'deals/Prices' }], /no topic "Prices"/],
    [[{ ana: 'x', in: 'deals' }, { theo: { says: 'x' } }], /has no "says"/],
  ];
  for (const [steps, message] of wrong) await assert.rejects(play(steps), message);
});
