/* Going on with a paused run, in whatever process: claim it, restore it, execute what was decided,
 * think on, and store its end. Every step may be repeated after a crash: until the end is stored
 * the run stays open and its approvals are due again when the lease ends. */
#include "agent/approval.h"
#include "agent/checkpoint.h"
#include "agent/live.h"
#include "agent/memory.h"
#include "base/log.h"
#include "runtime/errinj.h"
#include "runtime/loop.h"
#include "watch/metrics.h"

#define GRACE_MS MINUTE_MS

struct going {
    struct run *run;
    const struct approval_owner *owner;
    struct run_request request;
    struct waiting_call *asked;     /* what people were asked, at whatever depth */
    struct approval_row *approvals; /* one for each */
    size_t count;
    struct approval_row *claimed; /* the same when the run was claimed */
    bool expired;
};

static int busy(void)
{
    return err_set(ERR_CONFLICT, "Somebody is going on with this run already; look at it again "
                                 "soon.");
}

static void restore_request(struct going *going)
{
    struct run *run = going->run;
    const struct json *root = NULL;
    struct str metadata = STR("");

    if (json_parse(run->arena, run->row.request, &root) < 0)
        root = NULL;
    if (json_get(root, "metadata"))
        metadata = json_text(run->arena, json_get(root, "metadata"));
    going->request = (struct run_request){
        .workspace_id = run->row.workspace_id,
        .key_id = run->row.key_id,
        .session_id = run->row.session_id,
        .channel = json_get_str(root, "channel"),
        .idempotency_key = json_get_str(root, "idempotency_key"),
        .system_prompt = json_get_str(root, "system_prompt"),
        .agent = run->row.agent,
        .model = json_get_str(root, "model"),
        .model_api_key = going->owner->model_api_key,
        .time_zone = json_get_str(root, "time_zone"),
        .metadata = metadata,
        .tool = json_get_str(root, "tool"),
        .tool_arguments = json_get_str(root, "tool_arguments"),
        .must_reply = json_get_bool(root, "must_reply", false),
    };
    run->request = &going->request;
    run->zone = zone_get(going->request.time_zone);
    if (!run->zone)
        run->zone = zone_get(STR("UTC"));
}

/* The run as its row tells it, before anything is claimed. */
static int restore(struct going *going)
{
    struct run *run = going->run;
    int rc;

    restore_request(going);
    run->root = run;
    run->persona = str_from(run->house->config->agent_name);
    semaphore_init(&run->log_lock, 1);
    run->result = (struct run_result){.session_id = run->row.session_id,
        .run_id = run->row.id,
        .reply = STR(""),
        .reason = STR(""),
        .agent = run->row.agent};
    event_log_init(&run->log, run->house->env, run->arena, NULL, NULL);
    rc = run_choose_agent(&going->request, run->house, &run->agent);
    if (rc == 0)
        rc = think_prepare(run);
    return rc < 0 ? rc : checkpoint_read(run, run->row.checkpoint);
}

static int read_approvals(struct going *going)
{
    struct run *run = going->run;

    going->count = checkpoint_asked(run->arena, run->resumed, &going->asked);
    going->approvals = arena_array(run->arena, struct approval_row, going->count);
    for (size_t i = 0; i < going->count; i++) {
        int rc = store_get(run->house->store, STORE_APPROVALS, run->row.workspace_id,
            going->asked[i].approval_id, run->arena, &going->approvals[i]);

        if (rc == STORE_MISSING)
            return err_set(ERR_NOT_FOUND, "An approval that this run waits for was deleted.");
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Does it end the run that nobody decided this in time? */
static bool stops(const struct going *going, size_t i)
{
    struct str word = going->asked[i].on_timeout;

    return str_empty(word) || str_is(word, "stop");
}

/* 0: everything is decided, or one is late that ends the run. */
static int look(struct going *going)
{
    const struct run *run = going->run;
    int64_t now = env_wall_ms(run->house->env);
    bool pending = false, held = false;

    for (size_t i = 0; i < going->count; i++) {
        const struct approval_row *row = &going->approvals[i];
        bool dead = going->owner->sole && str_cmp(row->owner, going->owner->id) < 0;

        if (str_is(row->state, "pending") && row->expires_at > now)
            pending = true;
        else if (str_is(row->state, "pending") || str_is(row->state, "expired"))
            going->expired = going->expired || stops(going, i);
        held = held || (!dead && row->due_at > now);
    }
    if (going->expired)
        return str_is(run->row.state, "running") && held ? busy() : 0;
    if (pending)
        return APPROVAL_WAITS;
    return str_is(run->row.state, "running") && held ? busy() : 0;
}

/* An earlier try may have stored events behind those of the checkpoint. */
static int find_last_event(struct run *run)
{
    struct store_query query = {.entity = STORE_AGENT_ACTIONS,
        .workspace_id = run->row.workspace_id,
        .index = STORE_CHILDREN,
        .value = run->row.id,
        .descending = true,
        .limit = 1,
        .cursor = STR("")};
    const struct agent_action_row *row;
    struct store_page page;
    int rc = store_list(run->house->store, &query, run->arena, &page);

    if (rc < 0 || page.count == 0)
        return rc;
    row = page.rows;
    run->log.last_seq = MAX(run->log.last_seq, event_seq_of(row->events, true, run->arena));
    return 0;
}

/* One commit: the run is somebody's, its events make room for those to come, and its approvals are
 * held. Of two that try, one finds a conflict. */
static int claim(struct going *going)
{
    struct run *run = going->run;
    int64_t now = env_wall_ms(run->house->env);
    struct agent_action_row events = {.workspace_id = run->row.workspace_id,
        .run_id = run->row.id,
        .seq = event_seq_of(run->row.events, false, run->arena),
        .events = run->row.events,
        .created_at = now};
    struct store_batch batch;
    int rc;

    store_batch_init(&batch, run->arena);
    if (events.seq > 0)
        store_insert(&batch, STORE_AGENT_ACTIONS, &events);
    run->row.events = STR("");
    run->row.state = STR("running");
    store_update(&batch, STORE_RUNS, &run->row);
    for (size_t i = 0; i < going->count; i++) {
        struct approval_row *row = &going->approvals[i];

        if (str_is(row->state, "pending") || (going->expired && str_is(row->state, "approved")))
            row->state = STR("expired");
        row->owner = going->owner->id;
        row->due_at = now + run->house->config->run_timeout_ms + GRACE_MS;
        store_update(&batch, STORE_APPROVALS, row);
    }
    rc = store_commit(run->house->store, &batch);
    going->claimed = arena_array(run->arena, struct approval_row, going->count);
    memcpy(going->claimed, going->approvals, going->count * sizeof(*going->claimed));
    if (rc == 0 && errinj("approval.claimed"))
        return err_set(ERR_IO, "Injected fault: the run is claimed.");
    return rc > 0 ? busy() : rc;
}

static int furnish(struct run *run)
{
    const struct session_need none = {0};
    int rc = session_read(run->house->store, run->row.workspace_id, run->row.session_id, &none,
        run->arena, &run->session);

    if (rc < 0)
        return rc;
    run->chat = run->session.stored;
    return 0;
}

static int report(struct run *run, const struct approval_row *row)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "approval_id", row->id);
    json_str_member(&w, "call_id", row->call_id);
    json_str_member(&w, "tool", row->tool);
    json_str_member(&w, "state", row->state);
    json_str_member(&w, "by", row->decided_by);
    json_str_member(&w, "reason", row->reason);
    json_raw_member(&w, "arguments", row->arguments);
    json_object_end(&w);
    return run_event(run, "approval.decided", buf_str(&out));
}

/* Lines of what was not done, by no model: an answer never tells it otherwise. A text that people
 * looked at is no deed. */
static struct str notes(const struct run *run)
{
    struct buf out = BUF_IN(run->arena);

    for (size_t i = 0; i < run->decision_count; i++) {
        const struct run_decision *decision = &run->decisions[i];

        if (decision->done || str_is(decision->row->tool, APPROVAL_REVIEW))
            continue;
        buf_printf(&out, "%s%s: %.*s (%.*s)", out.len > 0 ? "\n" : "",
            decision->unknown ? "Not known whether it was done" : "Not done",
            STR_ARG(decision->row->summary), STR_ARG(decision->cause));
    }
    return buf_str(&out);
}

/* What is stored with the run's end: how each approval ended. */
static void settle(struct going *going, bool tried)
{
    struct run *run = going->run;

    if (!run->extra.arena)
        store_batch_init(&run->extra, run->arena);
    for (size_t i = 0; i < going->count; i++) {
        struct approval_row *row = &going->approvals[i];

        if (tried && str_is(row->state, "approved"))
            row->state = run->decisions[i].done ? STR("done") : STR("failed");
        row->due_at = APPROVAL_NEVER;
        row->version = 0; /* held by this run */
        store_update(&run->extra, STORE_APPROVALS, row);
    }
}

static int expire(struct going *going)
{
    const struct approval_row *row = going->approvals;

    for (size_t i = 0; i < going->count; i++)
        if (str_is(going->approvals[i].state, "expired") && stops(going, i))
            row = &going->approvals[i];
    settle(going, false);
    return err_set(ERR_TIMEOUT,
        "An approval expired before anybody decided, and nothing that waited was done: %.*s.",
        STR_ARG(row->summary));
}

/* All of the run's own calls, and nobody wants any of them. */
static bool all_refused(const struct going *going)
{
    const struct run *run = going->run;
    size_t refused = 0;

    for (size_t i = 0; i < going->count; i++)
        refused += str_is(going->approvals[i].state, "refused");
    return refused == going->count && run->waiting_count == going->count;
}

static int take_decisions(struct going *going)
{
    struct run *run = going->run;
    int rc = 0;

    run->decisions = arena_array(run->arena, struct run_decision, going->count);
    for (size_t i = 0; i < going->count && rc == 0; i++) {
        run->decisions[run->decision_count++] =
            (struct run_decision){.row = &going->approvals[i], .cause = STR("it was not tried")};
        rc = report(run, &going->approvals[i]);
    }
    return rc;
}

static void say(struct run *run, struct str said)
{
    if (run->result.spoke)
        said = str_printf(run->arena, "%.*s\n\n%.*s", STR_ARG(said), STR_ARG(run->result.reply));
    run->result.reply = said;
    run->result.spoke = true;
}

static int execute(struct going *going)
{
    struct run *run = going->run;
    struct str said;
    int rc = take_decisions(going);

    if (rc < 0 || going->expired)
        return rc < 0 ? rc : expire(going);
    rc = run_resume(run, all_refused(going));
    settle(going, true);
    said = notes(run);
    if (rc == 0 && said.len > 0)
        say(run, said);
    return rc;
}

/* What was decided could not be done, or its end not be stored: whoever comes next, at once, goes
 * on from where this began. Without this the lease would have to end first. */
static int give_back(struct going *going)
{
    struct run *run = going->run;
    struct store_batch batch;

    store_batch_init(&batch, run->arena);
    for (size_t i = 0; i < going->count; i++) {
        going->approvals[i] = going->claimed[i];
        going->approvals[i].due_at = env_wall_ms(run->house->env);
        going->approvals[i].version = 0; /* held by this run */
        store_update(&batch, STORE_APPROVALS, &going->approvals[i]);
    }
    if (store_commit(run->house->store, &batch) < 0)
        log_warn("approval.not_given_back", LOG_STR("run", run->row.id), LOG_ERR);
    return err_set(ERR_UNAVAILABLE, "What was decided is kept, but the store failed before it was "
                                    "done; it is tried again soon.");
}

/* The claimed run to its end. */
static int conduct(struct going *going, bool *ret_failed)
{
    struct run *run = going->run;
    struct log_context *context = fiber_log_context(), former = *context;
    int64_t deadline;
    int rc;

    memcpy(context->run_id, run->row.id.ptr, ULID_LEN + 1);
    run->begun_ms = env_mono_ms(run->house->env);
    run->deadline_ms = loop_now_ms(fiber_loop()) + run->house->config->run_timeout_ms;
    deadline = fiber_set_deadline(MIN(fiber_deadline(), run->deadline_ms));
    metric_add(M_RUNS_IN_FLIGHT, NULL, 1);
    live_run_begin(run->house->live, run->row.workspace_id, run->row.id);
    rc = furnish(run);
    run->store_failed = rc < 0;
    if (rc == 0)
        rc = execute(going);
    if (!run->store_failed)
        rc = run_finish(run, rc);
    if (!run->ended)
        rc = give_back(going);
    live_run_end(run->house->live, run->row.id);
    metric_add(M_RUNS_IN_FLIGHT, NULL, -1);
    if (rc == 0) {
        memory_after_run(run->house, &run->session.row);
        evaluations_after_run(run);
    }
    fiber_set_deadline(deadline);
    *context = former;
    *ret_failed = rc < 0 && run->ended;
    return *ret_failed ? 0 : rc;
}

/* What the run says while it waits for other decisions. */
static void show_waiting(struct going *going)
{
    struct run *run = going->run;
    size_t open = 0;

    for (size_t i = 0; i < going->count; i++)
        open += str_is(going->approvals[i].state, "pending");
    run->result.spoke = true;
    run->result.reason = STR("waits for approval");
    run->result.reply = str_printf(run->arena,
        "The decision is stored; nothing was done yet, because %zu more %s to be decided.", open,
        open == 1 ? "approval is" : "approvals are");
}

int run_go_on(const struct agent_house *house, struct str workspace_id, struct str run_id,
    const struct approval_owner *owner, struct arena *arena, struct run_result *ret_result,
    bool *ret_failed)
{
    struct run *run = arena_new(arena, struct run);
    struct going going = {.run = run, .owner = owner};
    int rc = store_get(house->store, STORE_RUNS, workspace_id, run_id, arena, &run->row);

    *ret_failed = false;
    if (rc == STORE_MISSING)
        return err_set(ERR_NOT_FOUND, "The run that this approval belongs to was deleted.");
    if (rc == 0 && !str_is(run->row.listed, "paused"))
        return err_set(ERR_CONFLICT, "The run is at its end already.");
    run->house = house;
    run->arena = arena;
    run->delta = BUF_HEAP;
    if (rc == 0)
        rc = restore(&going);
    if (rc == 0)
        rc = read_approvals(&going);
    if (rc == 0)
        rc = look(&going);
    if (rc == 0)
        rc = claim(&going);
    if (rc == 0)
        rc = find_last_event(run);
    if (rc == 0)
        rc = conduct(&going, ret_failed);
    else if (rc == APPROVAL_WAITS)
        show_waiting(&going);
    buf_deinit(&run->delta);
    if (rc >= 0)
        *ret_result = run->result;
    return rc;
}
