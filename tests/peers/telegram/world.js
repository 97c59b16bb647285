// The world of the stub: people, bots, chats of all kinds, and what is said in them. What people do
// here becomes updates for the bots that may see it; what bots do arrives through methods.js.
'use strict';
const { format, parseHtml } = require('./entities.js');
const { render, renderUser, renderChat, renderMember } = require('./render.js');

const supergroupBase = -1000000000000;

// Updates that a bot gets only when it asks for them by name.
const onRequest = ['chat_member', 'message_reaction', 'message_reaction_count'];

class Person {
  constructor(world, given) {
    Object.assign(this, { language_code: 'en', ...given });
    Object.defineProperty(this, 'world', { value: world });
  }
  get name() { return [this.first_name, this.last_name].filter(Boolean).join(' '); }

  // says(chat, 'text', {thread, reply_to, html, via})
  says(chat, text, more = {}) { return this.world.say(chat, this, { ...more, text }); }
  // sends(chat, {document|photo|voice: {name, bytes, mime}, caption})
  sends(chat, more) { return this.world.say(chat, this, more); }
  // album(chat, [{photo}, {document}…], {caption})
  album(chat, files, more = {}) { return this.world.album(chat, this, files, more); }
  edits(message, text, more = {}) { return this.world.edit(message, text, more); }
  presses(message, label) { return this.world.press(this, message, label); }
  reacts(message, emoji) { return this.world.react(this, message, emoji); }
  votes(message, options) { return this.world.vote(this, message, options); }
  joins(chat) { return this.world.join(chat, this); }
  leaves(chat) { return this.world.leave(chat, this); }
  blocks(bot) { return this.world.block(this, bot, true); }
  unblocks(bot) { return this.world.block(this, bot, false); }
  stops(chat) { return this.world.stopDraft(this, chat); }
}

class World {
  constructor({ now, changed }) {
    this.now = now;
    this.changed = changed;
    this.users = new Map();
    this.bots = [];
    this.chats = new Map(); // groups, supergroups, channels
    this.files = new Map();
    this.nextUser = 7000000001; // beyond 32 bits on purpose
    this.nextGroup = 4100000001;
    this.nextMessage = 10; // of private chats and basic groups
    this.nextFile = 1;
    this.presses = new Map();
    this.polls = new Map();
  }

  seconds() { return Math.floor(this.now() / 1000); }

  user(given) {
    const fields = typeof given === 'string' ? { first_name: given, username: `${given.toLowerCase()}_t` } : given;
    const person = new Person(this, { id: this.nextUser++, is_bot: false, ...fields });
    this.users.set(person.id, person);
    return person;
  }

  // ---- chats ----

  // The private chat of a person with a bot; there from the start, but the bot may write only after
  // the person did, or pressed start.
  privateChat(person, bot = this.bots[0]) {
    let chat = bot.privates.get(person.id);
    if (!chat) {
      chat = this.newChat({ id: person.id, type: 'private', person, bot, started: false, blocked: false });
      bot.privates.set(person.id, chat);
    }
    return chat;
  }

  newChat(fields) {
    return { messages: new Map(), members: new Map(), topics: new Map(), lastId: 0, lastSpeaker: null, drafts: new Map(),
      permissions: { text: true }, ...fields };
  }

  group(title, people = [], { bots = this.bots, type = 'group', forum = false, username, quiet = false, admins = [],
    id = type === 'group' ? -(this.nextGroup++) : supergroupBase - this.nextGroup++ } = {}) {
    const chat = this.newChat({ id, type, title, username, is_forum: forum, lastId: forum ? 1 : 0 });
    this.chats.set(id, chat);
    if (forum) chat.topics.set(1, { id: 1, name: 'General' });
    people.forEach((person, i) => this.setStatus(chat, person, i === 0 ? 'creator' : 'member', { quiet: true }));
    for (const person of admins) this.setStatus(chat, person, 'administrator', { quiet: true });
    for (const bot of bots) this.addBot(chat, bot, people[0], { quiet, admin: type === 'channel' });
    return chat;
  }
  supergroup(title, people, more = {}) { return this.group(title, people, { ...more, type: 'supergroup' }); }
  forum(title, people, more = {}) { return this.group(title, people, { ...more, type: 'supergroup', forum: true }); }
  channel(title, people, more = {}) { return this.group(title, people, { ...more, type: 'channel' }); }

  topic(chat, name, person) {
    const service = this.post(chat, { from: person, forum_topic_created: { name, icon_color: 7322096 } }, { topicOfItself: true });
    chat.topics.set(service.id, { id: service.id, name, closed: false });
    this.show(chat, service);
    return service.id;
  }

  setStatus(chat, who, status, { by = who, quiet = false, ...rights } = {}) {
    const id = who.user ? who.user.id : who.id;
    const before = chat.members.get(id) ?? { status: 'left' };
    const member = { user: who.user ?? who, ...rights, status };
    if (['left', 'kicked'].includes(status)) Object.assign(member, { seesAll: false });
    else member.seesAll = ['left', 'kicked'].includes(before.status) ? Boolean(who.seesAllAtJoin) : before.seesAll;
    chat.members.set(id, member);
    if (quiet || JSON.stringify([before.status, before.is_member]) === JSON.stringify([member.status, member.is_member])) return member;
    const change = (bot) => ({
      chat: renderChat(chat, bot), from: renderUser(by.user ?? by), date: this.seconds(),
      old_chat_member: renderMember({ user: member.user, ...before }), new_chat_member: renderMember(member),
    });
    for (const bot of this.bots) {
      if (bot.user.id === id) bot.push('my_chat_member', change(bot), chat.id);
      else if (this.isAdmin(chat, bot)) bot.push('chat_member', change(bot), chat.id);
    }
    return member;
  }

  addBot(chat, bot, by, { quiet = false, admin = false } = {}) {
    bot.seesAllAtJoin = !bot.privacy;
    this.setStatus(chat, bot, admin ? 'administrator' : 'member', { by, quiet });
    if (!quiet && chat.type !== 'channel') this.post(chat, { from: by, new_chat_members: [bot.user] }, { shown: true });
  }
  kickBot(chat, bot = this.bots[0], by = this.ownerOf(chat)) {
    this.setStatus(chat, bot, chat.type === 'channel' ? 'left' : 'kicked', { by });
    this.changed();
  }
  promote(chat, who, by = this.ownerOf(chat)) { this.setStatus(chat, who, 'administrator', { by }); this.changed(); }
  demote(chat, who, by = this.ownerOf(chat)) { this.setStatus(chat, who, 'member', { by }); this.changed(); }
  mute(chat, who, by = this.ownerOf(chat)) { this.setStatus(chat, who, 'restricted', { by, is_member: true, can_send_messages: false }); }
  ownerOf(chat) {
    for (const member of chat.members.values()) if (member.status === 'creator') return member.user;
    return undefined;
  }
  join(chat, person, by = person) {
    this.setStatus(chat, person, 'member', { by });
    return this.post(chat, { from: by, new_chat_members: [person] }, { shown: true });
  }
  leave(chat, person) {
    this.setStatus(chat, person, 'left');
    return this.post(chat, { from: person, left_chat_member: person }, { shown: true });
  }
  deleteGroup(chat) { chat.deleted = true; this.changed(); }

  // The person blocks or unblocks the bot in their private chat.
  block(person, bot = this.bots[0], blocked = true) {
    const chat = this.privateChat(person, bot);
    if (chat.blocked === blocked) return;
    chat.blocked = blocked;
    const member = (status) => renderMember({ user: bot.user, status });
    bot.push('my_chat_member', {
      chat: renderChat(chat, bot), from: renderUser(person), date: this.seconds(),
      old_chat_member: member(blocked ? 'member' : 'kicked'), new_chat_member: member(blocked ? 'kicked' : 'member'),
    }, chat.id);
    this.changed();
  }

  // BotFather's /setprivacy: the bot sees otherwise only where it is added afterwards.
  setPrivacy(bot, on) { bot.privacy = on; }

  migrate(chat) {
    if (chat.type !== 'group') throw new Error('only a basic group becomes a supergroup');
    const to = this.newChat({ id: supergroupBase - this.nextGroup++, type: 'supergroup', title: chat.title });
    this.chats.set(to.id, to);
    for (const [id, member] of chat.members) to.members.set(id, { ...member });
    const owner = this.ownerOf(chat);
    this.post(chat, { from: owner, migrate_to_chat_id: to.id }, { shown: true });
    chat.migratedTo = to.id;
    this.post(to, { from: owner, migrate_from_chat_id: chat.id }, { shown: true });
    return to;
  }

  chatOf(bot, id) {
    if (id > 0) return bot.privates.get(id);
    return this.chats.get(id);
  }
  isAdmin(chat, who) { return ['creator', 'administrator'].includes(chat.members.get((who.user ?? who).id)?.status); }
  isMember(chat, who) {
    const member = chat.members.get((who.user ?? who).id);
    return Boolean(member) && (['creator', 'administrator', 'member'].includes(member.status) || (member.status === 'restricted' && member.is_member));
  }

  // ---- messages ----

  // Put a message into a chat; shown: bots get it at once.
  post(chat, fields, { shown = false, topicOfItself = false } = {}) {
    const own = chat.type === 'supergroup' || chat.type === 'channel';
    const id = own ? ++chat.lastId : this.nextMessage++;
    const message = { id, chat, date: this.seconds(), ...fields };
    if (topicOfItself) message.thread = id;
    chat.messages.set(id, message);
    if (shown) this.show(chat, message);
    this.changed();
    return message;
  }

  // Tell the bots that may see it.
  show(chat, message, kind = 'message') {
    const type = chat.type === 'channel' ? kind.replace('message', 'channel_post') : kind;
    for (const bot of this.bots)
      if (this.sees(bot, chat, message)) bot.push(type, render(message, bot), chat.id);
  }

  sees(bot, chat, message) {
    if (message.from && message.from.id === bot.user.id) return false;
    if (chat.type === 'private') return chat.bot === bot;
    if (!this.isMember(chat, bot)) return false;
    if (message.from?.is_bot && !message.sender_chat && !message.new_chat_members && !message.left_chat_member) return false;
    if (chat.type === 'channel' || this.isAdmin(chat, bot) || chat.members.get(bot.user.id).seesAll) return true;
    return this.meantFor(bot, chat, message);
  }

  // What privacy mode lets through.
  meantFor(bot, chat, message) {
    if (message.service ?? isService(message)) return true;
    if (message.reply_to?.from?.id === bot.user.id || message.via_bot?.id === bot.user.id) return true;
    const text = message.text ?? message.caption ?? '';
    for (const entity of message.entities ?? message.caption_entities ?? []) {
      if (entity.type !== 'bot_command' || entity.offset !== 0) continue;
      const at = text.slice(0, entity.length).split('@')[1];
      if (at ? at.toLowerCase() === bot.user.username.toLowerCase() : chat.lastSpeaker === null || chat.lastSpeaker === bot) return true;
    }
    return false;
  }

  // A person says or sends something. Text is plain; html: true reads it as HTML to make entities.
  say(chat, person, given) {
    const { text, caption, html = false, thread, reply_to, anonymous = false, channel_of, quiet = false, at, ...media } = given;
    if (chat === undefined) throw new Error('no such chat');
    if (chat.first_name !== undefined) chat = this.privateChat(chat === person ? person : chat);
    if (chat.user) chat = this.privateChat(person, chat);
    if (chat.type !== 'private' && !this.isMember(chat, person) && !channel_of) throw new Error(`${person.name} is not in ${chat.title}`);
    const shown = this.formatted(text ?? caption ?? '', html);
    const fields = { from: person };
    if (anonymous) Object.assign(fields, { from: groupAnonymous, sender_chat: chat, author: person });
    if (channel_of) Object.assign(fields, { from: channelBot, sender_chat: channel_of, author: person });
    if (chat.type === 'channel') Object.assign(fields, { from: undefined, sender_chat: chat, author: person });
    if (text !== undefined) Object.assign(fields, { text: shown.text, entities: shown.entities });
    else if (caption !== undefined) Object.assign(fields, { caption: shown.text, caption_entities: shown.entities });
    for (const [name, value] of Object.entries(media)) fields[name] = ['document', 'photo', 'voice', 'audio', 'video'].includes(name) ? this.file(name, value) : value;
    const answered = reply_to === undefined ? undefined : typeof reply_to === 'number' ? chat.messages.get(reply_to) : reply_to;
    if (answered) fields.reply_to = answered;
    const topic = thread ?? (answered?.topic ? answered.thread : undefined);
    if (topic !== undefined && topic !== 1) Object.assign(fields, { thread: topic, topic: true });
    else if (answered && chat.type === 'supergroup' && !chat.is_forum) fields.thread = answered.thread ?? answered.id;
    if (at !== undefined) fields.date = Math.floor(at / 1000);
    if (chat.type === 'private') chat.started = true;
    const message = this.post(chat, fields);
    if (!quiet) this.show(chat, message);
    return message;
  }

  formatted(text, html) {
    if (!html) return format(text);
    const parsed = parseHtml(text);
    return format(parsed.text, '', parsed.entities.map((e) => (e.user ? { ...e, user: renderUser(this.users.get(e.user.id) ?? e.user) } : e)));
  }

  album(chat, person, files, more) {
    const media_group_id = String(13000000000000000n + BigInt(this.nextFile++));
    return files.map((file, i) => this.say(chat, person, { ...file, ...more, caption: i === 0 ? more.caption : undefined, media_group_id }));
  }

  edit(message, text, { html = false } = {}) {
    const shown = this.formatted(text, html);
    if (message.caption !== undefined) Object.assign(message, { caption: shown.text, caption_entities: shown.entities });
    else Object.assign(message, { text: shown.text, entities: shown.entities });
    message.edit_date = this.seconds();
    this.show(message.chat, message, 'edited_message');
    this.changed();
    return message;
  }

  // A file that people send: {name, mime, bytes} (or {size} of one that is never read).
  file(kind, { name, mime = 'application/octet-stream', bytes = Buffer.alloc(0), size, ...more }) {
    const content = Buffer.from(bytes);
    const number = this.nextFile++;
    const file = {
      file_id: `BQACAgIAAx${Buffer.from(`${kind}${number}`).toString('base64url')}`,
      file_unique_id: `AgAD${Buffer.from(String(number)).toString('base64url')}`,
      file_size: size ?? content.length, ...more,
    };
    const folder = { document: 'documents', photo: 'photos', voice: 'voice', audio: 'music', video: 'videos' }[kind] ?? 'files';
    const suffix = { photo: '.jpg', voice: '.oga' }[kind] ?? /(\.\w+)?$/.exec(name ?? '')[0];
    this.files.set(file.file_id, { ...file, path: `${folder}/file_${number}${suffix}`, content });
    if (kind === 'photo') return [{ ...file, file_id: `${file.file_id}s`, file_unique_id: `${file.file_unique_id}s`, width: 90, height: 90, file_size: 1000 }, { ...file, width: 1280, height: 960 }];
    if (kind === 'voice') return { duration: 3, mime_type: 'audio/ogg', ...file };
    return { file_name: name, mime_type: mime, ...file };
  }

  // ---- what people do to messages ----

  // Press the button with that label (or callback data). Resolves to what the bot answered.
  press(person, message, label) {
    const buttons = (message.markup?.inline_keyboard ?? []).flat();
    const button = buttons.find((b) => b.text === label) ?? buttons.find((b) => b.callback_data === label);
    if (!button) throw new Error(`no button ${JSON.stringify(label)} on message ${message.id}; there are ${buttons.map((b) => b.text).join(', ') || 'none'}`);
    if (button.callback_data === undefined) throw new Error(`the button ${label} is a link`);
    const bot = this.bots.find((b) => b.user.id === message.from.id);
    const id = String(4382000000000000000n + BigInt(this.nextFile++));
    const pressed = { id, person, message, at: this.now(), answer: null };
    this.presses.set(id, pressed);
    bot.push('callback_query', {
      id, from: renderUser(person), message: render(message, bot), chat_instance: String(message.chat.id * 7919), data: button.callback_data,
    }, message.chat.id);
    return pressed;
  }

  react(person, message, emoji) {
    const reactions = (message.reactions ??= new Map());
    const list = (e) => (e ? [{ type: 'emoji', emoji: e }] : []);
    const before = reactions.get(person.id);
    if (emoji) reactions.set(person.id, emoji);
    else reactions.delete(person.id);
    for (const bot of this.bots) {
      const { chat } = message;
      if (chat.type === 'private' ? chat.bot !== bot : !this.isAdmin(chat, bot)) continue;
      bot.push('message_reaction', {
        chat: renderChat(chat, bot), message_id: message.id, user: renderUser(person), date: this.seconds(),
        old_reaction: list(before), new_reaction: list(emoji),
      }, chat.id);
    }
    this.changed();
  }

  // Vote for options by index or text; [] takes the vote back.
  vote(person, message, options) {
    const { poll } = message;
    if (poll.is_closed) throw new Error('the poll is closed');
    const chosen = options.map((o) => (typeof o === 'number' ? o : poll.options.findIndex((p) => p.text === o)));
    if (chosen.some((o) => !poll.options[o]) || (chosen.length > 1 && !poll.allows_multiple_answers)) throw new Error(`no such vote: ${options}`);
    poll.votes.set(person.id, chosen);
    const bot = this.bots.find((b) => b.user.id === message.from.id);
    if (!poll.is_anonymous)
      bot.push('poll_answer', { poll_id: poll.id, user: renderUser(person), option_ids: chosen, option_persistent_ids: chosen.map(String) }, person.id);
    this.changed();
  }

  // The person presses "stop" while a draft streams.
  stopDraft(person, chat = this.privateChat(person)) {
    const draft = [...chat.drafts.values()].find((d) => d.can_stop);
    if (!draft) throw new Error('no draft that can be stopped');
    if (!draft.keep_on_stop) chat.drafts.delete(draft.id);
    chat.bot.push('stopped_message_generation', { chat: renderChat(chat, chat.bot), draft_id: draft.id, ...(draft.thread ? { message_thread_id: draft.thread } : {}) }, chat.id);
  }

  // ---- what a person sees ----

  screen(chat, { thread } = {}) {
    const shown = [];
    for (const message of chat.messages.values()) {
      if (message.deleted || isService(message)) continue;
      if (thread !== undefined && (message.topic ? message.thread : 1) !== thread) continue;
      shown.push(message);
    }
    return shown;
  }
}

const services = ['new_chat_members', 'left_chat_member', 'migrate_to_chat_id', 'migrate_from_chat_id', 'forum_topic_created',
  'forum_topic_edited', 'forum_topic_closed', 'forum_topic_reopened', 'pinned_message', 'new_chat_title'];
const isService = (message) => services.some((name) => message[name] !== undefined);

// Who stands in for anonymous admins and for channels.
const groupAnonymous = { id: 1087968824, is_bot: true, first_name: 'Group', username: 'GroupAnonymousBot' };
const channelBot = { id: 136817688, is_bot: true, first_name: 'Channel', username: 'Channel_Bot' };

module.exports = { World, isService, onRequest };
