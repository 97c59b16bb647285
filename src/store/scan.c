#include "store/scan.h"

#define PAGE 500

struct walk {
    struct store *store;
    const struct store_visitor *visitor;
};

/* Where the rows of a workspace are found: every LIST value that is in use. Messages, runs, agent
 * actions and effects hang below the sessions. */
static const struct root {
    enum store_entity entity;
    int index;
    const char *value;
} roots[] = {
    {STORE_USERS, 1, "person"},
    {STORE_USERS, 1, "service"},
    {STORE_API_KEYS, 1, "key"},
    {STORE_CHAT_SESSIONS, 1, "chat"},
    {STORE_CALENDAR_EVENTS, 1, "local"},
    {STORE_CALENDAR_EVENTS, 1, "google"},
    {STORE_CALENDAR_EVENTS, 1, "calcom"},
    {STORE_CALENDAR_EVENTS, 1, "calendly"},
    {STORE_CALENDAR_EVENTS, 1, "caldav"},
    {STORE_IDEMPOTENCY, 0, "running"},
    {STORE_IDEMPOTENCY, 0, "done"},
    {STORE_IDEMPOTENCY, 0, "failed"},
    {STORE_OUTBOX, 0, "pending"},
    {STORE_OUTBOX, 0, "sent"},
    {STORE_OUTBOX, 0, "failed"},
    {STORE_INBOX, 0, "pending"},
    {STORE_INBOX, 0, "done"},
    {STORE_INBOX, 0, "failed"},
    {STORE_SCHEDULES, 0, "active"},
    {STORE_SCHEDULES, 0, "paused"},
    {STORE_SCHEDULES, 0, "done"},
    {STORE_APPROVALS, 0, "pending"},
    {STORE_APPROVALS, 0, "approved"},
    {STORE_APPROVALS, 0, "refused"},
    {STORE_APPROVALS, 0, "expired"},
    {STORE_APPROVALS, 0, "done"},
};

static int walk_below(struct walk *walk, enum store_entity entity, const char *row);

/* A page, what hangs below its rows, and where the next one begins. */
static int walk_page(struct walk *walk, const struct store_query *query, struct arena *arena,
    int64_t *after_order, struct str *after_id, size_t *ret_count)
{
    const struct store_schema *schema = &store_schemas[query->entity];
    struct store_page page = {0};
    const char *last;
    int r =
        walk->store->ops->list(walk->store->backend, query, *after_order, *after_id, arena, &page);

    if (r == 0 && page.count > 0)
        r = walk->visitor->rows(walk->visitor->ctx, query->entity, page.rows, page.count);
    for (size_t i = 0; r == 0 && i < page.count; i++)
        r = walk_below(walk, query->entity, (char *)page.rows + i * schema->row_size);
    *ret_count = page.count;
    if (r != 0 || page.count == 0)
        return r;
    last = (char *)page.rows + (page.count - 1) * schema->row_size;
    *after_id = *row_str(last, &schema->columns[1]);
    if (query->index == STORE_CHILDREN)
        *after_order = *row_int(last, &schema->columns[2]);
    else if (query->index >= 0)
        *after_order = *row_int(last, &schema->columns[schema->indexes[query->index].order]);
    return 0;
}

static int walk_list(struct walk *walk, enum store_entity entity, struct str workspace_id,
    int index, struct str value)
{
    struct store_query query = {.entity = entity,
        .workspace_id = workspace_id,
        .index = index,
        .value = value,
        .limit = PAGE};
    struct arena arenas[2]; /* the cursor lives in the page before */
    struct str after_id = STR("");
    int64_t after_order = 0;
    size_t count = PAGE;
    int r = 0;

    arena_init(&arenas[0]);
    arena_init(&arenas[1]);
    for (int turn = 0; r == 0 && count == PAGE; turn ^= 1) {
        arena_reset(&arenas[turn]);
        r = walk_page(walk, &query, &arenas[turn], &after_order, &after_id, &count);
    }
    arena_deinit(&arenas[0]);
    arena_deinit(&arenas[1]);
    return r;
}

static int walk_workspace(struct walk *walk, struct str workspace_id)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_LEN(roots); i++)
        r = walk_list(
            walk, roots[i].entity, workspace_id, roots[i].index, str_from(roots[i].value));
    return r;
}

static int walk_below(struct walk *walk, enum store_entity entity, const char *row)
{
    const struct store_schema *schema = &store_schemas[entity];
    struct str workspace_id = *row_str(row, &schema->columns[0]);
    struct str id = *row_str(row, &schema->columns[1]);
    int r = 0;

    if (entity == STORE_WORKSPACES)
        return walk_workspace(walk, id);
    if (entity == STORE_CHAT_SESSIONS) {
        r = walk_list(walk, STORE_MESSAGES, workspace_id, STORE_CHILDREN, id);
        return r != 0 ? r : walk_list(walk, STORE_RUNS, workspace_id, 0, id);
    }
    if (entity == STORE_RUNS) {
        r = walk_list(walk, STORE_AGENT_ACTIONS, workspace_id, STORE_CHILDREN, id);
        return r != 0 ? r : walk_list(walk, STORE_EFFECTS, workspace_id, 0, id);
    }
    return 0;
}

int store_scan(struct store *store, const struct store_visitor *visitor)
{
    struct walk walk = {store, visitor};

    if (store->ops->scan)
        return store->ops->scan(store->backend, visitor);
    return walk_list(&walk, STORE_WORKSPACES, STR(""), STORE_ALL, STR(""));
}

struct clearing {
    struct store *store;
    bool parents; /* the second time: what the walk goes through */
};

/* Rows are deleted while the walk is among them: pages begin behind a cursor, which needs none of
 * them. Parents go last, so that after a crash the walk still finds what hangs below. */
static int clear_rows(void *ctx, enum store_entity entity, const void *rows, size_t count)
{
    const struct clearing *clearing = ctx;
    const struct store_schema *schema = &store_schemas[entity];
    bool parent =
        entity == STORE_WORKSPACES || entity == STORE_CHAT_SESSIONS || entity == STORE_RUNS;
    struct arena arena;
    int r = 0;

    if (parent != clearing->parents)
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

    clearing.parents = true;
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
