// reply_markup: the shapes of keyboards that the Bot API takes.
'use strict';
const { bad } = require('./errors.js');

const actions = ['url', 'callback_data', 'callback_game', 'pay', 'switch_inline_query',
  'switch_inline_query_chosen_chat', 'switch_inline_query_current_chat', 'login_url', 'web_app', 'copy_text'];

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

// A field of a JSON object; numbers and truths are taken for strings, as the server does.
function stringField(object, name, what) {
  const value = object[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'object') throw bad(`${what}Field "${name}" must be of type String`);
  return String(value);
}

function button(given) {
  const cannot = (why) => bad(`Can't parse inline keyboard button: ${why}`);
  if (!isObject(given)) throw cannot('InlineKeyboardButton must be an Object');
  const text = stringField(given, 'text', "Can't parse inline keyboard button: ");
  if (text === undefined) throw cannot('Can\'t find field "text"');
  const set = actions.filter((name) => given[name] !== undefined && given[name] !== '');
  if (set.length === 0) throw cannot('Text buttons are unallowed in the inline keyboard');
  if (set.length > 1) throw bad('BUTTON_TYPE_INVALID');
  if (text === '') throw bad('Inline keyboard button text must be non-empty');
  const made = { text };
  for (const name of ['style', 'icon_custom_emoji_id']) if (given[name] !== undefined) made[name] = given[name];
  if (made.style !== undefined && !['', 'default', 'primary', 'danger', 'success'].includes(made.style))
    throw cannot('invalid button style specified');
  const [action] = set;
  made[action] = given[action];
  if (action === 'callback_data') {
    made.callback_data = stringField(given, action, "Can't parse inline keyboard button: ");
    if (Buffer.byteLength(made.callback_data) > 64) throw bad('BUTTON_DATA_INVALID');
  }
  if (action === 'url') {
    made.url = stringField(given, action, "Can't parse inline keyboard button: ");
    if (!/^(https?:\/\/[^\s/?#]+\.[^\s]+|tg:\/\/\S+|[^\s/:]+\.[^\s]+|ton:\/\/\S+)$/i.test(made.url))
      throw bad(`Inline keyboard button URL '${made.url}' is invalid: Wrong HTTP URL`);
  }
  return made;
}

// The parameter reply_markup → {inline_keyboard} | {keyboard…} | {remove_keyboard} | undefined.
function readMarkup(text, inlineOnly) {
  if (text === undefined || text === '') return undefined;
  let object;
  try {
    object = JSON.parse(text);
  } catch {
    throw bad("Can't parse reply keyboard markup JSON object");
  }
  if (!isObject(object)) throw bad('Object expected as reply markup');
  if (Array.isArray(object.keyboard) && object.keyboard.length > 0) {
    if (!object.keyboard.every(Array.isArray)) throw bad('Field "keyboard" must be an Array of Arrays');
    for (const one of object.keyboard.flat()) {
      if (typeof one === 'string') continue;
      if (!isObject(one)) throw bad("Can't parse keyboard button: KeyboardButton must be a String or an Object");
      if (typeof one.text !== 'string') throw bad('Can\'t parse keyboard button: Can\'t find field "text"');
    }
    if (inlineOnly) throw bad('Inline keyboard expected');
    return { keyboard: object.keyboard };
  }
  if (object.inline_keyboard !== undefined) {
    if (!Array.isArray(object.inline_keyboard)) throw bad('Field "inline_keyboard" must be of type Array');
    if (!object.inline_keyboard.every(Array.isArray))
      throw bad('Field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays');
    const rows = object.inline_keyboard.map((row) => row.map(button)).filter((row) => row.length > 0);
    if (rows.flat().length > 100 || rows.some((row) => row.length > 8)) throw bad('REPLY_MARKUP_TOO_LONG');
    return rows.length > 0 ? { inline_keyboard: rows } : undefined;
  }
  if (inlineOnly && (object.remove_keyboard || object.force_reply)) throw bad('Inline keyboard expected');
  if (object.remove_keyboard === true) return { remove_keyboard: true };
  if (object.force_reply === true) return { force_reply: true };
  return undefined;
}

module.exports = { readMarkup };
