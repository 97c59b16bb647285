/* A chat session as a run sees it: its row, the tail of its stored history, and how the transcript
 * of a request joins on to it.
 *
 * Clients either send the whole chat each time, with or without Theo's own answers, or only what is
 * new. session_merge() recognises what is stored already, so that no message is stored twice and
 * earlier history reaches the run. What is read is bounded, so that a turn costs the same at turn
 * 1,000. Everything lives in the run's arena.
 */
#ifndef AGENT_SESSION_H
#define AGENT_SESSION_H

#include "store/store.h"
#include "text/transcript.h"

struct session {
    struct chat_session_row row;
    bool fresh;               /* not stored yet */
    struct transcript stored; /* tail of the history, oldest first */
    bool *outgoing;           /* for each of them: is it Theo's? */
    bool whole;               /* there is nothing before it */
    /* When the request repeats more than was read: all of stored up to end equals its messages
     * inside_from to inside_to, those before are older still. inside_to 0: not so. */
    size_t inside_from, inside_to, inside_end;
};

void session_new(struct session *ret_session, const struct env *env, struct arena *arena,
    struct str workspace_id, struct str channel, struct str chat_key, struct str title);

/* What the history is read for: to join the request's messages on to it, and to show the stored
 * message number seq (0: none) with some of what was said before it. */
struct session_need {
    struct transcript next;
    int64_t seq;
};

/* Read session id and enough of its history. 0 or ERR_NOT_FOUND (field "session_id"), store
 * errors. Yields. */
MUST_CHECK int session_read(struct store *store, struct str workspace_id, struct str id,
    const struct session_need *need, struct arena *arena, struct session *ret_session);
/* The same by chat_key; 0 or STORE_MISSING. Yields. */
MUST_CHECK int session_read_by_key(struct store *store, struct str workspace_id,
    struct str chat_key, const struct session_need *need, struct arena *arena,
    struct session *ret_session);

/* The number of the oldest message of stored. */
int64_t session_first(const struct session *session);

/* How many messages at the start of next are stored already, and the chat that the run is about:
 * history, then the new ones. When nothing is new, the history ends where next ends. */
size_t session_merge(const struct session *session, const struct transcript *next,
    struct arena *arena, struct transcript *ret_chat);

/* The chat that a run answering the stored message number seq is about: what came before it and
 * what Theo said since, and that message as the last, with text in its place unless that is
 * empty. ERR_NOT_FOUND when it is not among what was read. */
MUST_CHECK int session_focus(const struct session *session, int64_t seq, struct str text,
    struct arena *arena, struct transcript *ret_chat);

/* Append what came in, and the reply to it (NULL: none), to the batch, with the session's row,
 * whose count goes up: that row is borrowed until the commit. A known session to which nothing is
 * added is left alone. */
void session_append(struct session *session, struct store_batch *batch, struct str run_id,
    const struct chat_message *in, size_t count, const struct chat_message *reply, int64_t now_ms);

#endif
