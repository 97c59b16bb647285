// The methods of the Bot API. Each gets (context, args): args are strings, as they came.
'use strict';
const { bad, refuse } = require('./errors.js');
const { format, Refused } = require('./entities.js');
const { readMarkup } = require('./markup.js');
const { render, renderUser, renderChat, renderMember } = require('./render.js');

const isTrue = (text) => ['true', 'yes', '1'].includes((text ?? '').toLowerCase());
const int = (text, otherwise = 0) => (/^[+-]?\d+$/.test(text ?? '') ? Number(text) : otherwise);

function json(text, what) {
  try {
    return JSON.parse(text);
  } catch {
    throw bad(`Can't parse ${what} JSON object`);
  }
}

function formatted(text, mode, entities, world) {
  if (Buffer.byteLength(text) > 1 << 15) throw bad('Text is too long');
  try {
    const shown = format(text, mode, mode ? [] : checkedEntities(entities, text));
    for (const entity of shown.entities)
      if (entity.user) entity.user = world.users.has(entity.user.id) ? renderUser(world.users.get(entity.user.id)) : null;
    shown.entities = shown.entities.filter((entity) => entity.user !== null);
    return shown;
  } catch (error) {
    throw error instanceof Refused ? bad(error.message) : error;
  }
}

const entityTypes = ['mention', 'hashtag', 'cashtag', 'bot_command', 'url', 'email', 'phone_number', 'bold', 'italic', 'underline',
  'strikethrough', 'spoiler', 'blockquote', 'expandable_blockquote', 'code', 'pre', 'text_link', 'text_mention', 'custom_emoji', 'date_time'];

function checkedEntities(given, text) {
  if (given === undefined || given === '') return [];
  const list = json(given, 'entities');
  if (!Array.isArray(list)) return [];
  return list.flatMap((entity) => {
    if (typeof entity !== 'object' || entity === null) throw bad("Can't parse MessageEntity: expected an Object");
    for (const name of ['offset', 'length']) if (!Number.isInteger(entity[name])) throw bad(`Can't parse MessageEntity: Can't find field "${name}"`);
    if (!entityTypes.includes(entity.type)) throw bad("Can't parse MessageEntity: Unsupported type specified");
    if (entity.offset < 0 || entity.offset > 1000000) throw bad(`Receive an entity with incorrect offset ${entity.offset}`);
    if (entity.length < 0 || entity.length > 1000000) throw bad(`Receive an entity with incorrect length ${entity.length}`);
    if (entity.length === 0) return [];
    const end = entity.offset + entity.length;
    const halves = (at) => /[\uDC00-\uDFFF]/.test(text[at] ?? '') && /[\uD800-\uDBFF]/.test(text[at - 1] ?? '');
    if (end > text.length) throw bad(`Entity beginning at UTF-16 offset ${entity.offset} ends after the end of the text at UTF-16 offset ${end}`);
    if (halves(entity.offset)) throw bad(`Entity begins in a middle of a UTF-16 symbol at byte offset ${Buffer.byteLength(text.slice(0, entity.offset - 1))}`);
    if (halves(end)) throw bad(`Entity beginning at UTF-16 offset ${entity.offset} ends in a middle of a UTF-16 symbol at byte offset ${Buffer.byteLength(text.slice(0, end - 1))}`);
    return [entity];
  });
}

// ---- where ----

// access: read, edit or write
function chatFor({ world, bot }, text, access = 'write') {
  if (text === undefined || text === '') throw bad('Chat_id is empty');
  let chat;
  if (text[0] === '@') {
    chat = [...world.chats.values()].find((c) => c.username?.toLowerCase() === text.slice(1).toLowerCase());
  } else {
    chat = world.chatOf(bot, int(text));
    if (chat?.type === 'private' && !chat.started) chat = undefined;
  }
  if (!chat) throw bad('Chat not found');
  const write = access === 'write', edit = write || access === 'edit';
  const status = chat.members.get(bot.user.id)?.status ?? 'left';
  if (chat.type === 'private') {
    if (chat.person.deactivated && edit) throw refuse(403, 'User is deactivated');
    if (chat.blocked && write) throw refuse(403, 'Bot was blocked by the user');
  } else if (chat.type === 'group') {
    if (chat.migratedTo && write) throw bad('Group chat was upgraded to a supergroup chat', { migrate_to_chat_id: chat.migratedTo });
    if (chat.deleted && write) throw refuse(403, 'The group chat was deleted');
    if (status === 'kicked' && edit && !chat.migratedTo) throw refuse(403, 'Bot was kicked from the group chat');
    if (status === 'left' && edit && !chat.migratedTo) throw refuse(403, 'Bot is not a member of the group chat');
  } else {
    const kind = chat.type === 'supergroup' ? 'supergroup' : 'channel';
    if (status === 'kicked') throw refuse(403, `Bot was kicked from the ${kind} chat`);
    if (!world.isMember(chat, bot) && (edit || !chat.username)) throw refuse(403, `Bot is not a member of the ${kind} chat`);
    if (kind === 'channel' && write && !world.isAdmin(chat, bot)) throw bad('Need administrator rights in the channel chat');
  }
  return chat;
}

function threadFor(chat, text) {
  const thread = int(text);
  if (thread === 0) return undefined;
  if (chat.is_forum) {
    if (thread === 1 || !chat.topics.has(thread)) throw bad('Message thread not found');
    if (chat.topics.get(thread).closed) throw bad('TOPIC_CLOSED');
    return { thread, topic: true };
  }
  if (chat.type === 'private') throw bad('Message thread not found');
  return undefined;
}

function replyFor(context, chat, args) {
  let given = {};
  if (args.reply_parameters) {
    given = json(args.reply_parameters, 'reply parameters');
    if (typeof given !== 'object' || given === null || Array.isArray(given)) throw bad('Object expected as reply parameters');
    if (Object.keys(given).length === 0) return undefined;
    if (given.message_id === undefined && given.ephemeral_message_id === undefined) throw bad('Can\'t find field "message_id"');
    if (!Number.isInteger(Number(given.message_id))) throw bad('Field "message_id" must be of type Number');
  } else if (args.reply_to_message_id) {
    given = { message_id: int(args.reply_to_message_id), allow_sending_without_reply: isTrue(args.allow_sending_without_reply) };
  } else {
    return undefined;
  }
  const id = Number(given.message_id);
  if (id <= 0) return undefined;
  const source = given.chat_id !== undefined && String(given.chat_id) !== args.chat_id ? chatFor(context, String(given.chat_id), 'read') : chat;
  const answered = source.messages.get(id);
  if (!answered || answered.deleted) {
    if (given.allow_sending_without_reply === true) return undefined;
    throw bad('Message to be replied not found');
  }
  if (given.quote) {
    const quote = formatted(String(given.quote), given.quote_parse_mode, given.quote_entities && JSON.stringify(given.quote_entities), context.world);
    if (quote.text.length > 1024 || !(answered.text ?? answered.caption ?? '').includes(quote.text)) throw bad('QUOTE_TEXT_INVALID');
    return { reply_to: answered, quote: { text: quote.text, position: given.quote_position ?? 0, is_manual: true } };
  }
  return { reply_to: answered };
}

// What all sendXxx have in common, after their content was read: where it goes and what it answers.
// Returns the function that puts the content there.
function prepare(context, args, right) {
  const { world, bot } = context;
  const markup = readMarkup(args.reply_markup);
  const chat = chatFor(context, args.chat_id);
  const where = threadFor(chat, args.message_thread_id);
  const reply = replyFor(context, chat, args);
  const member = chat.members.get(bot.user.id);
  if (member?.status === 'restricted' && member.can_send_messages === false) throw bad(`Not enough rights to send ${right} to the chat`);
  const post = (content) => {
    const fields = chat.type === 'channel' ? { sender_chat: chat, author: bot.user } : { from: bot.user };
    Object.assign(fields, reply, where, content);
    if (markup) fields.markup = markup;
    if (reply && !where) {
      if (reply.reply_to.topic && reply.reply_to.chat === chat) Object.assign(fields, { thread: reply.reply_to.thread, topic: true });
      else if (chat.type === 'supergroup' && !chat.is_forum) fields.thread = reply.reply_to.thread ?? reply.reply_to.id;
    }
    if (isTrue(args.disable_notification)) fields.silent = true;
    const message = world.post(chat, fields);
    chat.lastSpeaker = bot;
    chat.drafts.clear();
    world.show(chat, message);
    return render(message, bot);
  };
  return { chat, post };
}

function textOf(args, world) {
  if (!args.text) throw bad('Message text is empty');
  linkPreview(args);
  return formatted(args.text, args.parse_mode, args.entities, world);
}
function linkPreview(args) {
  if (!args.link_preview_options) return;
  const given = json(args.link_preview_options, 'link preview options');
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw bad('Object expected as link preview options');
}
function checkText(shown) {
  if (shown.text === '') throw bad('Text must be non-empty');
  if (shown.text.length > 4096) throw bad('Message is too long');
}
function captionOf(args, world) {
  const shown = formatted(args.caption ?? '', args.parse_mode, args.caption_entities, world);
  if (shown.text.length > 1024) throw bad('Message caption is too long');
  return shown.text === '' ? {} : { caption: shown.text, caption_entities: shown.entities };
}

// The bot's own message in a chat, to be edited.
function ownMessage(context, args, what) {
  if (args.inline_message_id) throw bad('MESSAGE_ID_INVALID');
  if (!args.chat_id && !args.message_id) throw bad('Message identifier is not specified');
  const chat = chatFor(context, args.chat_id, 'edit');
  const message = chat.messages.get(int(args.message_id));
  if (!message || message.deleted) throw bad(`Message to ${what} not found`);
  return message;
}
function editable(context, message) {
  const { bot, world } = context;
  const own = message.from?.id === bot.user.id || (message.chat.type === 'channel' && world.isAdmin(message.chat, bot));
  if (!own) throw bad("Message can't be edited");
}
const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
const notModified = () => bad('Message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message');

function changed({ world, bot }, message) {
  message.edit_date = world.seconds();
  message.edits = (message.edits ?? 0) + 1;
  world.changed();
  return render(message, bot);
}

const methods = {
  getme({ bot }) {
    const { privacy, user } = bot;
    return { ...renderUser(user), can_join_groups: true, can_read_all_group_messages: !privacy, supports_inline_queries: false,
      can_connect_to_business: false, has_main_web_app: false, has_topics_enabled: false };
  },

  sendmessage(context, args) {
    const shown = textOf(args, context.world);
    const { post } = prepare(context, args, 'text messages');
    checkText(shown);
    return post({ text: shown.text, entities: shown.entities });
  },

  editmessagetext(context, args) {
    const shown = textOf(args, context.world);
    const markup = readMarkup(args.reply_markup, true);
    const message = ownMessage(context, args, 'edit');
    editable(context, message);
    if (message.text === undefined) throw bad('There is no text in the message to edit');
    checkText(shown);
    if (message.text === shown.text && same(message.entities, shown.entities) && same(message.markup, markup)) throw notModified();
    Object.assign(message, { text: shown.text, entities: shown.entities, markup });
    return changed(context, message);
  },

  editmessagecaption(context, args) {
    const markup = readMarkup(args.reply_markup, true);
    const message = ownMessage(context, args, 'edit');
    editable(context, message);
    if (!message.document && !message.photo) throw bad('There is no caption in the message to edit');
    const shown = captionOf(args, context.world);
    if (same(message.caption, shown.caption) && same(message.caption_entities, shown.caption_entities) && same(message.markup, markup)) throw notModified();
    Object.assign(message, { caption: undefined, caption_entities: undefined, ...shown, markup });
    return changed(context, message);
  },

  editmessagereplymarkup(context, args) {
    const markup = readMarkup(args.reply_markup, true);
    const message = ownMessage(context, args, 'edit');
    editable(context, message);
    if (same(message.markup, markup)) throw notModified();
    message.markup = markup;
    return changed(context, message);
  },

  deletemessage(context, args) {
    const { bot, world } = context;
    const message = ownMessage(context, args, 'delete');
    const { chat } = message;
    const own = message.from?.id === bot.user.id;
    const old = world.seconds() - message.date > 48 * 3600;
    if (chat.type === 'private' ? old : !world.isAdmin(chat, bot) && (!own || old)) throw bad("Message can't be deleted");
    message.deleted = true;
    world.changed();
    return true;
  },

  sendmessagedraft(context, args) {
    const shown = formatted(args.text ?? '', args.parse_mode, args.entities, context.world);
    const id = int(args.draft_id);
    if (!/^\d+$/.test(args.chat_id ?? '')) throw bad(args.chat_id ? 'Chat not found' : 'Chat_id is empty');
    const chat = chatFor(context, args.chat_id);
    const where = threadFor(chat, args.message_thread_id);
    if (id === 0) throw bad('RANDOM_ID_INVALID');
    if (shown.text.length > 4096) throw bad('Message is too long');
    chat.drafts.set(id, { id, text: shown.text, entities: shown.entities, ...where, at: context.world.now(),
      can_stop: isTrue(args.can_stop), keep_on_stop: isTrue(args.keep_on_stop) });
    context.world.changed();
    return true;
  },

  sendchataction(context, args) {
    const known = ['cancel', 'typing', 'record_video', 'upload_video', 'record_audio', 'record_voice', 'upload_audio', 'upload_voice',
      'upload_photo', 'upload_document', 'choose_sticker', 'pick_up_location', 'find_location', 'record_video_note', 'upload_video_note'];
    if (!known.includes((args.action ?? '').toLowerCase())) throw bad('Wrong parameter action in request');
    const chat = chatFor(context, args.chat_id);
    const where = threadFor(chat, args.message_thread_id);
    (chat.actions ??= []).push({ action: args.action.toLowerCase(), thread: where?.thread, at: context.world.now() });
    context.world.changed();
    return true;
  },

  senddocument(context, args) {
    const { world } = context;
    const given = (args.document ?? '').startsWith('attach://') ? context.files[args.document.slice(9)] : context.files.document;
    if (!given && !args.document) throw bad('There is no document in the request');
    if (!given && /^https?:\/\//.test(args.document)) throw bad('Failed to get HTTP URL content');
    const kept = given ? undefined : world.files.get(args.document);
    if (!given && !kept) throw bad('Wrong remote file identifier specified: Wrong padding in the string');
    if (given && given.bytes.length === 0) throw bad('File must be non-empty');
    if (given && given.bytes.length > 50 << 20) throw refuse(413, 'Request Entity Too Large');
    const caption = captionOf(args, world);
    const { post } = prepare(context, args, 'documents');
    const { path, content, ...known } = kept ?? {};
    const document = kept ? known : world.file('document', { name: given.name, mime: given.mime || undefined, bytes: given.bytes });
    return post({ document, ...caption });
  },

  sendpoll(context, args) {
    const { world } = context;
    const question = formatted(args.question ?? '', args.question_parse_mode, args.question_entities, world);
    const list = json(args.options ?? '', 'options');
    if (!Array.isArray(list)) throw bad('Expected an Array of String as options');
    const options = list.map((option) => {
      const text = typeof option === 'string' ? option : option?.text;
      if (typeof text !== 'string') throw bad('Expected an option to be of type String');
      return { text: formatted(text, option.text_parse_mode, undefined, world).text };
    });
    const type = args.type || 'regular';
    if (!['regular', 'quiz'].includes(type)) throw bad('Unsupported poll type specified');
    const correct = args.correct_option_ids ? json(args.correct_option_ids, 'correct option identifiers') : args.correct_option_id !== undefined ? [int(args.correct_option_id, -1)] : [];
    const { chat, post } = prepare(context, args, 'polls');
    if (question.text === '') throw bad('Text must be non-empty');
    if ([...question.text].length > 300) throw bad('Poll question length must not exceed 300');
    if (options.length === 0) throw bad('Poll must have at least one answer option');
    if (options.length > 12) throw bad("Poll can't have more than 12 options");
    for (const { text } of options) {
      if (text === '') throw bad('Text must be non-empty');
      if ([...text].length > 100) throw bad('Poll options length must not exceed 100');
    }
    if (type === 'quiz' && correct.length === 0) throw bad('Correct quiz option list must be non-empty');
    if (type === 'quiz' && !correct.every((id) => options[id])) throw bad('Wrong correct option ID specified');
    const is_anonymous = args.is_anonymous === undefined || isTrue(args.is_anonymous);
    if (chat.type === 'channel' && !is_anonymous) throw bad("Non-anonymous polls can't be sent to channel chats");
    const period = int(args.open_period);
    if (args.open_period && (period < 5 || period > 2628000)) throw bad('POLL_CLOSE_DATE_INVALID');
    const poll = {
      id: String(5400000000000000000n + BigInt(world.nextFile++)), question: question.text, options, is_closed: isTrue(args.is_closed),
      is_anonymous, type, allows_multiple_answers: isTrue(args.allows_multiple_answers), votes: new Map(),
    };
    world.polls.set(poll.id, poll);
    return post({ poll });
  },

  stoppoll(context, args) {
    const message = ownMessage(context, args, 'edit');
    if (!message.poll) throw bad('Message with poll to stop not found');
    editable(context, message);
    if (message.poll.is_closed) throw bad('Poll has already been closed');
    message.poll.is_closed = true;
    return changed(context, message).poll;
  },

  setmessagereaction(context, args) {
    const list = args.reaction ? json(args.reaction, 'reaction types') : [];
    if (!Array.isArray(list)) throw bad('Expected an Array of ReactionType');
    for (const one of list) {
      if (typeof one !== 'object' || one === null) throw bad("Can't parse ReactionType: expected an Object");
      if (!['emoji', 'custom_emoji', 'paid'].includes(one.type)) throw bad("Can't parse ReactionType: invalid reaction type specified");
    }
    const chat = chatFor(context, args.chat_id, 'read');
    const message = chat.messages.get(int(args.message_id));
    if (!message || message.deleted) throw bad('Message to react not found');
    if (list.length > 1) throw bad('REACTIONS_TOO_MANY');
    if (list.some((one) => one.type !== 'emoji' || !allowedReactions.has(one.emoji))) throw bad('REACTION_INVALID');
    (message.reactions ??= new Map())[list.length ? 'set' : 'delete'](context.bot.user.id, list[0]?.emoji);
    context.world.changed();
    return true;
  },

  setmycommands({ bot, ...context }, args) {
    const scope = scopeOf({ bot, ...context }, args);
    const list = args.commands ? json(args.commands, 'commands') : [];
    if (!Array.isArray(list)) throw bad('Expected an Array of BotCommand');
    const commands = list.map((given) => {
      if (typeof given !== 'object' || given === null || Array.isArray(given)) throw bad("Can't parse BotCommand: expected an Object");
      for (const name of ['command', 'description']) if (typeof given[name] !== 'string') throw bad(`Can't parse BotCommand: Can't find field "${name}"`);
      const command = given.command.trim().replace(/^\//, ''), description = given.description.trim();
      if (command === '') throw bad('Command must be non-empty');
      if ([...command].length > 32) throw bad('Command length must not exceed 32');
      if (description === '') throw bad('Command description must be non-empty');
      if ([...description].length > 256) throw bad('Command description length must not exceed 256');
      if (!/^[a-z0-9_]+$/.test(command)) throw bad('BOT_COMMAND_INVALID');
      return { command, description };
    });
    if (commands.length > 100) throw bad('BOT_COMMANDS_TOO_MUCH');
    bot.commands.set(scope, commands);
    return true;
  },
  getmycommands(context, args) { return context.bot.commands.get(scopeOf(context, args)) ?? []; },
  deletemycommands(context, args) {
    context.bot.commands.delete(scopeOf(context, args));
    return true;
  },

  getchat(context, args) {
    const chat = chatFor(context, args.chat_id, 'read');
    return { ...renderChat(chat), accent_color_id: 1, max_reaction_count: 11,
      ...(chat.type === 'private' ? {} : { permissions: { can_send_messages: true }, invite_link: undefined }) };
  },
  getchatmember(context, args) {
    const chat = chatFor(context, args.chat_id, 'read');
    const id = int(args.user_id);
    if (id <= 0) throw bad('Invalid user_id specified');
    const member = chat.type === 'private' ? (id === chat.person.id ? { user: chat.person, status: 'member' } : undefined) : chat.members.get(id);
    if (member) return renderMember(member);
    const user = context.world.users.get(id);
    if (!user || chat.type === 'private') throw bad(user ? 'PARTICIPANT_ID_INVALID' : 'User not found');
    return renderMember({ user, status: 'left' });
  },
  getchatadministrators(context, args) {
    const chat = chatFor(context, args.chat_id, 'read');
    if (chat.type === 'private') throw bad('There are no administrators in the private chat');
    return [...chat.members.values()].filter((m) => ['creator', 'administrator'].includes(m.status) && (!m.user.is_bot || m.user.id === context.bot.user.id)).map(renderMember);
  },
  getchatmembercount(context, args) {
    const chat = chatFor(context, args.chat_id, 'read');
    return chat.type === 'private' ? 2 : [...chat.members.values()].filter((m) => !['left', 'kicked'].includes(m.status)).length;
  },
  leavechat(context, args) {
    const chat = chatFor(context, args.chat_id, 'edit');
    if (chat.type === 'private') throw bad("Can't leave private and secret chats");
    context.world.setStatus(chat, context.bot, 'left');
    context.world.changed();
    return true;
  },

  getfile({ world }, args) {
    if (!args.file_id) throw bad('File_id not specified');
    const file = world.files.get(args.file_id) ?? world.files.get(args.file_id.replace(/s$/, ''));
    if (!file) throw bad('Invalid file_id');
    if (file.file_size > 20 << 20) throw bad('File is too big');
    const { file_id, file_unique_id, file_size, path } = file;
    return { file_id, file_unique_id, file_size, file_path: path };
  },

  answercallbackquery({ world, options }, args) {
    const pressed = world.presses.get(args.callback_query_id ?? '');
    const text = args.text ?? '';
    if ([...text].length > 200) throw bad('MESSAGE_TOO_LONG');
    const old = pressed && world.now() - pressed.at > options.pressSeconds * options.secondMs;
    if (!pressed || pressed.answer || old) throw bad('Query is too old and response timeout expired or query ID is invalid');
    pressed.answer = { text, alert: isTrue(args.show_alert), url: args.url };
    world.changed();
    return true;
  },

  getupdates({ bot, gone }, args) {
    if (args.allowed_updates) {
      let list;
      try { list = JSON.parse(args.allowed_updates); } catch { /* left as it was */ }
      if (Array.isArray(list)) bot.setAllowed(list);
    }
    return bot.getUpdates({ offset: int(args.offset), limit: int(args.limit, 100), timeout: int(args.timeout) }, gone);
  },

  setwebhook({ bot, options }, args) {
    const url = args.url ?? '';
    if (url === '') return methods.deletewebhook({ bot }, args);
    if (isTrue(args.drop_pending_updates)) bot.clear();
    let address;
    try { address = new URL(url.includes('://') ? url : `https://${url}`); } catch { throw bad('Invalid webhook URL specified'); }
    const secret = args.secret_token ?? '';
    if (secret.length > 256) throw bad('Secret token is too long');
    if (!/^[A-Za-z0-9_-]*$/.test(secret)) throw bad('Secret token contains unallowed characters');
    const local = options.localWebhooks && /^(127\.0\.0\.1|localhost|\[::1\])$/.test(address.hostname);
    if (!local && address.protocol !== 'https:') throw bad('Bad webhook: An HTTPS URL must be provided for webhook');
    if (!local && !['443', '80', '88', '8443'].includes(address.port || '443')) throw bad('Bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443');
    if (args.allowed_updates) {
      const list = json(args.allowed_updates, 'allowed_updates');
      if (Array.isArray(list)) bot.setAllowed(list);
    }
    const max_connections = Math.min(Math.max(int(args.max_connections, 40), 1), 100);
    const was = bot.webhook;
    if (was && was.url === url && was.max_connections === max_connections && was.secret_token === secret) return [true, 'Webhook is already set'];
    bot.lastError = null;
    bot.setWebhook({ url, max_connections, secret_token: secret });
    return [true, 'Webhook was set'];
  },
  deletewebhook({ bot }, args) {
    const was = bot.webhook;
    bot.closeWebhook();
    if (isTrue(args.drop_pending_updates)) bot.clear();
    return [true, was ? 'Webhook was deleted' : 'Webhook is already deleted'];
  },
  getwebhookinfo({ bot }) {
    const info = { url: bot.webhook?.url ?? '', has_custom_certificate: false, pending_update_count: bot.pending.size };
    if (bot.webhook && bot.lastError) Object.assign(info, { last_error_date: bot.lastError.date, last_error_message: bot.lastError.message });
    if (bot.webhook) Object.assign(info, { max_connections: bot.webhook.max_connections, ip_address: '127.0.0.1' });
    if (bot.allowed) info.allowed_updates = bot.allowed;
    return info;
  },
};

const allowedReactions = new Set(['❤', '👍', '👎', '🔥', '🥰', '👏', '😁', '🤔', '🤯', '😱', '🤬', '😢', '🎉', '🤩', '🤮', '💩', '🙏', '👌', '🕊', '🤡', '🥱',
  '🥴', '😍', '🐳', '❤‍🔥', '🌚', '🌭', '💯', '🤣', '⚡', '🍌', '🏆', '💔', '🤨', '😐', '🍓', '🍾', '💋', '🖕', '😈', '😴', '😭', '🤓', '👻', '👨‍💻', '👀', '🎃', '🙈', '😇',
  '😨', '🤝', '✍', '🤗', '🫡', '🎅', '🎄', '☃', '💅', '🤪', '🗿', '🆒', '💘', '🙉', '🦄', '😘', '💊', '🙊', '😎', '👾', '🤷‍♂', '🤷', '🤷‍♀', '😡']);

function scopeOf(context, args) {
  const language = args.language_code ?? '';
  if (!/^([a-z]{2})?$/.test(language)) throw bad('Invalid language code specified');
  const cannot = (why) => bad(`Can't parse BotCommandScope: ${why}`);
  let scope = { type: 'default' };
  if (args.scope) scope = json(args.scope, 'BotCommandScope');
  if (typeof scope !== 'object' || scope === null || Array.isArray(scope)) throw cannot('BotCommandScope must be an Object');
  if (typeof scope.type !== 'string') throw cannot('Can\'t find field "type"');
  if (['default', 'all_private_chats', 'all_group_chats', 'all_chat_administrators'].includes(scope.type)) return `${scope.type} ${language}`;
  if (!['chat', 'chat_administrators', 'chat_member'].includes(scope.type)) throw cannot('Unsupported type specified');
  if (scope.chat_id === undefined) throw cannot('Can\'t find field "chat_id"');
  const chat = chatFor(context, String(scope.chat_id), 'read');
  if (chat.type === 'channel') throw bad("Can't change commands in channel chats");
  if (scope.type === 'chat_member' && !(scope.user_id > 0)) throw cannot('Invalid user_id specified');
  return `${scope.type} ${chat.id} ${scope.user_id ?? ''} ${language}`;
}

module.exports = { methods };
