/* What the files that speak to Telegram share. Private to this channel. */
#ifndef CHANNEL_TELEGRAM_SEND_H
#define CHANNEL_TELEGRAM_SEND_H

#include "channel/outbox.h"
#include "channel/telegram.h"

/* A message id of a preview that is a draft: "draft:ID". */
#define TELEGRAM_DRAFT "draft:"

/* "telegram|BOT|CHAT|TOPIC" */
struct telegram_place {
    struct str chat_id, topic_id; /* topic_id "": none, or General */
};
/* 0 or ERR_INVALID. */
MUST_CHECK int telegram_place_of(struct str chat_key, struct telegram_place *ret_place);
/* Members chat_id and, with_topic, message_thread_id. */
void telegram_write_place(
    struct json_writer *w, const struct telegram_place *place, bool with_topic);

/* One row on its way. */
struct telegram_say {
    struct telegram_api api;
    struct telegram_place place;
    struct outbox_post post;
    struct arena *arena;
    struct channel_sent *sent;
    struct telegram_answer answer; /* of the last call */
};
/* Call and put down what the answer says about waiting and moving. Yields. */
MUST_CHECK int telegram_say_call(struct telegram_say *say, const struct telegram_call *call);
MUST_CHECK int telegram_say_json(
    struct telegram_say *say, const char *method, const struct buf *json, bool once);
/* One more message is out: its id is added to what is sent. */
void telegram_say_add(struct telegram_say *say, struct str message_id);

/* telegram_probe.c: whether a message whose sending was cut off is there after all. method and
 * write() make the edit that would change nothing in it. 0 with its id, or "" when it is not there;
 * otherwise what telegram_call() gives for a failure that says nothing about it. Yields. */
MUST_CHECK int telegram_probe(struct telegram_say *say, const char *method,
    void (*write)(struct json_writer *w, void *ctx), void *ctx, struct str *ret_message_id);

/* channel_ops.send */
MUST_CHECK int telegram_send(struct channel *channel, const struct outbox_row *row,
    struct arena *arena, struct channel_sent *ret_sent);

#endif
