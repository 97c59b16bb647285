/* Tool calls of one model answer: all at once, each with its own deadline, answers in order.
 *
 * The run's fiber plans (names, arguments, the ledger's intents) and reports; only the tools
 * themselves run on fibers of their own. A single call stays on the run's fiber. Tools that run at
 * the same time get an arena each, because a store may fill one from another thread.
 */
#include "agent/approval.h"
#include "agent/checkpoint.h"
#include "agent/gate.h"
#include "agent/job.h"
#include "agent/tool_cache.h"
#include "runtime/errinj.h"
#include "runtime/loop.h"
#include "watch/metrics.h"

#define TIMEOUT_MS (30 * SECOND_MS)
#define CALL_TRIES 3

static void job_failed(struct job *job, int rc)
{
    job->rc = rc;
    job->cause = *err_get();
}

static int find_tool(struct job *job)
{
    const struct run *run = job->run;
    char known[256] = "";
    size_t len = 0;

    for (size_t i = 0; i < run->tool_count; i++) {
        if (str_is(job->asked->name, run->tool_list[i]->name)) {
            job->tool = run->tool_list[i];
            job->index = i;
            return 0;
        }
        if (len + 1 < sizeof(known))
            len += (size_t)snprintf(
                known + len, sizeof(known) - len, "%s%s", i ? ", " : "", run->tool_list[i]->name);
    }
    job->index = run->tool_count;
    return err_set(ERR_NOT_FOUND, "There is no tool %.*s; the tools are: %s.",
        (int)MIN(job->asked->name.len, (size_t)64), job->asked->name.ptr, known);
}

static int read_args(struct job *job)
{
    struct str text = str_trim(job->asked->arguments);
    int rc = json_parse(job->run->arena, str_empty(text) ? STR("{}") : text, &job->args);

    if (rc < 0) {
        job->args = NULL;
        return err_wrap("The arguments are not valid JSON");
    }
    return tool_check_args(job->tool, job->args);
}

static struct str started_data(const struct job *job)
{
    struct buf out = BUF_IN(job->run->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "call_id", job->asked->id);
    json_str_member(&w, "tool", job->asked->name);
    json_name(&w, "arguments");
    if (job->args)
        json_put_node(&w, job->args);
    else
        json_put_str(&w, job->asked->arguments);
    json_object_end(&w);
    return buf_str(&out);
}

/* Record that an effect is about to happen, together with the events so far. */
static int intend(struct job *job)
{
    struct run *run = job->run;
    struct ledger_intent intent = {
        .workspace_id = run->row.workspace_id,
        .run_id = run->row.id,
        .seed = run->seed,
        .tool = job->tool->name,
        .keyed = job->tool->keyed,
        .args = job->args,
    };
    struct agent_action_row action;
    bool stored;
    struct event_log *log = &run->root->log;
    int rc = run_event(run, "effect.intended", job_effect_data(job, NULL));

    if (rc == 0)
        rc = semaphore_take(&run->root->log_lock, FIBER_NO_DEADLINE);
    if (rc < 0)
        return rc;
    if (event_log_row(log, run->row.workspace_id, run->row.id, &action))
        intent.events = &action;
    rc = ledger_begin(run->house->store, run->house->env, &intent, run->arena, &job->entry,
        &job->result, &stored);
    if (rc >= 0 && stored)
        event_log_stored(log);
    semaphore_give(&run->root->log_lock);
    if (rc < 0)
        return rc;
    job->reused = rc == LEDGER_REUSED;
    job->effect = rc == 0;
    job->begun = rc == LEDGER_OPEN;
    return 0;
}

/* A model that asks for the same thing twice in one answer gets it once. What was begun, but not in
 * this answer, was cut off. */
static void find_twin(struct job *jobs, struct job *job)
{
    for (struct job *other = jobs; other < job && (job->effect || job->begun); other++)
        if (other->effect && str_eq(other->entry.row.id, job->entry.row.id)) {
            job->twin = other;
            job->effect = job->begun = false;
        }
    if (job->begun)
        job_failed(
            job, err_set(ERR_CONFLICT, "An earlier try of this call was cut off: nobody knows "
                                       "whether it happened. Do not call it again; say that "
                                       "it must be checked."));
}

static int over_budget(struct job *job)
{
    int64_t limit = job->run->house->config->run_max_tool_calls;

    const struct agent_def *agent = job->run->agent;

    if (agent && agent->max_tool_calls > 0 && job->run->own_tool_calls >= agent->max_tool_calls)
        return err_set(ERR_BUDGET,
            "%.*s used up its %lld tool calls (max-tool-calls); answer with what is known.",
            STR_ARG(agent->name), (long long)agent->max_tool_calls);
    if (job->run->root->result.tool_calls < limit)
        return 0;
    return err_set(ERR_BUDGET,
        "The run used up its budget of %lld tool calls; answer with what is known.",
        (long long)limit);
}

static int check(struct job *job)
{
    enum policy_verdict verdict = POLICY_ALLOW;
    int rc = find_tool(job);

    if (rc == 0)
        rc = read_args(job);
    if (rc == 0)
        rc = over_budget(job);
    if (rc == 0)
        rc = gate_check(job->run, job->asked, job->tool, job->index, job->args, &verdict);
    job->waits = rc == 0 && verdict == POLICY_ASK;
    return rc;
}

/* Reads what was read before, if the tool's results last. */
static bool from_cache(struct job *job)
{
    struct run *run = job->run;

    job->reused = policy_limits(run->house->policy, job->tool).cache_ms > 0 &&
                  tool_cache_get(run->house->tool_cache, run->row.workspace_id, run->row.session_id,
                      job->tool, job->args, env_mono_ms(run->house->env), run->arena, &job->result);
    return job->reused;
}

static bool changes(const struct job *job)
{
    return job->tool->effect == TOOL_WRITE &&
           !(job->tool->reads_only && job->tool->reads_only(job->args));
}

/* 0 also when the call is refused (job->rc); what is returned ends the run. */
static int plan(struct job *job)
{
    int rc = check(job);

    if (rc == ERR_CANCELLED)
        return rc;
    if (rc < 0)
        job_failed(job, rc);
    else if (!job->waits) {
        job->run->root->result.tool_calls++;
        job->run->own_tool_calls++;
    }
    rc = run_event(job->run, "tool.started", started_data(job));
    if (rc < 0 || job->rc < 0 || job->waits || from_cache(job))
        return rc;
    return changes(job) ? intend(job) : 0;
}

static int call_tool(struct job *job)
{
    const struct run *run = job->run;
    struct tool_call call = {
        .tool = job->tool,
        .arena = job->arena,
        .env = run->house->env,
        .store = run->house->store,
        .services = run->house->services,
        .workspace_id = run->row.workspace_id,
        .session_id = run->row.session_id,
        .run_id = run->row.id,
        .time_zone = zone_name(run->zone),
        .agent_name = run->persona,
        .run = job->run,
        .now_ms = run->now_ms,
        .chat = &run->chat,
        .idempotency_key = job->effect ? job->entry.row.id : STR(""),
        .args = job->args,
        .frame = job->frame,
    };
    struct policy_limits limits = policy_limits(run->house->policy, job->tool);
    int64_t timeout = limits.timeout_ms > 0 ? limits.timeout_ms : TIMEOUT_MS;
    int64_t deadline = MIN(loop_now_ms(fiber_loop()) + timeout, run->deadline_ms);
    int64_t former = fiber_set_deadline(deadline);
    int rc = job->tool->run(&call, &job->result);

    fiber_set_deadline(former);
    job->late = loop_now_ms(fiber_loop()) >= deadline;
    if (rc == ERR_TIMEOUT && job->late)
        return err_set(ERR_TIMEOUT, "The tool %s did not finish within %lld ms.", job->tool->name,
            (long long)timeout);
    if (rc == 0 && limits.cache_ms > 0)
        tool_cache_put(run->house->tool_cache, run->row.workspace_id, run->row.session_id,
            job->tool, job->args, env_mono_ms(run->house->env) + limits.cache_ms, &job->result);
    return rc;
}

static int call_once(struct job *job)
{
    int rc;

    if (job->effect && errinj("effect.intended"))
        return err_set(ERR_IO, "Injected fault: the tool does not run.");
    rc = call_tool(job);
    if (rc == 0 && job->effect && errinj("effect.executed"))
        rc = err_set(ERR_IO, "Injected fault: the tool ran.");
    return rc;
}

/* Of a call that was cut off nobody knows whether it happened; one that honours its key is made
 * again. */
static bool may_repeat(const struct job *job, int rc)
{
    return job->effect && job->tool->keyed && ledger_is_unknown(rc) && rc != ERR_CANCELLED &&
           !job->late && !fiber_is_cancelled();
}

static void execute(void *arg)
{
    struct job *job = arg;
    const struct run *run = job->run;
    int rc;

    memcpy(fiber_log_context()->run_id, run->row.id.ptr, ULID_LEN);
    rc = call_once(job);
    for (int i = 1; i < CALL_TRIES && may_repeat(job, rc); i++)
        rc = call_once(job);
    job->ran = true;
    if (rc == CALLS_PAUSE) {
        job->waits = true;
        job->waits_below = job->result.content;
        return;
    }
    if (rc < 0)
        job_failed(job, rc);
    if (!job->effect)
        return;
    fiber_shield();
    job->ledger_rc = ledger_end(
        run->house->store, run->house->env, &job->entry, job->rc, &job->result, job->arena);
    fiber_unshield();
    if (job->ledger_rc < 0)
        log_error("ledger.failed", LOG_CSTR("tool", job->tool->name), LOG_ERR);
}

static void free_arena(void *arg)
{
    arena_deinit(arg);
    free(arg);
}

static struct arena *arena_of_its_own(struct arena *parent)
{
    struct arena *arena = xmalloc(sizeof(*arena));

    arena_init(arena);
    arena_defer(parent, free_arena, arena);
    return arena;
}

static bool to_execute(const struct job *job)
{
    return job->rc == 0 && !job->reused && !job->twin && !job->waits;
}

static void execute_all(struct run *run, struct job *jobs, size_t count)
{
    struct fiber **fibers = arena_array(run->arena, struct fiber *, count);
    size_t planned = 0, only = 0;

    for (size_t i = 0; i < count; i++)
        if (to_execute(&jobs[i])) {
            planned++;
            only = i;
        }
    if (planned == 1) {
        jobs[only].arena = run->arena;
        execute(&jobs[only]);
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (to_execute(&jobs[i])) {
            jobs[i].arena = arena_of_its_own(run->arena);
            fibers[i] = fiber_spawn_joinable(fiber_loop(), "run.tool", execute, &jobs[i]);
        }
    /* When the run is cancelled or late, its tools are told, and waited for. */
    fiber_join_all(fibers, count);
}

/* What waits is noted; a run that pauses does not end by another call's word. */
static int outcome(struct run *run, const struct job *jobs, size_t count)
{
    bool waits = false;

    if (fiber_is_cancelled())
        return err_set(ERR_CANCELLED, "The run was cancelled.");
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].waits)
            approval_add(run, jobs[i].asked, jobs[i].args, jobs[i].waits_below);
        waits = waits || jobs[i].waits;
    }
    run->stopped = run->stopped && !waits;
    return waits ? CALLS_PAUSE : 0;
}

static int run_jobs(struct run *run, struct job *jobs, size_t count)
{
    int rc = 0;

    execute_all(run, jobs, count);
    for (size_t i = 0; i < count; i++) {
        int one = jobs[i].waits ? 0 : job_finish(&jobs[i]);

        if (rc == 0)
            rc = one < 0 ? one : jobs[i].ledger_rc;
    }
    return rc == 0 ? outcome(run, jobs, count) : rc;
}

/* What calls return is of the store, not of tools. A leader that is told that its member failed
 * must not make an answer of it: a repeat can mend this. */
static int watch_store(struct run *run, int rc)
{
    bool late = loop_now_ms(fiber_loop()) >= run->deadline_ms;

    if (rc == ERR_IO || rc == ERR_UNAVAILABLE || (rc == ERR_TIMEOUT && !late))
        run->root->store_failed = true;
    return rc;
}

int calls_run(struct run *run, const struct model_tool_call *calls, size_t count)
{
    struct job *jobs = arena_array(run->arena, struct job, count);
    int rc = journal_saved(run->root);

    for (size_t i = 0; i < count && rc == 0; i++) {
        jobs[i].run = run;
        jobs[i].asked = &calls[i];
        rc = plan(&jobs[i]);
        if (rc == 0)
            find_twin(jobs, &jobs[i]);
    }
    return watch_store(run, rc < 0 ? rc : run_jobs(run, jobs, count));
}

/* A person did not agree. */
static int not_agreed(struct job *job, const struct approval_row *row)
{
    const char *colon = str_empty(row->reason) ? "" : ": ";

    job->refused = true;
    if (str_is(row->state, "expired"))
        return err_set(ERR_DENIED, "Nobody agreed to this in time");
    return err_set(ERR_DENIED, "A person refused this%s%.*s", colon,
        (int)MIN(row->reason.len, 400u), row->reason.ptr);
}

/* Whose work waited was counted when it began. */
static int plan_below(struct job *job, struct str frame)
{
    int rc = find_tool(job);

    if (rc == 0)
        rc = read_args(job);
    if (rc == 0)
        rc = json_parse(job->run->arena, frame, &job->frame);
    if (rc < 0)
        job_failed(job, rc);
    return 0;
}

/* 0 also when the call cannot run any more (job->rc). */
static int plan_decided(struct job *job, const struct waiting_call *waiting)
{
    int rc = find_tool(job);

    job->decision = run_decision(job->run, waiting->approval_id);
    if (!job->decision)
        return err_set(ERR_CORRUPT, "An approval that this run waits for is not there.");
    if (!str_is(job->decision->row->state, "approved"))
        rc = not_agreed(job, job->decision->row);
    if (rc == 0)
        rc = read_args(job);
    if (rc < 0) {
        job_failed(job, rc);
        return 0;
    }
    job->run->root->result.tool_calls++;
    job->run->own_tool_calls++;
    return changes(job) ? intend(job) : 0;
}

static int plan_waiting(struct job *job, const struct waiting_call *waiting)
{
    struct model_tool_call *call = arena_new(job->run->arena, struct model_tool_call);

    *call = waiting->call;
    job->asked = call;
    if (str_empty(waiting->approval_id))
        return plan_below(job, waiting->frame);
    job->decision = run_decision(job->run, waiting->approval_id);
    if (job->decision)
        call->arguments = job->decision->row->arguments;
    return plan_decided(job, waiting);
}

static void settle(struct job *job)
{
    struct run_decision *decision = job->decision;

    if (!decision)
        return;
    decision->unknown = job->effect && job->rc < 0 && ledger_is_unknown(job->rc);
    decision->done = job->tool && job->rc == 0 && (job->ran || job->reused);
    if (!decision->done)
        decision->cause = str_dup(job->run->root->arena, str_from(job->cause.message));
}

int calls_go_on(struct run *run)
{
    size_t count = run->waiting_count;
    const struct waiting_call *waiting = run->waiting;
    struct job *jobs = arena_array(run->arena, struct job, count);
    int rc = 0;

    run->waiting = NULL;
    run->waiting_count = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        jobs[i].run = run;
        rc = plan_waiting(&jobs[i], &waiting[i]);
        if (rc == 0)
            find_twin(jobs, &jobs[i]);
    }
    if (rc == 0)
        rc = run_jobs(run, jobs, count);
    for (size_t i = 0; i < count; i++)
        settle(&jobs[i]);
    return watch_store(run, rc);
}
