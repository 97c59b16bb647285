/* The two commits of a run: its input before anything else, its end before it is answered.
 *
 * The input of a new chat may wait, so that a short run is one commit: nobody knows the chat or the
 * run before the answer names them, and nothing was done or acknowledged that a crash could belie.
 * It is stored before the first tool call, with the end of the run, or after KEEP_AFTER_MS while
 * the model still works: a run that takes long leaves its trace whatever happens. A request with an
 * idempotency key, or whose events somebody watches, does not wait.
 *
 * Runs on one session may happen at once, in several processes. The session's version orders them:
 * a commit that comes second finds a conflict, reads the session again and joins on behind. A
 * commit whose outcome is unknown is looked up by the run's row.
 */
#include "agent/private.h"
#include "runtime/loop.h"

#define TRIES 200
#define WAIT_MS_MAX 20
#define UNKNOWN_MAX 3
#define KEEP_AFTER_MS 100

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

static struct str request_text(const struct run *run, int64_t from, int64_t to)
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
    if (!str_empty(request->system_prompt))
        json_str_member(&w, "system_prompt", request->system_prompt);
    if (!str_empty(request->metadata))
        json_raw_member(&w, "metadata", request->metadata);
    if (!str_empty(request->idempotency_key))
        json_str_member(&w, "idempotency_key", request->idempotency_key);
    json_name(&w, "messages");
    json_object_begin(&w);
    json_i64_member(&w, "from", from);
    json_i64_member(&w, "to", to);
    json_object_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

static struct str started_data(const struct run *run, int64_t from, int64_t to)
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
    json_name(&w, "messages");
    json_object_begin(&w);
    json_i64_member(&w, "from", from);
    json_i64_member(&w, "to", to);
    json_object_end(&w);
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
    run->row.open = STR("");
    run->row.model = run->result.model;
    run->row.input_tokens = run->result.usage.input_tokens;
    run->row.output_tokens = run->result.usage.output_tokens;
    run->row.finished_at = env_wall_ms(run->house->env);
}

/* The first events; of a silent run also the last, and its result. */
static int first_events(struct run *run, int64_t from, int64_t to)
{
    int rc;

    event_log_restart(&run->log);
    run->row.state = run->row.open = STR("running");
    run->row.result = run->row.events = run->result.reason = STR("");
    run->row.finished_at = 0;
    rc = run_event(run, "run.started", started_data(run, from, to));
    if (rc == 0)
        rc = run_event(run, "speak.decided", decided_data(run));
    if (rc < 0 || run->verdict.speak)
        return rc;
    run->result.reason = str_from(run->verdict.reason);
    run->result.latency_ms = env_mono_ms(run->house->env) - run->begun_ms;
    run->row.result = result_text(run);
    finish_row(run, "completed");
    return run_event(run, "run.completed", run->row.result);
}

/* The events that no row holds yet go into the run's own row: a run that does nothing but answer
 * has no other. */
static void take_events(struct run *run)
{
    struct agent_action_row last;

    if (event_log_row(&run->log, run->row.workspace_id, run->row.id, &last))
        run->row.events = last.events;
}

/* Join the request on to the session as it is now, and put everything into the batch. The first
 * events of a run that will speak are stored with the next ones, before an effect or at its end:
 * the run's own row says until then that it began, and each row less is felt in every turn. */
static int build_begin(struct run *run, struct store_batch *batch)
{
    const struct transcript *next = &run->request->chat;
    struct session *session = &run->session;
    size_t known = session_merge(session, next, run->arena, &run->chat);
    int64_t from = session->row.message_count + 1;
    int rc;

    run->verdict =
        speak_decide(&run->chat, run->row.agent, run->request->must_reply, run->now_ms, run->zone);
    session_append(session, batch, run->row.id, "in", next->messages + known, next->count - known,
        run->now_ms);
    run->row.session_id = run->result.session_id = session->row.id;
    run->row.request = request_text(run, from, session->row.message_count);
    store_insert(batch, STORE_RUNS, &run->row);
    rc = first_events(run, from, session->row.message_count);
    if (rc == 0 && !run->verdict.speak)
        take_events(run);
    return rc;
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
    const struct transcript *next = &run->request->chat;

    if (by_key)
        return session_read_by_key(
            store, workspace, run->session.row.chat_key, next, run->arena, &run->session);
    return session_read(store, workspace, run->session.row.id, next, run->arena, &run->session);
}

static void committed(struct run *run, const struct chat_session_row *before)
{
    struct session *session = &run->session;

    if (!run->verdict.speak)
        event_log_stored(&run->log);
    if (session->fresh)
        session->row.version = 1;
    else if (session->row.message_count != before->message_count)
        session->row.version++;
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

    if (!str_empty(request->session_id))
        return session_read(run->house->store, request->workspace_id, request->session_id,
            &request->chat, run->arena, &run->session);
    session_new(&run->session, run->house->env, run->arena, request->workspace_id, request->channel,
        once_key(run), request->chat.messages[0].text);
    return 0;
}

/* Store the input that waited, whole. Its keys are new ones: what collides with it is an earlier
 * try. The caller's arena, as the run goes on with its own meanwhile. */
static int keep_input(struct run *run, struct arena *arena)
{
    struct chat_session_row before = run->session.row;
    struct store_batch batch = run->input;
    int rc = STORE_CONFLICT, unknown = 0;

    batch.arena = arena;
    for (int i = 0; i < TRIES && rc == STORE_CONFLICT; i++)
        rc = settle(run, store_commit(run->house->store, &batch), arena, &unknown);
    if (rc == 0) {
        committed(run, &before);
        run->unsaved = false;
    }
    return rc > 0 ? given_up() : rc;
}

/* A failure here is no end: the next commit tries again, and its failure is told. */
static void keep(void *arg)
{
    struct run *run = arg;
    struct arena arena;

    memcpy(fiber_log_context()->run_id, run->row.id.ptr, ULID_LEN);
    if (fiber_sleep(KEEP_AFTER_MS) != 0)
        return;
    arena_init(&arena);
    if (keep_input(run, &arena) < 0)
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
    return run->unsaved ? keep_input(run, run->arena) : 0;
}

static bool may_wait(const struct run *run)
{
    return run->session.fresh && !is_once(&run->session) && !run->request->sink;
}

/* 0 when the input waits or, because there will be no answer, is stored with the end. */
static int begin_waiting(struct run *run)
{
    int rc;

    store_batch_init(&run->input, run->arena);
    rc = build_begin(run, &run->input);
    if (rc < 0)
        return rc;
    if (!run->verdict.speak)
        return keep_input(run, run->arena);
    run->unsaved = true;
    run->keeper = fiber_spawn_joinable(fiber_loop(), "run.keeper", keep, run);
    return 0;
}

int journal_begin(struct run *run)
{
    int rc = open_session(run), unknown = 0;

    if (rc == 0 && may_wait(run))
        return begin_waiting(run);
    for (int i = 0; i < TRIES && rc == 0; i++) {
        struct store_batch batch;
        struct chat_session_row before = run->session.row;
        bool fresh = run->session.fresh;

        store_batch_init(&batch, run->arena);
        rc = build_begin(run, &batch);
        if (rc == 0)
            rc = store_commit(run->house->store, &batch);
        rc = settle(run, rc, run->arena, &unknown);
        if (rc == 0) {
            committed(run, &before);
            return 0;
        }
        run->session.row = before;
        if (rc == STORE_MISSING)
            return deleted();
        if (rc < 0)
            return rc;
        rc = back_off(run, i);
        if (rc == 0 && (!fresh || is_once(&run->session)))
            rc = read_again(run, fresh);
        if (rc == STORE_MISSING) /* a new session, and nobody made one under its key either */
            rc = open_session(run);
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
    const char *type = "run.completed";
    struct str data = run->row.result;

    if (code < 0) {
        type = strcmp(state, "cancelled") == 0 ? "run.cancelled" : "run.failed";
        data = failed_data(run, code, cause);
    }
    event_log_hold(&run->log);
    if (event_record(&run->log, type, data) != 0)
        log_debug("run.event_lost", LOG_CSTR("type", type));
}

static void build_end(struct run *run, struct store_batch *batch)
{
    struct chat_message reply = {
        .party = run->row.agent, .text = run->result.reply, .at_ms = run->row.finished_at};

    take_events(run);
    if (run->unsaved) { /* its rows are those of the run as it is now */
        store_batch_append(batch, &run->input);
        if (run->result.spoke)
            session_add_messages(&run->session, batch, run->row.id, "out", &reply, 1, reply.at_ms);
    } else {
        if (run->result.spoke)
            session_append(&run->session, batch, run->row.id, "out", &reply, 1, reply.at_ms);
        run->row.version = 0; /* nobody else writes a running run */
        store_update(batch, STORE_RUNS, &run->row);
    }
}

/* What a commit of the end met with: the session moved on, or an input of which it was not known
 * whether it had been written. */
static int refresh(struct run *run)
{
    int rc;

    if (run->unsaved) {
        rc = look_up(run, STR("running"), run->arena);
        if (rc == 0)
            committed(run, &run->session.row);
        run->unsaved = rc != 0;
        return rc < 0 ? rc : 0;
    }
    rc = store_get(run->house->store, STORE_CHAT_SESSIONS, run->row.workspace_id,
        run->row.session_id, run->arena, &run->session.row);

    return rc == STORE_MISSING ? deleted() : rc;
}

static int commit_end(struct run *run)
{
    int unknown = 0;

    for (int i = 0; i < TRIES; i++) {
        struct chat_session_row before = run->session.row;
        struct store_batch batch;
        int rc;

        store_batch_init(&batch, run->arena);
        build_end(run, &batch);
        rc = store_commit(run->house->store, &batch);
        run->session.row = before;
        rc = settle(run, rc, run->arena, &unknown);
        if (rc == STORE_MISSING)
            return deleted();
        if (rc == 0 && run->unsaved) {
            committed(run, &before);
            run->unsaved = false;
        }
        if (rc <= 0)
            return rc;
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
    run->row.result = code < 0 ? STR("") : result_text(run);
    last_event(run, state, code, cause);
    fiber_shield();
    rc = commit_end(run);
    fiber_unshield();
    if (rc == 0)
        event_log_stored(&run->log);
    return rc;
}
