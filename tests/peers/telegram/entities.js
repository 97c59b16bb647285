// Text with entities, as the Bot API reads it: the HTML and MarkdownV2 modes, explicit entities, and
// those Telegram finds by itself. Offsets and lengths are UTF-16 code units, which JavaScript counts
// in anyway; the byte offsets of error texts are those of UTF-8.
'use strict';

class Refused extends Error {}

const bytesBefore = (text, at) => Buffer.byteLength(text.slice(0, at));
const spaces = ' \t\r\n\v\0';

// Where a run of characters that are not in stop ends.
function until(text, at, stop) {
  while (at < text.length && !stop.includes(text[at])) at++;
  return at;
}
function past(text, at, skip) {
  while (at < text.length && skip.includes(text[at])) at++;
  return at;
}

// ---- HTML ------------------------------------------------------------------------------------

const named = { lt: '<', gt: '>', amp: '&', quot: '"' };
const reference = /&(?:#x([0-9a-fA-F]*)|#([0-9]*)|([a-zA-Z]*))/y;

// A character reference at text[at]: [what it stands for, where it ends], or null for a plain "&".
function decode(text, at) {
  reference.lastIndex = at;
  const [whole, hex, decimal, name] = reference.exec(text);
  let stands = named[name];
  if (name === undefined) {
    const code = hex !== undefined ? parseInt(hex || '0', 16) : parseInt(decimal || '0', 10);
    if (code === 0 || code >= 0x10ffff || whole.length >= 10) return null;
    stands = String.fromCodePoint(code);
  }
  if (stands === undefined) return null;
  const end = at + whole.length;
  return [stands, text[end] === ';' ? end + 1 : end];
}

const tagTypes = {
  b: 'bold', strong: 'bold', i: 'italic', em: 'italic', u: 'underline', ins: 'underline',
  s: 'strikethrough', strike: 'strikethrough', del: 'strikethrough', 'tg-spoiler': 'spoiler', span: 'spoiler',
  'tg-emoji': 'custom_emoji', 'tg-time': 'date_time', a: 'text_link', code: 'code', pre: 'pre', blockquote: 'blockquote',
};

// The attributes of a start tag from text[at] on: [{name: value}, position of its '>'].
function attributes(text, at, tag, begin) {
  const found = {};
  const unclosed = (name) => new Refused(`Unclosed start tag ${name ? `"${tag}" ` : ''}at byte offset ${bytesBefore(text, begin)}`);
  for (;;) {
    at = past(text, at, spaces);
    if (text[at] === '>') return [found, at];
    const nameBegin = at;
    at = until(text, at, `${spaces}=>/"'`);
    const name = text.slice(nameBegin, at);
    if (name === '') {
      if (at >= text.length) throw unclosed(true);
      throw new Refused(`Empty attribute name in the tag "${tag}" at byte offset ${bytesBefore(text, begin)}`);
    }
    at = past(text, at, spaces);
    if (text[at] !== '=') {
      if (at >= text.length) throw unclosed(true);
      found[name] ??= '';
      continue;
    }
    at = past(text, at + 1, spaces);
    if (at >= text.length) throw unclosed(true);
    let value = '';
    if (text[at] === '"' || text[at] === "'") {
      const quote = text[at++];
      while (at < text.length && text[at] !== quote) {
        const code = text[at] === '&' ? decode(text, at) : null;
        if (code) [, at] = [value += code[0], code[1]];
        else value += text[at++];
      }
      at++;
    } else {
      const token = at;
      while (at < text.length && /[A-Za-z0-9.-]/.test(text[at])) at++;
      value = text.slice(token, at).toLowerCase();
      if (at < text.length && !`${spaces}>`.includes(text[at]))
        throw new Refused(`Unexpected end of name token at byte offset ${bytesBefore(text, token)}`);
    }
    if (at >= text.length) throw unclosed(false);
    found[name] = value;
  }
}

function closeTag(entities, { tag, attrs, offset }, out) {
  const length = out.length - offset;
  if (length === 0) return;
  const last = entities.at(-1);
  const same = last && last.offset === offset && last.length === length;
  const language = attrs.class?.startsWith('language-') ? attrs.class.slice(9) : '';
  const entity = { type: tagTypes[tag], offset, length };
  if (tag === 'pre' && same && last.type === 'code' && last.language) {
    last.type = 'pre';
    return;
  }
  if (tag === 'code' && same && last.type === 'pre' && language) {
    last.language = language;
    return;
  }
  if (tag === 'code' && language) entity.language = language;
  if (tag === 'blockquote' && 'expandable' in attrs) entity.type = 'expandable_blockquote';
  if (tag === 'tg-emoji') {
    if (!/^\d+$/.test(attrs['emoji-id'] ?? '') || /^0+$/.test(attrs['emoji-id']))
      throw new Refused('Invalid custom emoji identifier specified');
    entity.custom_emoji_id = attrs['emoji-id'];
  }
  if (tag === 'tg-time' && !(Number(attrs.unix) > 0)) return;
  if (tag === 'tg-time') Object.assign(entity, { unix_time: Number(attrs.unix), date_time_format: attrs.format ?? '' });
  if (tag === 'a' && !link(entity, attrs.href || out.slice(offset))) return;
  entities.push(entity);
}

// Fill in a link's target; false when it is no link, so that plain text remains.
function link(entity, target) {
  const user = /^tg:(?:\/\/)?user\?id=(\d+)$/.exec(target);
  if (user) {
    entity.type = 'text_mention';
    entity.user = { id: Number(user[1]) };
    return true;
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(target)?.[1].toLowerCase() ?? (/^tg:/i.test(target) ? 'tg' : 'http');
  if (!['http', 'https', 'ftp', 'tg', 'ton', 'tonsite'].includes(scheme)) return false;
  const rest = target.replace(/^[a-z][a-z0-9+.-]*:(\/\/)?/i, '');
  const host = rest.split(/[/?#]/)[0];
  if (scheme !== 'tg' && scheme !== 'ton' && (!/^[^\s<>"@]+\.[^\s<>".]+$/.test(host.replace(/:\d+$/, '')) && !/^localhost/.test(host))) return false;
  if (rest === '' || /\s/.test(target)) return false;
  entity.type = 'text_link';
  entity.url = /^[a-z][a-z0-9+.-]*:/i.test(target) ? target : `http://${target}`;
  if (scheme.startsWith('http') && !/[/?#]/.test(entity.url.slice(8))) entity.url += '/';
  return true;
}

function parseHtml(text) {
  const entities = [], open = [];
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const code = text[i] === '&' ? decode(text, i) : null;
    if (code) {
      out += code[0];
      i = code[1] - 1;
      continue;
    }
    if (text[i] !== '<') {
      out += text[i];
      continue;
    }
    const begin = i++;
    const where = () => `at byte offset ${bytesBefore(text, begin)}`;
    if (text[i] !== '/') {
      i = until(text, i, `${spaces}>`);
      if (i >= text.length) throw new Refused(`Unclosed start tag ${where()}`);
      const tag = text.slice(begin + 1, i).toLowerCase();
      if (!Object.hasOwn(tagTypes, tag)) throw new Refused(`Unsupported start tag "${tag}" ${where()}`);
      const [attrs, end] = attributes(text, i, tag, begin);
      if (tag === 'span' && attrs.class !== 'tg-spoiler')
        throw new Refused(`Tag "span" must have class "tg-spoiler" ${where()}`);
      open.push({ tag, attrs, offset: out.length });
      i = end;
    } else {
      if (open.length === 0) throw new Refused(`Unexpected end tag ${where()}`);
      const nameEnd = until(text, i + 1, `${spaces}>`);
      const tag = text.slice(i + 1, nameEnd).toLowerCase();
      i = past(text, nameEnd, spaces);
      if (text[i] !== '>') throw new Refused(`Unclosed end tag ${where()}`);
      const begun = open.pop();
      if (tag !== '' && tag !== begun.tag)
        throw new Refused(`Unmatched end tag ${where()}, expected "</${begun.tag}>", found "</${tag}>"`);
      closeTag(entities, begun, out);
    }
  }
  if (open.length) throw new Refused(`Can't find end tag corresponding to start tag "${open.at(-1).tag}"`);
  for (const entity of entities) if (entity.type === 'code') delete entity.language;
  return { text: out, entities };
}

// ---- MarkdownV2 ------------------------------------------------------------------------------

const ascii = (c) => c !== undefined && c > '\0' && c <= '~';
const titles = {
  bold: 'Bold', italic: 'Italic', underline: 'Underline', strikethrough: 'Strikethrough', spoiler: 'Spoiler',
  code: 'Code', pre: 'Pre', text_link: 'TextUrl', custom_emoji: 'CustomEmoji', blockquote: 'BlockQuote',
};

class Markdown {
  constructor(text) {
    Object.assign(this, { text, out: '', entities: [], open: [], quote: false, mayQuote: true, i: 0 });
  }

  reserved() {
    return new Refused(`Character '${this.text[this.i]}' is reserved and must be escaped with the preceding '\\'`);
  }
  unfinished(begun) {
    const title = begun.type === 'pre' && begun.language ? 'PreCode' : titles[begun.type];
    return new Refused(`Can't find end of ${title} entity at byte offset ${bytesBefore(this.text, begun.at)}`);
  }

  parse() {
    for (; this.i < this.text.length; this.i++) {
      const c = this.text[this.i], top = this.open.at(-1);
      if (c === '\\' && ascii(this.text[this.i + 1])) {
        const escaped = this.text[++this.i];
        this.out += escaped;
        if (escaped !== '\r') this.mayQuote = escaped === '\n';
        continue;
      }
      const special = top && ['code', 'pre'].includes(top.type) ? '`' : '_*[]()~`>#+-=|{}.!\n';
      if (!special.includes(c)) {
        this.out += c;
        if (c !== '\r') this.mayQuote = false;
        continue;
      }
      if (top && this.ends(top, c)) this.end(c);
      else this.begin(c);
    }
    this.finish();
    return { text: this.out, entities: this.entities };
  }

  ends(top, c) {
    const { text, i } = this;
    if (this.quote && c === '\n' && text[i + 1] !== '>') return true;
    switch (top.type) {
      case 'bold': return c === '*';
      case 'italic': return c === '_' && text[i + 1] !== '_';
      case 'underline': return text.startsWith('__', i);
      case 'strikethrough': return c === '~';
      case 'spoiler': return text.startsWith('||', i);
      case 'code': return c === '`';
      case 'pre': return text.startsWith('```', i);
      case 'text_link':
      case 'custom_emoji': return c === ']';
      default: return false;
    }
  }

  begin(c) {
    const at = this.i, next = this.text[at + 1];
    let type, language = '';
    if (c === '\n') {
      this.out += c;
      this.mayQuote = true;
      return;
    }
    if (c === '_') type = next === '_' ? 'underline' : 'italic';
    else if (c === '*') type = 'bold';
    else if (c === '~') type = 'strikethrough';
    else if (c === '|' && next === '|') type = 'spoiler';
    else if (c === '[') type = 'text_link';
    else if (c === '!' && next === '[') type = 'custom_emoji';
    else if (c === '`') type = this.text.startsWith('```', at) ? 'pre' : 'code';
    else if (c === '>' && this.mayQuote) type = 'blockquote';
    else throw this.reserved();
    if (['underline', 'spoiler', 'custom_emoji'].includes(type)) this.i++;
    if (type === 'pre') language = this.beginPre();
    if (type === 'blockquote') {
      if (this.quote) return;
      this.quote = true;
    }
    this.open.push({ type, language, at, offset: this.out.length });
  }

  beginPre() {
    const { text } = this;
    let i = this.i + 3;
    const end = until(text, i, `${spaces}\``);
    let language = '';
    if (end !== i && end < text.length && text[end] !== '`') {
      language = text.slice(i, end);
      i = end;
    }
    if (text[i] === '\n' || text[i] === '\r')
      i += (text[i + 1] === '\n' || text[i + 1] === '\r') && text[i + 1] !== text[i] ? 2 : 1;
    this.i = i - 1;
    return language;
  }

  end(c) {
    let begun = this.open.at(-1), { type } = begun;
    if (c === '\n' && type !== 'blockquote') {
      // Only "||" just before the line's end may be open here: it makes the quote expandable.
      const bare = begun.at === this.i - 2 || (begun.at === this.i - 3 && this.out.endsWith('\r'));
      if (type !== 'spoiler' || !bare) throw this.unfinished(begun);
      this.open.pop();
      begun = this.open.at(-1);
      if (begun.type !== 'blockquote') throw this.unfinished(begun);
      type = 'expandable_blockquote';
    }
    this.open.pop();
    const entity = { type, offset: begun.offset, length: this.out.length - begun.offset };
    let keep = entity.length > 0;
    if (begun.language) entity.language = begun.language;
    if (type === 'underline' || type === 'spoiler') this.i += 1;
    if (type === 'pre') this.i += 2;
    if (type === 'text_link') {
      const target = this.text[this.i + 1] === '(' ? this.target() : this.out.slice(begun.offset);
      keep = link(entity, target) && keep;
    }
    if (type === 'custom_emoji') {
      if (this.text[this.i + 1] !== '(') throw new Refused('The entity must contain a tg://emoji or tg://time URL');
      const url = this.target();
      const emoji = /^tg:\/\/emoji\?id=([1-9]\d*)$/.exec(url), time = /^tg:\/\/time\?unix=([1-9]\d*)(?:&format=(.*))?$/.exec(url);
      if (!emoji && !time) throw new Refused('Invalid tg://emoji or tg://time URL specified');
      if (emoji) entity.custom_emoji_id = emoji[1];
      else Object.assign(entity, { type: 'date_time', unix_time: Number(time[1]), date_time_format: time[2] ?? '' });
    }
    if (type.endsWith('blockquote')) {
      this.quote = false;
      this.out += c;
      this.mayQuote = true;
      entity.length++;
      keep = true;
    }
    if (keep) this.entities.push(entity);
  }

  // The "(…)" that follows; leaves i on the ")".
  target() {
    const { text } = this;
    let i = this.i + 2, url = '';
    const begin = i;
    while (i < text.length && text[i] !== ')') {
      if (text[i] === '\\' && ascii(text[i + 1])) i++;
      url += text[i++];
    }
    if (i >= text.length) throw new Refused(`Can't find end of a URL at byte offset ${bytesBefore(text, begin)}`);
    this.i = i;
    return url;
  }

  finish() {
    if (this.quote) {
      let type = 'blockquote';
      if (this.open.at(-1).type === 'spoiler' && this.open.at(-1).at === this.text.length - 2) {
        this.open.pop();
        type = 'expandable_blockquote';
      }
      if (this.open.at(-1)?.type === 'blockquote') {
        const { offset } = this.open.pop();
        if (this.out.length > offset) this.entities.push({ type, offset, length: this.out.length - offset });
      }
    }
    if (this.open.length) throw this.unfinished(this.open.at(-1));
  }
}

const parseMarkdownV2 = (text) => new Markdown(text).parse();

// ---- What Telegram finds by itself -------------------------------------------------------------

const word = '[\\p{L}\\p{N}_]';
const finders = [
  ['url', /(?<![\w@.:/])(?:https?:\/\/|tg:\/\/)[^\s<>"«»]+[^\s<>"«».,:;!?)'\]}]|(?<![\w@.:/-])(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|example|de|es|fr|ru|br|co|ai|me|test)(?![\w@])(?:\/[^\s<>"]*[^\s<>".,:;!?)'\]}])?/giu],
  ['email', /(?<![\w.+-])[\w.+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?![\w-])/giu],
  ['bot_command', /(?<![\p{L}\p{N}_/<>])\/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\p{L}\p{N}_/@<>])/gu],
  ['mention', new RegExp(`(?<![\\p{L}\\p{N}_@.+-])@[A-Za-z0-9_]{3,32}(?!${word})`, 'gu')],
  ['hashtag', new RegExp(`(?<![\\p{L}\\p{N}_#&])#(?!\\d+(?!${word}))${word}{1,256}`, 'gu')],
  ['cashtag', /(?<![\p{L}\p{N}_$])\$[A-Z]{1,8}(?![\p{L}\p{N}_$])/gu],
  ['phone_number', /(?<![\w+.-])\+[1-9][\d ()-]{6,16}\d(?![\w-])/gu],
];

function find(text) {
  const entities = [];
  for (const [type, pattern] of finders) {
    for (const match of text.matchAll(pattern)) {
      const entity = { type, offset: match.index, length: match[0].length };
      if (!entities.some((other) => overlaps(other, entity))) entities.push(entity);
    }
  }
  return entities;
}

const endOf = (entity) => entity.offset + entity.length;
const overlaps = (a, b) => a.offset < endOf(b) && b.offset < endOf(a);
const order = (a, b) => a.offset - b.offset || b.length - a.length;

// Code stands alone: nothing lies in it, and what surrounds it is cut around it. Quotes do not nest.
function settle(entities) {
  const solid = (e) => e.type === 'code' || e.type === 'pre';
  let list = [...entities].sort(order);
  const codes = [];
  for (const entity of list) if (solid(entity) && !codes.some((other) => overlaps(other, entity))) codes.push(entity);
  list = list.flatMap((entity) => {
    if (codes.includes(entity)) return [entity];
    if (solid(entity)) return [];
    let pieces = [entity];
    if (entity.type.endsWith('blockquote')) return pieces;
    for (const code of codes) {
      pieces = pieces.flatMap((piece) => {
        if (!overlaps(piece, code)) return [piece];
        const before = { ...piece, length: code.offset - piece.offset };
        const after = { ...piece, offset: endOf(code), length: endOf(piece) - endOf(code) };
        return [before, after].filter((e) => e.length > 0);
      });
    }
    return pieces;
  });
  const kept = [];
  for (const entity of list.sort(order)) {
    const quote = entity.type.endsWith('blockquote');
    if (kept.some((e) => overlaps(e, entity) && ((quote && e.type.endsWith('blockquote')) ||
        (e.type === entity.type && endOf(entity) <= endOf(e)) || (crosses(e, entity))))) continue;
    kept.push(entity);
  }
  return kept;
}
const crosses = (a, b) => overlaps(a, b) && endOf(b) > endOf(a) && b.offset > a.offset;

// Drop the white space around a text that Telegram drops, and what cannot be shown.
function trim({ text, entities }) {
  const shown = text.replace(/\r/g, '');
  if (shown !== text) {
    const dropped = (at) => text.slice(0, at).split('\r').length - 1;
    entities = entities.map((e) => ({ ...e, offset: e.offset - dropped(e.offset), length: e.length - (dropped(endOf(e)) - dropped(e.offset)) }));
  }
  const end = shown.trimEnd().length;
  const firstEntity = Math.min(end, ...entities.map((e) => e.offset));
  const begin = past(shown.slice(0, firstEntity), 0, ' \n');
  return {
    text: shown.slice(begin, end),
    entities: entities
      .map((e) => ({ ...e, offset: e.offset - begin, length: Math.min(endOf(e), end) - e.offset }))
      .filter((e) => e.length > 0),
  };
}

// A text with parse mode or given entities → {text, entities} as everybody sees it. Throws Refused.
function format(text, mode = '', given = []) {
  let formatted = { text, entities: given };
  const name = String(mode).toLowerCase();
  if (text !== '' && name !== '' && name !== 'none') {
    const parser = { html: parseHtml, markdownv2: parseMarkdownV2 }[name];
    if (!parser) throw new Refused('Unsupported parse_mode');
    try {
      formatted = parser(text);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      throw new Refused(`Can't parse entities: ${error.message}`);
    }
  }
  formatted = trim({ text: formatted.text, entities: settle(formatted.entities) });
  const free = (e) => !formatted.entities.some((other) => overlaps(other, e) &&
    ['code', 'pre', 'text_link', 'text_mention', 'mention', 'bot_command'].includes(other.type));
  const found = find(formatted.text).filter(free);
  return { text: formatted.text, entities: [...formatted.entities, ...found].sort(order) };
}

module.exports = { Refused, format, find, parseHtml, parseMarkdownV2 };
