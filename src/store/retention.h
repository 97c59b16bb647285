/* How long a workspace keeps things: its settings (JSON) may say {"retention_days": N}, and rows
 * may say when they end (expires_at). Applied by the server now and then, and by `theo retention`.
 */
#ifndef STORE_RETENTION_H
#define STORE_RETENTION_H

#include "store/erase.h"

#define RETENTION_DAYS_MAX 36500

/* The days of a workspace's settings; 0: for ever, also when they make no sense. */
int64_t retention_days(struct str settings);
/* Give a workspace a rule, keeping its other settings; days 0 takes it away. Made when missing.
 * Yields. */
MUST_CHECK int retention_set(struct store *store, struct str workspace_id, int64_t days);
/* Of a chat: what was delivered, reminders and other schedules that are done, and moves of deals,
 * all from before that time (UTC ms). What is still to come stays. Yields. */
MUST_CHECK int retention_rows(
    struct store *store, struct str workspace_id, struct str session_id, int64_t before_ms);
/* In every workspace: chats that nobody used for that long are erased, and in the others the
 * messages and runs that are older, with what retention_rows() says. Rows past expires_at go in any
 * case. Yields. */
MUST_CHECK int retention_apply(
    struct store *store, int64_t now_ms, struct erase_stats *ret_stats, int64_t *ret_expired);

#endif
