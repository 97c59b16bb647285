/* Idempotency-Key (protocols: the IETF httpapi draft): a POST that is repeated happens once.
 *
 * A record keyed by (API key, route, key) is committed before any work. It is "running" while its
 * owner works on it, "done" with the answer, or "failed" when the work may have left effects: a
 * repeat then works again under the same seed, so that the effects ledger gives back what was done.
 * A request that was refused before it did anything leaves no record.
 */
#include "api/exchange.h"
#include "secure/keys.h"

#define KEY_MAX 255
#define TRIES 4
/* A running record of a live process is left alone for this much longer than a run lasts. */
#define GRACE_MS (MINUTE_MS)

static int read_key(struct exchange *x, struct str *ret_key)
{
    struct str key = str_trim(http_header(&x->req->headers, "idempotency-key"));

    if (key.len >= 2 && key.ptr[0] == '"' && key.ptr[key.len - 1] == '"')
        key = str_slice(key, 1, key.len - 1);
    if (!http_header(&x->req->headers, "idempotency-key").ptr) {
        *ret_key = key;
        return 0;
    }
    if (key.len < 1 || key.len > KEY_MAX)
        return err_field(ERR_INVALID, "Idempotency-Key",
            "Idempotency-Key must have 1 to %d characters.", KEY_MAX);
    for (size_t i = 0; i < key.len; i++)
        if (key.ptr[i] < 0x20 || key.ptr[i] > 0x7e)
            return err_field(ERR_INVALID, "Idempotency-Key",
                "Idempotency-Key may hold printable ASCII characters only.");
    *ret_key = key;
    return 0;
}

static struct idempotency_row *fresh_row(struct exchange *x, struct str key)
{
    struct idempotency_row *row = arena_new(x->arena, struct idempotency_row);
    char id[65], hash[65];
    int64_t now = env_wall_ms(x->env);

    hash_hex(str_printf(x->arena, "%s\n%s %.*s\n%.*s", x->who.key_id,
                 http_method_name(x->req->method), STR_ARG(x->req->path), STR_ARG(key)),
        id);
    hash_hex(x->req->body, hash);
    row->workspace_id = x->workspace;
    row->id = str_dup(x->arena, str_from(id));
    row->request_hash = str_dup(x->arena, str_from(hash));
    row->state = STR("running");
    row->content_type = row->body = row->run_id = STR("");
    row->owner = str_from(x->api->process_id);
    row->created_at = now;
    row->expires_at = now + x->api->house->config->idempotency_hours * HOUR_MS;
    return row;
}

static int commit_one(struct exchange *x,
    void (*op)(struct store_batch *, enum store_entity, const void *),
    const struct idempotency_row *row)
{
    struct store_batch batch;

    store_batch_init(&batch, x->arena);
    op(&batch, STORE_IDEMPOTENCY, row);
    return store_commit(x->store, &batch);
}

/* ULIDs sort by time: at start nobody else was using the store, so every older owner is dead. The
 * others, this process too, may have lost the store before they could say how it ended. */
bool idempotency_is_left(const struct exchange *x, const struct idempotency_row *row)
{
    const struct api *api = x->api;
    int64_t longest = api->house->config->run_timeout_ms + GRACE_MS;

    if (api->sole_at_start && str_cmp(row->owner, str_from(api->process_id)) < 0)
        return true;
    return row->created_at + longest < env_wall_ms(x->env);
}

static int replay(struct exchange *x, const struct idempotency_row *row)
{
    struct run_row run;
    int rc;

    x->answer.status = (int)row->status;
    x->answer.content_type = str_cstr(x->arena, row->content_type);
    x->answer.body = row->body;
    if (!str_empty(row->run_id)) {
        rc = store_get(x->store, STORE_RUNS, x->workspace, row->run_id, x->arena, &run);
        if (rc < 0)
            return rc;
        if (rc == STORE_MISSING || str_empty(run.result)) {
            x->answer.status = 0;
            problem_write(
                x, 410, "gone", STR("The run that this Idempotency-Key made was deleted."));
            return IDEMPOTENCY_REPLAYED;
        }
        x->answer.body = run.result;
        x->answer.run_id = row->run_id;
    }
    answer_header(&x->answer, "Idempotency-Replayed", STR("true"));
    return IDEMPOTENCY_REPLAYED;
}

static void hold(struct exchange *x, struct idempotency_row *row)
{
    x->idempotency = row;
    x->seed = str_printf(x->arena, "%.*s.%lld", STR_ARG(row->id), (long long)row->created_at);
}

/* Somebody used the key before. 0 (ours now), REPLAYED, STORE_MISSING (look again), ERR_*. */
static int meet(struct exchange *x, struct idempotency_row *fresh)
{
    struct idempotency_row *row = arena_new(x->arena, struct idempotency_row);
    int rc = store_get(x->store, STORE_IDEMPOTENCY, x->workspace, fresh->id, x->arena, row);

    if (rc != 0)
        return rc;
    if (row->expires_at < fresh->created_at) {
        rc = commit_one(x, store_delete, row);
        return rc < 0 ? rc : STORE_MISSING;
    }
    if (!str_eq(row->request_hash, fresh->request_hash)) {
        problem_write(x, 422, "key_reused",
            STR("This Idempotency-Key came with another body before; use a new key."));
        return err_set(ERR_INVALID, "The Idempotency-Key was used before.");
    }
    if (str_is(row->state, "done"))
        return replay(x, row);
    if (str_is(row->state, "running") && !idempotency_is_left(x, row))
        return err_set(ERR_CONFLICT,
            "The first request with this Idempotency-Key is still running; "
            "repeat it later to get its answer.");
    row->state = STR("running");
    row->owner = fresh->owner;
    rc = commit_one(x, store_update, row);
    if (rc != 0)
        return rc == STORE_CONFLICT ? STORE_MISSING : rc;
    hold(x, row);
    return 0;
}

int idempotency_begin(struct exchange *x)
{
    struct idempotency_row *row;
    struct str key;
    int rc = read_key(x, &key);

    if (rc < 0 || str_empty(key) || !x->known)
        return rc;
    row = fresh_row(x, key);
    for (int i = 0; i < TRIES; i++) {
        rc = commit_one(x, store_insert, row);
        if (rc == 0)
            hold(x, row);
        if (rc != STORE_EXISTS)
            return rc;
        rc = meet(x, row);
        if (rc != STORE_MISSING)
            return rc;
    }
    return err_set(ERR_CONFLICT, "Several requests with this Idempotency-Key came at once.");
}

/* Refused before anything was done: nothing to remember. */
static bool did_nothing(int code)
{
    return code == ERR_INVALID || code == ERR_NOT_FOUND || code == ERR_DENIED ||
           code == ERR_TOO_LARGE || code == ERR_BUSY || code == ERR_CONFLICT;
}

void idempotency_end(struct exchange *x, int code)
{
    struct idempotency_row *row = x->idempotency;
    struct err cause = *err_get();
    bool forget;
    int rc;

    if (!row)
        return;
    code = code == 0 ? x->answer.failure : code;
    forget = code < 0 && did_nothing(code);
    x->idempotency = NULL;
    row->state = code < 0 ? STR("failed") : STR("done");
    row->status = x->answer.status;
    row->content_type = str_from(x->answer.content_type);
    row->run_id = x->answer.run_id.ptr ? x->answer.run_id : STR("");
    row->body = x->answer.keep_body.ptr ? x->answer.keep_body : x->answer.body;
    if (!str_empty(row->run_id) || code < 0)
        row->body = STR("");
    row->version = 0; /* whatever it is: it is ours */
    fiber_shield();
    rc = commit_one(x, forget ? store_delete : store_update, row);
    fiber_unshield();
    if (rc != 0)
        log_warn("idempotency.not_kept", LOG_I64("outcome", rc), LOG_ERR);
    *err_get() = cause;
}

int api_purge(struct api *api, struct str workspace_id, size_t *ret_count)
{
    static const char *const states[] = {"done", "failed", "running"};
    int64_t now = env_wall_ms(api->house->env);
    size_t count = 0;
    struct arena arena;
    int rc = 0;

    arena_init(&arena);
    for (size_t i = 0; i < ARRAY_LEN(states) && rc == 0; i++) {
        struct store_query query = {.entity = STORE_IDEMPOTENCY,
            .workspace_id = workspace_id,
            .index = 0,
            .value = str_from(states[i]),
            .limit = 500,
            .cursor = STR(""),
            .to = now - api->house->config->idempotency_hours * HOUR_MS};
        struct store_page page = {0};

        do {
            struct store_batch batch;
            const struct idempotency_row *rows;

            arena_reset(&arena);
            rc = store_list(api->house->store, &query, &arena, &page);
            if (rc != 0 || page.count == 0)
                break;
            rows = page.rows;
            store_batch_init(&batch, &arena);
            for (size_t k = 0; k < page.count; k++)
                store_delete(&batch, STORE_IDEMPOTENCY, &rows[k]);
            rc = store_commit(api->house->store, &batch);
            count += page.count;
        } while (rc == 0 && page.count == query.limit);
    }
    arena_deinit(&arena);
    if (rc == 0)
        *ret_count = count;
    return rc;
}
