// Faults that a test orders: stub.fault({method, chat, text, bot, nth, times, do, …}). A fault for an
// answer to a call says what it does by "do":
//   drop        the connection closes, nothing was done
//   drop_after  done, and the connection closes without an answer
//   half        done, and the connection closes in the middle of the answer
//   error       refused with code, description and parameters (429: retry_after)
//   html        a proxy's page, status code (502)
//   delay       done only after ms; delay_after: done at once, answered after ms
//   slow        the answer dribbles, a byte each ms
//   hang        done, never answered
// and one for an update on its way to the bot ({on: 'update', chat, kind, …}):
//   duplicate   delivered twice
//   delay       delivered ms later
//   reorder     held back until another chat's update was delivered
//   drop        the connection closes in the middle of the request
//   drop_after  the answer gets lost: delivered again
//   slow        the request dribbles, a byte each ms
// nth counts the matching calls from 1 (default: the next); times says for how many (default 1).
'use strict';

const answers = ['drop', 'drop_after', 'half', 'error', 'html', 'delay', 'delay_after', 'slow', 'hang'];
const updates = ['duplicate', 'delay', 'reorder', 'drop', 'drop_after', 'slow'];

const idOf = (chat) => (typeof chat === 'object' ? String(chat.id) : String(chat));

class Faults {
  constructor() { this.list = []; }

  add(given) {
    const fault = { on: 'call', nth: 1, times: 1, seen: 0, hits: 0, ...given };
    if (!(fault.on === 'update' ? updates : answers).includes(fault.do)) throw new Error(`no fault "${fault.do}" on ${fault.on}`);
    if (fault.method !== undefined) fault.methods = [fault.method].flat().map((m) => m.toLowerCase());
    if (fault.chat !== undefined) fault.chatId = idOf(fault.chat);
    this.list.push(fault);
    return fault;
  }
  clear() { this.list.length = 0; }

  take(matches) {
    for (const fault of this.list) {
      if (fault.hits >= fault.times || !matches(fault)) continue;
      fault.seen++;
      if (fault.seen < fault.nth) continue;
      fault.hits++;
      return fault;
    }
    return null;
  }

  call(bot, method, args) {
    if (this.list.length === 0) return null;
    return this.take((f) => f.on === 'call' && (!f.methods || f.methods.includes(method)) && (!f.bot || f.bot === bot) &&
      (f.chatId === undefined || f.chatId === args.chat_id) && (f.text === undefined || (args.text ?? args.caption ?? '').includes(f.text)));
  }

  delivery(bot, entry) {
    if (this.list.length === 0) return null;
    return this.take((f) => f.on === 'update' && (!f.bot || f.bot === bot) && (f.kind === undefined || f.kind === entry.kind) &&
      (f.chatId === undefined || f.chatId === String(entry.key)) && (f.text === undefined || entry.body.includes(f.text)));
  }

  // Long polling: what can go wrong in a batch.
  updates(bot, list) {
    return list.flatMap((entry) => (this.delivery(bot, entry)?.do === 'duplicate' ? [entry, entry] : [entry]));
  }
}

module.exports = { Faults };
