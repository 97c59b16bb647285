/* Old rows under the newest data key. Rows are found by a look at all of them as they are stored
 * and written anew through the front, by their version, so that nobody's change is lost. Children
 * have no version: their parent's stands for them, so that what was erased meanwhile stays so. */
#include "runtime/fiber.h"
#include "secure/key_provider.h"
#include "store/scan.h"

#define PAGE 50
#define LOOKS_MAX 20
/* After two refreshes nobody takes a former key for a new batch; the third is for those under
 * way. */
#define REFRESHES 3

/* A row, or children of one parent between two numbers. */
struct target {
    enum store_entity entity;
    struct str key;
    int64_t from, to;
};

struct reseal {
    struct store *store;
    struct str workspace_id;
    uint32_t newest;
    struct arena *arena;
    struct target *targets;
    size_t count, capacity;
    struct store_reseal *state;
    void (*progress)(void *ctx, const struct store_reseal *state);
    void *ctx;
};

static void tell(struct reseal *reseal)
{
    if (reseal->progress)
        reseal->progress(reseal->ctx, reseal->state);
}

static void add_target(struct reseal *reseal, const struct store_schema *schema, const void *row)
{
    struct str key = *row_str(row, &schema->columns[1]);
    int64_t seq = schema->by_seq ? *row_int(row, &schema->columns[2]) : 0;
    struct target *last = reseal->count ? &reseal->targets[reseal->count - 1] : NULL;

    if (last && schema->by_seq && last->entity == schema->entity && str_eq(last->key, key)) {
        last->from = MIN(last->from, seq);
        last->to = seq >= last->to ? seq + 1 : last->to;
        return;
    }
    if (reseal->count == reseal->capacity) {
        size_t capacity = reseal->capacity ? reseal->capacity * 2 : 64;

        reseal->targets = xrealloc(reseal->targets, capacity * sizeof(*reseal->targets));
        reseal->capacity = capacity;
    }
    reseal->targets[reseal->count++] =
        (struct target){schema->entity, str_dup(reseal->arena, key), seq, seq + 1};
}

static int look_at(void *ctx, enum store_entity entity, const void *rows, size_t count)
{
    const struct store_schema *schema = &store_schemas[entity];
    struct reseal *reseal = ctx;

    if (schema->secret_count == 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const char *row = (const char *)rows + i * schema->row_size;
        uint32_t number =
            seal_key_number(*row_str(row, &schema->columns[schema->column_count - 1]));

        if (number == 0 || number >= reseal->newest ||
            !str_eq(*row_str(row, &schema->columns[0]), reseal->workspace_id))
            continue;
        reseal->state->left++;
        add_target(reseal, schema, row);
    }
    return 0;
}

/* All rows under former keys, as targets. */
static int look(struct reseal *reseal)
{
    const struct store_visitor visitor = {look_at, reseal};
    int r;

    reseal->count = 0;
    arena_reset(reseal->arena);
    reseal->state->left = 0;
    r = reseal->store->plain ? 0 : store_scan(reseal->store, &visitor);
    tell(reseal);
    return r;
}

static int reseal_row(struct reseal *reseal, const struct target *target, struct arena *arena)
{
    void *row = arena_alloc(arena, store_schemas[target->entity].row_size);
    struct store_batch batch;
    int r;

    do {
        r = store_get(reseal->store, target->entity, reseal->workspace_id, target->key, arena, row);
        if (r != 0)
            return r < 0 ? r : 0; /* deleted meanwhile */
        store_batch_init(&batch, arena);
        store_update(&batch, target->entity, row);
        r = store_commit(reseal->store, &batch);
    } while (r == STORE_CONFLICT);
    if (r == 0)
        reseal->state->resealed++;
    return r < 0 ? r : 0;
}

/* One page; the parent is read before it. *from moves on; when the parent is gone, to the end. */
static int reseal_page(
    struct reseal *reseal, const struct target *target, int64_t *from, struct arena *arena)
{
    enum store_entity parent_entity =
        target->entity == STORE_MESSAGES ? STORE_CHAT_SESSIONS : STORE_RUNS;
    const struct store_schema *schema = &store_schemas[target->entity];
    void *parent = arena_alloc(arena, store_schemas[parent_entity].row_size);
    struct store_query query = {.entity = target->entity,
        .workspace_id = reseal->workspace_id,
        .index = STORE_CHILDREN,
        .value = target->key,
        .from = *from,
        .to = target->to,
        .limit = PAGE,
        .cursor = STR("")};
    struct store_batch batch;
    struct store_page page;
    int r =
        store_get(reseal->store, parent_entity, reseal->workspace_id, target->key, arena, parent);

    if (r == 0)
        r = store_list(reseal->store, &query, arena, &page);
    if (r != 0 || page.count == 0) {
        *from = target->to;
        return r;
    }
    store_batch_init(&batch, arena);
    store_update(&batch, parent_entity, parent);
    for (size_t i = 0; i < page.count; i++)
        store_put(&batch, target->entity, (char *)page.rows + i * schema->row_size);
    r = store_commit(reseal->store, &batch);
    if (r == 0) {
        reseal->state->resealed += (int64_t)page.count;
        *from = 1 + *row_int((char *)page.rows + (page.count - 1) * schema->row_size,
                        &schema->columns[2]);
    }
    return r;
}

static int reseal_children(struct reseal *reseal, const struct target *target, struct arena *arena)
{
    int64_t from = target->from;
    int r = 0;

    while (from < target->to && (r == 0 || r == STORE_CONFLICT)) {
        r = reseal_page(reseal, target, &from, arena);
        tell(reseal);
    }
    return r < 0 ? r : 0;
}

static int write_targets(struct reseal *reseal)
{
    struct arena arena;
    int r = 0;

    arena_init(&arena);
    for (size_t i = 0; r == 0 && i < reseal->count; i++) {
        const struct target *target = &reseal->targets[i];

        arena_reset(&arena);
        r = store_schemas[target->entity].by_seq ? reseal_children(reseal, target, &arena)
                                                 : reseal_row(reseal, target, &arena);
        if (i % PAGE == 0)
            tell(reseal);
    }
    arena_deinit(&arena);
    return r;
}

/* Look and write until a look finds nothing. Another process may go on with a former key for a
 * while: what it writes is found by the next look. */
static int write_all(struct reseal *reseal)
{
    int64_t before = INT64_MAX;
    int r = look(reseal);

    for (int i = 0; r == 0 && reseal->state->left > 0 && i < LOOKS_MAX; i++) {
        if (reseal->state->left >= before && i > 2)
            break; /* rows that cannot be written */
        before = reseal->state->left;
        r = write_targets(reseal);
        if (r == 0)
            r = look(reseal);
    }
    return r;
}

static int64_t commas(struct str s)
{
    int64_t count = 0;

    for (size_t i = 0; i < s.len; i++)
        count += s.ptr[i] == ',';
    return count;
}

/* The row's keys: learnt, and those below number `from` left out of *ret_kept. */
static int read_keys(struct reseal *reseal, struct workspace_row *row, uint32_t from,
    struct arena *arena, uint32_t *ret_newest, struct str *ret_kept)
{
    struct str rest = row->data_key, hex, wrapped;
    struct buf kept = BUF_IN(arena);

    *ret_newest = 0;
    while (str_next(&rest, ',', &hex)) {
        uint32_t number;
        int r;

        if (!hex_decode(arena, hex, &wrapped))
            return err_set(ERR_CORRUPT, "The data key of workspace %.*s is damaged.",
                STR_ARG(reseal->workspace_id));
        r = sealer_add_data_key(reseal->store->sealer, reseal->workspace_id, wrapped);
        if (r < 0)
            return r;
        number = wrapped_number(wrapped);
        *ret_newest = MAX(*ret_newest, number);
        if (number < from)
            continue;
        if (kept.len)
            buf_add_char(&kept, ',');
        buf_add_str(&kept, hex);
    }
    *ret_kept = buf_str(&kept);
    return 0;
}

static int load(struct reseal *reseal)
{
    struct workspace_row row;
    struct arena arena;
    struct str kept;
    int r;

    arena_init(&arena);
    r = store_get(
        reseal->store, STORE_WORKSPACES, reseal->workspace_id, reseal->workspace_id, &arena, &row);
    if (r == STORE_MISSING)
        r = err_field(ERR_NOT_FOUND, "workspace", "There is no workspace %.*s.",
            STR_ARG(reseal->workspace_id));
    if (r == 0)
        r = read_keys(reseal, &row, 0, &arena, &reseal->newest, &kept);
    arena_deinit(&arena);
    return r;
}

static int drop(struct reseal *reseal)
{
    struct workspace_row row;
    struct store_batch batch;
    struct arena arena;
    struct str kept;
    uint32_t newest;
    int64_t dropped;
    int r;

    arena_init(&arena);
    do {
        r = store_get(reseal->store, STORE_WORKSPACES, reseal->workspace_id, reseal->workspace_id,
            &arena, &row);
        if (r == 0)
            r = read_keys(reseal, &row, reseal->newest, &arena, &newest, &kept);
        if (r != 0 || str_eq(kept, row.data_key))
            break;
        dropped = commas(row.data_key) - commas(kept);
        row.data_key = kept;
        store_batch_init(&batch, &arena);
        store_update(&batch, STORE_WORKSPACES, &row);
        r = store_commit(reseal->store, &batch);
        if (r == 0)
            reseal->state->dropped = dropped;
    } while (r == STORE_CONFLICT);
    arena_deinit(&arena);
    return r < 0 ? r : 0;
}

static int wait_for_others(struct reseal *reseal, int64_t since_ms)
{
    int64_t until = since_ms + REFRESHES * sealer_refresh_ms(reseal->store->sealer);
    int r = 0;

    reseal->state->waiting = true;
    while (r == 0 && env_mono_ms(reseal->store->env) < until) {
        tell(reseal);
        r = fiber_sleep(MIN(until - env_mono_ms(reseal->store->env), (int64_t)SECOND_MS));
    }
    reseal->state->waiting = false;
    return r;
}

int store_reseal(struct store *store, struct str workspace_id, int64_t since_ms,
    void (*progress)(void *ctx, const struct store_reseal *state), void *ctx,
    struct store_reseal *ret_state)
{
    struct store_reseal state = {.left = -1};
    struct arena arena;
    struct reseal reseal = {.store = store,
        .workspace_id = workspace_id,
        .arena = &arena,
        .state = &state,
        .progress = progress,
        .ctx = ctx};
    int r;

    arena_init(&arena);
    r = load(&reseal);
    if (r == 0 && reseal.newest > 1) {
        r = write_all(&reseal);
        if (r == 0)
            r = wait_for_others(&reseal, since_ms);
        if (r == 0)
            r = write_all(&reseal);
        if (r == 0 && state.left == 0)
            r = drop(&reseal);
    }
    free(reseal.targets);
    arena_deinit(&arena);
    if (r == 0)
        *ret_state = state;
    return r;
}
