#include "store/store.h"

#define PAGE 100

int store_each_workspace(
    struct store *store, int (*visit)(void *ctx, const struct workspace_row *row), void *ctx)
{
    struct store_query query = {
        .entity = STORE_WORKSPACES, .index = STORE_ALL, .limit = PAGE, .cursor = STR("")};
    struct arena arenas[2];
    struct store_page page;
    int turn = 0, rc;

    arena_init(&arenas[0]);
    arena_init(&arenas[1]);
    do {
        arena_reset(&arenas[turn]); /* the other one holds the cursor */
        rc = store_list(store, &query, &arenas[turn], &page);
        for (size_t i = 0; rc >= 0 && i < page.count; i++)
            rc = visit(ctx, &((const struct workspace_row *)page.rows)[i]);
        query.cursor = page.cursor;
        turn ^= 1;
    } while (rc >= 0 && !str_empty(query.cursor));
    arena_deinit(&arenas[0]);
    arena_deinit(&arenas[1]);
    return MIN(rc, 0);
}
