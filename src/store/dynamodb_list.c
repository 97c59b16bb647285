/* Lists: children and workspaces from the table itself, the others through gsi1 and gsi2. */
#include "store/dynamodb.h"

#define LAST "~" /* above every hexadecimal digit, and above every workspace with DELETE behind */

/* The smallest and largest sort key of a page; what equals the cursor is dropped afterwards. */
static void page_bounds(const struct store_query *query, int64_t after_order, struct str after_id,
    struct arena *arena, struct ddb_query *ret_bounds, struct str *ret_cursor)
{
    struct str from = STR("!"), to = STR(LAST "\x7f"), cursor = STR("");

    if (query->index != STORE_ALL) {
        from = ddb_number_sk(query->from, arena);
        if (query->to != 0)
            to = ddb_number_sk(query->index == STORE_CHILDREN ? query->to - 1 : query->to, arena);
    }
    if (!str_empty(after_id)) {
        struct str order = ddb_number_sk(after_order, arena);
        if (query->index == STORE_ALL)
            cursor = after_id;
        else if (query->index == STORE_CHILDREN)
            cursor = order;
        else
            cursor = str_printf(arena, "%.*s|%.*s", STR_ARG(order), STR_ARG(after_id));
        if (query->descending && str_cmp(cursor, to) < 0)
            to = cursor;
        else if (!query->descending && str_cmp(cursor, from) > 0)
            from = cursor;
    }
    ret_bounds->from = from;
    ret_bounds->to = to;
    ret_bounds->descending = query->descending;
    *ret_cursor = cursor;
}

/* The rows of items from the table itself, each of them whole. */
static int add_rows(struct store_backend *db, const struct store_query *query,
    const struct json **items, size_t count, struct str cursor, struct arena *arena,
    struct store_page *page)
{
    const struct store_schema *schema = &store_schemas[query->entity];

    for (size_t i = 0; i < count && page->count < query->limit; i++) {
        void *row = (char *)page->rows + page->count * schema->row_size;
        struct ddb_key key = {ddb_read_s(items[i], "pk"), ddb_read_s(items[i], "sk")};
        int r;
        if (!str_empty(cursor) && str_eq(key.sk, cursor))
            continue;
        r = ddb_load_whole(db, schema, &key, items[i], arena, row);
        if (r < 0)
            return r;
        page->count += r == 0; /* not one that was deleted meanwhile */
    }
    return 0;
}

static int list_table(struct store_backend *db, const struct store_query *query,
    struct ddb_query *bounds, struct str cursor, struct arena *arena, struct store_page *page)
{
    const struct json **items = NULL;
    size_t count;
    int r;

    if (query->index == STORE_ALL)
        bounds->pk = STR("workspaces");
    else
        bounds->pk = ddb_children_pk(
            &store_schemas[query->entity], query->workspace_id, query->value, arena);
    bounds->limit = query->limit + !str_empty(cursor);
    r = ddb_query(db, bounds, arena, &items, &count);
    return r < 0 ? r : add_rows(db, query, items, count, cursor, arena, page);
}

static const struct json *item_of(
    const struct json **items, size_t count, const struct json *index_item)
{
    struct str pk = ddb_read_s(index_item, "pk"), sk = ddb_read_s(index_item, "sk");

    for (size_t i = 0; i < count; i++)
        if (str_eq(pk, ddb_read_s(items[i], "pk")) && str_eq(sk, ddb_read_s(items[i], "sk")))
            return items[i];
    return NULL;
}

#define CHUNK 100

/* An index knows a row later than the table does: what it names is read from the table, and left
 * out if it is no longer there, or under another value or another order. */
static int add_indexed(struct store_backend *db, const struct store_query *query, const char *index,
    const struct json **found, size_t count, struct str cursor, struct arena *arena,
    struct store_page *page)
{
    const char *sk_name = strcmp(index, "gsi1") == 0 ? "gsi1sk" : "gsi2sk";
    const char *pk_name = strcmp(index, "gsi1") == 0 ? "gsi1pk" : "gsi2pk";
    struct ddb_key keys[CHUNK] = {0};
    const struct json *items[CHUNK], *ordered[CHUNK];
    size_t got, kept = 0;
    int r;

    for (size_t i = 0; i < count; i++)
        keys[i] = (struct ddb_key){ddb_read_s(found[i], "pk"), ddb_read_s(found[i], "sk")};
    r = ddb_get_items(db, keys, count, arena, items, &got);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++) {
        const struct json *item = item_of(items, got, found[i]);
        if (item && !str_eq(ddb_read_s(found[i], sk_name), cursor) &&
            str_eq(ddb_read_s(item, sk_name), ddb_read_s(found[i], sk_name)) &&
            str_eq(ddb_read_s(item, pk_name), ddb_read_s(found[i], pk_name)))
            ordered[kept++] = item;
    }
    return add_rows(db, query, ordered, kept, STR(""), arena, page);
}

static int list_index(struct store_backend *db, const struct store_query *query,
    struct ddb_query *bounds, struct str cursor, struct arena *arena, struct store_page *page)
{
    const struct store_schema *schema = &store_schemas[query->entity];
    const struct json **found = NULL;
    const char *index = ddb_gsi(schema, query->index) == 1 ? "gsi1" : "gsi2";
    const char *sk_name = strcmp(index, "gsi1") == 0 ? "gsi1sk" : "gsi2sk";
    size_t count;

    bounds->index = index;
    bounds->pk = ddb_list_pk(schema, query->index, query->workspace_id, query->value, arena);
    do {
        bounds->limit = MIN((size_t)CHUNK, query->limit - page->count + 1);
        int r = ddb_query(db, bounds, arena, &found, &count);
        if (r == 0 && count > CHUNK)
            count = CHUNK;
        if (r == 0 && count > 0)
            r = add_indexed(db, query, index, found, count, cursor, arena, page);
        if (r < 0)
            return r;
        if (count > 0)
            cursor = ddb_read_s(found[count - 1], sk_name);
        if (query->descending)
            bounds->to = cursor;
        else
            bounds->from = cursor;
    } while (page->count < query->limit && count == bounds->limit);
    return 0;
}

int ddb_list(struct store_backend *db, const struct store_query *query, int64_t after_order,
    struct str after_id, struct arena *arena, struct store_page *ret_page)
{
    struct store_page page = {0};
    struct ddb_query bounds = {0};
    struct str cursor;
    int r;

    page.rows = arena_zalloc(arena, query->limit, store_schemas[query->entity].row_size);
    page_bounds(query, after_order, after_id, arena, &bounds, &cursor);
    if (query->index >= 0)
        r = list_index(db, query, &bounds, cursor, arena, &page);
    else
        r = list_table(db, query, &bounds, cursor, arena, &page);
    if (r == 0)
        *ret_page = page;
    return r;
}
