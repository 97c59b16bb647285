#include "agent/replay.h"

#include "agent/approval.h"
#include "agent/replay_private.h"

/* Where a replay stands in the recorded log. */
struct replay {
    struct scene scene;
    const struct log_events *log;
    struct arena *arena;
    struct run_result result;
    size_t at; /* behind the last approval.decided that was followed */
};

static const struct log_event *next_of(const struct replay *replay, const char *type, size_t *at)
{
    for (; *at < replay->log->count; (*at)++)
        if (str_is(replay->log->events[*at].type, type))
            return &replay->log->events[*at];
    return NULL;
}

/* The replay's approval of the same call. */
static const struct run_approval *find_approval(
    const struct replay *replay, const struct json *paused, const struct json *decided)
{
    const struct json *list = json_get(paused, "approvals");
    size_t i = 0;

    for (const struct json *one = json_first(list); one; one = json_next(one), i++)
        if (str_eq(json_get_str(one, "id"), json_get_str(decided, "approval_id")) &&
            i < replay->result.approval_count)
            return &replay->result.approvals[i];
    return NULL;
}

/* Nobody decided in time. */
static int let_expire(
    struct replay *replay, const struct run_approval *approval, const struct approval_owner *owner)
{
    bool failed;

    replay->scene.now_ms = approval->expires_at + 1;
    return run_go_on(&replay->scene.house, replay->scene.request.workspace_id,
        replay->result.run_id, owner, replay->arena, &replay->result, &failed);
}

static int decide(struct replay *replay, const struct run_approval *approval,
    const struct json *decided, struct run_result *ret_result)
{
    struct approval_owner owner = {
        .id = ulid_new(&replay->scene.env, replay->arena), .model_api_key = STR("")};
    struct str state = json_get_str(decided, "state");
    struct approval_decision decision = {.workspace_id = replay->scene.request.workspace_id,
        .id = approval->id,
        .approve = !str_is(state, "refused"),
        .arguments = json_text(replay->arena, json_get(decided, "arguments")),
        .reason = json_get_str(decided, "reason"),
        .by = json_get_str(decided, "by")};
    struct approval_row row;
    bool failed;

    if (str_is(state, "expired"))
        return let_expire(replay, approval, &owner);
    return approval_decide(
        &replay->scene.house, &decision, &owner, replay->arena, &row, ret_result, &failed);
}

/* Take the decisions that follow the pause before event number `at`, as people took them. 0 when
 * there were some; STORE_MISSING when the run still waits. */
static int follow_decisions(struct replay *replay)
{
    size_t paused_at = replay->at, at;
    const struct log_event *paused = next_of(replay, "run.paused", &paused_at);
    struct run_result after = replay->result;
    int rc = STORE_MISSING;

    if (!paused)
        return STORE_MISSING;
    for (at = paused_at + 1; at < replay->log->count; at++) {
        const struct log_event *event = &replay->log->events[at];
        const struct run_approval *approval;

        if (!str_is(event->type, "approval.decided"))
            break;
        approval = find_approval(replay, paused->data, event->data);
        if (!approval)
            return STORE_MISSING;
        rc = decide(replay, approval, event->data, &after);
        if (rc < 0 || str_is(json_get_str(event->data, "state"), "expired"))
            break;
    }
    replay->at = at;
    replay->result = after;
    return rc < 0 ? rc : rc == STORE_MISSING ? rc : 0;
}

static int perform(struct replay *replay)
{
    int rc = run_chat(&replay->scene.house, &replay->scene.request, replay->arena, &replay->result);

    while (rc == 0 && replay->result.approval_count > 0) {
        rc = follow_decisions(replay);
        if (rc == STORE_MISSING)
            return 0;
    }
    return rc;
}

/* A run that fails is stored as failed, and that is what is compared. */
static int read_replayed(struct replay *replay, struct log_events *ret_log)
{
    struct run_row row;
    struct str run_id = replay->result.run_id;
    struct err cause = *err_get();
    int rc = STORE_MISSING;

    if (!str_empty(run_id))
        rc = store_get(replay->scene.house.store, STORE_RUNS, replay->scene.request.workspace_id,
            run_id, replay->arena, &row);
    if (rc == STORE_MISSING) {
        *err_get() = cause;
        return err_wrap("The replay could not begin");
    }
    return rc < 0 ? rc : replay_read_log(replay->scene.house.store, &row, replay->arena, ret_log);
}

/* Where somebody or a crash cut it off there is no event that a replay could come to. */
static void shorten(const struct run_row *run, struct log_events *log, struct replay_report *report)
{
    const struct log_event *last = &log->events[log->count - 1];
    struct str error = json_get_str(last->data, "error");

    report->cut = str_is(run->state, "interrupted") || str_is(run->state, "cancelled");
    if (str_is(last->type, "run.cancelled") || str_is(last->type, "run.interrupted") ||
        (str_is(last->type, "run.failed") && str_is(error, err_name(ERR_TIMEOUT)) &&
            (log->count < 2 || !str_is(last[-1].type, "approval.decided")))) {
        report->cut = true;
        log->count--;
    }
}

static int replay_log(struct replay *replay, const struct agent_house *house,
    const struct run_row *run, bool live, struct replay_report *report)
{
    struct log_events recorded = *replay->log, got;
    int rc = scene_open(&replay->scene, house, run, replay->log, live, replay->arena);

    if (rc < 0)
        return rc;
    if (perform(replay) < 0)
        log_debug("replay.failed", LOG_ERR);
    rc = read_replayed(replay, &got);
    if (rc < 0)
        return rc;
    shorten(run, &recorded, report);
    replay_compare(&recorded, &got, replay->arena, report);
    return 0;
}

int replay_run(const struct agent_house *house, struct str workspace_id, struct str run_id,
    const struct replay_options *options, struct arena *arena, struct replay_report *ret_report)
{
    struct replay *replay = arena_new(arena, struct replay);
    struct log_events log;
    struct run_row run;
    struct err cause;
    int rc = store_get(house->store, STORE_RUNS, workspace_id, run_id, arena, &run);

    if (rc == STORE_MISSING)
        return err_set(ERR_NOT_FOUND,
            "There is no run %.*s here; GET /api/runs?session_id=… lists a chat's runs.",
            (int)MIN(run_id.len, (size_t)64), run_id.ptr);
    if (rc == 0 && str_is(run.state, "running"))
        return err_set(ERR_CONFLICT, "This run is under way; replay it when it is at its end.");
    if (rc == 0)
        rc = replay_read_log(house->store, &run, arena, &log);
    if (rc < 0)
        return rc;
    *ret_report = (struct replay_report){.run_id = run.id, .state = run.state};
    replay->log = &log;
    replay->arena = arena;
    rc = replay_log(replay, house, &run, options->live_model, ret_report);
    cause = *err_get();
    scene_close(&replay->scene);
    *err_get() = cause;
    return rc;
}
