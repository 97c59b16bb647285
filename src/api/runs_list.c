/* GET /api/runs: the runs of a chat, those in a state, or all; the newest first.
 *
 * Completed runs are in no list but their chat's: one of all would be written with every turn. So
 * all runs are read chat by chat, the chat last used first, and so are the completed ones. What the
 * rest of the question leaves out is read all the same; after READS_MAX pages of the store the
 * answer is what was found, and a cursor.
 */
#include "agent/run.h"
#include "api/exchange.h"

#define READS_MAX 100
#define ROWS_MAX 100 /* of one read */
#define LIMIT 50

static const char *const states[] = {
    "completed", "running", "paused", "cancelling", "failed", "cancelled", "interrupted", NULL};
enum { STATE_ANY = -1, STATE_COMPLETED = 0 };

struct search {
    struct exchange *x;
    int state; /* of states[], or STATE_ANY */
    struct str agent;
    struct listing *listing;
    size_t left; /* so many more runs fit into the page */
    int reads;
};

static bool is_full(const struct search *s)
{
    return s->left == 0 || s->reads >= READS_MAX;
}

static bool fits(const struct search *s, const struct run_row *run)
{
    struct str state = str_empty(run->listed) ? STR("completed") : run->listed;

    return (s->state == STATE_ANY || str_is(state, states[s->state])) &&
           (!s->agent.ptr || str_eq(run->agent, s->agent));
}

static void write_fitting(struct search *s, const struct store_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        const struct run_row *run = (const struct run_row *)page->rows + i;

        if (!fits(s, run))
            continue;
        json_object_begin(&s->listing->w);
        run_write(&s->listing->w, run);
        json_object_end(&s->listing->w);
        s->left--;
    }
}

/* One page of the store from the query's cursor on, which moves: "" at the list's end. What does
 * not fit is given back at once: a question may leave out almost all that is read. */
static int read_page(struct search *s, struct store_query *query)
{
    struct store_page page;
    struct arena arena;
    int rc;

    arena_init(&arena);
    query->limit = MIN(s->left, (size_t)ROWS_MAX);
    rc = store_list(s->x->store, query, &arena, &page);
    s->reads++;
    if (rc == 0) {
        write_fitting(s, &page);
        query->cursor = str_dup(s->x->arena, page.cursor);
    }
    arena_deinit(&arena);
    return rc;
}

static int read_list(struct search *s, struct store_query *query)
{
    int rc;

    do
        rc = read_page(s, query);
    while (rc == 0 && !str_empty(query->cursor) && !is_full(s));
    return rc;
}

static struct store_query runs_of(const struct search *s, struct str session_id, struct str cursor)
{
    return (struct store_query){.entity = STORE_RUNS,
        .workspace_id = s->x->workspace,
        .index = 0,
        .value = session_id,
        .descending = true,
        .cursor = cursor};
}

/* Where a walk through the chats goes on: in a chat, behind a run of it, and then with the chats
 * behind it. As a cursor: the three with dots between, of which the store's have none. */
struct place {
    struct str session_id, runs; /* "" at the beginning of a chat */
    struct str chats;            /* "" at the beginning, "-" when there are no more */
};

static int read_place(struct str cursor, struct place *ret_place)
{
    if (str_empty(cursor)) {
        *ret_place = (struct place){.chats = STR("")};
        return 0;
    }
    if (str_next(&cursor, '.', &ret_place->chats) &&
        str_next(&cursor, '.', &ret_place->session_id) && cursor.ptr) {
        ret_place->runs = cursor;
        return 0;
    }
    return err_field(ERR_INVALID, "cursor", "The cursor is none of this list.");
}

static struct str write_place(struct arena *arena, const struct place *place)
{
    if (str_is(place->chats, "-") && str_empty(place->session_id))
        return STR("");
    return str_printf(arena, "%.*s.%.*s.%.*s", STR_ARG(place->chats), STR_ARG(place->session_id),
        STR_ARG(place->runs));
}

/* Also a page that is full ends behind its last chat, so that none is given twice. */
static int next_chat(struct search *s, struct place *place)
{
    struct store_query query = {.entity = STORE_CHAT_SESSIONS,
        .workspace_id = s->x->workspace,
        .index = 1,
        .value = STR("chat"),
        .descending = true,
        .limit = 1,
        .cursor = place->chats};
    struct store_page page;
    int rc = store_list(s->x->store, &query, s->x->arena, &page);

    s->reads++;
    if (rc < 0)
        return rc;
    place->chats = str_empty(page.cursor) ? STR("-") : page.cursor;
    if (page.count > 0)
        place->session_id = ((const struct chat_session_row *)page.rows)->id;
    return 0;
}

static int read_chats(struct search *s, struct str cursor)
{
    struct place place;
    int rc = read_place(cursor, &place);

    while (rc == 0 && !is_full(s)) {
        struct store_query query;

        if (str_empty(place.session_id)) {
            if (str_is(place.chats, "-"))
                break;
            rc = next_chat(s, &place);
            if (rc < 0 || str_empty(place.session_id))
                break;
        }
        query = runs_of(s, place.session_id, place.runs);
        rc = read_list(s, &query);
        place.runs = query.cursor;
        if (str_empty(place.runs))
            place.session_id = STR("");
    }
    if (rc == 0)
        s->listing->page.cursor = write_place(s->x->arena, &place);
    return rc;
}

static int read_one_list(struct search *s, struct store_query query)
{
    int rc = read_list(s, &query);

    s->listing->page.cursor = query.cursor;
    return rc;
}

static int read_runs(struct search *s)
{
    struct str session_id = query_str(s->x, "session_id"), cursor = query_str(s->x, "cursor");
    struct store_query query;

    if (!str_empty(session_id))
        return read_one_list(s, runs_of(s, session_id, cursor));
    if (s->state <= STATE_COMPLETED)
        return read_chats(s, cursor);
    query = runs_of(s, str_from(states[s->state]), cursor);
    query.index = 1;
    return read_one_list(s, query);
}

int runs_list(struct exchange *x)
{
    struct listing listing;
    struct search s = {
        .x = x, .state = STATE_ANY, .agent = query_str(x, "agent"), .listing = &listing};
    int64_t limit;
    int rc = query_choice(x, "state", states, &s.state);

    if (rc == 0)
        rc = query_i64(x, "limit", 1, 1000, LIMIT, &limit);
    if (rc < 0)
        return rc;
    s.left = (size_t)limit;
    listing_open(x, "runs", &listing);
    rc = read_runs(&s);
    return rc < 0 ? rc : listing_end(x, &listing);
}
