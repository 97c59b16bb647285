/* The two commits of a run: its input before anything else, its end before it is answered.
 *
 * The input of a run that will speak waits, so that a short run is one commit: nobody knows the run
 * before the answer names it, and nothing was done or acknowledged that a crash could belie. It is
 * stored before the first tool call, with the end of the run, or after the setting
 * run.keep-input-after-ms while the model still works: a run that takes long leaves its trace. When
 * somebody watches its events, the input does not wait.
 *
 * Runs on one session may happen at once, in several processes. The session's version orders them:
 * a commit that comes second finds a conflict, reads the session again and joins on behind. What
 * the model said stays: it is not asked again. A commit whose outcome is unknown is looked up by
 * the run's row.
 */
#include "agent/checkpoint.h"
#include "agent/record.h"
#include "runtime/loop.h"

#define TRIES 200
#define WAIT_MS_MAX 20
#define UNKNOWN_MAX 3

/* Let the others go on; later tries wait longer. */
static int back_off(struct run *run, int try)
{
    uint64_t most = (uint64_t)MIN(try, WAIT_MS_MAX);

    if (most < 2)
        return fiber_yield();
    return fiber_sleep((int64_t)(env_random_u64(run->house->env) % most));
}

static int given_up(void)
{
    int rc = err_set(ERR_UNAVAILABLE, "Too many runs write to this session at once; try again.");

    err_get()->retry_after_ms = SECOND_MS;
    return rc;
}

/* The numbers of the request's messages in the chat. */
static void write_numbers(struct json_writer *w, const struct run *run)
{
    int64_t before = run->session.row.message_count;

    json_name(w, "messages");
    json_object_begin(w);
    json_i64_member(w, "from", before + 1);
    json_i64_member(w, "to", before + (int64_t)(run->request->chat.count - run->known));
    json_object_end(w);
}

static struct str request_text(const struct run *run)
{
    const struct run_request *request = run->request;
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "channel", request->channel);
    json_str_member(&w, "time_zone", zone_name(run->zone));
    json_bool_member(&w, "must_reply", request->must_reply);
    if (!str_empty(request->model))
        json_str_member(&w, "model", request->model);
    if (!str_empty(request->tool)) {
        json_str_member(&w, "tool", request->tool);
        json_str_member(&w, "tool_arguments", request->tool_arguments);
    }
    if (!str_empty(request->system_prompt))
        json_str_member(&w, "system_prompt", request->system_prompt);
    if (!str_empty(request->metadata))
        json_raw_member(&w, "metadata", request->metadata);
    if (!str_empty(request->idempotency_key))
        json_str_member(&w, "idempotency_key", request->idempotency_key);
    write_numbers(&w, run);
    taint_write_inherited(&w, &run->taint);
    record_repeated(&w, run);
    json_object_end(&w);
    return buf_str(&out);
}

static struct str started_data(const struct run *run)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "run_id", run->row.id);
    json_str_member(&w, "session_id", run->session.row.id);
    json_str_member(&w, "agent", run->row.agent);
    json_str_member(&w, "model", run->row.model);
    json_str_member(&w, "key_id", run->row.key_id);
    write_numbers(&w, run);
    json_object_end(&w);
    return buf_str(&out);
}

static struct str decided_data(const struct run *run)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_bool_member(&w, "speak", run->verdict.speak);
    json_bool_member(&w, "addressed", run->verdict.addressed);
    json_cstr_member(&w, "reason", run->verdict.reason);
    json_object_end(&w);
    return buf_str(&out);
}

static void finish_row(struct run *run, const char *state)
{
    run->row.state = str_from(state);
    run->row.listed = str_from(run->paused ? "paused" : strcmp(state, "completed") ? state : "");
    run->row.model = run->result.model;
    run->row.input_tokens = run->result.usage.input_tokens;
    run->row.output_tokens = run->result.usage.output_tokens;
    run->row.finished_at = run->paused ? 0 : env_wall_ms(run->house->env);
    run->row.checkpoint = run->paused ? checkpoint_write(run) : STR("");
}

/* The result stands in the run's row once. */
static int completed(struct run *run)
{
    return event_record_as(&run->log, "run.completed", run->row.result, STR("null"));
}

/* The first events; of a silent run also the last, and its result. */
static int first_events(struct run *run)
{
    int rc;

    event_log_restart(&run->log);
    run->row.state = run->row.listed = STR("running");
    run->row.result = run->row.events = run->result.reason = STR("");
    run->row.finished_at = 0;
    rc = run_event(run, "run.started", started_data(run));
    if (rc == 0)
        rc = run_event(run, "speak.decided", decided_data(run));
    if (rc < 0 || run->verdict.speak)
        return rc;
    run->result.reason = str_from(run->verdict.reason);
    run->result.latency_ms = env_mono_ms(run->house->env) - run->begun_ms;
    run->row.result = result_text(run);
    finish_row(run, "completed");
    return completed(run); /* held back: its reader cannot go away */
}

/* The events that no row holds yet go into the run's own row: a run that does nothing but answer
 * has no other. */
static void take_events(struct run *run)
{
    struct agent_action_row last;

    if (event_log_row(&run->log, run->row.workspace_id, run->row.id, &last))
        run->row.events = last.events;
}

/* Where the request joins on to the session as it was read. */
static int join(struct run *run, struct transcript *ret_chat)
{
    int64_t seq = run->request->answer_seq;
    int rc = 0;

    if (seq > 0)
        rc = session_focus(&run->session, seq, run->request->answer_text, run->arena, ret_chat);
    else
        run->known = session_merge(&run->session, &run->request->chat, run->arena, ret_chat);
    if (rc < 0)
        return rc;
    taint_inherit(&run->taint, run->session.row.state, session_first(&run->session), run->arena);
    run->row.session_id = run->result.session_id = run->session.row.id;
    run->row.request = request_text(run);
    return 0;
}

/* The first events of a run that will speak are stored with the next ones, before an effect or at
 * its end: the run's own row says until then that it began, and each row less is felt in every
 * turn. */
static int begin(struct run *run)
{
    int rc = join(run, &run->chat);

    if (rc < 0)
        return rc;
    run->verdict = run->request->verdict ? *run->request->verdict
                                         : speak_decide(&run->chat, run->persona,
                                               run->request->must_reply, run->now_ms, run->zone);
    rc = first_events(run);
    if (rc == 0 && !run->verdict.speak)
        take_events(run);
    return rc;
}

/* The run and its input, with the reply if there is one already; *ret_session is what the session
 * will be then. */
static void put_input(struct run *run, struct store_batch *batch, const struct chat_message *reply,
    struct session *ret_session)
{
    const struct transcript *next = &run->request->chat;

    *ret_session = run->session;
    session_append(ret_session, batch, run->row.id,
        run->known < next->count ? &next->messages[run->known] : NULL, next->count - run->known,
        reply, run->now_ms);
    store_insert(batch, STORE_RUNS, &run->row);
}

/* After a commit of unknown outcome: 0 when the run's row is there in that state. */
static int look_up(struct run *run, struct str state, struct arena *arena)
{
    struct run_row row;
    int rc =
        store_get(run->house->store, STORE_RUNS, run->row.workspace_id, run->row.id, arena, &row);

    if (rc == 0 && !str_eq(row.state, state))
        return STORE_MISSING;
    return rc;
}

/* A commit of unknown outcome becomes 0 when it was written after all, and is tried again when not;
 * a store that does not get over it is not waited for. What a later try collides with may be the
 * earlier one. */
static int settle(struct run *run, int rc, struct arena *arena, int *unknown)
{
    int looked;

    if (rc != ERR_TIMEOUT && (rc <= 0 || *unknown == 0))
        return rc;
    looked = look_up(run, run->row.state, arena);
    if (looked == 0)
        return 0;
    if ((rc == ERR_TIMEOUT || looked < 0) && ++*unknown == UNKNOWN_MAX)
        return err_set(ERR_TIMEOUT, "The store did not say in time whether it had kept the run.");
    return rc > 0 ? rc : STORE_CONFLICT;
}

static bool is_once(const struct session *session)
{
    return session->fresh && !str_empty(session->row.chat_key);
}

static int read_again(struct run *run, bool by_key)
{
    struct store *store = run->house->store;
    struct str workspace = run->row.workspace_id;
    const struct session_need need = {run->request->chat, run->request->answer_seq};

    if (by_key)
        return session_read_by_key(
            store, workspace, run->session.row.chat_key, &need, run->arena, &run->session);
    return session_read(store, workspace, run->session.row.id, &need, run->arena, &run->session);
}

/* after: what the commit made of the session. */
static void committed(struct run *run, const struct session *after)
{
    struct session *session = &run->session;
    bool updated = !session->fresh && after->row.message_count != session->row.message_count;
    int64_t version = session->fresh ? 1 : session->row.version + updated;

    *session = *after;
    session->row.version = version;
    session->fresh = false;
}

static int deleted(void)
{
    return err_field(ERR_NOT_FOUND, "session_id", "The session was deleted meanwhile.");
}

/* A repeated request that names no session finds the one that its first try made. */
static struct str once_key(const struct run *run)
{
    if (str_empty(run->request->idempotency_key))
        return STR("");
    return str_printf(run->arena, "once|%.*s", STR_ARG(run->request->idempotency_key));
}

static int open_session(struct run *run)
{
    const struct run_request *request = run->request;
    const struct session_need need = {request->chat, request->answer_seq};

    if (!str_empty(request->session_id))
        return session_read(run->house->store, request->workspace_id, request->session_id, &need,
            run->arena, &run->session);
    session_new(&run->session, run->house->env, run->arena, request->workspace_id, request->channel,
        once_key(run), request->chat.messages[0].text);
    return 0;
}

/* Read the session as others left it and join on to it anew. */
static int join_again(struct run *run)
{
    bool by_key = is_once(&run->session);
    struct transcript chat;
    int rc = 0;

    if (!run->session.fresh || by_key)
        rc = read_again(run, by_key);
    if (rc < 0)
        return rc;
    rc = join(run, &chat);
    if (rc == 0)
        event_log_amend(&run->log, started_data(run));
    return rc;
}

/* What a commit met with while the input waited: an earlier one of which it was not known whether
 * it had been written, or a session that moved on. */
static int meet(struct run *run)
{
    int rc = look_up(run, STR("running"), run->arena);

    if (rc == STORE_MISSING)
        return join_again(run);
    if (rc < 0)
        return rc;
    run->unsaved = false;
    return read_again(run, false);
}

/* One commit of the input that waited. The caller's arena, as the run may go on with its own. */
static int keep_once(struct run *run, struct arena *arena, int *unknown)
{
    struct store_batch batch;
    struct session after;
    int rc;

    store_batch_init(&batch, arena);
    put_input(run, &batch, NULL, &after);
    rc = settle(run, store_commit(run->house->store, &batch), arena, unknown);
    if (rc == 0) {
        committed(run, &after);
        run->unsaved = false;
    }
    return rc;
}

static int keep_input(struct run *run)
{
    int rc = 0, unknown = 0;

    for (int i = 0; i < TRIES && run->unsaved; i++) {
        rc = keep_once(run, run->arena, &unknown);
        if (rc == STORE_MISSING)
            return deleted();
        if (rc > 0)
            rc = back_off(run, i);
        if (rc == 0 && run->unsaved)
            rc = meet(run);
        if (rc < 0)
            return rc;
    }
    return run->unsaved ? given_up() : 0;
}

/* A failure here is no end: the next commit tries again, and its failure is told. Nor is a session
 * that moved on: what is to be made of that is made on the run's own fiber. */
static void keep(void *arg)
{
    struct run *run = arg;
    struct arena arena;
    int rc, unknown = 0;

    memcpy(fiber_log_context()->run_id, run->row.id.ptr, ULID_LEN);
    if (fiber_sleep(run->house->config->run_keep_input_after_ms) != 0)
        return;
    arena_init(&arena);
    do
        rc = keep_once(run, &arena, &unknown);
    while (rc == STORE_CONFLICT && unknown > 0 && unknown < UNKNOWN_MAX);
    if (rc < 0)
        log_warn("run.input_not_kept", LOG_ERR);
    arena_deinit(&arena);
}

/* A commit that it has begun is finished first. */
static void stop_keeper(struct run *run)
{
    int64_t deadline;

    if (!run->keeper)
        return;
    fiber_cancel(run->keeper);
    fiber_shield();
    deadline = fiber_set_deadline(FIBER_NO_DEADLINE);
    while (fiber_join(run->keeper) != 0)
        continue;
    fiber_set_deadline(deadline);
    fiber_unshield();
    run->keeper = NULL;
}

int journal_saved(struct run *run)
{
    stop_keeper(run);
    return keep_input(run);
}

static void wait_with_input(struct run *run)
{
    run->unsaved = true;
    run->keeper = fiber_spawn_joinable(fiber_loop(), "run.keeper", keep, run);
}

/* After a commit that did not come through: the session as it is now. */
static int open_again(struct run *run)
{
    bool by_key = is_once(&run->session);
    int rc = 0;

    if (!run->session.fresh || by_key)
        rc = read_again(run, by_key);
    if (rc == STORE_MISSING) /* a new session, and nobody made one under its key either */
        rc = open_session(run);
    return rc;
}

int journal_begin(struct run *run)
{
    int rc = open_session(run), unknown = 0;

    for (int i = 0; i < TRIES && rc == 0; i++) {
        rc = begin(run);
        if (rc < 0)
            return rc;
        if (run->verdict.speak && !run->request->sink) {
            wait_with_input(run);
            return 0;
        }
        rc = keep_once(run, run->arena, &unknown);
        if (rc == 0 && !run->verdict.speak)
            event_log_stored(&run->log);
        if (rc == STORE_MISSING)
            return deleted();
        if (rc <= 0)
            return rc;
        rc = back_off(run, i);
        if (rc == 0)
            rc = open_again(run);
    }
    return rc < 0 ? rc : given_up();
}

static struct str failed_data(struct run *run, int code, const struct err *cause)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "error", err_name(code));
    json_cstr_member(&w, "message", cause->message);
    json_object_end(&w);
    return buf_str(&out);
}

static void last_event(struct run *run, const char *state, int code, const struct err *cause)
{
    int rc;

    event_log_hold(&run->log);
    if (code == 0 && run->paused)
        rc = event_record(&run->log, "run.paused", run->row.result);
    else if (code == 0)
        rc = completed(run);
    else
        rc = event_record(&run->log,
            strcmp(state, "cancelled") == 0 ? "run.cancelled" : "run.failed",
            failed_data(run, code, cause));
    if (rc != 0)
        log_debug("run.event_lost", LOG_CSTR("state", state));
}

static struct run_end end_of(const struct run *run, int code, const struct err *cause)
{
    return (struct run_end){.request = run->request,
        .run = &run->row,
        .session = &run->session.row,
        .result = &run->result,
        .code = code,
        .cause = cause};
}

static const struct run_listener *listener_of(const struct run *run)
{
    return str_is(run->request->channel, "api") ? NULL : run->house->listener;
}

/* *ret_session: what the session will be then. */
static void build_end(struct run *run, struct store_batch *batch, struct session *ret_session)
{
    struct chat_message *reply = arena_new(batch->arena, struct chat_message);

    *reply = (struct chat_message){
        .party = run->persona, .text = run->result.reply, .at_ms = env_wall_ms(run->house->env)};
    take_events(run);
    *ret_session = run->session;
    if (run->extra.count > 0)
        store_batch_append(batch, &run->extra);
    if (run->unsaved) {
        put_input(run, batch, run->result.spoke ? reply : NULL, ret_session);
    } else {
        if (run->result.spoke)
            session_append(ret_session, batch, run->row.id, NULL, 0, reply, reply->at_ms);
        run->row.version = 0; /* nobody else writes a running run */
        store_update(batch, STORE_RUNS, &run->row);
    }
    if (run->result.spoke && taint_is_fresh(&run->taint))
        ret_session->row.state = taint_state(
            ret_session->row.state, &run->taint, ret_session->row.message_count, batch->arena);
}

/* What a commit of the end met with: the session moved on. */
static int refresh(struct run *run)
{
    int rc;

    if (run->unsaved)
        return meet(run);
    rc = store_get(run->house->store, STORE_CHAT_SESSIONS, run->row.workspace_id,
        run->row.session_id, run->arena, &run->session.row);
    return rc == STORE_MISSING ? deleted() : rc;
}

static int commit_end(struct run *run, int code, const struct err *cause, int *unknown)
{
    const struct run_listener *listener = listener_of(run);
    struct run_end end = end_of(run, code, cause);
    struct store_batch batch;
    struct session after;
    int rc = 0;

    store_batch_init(&batch, run->arena);
    build_end(run, &batch, &after);
    if (listener)
        rc = listener->ending(listener->ctx, &end, &batch);
    if (rc < 0)
        return rc;
    rc = settle(run, store_commit(run->house->store, &batch), run->arena, unknown);
    if (rc == 0) {
        committed(run, &after);
        run->unsaved = false;
    }
    return rc;
}

/* The result and the last event name the session, which may turn out to be another: they are made
 * for each try. */
static int store_end(struct run *run, const char *state, int code, const struct err *cause)
{
    int unknown = 0;

    for (int i = 0; i < TRIES; i++) {
        struct event_mark mark = event_log_mark(&run->log);
        int rc;

        run->row.result = code < 0 ? STR("") : result_text(run);
        last_event(run, state, code, cause);
        rc = commit_end(run, code, cause, &unknown);
        if (rc == STORE_MISSING)
            return deleted();
        if (rc <= 0)
            return rc;
        event_log_back(&run->log, mark);
        rc = back_off(run, i);
        if (rc == 0)
            rc = refresh(run);
        if (rc < 0)
            return rc;
    }
    return given_up();
}

int journal_end(struct run *run, const char *state, int code, const struct err *cause)
{
    int rc;

    stop_keeper(run);
    finish_row(run, state);
    run->result.latency_ms = env_mono_ms(run->house->env) - run->begun_ms;
    run->row.error =
        code < 0 ? str_printf(run->arena, "%s: %s", err_name(code), cause->message) : STR("");
    fiber_shield();
    rc = store_end(run, state, code, cause);
    fiber_unshield();
    if (rc == 0)
        event_log_stored(&run->log);
    run->ended = rc == 0;
    if (rc == 0 && listener_of(run)) {
        struct run_end end = end_of(run, code, cause);

        listener_of(run)->ended(listener_of(run)->ctx, &end);
    }
    return rc;
}
