// The parameters that the methods know; others are ignored by Telegram, and most likely mistakes.
'use strict';

const sending = 'business_connection_id chat_id message_thread_id direct_messages_topic_id disable_notification protect_content ' +
  'allow_paid_broadcast message_effect_id suggested_post_parameters reply_parameters reply_markup reply_to_message_id ' +
  'allow_sending_without_reply ephemeral_message_parameters';
const editing = 'business_connection_id chat_id message_id inline_message_id reply_markup';

const parameters = {
  getme: '',
  sendmessage: `${sending} text parse_mode entities link_preview_options disable_web_page_preview`,
  editmessagetext: `${editing} text parse_mode entities link_preview_options disable_web_page_preview`,
  editmessagecaption: `${editing} caption parse_mode caption_entities show_caption_above_media`,
  editmessagereplymarkup: editing,
  deletemessage: 'chat_id message_id',
  sendmessagedraft: 'chat_id message_thread_id draft_id text parse_mode entities can_stop keep_on_stop',
  sendchataction: 'business_connection_id chat_id message_thread_id action',
  senddocument: `${sending} document thumbnail caption parse_mode caption_entities disable_content_type_detection`,
  sendpoll: `${sending} question question_parse_mode question_entities options is_anonymous type allows_multiple_answers allows_revoting ` +
    'correct_option_id correct_option_ids explanation explanation_parse_mode explanation_entities open_period close_date is_closed',
  stoppoll: editing,
  setmessagereaction: 'chat_id message_id reaction is_big',
  setmycommands: 'commands scope language_code',
  getmycommands: 'scope language_code',
  deletemycommands: 'scope language_code',
  getchat: 'chat_id',
  getchatmember: 'chat_id user_id',
  getchatadministrators: 'chat_id return_bots',
  getchatmembercount: 'chat_id',
  leavechat: 'chat_id',
  getfile: 'file_id',
  answercallbackquery: 'callback_query_id text show_alert url cache_time',
  getupdates: 'offset limit timeout allowed_updates',
  setwebhook: 'url certificate ip_address max_connections allowed_updates drop_pending_updates secret_token',
  deletewebhook: 'drop_pending_updates',
  getwebhookinfo: '',
};
const sets = new Map(Object.entries(parameters).map(([method, names]) => [method, new Set(names.split(' '))]));

const known = (method, name) => sets.get(method)?.has(name) ?? false;

module.exports = { known };
