/* The front: what every back end has in common. It checks what it is given, seals and opens, makes
 * workspaces and cursors, counts, and shields its callers' fibers while a back end works. */
#include "store/store.h"

#include "runtime/errinj.h"
#include "runtime/fiber.h"
#include "store/front.h"
#include "watch/metrics.h"

static const struct store_ops *const *registry;

void store_register(const struct store_ops *const *backends)
{
    registry = backends;
}

/* A call that was sent must not be given up half-way: the back end works in the caller's memory.
 * The fiber's own deadline would end its wait as a cancel does, so both are put aside. */
int64_t front_begin(void)
{
    if (!fiber_self())
        return FIBER_NO_DEADLINE;
    fiber_shield();
    return fiber_set_deadline(FIBER_NO_DEADLINE);
}

int front_end(int64_t deadline_ms, int r)
{
    if (r < 0)
        metric_add(M_STORE_ERRORS, NULL, 1);
    if (!fiber_self())
        return r;
    fiber_set_deadline(deadline_ms);
    fiber_unshield();
    return r;
}

/* A key that nothing is sealed under yet may change: the key of a backup comes so. Back ends with a
 * scan work on this machine and can be asked outside fibers. */
static bool is_empty(struct store *store)
{
    struct store_query query = {.entity = STORE_WORKSPACES, .index = STORE_ALL, .limit = 1};
    struct store_page page = {0};
    struct arena arena;
    bool empty;

    if (!store->ops->scan)
        return false;
    arena_init(&arena);
    empty =
        store->ops->list(store->backend, &query, 0, STR(""), &arena, &page) == 0 && page.count == 0;
    arena_deinit(&arena);
    return empty;
}

/* The store remembers which master key sealed it: opening it with another would fail only at the
 * first sealed value, and new rows would then be lost to the right key. */
static int check_master_key(struct store *store)
{
    const char *id = sealer_master_id(store->sealer);
    struct arena arena;
    struct str stored;
    int r;

    arena_init(&arena);
    r = store->ops->meta_get(store->backend, "master_key_id", &arena, &stored);
    if (r == 0 && str_empty(stored))
        r = store->ops->meta_set(store->backend, "master_key_id", str_from(id));
    else if (r == 0 && !sealer_holds(store->sealer, stored) && is_empty(store))
        r = store->ops->meta_set(store->backend, "master_key_id", str_from(id));
    else if (r == 0 && !sealer_holds(store->sealer, stored))
        r = err_set(ERR_CORRUPT,
            "The store was sealed under master key %.*s, but key-provider gives %s: put the right "
            "key file back, name the provider that holds it, or use another data folder.",
            STR_ARG(stored), id);
    arena_deinit(&arena);
    return r;
}

static bool take_prefix(const char **url, const char *prefix)
{
    size_t len = strlen(prefix);

    if (strncmp(*url, prefix, len) != 0)
        return false;
    *url += len;
    return true;
}

int store_open_with(const struct store_ops *ops, const struct config *config, const char *url,
    const struct env *env, struct sealer *sealer, struct store **ret_store)
{
    bool traced = take_prefix(&url, "trace:") || errinj_active_;
    struct store *store = xcalloc(1, sizeof(*store));
    int r;

    *store = (struct store){
        .ops = ops, .name = ops->name, .env = env, .sealer = sealer, .plain = ops->ephemeral};
    r = ops->open(config, url, env, &store->backend);
    if (r < 0) {
        free(store);
        return r;
    }
    if (traced) {
        store->backend = store_trace_new(ops, store->backend);
        store->ops = &store_trace;
    }
    r = check_master_key(store);
    if (r < 0) {
        store->ops->close(store->backend);
        free(store);
        return r;
    }
    store->keys = key_cache_new();
    *ret_store = store;
    return 0;
}

/* The back end that the setting names, and the setting as it wants it. */
static int find_ops(
    const struct config *config, const struct store_ops **ret_ops, const char **ret_bare)
{
    const char *bare = config->store;
    size_t len;

    (void)take_prefix(&bare, "trace:");
    len = strcspn(bare, ":");
    if (strncmp(bare, "postgresql:", len + 1) == 0) /* libpq's other name for it */
        len = strlen("postgres");
    for (const struct store_ops *const *ops = registry; ops && *ops; ops++)
        if (strlen((*ops)->name) == len && strncmp((*ops)->name, bare, len) == 0) {
            *ret_ops = *ops;
            *ret_bare = bare;
            return 0;
        }
    return err_field(ERR_INVALID, "store",
        "There is no store \"%.*s\": use sqlite, memory, postgres://…, dynamodb://… or "
        "firestore://….",
        (int)len, bare);
}

int store_open(const struct config *config, const struct env *env, struct sealer *sealer,
    struct store **ret_store)
{
    const struct store_ops *ops;
    const char *bare;
    int r = find_ops(config, &ops, &bare);

    return r < 0 ? r : store_open_with(ops, config, config->store, env, sealer, ret_store);
}

int store_plan(const struct config *config, const struct env *env, struct buf *out)
{
    const struct store_ops *ops;
    const char *bare;
    int r = find_ops(config, &ops, &bare);

    if (r < 0)
        return r;
    if (!ops->plan)
        return err_set(ERR_DENIED,
            "A store \"%s\" cannot say beforehand what it would change: run theo migrate.",
            ops->name);
    return ops->plan(config, bare, env, out);
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store->ops->close(store->backend);
    key_cache_free(store->keys);
    free(store);
}

const char *store_name(const struct store *store)
{
    return store->name;
}

void store_stats(const struct store *store, struct store_stats *ret_stats)
{
    store->ops->stats(store->backend, ret_stats);
}

int store_health(struct store *store)
{
    int64_t deadline = front_begin();

    int r = store->ops->health(store->backend);

    return front_end(deadline, r == 0 ? sealer_health(store->sealer) : r);
}

/* Make the workspace's data keys usable if the workspace is known. 0 or STORE_MISSING. */
static int load_data_keys(struct store *store, struct str workspace_id, struct arena *arena)
{
    struct workspace_row row;
    struct str rest = STR(""), hex, wrapped;
    int64_t looked_ms = env_mono_ms(store->env);
    int r =
        store->ops->get(store->backend, STORE_WORKSPACES, workspace_id, workspace_id, arena, &row);

    if (r != 0)
        return r;
    rest = row.data_key;
    while (r == 0 && str_next(&rest, ',', &hex)) {
        if (!hex_decode(arena, hex, &wrapped))
            return err_set(ERR_CORRUPT,
                "The data key of workspace %.*s is damaged: restore the store from a backup.",
                STR_ARG(workspace_id));
        r = sealer_add_data_key(store->sealer, workspace_id, wrapped);
    }
    if (r == 0)
        sealer_set_fresh(store->sealer, workspace_id, looked_ms);
    return r;
}

/* 0, or STORE_EXISTS when another process or fiber was first. The new key is used only once it is
 * stored: what is sealed under a lost key is lost. */
static int make_workspace(struct store *store, struct str workspace_id, struct arena *arena)
{
    struct workspace_row row = {.workspace_id = workspace_id,
        .id = workspace_id,
        .version = 1,
        .name = workspace_id,
        .settings = STR("{}"),
        .created_at = env_wall_ms(store->env)};
    struct store_batch batch;
    struct str wrapped;
    int r = sealer_make_data_key(store->sealer, workspace_id, arena, &wrapped);

    if (r < 0)
        return r;
    row.data_key = hex_encode(arena, wrapped);
    store_batch_init(&batch, arena);
    store_insert(&batch, STORE_WORKSPACES, &row);
    r = store->ops->commit(store->backend, &batch);
    return r == 0 ? sealer_add_data_key(store->sealer, workspace_id, wrapped) : r;
}

int front_need_key(struct store *store, struct str workspace_id, bool create)
{
    struct arena arena;
    int r;

    if (create ? sealer_is_fresh(store->sealer, workspace_id)
               : sealer_has_data_key(store->sealer, workspace_id))
        return 0;
    arena_init(&arena);
    r = load_data_keys(store, workspace_id, &arena);
    if (r == STORE_MISSING && create) {
        r = make_workspace(store, workspace_id, &arena);
        if (r == STORE_EXISTS)
            r = load_data_keys(store, workspace_id, &arena);
    }
    if (r == STORE_MISSING)
        r = err_set(ERR_CORRUPT,
            "Workspace %.*s has rows but no data key: restore the store from a backup.",
            STR_ARG(workspace_id));
    arena_deinit(&arena);
    return r;
}

int store_workspace(struct store *store, struct str workspace_id)
{
    int64_t deadline;
    int r = check_workspace(workspace_id);

    if (r < 0 || sealer_has_data_key(store->sealer, workspace_id))
        return r;
    deadline = front_begin();
    return front_end(deadline, front_need_key(store, workspace_id, true));
}

/* The batch as the back end sees it: the same ops with sealed copies of the rows. The caller's rows
 * stay as they are, so that the same batch can be committed again after ERR_TIMEOUT. */
static int seal_batch(
    struct store *store, const struct store_batch *batch, struct store_batch *ret_sealed)
{
    struct store_batch sealed = *batch;

    sealed.ops = arena_array(batch->arena, struct store_op, batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        struct store_op *op = &sealed.ops[i];
        const struct store_schema *schema = &store_schemas[batch->ops[i].entity];
        void *row;
        int r;

        *op = batch->ops[i];
        if (op->kind == OP_DELETE || op->kind == OP_DELETE_ALL || schema->secret_count == 0)
            continue;
        r = front_need_key(store, *row_str(op->row, &schema->columns[0]), true);
        row = row_pack(schema, op->row, batch->arena);
        if (r == 0 && !store->plain)
            r = row_seal(store->sealer, schema, batch->arena, row);
        if (r < 0)
            return r;
        op->row = row;
    }
    *ret_sealed = sealed;
    return 0;
}

int store_commit(struct store *store, struct store_batch *batch)
{
    struct store_batch sealed;
    int64_t deadline;
    int r = check_batch(batch);

    if (r < 0 || batch->count == 0)
        return r;
    deadline = front_begin();
    r = seal_batch(store, batch, &sealed);
    if (r == 0) {
        r = store->ops->commit(store->backend, &sealed);
        batch->failed = sealed.failed;
    }
    if (r == 0)
        metric_add(M_STORE_BATCHES, NULL, 1);
    return front_end(deadline, r);
}

/* A data key that is not known was made by somebody else meanwhile: the workspace's row has it. */
static int open_row(
    struct store *store, const struct store_schema *schema, struct arena *arena, void *row)
{
    int r = row_unseal(store->sealer, schema, arena, row);

    if (r != ERR_NOT_FOUND)
        return r;
    r = load_data_keys(store, *row_str(row, &schema->columns[0]), arena);
    if (r == 0)
        r = row_unseal(store->sealer, schema, arena, row);
    if (r == ERR_NOT_FOUND || r == STORE_MISSING)
        r = err_set(ERR_CORRUPT,
            "A row of %s was sealed under a data key that its workspace does not have: restore the "
            "store from a backup.",
            schema->table);
    return r;
}

int front_open_rows(
    struct store *store, enum store_entity entity, struct arena *arena, void *rows, size_t count)
{
    const struct store_schema *schema = &store_schemas[entity];

    if (schema->secret_count == 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        void *row = (char *)rows + i * schema->row_size;
        int r = 0;

        if (!store->plain)
            r = front_need_key(store, *row_str(row, &schema->columns[0]), false);
        if (r == 0 && !store->plain)
            r = open_row(store, schema, arena, row);
        if (r == 0)
            r = row_unpack(schema, row);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Rows are read into memory of our own first: ret_row stays untouched on failure. */
union any_row {
#define ENTITY_BY_ID(name, upper, table) struct name##_row name;
#define ENTITY_BY_SEQ(name, upper, table, parent) struct name##_row name;
#define TEXT(name, column)
#define SEALED(name, column)
#define INT(name, column)
#define TIME(name, column)
#define LIST(name, number, column, order)
#define UNIQUE(name, number, column)
#define GLOBAL(name, number, column)
#define ENTITY_END(name)
#include "store/entities.def"
};

static int finish_row(struct store *store, enum store_entity entity, struct arena *arena, int r,
    union any_row *row, void *ret_row)
{
    if (r == 0)
        r = front_open_rows(store, entity, arena, row, 1);
    if (r == 0)
        memcpy(ret_row, row, store_schemas[entity].row_size);
    return r;
}

int store_get(struct store *store, enum store_entity entity, struct str workspace_id, struct str id,
    struct arena *arena, void *ret_row)
{
    union any_row row;
    int64_t deadline;
    int r = check_entity(entity);

    if (r == 0 && store_schemas[entity].by_seq)
        r = err_field(
            ERR_INVALID, "entity", "%s are read with store_list.", store_schemas[entity].table);
    if (r == 0)
        r = check_workspace(workspace_id);
    if (r < 0)
        return r;
    if (str_empty(id) || id.len > STORE_KEY_MAX)
        return STORE_MISSING;
    deadline = front_begin();
    r = store->ops->get(store->backend, entity, workspace_id, id, arena, &row);
    return front_end(deadline, finish_row(store, entity, arena, r, &row, ret_row));
}

int store_find(struct store *store, enum store_entity entity, struct str workspace_id, int index,
    struct str value, struct arena *arena, void *ret_row)
{
    union any_row row;
    int64_t deadline;
    int r = check_find(entity, workspace_id, index);

    if (r < 0)
        return r;
    if (str_empty(value) || value.len > STORE_KEY_MAX)
        return STORE_MISSING;
    deadline = front_begin();
    r = store->ops->find(store->backend, entity, workspace_id, index, value, arena, &row);
    return front_end(deadline, finish_row(store, entity, arena, r, &row, ret_row));
}

static struct str cursor_after(
    const struct store_query *query, const void *row, struct arena *arena)
{
    const struct store_schema *schema = &store_schemas[query->entity];
    int64_t order = 0;

    if (query->index == STORE_CHILDREN)
        order = *row_int(row, &schema->columns[2]);
    else if (query->index >= 0)
        order = *row_int(row, &schema->columns[schema->indexes[query->index].order]);
    return cursor_make(query, order, *row_str(row, &schema->columns[1]), arena);
}

static int list(struct store *store, const struct store_query *query, struct arena *arena,
    struct store_page *ret_page)
{
    struct store_query asked = *query;
    struct store_page page = {0};
    struct str after_id = {"", 0};
    int64_t after_order = 0;
    int r = 0;

    if (query->index >= 0 && str_empty(query->value)) { /* such rows are in no list */
        *ret_page = (struct store_page){.cursor = {"", 0}};
        return 0;
    }
    if (!str_empty(query->cursor))
        r = cursor_open(query, arena, &after_order, &after_id);
    asked.limit++; /* one more tells whether there is another page */
    if (r == 0)
        r = store->ops->list(store->backend, &asked, after_order, after_id, arena, &page);
    if (r < 0)
        return r;
    page.cursor = (struct str){"", 0};
    page.more = page.count > query->limit;
    page.count = MIN(page.count, query->limit);
    if (page.more && !query->no_cursor)
        page.cursor = cursor_after(query,
            (char *)page.rows + (page.count - 1) * store_schemas[query->entity].row_size, arena);
    r = front_open_rows(store, query->entity, arena, page.rows, page.count);
    if (r == 0)
        *ret_page = page;
    return r;
}

int store_list(struct store *store, const struct store_query *query, struct arena *arena,
    struct store_page *ret_page)
{
    int64_t deadline;
    int r = check_query(query);

    if (r < 0)
        return r;
    deadline = front_begin();
    return front_end(deadline, list(store, query, arena, ret_page));
}
