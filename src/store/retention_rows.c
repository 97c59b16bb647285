/* What a chat's services leave behind, by the rules that hold for its messages. */
#include "store/retention.h"

#define PAGE 200

/* What is still to be sent is sent, however old it is. */
static bool is_sent(const void *row, int64_t before_ms)
{
    const struct outbox_row *message = row;

    return !str_is(message->state, "pending") && message->updated_at < before_ms;
}

/* A reminder may be made long before it is due: its end counts. */
static bool is_done(const void *row, int64_t before_ms)
{
    const struct schedule_row *schedule = row;

    return (str_is(schedule->state, "done") || str_is(schedule->state, "failed")) &&
           schedule->updated_at < before_ms;
}

static bool is_old(const void *row, int64_t before_ms)
{
    const struct deal_row *move = row;

    return move->created_at < before_ms;
}

/* Lists by session_id and created_at. */
static const struct aging {
    enum store_entity entity;
    int index;
    size_t row_size;
    bool (*is_over)(const void *row, int64_t before_ms);
} lists[] = {
    {STORE_OUTBOX, 1, sizeof(struct outbox_row), is_sent},
    {STORE_SCHEDULES, 1, sizeof(struct schedule_row), is_done},
    {STORE_DEALS, 0, sizeof(struct deal_row), is_old},
};

static int erase_page(struct store *store, const struct aging *list,
    const struct store_query *query, int64_t before_ms, struct arena *arena, struct str *ret_cursor)
{
    struct store_batch batch;
    struct store_page page;
    int r = store_list(store, query, arena, &page);

    if (r < 0)
        return r;
    store_batch_init(&batch, arena);
    for (size_t i = 0; i < page.count; i++) {
        const char *row = (const char *)page.rows + i * list->row_size;

        if (list->is_over(row, before_ms))
            store_delete(&batch, list->entity, row);
    }
    if (batch.count > 0)
        r = store_commit(store, &batch);
    if (r == 0)
        *ret_cursor = page.cursor;
    return r;
}

int retention_rows(
    struct store *store, struct str workspace_id, struct str session_id, int64_t before_ms)
{
    struct arena arenas[2]; /* the cursor lives in the page before */
    int turn = 0, r = 0;

    arena_init(&arenas[0]);
    arena_init(&arenas[1]);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(lists); i++) {
        struct store_query query = {.entity = lists[i].entity,
            .workspace_id = workspace_id,
            .index = lists[i].index,
            .value = session_id,
            .to = before_ms,
            .limit = PAGE,
            .cursor = STR("")};

        do {
            arena_reset(&arenas[turn]);
            r = erase_page(store, &lists[i], &query, before_ms, &arenas[turn], &query.cursor);
            turn ^= 1;
        } while (r == 0 && !str_empty(query.cursor));
    }
    arena_deinit(&arenas[0]);
    arena_deinit(&arenas[1]);
    return r;
}
