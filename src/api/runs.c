/* /api/runs/{id}: one run with its answer and its events. */
#include "api/exchange.h"

#define PAGE 1000

/* Each stored row, the run's own as the last, holds a JSON array of consecutive events; the members
 * are joined to one array. */
static void join_events(struct json_writer *w, struct str events)
{
    events = str_trim(events);
    if (events.len > 2)
        json_put_raw(w, str_slice(events, 1, events.len - 1));
}

/* Evaluations were made after the run's end, which its own row holds. */
static bool is_later(struct str events)
{
    return str_find(str_slice(events, 0, 64), STR("\"type\":\"evaluation."), 0) >= 0;
}

/* Of a completed run the last event is the result, which stands in the row once. */
static void join_last(struct exchange *x, const struct run_row *run, struct json_writer *w)
{
    static const struct str place = {"\"data\":null}]", 13};
    struct str events = str_trim(run->events);

    if (!str_empty(run->result) && str_ends(events, place))
        events = str_printf(x->arena, "%.*s%.*s}]", (int)(events.len - strlen("null}]")),
            events.ptr, STR_ARG(run->result));
    join_events(w, events);
}

static int write_events(struct exchange *x, const struct run_row *run, struct json_writer *w)
{
    struct store_query query = {.entity = STORE_AGENT_ACTIONS,
        .workspace_id = x->workspace,
        .index = STORE_CHILDREN,
        .value = x->params[0],
        .limit = PAGE,
        .cursor = STR("")};
    struct store_page page;
    struct str later = STR("");

    json_name(w, "events");
    json_array_begin(w);
    do {
        const struct agent_action_row *rows;
        int rc = store_list(x->store, &query, x->arena, &page);

        if (rc != 0)
            return rc;
        rows = page.rows;
        for (size_t i = 0; i < page.count; i++)
            if (is_later(rows[i].events))
                later = rows[i].events;
            else
                join_events(w, rows[i].events);
        query.cursor = page.cursor;
    } while (!str_empty(page.cursor));
    join_last(x, run, w);
    join_events(w, later);
    json_array_end(w);
    return 0;
}

void run_write(struct json_writer *w, const struct run_row *run)
{
    json_str_member(w, "id", run->id);
    json_str_member(w, "session_id", run->session_id);
    json_str_member(w, "state", run->state);
    json_str_member(w, "agent", run->agent);
    json_str_member(w, "model", run->model);
    write_opt(w, "key_id", run->key_id);
    write_opt(w, "error", run->error);
    json_i64_member(w, "input_tokens", run->input_tokens);
    json_i64_member(w, "output_tokens", run->output_tokens);
    write_time(w, "created_at", run->created_at);
    write_time(w, "finished_at", run->finished_at);
    json_raw_member(w, "result", str_empty(run->result) ? STR("null") : run->result);
    if (run->feedback.len > 2) /* "[]": taken back */
        json_raw_member(w, "feedback", run->feedback);
}

int runs_get(struct exchange *x)
{
    struct buf out = BUF_IN(x->arena);
    struct run_row run;
    struct json_writer w;
    int rc = store_get(x->store, STORE_RUNS, x->workspace, x->params[0], x->arena, &run);

    if (rc == STORE_MISSING)
        return err_set(ERR_NOT_FOUND, "There is no run with this id.");
    if (rc < 0)
        return rc;
    json_init(&w, &out);
    json_object_begin(&w);
    run_write(&w, &run);
    rc = write_events(x, &run, &w);
    json_object_end(&w);
    if (rc == 0)
        answer_json(&x->answer, 200, &out);
    return rc;
}
