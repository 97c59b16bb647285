/* Sending a plan: one conditional write, one transaction, or a journal. */
#include "store/dynamodb.h"
#include "watch/metrics.h"

enum { PLANS_MAX = 12 };

/* The item as it is, for peers that do not send it with the failure. */
static int look(struct ddb_plan *plan, const struct ddb_entry *entry, const struct json **item)
{
    int r;

    if (*item || (entry->expect != EXPECT_VERSION && entry->expect != EXPECT_THERE))
        return 0;
    r = ddb_get_item(plan->db, &entry->key, plan->arena, item);
    return r < 0 ? r : 0;
}

int ddb_outcome_of(struct ddb_plan *plan, const struct ddb_entry *entry, const struct json *item)
{
    int r = look(plan, entry, &item);

    if (r < 0)
        return r;
    if (entry->reread || (entry->stable && entry->remove))
        return DDB_AGAIN;
    plan->batch->failed = entry->op;
    if (entry->expect == EXPECT_ABSENT)
        return STORE_EXISTS;
    if (!item)
        return STORE_MISSING;
    if (entry->expect == EXPECT_THERE || ddb_read_n(item, "version") == entry->version)
        return DDB_AGAIN; /* the version is right: it was the rest that the plan assumed */
    return STORE_CONFLICT;
}

/* A repetition of a write that had come through fails on its own work. */
static bool is_own(const struct ddb_plan *plan, const struct ddb_entry *entry,
    const struct ddb_reply *reply, const struct json *item)
{
    if (!reply->unsure)
        return false;
    return entry->remove ? item == NULL : str_eq(ddb_read_s(item, "write"), plan->write);
}

static int send_one(struct ddb_plan *plan)
{
    const struct ddb_entry *entry = &plan->entries[0];
    struct ddb_reply reply;
    int r = ddb_call(plan->db, plan->arena,
        str_printf(plan->arena, "%sItem", ddb_entry_verb(entry)).ptr, entry->action, &reply);
    const struct json *item;

    if (r != DDB_REFUSED)
        return r;
    if (!str_is(reply.code, "ConditionalCheckFailedException"))
        return err_set(ERR_UNAVAILABLE, "DynamoDB refused a write: %.*s.", STR_ARG(reply.code));
    item = json_get(reply.root, "Item");
    if (is_own(plan, entry, &reply, item))
        return 0;
    return ddb_outcome_of(plan, entry, item);
}

/* Of several failed conditions: one that asks for a new plan, or else the batch's first. */
static int cancelled(struct ddb_plan *plan, const struct json *reasons)
{
    const struct json *reason = json_first(reasons);
    size_t first = SIZE_MAX;
    int outcome = 0;

    for (size_t i = 0; reason && i < plan->count; i++, reason = json_next(reason)) {
        struct str code = json_get_str(reason, "Code");
        int r;
        if (str_is(code, "None") || str_empty(code))
            continue;
        if (str_is(code, "ValidationError"))
            return err_set(ERR_TOO_LARGE, "DynamoDB refused a row of the batch: %.*s",
                STR_ARG(json_get_str(reason, "Message")));
        if (!str_is(code, "ConditionalCheckFailed")) {
            outcome = outcome == 0 ? DDB_BUSY : outcome;
            continue;
        }
        r = ddb_outcome_of(plan, &plan->entries[i], json_get(reason, "Item"));
        if (r < 0 || r == DDB_AGAIN)
            return r;
        if (plan->entries[i].op < first) {
            first = plan->entries[i].op;
            outcome = r;
        }
    }
    plan->batch->failed = first;
    return outcome ? outcome : DDB_BUSY;
}

int ddb_send_transaction(struct ddb_plan *plan)
{
    struct buf body = BUF_IN(plan->arena);
    struct ddb_reply reply;
    int r;

    buf_add_cstr(&body, "{\"TransactItems\":[");
    for (size_t i = 0; i < plan->count; i++)
        buf_printf(&body, "%s{\"%s\":%.*s}", i ? "," : "", ddb_entry_verb(&plan->entries[i]),
            STR_ARG(plan->entries[i].action));
    buf_printf(&body, "],\"ClientRequestToken\":\"%.*s\"}", STR_ARG(plan->write));
    r = ddb_call(plan->db, plan->arena, "TransactWriteItems", buf_str(&body), &reply);
    if (r != DDB_REFUSED)
        return r;
    if (str_is(reply.code, "TransactionCanceledException"))
        return cancelled(plan, json_get(reply.root, "CancellationReasons"));
    return err_set(ERR_UNAVAILABLE, "DynamoDB refused a transaction: %.*s.", STR_ARG(reply.code));
}

static int send_plan(struct ddb_plan *plan)
{
    size_t bytes = 0;

    ddb_plan_render(plan);
    for (size_t i = 0; i < plan->count; i++)
        bytes += plan->entries[i].action.len;
    if (plan->count == 1)
        return send_one(plan);
    if (plan->count <= DDB_ACTIONS_MAX && bytes <= DDB_BYTES_MAX)
        return ddb_send_transaction(plan);
    return ddb_journal_commit(plan);
}

static int commit_plans(struct store_backend *db, struct store_batch *batch, struct arena *arena)
{
    bool read_first = false;
    int r = 0;

    for (int i = 0; i < PLANS_MAX; i++) {
        struct ddb_plan plan = {.db = db, .arena = arena, .batch = batch, .read_first = read_first};
        if (i > 0)
            r = ddb_back_off(db, i - 1);
        if (r < 0)
            return r;
        plan.write = ulid_new(db->env, arena);
        r = ddb_plan_make(&plan);
        if (r == 0 && plan.count > 0)
            r = send_plan(&plan);
        if (r != DDB_AGAIN && r != DDB_BUSY)
            return r;
        read_first = read_first || r == DDB_AGAIN;
    }
    return err_set(ERR_UNAVAILABLE,
        "Too many others write to the same rows of DynamoDB at once: nothing was written; try "
        "again.");
}

int ddb_commit(struct store_backend *db, struct store_batch *batch)
{
    struct arena arena;
    int r;

    arena_init(&arena);
    r = commit_plans(db, batch, &arena);
    arena_deinit(&arena);
    pthread_mutex_lock(&db->mutex);
    db->stats.batches += r == 0;
    db->stats.commits += r == 0;
    db->stats.errors += r < 0;
    pthread_mutex_unlock(&db->mutex);
    if (r == 0)
        metric_add(M_STORE_COMMITS, NULL, 1);
    return r;
}
