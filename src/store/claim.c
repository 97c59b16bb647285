/* Claims for back ends that have no statement of their own for them: list what is due, then update
 * each row by its version, so that of all who listed it one wins. */
#include "store/front.h"

/* Rows tried in one commit: few enough that two claimers seldom meet in all of them. */
#define CLAIM_PAGE 25

struct claimer {
    struct store *store;
    const struct store_claim *claim;
    const struct store_schema *schema;
    const struct store_column *owner, *due;
    struct arena *arena;
    struct buf rows; /* won so far */
    size_t count;
};

static void find_columns(struct claimer *claimer)
{
    const struct store_schema *schema = claimer->schema;

    claimer->due = &schema->columns[schema->indexes[claimer->claim->index].order];
    for (size_t i = 3; i < schema->column_count; i++)
        if (strcmp(schema->columns[i].name, "owner") == 0)
            claimer->owner = &schema->columns[i];
}

/* The batch without its row that somebody else took. */
static void drop_failed(struct store_batch *batch)
{
    batch->count--;
    memmove(&batch->ops[batch->failed], &batch->ops[batch->failed + 1],
        (batch->count - batch->failed) * sizeof(*batch->ops));
}

/* The back end keeps the sealed columns as they are: no key is needed to claim. */
static int take_rows(struct claimer *claimer, char *rows, size_t count)
{
    const struct store_claim *claim = claimer->claim;
    struct store_batch batch;
    int r = 0;

    store_batch_init(&batch, claimer->arena);
    for (size_t i = 0; i < count; i++) {
        char *row = rows + i * claimer->schema->row_size;

        *row_int(row, claimer->due) = claim->now_ms + claim->lease_ms;
        *row_str(row, claimer->owner) = claim->owner;
        store_update(&batch, claim->entity, row);
    }
    while (batch.count > 0) {
        r = claimer->store->ops->commit(claimer->store->backend, &batch);
        if (r != STORE_CONFLICT && r != STORE_MISSING)
            break;
        r = 0;
        drop_failed(&batch);
    }
    for (size_t i = 0; r == 0 && i < batch.count; i++) {
        buf_add(&claimer->rows, batch.ops[i].row, claimer->schema->row_size);
        *row_int(claimer->rows.ptr + claimer->count++ * claimer->schema->row_size,
            &claimer->schema->columns[2]) += 1;
    }
    return r;
}

static int claim_pages(struct claimer *claimer)
{
    const struct store_claim *claim = claimer->claim;
    struct store_query query = {.entity = claim->entity,
        .workspace_id = claim->workspace_id,
        .index = claim->index,
        .value = claim->value,
        .to = claim->now_ms + 1};
    struct str after_id = STR("");
    int64_t after_order = 0;
    struct store_page page;
    int r;

    do {
        query.limit = MIN(claim->limit - claimer->count, (size_t)CLAIM_PAGE);
        page = (struct store_page){0};
        r = claimer->store->ops->list(
            claimer->store->backend, &query, after_order, after_id, claimer->arena, &page);
        if (r < 0 || page.count == 0)
            return r;

        const char *last = (char *)page.rows + (page.count - 1) * claimer->schema->row_size;

        after_order = *row_int(last, claimer->due);
        after_id = *row_str(last, &claimer->schema->columns[1]);
        r = take_rows(claimer, page.rows, page.count);
    } while (r == 0 && page.count == query.limit && claimer->count < claim->limit);
    return r;
}

/* What was won before a failure is the caller's: nobody else gets it until its lease ends. */
static int claim_rows(struct store *store, const struct store_claim *claim, struct arena *arena,
    struct store_page *ret_page)
{
    struct claimer claimer = {.store = store,
        .claim = claim,
        .schema = &store_schemas[claim->entity],
        .arena = arena,
        .rows = BUF_IN(arena)};
    int r;

    find_columns(&claimer);
    r = claim_pages(&claimer);
    if (r < 0 && claimer.count == 0)
        return r;
    *ret_page = (struct store_page){.rows = claimer.rows.ptr, .count = claimer.count};
    return 0;
}

int store_claim(struct store *store, const struct store_claim *claim, struct arena *arena,
    struct store_page *ret_page)
{
    struct store_page page = {0};
    int64_t deadline;
    int r = check_claim(claim);

    if (r < 0)
        return r;
    deadline = front_begin();
    r = store->ops->claim ? store->ops->claim(store->backend, claim, arena, &page)
                          : claim_rows(store, claim, arena, &page);
    if (r == 0)
        r = front_open_rows(store, claim->entity, arena, page.rows, page.count);
    r = front_end(deadline, r);
    page.cursor = (struct str){"", 0};
    if (r == 0)
        *ret_page = page;
    return r;
}
