/* Batches that do not fit into one transaction.
 *
 * What a condition of the caller hangs on (rows by id, their unique values) goes into one
 * transaction together with the head of a journal; children, parts and plain deletions were written
 * into the journal's chunks before and are carried out after it. From the transaction on the batch
 * is durable: whoever finds a head that is a minute old carries out the rest. Doing so twice is
 * harmless, because each of these writes has a condition that it fails on its own work. */
#include "store/dynamodb.h"

enum {
    CHUNK_BYTES = 300 * KIB, /* of one chunk, which is one item */
    HEAD_ACTIONS = DDB_ACTIONS_MAX - 1,
};

static struct str chunks_pk(struct str write, struct arena *arena)
{
    return str_printf(arena, "journal|%.*s", STR_ARG(write));
}

/* Without a transaction: what fails on its condition was done before, or overtaken. */
static int apply_one(struct store_backend *db, const struct json *action, struct arena *arena)
{
    const struct json *member = json_first(action);
    struct ddb_reply reply;
    int r = ddb_call(db, arena, str_printf(arena, "%.*sItem", STR_ARG(json_key(member))).ptr,
        json_text(arena, member), &reply);

    return r == DDB_REFUSED ? 0 : r;
}

/* actions: a JSON array of at most 100. */
static int apply_chunk(struct store_backend *db, struct str actions)
{
    const struct json *root;
    struct ddb_reply reply;
    struct arena arena;
    int r;

    arena_init(&arena);
    r = ddb_call(db, &arena, "TransactWriteItems",
        str_printf(&arena, "{\"TransactItems\":%.*s}", STR_ARG(actions)), &reply);
    if (r == DDB_REFUSED) {
        r = json_parse(&arena, actions, &root);
        for (const struct json *action = json_first(root); r == 0 && action;
             action = json_next(action))
            r = apply_one(db, action, &arena);
    }
    arena_deinit(&arena);
    return r;
}

static int write_plain(struct store_backend *db, const struct ddb_key *key, const char *name,
    struct str value, struct arena *arena)
{
    struct buf body = BUF_IN(arena);
    struct json_writer w;
    struct ddb_reply reply;
    int r;

    json_init(&w, &body);
    json_object_begin(&w);
    json_str_member(&w, "TableName", db->table);
    json_name(&w, name ? "Item" : "Key");
    json_object_begin(&w);
    ddb_write_s(&w, "pk", key->pk);
    ddb_write_s(&w, "sk", key->sk);
    if (name)
        ddb_write_s(&w, name, value);
    json_object_end(&w);
    json_object_end(&w);
    r = ddb_call(db, arena, name ? "PutItem" : "DeleteItem", buf_str(&body), &reply);
    return r == DDB_REFUSED
               ? err_set(ERR_UNAVAILABLE, "DynamoDB refused a write: %.*s.", STR_ARG(reply.code))
               : r;
}

static struct ddb_key chunk_key(struct str write, size_t number, struct arena *arena)
{
    return (struct ddb_key){chunks_pk(write, arena), str_printf(arena, "%06zu", number)};
}

struct chunks {
    struct str *items;
    size_t count;
};

static int write_chunks(struct ddb_plan *plan, const struct chunks *chunks)
{
    for (size_t i = 0; i < chunks->count; i++) {
        struct ddb_key key = chunk_key(plan->write, i, plan->arena);
        int r = write_plain(plan->db, &key, "actions", chunks->items[i], plan->arena);
        if (r < 0)
            return r;
    }
    return 0;
}

static int forget_chunks(
    struct store_backend *db, struct str write, size_t count, struct arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        struct ddb_key key = chunk_key(write, i, arena);
        int r = write_plain(db, &key, NULL, STR(""), arena);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The chunks first: a head without chunks is done, chunks without a head would stay for ever. */
static int forget(struct store_backend *db, struct str write, size_t count, struct arena *arena)
{
    struct ddb_key head = {STR("journal"), write};
    int r = forget_chunks(db, write, count, arena);

    return r < 0 ? r : write_plain(db, &head, NULL, STR(""), arena);
}

static bool is_part(const struct ddb_entry *entry)
{
    return str_starts(entry->key.pk, STR("part|"));
}

/* May it be carried out after the transaction? Parts and children are found through a row by id
 * whose version the transaction checks; a deletion without condition can wait. */
static bool can_wait(const struct ddb_entry *entry)
{
    return is_part(entry) || (entry->schema && entry->schema->by_seq) ||
           (entry->remove && entry->expect == EXPECT_ANY && !entry->stable);
}

/* Which entries wait: those that can, and what the transaction has no room for. */
static void choose(struct ddb_plan *plan, bool *waits)
{
    size_t count = 0, bytes = 0;

    for (size_t i = 0; i < plan->count; i++) {
        const struct ddb_entry *entry = &plan->entries[i];
        waits[i] =
            can_wait(entry) || count == HEAD_ACTIONS || bytes + entry->action.len > DDB_BYTES_MAX;
        if (!waits[i]) {
            count++;
            bytes += entry->action.len;
        }
    }
}

static bool holds(const struct ddb_entry *entry, const struct json *item)
{
    if (entry->stable && json_get(item, "parts"))
        return false;
    if (entry->expect == EXPECT_ABSENT)
        return item == NULL;
    if (entry->expect == EXPECT_THERE)
        return item != NULL;
    if (entry->expect == EXPECT_VERSION)
        return item && ddb_read_n(item, "version") == entry->version;
    if (entry->expect == EXPECT_WRITE)
        return item && str_eq(ddb_read_s(item, "write"), entry->text);
    if (entry->expect == EXPECT_OWNER)
        return item && str_eq(ddb_read_s(item, "id"), entry->text);
    return true;
}

static const struct json *item_of(
    const struct json *const *items, size_t count, const struct ddb_key *key)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(ddb_read_s(items[i], "sk"), key->sk) &&
            str_eq(ddb_read_s(items[i], "pk"), key->pk))
            return items[i];
    return NULL;
}

/* What waits is checked before anything is written. 0 or what a failed condition means. */
static int check_waiting(struct ddb_plan *plan, const bool *waits)
{
    struct ddb_key keys[DDB_ACTIONS_MAX];
    const struct json *items[DDB_ACTIONS_MAX];
    size_t at[DDB_ACTIONS_MAX], count = 0, got;

    for (size_t i = 0; i <= plan->count; i++) {
        int r = 0;
        if (count == DDB_ACTIONS_MAX || (i == plan->count && count > 0)) {
            r = ddb_get_items(plan->db, keys, count, plan->arena, items, &got);
            for (size_t k = 0; r == 0 && k < count; k++) {
                const struct ddb_entry *entry = &plan->entries[at[k]];
                const struct json *item = item_of(items, got, &entry->key);
                if (!holds(entry, item))
                    r = ddb_outcome_of(plan, entry, item);
            }
            count = 0;
        }
        if (r != 0)
            return r;
        if (i < plan->count && waits[i] && plan->entries[i].expect != EXPECT_ANY) {
            keys[count] = plan->entries[i].key;
            at[count++] = i;
        }
    }
    return 0;
}

static void make_chunks(struct ddb_plan *plan, const bool *waits, struct chunks *ret_chunks)
{
    struct chunks chunks = {arena_array(plan->arena, struct str, plan->count), 0};
    struct buf chunk = BUF_IN(plan->arena);
    size_t actions = 0;

    for (size_t i = 0; i < plan->count; i++) {
        const struct ddb_entry *entry = &plan->entries[i];
        if (!waits[i])
            continue;
        if (actions == DDB_ACTIONS_MAX ||
            (actions && chunk.len + entry->action.len > CHUNK_BYTES)) {
            buf_add_char(&chunk, ']');
            chunks.items[chunks.count++] = buf_str(&chunk);
            chunk = BUF_IN(plan->arena);
            actions = 0;
        }
        buf_printf(&chunk, "%c{\"%s\":", actions ? ',' : '[', ddb_entry_verb(entry));
        buf_add_str(&chunk, entry->action);
        buf_add_char(&chunk, '}');
        actions++;
    }
    if (actions) {
        buf_add_char(&chunk, ']');
        chunks.items[chunks.count++] = buf_str(&chunk);
    }
    *ret_chunks = chunks;
}

/* The entries that do not wait, and the journal's head. */
static int send_head(struct ddb_plan *plan, const bool *waits)
{
    struct ddb_plan head = {
        .db = plan->db, .arena = plan->arena, .batch = plan->batch, .write = plan->write};
    struct ddb_key key = {STR("journal"), plan->write};
    struct ddb_entry *entry;

    for (size_t i = 0; i < plan->count; i++)
        if (!waits[i])
            *ddb_plan_add(&head, &plan->entries[i].key, 0) = plan->entries[i];
    entry = ddb_plan_add(&head, &key, plan->batch->count);
    entry->expect = EXPECT_ABSENT;
    entry->owner = str_printf(plan->arena, "%lld", (long long)env_wall_ms(plan->db->env));
    entry->owner_workspace = STR("-");
    entry->action = ddb_render_one(&head, entry);
    return ddb_send_transaction(&head);
}

int ddb_journal_commit(struct ddb_plan *plan)
{
    bool *waits = arena_array(plan->arena, bool, plan->count);
    struct chunks chunks;
    int r;

    for (size_t i = 0; i < plan->count; i++)
        if (is_part(&plan->entries[i])) {
            plan->entries[i].expect = EXPECT_OLDER;
            plan->entries[i].action = ddb_render_one(plan, &plan->entries[i]);
        }
    choose(plan, waits);
    r = check_waiting(plan, waits);
    if (r != 0)
        return r;
    make_chunks(plan, waits, &chunks);
    r = write_chunks(plan, &chunks);
    if (r == 0)
        r = send_head(plan, waits);
    if (r == ERR_TIMEOUT)
        return r; /* the head may stand: its chunks have to stay */
    if (r != 0) {
        if (forget_chunks(plan->db, plan->write, chunks.count, plan->arena) < 0)
            log_warn("store.journal_left", LOG_STR("write", plan->write), LOG_ERR);
        return r;
    }
    for (size_t i = 0; r == 0 && i < chunks.count; i++)
        r = apply_chunk(plan->db, chunks.items[i]);
    if (r == 0)
        r = forget(plan->db, plan->write, chunks.count, plan->arena);
    return r < 0 ? err_set(ERR_TIMEOUT,
                       "A large batch is stored and becomes visible within a minute or two: "
                       "DynamoDB stopped answering while it was carried out.")
                 : 0;
}

static int finish(struct store_backend *db, struct str write, struct arena *arena)
{
    const struct json **items = NULL;
    struct ddb_query query = {
        .pk = chunks_pk(write, arena), .from = STR("!"), .to = STR("~"), .limit = SIZE_MAX};
    size_t count, last = 0;
    int r = ddb_query(db, &query, arena, &items, &count);

    for (size_t i = 0; r == 0 && i < count; i++) {
        int64_t number;
        r = apply_chunk(db, ddb_read_s(items[i], "actions"));
        if (str_to_i64(ddb_read_s(items[i], "sk"), &number))
            last = (size_t)number + 1;
    }
    return r < 0 ? r : forget(db, write, last, arena);
}

int ddb_journal_recover(struct store_backend *db, int64_t older_than_ms)
{
    const struct json **heads = NULL;
    struct ddb_query query = {
        .pk = STR("journal"), .from = STR("!"), .to = STR("~"), .limit = 1000};
    int64_t now_ms = env_wall_ms(db->env), at_ms;
    struct arena arena;
    size_t count = 0;
    int r;

    arena_init(&arena);
    r = ddb_query(db, &query, &arena, &heads, &count);
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct str write = ddb_read_s(heads[i], "sk");
        if (!str_to_i64(ddb_read_s(heads[i], "id"), &at_ms) || now_ms - at_ms < older_than_ms)
            continue;
        r = finish(db, write, &arena);
        if (r == 0)
            log_info("store.journal_finished", LOG_STR("write", write));
    }
    arena_deinit(&arena);
    return r;
}
