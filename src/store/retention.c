#include "store/retention.h"

#include "base/json.h"
#include "store/backend.h"

#define PAGE 200

int64_t retention_days(struct str settings)
{
    const struct json *json;
    struct arena arena;
    int64_t days = 0;

    arena_init(&arena);
    if (json_parse(&arena, settings, &json) == 0)
        days = json_get_i64(json, "retention_days", 0);
    arena_deinit(&arena);
    return days > 0 && days <= RETENTION_DAYS_MAX ? days : 0;
}

static struct str with_days(struct arena *arena, struct str settings, int64_t days)
{
    const struct json *json = NULL;
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    if (json_parse(arena, settings, &json) < 0 || !json_is(json, JSON_OBJECT))
        json = NULL;
    json_init(&w, &out);
    json_object_begin(&w);
    for (const struct json *member = json_first(json); member; member = json_next(member))
        if (!str_is(json_key(member), "retention_days")) {
            json_name_str(&w, json_key(member));
            json_put_node(&w, member);
        }
    if (days > 0)
        json_i64_member(&w, "retention_days", days);
    json_object_end(&w);
    return buf_str(&out);
}

int retention_set(struct store *store, struct str workspace_id, int64_t days)
{
    struct workspace_row row;
    struct store_batch batch;
    struct arena arena;
    int r;

    if (days < 0 || days > RETENTION_DAYS_MAX)
        return err_field(ERR_INVALID, "retention_days",
            "The days to keep things are 0 (for ever) to %d.", RETENTION_DAYS_MAX);
    arena_init(&arena);
    r = store_workspace(store, workspace_id);
    while (r == 0) {
        r = store_get(store, STORE_WORKSPACES, workspace_id, workspace_id, &arena, &row);
        if (r != 0)
            break;
        row.settings = with_days(&arena, row.settings, days);
        store_batch_init(&batch, &arena);
        store_update(&batch, STORE_WORKSPACES, &row);
        r = store_commit(store, &batch);
        if (r != STORE_CONFLICT)
            break;
        r = 0;
    }
    arena_deinit(&arena);
    return r > 0 ? err_set(ERR_NOT_FOUND, "The workspace was deleted meanwhile.") : r;
}

/* One chat: gone when its last use is before that time, else without what is older. */
static int apply_to_session(struct store *store, const struct chat_session_row *session,
    int64_t before_ms, struct erase_stats *stats)
{
    if (session->updated_at >= before_ms) {
        int r = erase_before(store, session->workspace_id, session->id, before_ms, stats);

        return r == 0 ? retention_rows(store, session->workspace_id, session->id, before_ms) : r;
    }
    stats->sessions++;
    return erase_session(store, session->workspace_id, session->id);
}

static int apply_to_sessions(
    struct store *store, struct str workspace_id, int64_t before_ms, struct erase_stats *stats)
{
    struct store_query query = {.entity = STORE_CHAT_SESSIONS,
        .workspace_id = workspace_id,
        .index = 1,
        .value = STR("chat"),
        .limit = PAGE,
        .cursor = STR("")};
    struct arena arenas[2]; /* the cursor lives in the page before */
    struct store_page page;
    int turn = 0, r;

    arena_init(&arenas[0]);
    arena_init(&arenas[1]);
    do {
        arena_reset(&arenas[turn]);
        r = store_list(store, &query, &arenas[turn], &page);
        for (size_t i = 0; r == 0 && i < page.count; i++)
            r = apply_to_session(
                store, &((const struct chat_session_row *)page.rows)[i], before_ms, stats);
        query.cursor = page.cursor;
        turn ^= 1;
    } while (r == 0 && !str_empty(query.cursor));
    arena_deinit(&arenas[0]);
    arena_deinit(&arenas[1]);
    return r;
}

/* Lists of rows that have an end, in the order in which they come to it. */
static const struct expiring {
    enum store_entity entity;
    const char *value;
} expiring[] = {
    {STORE_IDEMPOTENCY, "done"},
    {STORE_IDEMPOTENCY, "failed"},
    {STORE_IDEMPOTENCY, "running"},
    {STORE_INBOX, "done"},
    {STORE_INBOX, "failed"},
    {STORE_APPROVALS, "refused"},
    {STORE_APPROVALS, "expired"},
    {STORE_APPROVALS, "done"},
};

static int64_t expiry_of(const struct store_schema *schema, const void *row)
{
    for (size_t i = 3; i < schema->column_count; i++)
        if (strcmp(schema->columns[i].name, "expires_at") == 0)
            return *row_int(row, &schema->columns[i]);
    return 0;
}

/* One page; *ret_more when it was full and all of it had ended. */
static int purge_page(struct store *store, const struct store_query *query, int64_t now_ms,
    struct arena *arena, int64_t *count, bool *ret_more)
{
    const struct store_schema *schema = &store_schemas[query->entity];
    struct store_batch batch;
    struct store_page page;
    int r = store_list(store, query, arena, &page);

    if (r < 0)
        return r;
    store_batch_init(&batch, arena);
    for (size_t i = 0; i < page.count; i++) {
        const char *row = (const char *)page.rows + i * schema->row_size;
        int64_t expiry = expiry_of(schema, row);

        if (expiry > 0 && expiry <= now_ms)
            store_delete(&batch, query->entity, row);
    }
    r = store_commit(store, &batch);
    if (r < 0)
        return r;
    *count += (int64_t)batch.count;
    *ret_more = page.count == PAGE && batch.count == PAGE;
    return 0;
}

static int purge_expired(
    struct store *store, struct str workspace_id, int64_t now_ms, int64_t *count)
{
    struct arena arena;
    int r = 0;

    arena_init(&arena);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(expiring); i++) {
        struct store_query query = {.entity = expiring[i].entity,
            .workspace_id = workspace_id,
            .index = 0,
            .value = str_from(expiring[i].value),
            .limit = PAGE,
            .cursor = STR("")};
        bool more = true;

        while (r == 0 && more) {
            arena_reset(&arena);
            r = purge_page(store, &query, now_ms, &arena, count, &more);
        }
    }
    arena_deinit(&arena);
    return r;
}

struct applying {
    struct store *store;
    int64_t now_ms, expired;
    struct erase_stats stats;
};

static int apply_to_workspace(void *ctx, const struct workspace_row *row)
{
    struct applying *applying = ctx;
    int64_t days = retention_days(row->settings);
    int r = purge_expired(applying->store, row->id, applying->now_ms, &applying->expired);

    if (r == 0 && days > 0)
        r = apply_to_sessions(
            applying->store, row->id, applying->now_ms - days * 24 * HOUR_MS, &applying->stats);
    return r;
}

int retention_apply(
    struct store *store, int64_t now_ms, struct erase_stats *ret_stats, int64_t *ret_expired)
{
    struct applying applying = {.store = store, .now_ms = now_ms};
    int r = store_each_workspace(store, apply_to_workspace, &applying);

    if (r == 0) {
        *ret_stats = applying.stats;
        *ret_expired = applying.expired;
    }
    return r;
}
