/* The front's own pieces, shared by the files that make it up: checks, sealing, cursors, text
 * forms of bytes. Only store/ sees this. Nothing here yields unless it says so.
 */
#ifndef STORE_FRONT_H
#define STORE_FRONT_H

#include "secure/seal.h"
#include "store/backend.h"

struct key_cache; /* store/api_keys.c */

struct store {
    const struct store_ops *ops;
    struct store_backend *backend;
    const char *name; /* of the back end, also behind the decorator */
    const struct env *env;
    struct sealer *sealer;
    bool plain; /* the back end is ephemeral: rows are not sealed */
    struct key_cache *keys;
    void (*key_changed)(void *ctx, struct str id); /* api_key_on_change(); may be NULL */
    void *key_changed_ctx;
};

/* Keys and indexed columns: they must fit into every back end's index. */
#define STORE_KEY_MAX 512
#define STORE_WORKSPACE_MAX 63
#define STORE_VALUE_MAX (64 * MIB)
#define STORE_LIST_MAX 1000
#define STORE_CLAIM_MAX 100

/* 0 or ERR_INVALID / ERR_TOO_LARGE with the field. */
MUST_CHECK int check_workspace(struct str workspace_id);
MUST_CHECK int check_batch(const struct store_batch *batch);
MUST_CHECK int check_query(const struct store_query *query);
MUST_CHECK int check_find(enum store_entity entity, struct str workspace_id, int index);
MUST_CHECK int check_entity(enum store_entity entity);
MUST_CHECK int check_claim(const struct store_claim *claim);

/* A copy of row whose SEALED columns are packed into the one that back ends keep, and are empty
 * themselves; both live in arena. */
void *row_pack(const struct store_schema *schema, const void *row, struct arena *arena);
/* The way back, in place; the columns' bytes stay where they lie. 0 or ERR_CORRUPT. */
MUST_CHECK int row_unpack(const struct store_schema *schema, void *row);
/* Encrypt and decrypt what was packed, in place. */
MUST_CHECK int row_seal(
    struct sealer *sealer, const struct store_schema *schema, struct arena *arena, void *row);
MUST_CHECK int row_unseal(
    struct sealer *sealer, const struct store_schema *schema, struct arena *arena, void *row);
/* Put the bytes of a row that was split into the columns that "name:length,…" names. The values
 * live in arena. 0 or ERR_CORRUPT. */
MUST_CHECK int row_join(const struct store_schema *schema, struct str columns, struct str bytes,
    struct arena *arena, void *row);

/* A cursor is base64url of a check sum over the query and the place. */
struct str cursor_make(
    const struct store_query *query, int64_t order, struct str id, struct arena *arena);
/* 0, or ERR_INVALID with field "cursor" when it is not one of this query's. */
MUST_CHECK int cursor_open(
    const struct store_query *query, struct arena *arena, int64_t *ret_order, struct str *ret_id);

struct str hex_encode(struct arena *arena, struct str bytes); /* lower case */
MUST_CHECK bool hex_decode(struct arena *arena, struct str hex, struct str *ret_bytes);
struct str base64url_encode(struct arena *arena, struct str bytes); /* without padding */
MUST_CHECK bool base64url_decode(struct arena *arena, struct str text, struct str *ret_bytes);

/* Around each call of a back end: the fiber is shielded and its deadline put aside meanwhile, so
 * that a call that was sent is not given up half-way. front_end() returns r. */
int64_t front_begin(void);
int front_end(int64_t deadline_ms, int r);
/* Open the SEALED columns of rows, with the data keys they need. Yields. */
MUST_CHECK int front_open_rows(
    struct store *store, enum store_entity entity, struct arena *arena, void *rows, size_t count);
/* Make sure that the workspace's data key can be used. create false: a workspace that should be
 * there. Yields. */
MUST_CHECK int front_need_key(struct store *store, struct str workspace_id, bool create);

struct key_cache *key_cache_new(void);
void key_cache_free(struct key_cache *cache);

#endif
