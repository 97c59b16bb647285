/* Another master key for a store that is in use. The order makes every step safe to die after: the
 * new key is on disk before anything is wrapped under it, the old one stays beside it, and each
 * process that meets a data key of an unknown master key reads the key files again. */
#include "store/front.h"

#define PAGE 100

/* 0; a workspace that somebody else changes meanwhile is read again. */
static int rewrap(struct store *store, struct str id, struct arena *arena)
{
    struct workspace_row row;
    struct store_batch batch;
    struct str wrapped, again;
    int r;

    do {
        r = store_get(store, STORE_WORKSPACES, id, id, arena, &row);
        if (r != 0)
            return r < 0 ? r : 0; /* deleted meanwhile */
        if (!hex_decode(arena, row.data_key, &wrapped))
            return err_set(ERR_CORRUPT, "The data key of workspace %.*s is damaged.", STR_ARG(id));
        r = sealer_rewrap(store->sealer, id, wrapped, arena, &again);
        if (r < 0 || str_eq(again, wrapped))
            return r;
        row.data_key = hex_encode(arena, again);
        store_batch_init(&batch, arena);
        store_update(&batch, STORE_WORKSPACES, &row);
        r = store_commit(store, &batch);
    } while (r == STORE_CONFLICT);
    return r < 0 ? r : 0;
}

static int rewrap_all(struct store *store, int64_t *count)
{
    struct store_query query = {
        .entity = STORE_WORKSPACES, .index = STORE_ALL, .limit = PAGE, .cursor = STR("")};
    struct arena arena;
    struct store_page page;
    int r;

    arena_init(&arena);
    do {
        r = store_list(store, &query, &arena, &page);
        for (size_t i = 0; r == 0 && i < page.count; i++, ++*count)
            r = rewrap(store, ((const struct workspace_row *)page.rows)[i].id, &arena);
        query.cursor = page.cursor;
    } while (r == 0 && !str_empty(query.cursor));
    arena_deinit(&arena);
    return r;
}

int store_rotate_master(struct store *store, int64_t *ret_workspaces)
{
    int64_t count = 0, deadline;
    char id[17];
    int r = sealer_prepare_next(store->sealer, id);

    if (r == 0)
        r = rewrap_all(store, &count);
    if (r < 0)
        return r;
    deadline = front_begin();
    r = front_end(deadline, store->ops->meta_set(store->backend, "master_key_id", str_from(id)));
    if (r == 0)
        r = sealer_promote_next(store->sealer);
    if (r == 0)
        *ret_workspaces = count;
    return r;
}
