#include "store/lease.h"

static int take_free(struct store *store, struct lease_row *row, bool fresh, struct arena *arena)
{
    struct store_batch batch;
    int rc;

    store_batch_init(&batch, arena);
    if (fresh)
        store_insert(&batch, STORE_LEASES, row);
    else
        store_update(&batch, STORE_LEASES, row);
    rc = store_commit(store, &batch);
    return rc > 0 ? LEASE_HELD_BY_OTHER : rc; /* somebody was faster */
}

int lease_take(struct store *store, const struct env *env, struct str workspace_id, struct str name,
    struct str owner, int64_t ms)
{
    int64_t now = env_wall_ms(env);
    struct lease_row row;
    struct arena arena;
    int rc;

    arena_init(&arena);
    rc = store_get(store, STORE_LEASES, workspace_id, name, &arena, &row);
    if (rc == STORE_MISSING) {
        row = (struct lease_row){.workspace_id = workspace_id,
            .id = name,
            .owner = owner,
            .expires_at = now + ms,
            .created_at = now};
        rc = take_free(store, &row, true, &arena);
    } else if (rc == 0 && !str_eq(row.owner, owner) && row.expires_at > now) {
        rc = LEASE_HELD_BY_OTHER;
    } else if (rc == 0) {
        row.owner = owner;
        row.expires_at = now + ms;
        rc = take_free(store, &row, false, &arena);
    }
    arena_deinit(&arena);
    return rc;
}

int lease_give(struct store *store, struct str workspace_id, struct str name, struct str owner)
{
    struct store_batch batch;
    struct lease_row row;
    struct arena arena;
    int rc;

    arena_init(&arena);
    rc = store_get(store, STORE_LEASES, workspace_id, name, &arena, &row);
    if (rc == 0 && (str_empty(owner) || str_eq(row.owner, owner))) {
        row.expires_at = 0;
        store_batch_init(&batch, &arena);
        store_update(&batch, STORE_LEASES, &row);
        rc = store_commit(store, &batch);
    }
    arena_deinit(&arena);
    return MIN(rc, 0);
}
