// Scenarios: who says what where, and what the bot is expected to answer, written in YAML or JSON.
// tests/scenarios/telegram/README.md has the form.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { createRequire } = require('node:module');
const { sleep } = require('./bot.js');

function load(file) {
  const text = fs.readFileSync(file, 'utf8');
  if (file.endsWith('.json')) return JSON.parse(text);
  const e2e = path.join(__dirname, '..', '..', 'e2e', 'package.json');
  return createRequire(e2e)('yaml').parse(text);
}

const chatKeys = ['type', 'title', 'people', 'admins', 'topics', 'bot', 'username'];
const need = (truth, what) => { if (!truth) throw new Error(`scenario: ${what}`); };
function knownKeys(object, keys, what) {
  for (const key of Object.keys(object)) need(keys.includes(key), `${what} has no "${key}"; it has ${keys.join(', ')}`);
}

// The stub's options that a scenario asks for.
function options(scenario) {
  return { bot: { username: 'TheoBot', privacy: false, ...scenario.bot }, ...scenario.stub };
}

class Play {
  // hooks: {restart(), kill(), say(line)}: what the runner can do to the bot
  constructor(tg, scenario, hooks = {}) {
    Object.assign(this, { tg, scenario, hooks, people: {}, chats: {}, topics: {}, marks: {}, last: {}, lastChat: null, lastPress: null });
  }

  // People and chats, before the bot runs; the bot hears nothing of it.
  setUp() {
    const { tg, scenario } = this;
    for (const [key, given] of Object.entries(scenario.people ?? { ana: 'Ana' })) this.people[key] = tg.user(given ?? key);
    for (const [key, given] of Object.entries(scenario.chats ?? {})) {
      knownKeys(given, chatKeys, `chat ${key}`);
      const people = (given.people ?? Object.keys(this.people)).map((name) => this.person(name));
      const bots = given.bot === 'absent' ? [] : [tg.bot];
      const make = { group: 'group', supergroup: 'supergroup', forum: 'forum', channel: 'channel' }[given.type ?? 'supergroup'];
      need(make, `chat ${key} has type ${given.type}`);
      const chat = tg[make](given.title ?? key, people, { bots, quiet: true, username: given.username, admins: (given.admins ?? []).map((name) => this.person(name)) });
      if (given.bot === 'admin') tg.world.setStatus(chat, tg.bot, 'administrator', { quiet: true });
      this.chats[key] = chat;
      for (const topic of given.topics ?? []) (this.topics[key] ??= {})[topic] = tg.topic(chat, topic, people[0]);
    }
    for (const bot of tg.world.bots) bot.clear();
    for (const chat of Object.values(this.chats)) chat.given = new Set();
    return this;
  }

  ids() { return [...Object.values(this.people), ...Object.values(this.chats)].map((one) => one.id); }

  person(name) {
    need(this.people[name], `nobody is called "${name}"`);
    return this.people[name];
  }

  // "deals", "deals/Pricing" (a topic), "ana" or "private" (the person's chat with the bot)
  place(name, who) {
    if (name === undefined) {
      need(this.lastChat, 'the first step says where: in: CHAT');
      return this.lastChat;
    }
    const [key, topic] = name.split(/\/(.*)/);
    if (key === 'private') return (this.lastChat = { chat: this.tg.private(who), key: 'private' });
    if (this.people[key]) return (this.lastChat = { chat: this.tg.private(this.people[key]), key });
    need(this.chats[key], `there is no chat "${key}"`);
    const thread = topic === undefined || topic === 'General' ? undefined : this.topics[key]?.[topic];
    need(topic === undefined || topic === 'General' || thread, `${key} has no topic "${topic}"`);
    const chat = this.chats[key];
    return (this.lastChat = { chat, key: name, thread: chat.is_forum ? thread ?? 1 : undefined });
  }

  // A message by its mark, "answer" (the bot's last here) or "last" (the last one by a person here).
  message(name) {
    const found = this.marks[name] ?? this.last[`${name} ${this.lastChat.chat.id}`];
    need(found, `no message is marked "${name}"`);
    return found;
  }
  mark(step, message, kind) {
    if (step.as) this.marks[step.as] = message;
    this.last[`${kind} ${message.chat.id}`] = message;
  }
  fill(text) {
    return text.replaceAll('$bot', `@${this.tg.bot.user.username}`);
  }

  async run() {
    let number = 0;
    for (const step of this.scenario.steps) {
      number++;
      try {
        await this.step(step);
      } catch (error) {
        error.message = `step ${number} ${JSON.stringify(step)}: ${error.message}`;
        throw error;
      }
    }
  }

  async step(step) {
    need(typeof step === 'object' && step !== null, 'a step is a mapping');
    const [who] = Object.keys(step);
    const what = step[who];
    if (who === 'theo') return this.expect(what, step);
    if (who === 'world') return this.world(what, step);
    const person = this.person(who);
    knownKeys(step, [who, 'in', 'reply', 'as'], 'a step of a person');
    const place = this.place(step.in, person);
    const where = place.thread > 1 ? { thread: place.thread } : {};
    if (step.reply !== undefined) where.reply_to = this.message(step.reply);
    if (typeof what === 'string') return this.mark(step, person.says(place.chat, this.fill(what), where), 'last');
    return this.act(person, what, place, where, step);
  }

  act(person, what, place, where, step) {
    const [verb] = Object.keys(what);
    const on = () => this.message(what.on ?? 'answer');
    switch (verb) {
      case 'html': return this.mark(step, person.says(place.chat, this.fill(what.html), { ...where, html: true, anonymous: what.anonymous }), 'last');
      case 'text': return this.mark(step, person.says(place.chat, this.fill(what.text), { ...where, anonymous: what.anonymous }), 'last');
      case 'document':
      case 'photo':
      case 'voice': {
        const { text, file, ...more } = what[verb] ?? {};
        const bytes = file === undefined ? Buffer.from(text ?? '') : fs.readFileSync(path.join(this.scenario.folder ?? '.', file));
        const caption = what.caption === undefined ? undefined : this.fill(what.caption);
        return this.mark(step, person.sends(place.chat, { [verb]: { bytes, ...more }, caption, ...where }), 'last');
      }
      case 'edit': return person.edits(this.message(what.of ?? 'last'), this.fill(what.edit));
      case 'press': this.lastPress = person.presses(on(), what.press); return undefined;
      case 'react': return person.reacts(on(), what.react);
      case 'vote': return person.votes(on(), [what.vote].flat());
      case 'joins': return person.joins(place.chat);
      case 'leaves': return person.leaves(place.chat);
      case 'blocks': return person.blocks(this.tg.bot);
      case 'unblocks': return person.unblocks(this.tg.bot);
      case 'stops': return person.stops();
      default: throw new Error(`scenario: people cannot "${verb}"`);
    }
  }

  // What nobody of the people does: {wait: 500}, {migrate: deals}, {fault: {…}}, {restart: true} …
  async world(what, step) {
    const { tg } = this, { world } = tg;
    const [verb] = Object.keys(what);
    const chat = () => this.place(what[verb] === true ? step.in : what[verb]).chat;
    switch (verb) {
      case 'wait': return sleep(what.wait);
      case 'quiet': return tg.quiet(what.quiet === true ? 500 : what.quiet);
      case 'fault': return tg.fault({ ...what.fault, ...(what.fault.chat ? { chat: this.place(what.fault.chat).chat } : {}) });
      case 'privacy': return world.setPrivacy(tg.bot, what.privacy);
      case 'migrate': {
        const key = what.migrate, to = world.migrate(this.chats[key]);
        to.given = new Set();
        this.chats[key] = to;
        this.lastChat = { chat: to, key };
        return undefined;
      }
      case 'promote': return world.promote(chat(), tg.bot);
      case 'demote': return world.demote(chat(), tg.bot);
      case 'kick': return world.kickBot(chat());
      case 'add': return world.addBot(chat(), tg.bot, world.ownerOf(chat()));
      case 'delete': return world.deleteGroup(chat());
      case 'restart':
      case 'kill':
        need(this.hooks[verb], `the runner cannot ${verb}`);
        return this.hooks[verb]();
      case 'calls': {
        const { method, is, min, max } = what.calls;
        const count = tg.log.of(method).length;
        if (is !== undefined && count !== is) throw new Error(`${method} was called ${count} times, not ${is}`);
        if (min !== undefined && count < min) throw new Error(`${method} was called ${count} times, less than ${min}`);
        if (max !== undefined && count > max) throw new Error(`${method} was called ${count} times, more than ${max}`);
        return undefined;
      }
      default: throw new Error(`scenario: the world cannot "${verb}"`);
    }
  }

  // theo: "silent" | "text that the next message contains" | {contains, not, …}
  async expect(what, step) {
    knownKeys(step, ['theo', 'in', 'as', 'ms'], 'what is expected of theo');
    const place = this.place(step.in);
    const wanted = typeof what === 'string' && what !== 'silent' ? { contains: what } : what;
    if (wanted === 'silent') return this.silence(place, step.ms ?? 1200);
    knownKeys(wanted, ['on', 'contains', 'not', 'matches', 'reply', 'buttons', 'button', 'document', 'caption', 'poll', 'edited', 'count', 'final', 'press', 'parts', 'reaction'], 'an answer');
    if (wanted.press !== undefined) return this.pressed(wanted, step);
    if (wanted.reaction !== undefined) return this.reaction(wanted, step);
    if (wanted.count !== undefined) return this.count(place, wanted, step);
    if (wanted.on !== undefined) return this.again(place, wanted, step.ms ?? 15000);
    const message = await this.answered(place, wanted, step.ms ?? 15000);
    this.mark(step, message.message, 'answer');
  }

  // Wait until the message that find() gives is as wanted: answers grow by edits while they are made.
  async becomes(find, wanted, ms) {
    let message, wrong = new Error('Theo said nothing');
    const look = () => {
      message = find();
      if (!message) return false;
      try {
        this.check(message, wanted);
        return true;
      } catch (error) {
        wrong = error;
        return false;
      }
    };
    try {
      await this.tg.until(look, { ms });
    } catch (error) {
      throw message ? wrong : new Error(`${wrong.message} within ${ms} ms; the last calls:\n${this.tg.log.tail()}`);
    }
    return message;
  }

  // A message that was there before: what it reads by now.
  again(place, wanted, ms) {
    const { id } = this.message(wanted.on);
    return this.becomes(() => this.tg.spoken(place.chat).find((m) => m.id === id), wanted, ms);
  }

  // The bot's next message here.
  async answered(place, wanted, ms) {
    const given = (place.chat.given ??= new Set());
    const message = await this.becomes(() => this.tg.spoken(place.chat, { thread: place.thread }).find((m) => !given.has(m.id)), wanted, ms);
    given.add(message.id);
    if (wanted.final) {
      await this.tg.quiet(wanted.final === true ? 700 : wanted.final);
      const after = this.tg.spoken(place.chat).find((m) => m.id === message.id);
      if (!after) throw new Error('the message was deleted');
      this.check(after, wanted);
    }
    return message;
  }

  async silence(place, ms) {
    await sleep(ms);
    const said = this.tg.spoken(place.chat, { thread: place.thread }).filter((m) => !place.chat.given?.has(m.id));
    if (said.length > 0) throw new Error(`Theo spoke: ${JSON.stringify(said[0].text ?? said[0].caption)}`);
  }

  async count(place, wanted, step) {
    await this.tg.quiet(step.ms ?? 1000);
    const said = this.tg.spoken(place.chat, { thread: place.thread }).filter((m) => !place.chat.given?.has(m.id));
    for (const message of said) (place.chat.given ??= new Set()).add(message.id);
    if (said.length !== wanted.count) throw new Error(`Theo said ${said.length} things, not ${wanted.count}: ${JSON.stringify(said.map((m) => m.text))}`);
    for (const message of said) this.check(message, { ...wanted, count: undefined });
  }

  async pressed({ press }, step) {
    await this.tg.until(() => this.lastPress.answer, { ms: step.ms, what: 'the answer to the pressed button' });
    if (typeof press === 'string' && !this.lastPress.answer.text.includes(press))
      throw new Error(`the press was answered with ${JSON.stringify(this.lastPress.answer.text)}`);
  }

  async reaction({ reaction }, step) {
    const { id } = this.tg.bot.user, message = this.message('last');
    await this.tg.until(() => message.reactions?.get(id) === reaction, { ms: step.ms, what: `the reaction ${reaction}` });
  }

  check(message, wanted) {
    const text = message.text ?? message.caption ?? '';
    const fail = (what) => { throw new Error(`${what}; Theo said ${JSON.stringify(text)}${message.buttons ? ` with ${JSON.stringify(message.buttons)}` : ''}`); };
    for (const piece of [wanted.contains ?? []].flat()) if (!text.includes(this.fill(piece))) fail(`no ${JSON.stringify(piece)}`);
    for (const piece of [wanted.not ?? []].flat()) if (text.includes(this.fill(piece))) fail(`there is ${JSON.stringify(piece)}`);
    if (wanted.matches !== undefined && !new RegExp(wanted.matches, 'su').test(text)) fail(`does not match ${wanted.matches}`);
    if (wanted.reply === true && message.reply_to !== this.message('last').id) fail(`answers message ${message.reply_to}, not the last`);
    if (wanted.reply === false && message.reply_to !== undefined) fail('is a reply');
    if (typeof wanted.reply === 'string' && message.reply_to !== this.message(wanted.reply).id) fail(`does not answer ${wanted.reply}`);
    if (wanted.buttons !== undefined && JSON.stringify(message.buttons ?? []) !== JSON.stringify(wanted.buttons)) fail('other buttons');
    if (wanted.button !== undefined && !(message.buttons ?? []).flat().some((b) => b.includes(wanted.button))) fail(`no button ${wanted.button}`);
    if (wanted.document !== undefined && !(message.document?.file_name ?? '').match(wanted.document)) fail(`no document ${wanted.document}`);
    if (wanted.poll !== undefined && !(message.poll?.question ?? '').includes(wanted.poll)) fail(`no poll ${wanted.poll}`);
    if (wanted.edited !== undefined && message.edited !== wanted.edited) fail(`edited: ${message.edited}`);
    for (const [type, pieces] of Object.entries(wanted.parts ?? {}))
      if (JSON.stringify(message.parts(type)) !== JSON.stringify([pieces].flat())) fail(`${type}: ${JSON.stringify(message.parts(type))}`);
  }
}

async function play(tg, scenario, hooks) { return new Play(tg, scenario, hooks).setUp().run(); }

module.exports = { load, options, play, Play };
