/* The outbox: whatever Theo says in a chat is a row first, committed together with what it is the
 * outcome of, and is sent until the channel took it: once, whole, in the chat's order.
 *
 * A row is put into the batch of the caller (outbox_put()), already claimed by this process for
 * OUTBOX_LEASE_MS; after the commit outbox_kick() lets it go out at once, on the caller's loop.
 * What a process leaves behind is claimed by another (or by itself after a restart) in
 * outbox_sweep(). Rows of one chat go out one after the other, by created_at and id; the first that
 * has to wait makes the others wait. Limits (each chat, each group, all together) are kept here,
 * before the channel has to say so; what it says (retry_after) holds for that chat and survives a
 * restart (due_at).
 *
 * A pending row whose error is empty may be on its way, or may have arrived without an answer: who
 * takes it over asks the channel to find out first. One that waits for another try says why in
 * error, and is known not to have arrived. Topics of one chat share its order.
 */
#ifndef CHANNEL_OUTBOX_H
#define CHANNEL_OUTBOX_H

#include "channel/channel.h"
#include "store/store.h"

struct outbox;

#define OUTBOX_LEASE_MS (30 * SECOND_MS)

enum outbox_kind {
    OUTBOX_TEXT, /* body: Markdown; split as the channel needs */
    OUTBOX_EDIT, /* the same, in place of message_id; what does not fit follows as new messages */
    OUTBOX_DOCUMENT, /* body: the file's text; file_name, caption */
    OUTBOX_POLL,     /* body: the question; choices */
    OUTBOX_REACTION, /* body: an emoji, on message_id; "" takes it back */
    OUTBOX_LEAVE,    /* go out of the chat */
    OUTBOX_POLL_STOP /* message_id takes no more votes */
};

struct outbox_button {
    struct str text;
    struct str data; /* 1 to 64 bytes for the channel; "" with url */
    struct str url;
    bool new_row; /* begins a row of buttons */
};

struct outbox_post {
    enum outbox_kind kind;
    struct str id; /* idempotency key: the same id is said once; "" makes one */
    struct str chat_key, session_id, run_id;
    struct str body;
    struct str reply_to; /* message id; sent without when that message is gone */
    struct str after;    /* newest message id known in the chat; "": the newest of outbox_heard() */
    size_t looked;       /* the outbox's own: see struct channel_sent */
    struct str message_id; /* of OUTBOX_EDIT, _REACTION and _POLL_STOP; of TEXT: a preview to be
                              replaced */
    const struct outbox_button *buttons;
    size_t button_count;
    struct str file_name, caption;
    const struct str *choices;
    size_t choice_count;
    bool quiet; /* without a notification */
};

/* One for the process; channels are borrowed. Outside fibers. */
struct outbox *outbox_new(const struct env *env, const struct config *config, struct store *store,
    struct str workspace_id, struct channel *const *channels, size_t channel_count);
void outbox_free(struct outbox *outbox);

/* Add the row to a batch; borrowed until the commit, as post's strings are. STORE_EXISTS of the
 * commit means that it was said before. Does not yield. */
void outbox_put(struct outbox *outbox, struct store_batch *batch, const struct outbox_post *post);
/* After that batch was committed: send what waits for this chat, on this loop, in the background.
 * Call it for one chat always on the same loop (bot/ sees to that). Does not yield. */
void outbox_kick(struct outbox *outbox, struct str chat_key, struct str session_id);
/* Claim what others left behind and what is due again. all: also what is still claimed by processes
 * that are known to be dead (this is the only one). Calls found(ctx, chat_key, session_id) for
 * each chat, which sees to outbox_kick() on the right loop. Yields. */
MUST_CHECK int outbox_sweep(struct outbox *outbox, bool all,
    void (*found)(void *ctx, struct str chat_key, struct str session_id), void *ctx);
/* Wait until this loop sends nothing: what can go out at once does, what has to wait is left to
 * the next outbox_sweep(), of any process. Yields. */
void outbox_drain(struct outbox *outbox);
/* Something came from a chat, with this message id ("": none): a chat that was gone is spoken to
 * again. Ids make it possible to find a message whose sending was cut off. Any thread. Does not
 * yield. */
void outbox_heard(struct outbox *outbox, struct str chat_key, struct str message_id);
/* What outbox_put() wrote into a row; a row's channel_ids is a JSON array of the ids that its
 * messages have on the channel, and of "poll:ID" behind that of a poll. 0 or ERR_CORRUPT. Does not
 * yield. */
MUST_CHECK int outbox_read(
    const struct outbox_row *row, struct arena *arena, struct outbox_post *ret_post);

#endif
