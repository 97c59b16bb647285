/* Services of a group that come by themselves: the daily digest, reminders, the brief before a call
 * and the question after it, and what was said about people and deals.
 *
 * What is to come is a row of `schedules`. A due row is claimed by one process, and its outcome, a
 * row of the outbox and the schedule moved on, is one commit: a crash before it leaves the row to
 * the next claim, one after it leaves nothing to do. A claim overwrites due_at, so the time that
 * was meant stands in the payload as "at"; ids of what is said come from the row's id and that
 * time. Times that were missed count once.
 */
#ifndef BOT_SERVICE_H
#define BOT_SERVICE_H

#include "bot/private.h"
#include "text/when.h"

#define BRIEF_MINUTES 15
#define BRIEF_MINUTES_MAX 120

/* A row that is due. */
struct service_due {
    struct bot *bot;
    struct arena *arena;
    struct schedule_row row;
    const struct json *note; /* payload */
    int64_t at_ms, now_ms;   /* when it was meant; now */
    struct chat_session_row session;
    struct bot_settings settings;
    const struct zone *zone;
    enum say_language language;
};

/* service.c */
/* Do what is due. all: as in bot_sweep(). Yields. */
MUST_CHECK int service_sweep(struct bot *bot, bool all);
/* The outcome, in one commit: what is said ("" nothing), and the row at its end, or with payload
 * for next_ms. 0 also when another process was faster. Yields. */
MUST_CHECK int service_end(
    struct service_due *due, struct str text, int64_t next_ms, struct str payload);
/* Read the session and what is set there. False when it is no chat of ours, or not any more. */
MUST_CHECK int service_session(struct bot *bot, struct str session_id, struct arena *arena,
    struct chat_session_row *ret_session, struct bot_settings *ret_settings, bool *ret_ours);
/* A row to be; due_at and the payload's "at" agree. */
struct schedule_row service_row(const struct bot *bot, struct str kind, struct str id,
    struct str session_id, int64_t at_ms, struct str payload);
/* Insert rows unless they are there. 0 or store errors. Yields. */
MUST_CHECK int service_make(struct bot *bot, const struct schedule_row *row, struct arena *arena);
/* The next time that the clock of the zone shows this minute of the day, behind after_ms. */
int64_t service_next(const struct zone *zone, int64_t minute, int64_t after_ms);
/* The newest messages of people and of Theo, oldest first: at most max, none before since_ms. */
MUST_CHECK int service_messages(struct bot *bot, struct str session_id, int64_t since_ms,
    size_t max, struct arena *arena, struct message_row **ret_rows, size_t *ret_count);
/* What people said, as a transcript: without commands, and without Theo. */
struct transcript service_talk(const struct message_row *rows, size_t count, struct arena *arena);
/* "Mon 2 Mar 2026" */
struct str service_day(struct arena *arena, int64_t at_ms, const struct zone *zone);

/* service_words.c */
/* What talk says of the task, in the words of the configured model, as Markdown. The extract when
 * that is the built-in one, or fails, or says what nobody said; "" when the extract is. 0, or
 * ERR_CANCELLED. Yields. */
MUST_CHECK int service_words(const struct service_due *due, struct str task,
    const struct transcript *talk, struct str extract, struct str *ret_text);

/* service_digest.c */
MUST_CHECK int digest_due(struct service_due *due);
/* The chat's digest as the settings say, into the batch that changes them. Yields. */
MUST_CHECK int digest_plan(
    struct bot_job *job, const struct bot_settings *settings, struct store_batch *batch);

/* service_remind.c */
MUST_CHECK int remind_due(struct service_due *due);
MUST_CHECK int remind_command(struct bot_job *job);
/* Does somebody say what is to be reminded of, or who owes what? Cheap. */
bool remind_is_heard(struct str text);
MUST_CHECK int remind_job(struct bot_job *job);
/* Reminders from notes with a time that were made since the last look. Yields. */
MUST_CHECK int remind_from_notes(struct bot *bot);

/* service_brief.c */
MUST_CHECK int brief_due(struct service_due *due);
MUST_CHECK int actions_due(struct service_due *due);
/* Rows for the calls of chats that begin or ended about now. Yields. */
MUST_CHECK int brief_look_ahead(struct bot *bot);

/* service_contacts.c, service_deals.c */
MUST_CHECK int contacts_command(struct bot_job *job);
MUST_CHECK int deals_command(struct bot_job *job);
MUST_CHECK int deal_command(struct bot_job *job);

#endif
