/* From a batch to a plan: every item that it touches once, with what must be true of it before. The
 * ops of a batch see each other, so they are carried out here, on what is known of the rows, and
 * only the outcome is sent. */
#include "store/dynamodb.h"

static struct ddb_entry *find_entry(const struct ddb_plan *plan, const struct ddb_key *key)
{
    for (size_t i = 0; i < plan->count; i++)
        if (ddb_key_eq(&plan->entries[i].key, key))
            return &plan->entries[i];
    return NULL;
}

struct ddb_entry *ddb_plan_add(struct ddb_plan *plan, const struct ddb_key *key, size_t op)
{
    struct ddb_entry *entry;

    if (plan->count == plan->capacity) {
        size_t capacity = plan->capacity ? 2 * plan->capacity : 16;
        plan->entries = arena_grow(plan->arena, plan->entries,
            plan->capacity * sizeof(*plan->entries), capacity * sizeof(*plan->entries));
        plan->capacity = capacity;
    }
    entry = &plan->entries[plan->count++];
    *entry = (struct ddb_entry){.key = *key, .op = op};
    return entry;
}

static bool has_unique(const struct store_schema *schema)
{
    for (size_t i = 0; i < schema->index_count; i++)
        if (schema->indexes[i].kind != INDEX_LIST)
            return true;
    return false;
}

static struct str unique_value(const struct store_schema *schema, size_t index, const void *row)
{
    return row ? *row_str(row, &schema->columns[schema->indexes[index].column]) : STR("");
}

/* The value is row's from now on: 0, or STORE_EXISTS when another row of this batch has it. */
static int claim_value(struct ddb_plan *plan, const struct store_schema *schema, size_t index,
    const void *row, size_t op)
{
    struct str workspace_id = *row_str(row, &schema->columns[0]);
    struct str id = *row_str(row, &schema->columns[1]);
    struct ddb_key key = ddb_marker_key(
        schema, (int)index, workspace_id, unique_value(schema, index, row), plan->arena);
    struct ddb_entry *entry = find_entry(plan, &key);

    if (entry && !entry->remove)
        return str_eq(entry->owner, id) && str_eq(entry->owner_workspace, workspace_id)
                   ? 0
                   : STORE_EXISTS;
    if (!entry) {
        entry = ddb_plan_add(plan, &key, op);
        entry->expect = EXPECT_ABSENT;
    }
    entry->remove = false;
    entry->owner = id;
    entry->owner_workspace = workspace_id;
    return 0;
}

static void release_value(struct ddb_plan *plan, const struct store_schema *schema, size_t index,
    const void *row, size_t op)
{
    struct str workspace_id = *row_str(row, &schema->columns[0]);
    struct ddb_key key = ddb_marker_key(
        schema, (int)index, workspace_id, unique_value(schema, index, row), plan->arena);
    struct ddb_entry *entry = find_entry(plan, &key);

    if (!entry) {
        entry = ddb_plan_add(plan, &key, op);
        entry->expect = EXPECT_OWNER;
        entry->reread = true;
        entry->text = *row_str(row, &schema->columns[1]);
        entry->owner_workspace = workspace_id;
    }
    entry->remove = true;
}

/* From the unique values of row was (NULL: none) to those of row is (NULL: none). */
static int move_values(struct ddb_plan *plan, const struct store_schema *schema, const void *was,
    const void *is, size_t op)
{
    for (size_t i = 0; i < schema->index_count; i++) {
        struct str old = unique_value(schema, i, was), new = unique_value(schema, i, is);
        if (schema->indexes[i].kind == INDEX_LIST || (was && is && str_eq(old, new)))
            continue;
        if (!str_empty(old))
            release_value(plan, schema, i, was, op);
        if (!str_empty(new)) {
            int r = claim_value(plan, schema, i, is, op);
            if (r != 0)
                return r;
        }
    }
    return 0;
}

static const void *with_version(
    struct ddb_plan *plan, const struct store_schema *schema, const void *row, int64_t version)
{
    void *copy = arena_alloc(plan->arena, schema->row_size);

    memcpy(copy, row, schema->row_size);
    if (!schema->by_seq)
        *row_int(copy, &schema->columns[2]) = version;
    return copy;
}

/* What the table holds now becomes what the entry expects. 0 or STORE_MISSING. */
static int read_was(
    struct ddb_plan *plan, const struct store_schema *schema, struct ddb_entry *entry)
{
    void *row = arena_zalloc(plan->arena, 1, schema->row_size);
    const struct json *item;
    int r = ddb_get_item(plan->db, &entry->key, plan->arena, &item);

    entry->reread = true;
    if (r == STORE_MISSING)
        entry->expect = EXPECT_ABSENT;
    if (r == 0)
        r = ddb_read_row(schema, item, plan->arena, row);
    if (r != 0)
        return r;
    entry->was = row;
    entry->was_parts = (int)ddb_read_n(item, "parts");
    entry->expect = schema->by_seq ? EXPECT_WRITE : EXPECT_VERSION;
    entry->text = str_dup(plan->arena, ddb_read_s(item, "write"));
    entry->version = ddb_read_n(item, "version");
    return 0;
}

/* The row that a stable entry replaces has to be known after all. */
static int settle(struct ddb_plan *plan, const struct store_schema *schema, struct ddb_entry *entry)
{
    int64_t expected = entry->version;
    bool any = entry->expect == EXPECT_THERE;
    int r = read_was(plan, schema, entry);

    if (r < 0)
        return r;
    entry->stable = false;
    if (entry->remove)
        return 0;
    if (r == STORE_MISSING)
        return r;
    return any || entry->version == expected ? 0 : STORE_CONFLICT;
}

static int check_version(
    const struct store_op *op, const struct store_schema *schema, bool there, int64_t version)
{
    int64_t expected;

    if (op->kind == OP_INSERT && there)
        return STORE_EXISTS;
    if (op->kind != OP_UPDATE)
        return 0;
    expected = *row_int(op->row, &schema->columns[2]);
    if (!there)
        return STORE_MISSING;
    return expected != 0 && expected != version ? STORE_CONFLICT : 0;
}

/* A row that an op before touched already. */
static int write_again(
    struct ddb_plan *plan, const struct store_op *op, size_t number, struct ddb_entry *entry)
{
    const struct store_schema *schema = &store_schemas[op->entity];
    const void *now = entry->remove ? NULL : entry->row;
    int64_t version = now && !schema->by_seq ? *row_int(now, &schema->columns[2]) : 0;
    size_t at = (size_t)(entry - plan->entries);
    const void *row;
    int r = check_version(op, schema, now != NULL, version);

    if (r != 0)
        return r;
    row = with_version(plan, schema, op->row, version + 1);
    if (entry->stable) {
        r = settle(plan, schema, entry);
        if (r != 0)
            return r;
        now = entry->was;
    }
    r = move_values(plan, schema, now, row, number);
    entry = &plan->entries[at];
    entry->row = row;
    entry->remove = false;
    return r;
}

static int write_row(struct ddb_plan *plan, const struct store_op *op, size_t number)
{
    const struct store_schema *schema = &store_schemas[op->entity];
    struct ddb_key key = ddb_row_key(schema, op->row, plan->arena);
    struct ddb_entry *entry = find_entry(plan, &key), made;
    int64_t expected = schema->by_seq ? 0 : *row_int(op->row, &schema->columns[2]);
    int r = 0;

    if (entry)
        return write_again(plan, op, number, entry);
    made = (struct ddb_entry){.key = key, .op = number, .schema = schema, .expect = EXPECT_ABSENT};
    if (op->kind == OP_UPDATE && !plan->read_first) {
        made.expect = expected != 0 ? EXPECT_VERSION : EXPECT_THERE;
        made.version = expected;
        made.stable = true;
    } else if (op->kind != OP_INSERT) {
        r = read_was(plan, schema, &made);
        if (r >= 0)
            r = check_version(op, schema, made.was != NULL, made.version);
    }
    if (r != 0)
        return r;
    made.row =
        with_version(plan, schema, op->row, made.expect == EXPECT_VERSION ? made.version + 1 : 1);
    *ddb_plan_add(plan, &key, number) = made;
    return made.stable ? 0 : move_values(plan, schema, made.was, made.row, number);
}

static int delete_row(struct ddb_plan *plan, const struct store_op *op, size_t number)
{
    const struct store_schema *schema = &store_schemas[op->entity];
    struct ddb_key key = ddb_row_key(schema, op->row, plan->arena);
    struct ddb_entry *entry = find_entry(plan, &key), made;
    int r;

    if (entry) {
        const void *now = entry->remove ? NULL : entry->row;
        if (entry->stable) {
            r = settle(plan, schema, entry);
            if (r != 0)
                return r;
            now = entry->was;
        }
        entry->remove = true;
        return move_values(plan, schema, now, NULL, number);
    }
    made = (struct ddb_entry){.key = key, .op = number, .schema = schema, .remove = true};
    if (has_unique(schema) || plan->read_first) {
        r = read_was(plan, schema, &made);
        if (r == STORE_MISSING)
            return 0;
        if (r < 0)
            return r;
    } else {
        made.stable = true; /* nothing was split off: nothing else is to be deleted */
    }
    *ddb_plan_add(plan, &key, number) = made;
    return move_values(plan, schema, made.was, NULL, number);
}

static int delete_children(struct ddb_plan *plan, const struct store_op *op, size_t number)
{
    const struct store_schema *schema = &store_schemas[op->entity];
    struct str pk = ddb_children_pk(schema, op->workspace_id, op->parent, plan->arena);
    struct ddb_query query = {
        .pk = pk, .from = STR("!"), .to = STR("~"), .keys_only = true, .limit = SIZE_MAX};
    const struct json **items = NULL;
    size_t count, planned = plan->count;
    int r = ddb_query(plan->db, &query, plan->arena, &items, &count);

    if (r < 0)
        return r;
    for (size_t i = 0; i < planned; i++)
        if (plan->entries[i].schema == schema && str_eq(plan->entries[i].key.pk, pk))
            plan->entries[i].remove = true;
    for (size_t i = 0; i < count; i++) {
        struct ddb_key key = {pk, ddb_read_s(items[i], "sk")};
        struct ddb_entry *entry = planned > 0 ? find_entry(plan, &key) : NULL;
        if (entry)
            continue;
        entry = ddb_plan_add(plan, &key, number);
        entry->schema = schema;
        entry->remove = true;
        entry->was_parts = (int)ddb_read_n(items[i], "parts");
    }
    return 0;
}

/* A row of a list, read whole from the table: its version says that it is still the same. */
static int delete_listed(
    struct ddb_plan *plan, const struct store_schema *schema, const void *row, size_t number)
{
    struct ddb_key key = ddb_row_key(schema, row, plan->arena);
    struct ddb_entry *entry;

    if (find_entry(plan, &key))
        return 0; /* what this batch made of it is looked at apart */
    entry = ddb_plan_add(plan, &key, number);
    entry->schema = schema;
    entry->remove = true;
    entry->reread = true;
    entry->expect = EXPECT_VERSION;
    entry->version = *row_int(row, &schema->columns[2]);
    entry->was = row;
    entry->was_parts = ddb_split_row(schema, row, plan->arena).parts;
    return move_values(plan, schema, row, NULL, number);
}

static int delete_planned(struct ddb_plan *plan, const struct store_op *op, size_t number)
{
    const struct store_schema *schema = &store_schemas[op->entity];
    const struct store_column *column = &schema->columns[schema->indexes[op->index].column];

    for (size_t i = 0; i < plan->count; i++) {
        const struct ddb_entry *entry = &plan->entries[i];
        int r;
        if (entry->schema != schema || entry->remove || !entry->row ||
            !str_eq(*row_str(entry->row, &schema->columns[0]), op->workspace_id) ||
            !str_eq(*row_str(entry->row, column), op->parent))
            continue;
        r = delete_row(plan,
            &(struct store_op){.kind = OP_DELETE, .entity = op->entity, .row = entry->row}, number);
        if (r != 0)
            return r;
    }
    return 0;
}

static int delete_list(struct ddb_plan *plan, const struct store_op *op, size_t number)
{
    const struct store_schema *schema = &store_schemas[op->entity];
    struct store_query query = {.entity = op->entity,
        .workspace_id = op->workspace_id,
        .index = op->index,
        .value = op->parent,
        .from = INT64_MIN,
        .limit = 1000};
    struct str after_id = STR("");
    int64_t after_order = 0;
    struct store_page page;

    do {
        int r = ddb_list(plan->db, &query, after_order, after_id, plan->arena, &page);
        for (size_t i = 0; r == 0 && i < page.count; i++) {
            const void *row = (const char *)page.rows + i * schema->row_size;
            r = delete_listed(plan, schema, row, number);
            after_id = *row_str(row, &schema->columns[1]);
            after_order = *row_int(row, &schema->columns[schema->indexes[op->index].order]);
        }
        if (r != 0)
            return r;
    } while (page.count == query.limit);
    return delete_planned(plan, op, number);
}

static int plan_op(struct ddb_plan *plan, const struct store_op *op, size_t number)
{
    if (op->kind == OP_DELETE)
        return delete_row(plan, op, number);
    if (op->kind == OP_DELETE_ALL && op->index == STORE_CHILDREN)
        return delete_children(plan, op, number);
    if (op->kind == OP_DELETE_ALL)
        return delete_list(plan, op, number);
    return write_row(plan, op, number);
}

/* What rows were split into, and what is left of a former splitting. */
static void plan_parts(struct ddb_plan *plan)
{
    size_t rows = plan->count;

    for (size_t i = 0; i < rows; i++) {
        struct ddb_entry row = plan->entries[i];
        struct ddb_split split = {0};
        if (!row.schema)
            continue;
        if (!row.remove)
            split = ddb_split_row(row.schema, row.row, plan->arena);
        for (int part = 0; part < MAX(split.parts, row.was_parts); part++) {
            struct ddb_key key = ddb_part_key(&row.key, part, plan->arena);
            struct ddb_entry *entry = ddb_plan_add(plan, &key, row.op);
            size_t from = (size_t)part * DDB_PART;
            entry->remove = part >= split.parts;
            if (!entry->remove)
                entry->bytes = str_slice(split.bytes, from, from + DDB_PART);
        }
    }
}

int ddb_plan_make(struct ddb_plan *plan)
{
    for (size_t i = 0; i < plan->batch->count; i++) {
        int r = plan_op(plan, &plan->batch->ops[i], i);
        if (r > 0)
            plan->batch->failed = i;
        if (r != 0)
            return r;
    }
    plan_parts(plan);
    return 0;
}
