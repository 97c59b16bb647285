// Objects of the world as the Bot API writes them.
'use strict';

function renderUser(user) {
  const shown = { id: user.id, is_bot: user.is_bot, first_name: user.first_name };
  for (const name of ['last_name', 'username']) if (user[name]) shown[name] = user[name];
  if (!user.is_bot && user.language_code) shown.language_code = user.language_code;
  return shown;
}

function renderChat(chat) {
  if (chat.type === 'private') {
    const { id, first_name, last_name, username } = chat.person;
    return JSON.parse(JSON.stringify({ id, first_name, last_name, username, type: 'private' }));
  }
  const shown = { id: chat.id, title: chat.title };
  if (chat.username) shown.username = chat.username;
  shown.type = chat.type;
  if (chat.is_forum) shown.is_forum = true;
  if (chat.type === 'group') shown.all_members_are_administrators = false;
  return shown;
}

const rights = ['can_manage_chat', 'can_delete_messages', 'can_restrict_members', 'can_promote_members', 'can_change_info',
  'can_invite_users', 'can_pin_messages'];

function renderMember(member) {
  const shown = { user: renderUser(member.user), status: member.status };
  if (member.status === 'administrator') {
    shown.can_be_edited = false;
    shown.is_anonymous = Boolean(member.is_anonymous);
    for (const right of rights) shown[right] = member[right] ?? true;
  }
  if (member.status === 'creator') shown.is_anonymous = Boolean(member.is_anonymous);
  if (member.status === 'restricted') Object.assign(shown, { is_member: member.is_member, can_send_messages: member.can_send_messages ?? true, until_date: 0 });
  if (member.status === 'kicked') shown.until_date = 0;
  return shown;
}

function renderPoll(poll) {
  const { votes, ...shown } = poll;
  const counts = poll.options.map((_, i) => [...votes.values()].filter((chosen) => chosen.includes(i)).length);
  return {
    ...shown, total_voter_count: [...votes.values()].filter((chosen) => chosen.length > 0).length,
    options: poll.options.map((option, i) => ({ ...option, persistent_id: String(i), voter_count: counts[i] })),
  };
}

const copied = ['edit_date', 'media_group_id', 'text', 'entities', 'caption', 'caption_entities', 'document', 'photo', 'voice', 'audio',
  'video', 'sticker', 'location', 'contact', 'migrate_to_chat_id', 'migrate_from_chat_id', 'forum_topic_created', 'forum_topic_edited',
  'forum_topic_closed', 'forum_topic_reopened', 'new_chat_title', 'has_protected_content', 'quote', 'forward_origin', 'external_reply'];

function render(message, bot, deep = true) {
  const { chat } = message;
  const shown = { message_id: message.id };
  if (message.from) shown.from = renderUser(message.from);
  if (message.sender_chat) shown.sender_chat = renderChat(message.sender_chat);
  shown.chat = renderChat(chat);
  shown.date = message.date;
  if (message.thread !== undefined) shown.message_thread_id = message.thread;
  if (message.topic) shown.is_topic_message = true;
  if (message.via_bot) shown.via_bot = renderUser(message.via_bot);
  // In a topic, what answers nobody answers the message that made the topic.
  const answered = message.reply_to ?? (message.topic ? chat.messages.get(message.thread) : undefined);
  if (deep && answered && !answered.deleted) shown.reply_to_message = render(answered, bot, false);
  for (const name of copied) {
    const value = message[name];
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    shown[name] = value;
  }
  if (message.new_chat_members) {
    shown.new_chat_members = message.new_chat_members.map(renderUser);
    [shown.new_chat_participant] = shown.new_chat_members;
    shown.new_chat_member = shown.new_chat_participant;
  }
  if (message.left_chat_member) shown.left_chat_member = renderUser(message.left_chat_member);
  if (message.poll) shown.poll = renderPoll(message.poll);
  if (message.markup?.inline_keyboard) shown.reply_markup = message.markup;
  return shown;
}

module.exports = { render, renderUser, renderChat, renderMember, renderPoll };
