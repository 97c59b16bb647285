#include "suite.h"

#include "store/backend.h"

static const struct store_ops *const backends[] = {
    &store_sqlite, &store_memory, &store_dynamodb, &store_firestore, &store_postgres, NULL};

const char *suite_store_url(void)
{
    const char *url = getenv("THEO_TEST_STORE");

    return url ? url : "memory";
}

bool suite_is_traced(void)
{
    return strncmp(suite_store_url(), "trace:", 6) == 0;
}

/* "%" in the URL stands for a name of the test's own: back ends without folders need one. */
static char *own_url(struct arena *arena, const char *url)
{
    const char *create = getenv("TEST_POSTGRES_CREATE"); /* databases must be made first */
    size_t before = strcspn(url, "%");
    struct str name;

    if (url[before] == '\0')
        return str_cstr(arena, str_from(url));
    name = str_lower(arena, ulid_new(env_system(), arena));
    if (create && system(str_printf(arena, "%s %s", create, name.ptr).ptr) != 0)
        printf("# the database could not be made\n");
    return str_cstr(
        arena, str_printf(arena, "%.*s%s%s", (int)before, url, name.ptr, url + before + 1));
}

int suite_open_url(struct test *t, const char *url, struct suite *suite)
{
    struct str dir = str_from(test_dir(t));
    const char *key_file = str_printf(t->arena, "%.*s/master.key", STR_ARG(dir)).ptr;
    struct suite opened = {.arena = t->arena};
    int r;

    store_register(backends);
    opened.config.data_dir = str_cstr(t->arena, dir);
    opened.config.store = own_url(t->arena, url);
    opened.config.dynamodb_endpoint = getenv("THEO_DYNAMODB_ENDPOINT");
    r = sealer_open(env_system(), key_file, true, &opened.sealer, NULL);
    if (r < 0)
        return r;
    r = store_open(&opened.config, env_system(), opened.sealer, &opened.store);
    if (r < 0) {
        sealer_free(opened.sealer);
        return r;
    }
    *suite = opened;
    return 0;
}

int suite_open(struct test *t, struct suite *suite)
{
    return suite_open_url(t, suite_store_url(), suite);
}

void suite_close(struct suite *suite)
{
    store_close(suite->store);
    sealer_free(suite->sealer);
}

struct chat_session_row a_session(const char *workspace, const char *id)
{
    return (struct chat_session_row){.workspace_id = S(workspace),
        .id = S(id),
        .version = 1,
        .channel = STR("api"),
        .title = STR("Launch of the Ōsaka office"),
        .state = STR("{}"),
        .message_count = 3,
        .kind = STR("chat"),
        .created_at = 1000,
        .updated_at = 2000};
}

struct message_row a_message(
    const char *workspace, const char *session, int64_t seq, const char *body)
{
    return (struct message_row){.workspace_id = S(workspace),
        .session_id = S(session),
        .seq = seq,
        .run_id = STR("run"),
        .direction = STR("in"),
        .author = STR("Ana"),
        .body = S(body),
        .at = 5,
        .created_at = 6};
}

struct api_key_row a_key(const char *workspace, const char *id)
{
    return (struct api_key_row){.workspace_id = S(workspace),
        .id = S(id),
        .version = 1,
        .name = STR("key"),
        .hash = STR("00"),
        .scopes = STR("chat"),
        .kind = STR("key"),
        .created_at = 1};
}

struct run_row a_run(const char *workspace, const char *id, const char *session, int64_t at)
{
    return (struct run_row){.workspace_id = S(workspace),
        .id = S(id),
        .version = 1,
        .session_id = S(session),
        .state = STR("running"),
        .listed = STR("running"),
        .agent = STR("theo"),
        .model = STR("builtin"),
        .request = STR("{\"q\":1}"),
        .created_at = at};
}

struct store_query a_query(
    enum store_entity entity, const char *workspace, int index, const char *value)
{
    return (struct store_query){.entity = entity,
        .workspace_id = S(workspace),
        .index = index,
        .value = S(value),
        .limit = 100};
}

static int commit_one(struct suite *suite, enum store_entity entity, const void *row,
    void (*add)(struct store_batch *, enum store_entity, const void *))
{
    struct store_batch batch;

    store_batch_init(&batch, suite->arena);
    add(&batch, entity, row);
    return store_commit(suite->store, &batch);
}

int insert_row(struct suite *suite, enum store_entity entity, const void *row)
{
    return commit_one(suite, entity, row, store_insert);
}

int put_row(struct suite *suite, enum store_entity entity, const void *row)
{
    return commit_one(suite, entity, row, store_put);
}

int update_row(struct suite *suite, enum store_entity entity, const void *row)
{
    return commit_one(suite, entity, row, store_update);
}

int delete_row(struct suite *suite, enum store_entity entity, const void *row)
{
    return commit_one(suite, entity, row, store_delete);
}

int delete_all(struct suite *suite, enum store_entity entity, const char *workspace, int index,
    const char *parent)
{
    struct store_batch batch;

    store_batch_init(&batch, suite->arena);
    store_delete_all(&batch, entity, S(workspace), index, S(parent));
    return store_commit(suite->store, &batch);
}

int get_row(struct suite *suite, enum store_entity entity, const char *workspace, const char *id,
    void *ret_row)
{
    return store_get(suite->store, entity, S(workspace), S(id), suite->arena, ret_row);
}

/* The ids (of children: the numbers) of all pages, with spaces between and a bar after each page.
 */
int list_rows(struct suite *suite, struct store_query query, size_t limit, struct str *ret_ids)
{
    const struct store_schema *schema = &store_schemas[query.entity];
    struct buf out = BUF_IN(suite->arena);
    struct store_page page;

    query.limit = limit;
    do {
        int r = store_list(suite->store, &query, suite->arena, &page);
        if (r < 0)
            return r;
        for (size_t i = 0; i < page.count; i++) {
            const char *row = (const char *)page.rows + i * schema->row_size;
            if (i > 0)
                buf_add_char(&out, ' ');
            if (schema->by_seq)
                buf_add_i64(&out, *row_int(row, &schema->columns[2]));
            else
                buf_add_str(&out, *row_str(row, &schema->columns[1]));
        }
        buf_add_char(&out, '|');
        query.cursor = page.cursor;
    } while (!str_empty(page.cursor));
    *ret_ids = buf_str(&out);
    return 0;
}
