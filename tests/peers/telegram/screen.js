// A message as a person sees it on the screen.
'use strict';

function read(message) {
  const { chat } = message;
  const author = message.author ?? message.from;
  const seen = {
    id: message.id, message, from: message.from?.first_name ?? chat.title, bot: Boolean(author?.is_bot) && author.username !== 'GroupAnonymousBot',
    text: message.text, entities: message.entities ?? [], edited: message.edit_date !== undefined, edits: message.edits ?? 0,
    reply_to: message.reply_to?.id, thread: message.topic ? message.thread : undefined,
  };
  if (message.caption !== undefined) seen.caption = message.caption;
  if (message.document) seen.document = message.document;
  if (message.poll) seen.poll = message.poll;
  if (message.markup?.inline_keyboard) seen.buttons = message.markup.inline_keyboard.map((row) => row.map((b) => b.text));
  if (message.reactions?.size) seen.reactions = [...message.reactions.values()];
  // The pieces of the text that carry an entity: parts('pre') → ['int main…'].
  seen.parts = (type) => seen.entities.filter((e) => e.type === type).map((e) => (seen.text ?? '').slice(e.offset, e.offset + e.length));
  return seen;
}

module.exports = { read };
