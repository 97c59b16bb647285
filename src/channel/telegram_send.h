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

/* Member reply_parameters, when the post answers a message. */
void telegram_write_reply(struct json_writer *w, const struct outbox_post *post);

enum {
    TELEGRAM_QUESTION_MAX = 300,
    TELEGRAM_CHOICE_MAX = 100,
    TELEGRAM_UPLOAD_MS = 19 * SECOND_MS
};

/* One row on its way. */
struct telegram_say {
    const struct telegram *telegram;
    struct telegram_api api;
    struct telegram_place place;
    struct outbox_post post;
    struct arena *arena;
    struct channel_sent *sent;
    struct telegram_answer answer; /* of the last call */
};
MUST_CHECK int telegram_say_json(
    struct telegram_say *say, const char *method, const struct buf *json, bool once);
/* One more message is out: its id is added to what is sent. */
void telegram_say_add(struct telegram_say *say, struct str message_id);

struct str telegram_say_id(const struct telegram_say *say); /* of the message just sent */
bool telegram_say_refused(const struct telegram_say *say, int rc, enum telegram_refusal refusal);
int telegram_say_refuse(const char *why); /* CHANNEL_REFUSED */

/* telegram_text.c: the next part of a text. 0 or what channel_ops.send gives. Yields. */
MUST_CHECK int telegram_say_text(struct telegram_say *say, struct str markdown, size_t limit);
/* Member reply_markup, when there are buttons. */
void telegram_write_buttons(struct json_writer *w, const struct outbox_post *post);

/* telegram_probe.c: whether a message whose sending was cut off is there after all. method and
 * write() make the edit that would change nothing in it. 0 with its id, or "" when it is not there;
 * otherwise what telegram_call() gives for a failure that says nothing about it. Yields. */
MUST_CHECK int telegram_probe(struct telegram_say *say, const char *method,
    void (*write)(struct json_writer *w, void *ctx), void *ctx, struct str *ret_message_id);

/* telegram_memory.c: what is remembered for a while. Any thread. */
struct telegram_memory *telegram_memory_new(void);
void telegram_memory_free(struct telegram_memory *memory);
enum telegram_topic {
    TELEGRAM_TYPING,
    TELEGRAM_ADMIN,
    TELEGRAM_SHOWN, /* a chat id: so many previews in the last minute */
    TELEGRAM_PREVIEW,
    TELEGRAM_HELD, /* a chat id: Telegram said to wait there */
};
/* What was noted under this name and has not ended yet; -1: nothing. */
int telegram_recall(
    struct telegram_memory *memory, enum telegram_topic topic, struct str name, int64_t now_ms);
/* In how many ms that ends; 0: there is nothing. */
int64_t telegram_left(
    struct telegram_memory *memory, enum telegram_topic topic, struct str name, int64_t now_ms);
void telegram_note(struct telegram_memory *memory, enum telegram_topic topic, struct str name,
    int value, int64_t until_ms);

/* Previews, by chat and message: they are messages of ours that no row knows. */
void telegram_note_preview(struct telegram_memory *memory, const struct telegram_place *place,
    struct str message_id, int64_t now_ms);
bool telegram_is_preview(struct telegram_memory *memory, const struct telegram_place *place,
    int64_t message_id, int64_t now_ms);
/* What an answer says about waiting in its chat, for whatever is said there next. */
void telegram_hold(const struct telegram *telegram, const struct telegram_place *place,
    const struct telegram_answer *answer);

/* See struct channel_ops. */
void telegram_typing(struct channel *channel, struct str chat_key);
MUST_CHECK int telegram_preview(struct channel *channel, struct str chat_key, struct str reply_to,
    struct str text, struct arena *arena, struct str *message_id, int64_t *next_ms);
void telegram_answer_press(
    struct channel *channel, struct str press_id, struct str text, bool alert);
MUST_CHECK int telegram_download(struct channel *channel, const struct channel_file *file,
    size_t max, struct arena *arena, struct str *ret_bytes);
MUST_CHECK int telegram_is_admin(
    struct channel *channel, struct str chat_key, struct str person_id);
/* channel_ops.send */
MUST_CHECK int telegram_send(struct channel *channel, const struct outbox_row *row,
    struct arena *arena, struct channel_sent *ret_sent);

#endif
