#include "store/scan.h"

int store_scan(struct store *store, const struct store_visitor *visitor)
{
    return store->ops->scan(store->backend, visitor);
}

struct clearing {
    struct store *store;
    bool workspaces; /* the second time: them alone */
};

/* Rows are deleted while the scan is among them: pages begin behind a cursor, which needs none of
 * them. Workspaces go last: while there is one, the store does not count as empty. */
static int clear_rows(void *ctx, enum store_entity entity, const void *rows, size_t count)
{
    const struct clearing *clearing = ctx;
    const struct store_schema *schema = &store_schemas[entity];
    struct arena arena;
    int r = 0;

    if ((entity == STORE_WORKSPACES) != clearing->workspaces)
        return 0;
    arena_init(&arena);
    for (size_t i = 0; r == 0 && i < count;) {
        struct store_batch batch;

        store_batch_init(&batch, &arena);
        for (size_t end = MIN(i + 100, count); i < end; i++)
            store_delete(&batch, entity, (const char *)rows + i * schema->row_size);
        r = clearing->store->ops->commit(clearing->store->backend, &batch);
        arena_reset(&arena);
    }
    arena_deinit(&arena);
    return r;
}

int store_clear(struct store *store)
{
    struct clearing clearing = {store, false};
    const struct store_visitor visitor = {clear_rows, &clearing};
    int64_t deadline = front_begin();
    int r = store_scan(store, &visitor);

    clearing.workspaces = true;
    if (r == 0)
        r = store_scan(store, &visitor);
    return front_end(deadline, r);
}

int store_has_rows(struct store *store, bool *ret_has)
{
    struct store_query query = {.entity = STORE_WORKSPACES, .index = STORE_ALL, .limit = 1};
    struct store_page page;
    struct arena arena;
    int r;

    arena_init(&arena);
    r = store_list(store, &query, &arena, &page);
    if (r == 0)
        *ret_has = page.count > 0;
    arena_deinit(&arena);
    return r;
}
