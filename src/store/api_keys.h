/* API keys in the store: create, check, list, rotate, revoke.
 *
 * api_key_check() keeps what it read for at most a second, so a revocation by any process counts
 * within that time (one by this process at once, and one that api_key_forget() tells of); ids that
 * do not exist are kept as long, in a bounded table of their own. The time of use is written by a
 * fiber of its own once a minute. Calls yield unless they say otherwise. Nothing returned or logged
 * holds a secret except the key string given once by create and rotate.
 */
#ifndef STORE_API_KEYS_H
#define STORE_API_KEYS_H

#include "secure/keys.h"
#include "store/store.h"

/* Scopes: admin (everything), chat, schedule, read, keys. */
#define API_KEY_SCOPES "admin chat schedule read keys"

struct api_key_request {
    struct str workspace_id, name, scopes; /* ERR_INVALID names the wrong one */
    int64_t expires_at;                    /* 0: never */
};
MUST_CHECK int api_key_create(struct store *store, const struct env *env,
    const struct api_key_request *request, struct arena *arena, char ret_key[API_KEY_LEN + 1],
    struct api_key_row *ret_row);
/* A new secret under a new id with the same name and scopes; the old one ends after grace_ms. */
MUST_CHECK int api_key_rotate(struct store *store, const struct env *env, struct str workspace_id,
    struct str id, int64_t grace_ms, struct arena *arena, char ret_key[API_KEY_LEN + 1],
    struct api_key_row *ret_row);
MUST_CHECK int api_key_revoke(
    struct store *store, const struct env *env, struct str workspace_id, struct str id);

/* Call fn(ctx, id) on the fiber that revoked or rotated a key, after it is stored: for telling
 * other processes. Before loops use the store. fn may yield. */
void api_key_on_change(struct store *store, void (*fn)(void *ctx, struct str id), void *ctx);
/* Another process changed this key (empty: any key): read it again at its next use. Any thread;
 * does not yield. */
void api_key_forget(struct store *store, struct str id);

/* Who is this? 0, or ERR_UNAUTHORIZED (malformed, unknown, wrong, expired, revoked: the message
 * does not tell which; the log does). */
struct api_identity {
    char key_id[API_KEY_ID_LEN + 1];
    char workspace_id[64];
    char name[128];
    uint32_t scopes; /* bits in order of API_KEY_SCOPES */
};
MUST_CHECK int api_key_check(
    struct store *store, const struct env *env, struct str key, struct api_identity *ret_identity);
/* Is it right by what this process read last, however long ago? Reads nothing, and says nothing of
 * a key that was not used here yet. Does not yield. */
bool api_key_in_memory(struct store *store, const struct env *env, struct str key);
/* One of the names in API_KEY_SCOPES; admin implies all. */
bool api_identity_may(const struct api_identity *identity, const char *scope);
/* Has he all these scopes himself? The text is read as api_key_create() reads it; what is no scope
 * counts for nothing. */
bool api_identity_covers(const struct api_identity *identity, struct str scopes);

#endif
