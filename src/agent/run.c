#include "agent/approval.h"
#include "agent/live.h"
#include "agent/memory.h"
#include "agent/private.h"
#include "runtime/loop.h"
#include "watch/metrics.h"

/* What a member does says so: {"agent":"researcher",…}. */
static struct str data_of_member(struct run *run, struct str data)
{
    struct buf out = BUF_IN(run->root->arena);

    buf_printf(&out, "{\"agent\":\"%.*s\"%s", STR_ARG(run->agent->name), data.len > 2 ? "," : "");
    buf_add_str(&out, str_slice(data, 1, data.len));
    return buf_str(&out);
}

int run_event(struct run *run, const char *type, struct str data)
{
    return run_event_as(run, type, data, data);
}

int run_event_as(struct run *run, const char *type, struct str data, struct str stored)
{
    struct run *root = run->root;
    bool same = data.ptr == stored.ptr;
    int rc = semaphore_take(&root->log_lock, FIBER_NO_DEADLINE);

    if (rc < 0)
        return rc;
    if (run != root && run->agent) {
        data = data_of_member(run, data);
        stored = same ? data : data_of_member(run, stored);
    }
    rc = event_record_as(&root->log, type, data, stored);
    semaphore_give(&root->log_lock);
    if (rc == 0)
        return 0;
    return err_set(ERR_CANCELLED, "The reader of the run's events went away.");
}

int run_choose_agent(const struct run_request *request, const struct agent_house *house,
    const struct agent_def **ret_def)
{
    const struct config *config = house->config;

    *ret_def = agent_set_find(house->agents, request->agent);
    if (*ret_def)
        return 0;
    if (str_empty(request->agent) || str_is(request->agent, "default") ||
        str_eq_nocase(request->agent, str_from(config->agent_name)))
        return 0;
    return err_field(ERR_INVALID, "agent",
        "There is no agent, team or workflow %.*s; leave agent out, or say %s (GET /api/agents "
        "lists all).",
        (int)MIN(request->agent.len, (size_t)64), request->agent.ptr, config->agent_name);
}

static int check_zone(
    const struct run_request *request, const struct config *config, const struct zone **ret_zone)
{
    bool given = !str_empty(request->time_zone);
    const struct zone *zone = zone_get(given ? request->time_zone : str_from(config->time_zone));

    if (!zone)
        return err_field(ERR_INVALID, "time_zone", "%s must be an IANA name such as Europe/Madrid.",
            given ? "time_zone" : "The setting time-zone");
    *ret_zone = zone;
    return 0;
}

static int prepare(struct run *run)
{
    const struct run_request *request = run->request;
    const struct config *config = run->house->config;
    int rc = run_choose_agent(request, run->house, &run->agent);

    if (request->chat.count == 0 && request->answer_seq == 0)
        return err_field(ERR_INVALID, "chat_context", "chat_context has no message.");
    if (rc == 0)
        rc = agent_check_input(run->agent, request->metadata);
    if (rc == 0)
        rc = check_zone(request, config, &run->zone);
    if (rc < 0)
        return rc;
    run->now_ms = env_wall_ms(run->house->env);
    run->begun_ms = env_mono_ms(run->house->env);
    run->deadline_ms = loop_now_ms(fiber_loop()) + config->run_timeout_ms;
    run->root = run;
    semaphore_init(&run->log_lock, 1);
    run->persona = str_from(config->agent_name);
    if (run->agent && run->agent->timeout_ms > 0)
        run->deadline_ms =
            MIN(run->deadline_ms, loop_now_ms(fiber_loop()) + run->agent->timeout_ms);
    run->row = (struct run_row){
        .workspace_id = request->workspace_id,
        .id = ulid_new(run->house->env, run->arena),
        .state = STR("running"),
        .agent = run->agent ? run->agent->name : run->persona,
        .key_id = request->key_id,
        .result = STR(""),
        .error = STR(""),
        .created_at = run->now_ms,
    };
    run->seed = str_empty(request->idempotency_key) ? run->row.id : request->idempotency_key;
    run->result = (struct run_result){
        .session_id = request->session_id,
        .run_id = run->row.id,
        .reply = STR(""),
        .reason = STR(""),
        .agent = run->row.agent,
    };
    event_log_init(&run->log, run->house->env, run->arena, request->sink, request->sink_ctx);
    return think_prepare(run);
}

static void count_run(const struct run *run, int rc)
{
    const char *outcome = run->result.spoke ? "spoke" : "silent";

    if (rc < 0)
        outcome = rc == ERR_CANCELLED ? "cancelled" : "failed";
    metric_add(M_RUNS, outcome, 1);
    metric_observe_ms(M_RUN_MS, NULL, (double)run->result.latency_ms);
    if (rc < 0)
        log_warn("run.failed", LOG_CSTR("outcome", outcome), LOG_ERR);
    else
        log_debug(
            "run.completed", LOG_CSTR("outcome", outcome), LOG_I64("ms", run->result.latency_ms));
}

/* Nobody hears a run that failed: what it had to say is void. */
static int end_failed(struct run *run, int rc)
{
    struct err cause = *err_get();

    if (rc == ERR_TIMEOUT && loop_now_ms(fiber_loop()) >= run->deadline_ms) {
        rc = err_set(ERR_TIMEOUT, "The run took longer than its %lld ms (setting run.timeout-ms).",
            (long long)run->house->config->run_timeout_ms);
        cause = *err_get();
    }
    run->result.spoke = false;
    run->result.reply = STR("");
    if (journal_end(run, rc == ERR_CANCELLED ? "cancelled" : "failed", rc, &cause) < 0)
        log_error("run.not_recorded", LOG_ERR);
    else if (rc != ERR_CANCELLED && event_log_release(&run->log) != 0)
        log_debug("run.unheard", LOG_STR("run", run->row.id));
    run->result.reason = str_dup(run->arena, str_from(cause.message));
    *err_get() = cause;
    return rc;
}

int run_finish(struct run *run, int rc)
{
    if (rc >= 0 && run->store_failed)
        rc =
            err_set(ERR_UNAVAILABLE, "The store failed while the run was at work; what was done is "
                                     "recorded: repeat the request with the same "
                                     "Idempotency-Key.");
    if (rc < 0)
        return end_failed(run, rc);
    if (rc == CALLS_PAUSE)
        approval_pause(run);
    rc = journal_end(run, run->paused ? "paused" : "completed", 0, err_get());
    if (rc == 0 && event_log_release(&run->log) != 0)
        log_debug("run.unheard", LOG_STR("run", run->row.id));
    return rc;
}

static int speak(struct run *run)
{
    int rc = event_log_release(&run->log);

    if (rc != 0)
        rc = err_set(ERR_CANCELLED, "The reader of the run's events went away.");
    if (rc == 0)
        rc = think(run);
    return run_finish(run, rc);
}

static int journaled(struct run *run)
{
    int rc = store_workspace(run->house->store, run->row.workspace_id);

    event_log_hold(&run->log);
    if (rc == 0)
        rc = journal_begin(run);
    if (rc < 0) {
        run->result.session_id = run->result.run_id = STR("");
        return rc;
    }
    if (run->verdict.speak)
        rc = speak(run);
    else if (event_log_release(&run->log) != 0)
        log_debug("run.unheard", LOG_STR("run", run->row.id));
    return rc;
}

int run_chat(const struct agent_house *house, const struct run_request *request,
    struct arena *arena, struct run_result *ret_result)
{
    struct run *run = arena_new(arena, struct run);
    struct log_context *context = fiber_log_context(), former = *context;
    int64_t deadline;
    int rc;

    run->house = house;
    run->request = request;
    run->arena = arena;
    run->delta = BUF_HEAP;
    rc = prepare(run);
    if (rc < 0)
        return rc;
    if (policy_distrusts(house->policy, request->channel))
        taint_add(&run->taint, arena, "channel", request->channel);
    memcpy(context->run_id, run->row.id.ptr, ULID_LEN + 1);
    deadline = fiber_set_deadline(MIN(fiber_deadline(), run->deadline_ms));
    metric_add(M_RUNS_IN_FLIGHT, NULL, 1);
    live_run_begin(house->live, run->row.workspace_id, run->row.id);
    rc = journaled(run);
    live_run_end(house->live, run->row.id);
    metric_add(M_RUNS_IN_FLIGHT, NULL, -1);
    if (rc == 0) {
        memory_after_run(house, &run->session.row);
        evaluations_after_run(run);
    }
    count_run(run, rc);
    fiber_set_deadline(deadline);
    *context = former;
    buf_deinit(&run->delta);
    *ret_result = run->result;
    return rc;
}
