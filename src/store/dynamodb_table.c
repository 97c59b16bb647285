/* The table itself: made when it is missing, looked at before it is used. */
#include "store/dynamodb.h"

enum { ACTIVE_TRIES = 60, ACTIVE_WAIT_MS = 1000 };

static const char definition[] =
    "\"AttributeDefinitions\":["
    "{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"},"
    "{\"AttributeName\":\"sk\",\"AttributeType\":\"S\"},"
    "{\"AttributeName\":\"gsi1pk\",\"AttributeType\":\"S\"},"
    "{\"AttributeName\":\"gsi1sk\",\"AttributeType\":\"S\"},"
    "{\"AttributeName\":\"gsi2pk\",\"AttributeType\":\"S\"},"
    "{\"AttributeName\":\"gsi2sk\",\"AttributeType\":\"S\"}],"
    "\"KeySchema\":[{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"},"
    "{\"AttributeName\":\"sk\",\"KeyType\":\"RANGE\"}],"
    "\"GlobalSecondaryIndexes\":["
    "{\"IndexName\":\"gsi1\",\"KeySchema\":[{\"AttributeName\":\"gsi1pk\",\"KeyType\":\"HASH\"},"
    "{\"AttributeName\":\"gsi1sk\",\"KeyType\":\"RANGE\"}],"
    "\"Projection\":{\"ProjectionType\":\"KEYS_ONLY\"}},"
    "{\"IndexName\":\"gsi2\",\"KeySchema\":[{\"AttributeName\":\"gsi2pk\",\"KeyType\":\"HASH\"},"
    "{\"AttributeName\":\"gsi2sk\",\"KeyType\":\"RANGE\"}],"
    "\"Projection\":{\"ProjectionType\":\"KEYS_ONLY\"}}],"
    "\"BillingMode\":\"PAY_PER_REQUEST\"";

static struct str name_body(const struct store_backend *db, struct arena *arena)
{
    return str_printf(arena, "{\"TableName\":\"%.*s\"}", STR_ARG(db->table));
}

static int create(struct store_backend *db, struct arena *arena)
{
    struct ddb_reply reply;
    int r = ddb_call(db, arena, "CreateTable",
        str_printf(arena, "{\"TableName\":\"%.*s\",%s}", STR_ARG(db->table), definition), &reply);

    if (r == DDB_REFUSED && str_is(reply.code, "ResourceInUseException"))
        return 0; /* another instance was first */
    if (r == DDB_REFUSED)
        return err_set(ERR_FAILED, "The DynamoDB table %.*s cannot be created: %.*s.",
            STR_ARG(db->table), STR_ARG(reply.code));
    if (r == ERR_DENIED)
        return err_set(ERR_DENIED,
            "There is no DynamoDB table %.*s in %.*s and the AWS credentials may not create it: "
            "create it from deploy/dynamodb/template.yaml, or grant dynamodb:CreateTable.",
            STR_ARG(db->table), STR_ARG(db->region));
    if (r == 0)
        log_info("store.table_created", LOG_STR("table", db->table), LOG_STR("region", db->region));
    return r;
}

/* Expired rows are deleted by the service. Without the right to say so they stay longer. */
static void set_ttl(struct store_backend *db, struct arena *arena)
{
    struct ddb_reply reply;
    int r = ddb_call(db, arena, "UpdateTimeToLive",
        str_printf(arena,
            "{\"TableName\":\"%.*s\",\"TimeToLiveSpecification\":{\"AttributeName\":\"ttl\","
            "\"Enabled\":true}}",
            STR_ARG(db->table)),
        &reply);

    if (r != 0)
        log_warn("store.ttl_not_set", LOG_STR("table", db->table));
}

static bool has_key(const struct json *schema, const char *hash, const char *range)
{
    return str_is(json_get_str(json_at(schema, 0), "AttributeName"), hash) &&
           str_is(json_get_str(json_at(schema, 1), "AttributeName"), range);
}

static int check(const struct store_backend *db, const struct json *table)
{
    int found = 0;

    for (const struct json *index = json_first(json_get(table, "GlobalSecondaryIndexes")); index;
         index = json_next(index)) {
        struct str name = json_get_str(index, "IndexName");
        const struct json *keys = json_get(index, "KeySchema");
        found += str_is(name, "gsi1") && has_key(keys, "gsi1pk", "gsi1sk");
        found += str_is(name, "gsi2") && has_key(keys, "gsi2pk", "gsi2sk");
    }
    if (has_key(json_get(table, "KeySchema"), "pk", "sk") && found == DDB_INDEXES)
        return 0;
    return err_field(ERR_INVALID, "store",
        "The DynamoDB table %.*s is not one of Theo's (keys pk and sk, indexes gsi1 and gsi2): "
        "name another, or create it from deploy/dynamodb/template.yaml.",
        STR_ARG(db->table));
}

/* 0 once the table serves; STORE_MISSING when there is none. */
static int wait_active(struct store_backend *db, struct arena *arena)
{
    for (int i = 0; i < ACTIVE_TRIES; i++) {
        struct ddb_reply reply;
        const struct json *table;
        int r = ddb_call(db, arena, "DescribeTable", name_body(db, arena), &reply);
        if (r == DDB_REFUSED)
            return STORE_MISSING;
        if (r < 0)
            return r;
        table = json_get(reply.root, "Table");
        if (str_is(json_get_str(table, "TableStatus"), "ACTIVE") ||
            str_is(json_get_str(table, "TableStatus"), "UPDATING"))
            return check(db, table);
        r = fiber_sleep(ACTIVE_WAIT_MS);
        if (r < 0)
            return r;
    }
    return err_set(ERR_TIMEOUT,
        "The DynamoDB table %.*s does not become active: look at it in the AWS console.",
        STR_ARG(db->table));
}

static int check_schema(struct store_backend *db, struct arena *arena)
{
    struct str stored;
    int64_t version;
    int r = ddb_meta_get(db, "schema", arena, &stored);

    if (r < 0)
        return r;
    if (str_empty(stored))
        return ddb_meta_set(db, "schema", STR(DDB_SCHEMA));
    if (str_is(stored, DDB_SCHEMA))
        return 0;
    if (!str_to_i64(stored, &version))
        return err_set(ERR_CORRUPT, "The DynamoDB table %.*s holds no known schema number.",
            STR_ARG(db->table));
    return err_set(ERR_FAILED,
        "The DynamoDB table %.*s was written by a newer Theo (schema %.*s; this one knows %s): "
        "update this one.",
        STR_ARG(db->table), STR_ARG(stored), DDB_SCHEMA);
}

int ddb_table_open(struct store_backend *db)
{
    struct arena arena;
    int r;

    arena_init(&arena);
    r = wait_active(db, &arena);
    if (r == STORE_MISSING) {
        r = create(db, &arena);
        if (r == 0)
            r = wait_active(db, &arena);
        if (r == STORE_MISSING)
            r = err_set(ERR_FAILED, "The DynamoDB table %.*s was created and is gone again.",
                STR_ARG(db->table));
        if (r == 0)
            set_ttl(db, &arena);
    }
    if (r == 0)
        r = check_schema(db, &arena);
    arena_deinit(&arena);
    return r;
}

int ddb_meta_get(
    struct store_backend *db, const char *name, struct arena *arena, struct str *ret_value)
{
    struct ddb_key key = {STR("meta"), str_from(name)};
    const struct json *item;
    int r = ddb_get_item(db, &key, arena, &item);

    if (r < 0)
        return r;
    *ret_value = r == STORE_MISSING ? STR("") : str_dup(arena, ddb_read_s(item, "value"));
    return 0;
}

int ddb_meta_set(struct store_backend *db, const char *name, struct str value)
{
    struct ddb_reply reply;
    struct json_writer w;
    struct arena arena;
    struct buf body;
    int r;

    arena_init(&arena);
    body = BUF_IN(&arena);
    json_init(&w, &body);
    json_object_begin(&w);
    json_str_member(&w, "TableName", db->table);
    json_name(&w, "Item");
    json_object_begin(&w);
    ddb_write_s(&w, "pk", STR("meta"));
    ddb_write_s(&w, "sk", str_from(name));
    ddb_write_s(&w, "value", value);
    json_object_end(&w);
    json_object_end(&w);
    r = ddb_call(db, &arena, "PutItem", buf_str(&body), &reply);
    arena_deinit(&arena);
    return r == DDB_REFUSED ? err_set(ERR_UNAVAILABLE, "DynamoDB refused to note %s.", name) : r;
}
