/* What can be done to a run: cancel it, go on with it, fork it.
 *
 * Cancelling is noted in the run's row (listed: "cancelling") for whichever process works on it;
 * the one that does looks for such notes every second (api_cancel_noted()). Going on is another run
 * on the same chat under the same seed: what the first one did, it finds in the ledger. A fork is a
 * new chat with the history up to a run, and a run of its own there. */
#include "agent/approval.h"
#include "agent/live.h"
#include "agent/taint.h"
#include "api/exchange.h"
#include "store/messages.h"

#define TRIES 20
#define PAGE 100
#define FORK_MESSAGES 500

static int find_run(struct exchange *x, struct run_row *row)
{
    int rc = store_get(x->store, STORE_RUNS, x->workspace, x->params[0], x->arena, row);

    return rc == STORE_MISSING ? err_set(ERR_NOT_FOUND, "There is no run with this id.") : rc;
}

static int answer_state(struct exchange *x, int status, struct str id, const char *state)
{
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "id", id);
    json_cstr_member(&w, "state", state);
    json_object_end(&w);
    answer_json(&x->answer, status, &out);
    return 0;
}

/* The stored events with run.cancelled behind them. */
static struct str with_end(struct exchange *x, struct str events)
{
    struct run_event event = {.seq = event_seq_of(events, true, x->arena) + 1,
        .type = "run.cancelled",
        .at_ms = env_wall_ms(x->env),
        .data = STR("{\"error\":\"cancelled\",\"message\":\"Somebody cancelled the run while it "
                    "waited.\"}")};

    return event.seq > 1 ? event_append(x->arena, events, &event) : events;
}

static int refuse_approvals(
    struct exchange *x, const struct run_row *run, struct store_batch *batch)
{
    struct store_query query = {.entity = STORE_APPROVALS,
        .workspace_id = x->workspace,
        .index = 1,
        .value = run->session_id,
        .limit = PAGE,
        .cursor = STR("")};
    struct store_page page;

    do {
        int rc = store_list(x->store, &query, x->arena, &page);

        if (rc != 0)
            return rc;
        for (size_t i = 0; i < page.count; i++) {
            struct approval_row *row = (struct approval_row *)page.rows + i;

            if (!str_eq(row->run_id, run->id) || str_is(row->state, "done") ||
                str_is(row->state, "failed") || str_is(row->state, "refused"))
                continue;
            row->state = STR("refused");
            row->reason = STR("The run was cancelled.");
            row->due_at = APPROVAL_NEVER;
            row->decided_at = env_wall_ms(x->env);
            store_update(batch, STORE_APPROVALS, row);
        }
        query.cursor = page.cursor;
    } while (!str_empty(page.cursor));
    return 0;
}

/* Nobody works on it: it ends here. 0 or STORE_CONFLICT. */
static int cancel_waiting(struct exchange *x, struct run_row *run)
{
    struct store_batch batch;
    int rc;

    store_batch_init(&batch, x->arena);
    run->state = run->listed = STR("cancelled");
    run->error = STR("cancelled: Somebody cancelled the run while it waited.");
    run->events = with_end(x, run->events);
    run->checkpoint = STR("");
    run->finished_at = env_wall_ms(x->env);
    store_update(&batch, STORE_RUNS, run);
    rc = refuse_approvals(x, run, &batch);
    return rc == 0 ? store_commit(x->store, &batch) : rc;
}

static int note_cancel(struct exchange *x, struct run_row *run)
{
    struct store_batch batch;

    if (str_is(run->listed, "cancelling"))
        return 0;
    store_batch_init(&batch, x->arena);
    run->listed = STR("cancelling");
    store_update(&batch, STORE_RUNS, run);
    return store_commit(x->store, &batch);
}

int runs_cancel(struct exchange *x)
{
    int rc = STORE_CONFLICT;

    for (int i = 0; i < TRIES && rc == STORE_CONFLICT; i++) {
        struct run_row run;

        rc = find_run(x, &run);
        if (rc < 0)
            return rc;
        if (str_is(run.state, "cancelled"))
            return answer_state(x, 200, run.id, "cancelled");
        if (!run_is_open(&run))
            return err_set(
                ERR_CONFLICT, "The run is at its end already: %.*s.", STR_ARG(run.state));
        if (live_run_cancel(x->api->house->live, run.id))
            return answer_state(x, 202, run.id, "cancelling");
        if (str_is(run.listed, "paused") && str_is(run.state, "paused")) {
            rc = cancel_waiting(x, &run);
            if (rc == 0)
                return answer_state(x, 200, run.id, "cancelled");
        } else {
            rc = note_cancel(x, &run);
            if (rc == 0)
                return answer_state(x, 202, run.id, "cancelling");
        }
    }
    return rc < 0 ? rc : err_set(ERR_CONFLICT, "The run is changing just now; try again.");
}

static int cancel_noted(struct api *api, struct str workspace_id, struct arena *arena)
{
    struct store_query query = {.entity = STORE_RUNS,
        .workspace_id = workspace_id,
        .index = 1,
        .value = STR("cancelling"),
        .limit = PAGE,
        .cursor = STR("")};
    struct store_page page;
    int rc;

    do {
        rc = store_list(api->house->store, &query, arena, &page);
        for (size_t i = 0; rc == 0 && i < page.count; i++)
            (void)live_run_cancel(api->house->live, ((const struct run_row *)page.rows)[i].id);
        query.cursor = page.cursor;
    } while (rc == 0 && !str_empty(query.cursor));
    return rc;
}

int api_cancel_noted(struct api *api)
{
    struct arena arena;
    struct str *ids;
    size_t count;
    int rc = 0;

    arena_init(&arena);
    count = live_run_workspaces(api->house->live, &arena, &ids);
    for (size_t i = 0; i < count; i++) {
        int failed = cancel_noted(api, ids[i], &arena);

        rc = failed < 0 ? failed : rc;
    }
    arena_deinit(&arena);
    return rc;
}

/* What the run was asked, as a request again. */
static struct run_request request_of(struct exchange *x, const struct run_row *run)
{
    const struct json *root = NULL;
    struct run_request request;
    struct str seed;

    if (json_parse(x->arena, run->request, &root) < 0)
        root = NULL;
    seed = json_get_str(root, "idempotency_key");
    request = (struct run_request){.workspace_id = x->workspace,
        .key_id = str_from(x->who.key_id),
        .session_id = run->session_id,
        .channel = json_get_str(root, "channel"),
        .idempotency_key = str_empty(seed) ? run->id : seed,
        .answer_seq = json_get_i64(json_get(root, "messages"), "to", 0),
        .system_prompt = json_get_str(root, "system_prompt"),
        .agent = run->agent,
        .model = json_get_str(root, "model"),
        .model_api_key = http_header(&x->req->headers, "x-model-api-key"),
        .time_zone = json_get_str(root, "time_zone"),
        .metadata = STR(""),
        .must_reply = true};
    if (json_get(root, "metadata"))
        request.metadata = json_text(x->arena, json_get(root, "metadata"));
    return request;
}

/* One more message by the caller, in the place of the stored one. */
static int add_message(struct exchange *x, struct run_request *request)
{
    static const struct body_field fields[] = {{"message", JSON_STRING, 64 * KIB},
        {"party", JSON_STRING, 64}, {"from_event", JSON_NUMBER, 0}};
    struct str text = json_get_str(x->body, "message"), party = json_get_str(x->body, "party");
    int rc = body_check(x->body, fields, ARRAY_LEN(fields));

    if (rc < 0 || str_empty(str_trim(text)))
        return rc;
    request->chat.messages = arena_new(x->arena, struct chat_message);
    request->chat.messages[0] =
        (struct chat_message){str_empty(party) ? STR("User") : party, str_trim(text), 0};
    request->chat.count = 1;
    request->answer_seq = 0;
    return 0;
}

static int answer_run(struct exchange *x, const struct run_request *request)
{
    struct run_result result = {0};
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;
    int rc = chat_enter(x);

    if (rc < 0)
        return rc;
    rc = run_chat(x->api->house, request, x->arena, &result);
    chat_leave(x);
    if (rc < 0)
        return rc;
    json_init(&w, &out);
    run_result_write(&w, &result);
    answer_json(&x->answer, 200, &out);
    x->answer.run_id = result.run_id;
    return 0;
}

static int go_on_paused(struct exchange *x, const struct run_row *run)
{
    struct approval_owner owner = {.id = str_from(x->api->process_id),
        .sole = x->api->sole_at_start,
        .model_api_key = http_header(&x->req->headers, "x-model-api-key")};
    struct run_result result = {0};
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;
    bool failed;
    int rc = run_go_on(x->api->house, x->workspace, run->id, &owner, x->arena, &result, &failed);

    if (rc == APPROVAL_WAITS)
        return err_set(
            ERR_CONFLICT, "The run waits for approvals: decide them at /api/approvals first.");
    if (rc < 0)
        return rc;
    json_init(&w, &out);
    run_result_write(&w, &result);
    answer_json(&x->answer, 200, &out);
    return 0;
}

/* What says that a run was gone on with: a row among the idempotency keys, which goes with them. */
static struct idempotency_row mark_of(struct exchange *x, const struct run_row *run)
{
    int64_t now = env_wall_ms(x->env);

    return (struct idempotency_row){.workspace_id = x->workspace,
        .id = str_printf(x->arena, "continue|%.*s", STR_ARG(run->id)),
        .state = STR("running"),
        .owner = str_from(x->api->process_id),
        .run_id = STR(""),
        .created_at = now,
        .expires_at = now + x->api->house->config->idempotency_hours * HOUR_MS};
}

static int store_mark(struct exchange *x, const struct idempotency_row *mark,
    void (*put)(struct store_batch *batch, enum store_entity entity, const void *row))
{
    struct store_batch batch;

    store_batch_init(&batch, x->arena);
    put(&batch, STORE_IDEMPOTENCY, mark);
    return store_commit(x->store, &batch);
}

/* The newest run that answers the same message, and did not fail; *ret_id stays "" without one. */
static int find_answer(
    struct exchange *x, const struct run_row *run, int64_t answer_seq, struct str *ret_id)
{
    struct store_query query = {.entity = STORE_RUNS,
        .workspace_id = x->workspace,
        .index = 0,
        .value = run->session_id,
        .from = run->created_at,
        .descending = true,
        .limit = PAGE,
        .cursor = STR("")};
    struct store_page page;
    int rc = store_list(x->store, &query, x->arena, &page);

    for (size_t i = 0; rc == 0 && i < page.count && str_empty(*ret_id); i++) {
        const struct run_row *one = (const struct run_row *)page.rows + i;
        const struct json *root;

        if (!str_eq(one->id, run->id) &&
            (str_is(one->state, "completed") || str_is(one->state, "paused")) &&
            json_parse(x->arena, one->request, &root) == 0 &&
            json_get_i64(root, "answers", 0) == answer_seq)
            *ret_id = one->id;
    }
    return rc;
}

/* Somebody goes on with it, or did, or died while he did. 0: the mark is the caller's now. */
static int take_mark_over(
    struct exchange *x, const struct run_row *run, int64_t answer_seq, struct idempotency_row *mark)
{
    struct idempotency_row former;
    int rc = store_get(x->store, STORE_IDEMPOTENCY, x->workspace, mark->id, x->arena, &former);

    if (rc == 0 && str_is(former.state, "done"))
        mark->run_id = former.run_id;
    else if (rc == 0 && !idempotency_is_left(x, &former))
        rc = STORE_CONFLICT;
    else if (rc == 0)
        rc = find_answer(x, run, answer_seq, &mark->run_id);
    if (rc == 0 && !str_empty(mark->run_id))
        return err_set(ERR_CONFLICT,
            "The run was gone on with already, by run %.*s; send a message to go on from there.",
            STR_ARG(mark->run_id));
    mark->version = former.version;
    return rc == 0 ? store_mark(x, mark, store_update) : rc;
}

/* The same message is not answered twice. */
static int continue_once(
    struct exchange *x, const struct run_row *run, const struct run_request *request)
{
    struct idempotency_row mark = mark_of(x, run);
    int rc = store_mark(x, &mark, store_insert);

    if (rc == STORE_EXISTS)
        rc = take_mark_over(x, run, request->answer_seq, &mark);
    if (rc != 0)
        return rc < 0 ? rc : err_set(ERR_CONFLICT, "The run is being gone on with just now.");
    rc = answer_run(x, request);
    mark.version = 0;
    mark.state = STR("done");
    mark.run_id = x->answer.run_id;
    if (store_mark(x, &mark, rc < 0 ? store_delete : store_update) < 0)
        log_warn("run.continue_not_marked", LOG_ERR);
    return rc;
}

int runs_continue(struct exchange *x)
{
    struct run_request request;
    struct run_row run;
    int rc = find_run(x, &run);

    if (rc < 0)
        return rc;
    if (str_is(run.listed, "paused"))
        return go_on_paused(x, &run);
    if (run_is_open(&run))
        return err_set(ERR_CONFLICT, "The run is still under way; wait for its end, or cancel it.");
    request = request_of(x, &run);
    rc = add_message(x, &request);
    if (rc == 0 && str_is(run.state, "completed") && request.answer_seq > 0)
        return err_field(ERR_CONFLICT, "message",
            "The run has completed; send a message to go on with its chat.");
    if (rc < 0)
        return rc;
    return request.answer_seq > 0 ? continue_once(x, &run, &request) : answer_run(x, &request);
}

/* The last FORK_MESSAGES messages up to number to, and the run's answer with answer, newest first;
 * an old run's lie some pages back. */
static int read_part(struct exchange *x, const struct run_row *run, int64_t to, bool answer,
    const struct message_row **messages, size_t *ret_count)
{
    struct store_query query = {.entity = STORE_MESSAGES,
        .workspace_id = x->workspace,
        .index = STORE_CHILDREN,
        .value = run->session_id,
        .descending = true,
        .limit = FORK_MESSAGES,
        .cursor = STR("")};
    size_t count = 0;

    do {
        struct store_page page;
        int rc = messages_list(x->store, &query, x->arena, &page);

        if (rc != 0)
            return rc;
        for (size_t i = 0; i < page.count && count < FORK_MESSAGES; i++) {
            const struct message_row *row = (const struct message_row *)page.rows + i;

            if (row->seq <= to || (answer && str_eq(row->run_id, run->id)))
                messages[count++] = row;
        }
        query.cursor = page.cursor;
    } while (!str_empty(query.cursor) && count < FORK_MESSAGES);
    *ret_count = count;
    return 0;
}

/* The copy may hold a tainted answer when it holds the session's last one, or one before that: its
 * own last answer counts as such. */
static struct str fork_state(struct exchange *x, const struct chat_session_row *session,
    const struct message_row **newest_first, size_t count)
{
    int64_t last = taint_last(session->state, x->arena);

    for (size_t i = 0; i < count; i++)
        if (str_is(newest_first[i]->direction, "out") && newest_first[i]->seq <= last)
            return taint_moved(session->state, (int64_t)(count - i), x->arena);
    return STR("{}");
}

/* The chat up to the run's input, or with its answer, in a session of its own. *ret_count: the
 * number of its last message there. */
static int copy_chat(struct exchange *x, const struct run_row *run, int64_t to, bool answer,
    struct str *ret_session, int64_t *ret_count)
{
    const struct message_row **messages =
        arena_array(x->arena, const struct message_row *, FORK_MESSAGES);
    struct chat_session_row session;
    struct message_row *copies;
    struct store_batch batch;
    size_t count = 0;
    int rc =
        store_get(x->store, STORE_CHAT_SESSIONS, x->workspace, run->session_id, x->arena, &session);

    if (rc == STORE_MISSING)
        return err_set(ERR_NOT_FOUND, "The chat of this run was deleted.");
    if (rc == 0)
        rc = read_part(x, run, to, answer, messages, &count);
    if (rc < 0)
        return rc;
    store_batch_init(&batch, x->arena);
    session.id = ulid_new(x->env, x->arena);
    session.chat_key = STR("");
    session.channel = STR("api");
    session.state = fork_state(x, &session, messages, count);
    copies = arena_array(x->arena, struct message_row, count);
    for (size_t i = 0; i < count; i++) {
        copies[i] = *messages[count - 1 - i];
        copies[i].session_id = session.id;
        copies[i].run_id = STR("");
        copies[i].more = STR("");
        copies[i].seq = (int64_t)i + 1;
        messages_insert(&batch, &copies[i], 1);
    }
    session.message_count = (int64_t)count;
    session.created_at = session.updated_at = env_wall_ms(x->env);
    store_insert(&batch, STORE_CHAT_SESSIONS, &session);
    *ret_session = session.id;
    *ret_count = session.message_count;
    return store_commit(x->store, &batch);
}

/* The run's answer is taken over when the fork begins behind its last event. */
static int64_t last_event(struct exchange *x, const struct run_row *run)
{
    const struct json *root;

    if (str_empty(run->events) || json_parse(x->arena, run->events, &root) < 0)
        return INT64_MAX;
    return json_get_i64(json_at(root, json_len(root) - 1), "seq", INT64_MAX);
}

int runs_fork(struct exchange *x)
{
    struct run_request request;
    struct run_row run;
    int64_t from = 0, to, count = 0;
    bool answer;
    int rc = find_run(x, &run);

    if (rc < 0)
        return rc;
    request = request_of(x, &run);
    to = request.answer_seq;
    rc = add_message(x, &request);
    if (rc == 0)
        rc = body_i64(x->body, "from_event", 0, INT64_MAX / 2, 0, &from);
    if (rc < 0)
        return rc;
    answer = from > 0 && from >= last_event(x, &run);
    if (from > 0 && !answer)
        return err_field(ERR_INVALID, "from_event",
            "from_event inside a run is not possible: leave it out to fork before the run, or give "
            "the number of its last event to fork behind it.");
    if (answer && request.chat.count == 0)
        return err_field(ERR_INVALID, "message",
            "The fork begins behind the run's end: send the message to go on with.");
    rc = copy_chat(x, &run, to, answer, &request.session_id, &count);
    if (rc < 0)
        return rc;
    if (request.answer_seq > 0)
        request.answer_seq = count;
    request.idempotency_key = x->seed.ptr ? x->seed : STR("");
    request.channel = STR("api");
    return answer_run(x, &request);
}
