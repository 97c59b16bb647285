/* store "memory": everything in sorted maps under one mutex, lost at exit.
 *
 * For tests, demonstrations and measuring everything but a disk. It runs on the calling thread and
 * never yields: an operation takes about a microsecond. */
#include "store/front.h"
#include "store/sorted.h"
#include "watch/metrics.h"

#include <pthread.h>

#define INDEX_MAX 4
#define PAGE_ROWS 24

struct table {
    struct sorted rows; /* (workspace, id) or (workspace, parent, seq) */
    struct sorted indexes[INDEX_MAX];
};

struct store_backend {
    pthread_mutex_t mutex;
    struct table tables[STORE_ENTITY_COUNT];
    struct sorted meta;
    struct store_stats stats;
};

/* A key: strings end in a NUL (the front lets none in), numbers are 8 bytes that sort. */
struct key {
    size_t len;
    char bytes[2 * STORE_KEY_MAX + STORE_WORKSPACE_MAX + 64];
};

static struct str key_str(const struct key *key)
{
    return (struct str){key->bytes, key->len};
}

static void key_add(struct key *key, struct str part)
{
    assert(key->len + part.len + 1 <= sizeof(key->bytes));
    if (part.len)
        memcpy(key->bytes + key->len, part.ptr, part.len);
    key->len += part.len;
    key->bytes[key->len++] = '\0';
}

static void key_add_int(struct key *key, int64_t number)
{
    uint64_t bits = (uint64_t)number ^ (uint64_t)1 << 63;

    assert(key->len + 8 <= sizeof(key->bytes));
    for (int i = 0; i < 8; i++)
        key->bytes[key->len++] = (char)(bits >> (56 - 8 * i) & 255);
}

static void row_key(const struct store_schema *schema, const void *row, struct key *ret_key)
{
    ret_key->len = 0;
    key_add(ret_key, *row_str(row, &schema->columns[0]));
    key_add(ret_key, *row_str(row, &schema->columns[1]));
    if (schema->by_seq)
        key_add_int(ret_key, *row_int(row, &schema->columns[2]));
}

static void index_prefix(
    const struct store_index *index, struct str workspace_id, struct str value, struct key *ret_key)
{
    ret_key->len = 0;
    if (index->kind != INDEX_GLOBAL)
        key_add(ret_key, workspace_id);
    key_add(ret_key, value);
}

/* False: the row is not in this index, because its value is empty. */
static bool index_key(const struct store_schema *schema, const struct store_index *index,
    const void *row, struct key *ret_key)
{
    struct str value = *row_str(row, &schema->columns[index->column]);

    if (str_empty(value))
        return false;
    index_prefix(index, *row_str(row, &schema->columns[0]), value, ret_key);
    if (index->kind == INDEX_LIST) {
        key_add_int(ret_key, *row_int(row, &schema->columns[index->order]));
        key_add(ret_key, *row_str(row, &schema->columns[1]));
    }
    return true;
}

/* In front of a row that is kept. */
struct kept {
    size_t text_len; /* of all its strings, with a NUL behind each */
    char row[] __attribute__((aligned(16)));
};

static struct kept *kept_of(const void *row)
{
    return (struct kept *)((uintptr_t)row - offsetof(struct kept, row));
}

static void row_free(void *row)
{
    if (row)
        free(kept_of(row));
}

/* One block of memory: the struct and behind it the bytes of its strings. */
static void *row_copy(const struct store_schema *schema, const void *row)
{
    size_t text_len = 0;
    struct kept *kept;
    char *copy, *bytes;

    for (size_t i = 0; i < schema->column_count; i++)
        if (schema->columns[i].type == COLUMN_TEXT || schema->columns[i].type == COLUMN_SEALED)
            text_len += row_str(row, &schema->columns[i])->len + 1;
    kept = xmalloc(sizeof(*kept) + schema->row_size + text_len);
    kept->text_len = text_len;
    copy = kept->row;
    memcpy(copy, row, schema->row_size);
    bytes = copy + schema->row_size;
    for (size_t i = 0; i < schema->column_count; i++) {
        struct str *value = row_str(copy, &schema->columns[i]);
        if (schema->columns[i].type != COLUMN_TEXT && schema->columns[i].type != COLUMN_SEALED)
            continue;
        if (value->len)
            memcpy(bytes, value->ptr, value->len);
        bytes[value->len] = '\0';
        value->ptr = bytes;
        bytes += value->len + 1;
    }
    return copy;
}

/* A copy of a row that this store keeps, in ret_row, its strings in arena: they are moved at once,
 * because row_copy() laid them side by side behind the row. */
static void row_read(
    const struct store_schema *schema, const void *row, struct arena *arena, void *ret_row)
{
    const char *bytes = (const char *)row + schema->row_size;
    size_t text_len = kept_of(row)->text_len;
    char *copy = arena_alloc(arena, text_len);
    const struct store_column *end = schema->columns + schema->column_count;

    memcpy(copy, bytes, text_len);
    memcpy(ret_row, row, schema->row_size);
    for (const struct store_column *column = schema->columns; column < end; column++)
        if (column->type == COLUMN_TEXT || column->type == COLUMN_SEALED) {
            struct str *value = row_str(ret_row, column);

            value->ptr = copy + (value->ptr - bytes);
        }
}

/* What was done so far in a batch, to be taken back if a later op fails. */
struct change {
    enum store_entity entity;
    void *old_row, *new_row; /* NULL: there was, or is, none */
};

struct changes {
    struct arena arena;
    struct change *items;
    size_t count, capacity;
};

/* Put new_row (may be NULL) in the place of old_row (may be NULL). Both have the same key. */
static void replace(
    struct store_backend *memory, enum store_entity entity, void *old_row, void *new_row)
{
    const struct store_schema *schema = &store_schemas[entity];
    struct table *table = &memory->tables[entity];
    struct key key;

    row_key(schema, old_row ? old_row : new_row, &key);
    if (!new_row)
        sorted_remove(&table->rows, key_str(&key));
    else if (old_row)
        sorted_set(&table->rows, key_str(&key), new_row);
    else
        sorted_insert(&table->rows, key_str(&key), new_row);
    for (size_t i = 0; i < schema->index_count; i++) {
        if (old_row && index_key(schema, &schema->indexes[i], old_row, &key))
            sorted_remove(&table->indexes[i], key_str(&key));
        if (new_row && index_key(schema, &schema->indexes[i], new_row, &key))
            sorted_insert(&table->indexes[i], key_str(&key), new_row);
    }
}

static void change(struct store_backend *memory, struct changes *changes, enum store_entity entity,
    void *old_row, void *new_row)
{
    if (changes->count == changes->capacity) {
        size_t capacity = changes->capacity ? changes->capacity * 2 : 16;
        changes->items = arena_grow(&changes->arena, changes->items,
            changes->capacity * sizeof(struct change), capacity * sizeof(struct change));
        changes->capacity = capacity;
    }
    changes->items[changes->count++] = (struct change){entity, old_row, new_row};
    replace(memory, entity, old_row, new_row);
}

/* Is a unique value of row taken by another row than old_row? */
static bool value_taken(const struct store_backend *memory, const struct store_schema *schema,
    const void *row, const void *old_row)
{
    struct key key;

    for (size_t i = 0; i < schema->index_count; i++) {
        const struct store_index *index = &schema->indexes[i];
        void *holder;
        if (index->kind == INDEX_LIST || !index_key(schema, index, row, &key))
            continue;
        holder = sorted_get(&memory->tables[schema->entity].indexes[i], key_str(&key));
        if (holder && holder != old_row)
            return true;
    }
    return false;
}

static int write_row(
    struct store_backend *memory, struct changes *changes, const struct store_op *op)
{
    const struct store_schema *schema = &store_schemas[op->entity];
    void *old_row, *new_row;
    struct key key;
    int64_t version = 1;

    row_key(schema, op->row, &key);
    old_row = sorted_get(&memory->tables[op->entity].rows, key_str(&key));
    if (op->kind == OP_INSERT && old_row)
        return STORE_EXISTS;
    if (op->kind == OP_UPDATE && !old_row)
        return STORE_MISSING;
    if (old_row && !schema->by_seq) {
        int64_t expected = *row_int(op->row, &schema->columns[2]);
        version = *row_int(old_row, &schema->columns[2]);
        if (op->kind == OP_UPDATE && expected != 0 && expected != version)
            return STORE_CONFLICT;
        version++;
    }
    if (value_taken(memory, schema, op->row, old_row))
        return STORE_EXISTS;
    new_row = row_copy(schema, op->row);
    if (!schema->by_seq)
        *row_int(new_row, &schema->columns[2]) = version;
    change(memory, changes, op->entity, old_row, new_row);
    return 0;
}

/* The map and the prefix of its keys that a LIST number, the children or STORE_ALL stand for. */
static struct sorted *range_of(struct store_backend *memory, enum store_entity entity, int index,
    struct str workspace_id, struct str value, struct key *ret_prefix)
{
    const struct store_schema *schema = &store_schemas[entity];
    struct table *table = &memory->tables[entity];

    ret_prefix->len = 0;
    if (index == STORE_ALL)
        return &table->rows;
    if (index == STORE_CHILDREN) {
        key_add(ret_prefix, workspace_id);
        key_add(ret_prefix, value);
        return &table->rows;
    }
    index_prefix(&schema->indexes[index], workspace_id, value, ret_prefix);
    return &table->indexes[index];
}

static int delete_rows(
    struct store_backend *memory, struct changes *changes, const struct store_op *op)
{
    struct key key;
    struct sorted_node *node;
    struct sorted *map;

    if (op->kind == OP_DELETE) {
        void *old_row;
        row_key(&store_schemas[op->entity], op->row, &key);
        old_row = sorted_get(&memory->tables[op->entity].rows, key_str(&key));
        if (old_row)
            change(memory, changes, op->entity, old_row, NULL);
        return 0;
    }
    map = range_of(memory, op->entity, op->index, op->workspace_id, op->parent, &key);
    while ((node = sorted_from(map, key_str(&key))) && str_starts(node->key, key_str(&key)))
        change(memory, changes, op->entity, node->value, NULL);
    return 0;
}

/* Keep the changes or take them back, the last one first; the rows that lost are freed. */
static void finish_changes(struct store_backend *memory, struct changes *changes, bool keep)
{
    while (changes->count > 0) {
        struct change *item = &changes->items[--changes->count];
        if (!keep)
            replace(memory, item->entity, item->new_row, item->old_row);
        row_free(keep ? item->old_row : item->new_row);
    }
    arena_deinit(&changes->arena);
}

static int memory_commit(struct store_backend *memory, struct store_batch *batch)
{
    struct changes changes = {0};
    int r = 0;

    arena_init(&changes.arena);
    pthread_mutex_lock(&memory->mutex);
    for (size_t i = 0; r == 0 && i < batch->count; i++) {
        const struct store_op *op = &batch->ops[i];
        if (op->kind == OP_DELETE || op->kind == OP_DELETE_ALL)
            r = delete_rows(memory, &changes, op);
        else
            r = write_row(memory, &changes, op);
        batch->failed = i;
    }
    finish_changes(memory, &changes, r == 0);
    memory->stats.batches += r == 0;
    memory->stats.commits += r == 0;
    pthread_mutex_unlock(&memory->mutex);
    if (r == 0)
        metric_add(M_STORE_COMMITS, NULL, 1);
    return r;
}

static int read_row(struct store_backend *memory, enum store_entity entity, struct sorted *map,
    const struct key *key, struct arena *arena, void *ret_row)
{
    const struct store_schema *schema = &store_schemas[entity];
    void *row;

    pthread_mutex_lock(&memory->mutex);
    row = sorted_get(map, key_str(key));
    if (row)
        row_read(schema, row, arena, ret_row);
    pthread_mutex_unlock(&memory->mutex);
    return row ? 0 : STORE_MISSING;
}

static int memory_get(struct store_backend *memory, enum store_entity entity,
    struct str workspace_id, struct str id, struct arena *arena, void *ret_row)
{
    struct key key = {.len = 0};

    key_add(&key, workspace_id);
    key_add(&key, id);
    return read_row(memory, entity, &memory->tables[entity].rows, &key, arena, ret_row);
}

static int memory_find(struct store_backend *memory, enum store_entity entity,
    struct str workspace_id, int index, struct str value, struct arena *arena, void *ret_row)
{
    const struct store_schema *schema = &store_schemas[entity];
    struct key key;
    int r;

    index_prefix(&schema->indexes[index], workspace_id, value, &key);
    r = read_row(memory, entity, &memory->tables[entity].indexes[index], &key, arena, ret_row);
    if (r == 0 && !str_empty(workspace_id) &&
        !str_eq(workspace_id, *row_str(ret_row, &schema->columns[0])))
        return STORE_MISSING; /* a global value of another workspace */
    return r;
}

static int64_t row_order(const struct store_schema *schema, int index, const void *row)
{
    if (index == STORE_ALL)
        return 0;
    if (index == STORE_CHILDREN)
        return *row_int(row, &schema->columns[2]);
    return *row_int(row, &schema->columns[schema->indexes[index].order]);
}

/* Where a page starts: behind the cursor, or at the bound of the order. */
static struct sorted_node *list_start(const struct sorted *map, const struct key *prefix,
    const struct store_query *query, int64_t after_order, struct str after_id)
{
    struct key key = *prefix;
    struct sorted_node *node;

    if (!str_empty(after_id)) {
        if (query->index == STORE_ALL)
            key_add(&key, after_id);
        else
            key_add_int(&key, after_order);
        if (query->index != STORE_CHILDREN)
            key_add(&key, after_id); /* of STORE_ALL, the id: it equals the workspace */
        if (query->descending)
            return sorted_before(map, key_str(&key));
        node = sorted_from(map, key_str(&key));
        return node && str_eq(node->key, key_str(&key)) ? node->next[0] : node;
    }
    if (!query->descending) {
        if (query->index != STORE_ALL)
            key_add_int(&key, query->from);
        return sorted_from(map, key_str(&key));
    }
    if (query->index != STORE_ALL && query->to != 0) {
        key_add_int(&key, query->to);
    } else { /* above every order, and above every workspace, which is ASCII */
        memset(key.bytes + key.len, 0xff, 9);
        key.len += 9;
    }
    return sorted_before(map, key_str(&key));
}

static bool in_range(
    const struct sorted_node *node, const struct key *prefix, const struct store_query *query)
{
    int64_t order;

    if (!node || !str_starts(node->key, key_str(prefix)))
        return false;
    if (query->index == STORE_ALL)
        return true;
    order = row_order(&store_schemas[query->entity], query->index, node->value);
    return query->descending ? order >= query->from : query->to == 0 || order < query->to;
}

static int memory_list(struct store_backend *memory, const struct store_query *query,
    int64_t after_order, struct str after_id, struct arena *arena, struct store_page *ret_page)
{
    const struct store_schema *schema = &store_schemas[query->entity];
    struct buf rows = BUF_IN(arena);
    struct store_page page = {0};
    struct sorted_node *node;
    struct sorted *map;
    struct key prefix;

    pthread_mutex_lock(&memory->mutex);
    map = range_of(memory, query->entity, query->index, query->workspace_id, query->value, &prefix);
    node = list_start(map, &prefix, query, after_order, after_id);
    if (in_range(node, &prefix, query)) /* a page of the usual size at once */
        buf_reserve(&rows, MIN(query->limit, (size_t)PAGE_ROWS) * schema->row_size);
    while (page.count < query->limit && in_range(node, &prefix, query)) {
        buf_reserve(&rows, schema->row_size);
        row_read(schema, node->value, arena, rows.ptr + rows.len);
        rows.len += schema->row_size;
        page.count++;
        node = query->descending ? node->prev : node->next[0];
    }
    pthread_mutex_unlock(&memory->mutex);
    page.rows = rows.ptr;
    *ret_page = page;
    return 0;
}

/* A copy of a table's rows, so that the visitor works outside the lock. */
static char *copy_table(
    struct store_backend *memory, enum store_entity entity, struct arena *arena, size_t *ret_count)
{
    const struct sorted *rows = &memory->tables[entity].rows;
    const struct store_schema *schema = &store_schemas[entity];
    char *copy = arena_zalloc(arena, rows->count, schema->row_size);
    size_t count = 0;

    for (struct sorted_node *node = rows->head->next[0]; node; node = node->next[0])
        row_read(schema, node->value, arena, copy + count++ * schema->row_size);
    *ret_count = count;
    return copy;
}

static int memory_scan(struct store_backend *memory, const struct store_visitor *visitor)
{
    char *tables[STORE_ENTITY_COUNT];
    size_t counts[STORE_ENTITY_COUNT];
    struct arena arena;
    int r = 0;

    arena_init(&arena);
    pthread_mutex_lock(&memory->mutex);
    for (int i = 0; i < STORE_ENTITY_COUNT; i++)
        tables[i] = copy_table(memory, (enum store_entity)i, &arena, &counts[i]);
    pthread_mutex_unlock(&memory->mutex);
    for (int i = 0; r == 0 && i < STORE_ENTITY_COUNT; i++)
        if (counts[i] > 0)
            r = visitor->rows(visitor->ctx, (enum store_entity)i, tables[i], counts[i]);
    arena_deinit(&arena);
    return r;
}

static int memory_health(struct store_backend *memory)
{
    (void)memory;
    return 0;
}

static int memory_meta_get(
    struct store_backend *memory, const char *name, struct arena *arena, struct str *ret_value)
{
    char *value;

    pthread_mutex_lock(&memory->mutex);
    value = sorted_get(&memory->meta, str_from(name));
    *ret_value = str_dup(arena, str_from(value));
    pthread_mutex_unlock(&memory->mutex);
    return 0;
}

static int memory_meta_set(struct store_backend *memory, const char *name, struct str value)
{
    pthread_mutex_lock(&memory->mutex);
    free(sorted_remove(&memory->meta, str_from(name)));
    sorted_insert(&memory->meta, str_from(name), str_heap(value));
    pthread_mutex_unlock(&memory->mutex);
    return 0;
}

static void memory_stats(struct store_backend *memory, struct store_stats *ret_stats)
{
    pthread_mutex_lock(&memory->mutex);
    *ret_stats = memory->stats;
    pthread_mutex_unlock(&memory->mutex);
}

static int memory_open(const struct config *config, const char *url, const struct env *env,
    struct store_backend **ret_backend)
{
    struct store_backend *memory = xcalloc(1, sizeof(*memory));

    (void)config, (void)url, (void)env;
    pthread_mutex_init(&memory->mutex, NULL);
    sorted_init(&memory->meta);
    for (size_t i = 0; i < STORE_ENTITY_COUNT; i++) {
        assert(store_schemas[i].index_count <= INDEX_MAX);
        sorted_init(&memory->tables[i].rows);
        for (size_t j = 0; j < store_schemas[i].index_count; j++)
            sorted_init(&memory->tables[i].indexes[j]);
    }
    *ret_backend = memory;
    return 0;
}

static void memory_close(struct store_backend *memory)
{
    for (size_t i = 0; i < STORE_ENTITY_COUNT; i++) {
        for (size_t j = 0; j < store_schemas[i].index_count; j++)
            sorted_deinit(&memory->tables[i].indexes[j], NULL);
        sorted_deinit(&memory->tables[i].rows, row_free);
    }
    sorted_deinit(&memory->meta, free);
    pthread_mutex_destroy(&memory->mutex);
    free(memory);
}

const struct store_ops store_memory = {
    .name = "memory",
    .ephemeral = true,
    .open = memory_open,
    .close = memory_close,
    .health = memory_health,
    .commit = memory_commit,
    .get = memory_get,
    .find = memory_find,
    .list = memory_list,
    .meta_get = memory_meta_get,
    .meta_set = memory_meta_set,
    .stats = memory_stats,
    .scan = memory_scan,
};
