/* store "dynamodb://REGION/TABLE": Amazon DynamoDB, one table for everything.
 *
 * docs/stores/dynamodb.md has the design and its costs. Nothing here keeps connections or threads:
 * each call goes over the loop's HTTP client. */
#include "store/dynamodb.h"

#include "http/url.h"

#include <stdlib.h>

/* What is called at open comes outside of fibers. */
struct meta_call {
    struct store_backend *db;
    const char *name;
    struct arena *arena;
    struct str value;
};

static int is_name(struct str text, size_t min, size_t max, const char *punctuation)
{
    if (text.len < min || text.len > max)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!char_is_alnum(text.ptr[i]) && !strchr(punctuation, text.ptr[i]))
            return false;
    return true;
}

static int parse_url(struct store_backend *db, const char *url)
{
    struct str rest = str_from(url), prefix = STR("dynamodb://");
    ptrdiff_t slash;

    if (str_starts(rest, prefix))
        rest = str_slice(rest, prefix.len, rest.len);
    else
        rest = STR("");
    slash = str_find_char(rest, '/', 0);
    db->region = str_dup(&db->arena, str_slice(rest, 0, (size_t)MAX(slash, 0)));
    db->table = str_dup(&db->arena, str_slice(rest, (size_t)(slash + 1), rest.len));
    if (slash > 0 && is_name(db->region, 1, 32, "-") && is_name(db->table, 3, 255, "-_."))
        return 0;
    return err_field(ERR_INVALID, "store",
        "The store must be dynamodb://REGION/TABLE, for example dynamodb://eu-west-1/theo; a "
        "table's "
        "name has 3 to 255 letters, digits, '-', '_' and '.'.");
}

static int parse_endpoint(struct store_backend *db, const char *endpoint)
{
    struct url url;

    db->local = endpoint[0] != '\0';
    db->url = db->local ? str_dup(&db->arena, str_from(endpoint))
                        : str_printf(&db->arena, "https://dynamodb.%.*s.amazonaws.com%s/",
                              STR_ARG(db->region), str_starts(db->region, STR("cn-")) ? ".cn" : "");
    if (url_parse(&db->arena, db->url, &url) < 0)
        return err_field(ERR_INVALID, "dynamodb.endpoint",
            "dynamodb.endpoint must be an http or https address, for example "
            "http://127.0.0.1:8000.");
    db->host = url.port == (str_is(url.scheme, "https") ? 443 : 80)
                   ? url.host
                   : str_printf(&db->arena, "%.*s:%d", STR_ARG(url.host), url.port);
    return 0;
}

static int open_table(void *arg)
{
    struct store_backend *db = arg;
    int r = ddb_table_open(db);

    return r == 0 ? ddb_journal_recover(db, MINUTE_MS) : r;
}

static void dynamodb_close(struct store_backend *db)
{
    pthread_mutex_destroy(&db->mutex);
    arena_deinit(&db->arena);
    free(db);
}

static int dynamodb_open(const struct config *config, const char *url, const struct env *env,
    struct store_backend **ret_backend)
{
    struct store_backend *db = xcalloc(1, sizeof(*db));
    int r;

    db->env = env;
    db->attempts = DDB_ATTEMPTS_AT_OPEN;
    arena_init(&db->arena);
    pthread_mutex_init(&db->mutex, NULL);
    r = parse_url(db, url);
    if (r == 0)
        r = parse_endpoint(db, config->dynamodb_endpoint ? config->dynamodb_endpoint : "");
    if (r == 0)
        r = loop_call(db->env, open_table, db);
    if (r < 0) {
        dynamodb_close(db);
        return r;
    }
    db->attempts = DDB_ATTEMPTS;
    *ret_backend = db;
    return 0;
}

/* A read of one small item; it also finishes what another process left half-written. */
static int dynamodb_health(struct store_backend *db)
{
    struct store_backend probe = {.env = db->env,
        .region = db->region,
        .table = db->table,
        .url = db->url,
        .host = db->host,
        .attempts = DDB_ATTEMPTS_AT_OPEN}; /* who asks does not wait for ten */
    struct arena arena;
    struct str schema;
    int r;

    arena_init(&arena);
    r = ddb_meta_get(&probe, "schema", &arena, &schema);
    arena_deinit(&arena);
    return r < 0 ? r : ddb_journal_recover(db, MINUTE_MS);
}

static int call_meta_get(void *arg)
{
    struct meta_call *call = arg;

    return ddb_meta_get(call->db, call->name, call->arena, &call->value);
}

static int dynamodb_meta_get(
    struct store_backend *db, const char *name, struct arena *arena, struct str *ret_value)
{
    struct meta_call call = {.db = db, .name = name, .arena = arena};
    int r = loop_call(db->env, call_meta_get, &call);

    if (r == 0)
        *ret_value = call.value;
    return r;
}

static int call_meta_set(void *arg)
{
    struct meta_call *call = arg;

    return ddb_meta_set(call->db, call->name, call->value);
}

static int dynamodb_meta_set(struct store_backend *db, const char *name, struct str value)
{
    return loop_call(
        db->env, call_meta_set, &(struct meta_call){.db = db, .name = name, .value = value});
}

static void dynamodb_stats(struct store_backend *db, struct store_stats *ret_stats)
{
    pthread_mutex_lock(&db->mutex);
    *ret_stats = db->stats;
    pthread_mutex_unlock(&db->mutex);
}

const struct store_ops store_dynamodb = {
    .name = "dynamodb",
    .open = dynamodb_open,
    .close = dynamodb_close,
    .health = dynamodb_health,
    .commit = ddb_commit,
    .get = ddb_get,
    .find = ddb_find,
    .list = ddb_list,
    .scan = ddb_scan,
    .meta_get = dynamodb_meta_get,
    .meta_set = dynamodb_meta_set,
    .stats = dynamodb_stats,
};
