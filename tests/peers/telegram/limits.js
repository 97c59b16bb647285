// How often a bot may speak: about one message a second in a chat with short bursts, twenty a minute
// in a group, thirty a second all together. Whoever asks before retry_after is over is counted.
'use strict';
const { tooMany } = require('./errors.js');

const defaults = {
  chat: { perSecond: 1, burst: 5 },
  group: { count: 20, seconds: 60 },
  all: { count: 30, seconds: 1 },
  commands: { count: 10, seconds: 600 },
};

const speaking = new Set(['sendmessage', 'senddocument', 'sendphoto', 'sendpoll', 'editmessagetext', 'editmessagereplymarkup', 'editmessagecaption']);
const counted = new Set([...speaking, 'sendmessagedraft', 'sendchataction', 'deletemessage', 'setmessagereaction']);

class Limits {
  // given: false for none at all, or some of the defaults (each may be false)
  constructor(given, now, secondMs) {
    this.rules = given === false ? {} : { ...defaults, ...given };
    this.now = now;
    this.secondMs = secondMs;
    this.buckets = new Map(); // chat → {level, at}
    this.windows = new Map(); // name → times
    this.until = new Map(); // chat → no call before
    this.early = 0; // calls for a chat before its retry_after was over
    this.refused = 0;
  }

  // Throws a 429. group: is the chat one?
  check(method, key, group) {
    const now = this.now() / this.secondMs; // in seconds
    if (method === 'setmycommands') this.window('commands', this.rules.commands, now, key);
    if (!counted.has(method)) return;
    if (speaking.has(method)) {
      const until = this.until.get(key);
      if (until !== undefined && now < until) {
        this.early++;
        this.refuse(key, now, until - now);
      }
    }
    const list = [];
    if (this.rules.all) list.push([`all`, this.rules.all]);
    if (speaking.has(method) && group && this.rules.group) list.push([`group ${key}`, this.rules.group]);
    for (const [name, rule] of list) this.window(name, rule, now, speaking.has(method) ? key : undefined);
    if (speaking.has(method) && this.rules.chat) this.bucket(key, this.rules.chat, now);
    for (const [name] of list) this.windows.get(name).push(now);
  }

  window(name, rule, now, key) {
    if (!rule) return;
    let times = this.windows.get(name);
    if (!times) this.windows.set(name, times = []);
    while (times.length > 0 && times[0] <= now - rule.seconds) times.shift();
    if (times.length >= rule.count) this.refuse(key, now, times[0] + rule.seconds - now);
    if (name === 'commands') times.push(now);
  }

  bucket(key, rule, now) {
    const bucket = this.buckets.get(key) ?? { level: rule.burst, at: now };
    bucket.level = Math.min(rule.burst, bucket.level + (now - bucket.at) * rule.perSecond);
    bucket.at = now;
    this.buckets.set(key, bucket);
    if (bucket.level < 1) this.refuse(key, now, (1 - bucket.level) / rule.perSecond);
    bucket.level -= 1;
  }

  refuse(key, now, wait) {
    this.refused++;
    const seconds = Math.max(1, Math.ceil(wait));
    this.hold(key, seconds, now);
    throw tooMany(seconds);
  }

  // Also what a fault says with retry_after counts as a promise to keep. 50 ms are for the way here.
  hold(key, seconds, now = this.now() / this.secondMs) {
    if (key !== undefined) this.until.set(key, now + seconds - 0.05);
  }
}

module.exports = { Limits, speaking };
