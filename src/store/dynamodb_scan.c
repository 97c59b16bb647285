/* Reading everything for a backup: workspaces first, then one Scan of the table, page by page. It
 * is no one moment: every row that was there before it and is not deleted meanwhile is shown; of
 * what is written meanwhile some is. For one moment, export the table by point-in-time recovery. */
#include "store/dynamodb.h"

static const char workspaces[] = "workspaces";

static struct str scan_body(
    const struct store_backend *db, const struct json *start, struct arena *arena)
{
    struct buf body = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &body);
    json_object_begin(&w);
    json_str_member(&w, "TableName", db->table);
    json_bool_member(&w, "ConsistentRead", true);
    if (start) {
        json_name(&w, "ExclusiveStartKey");
        json_put_node(&w, start);
    }
    json_object_end(&w);
    return buf_str(&body);
}

static bool is_row_of(const struct store_schema *schema, const struct json *item)
{
    struct str pk = ddb_read_s(item, "pk"), table;

    return str_next(&pk, '|', &table) && pk.ptr && str_is(table, schema->table);
}

static int show_item(struct store_backend *db, const struct store_schema *schema,
    const struct json *item, struct arena *arena, char *rows, size_t *count)
{
    struct ddb_key key = {ddb_read_s(item, "pk"), ddb_read_s(item, "sk")};
    int r = ddb_load_whole(db, schema, &key, item, arena, rows + *count * schema->row_size);

    *count += r == 0;
    return r == STORE_MISSING ? 0 : r; /* deleted meanwhile */
}

/* The rows of one page that are the entity's. */
static int show_entity(struct store_backend *db, const struct store_visitor *visitor,
    const struct store_schema *schema, const struct json *items, struct arena *arena)
{
    char *rows = arena_zalloc(arena, MAX(json_len(items), (size_t)1), schema->row_size);
    size_t count = 0;
    int r = 0;

    for (const struct json *item = json_first(items); r == 0 && item; item = json_next(item))
        if (is_row_of(schema, item))
            r = show_item(db, schema, item, arena, rows, &count);
    if (r == 0 && count > 0)
        r = visitor->rows(visitor->ctx, schema->entity, rows, count);
    return r;
}

static int show_workspaces(struct store_backend *db, const struct store_visitor *visitor)
{
    const struct store_schema *schema = &store_schemas[STORE_WORKSPACES];
    const struct ddb_query query = {
        .pk = str_from(workspaces), .from = STR("!"), .to = STR("~"), .limit = SIZE_MAX};
    const struct json **items = NULL;
    struct arena arena;
    size_t count = 0, shown = 0;
    int r;

    arena_init(&arena);
    r = ddb_query(db, &query, &arena, &items, &count);
    if (r == 0 && count > 0) {
        char *rows = arena_zalloc(&arena, count, schema->row_size);
        for (size_t i = 0; r == 0 && i < count; i++)
            r = show_item(db, schema, items[i], &arena, rows, &shown);
        if (r == 0 && shown > 0)
            r = visitor->rows(visitor->ctx, STORE_WORKSPACES, rows, shown);
    }
    arena_deinit(&arena);
    return r;
}

/* One page; start becomes where the next one begins, NULL at the end, and lives in arena. */
static int show_page(struct store_backend *db, const struct store_visitor *visitor,
    const struct json **start, struct arena *arena)
{
    const struct json *root;
    int r = ddb_call_read(db, arena, "Scan", scan_body(db, *start, arena), &root);

    for (size_t i = 0; r == 0 && i < STORE_ENTITY_COUNT; i++)
        if (i != STORE_WORKSPACES)
            r = show_entity(db, visitor, &store_schemas[i], json_get(root, "Items"), arena);
    if (r == 0)
        *start = json_get(root, "LastEvaluatedKey");
    return r;
}

int ddb_scan(struct store_backend *db, const struct store_visitor *visitor)
{
    struct arena arenas[2]; /* where a page begins lives in the page before */
    const struct json *start = NULL;
    int r = show_workspaces(db, visitor);

    arena_init(&arenas[0]);
    arena_init(&arenas[1]);
    for (int turn = 0; r == 0; turn ^= 1) {
        arena_reset(&arenas[turn]);
        r = show_page(db, visitor, &start, &arenas[turn]);
        if (!start)
            break;
    }
    arena_deinit(&arenas[0]);
    arena_deinit(&arenas[1]);
    return r;
}
