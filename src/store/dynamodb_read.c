/* Reading: items by key, queries of one partition, and the rows made of them. */
#include "store/dynamodb.h"

#define GET_MAX 100  /* keys of one BatchGetItem */
#define LOAD_TRIES 6 /* of a row that is being replaced */

static void begin_request(struct json_writer *w, struct buf *body, const struct store_backend *db)
{
    json_init(w, body);
    json_object_begin(w);
    json_str_member(w, "TableName", db->table);
}

static int no_table(const struct store_backend *db)
{
    return err_set(ERR_NOT_FOUND,
        "There is no DynamoDB table %.*s in %.*s: run theo migrate, or create it from "
        "deploy/dynamodb/template.yaml.",
        STR_ARG(db->table), STR_ARG(db->region));
}

int ddb_call_read(struct store_backend *db, struct arena *arena, const char *operation,
    struct str body, const struct json **ret_root)
{
    struct ddb_reply reply;
    int r = ddb_call(db, arena, operation, body, &reply);

    if (r == DDB_REFUSED)
        return no_table(db);
    if (r == 0)
        *ret_root = reply.root;
    return r;
}

int ddb_get_item(struct store_backend *db, const struct ddb_key *key, struct arena *arena,
    const struct json **ret_item)
{
    struct buf body = BUF_IN(arena);
    struct json_writer w;
    const struct json *root, *item;
    int r;

    begin_request(&w, &body, db);
    json_name(&w, "Key");
    ddb_write_key(&w, key);
    json_bool_member(&w, "ConsistentRead", true);
    json_object_end(&w);
    r = ddb_call_read(db, arena, "GetItem", buf_str(&body), &root);
    if (r < 0)
        return r;
    item = json_get(root, "Item");
    if (!item)
        return STORE_MISSING;
    *ret_item = item;
    return 0;
}

static struct str batch_body(const struct store_backend *db, const struct ddb_key *keys,
    size_t count, const struct json *unprocessed, struct arena *arena)
{
    struct buf body = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &body);
    json_object_begin(&w);
    json_name(&w, "RequestItems");
    if (unprocessed) {
        json_put_node(&w, unprocessed);
    } else {
        json_object_begin(&w);
        json_name_str(&w, db->table);
        json_object_begin(&w);
        json_name(&w, "Keys");
        json_array_begin(&w);
        for (size_t i = 0; i < count; i++)
            ddb_write_key(&w, &keys[i]);
        json_array_end(&w);
        json_bool_member(&w, "ConsistentRead", true);
        json_object_end(&w);
        json_object_end(&w);
    }
    json_object_end(&w);
    return buf_str(&body);
}

/* Up to 100 keys. What the service leaves out for size or load is asked for again. */
static int get_chunk(struct store_backend *db, const struct ddb_key *keys, size_t count,
    struct arena *arena, const struct json **items, size_t *ret_count)
{
    const struct json *root, *unprocessed = NULL;
    size_t got = 0;

    for (int i = 0;; i++) {
        size_t before = got;
        int r = ddb_call_read(
            db, arena, "BatchGetItem", batch_body(db, keys, count, unprocessed, arena), &root);
        const struct json *list;
        if (r < 0)
            return r;
        list = json_get(json_get(root, "Responses"), db->table.ptr);
        for (const struct json *item = json_first(list); item && got < count;
             item = json_next(item))
            items[got++] = item;
        unprocessed = json_get(root, "UnprocessedKeys");
        if (json_len(unprocessed) == 0)
            break;
        if (got > before)
            i = 0;
        if (i >= DDB_ATTEMPTS)
            return err_set(ERR_UNAVAILABLE,
                "DynamoDB goes on leaving keys unread: raise the table's read capacity.");
        r = ddb_back_off(db, i);
        if (r < 0)
            return r;
    }
    *ret_count = got;
    return 0;
}

int ddb_get_items(struct store_backend *db, const struct ddb_key *keys, size_t count,
    struct arena *arena, const struct json **ret_items, size_t *ret_count)
{
    size_t got = 0;

    for (size_t i = 0; i < count; i += GET_MAX) {
        size_t chunk = 0;
        int r = get_chunk(
            db, keys + i, MIN(count - i, (size_t)GET_MAX), arena, ret_items + got, &chunk);
        if (r < 0)
            return r;
        got += chunk;
    }
    *ret_count = got;
    return 0;
}

static struct str query_body(const struct store_backend *db, const struct ddb_query *query,
    size_t limit, const struct json *start, struct arena *arena)
{
    struct buf body = BUF_IN(arena);
    struct json_writer w;

    begin_request(&w, &body, db);
    if (query->index)
        json_cstr_member(&w, "IndexName", query->index);
    else
        json_bool_member(&w, "ConsistentRead", true);
    json_str_member(&w, "KeyConditionExpression",
        query->index
            ? str_printf(arena, "%spk = :p AND %ssk BETWEEN :a AND :b", query->index, query->index)
            : STR("pk = :p AND sk BETWEEN :a AND :b"));
    json_name(&w, "ExpressionAttributeValues");
    json_object_begin(&w);
    ddb_write_s(&w, ":p", query->pk);
    ddb_write_s(&w, ":a", query->from);
    ddb_write_s(&w, ":b", query->to);
    json_object_end(&w);
    if (query->keys_only)
        json_cstr_member(&w, "ProjectionExpression", "pk, sk, parts");
    json_bool_member(&w, "ScanIndexForward", !query->descending);
    json_i64_member(&w, "Limit", (int64_t)limit);
    if (start) {
        json_name(&w, "ExclusiveStartKey");
        json_put_node(&w, start);
    }
    json_object_end(&w);
    return buf_str(&body);
}

int ddb_query(struct store_backend *db, const struct ddb_query *query, struct arena *arena,
    const struct json ***ret_items, size_t *ret_count)
{
    struct buf items = BUF_IN(arena);
    const struct json *root, *start = NULL;
    size_t count = 0;

    if (str_cmp(query->from, query->to) > 0) {
        *ret_count = 0;
        return 0;
    }
    do {
        int r = ddb_call_read(db, arena, "Query",
            query_body(db, query, MIN(query->limit - count, (size_t)1000), start, arena), &root);
        if (r < 0)
            return r;
        for (const struct json *item = json_first(json_get(root, "Items")); item;
             item = json_next(item), count++)
            buf_add(&items, &item, sizeof(item));
        start = json_get(root, "LastEvaluatedKey");
    } while (start && count < query->limit);
    *ret_items = (const struct json **)(void *)items.ptr;
    *ret_count = count;
    return 0;
}

/* Reads the parts as well, if there are any. 0; STORE_MISSING when the parts are another write's:
 * the row has to be read again. Yields. */
static int load_row(struct store_backend *db, const struct store_schema *schema,
    const struct json *item, struct arena *arena, void *ret_row)
{
    struct ddb_key key = {ddb_read_s(item, "pk"), ddb_read_s(item, "sk")};
    int64_t parts = ddb_read_n(item, "parts");
    struct buf bytes = BUF_IN(arena);
    const struct json **items = NULL;
    struct ddb_key first, last;
    size_t count;
    int r = ddb_read_row(schema, item, arena, ret_row);

    if (r < 0 || parts == 0)
        return r;
    first = ddb_part_key(&key, 0, arena);
    last = ddb_part_key(&key, (int)parts - 1, arena);
    r = ddb_query(db,
        &(struct ddb_query){
            .pk = first.pk, .from = first.sk, .to = last.sk, .limit = (size_t)parts + 1},
        arena, &items, &count);
    if (r < 0)
        return r;
    if (count != (size_t)parts)
        return STORE_MISSING;
    for (size_t i = 0; i < count; i++) {
        struct str part;
        if (!str_eq(ddb_read_s(items[i], "write"), ddb_read_s(item, "write")))
            return STORE_MISSING;
        r = ddb_read_b(items[i], "bytes", arena, &part);
        if (r < 0)
            return r;
        buf_add_str(&bytes, part);
    }
    return row_join(schema, ddb_read_s(item, "split"), buf_str(&bytes), arena, ret_row);
}

int ddb_load_whole(struct store_backend *db, const struct store_schema *schema,
    const struct ddb_key *key, const struct json *item, struct arena *arena, void *ret_row)
{
    for (int i = 0; i < LOAD_TRIES; i++) {
        int r = load_row(db, schema, item, arena, ret_row);
        if (r != STORE_MISSING)
            return r;
        r = ddb_back_off(db, i);
        if (r == 0)
            r = ddb_get_item(db, key, arena, &item);
        if (r != 0)
            return r;
    }
    return err_set(ERR_UNAVAILABLE,
        "A large row of %s is being replaced or was left half-written; it is completed within a "
        "minute: try again then.",
        schema->table);
}

static int get_row(struct store_backend *db, const struct store_schema *schema,
    const struct ddb_key *key, struct arena *arena, void *ret_row)
{
    const struct json *item;
    int r = ddb_get_item(db, key, arena, &item);

    return r == 0 ? ddb_load_whole(db, schema, key, item, arena, ret_row) : r;
}

int ddb_get(struct store_backend *db, enum store_entity entity, struct str workspace_id,
    struct str id, struct arena *arena, void *ret_row)
{
    struct ddb_key key = ddb_id_key(entity, workspace_id, id, arena);

    return get_row(db, &store_schemas[entity], &key, arena, ret_row);
}

int ddb_find(struct store_backend *db, enum store_entity entity, struct str workspace_id, int index,
    struct str value, struct arena *arena, void *ret_row)
{
    const struct store_schema *schema = &store_schemas[entity];
    const struct store_column *column = &schema->columns[schema->indexes[index].column];
    struct ddb_key marker = ddb_marker_key(schema, index, workspace_id, value, arena), key;
    const struct json *item;
    int r = ddb_get_item(db, &marker, arena, &item);

    if (r != 0)
        return r;
    if (!str_empty(workspace_id) && !str_eq(workspace_id, ddb_read_s(item, "workspace_id")))
        return STORE_MISSING; /* a global value of another workspace */
    key = ddb_id_key(entity, ddb_read_s(item, "workspace_id"), ddb_read_s(item, "id"), arena);
    r = get_row(db, schema, &key, arena, ret_row);
    if (r == 0 && !str_eq(*row_str(ret_row, column), value))
        return STORE_MISSING; /* it got another value between the two reads */
    return r;
}
