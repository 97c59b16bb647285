/* Runs that a process left when it died: they are marked interrupted, and can be gone on with. */
#include "agent/event.h"
#include "agent/run.h"
#include "store/store.h"

#define RECOVER_PAGE 200
/* A page that somebody else writes to at the same time is read again, not for ever. */
#define RECOVER_TRIES 1000

/* The number of the last event that is stored of a run. 0, or store errors. */
static int last_seq(const struct agent_house *house, const struct run_row *run, struct arena *arena,
    int64_t *ret_seq)
{
    struct store_query query = {.entity = STORE_AGENT_ACTIONS,
        .workspace_id = run->workspace_id,
        .index = STORE_CHILDREN,
        .value = run->id,
        .descending = true,
        .limit = 1,
        .cursor = STR("")};
    struct store_page page = {0};
    int64_t seq = event_seq_of(run->events, true, arena);
    int rc = seq > 0 ? 0 : store_list(house->store, &query, arena, &page);

    if (rc < 0)
        return rc;
    if (page.count > 0)
        seq = event_seq_of(((const struct agent_action_row *)page.rows)->events, true, arena);
    *ret_seq = seq;
    return 0;
}

/* Who follows the run learns that it is at its end. */
static int interrupt(const struct agent_house *house, struct run_row *run, struct arena *arena)
{
    int64_t seq = 0;
    int rc = last_seq(house, run, arena, &seq);

    if (rc < 0)
        return rc;
    run->state = run->listed = STR("interrupted");
    run->error = STR("interrupted: The process ended before the run did.");
    run->finished_at = env_wall_ms(house->env);
    run->events = event_append(arena, run->events,
        &(struct run_event){.seq = seq + 1,
            .type = "run.interrupted",
            .at_ms = run->finished_at,
            .data = STR("{\"error\":\"interrupted\",\"message\":\"The process ended before the "
                        "run did.\"}")});
    return 0;
}

static int interrupt_page(
    const struct agent_house *house, struct store_page *page, struct arena *arena)
{
    struct run_row *rows = page->rows;
    struct store_batch batch;
    int rc = 0;

    store_batch_init(&batch, arena);
    for (size_t i = 0; i < page->count && rc == 0; i++) {
        rc = interrupt(house, &rows[i], arena);
        store_update(&batch, STORE_RUNS, &rows[i]);
    }
    return rc < 0 ? rc : store_commit(house->store, &batch);
}

static int recover_open(
    const struct agent_house *house, struct str workspace_id, struct str open, size_t *ret_count)
{
    struct store_query query = {
        .entity = STORE_RUNS,
        .workspace_id = workspace_id,
        .index = 1,
        .value = open,
        .limit = RECOVER_PAGE,
        .cursor = STR(""),
    };
    size_t count = 0;
    int rc = 0;

    for (int i = 0; i < RECOVER_TRIES; i++) {
        struct store_page page;
        struct arena arena;

        arena_init(&arena);
        rc = store_list(house->store, &query, &arena, &page);
        if (rc == 0 && page.count == 0)
            i = RECOVER_TRIES;
        else if (rc == 0)
            rc = interrupt_page(house, &page, &arena);
        if (rc == 0)
            count += page.count;
        arena_deinit(&arena);
        if (rc < 0)
            return rc;
    }
    *ret_count += count;
    return 0;
}

int run_recover(const struct agent_house *house, struct str workspace_id, size_t *ret_count)
{
    int rc;

    *ret_count = 0;
    rc = recover_open(house, workspace_id, STR("running"), ret_count);
    return rc < 0 ? rc : recover_open(house, workspace_id, STR("cancelling"), ret_count);
}

/* Those of a page that nobody goes on with: others go on after approvals, under a lease. */
static int interrupt_left(const struct agent_house *house, struct store_page *page,
    struct arena *arena, size_t *ret_count)
{
    struct run_row *rows = page->rows;
    size_t kept = 0;
    int rc;

    for (size_t i = 0; i < page->count; i++)
        if (str_empty(rows[i].checkpoint))
            rows[kept++] = rows[i];
    page->count = kept;
    if (kept == 0)
        return 0;
    rc = interrupt_page(house, page, arena);
    *ret_count += rc == 0 ? kept : 0;
    return MIN(rc, 0); /* somebody else was at it too */
}

int run_interrupt_old(
    const struct agent_house *house, struct str workspace_id, int64_t before_ms, size_t *ret_count)
{
    static const struct str open[] = {{"running", 7}, {"cancelling", 10}};
    struct arena arena;
    int rc = 0;

    *ret_count = 0;
    arena_init(&arena);
    for (size_t i = 0; i < ARRAY_LEN(open) && rc == 0; i++) {
        struct store_query query = {.entity = STORE_RUNS,
            .workspace_id = workspace_id,
            .index = 1,
            .value = open[i],
            .to = before_ms,
            .limit = RECOVER_PAGE,
            .cursor = STR("")};
        struct store_page page;

        do {
            rc = store_list(house->store, &query, &arena, &page);
            query.cursor = page.cursor;
            if (rc == 0)
                rc = interrupt_left(house, &page, &arena, ret_count);
        } while (rc == 0 && !str_empty(query.cursor));
    }
    arena_deinit(&arena);
    return rc;
}
