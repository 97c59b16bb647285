/* A batch as a plan: what is at each document it touches, and what will be.
 *
 * The first plan reads only what it must: rows that are updated, replaced or deleted. An insert
 * takes its row and its unique values for absent, which the commit's preconditions prove. If they
 * do not hold, the next plan is careful: it reads everything and finds the outcome by itself. */
#include "store/firestore.h"
#include "store/sorted.h"

#define PAGE 300 /* rows of one question of delete_all */

static struct fs_entry *entry_for(
    struct fs_plan *plan, struct str name, const struct store_schema *schema)
{
    struct fs_entry *entry = sorted_get(plan->map, name);

    if (entry)
        return entry;
    if (plan->count == plan->capacity) {
        size_t capacity = plan->capacity ? plan->capacity * 2 : 16;
        plan->entries = arena_grow(
            plan->arena, plan->entries, plan->capacity * sizeof(entry), capacity * sizeof(entry));
        plan->capacity = capacity;
    }
    entry = arena_new(plan->arena, struct fs_entry);
    *entry = (struct fs_entry){.name = name, .schema = schema};
    plan->entries[plan->count++] = entry;
    sorted_insert(plan->map, name, entry);
    return entry;
}

/* What was read at a name; doc NULL: nothing is there. */
static int learn(struct fs_plan *plan, struct fs_entry *entry, const struct json *doc)
{
    const struct json *fields = json_get(doc, "fields");
    void *row;
    int r;

    entry->known = true;
    if (!doc)
        return 0;
    entry->was = entry->is = true;
    entry->update_time = json_get_str(doc, "updateTime");
    entry->write = fs_read_text(fields, "write");
    entry->was_parts = fs_read_int(fields, "parts");
    entry->was_part_id = fs_read_text(fields, "part_id");
    entry->workspace_id = fs_read_text(fields, "workspace_id");
    entry->id = fs_read_text(fields, "id");
    if (!entry->schema)
        return 0;
    row = arena_zalloc(plan->arena, 1, entry->schema->row_size);
    r = fs_read_row(entry->schema, fields, plan->arena, row);
    entry->row = row;
    return r;
}

/* Fetch what is at the names of the entries that are not known. Yields. */
static int read_entries(struct fs_plan *plan)
{
    struct str *names = arena_array(plan->arena, struct str, plan->count + 1);
    const struct json **docs = arena_array(plan->arena, const struct json *, plan->count + 1);
    size_t count = 0;
    int r;

    for (size_t i = 0; i < plan->count; i++)
        if (!plan->entries[i]->known)
            names[count++] = plan->entries[i]->name;
    r = fs_get_docs(plan->fs, names, count, false, plan->arena, docs);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = learn(plan, sorted_get(plan->map, names[i]), docs[i]);
    return r;
}

static struct fs_entry *row_entry(struct fs_plan *plan, const struct store_op *op)
{
    const struct store_schema *schema = &store_schemas[op->entity];

    return entry_for(plan, fs_row_name(plan->fs, schema, op->row, plan->arena), schema);
}

/* NULL: the row has no value there. */
static struct fs_entry *marker_entry(
    struct fs_plan *plan, const struct store_schema *schema, int index, const void *row)
{
    struct str value = *row_str(row, &schema->columns[schema->indexes[index].column]);

    if (schema->indexes[index].kind == INDEX_LIST || str_empty(value))
        return NULL;
    return entry_for(plan,
        fs_marker_name(
            plan->fs, schema, index, *row_str(row, &schema->columns[0]), value, plan->arena),
        NULL);
}

/* Every row of a delete_all, page after page. */
static int find_bulk(struct fs_plan *plan, const struct store_op *op)
{
    const struct store_schema *schema = &store_schemas[op->entity];
    const struct store_query query = {.entity = op->entity,
        .workspace_id = op->workspace_id,
        .index = op->index,
        .value = op->parent,
        .from = INT64_MIN};
    struct fs_question question = {.query = &query, .without_data = true, .limit = PAGE};
    const struct json **docs;
    size_t count;
    int r;

    do {
        r = fs_ask(plan->fs, &question, plan->arena, &docs, &count);
        for (size_t i = 0; r == 0 && i < count; i++) {
            struct fs_entry *entry = entry_for(plan, json_get_str(docs[i], "name"), schema);
            if (!entry->known)
                r = learn(plan, entry, docs[i]);
            question.after_order = *row_int(
                entry->row, &schema->columns[op->index < 0 ? 2 : schema->indexes[op->index].order]);
            question.after_id = *row_str(entry->row, &schema->columns[1]);
        }
    } while (r == 0 && count == PAGE);
    return r;
}

static int read_rows(struct fs_plan *plan)
{
    struct store_batch *batch = plan->batch;
    int r = 0;

    for (size_t i = 0; r == 0 && i < batch->count; i++)
        if (batch->ops[i].kind == OP_DELETE_ALL)
            r = find_bulk(plan, &batch->ops[i]);
    for (size_t i = 0; i < batch->count; i++) {
        const struct store_op *op = &batch->ops[i];
        const struct store_schema *schema = &store_schemas[op->entity];
        if (op->kind == OP_DELETE_ALL || (op->kind == OP_INSERT && !plan->careful))
            continue;
        row_entry(plan, op);
        for (size_t j = 0; plan->careful && op->kind != OP_DELETE && j < schema->index_count; j++)
            marker_entry(plan, schema, (int)j, op->row);
    }
    return r == 0 ? read_entries(plan) : r;
}

/* Give back the values that a row holds. */
static void free_values(struct fs_plan *plan, const struct store_schema *schema, const void *row)
{
    for (size_t i = 0; i < schema->index_count; i++) {
        struct fs_entry *marker = marker_entry(plan, schema, (int)i, row);
        if (!marker)
            continue;
        if (!marker->known) /* it is there as long as its row is as it was read */
            marker->known = marker->was = true;
        marker->is = false;
        marker->touched = true;
    }
}

static bool owns(const struct fs_entry *marker, const struct store_schema *schema, const void *row)
{
    return str_eq(marker->workspace_id, *row_str(row, &schema->columns[0])) &&
           str_eq(marker->id, *row_str(row, &schema->columns[1]));
}

/* Take the values of row, whose place old_row (or NULL) has; false: one is another row's. */
static bool take_values(
    struct fs_plan *plan, const struct store_schema *schema, const void *row, const void *old_row)
{
    for (size_t i = 0; i < schema->index_count; i++) {
        const struct store_column *column = &schema->columns[schema->indexes[i].column];
        struct fs_entry *marker;
        if (old_row && str_eq(*row_str(row, column), *row_str(old_row, column)))
            continue;
        marker = marker_entry(plan, schema, (int)i, row);
        if (marker && marker->is && !owns(marker, schema, row))
            return false;
    }
    for (size_t i = 0; i < schema->index_count; i++) {
        const struct store_column *column = &schema->columns[schema->indexes[i].column];
        struct fs_entry *marker;
        if (old_row && str_eq(*row_str(row, column), *row_str(old_row, column)))
            continue;
        marker = old_row ? marker_entry(plan, schema, (int)i, old_row) : NULL;
        if (marker) {
            marker->was = marker->was || !marker->known;
            marker->known = marker->touched = true;
            marker->is = false;
        }
        marker = marker_entry(plan, schema, (int)i, row);
        if (marker) {
            marker->known = marker->touched = marker->is = true;
            marker->workspace_id = *row_str(row, &schema->columns[0]);
            marker->id = *row_str(row, &schema->columns[1]);
        }
    }
    return true;
}

static int write_row(struct fs_plan *plan, const struct store_op *op)
{
    const struct store_schema *schema = &store_schemas[op->entity];
    struct fs_entry *entry = row_entry(plan, op);
    int64_t version = 1;
    void *row;

    entry->known = true;
    if (op->kind == OP_INSERT && entry->is)
        return STORE_EXISTS;
    if (op->kind == OP_UPDATE && !entry->is)
        return STORE_MISSING;
    if (entry->is && !schema->by_seq) {
        int64_t expected = *row_int(op->row, &schema->columns[2]);
        version = *row_int(entry->row, &schema->columns[2]);
        if (op->kind == OP_UPDATE && expected != 0 && expected != version)
            return STORE_CONFLICT;
        version++;
    }
    if (!take_values(plan, schema, op->row, entry->is ? entry->row : NULL))
        return STORE_EXISTS;
    row = arena_alloc(plan->arena, schema->row_size);
    memcpy(row, op->row, schema->row_size);
    if (!schema->by_seq)
        *row_int(row, &schema->columns[2]) = version;
    entry->row = row;
    entry->is = entry->touched = true;
    entry->bulk = false;
    return 0;
}

static void remove_row(struct fs_plan *plan, struct fs_entry *entry, bool bulk)
{
    if (!entry->is)
        return;
    free_values(plan, entry->schema, entry->row);
    entry->is = false;
    entry->touched = true;
    entry->bulk = bulk;
}

static void remove_all(struct fs_plan *plan, const struct store_op *op)
{
    const struct store_schema *schema = &store_schemas[op->entity];
    int column = op->index < 0 ? 1 : schema->indexes[op->index].column;
    size_t count = plan->count; /* markers are added meanwhile */

    for (size_t i = 0; i < count; i++) {
        struct fs_entry *entry = plan->entries[i];
        if (entry->schema == schema && entry->is &&
            str_eq(*row_str(entry->row, &schema->columns[0]), op->workspace_id) &&
            str_eq(*row_str(entry->row, &schema->columns[column]), op->parent))
            remove_row(plan, entry, true);
    }
}

int fs_plan_make(struct fs_plan *plan)
{
    int r = read_rows(plan);

    for (size_t i = 0; r == 0 && i < plan->batch->count; i++) {
        const struct store_op *op = &plan->batch->ops[i];
        if (op->kind == OP_DELETE_ALL)
            remove_all(plan, op);
        else if (op->kind == OP_DELETE)
            remove_row(plan, row_entry(plan, op), false);
        else
            r = write_row(plan, op);
        plan->batch->failed = i;
    }
    return r;
}
