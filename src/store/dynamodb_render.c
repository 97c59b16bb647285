/* The JSON of a planned write: its item or key, and the condition under which it may happen. */
#include "store/dynamodb.h"

static void write_item(
    struct json_writer *w, const struct ddb_plan *plan, const struct ddb_entry *entry)
{
    if (entry->schema) {
        struct ddb_split split = ddb_split_row(entry->schema, entry->row, plan->arena);
        ddb_write_row(w, entry->schema, entry->row, &split, plan->write, plan->arena);
        return;
    }
    json_object_begin(w);
    ddb_write_s(w, "pk", entry->key.pk);
    ddb_write_s(w, "sk", entry->key.sk);
    ddb_write_s(w, "write", plan->write);
    if (!str_empty(entry->bytes)) {
        ddb_write_b(w, "bytes", entry->bytes);
    } else {
        ddb_write_s(w, "workspace_id", entry->owner_workspace);
        ddb_write_s(w, "id", entry->owner);
    }
    json_object_end(w);
}

/* A condition grows in three places: the expression, the names and the values it uses. */
struct condition {
    struct buf text, names, values;
    struct json_writer names_w, values_w;
    int count;
};

static void condition_init(struct condition *c, struct arena *arena)
{
    *c = (struct condition){.text = BUF_IN(arena), .names = BUF_IN(arena), .values = BUF_IN(arena)};
    json_init(&c->names_w, &c->names);
    json_init(&c->values_w, &c->values);
    json_object_begin(&c->names_w);
    json_object_begin(&c->values_w);
}

static const char *begin_term(struct condition *c, const char *attribute, char name[8])
{
    snprintf(name, 8, "#n%d", c->count++);
    json_cstr_member(&c->names_w, name, attribute);
    if (c->text.len)
        buf_add_cstr(&c->text, " AND ");
    return name;
}

static void add_absent(struct condition *c, const char *attribute)
{
    char name[8];

    buf_printf(&c->text, "attribute_not_exists(%s)", begin_term(c, attribute, name));
}

/* The row is there, and not by this write: a repetition would count the version up once more. */
static void add_there(struct condition *c, struct str write)
{
    char name[8];

    buf_printf(&c->text, "attribute_exists(%s)", begin_term(c, "pk", name));
    begin_term(c, "write", name);
    buf_printf(&c->text, "%s <> :%s", name, name + 1);
    name[0] = ':';
    ddb_write_s(&c->values_w, name, write);
}

/* An empty value is an absent attribute. */
static void add_equals(struct condition *c, const char *attribute, struct str value)
{
    char name[8];

    if (str_empty(value)) {
        add_absent(c, attribute);
        return;
    }
    begin_term(c, attribute, name);
    buf_printf(&c->text, "%s = :%s", name, name + 1);
    name[0] = ':';
    ddb_write_s(&c->values_w, name, value);
}

/* Names of writes are ULIDs: they sort by time. */
static void add_older(struct condition *c, struct str write)
{
    char name[8];

    begin_term(c, "write", name);
    buf_printf(&c->text, "(attribute_not_exists(%s) OR %s < :%s)", name, name, name + 1);
    name[0] = ':';
    ddb_write_s(&c->values_w, name, write);
}

static void add_version(struct condition *c, int64_t version)
{
    char name[8];

    begin_term(c, "version", name);
    buf_printf(&c->text, "%s = :%s", name, name + 1);
    name[0] = ':';
    ddb_write_n(&c->values_w, name, version);
}

/* Without reading the row before: it has no parts to delete, and its unique values stay. */
static void add_stable(struct condition *c, const struct ddb_entry *entry)
{
    const struct store_schema *schema = entry->schema;

    add_absent(c, "parts");
    for (size_t i = 0; !entry->remove && i < schema->index_count; i++) {
        const struct store_column *column = &schema->columns[schema->indexes[i].column];
        if (schema->indexes[i].kind != INDEX_LIST)
            add_equals(c, column->name, *row_str(entry->row, column));
    }
}

static void add_drop(struct condition *c, struct buf *drop, const char *attribute)
{
    char name[16];

    snprintf(name, sizeof(name), "#s%d", c->count++);
    buf_printf(drop, "%s%s", drop->len ? ", " : " REMOVE ", name);
    json_cstr_member(&c->names_w, name, attribute);
}

/* The keys of the lists that the row is not in any more. */
static void drop_lists(struct condition *c, const struct store_schema *schema,
    const struct json *item, struct buf *drop)
{
    for (size_t i = 0; i < schema->index_count; i++) {
        bool first;

        if (schema->indexes[i].kind != INDEX_LIST)
            continue;
        first = ddb_gsi(schema, (int)i) == 1;
        if (json_get(item, first ? "gsi1pk" : "gsi2pk"))
            continue;
        add_drop(c, drop, first ? "gsi1pk" : "gsi2pk");
        add_drop(c, drop, first ? "gsi1sk" : "gsi2sk");
    }
}

/* The row's attributes one by one: only so can the version be counted up unread. What is not in
 * the item is to be absent. */
static struct str update_expression(
    struct condition *c, const struct ddb_plan *plan, const struct ddb_entry *entry)
{
    struct buf item = BUF_IN(plan->arena), set = BUF_IN(plan->arena), drop = BUF_IN(plan->arena);
    const struct store_schema *schema = entry->schema;
    const struct json *root = NULL;
    struct json_writer w;

    json_init(&w, &item);
    write_item(&w, plan, entry);
    if (json_parse(plan->arena, buf_str(&item), &root) < 0)
        return STR("");
    for (const struct json *member = json_first(root); member; member = json_next(member)) {
        struct str attribute = json_key(member);
        if (str_is(attribute, "pk") || str_is(attribute, "sk") || str_is(attribute, "version"))
            continue;
        buf_printf(&set, "#s%d = :s%d, ", c->count, c->count);
        json_str_member(&c->names_w, str_printf(plan->arena, "#s%d", c->count).ptr, attribute);
        json_name_str(&c->values_w, str_printf(plan->arena, ":s%d", c->count++));
        json_put_node(&c->values_w, member);
    }
    for (size_t i = 0; i < schema->column_count; i++) {
        if (json_get(root, schema->columns[i].name))
            continue;
        add_drop(c, &drop, schema->columns[i].name);
    }
    drop_lists(c, schema, root, &drop);
    json_cstr_member(&c->names_w, "#v", "version");
    ddb_write_n(&c->values_w, ":one", 1);
    return str_printf(
        plan->arena, "SET %.*s#v = #v + :one%.*s", STR_ARG(buf_str(&set)), STR_ARG(buf_str(&drop)));
}

const char *ddb_entry_verb(const struct ddb_entry *entry)
{
    if (entry->remove)
        return "Delete";
    return entry->expect == EXPECT_THERE ? "Update" : "Put";
}

static void write_condition(
    struct json_writer *w, const struct ddb_plan *plan, const struct ddb_entry *entry)
{
    struct condition c;

    condition_init(&c, plan->arena);
    if (entry->expect == EXPECT_THERE && !entry->remove)
        json_str_member(w, "UpdateExpression", update_expression(&c, plan, entry));
    if (entry->expect == EXPECT_ABSENT)
        add_absent(&c, "pk");
    else if (entry->expect == EXPECT_THERE)
        add_there(&c, plan->write);
    else if (entry->expect == EXPECT_VERSION)
        add_version(&c, entry->version);
    else if (entry->expect == EXPECT_WRITE)
        add_equals(&c, "write", entry->text);
    else if (entry->expect == EXPECT_OWNER)
        add_equals(&c, "id", entry->text);
    else if (entry->expect == EXPECT_OLDER)
        add_older(&c, plan->write);
    if (entry->stable)
        add_stable(&c, entry);
    json_object_end(&c.names_w);
    json_object_end(&c.values_w);
    if (c.count == 0)
        return;
    json_str_member(w, "ConditionExpression", buf_str(&c.text));
    json_raw_member(w, "ExpressionAttributeNames", buf_str(&c.names));
    if (c.values.len > 2)
        json_raw_member(w, "ExpressionAttributeValues", buf_str(&c.values));
    json_cstr_member(w, "ReturnValuesOnConditionCheckFailure", "ALL_OLD");
}

struct str ddb_render_one(struct ddb_plan *plan, const struct ddb_entry *entry)
{
    struct buf out = BUF_IN(plan->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "TableName", plan->db->table);
    if (entry->remove || entry->expect == EXPECT_THERE) {
        json_name(&w, "Key");
        ddb_write_key(&w, &entry->key);
    } else {
        json_name(&w, "Item");
        write_item(&w, plan, entry);
    }
    write_condition(&w, plan, entry);
    json_object_end(&w);
    return buf_str(&out);
}

void ddb_plan_render(struct ddb_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct ddb_entry *entry = &plan->entries[i];
        entry->action = ddb_render_one(plan, entry);
    }
}
