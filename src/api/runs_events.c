/* GET /api/runs/{id}/events: what a run did, event by event: a page of them, or a stream that goes
 * on until the run has ended. Both read what is stored, so any instance serves any run, and a
 * client whose stream broke goes on behind the last event that it saw (Last-Event-ID). */
#include "api/exchange.h"
#include "http/sse.h"

#define ROWS 100
#define EVENTS_MAX 1000
#define LOOK_MS 200 /* at first; a run that takes long is looked at less often */
#define LOOK_MS_MAX 1000
#define PING_MS (15 * SECOND_MS)

struct following {
    struct exchange *x;
    struct arena *arena; /* of one look */
    int64_t after;
    struct run_row run;
    int (*emit)(struct following *f, const struct json *event, struct str data);
    struct json_writer *w; /* of a page */
    int64_t left;
};

/* The last event of a completed run is its result, which stands in the row once. */
static struct str data_of(const struct following *f, const struct json *event)
{
    if (str_is(json_get_str(event, "type"), "run.completed") && !str_empty(f->run.result))
        return f->run.result;
    return json_text(f->arena, json_get(event, "data"));
}

static int emit_array(struct following *f, struct str events)
{
    const struct json *root;
    int rc = 0;

    if (str_empty(events))
        return 0;
    if (json_parse(f->arena, events, &root) < 0)
        return err_set(ERR_CORRUPT, "The events of this run cannot be read.");
    for (const struct json *one = json_first(root); one && rc == 0 && f->left > 0;
         one = json_next(one)) {
        int64_t seq = json_get_i64(one, "seq", 0);

        if (seq <= f->after)
            continue;
        rc = f->emit(f, one, data_of(f, one));
        f->after = seq;
        f->left--;
    }
    return rc;
}

/* Rows are numbered by their first event: the one before f->after may reach beyond it. */
static int first_row(struct following *f, int64_t *ret_from)
{
    struct store_query query = {.entity = STORE_AGENT_ACTIONS,
        .workspace_id = f->x->workspace,
        .index = STORE_CHILDREN,
        .value = f->run.id,
        .to = f->after + 1,
        .descending = true,
        .limit = 1,
        .cursor = STR("")};
    struct store_page page = {0};
    int rc = f->after > 0 ? store_list(f->x->store, &query, f->arena, &page) : 0;

    *ret_from = page.count > 0 ? ((const struct agent_action_row *)page.rows)->seq : 0;
    return rc;
}

/* What is stored behind f->after. The run's own row is read first: what it holds is behind the
 * others, and may become one of them meanwhile. */
static int look(struct following *f)
{
    struct store_query query = {.entity = STORE_AGENT_ACTIONS,
        .workspace_id = f->x->workspace,
        .index = STORE_CHILDREN,
        .limit = ROWS,
        .cursor = STR("")};
    struct store_page page;
    int rc =
        store_get(f->x->store, STORE_RUNS, f->x->workspace, f->x->params[0], f->arena, &f->run);

    if (rc == STORE_MISSING)
        return err_set(ERR_NOT_FOUND, "There is no run with this id.");
    if (rc == 0)
        rc = first_row(f, &query.from);
    query.value = f->run.id;
    while (rc == 0) {
        rc = store_list(f->x->store, &query, f->arena, &page);
        for (size_t i = 0; rc == 0 && i < page.count; i++)
            rc = emit_array(f, ((const struct agent_action_row *)page.rows)[i].events);
        if (rc != 0 || str_empty(page.cursor) || f->left <= 0)
            break;
        query.cursor = page.cursor;
    }
    return rc == 0 ? emit_array(f, f->run.events) : rc;
}

static int emit_page(struct following *f, const struct json *event, struct str data)
{
    json_object_begin(f->w);
    json_i64_member(f->w, "seq", json_get_i64(event, "seq", 0));
    json_str_member(f->w, "type", json_get_str(event, "type"));
    json_str_member(f->w, "at", json_get_str(event, "at"));
    json_raw_member(f->w, "data", data);
    json_object_end(f->w);
    return 0;
}

static int page_of(struct exchange *x, int64_t after, int64_t limit)
{
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;
    struct following f = {
        .x = x, .arena = x->arena, .after = after, .emit = emit_page, .w = &w, .left = limit};
    int rc;

    json_init(&w, &out);
    json_object_begin(&w);
    json_name(&w, "events");
    json_array_begin(&w);
    rc = look(&f);
    json_array_end(&w);
    json_str_member(&w, "state", f.run.state);
    json_i64_member(&w, "last_seq", f.after);
    json_bool_member(&w, "ended", !run_is_open(&f.run));
    json_object_end(&w);
    if (rc == 0)
        answer_json(&x->answer, 200, &out);
    return rc;
}

static int emit_sse(struct following *f, const struct json *event, struct str data)
{
    return sse_send(f->x->req, str_cstr(f->arena, json_get_str(event, "type")),
        json_get_i64(event, "seq", 0), data);
}

/* Until the run ended or waits for a person: nothing more comes by itself then. */
static int follow(struct following *f)
{
    int64_t pause = LOOK_MS, quiet = 0;
    int rc = 0;

    while (rc == 0) {
        int64_t before = f->after;
        struct arena arena;
        bool over;

        arena_init(&arena);
        f->arena = &arena;
        f->left = INT64_MAX;
        rc = look(f);
        over = !run_is_open(&f->run) || str_is(f->run.listed, "paused");
        arena_deinit(&arena);
        if (rc != 0 || over)
            break;
        pause = f->after > before ? LOOK_MS : MIN(pause * 2, (int64_t)LOOK_MS_MAX);
        quiet = f->after > before ? 0 : quiet + pause;
        if (quiet >= PING_MS) {
            rc = sse_ping(f->x->req);
            quiet = 0;
        }
        if (rc == 0)
            rc = fiber_sleep(pause);
    }
    return rc;
}

/* Of an ended run; its last events are in its own row. */
static int64_t last_seq(struct exchange *x, const struct run_row *run)
{
    const struct json *root;

    if (str_empty(run->events) || json_parse(x->arena, run->events, &root) < 0)
        return INT64_MAX;
    return json_get_i64(json_at(root, json_len(root) - 1), "seq", INT64_MAX);
}

static int stream_of(struct exchange *x, int64_t after)
{
    struct following f = {.x = x, .arena = x->arena, .after = after, .emit = emit_sse};
    int rc = store_get(x->store, STORE_RUNS, x->workspace, x->params[0], x->arena, &f.run);

    if (rc == STORE_MISSING)
        return err_set(ERR_NOT_FOUND, "There is no run with this id.");
    if (rc < 0)
        return rc;
    if (!run_is_open(&f.run) && after > 0 && after >= last_seq(x, &f.run)) {
        x->answer.status = 204; /* which tells an EventSource not to come back */
        return 0;
    }
    x->answer.sent = true;
    rc = sse_begin(x->req);
    if (rc == 0)
        rc = follow(&f);
    if (rc == 0)
        rc = http_stream_end(x->req);
    /* The client asks again from where it is, whether it left or the store failed. */
    if (rc < 0)
        log_debug("run.stream_cut", LOG_STR("run", x->params[0]), LOG_ERR);
    return 0;
}

static int last_event_id(struct exchange *x, int64_t *ret_after)
{
    struct str header = http_header(&x->req->headers, "last-event-id");
    int64_t after;

    if (str_empty(header))
        return 0;
    if (!str_to_i64(header, &after) || after < 0)
        return err_field(ERR_INVALID, "Last-Event-ID",
            "Last-Event-ID is the id of the last event that you got: a whole number.");
    *ret_after = MAX(*ret_after, after);
    return 0;
}

int runs_events(struct exchange *x)
{
    static const char *const choices[] = {"false", "true", NULL};
    int64_t after = 0, limit = 0;
    int stream = accepts(x, "text/event-stream");
    int rc = query_i64(x, "after", 0, INT64_MAX / 2, 0, &after);

    if (rc == 0)
        rc = query_i64(x, "limit", 1, EVENTS_MAX, 100, &limit);
    if (rc == 0)
        rc = query_choice(x, "stream", choices, &stream);
    if (rc == 0)
        rc = last_event_id(x, &after);
    if (rc < 0)
        return rc;
    return stream ? stream_of(x, after) : page_of(x, after, limit);
}
