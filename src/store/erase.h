/* Erasing and handing out what Theo keeps about a chat or a person.
 *
 * Everything here yields, works in small commits, and may be repeated after a failure: what holds
 * the rest together goes last. What was booked stays in the calendar: it is other people's too.
 */
#ifndef STORE_ERASE_H
#define STORE_ERASE_H

#include "store/store.h"

struct erase_stats {
    int64_t sessions, messages, runs;
};

/* A chat with all that hangs on it: messages, notes, runs with their events and effects, approvals,
 * schedules, files, deals, and what waits to be delivered or worked on. Idempotency keys stay until
 * they expire, without any text: a repeated request learns that its run was deleted. A chat that is
 * not there is 0. */
MUST_CHECK int erase_session(struct store *store, struct str workspace_id, struct str session_id);
/* Of a chat: the runs made, the messages stored and the notes last touched before that time (UTC
 * ms). A summary that is younger may still tell what such messages said. */
MUST_CHECK int erase_before(struct store *store, struct str workspace_id, struct str session_id,
    int64_t before_ms, struct erase_stats *stats);
/* What the author of that name (any case) wrote, in every chat of the workspace: the messages stay
 * as blanks, so that the chat keeps its order. In these chats Theo's own answers are blanked too
 * and the runs are erased, with events, effects, approvals and kept answers, as they may quote; so
 * are the notes, schedules, deals, the title and the state. Other people's messages stay. */
MUST_CHECK int erase_person(
    struct store *store, struct str workspace_id, struct str author, struct erase_stats *ret_stats);

/* Called for each message of the author with its chat. Not 0 ends the walk with it. */
struct erase_reader {
    int (*message)(
        void *ctx, const struct chat_session_row *session, const struct message_row *message);
    void *ctx;
};
MUST_CHECK int export_person(struct store *store, struct str workspace_id, struct str author,
    const struct erase_reader *reader);

#endif
