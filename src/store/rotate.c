/* Another master key, or another data key, for a store that is in use. The order makes every step
 * safe to die after: a new master key exists before anything is wrapped under it and the old one
 * stays; a new data key is stored before anything is sealed with it. */
#include "store/front.h"

#define DATA_KEYS_MAX 64 /* of one workspace; beyond it old rows should be sealed anew first */

/* Each of the row's wrapped keys under the new master key; those that are so already stay. */
static int rewrap_row(struct store *store, struct workspace_row *row, struct arena *arena)
{
    struct str rest = row->data_key, hex, wrapped, again;
    struct buf out = BUF_IN(arena);
    int r;

    while (str_next(&rest, ',', &hex)) {
        if (!hex_decode(arena, hex, &wrapped))
            return err_set(
                ERR_CORRUPT, "The data key of workspace %.*s is damaged.", STR_ARG(row->id));
        r = sealer_rewrap(store->sealer, row->id, wrapped, arena, &again);
        if (r < 0)
            return r;
        if (out.len)
            buf_add_char(&out, ',');
        buf_add_str(&out, hex_encode(arena, again));
    }
    row->data_key = buf_str(&out);
    return 0;
}

/* Read a workspace's row, change it, and write it; again when somebody else changes it meanwhile.
 */
static int change_row(struct store *store, struct str id,
    int (*change)(struct store *store, struct workspace_row *row, struct arena *arena),
    struct arena *arena)
{
    struct workspace_row row;
    struct store_batch batch;
    struct str before;
    int r;

    do {
        r = store_get(store, STORE_WORKSPACES, id, id, arena, &row);
        if (r != 0)
            return r;
        before = row.data_key;
        r = change(store, &row, arena);
        if (r < 0 || str_eq(before, row.data_key))
            return r;
        store_batch_init(&batch, arena);
        store_update(&batch, STORE_WORKSPACES, &row);
        r = store_commit(store, &batch);
    } while (r == STORE_CONFLICT);
    return r;
}

struct changing {
    struct store *store;
    int (*change)(struct store *store, struct workspace_row *row, struct arena *arena);
    int64_t count;
};

static int change_one(void *ctx, const struct workspace_row *row)
{
    struct changing *changing = ctx;
    struct arena arena;
    int r;

    arena_init(&arena);
    r = change_row(changing->store, row->id, changing->change, &arena);
    arena_deinit(&arena);
    changing->count++;
    return r;
}

static int change_all(struct store *store,
    int (*change)(struct store *store, struct workspace_row *row, struct arena *arena),
    int64_t *ret_count)
{
    struct changing changing = {.store = store, .change = change};
    int r = store_each_workspace(store, change_one, &changing);

    if (r == 0)
        *ret_count = changing.count;
    return r;
}

/* The second pass takes those that were made while the first went by. */
int store_rotate_master(struct store *store, int64_t *ret_workspaces)
{
    int64_t count, deadline;
    struct arena arena;
    struct str id;
    int r;

    arena_init(&arena);
    r = sealer_prepare(store->sealer, &arena, &id);
    if (r == 0)
        r = change_all(store, rewrap_row, &count);
    if (r == 0) {
        deadline = front_begin();
        r = front_end(deadline, store->ops->meta_set(store->backend, "master_key_id", id));
    }
    if (r == 0)
        r = change_all(store, rewrap_row, &count);
    if (r == 0)
        r = sealer_promote_next(store->sealer);
    arena_deinit(&arena);
    if (r == 0)
        *ret_workspaces = count;
    return r;
}

/* One more than the highest that is there: what was made meanwhile is learnt first. */
static int add_key(struct store *store, struct workspace_row *row, struct arena *arena)
{
    struct str rest = row->data_key, hex, wrapped;
    int r = 0, count = 0;

    for (; r == 0 && str_next(&rest, ',', &hex); count++) {
        if (!hex_decode(arena, hex, &wrapped))
            return err_set(
                ERR_CORRUPT, "The data key of workspace %.*s is damaged.", STR_ARG(row->id));
        r = sealer_add_data_key(store->sealer, row->id, wrapped);
    }
    if (r == 0 && count >= DATA_KEYS_MAX)
        return err_set(ERR_FULL,
            "Workspace %.*s has %d data keys: seal its old rows anew first, by theo keys "
            "rotate-data --reseal.",
            STR_ARG(row->id), count);
    if (r == 0)
        r = sealer_make_data_key(store->sealer, row->id, arena, &wrapped);
    if (r == 0)
        row->data_key = str_printf(
            arena, "%.*s,%.*s", STR_ARG(row->data_key), STR_ARG(hex_encode(arena, wrapped)));
    return r;
}

int store_rotate_data(struct store *store, struct str workspace_id, int64_t *ret_workspaces)
{
    struct arena arena;
    int r;

    if (str_empty(workspace_id))
        return change_all(store, add_key, ret_workspaces);
    arena_init(&arena);
    r = change_row(store, workspace_id, add_key, &arena);
    arena_deinit(&arena);
    if (r == STORE_MISSING)
        return err_field(
            ERR_NOT_FOUND, "workspace", "There is no workspace %.*s.", STR_ARG(workspace_id));
    if (r == 0)
        *ret_workspaces = 1;
    return r;
}
