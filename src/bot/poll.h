/* What the files of polls share. A poll is a schedule record of its own states: asked (its id on
 * the channel is not known yet), open, closed. A vote names the channel's id alone: a record of
 * kind "poll-id" leads to the poll.
 *
 * poll.c: asking; poll_row.c: the record; poll_vote.c: votes; poll_end.c: outcome and booking.
 */
#ifndef BOT_POLL_H
#define BOT_POLL_H

#include "bot/private.h"

#define POLL_CHOICES_MAX 10
#define POLL_OPEN_MS (14 * DAY_MS)

struct choice {
    struct str text;
    int64_t start_ms, end_ms; /* 0: no time */
};

struct vote {
    struct str who, name;
    uint32_t options;
};

struct poll {
    struct schedule_row row;
    struct str question, asker, run_id, channel;
    enum say_language language;
    struct choice choices[POLL_CHOICES_MAX];
    size_t choice_count;
    struct vote *votes;
    size_t vote_count;
};

/* poll_row.c */
struct str poll_write(const struct poll *poll, struct arena *arena);
MUST_CHECK int poll_read(const struct schedule_row *row, struct arena *arena, struct poll *poll);
/* Of the outbox row that asks it. */
struct str poll_outbox_id(const struct poll *poll, struct arena *arena);
size_t poll_votes_for(const struct poll *poll, size_t choice);
void poll_put(struct poll *poll, struct store_batch *batch);

/* poll_end.c */
/* The outcome, and the end of the poll, into the batch. 0 or store errors. Yields. */
MUST_CHECK int poll_put_outcome(
    struct bot_chat *chat, struct poll *poll, struct store_batch *batch);
/* "/poll close": the newest that is open here. */
MUST_CHECK int poll_close(struct bot_job *job);

#endif
