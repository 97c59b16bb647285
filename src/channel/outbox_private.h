/* What the files of the outbox share.
 *
 * outbox.c: the door; outbox_row.c: a row's content; outbox_chat.c: the fiber that sends what waits
 * for one chat; outbox_try.c: one try at a row and what follows; outbox_limits.c: how often; and
 * outbox_notes.c: what is remembered of chats.
 *
 * A struct outbox_chat lives only while its fiber has something to do, and belongs to the loop that
 * was kicked for it first. The mutex is over the table of them; it is never held across a yield.
 */
#ifndef CHANNEL_OUTBOX_PRIVATE_H
#define CHANNEL_OUTBOX_PRIVATE_H

#include "channel/outbox.h"
#include "runtime/loop.h"

#include <pthread.h>

#define OUTBOX_BUCKETS 256
/* Who has to wait longer ends its fiber; the sweep brings the chat back. */
#define OUTBOX_LINGER_MS (10 * SECOND_MS)
/* A try begins only with so much of the lease left, and ends before. */
#define OUTBOX_FRESH_MS (20 * SECOND_MS)
#define OUTBOX_CALL_MS (19 * SECOND_MS)

struct outbox_limits;
struct outbox_notes;

/* A session whose rows the fiber looks for. */
struct outbox_line {
    char *chat_key, *session_id;
    bool look;       /* it was kicked; under the mutex */
    bool now, again; /* it is its turn; it waits for a time. The fiber's own */
    struct outbox_line *next;
};

struct outbox_chat {
    struct outbox *outbox;
    struct loop *loop;
    struct fiber *fiber;
    char *key;                 /* "telegram|BOT|CHAT" */
    struct outbox_line *lines; /* added by anybody under the mutex, never taken out */
    bool idle;                 /* parked in chat_wait(); under the mutex */
    struct outbox_chat *next;
};

struct outbox {
    const struct env *env;
    struct store *store;
    char *workspace_id;
    char owner[ULID_LEN + 1]; /* this process */
    struct channel *const *channels;
    size_t channel_count;
    struct outbox_limits *limits;
    struct outbox_notes *notes;
    pthread_mutex_t mutex; /* over what follows */
    struct outbox_chat *chats[OUTBOX_BUCKETS];
    int draining;              /* outbox_drain() calls under way */
    int64_t last_created_ms;   /* rows of this process have an order */
    int64_t halted_until_mono; /* the channel does not know us: nothing is tried before */
};

/* outbox_row.c */
struct str outbox_chat_of(struct str chat_key); /* without the topic */
uint64_t outbox_hash(struct str s);
struct str outbox_options(struct arena *arena, const struct outbox_post *post);
/* "[…]" as ids in arena. */
struct str *outbox_ids(struct arena *arena, struct str channel_ids, size_t *ret_count);

/* outbox_limits.c: any thread. */
struct outbox_limits *outbox_limits_new(const struct config *config);
void outbox_limits_free(struct outbox_limits *limits);
/* 0: one message may go out now and is counted; otherwise the ms to wait before asking again. */
int64_t outbox_limits_take(struct outbox_limits *limits, struct str chat, int64_t now_ms);
/* The service says not to speak in this chat before then. */
void outbox_limits_hold(struct outbox_limits *limits, struct str chat, int64_t until_ms);

/* outbox_notes.c: any thread. */
struct outbox_notes *outbox_notes_new(void);
void outbox_notes_free(struct outbox_notes *notes);
void outbox_notes_gone(struct outbox_notes *notes, struct str chat, bool gone);
bool outbox_notes_is_gone(struct outbox_notes *notes, struct str chat);
void outbox_notes_newest(struct outbox_notes *notes, struct str chat, struct str message_id);
struct str outbox_notes_after(struct outbox_notes *notes, struct str chat, struct arena *arena);

/* outbox_chat.c */
void outbox_chat_kick(struct outbox *outbox, struct str chat_key, struct str session_id);
/* Sleep, but not while the outbox is being drained. False: leave. Yields. */
bool outbox_chat_pause(struct outbox_chat *chat, int64_t ms);

/* outbox_try.c: see to the first row of a line. Yields. */
enum outbox_step {
    OUTBOX_DONE,  /* the row is through: the next one */
    OUTBOX_WAIT,  /* not before *ret_wait_ms have passed */
    OUTBOX_HELD,  /* another process sends it; its lease ends in *ret_wait_ms */
    OUTBOX_AGAIN, /* it was changed: read the rows again */
};
enum outbox_step outbox_try(
    struct outbox_chat *chat, struct outbox_row *row, struct arena *arena, int64_t *ret_wait_ms);
/* Another process speaks in this chat: rows of ours wait behind its own, and whoever is there first
 * may send them, without asking whether they are out already. Yields. */
void outbox_leave(struct outbox_chat *chat, struct outbox_row *rows, size_t count);

#endif
