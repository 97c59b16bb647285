/* Workflows at work. Steps that stand below each other run on one strand: a fiber, an arena, and
 * the output before. Steps at the same time are strands of their own; each writes the outputs of
 * its own steps only, so nothing is locked. Agents and tools are asked as a team's leader asks
 * them: the effects ledger, budgets and events are the run's.
 */
#include "agent/checkpoint.h"
#include "agent/workflow_private.h"
#include "runtime/loop.h"

#define EVENT_TEXT_MAX 4000

static struct str output_of(const struct strand *strand, int slot)
{
    if (slot == SLOT_INPUT)
        return strand->flow->input;
    return slot == SLOT_PREVIOUS ? strand->previous : strand->flow->outputs[slot];
}

struct str workflow_render(const struct strand *strand, struct str template)
{
    struct buf out = BUF_IN(strand->arena);
    size_t at = 0;

    for (;;) {
        ptrdiff_t open = str_find(template, STR("{{"), at);
        ptrdiff_t close = open < 0 ? -1 : str_find(template, STR("}}"), (size_t)open);
        struct str name;

        if (close < 0)
            break;
        buf_add_str(&out, str_slice(template, at, (size_t)open));
        name = str_trim(str_slice(template, (size_t)open + 2, (size_t)close));
        buf_add_str(&out, output_of(strand, workflow_slot(strand->flow->workflow, name)));
        at = (size_t)close + 2;
    }
    buf_add_str(&out, str_slice(template, at, template.len));
    return buf_str(&out);
}

static int tell(const struct strand *strand, const char *type, const struct step *step,
    const char *status, struct str text)
{
    struct run *run = strand->flow->run;
    struct buf out = BUF_IN(strand->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "workflow", run->agent->name);
    json_str_member(&w, "step", step->name);
    if (status)
        json_cstr_member(&w, "status", status);
    if (!str_empty(text))
        json_str_member(&w, "text", utf8_truncate(text, EVENT_TEXT_MAX));
    json_object_end(&w);
    return run_event(run, type, buf_str(&out));
}

static int run_steps(struct strand *strand, const struct step_list *list);

struct branch {
    struct strand strand;
    struct arena arena;
    const struct step *step;
    struct err cause;
    int rc;
};

static int run_step(struct strand *strand, const struct step *step);

static void run_branch(void *arg)
{
    struct branch *branch = arg;

    memcpy(fiber_log_context()->run_id, branch->strand.flow->run->row.id.ptr, ULID_LEN);
    fiber_set_deadline(branch->strand.deadline_ms);
    branch->rc = run_step(&branch->strand, branch->step);
    branch->cause = *err_get();
}

static void free_arena(void *arg)
{
    arena_deinit(arg);
}

/* All at once; a step that fails does not end the others, and is heard of when none of them waits
 * for people. The output names each. */
static int run_parallel(struct strand *strand, const struct step *step)
{
    size_t count = step->steps.count;
    struct branch *branches = arena_array(strand->arena, struct branch, count);
    struct fiber **fibers = arena_array(strand->arena, struct fiber *, count);
    struct buf out = BUF_IN(strand->arena);
    bool waits = false;

    for (size_t i = 0; i < count; i++) {
        branches[i].strand = *strand;
        branches[i].strand.arena = &branches[i].arena;
        branches[i].step = &step->steps.steps[i];
        arena_init(&branches[i].arena);
        arena_defer(strand->arena, free_arena, &branches[i].arena);
        fibers[i] = fiber_spawn_joinable(fiber_loop(), "run.step", run_branch, &branches[i]);
    }
    fiber_join_all(fibers, count);
    for (size_t i = 0; i < count; i++)
        waits = waits || branches[i].rc == CALLS_PAUSE;
    for (size_t i = 0; i < count; i++) {
        if (branches[i].rc < 0 && (!waits || branches[i].rc == ERR_CANCELLED)) {
            *err_get() = branches[i].cause;
            return branches[i].rc;
        }
    }
    for (size_t i = 0; i < count && !waits; i++)
        buf_printf(&out, "%s%.*s: %.*s", i ? "\n\n" : "", STR_ARG(branches[i].step->name),
            STR_ARG(branches[i].strand.previous));
    if (waits)
        return CALLS_PAUSE;
    strand->previous = buf_str(&out);
    return 0;
}

static int run_loop(struct strand *strand, const struct step *step)
{
    struct str prefix = strand->prefix;

    for (int64_t i = 0; i < step->rounds; i++) {
        int rc;

        strand->prefix = str_printf(
            strand->arena, "%.*s%.*s#%lld/", STR_ARG(prefix), STR_ARG(step->name), (long long)i);
        rc = run_steps(strand, &step->steps);
        strand->prefix = prefix;
        if (rc != 0)
            return rc;
        if (step->condition.kind != CONDITION_NONE &&
            condition_holds(&step->condition, output_of(strand, step->condition.slot)))
            break;
    }
    return 0;
}

/* The case that the output is, or else the first one that it holds. */
static const struct step_list *pick_case(const struct strand *strand, const struct step *step)
{
    struct str word = str_trim(output_of(strand, step->decides));

    for (size_t i = 0; i < step->case_count; i++)
        if (str_eq_nocase(word, step->cases[i].name))
            return &step->cases[i];
    for (size_t i = 0; i < step->case_count; i++)
        if (str_find_nocase(word, step->cases[i].name, 0) >= 0)
            return &step->cases[i];
    return &step->otherwise;
}

static int attempt(struct strand *strand, const struct step *step, struct mark *mark)
{
    switch (step->kind) {
    case STEP_AGENT:
    case STEP_TOOL:
    case STEP_HUMAN:
        return step_ask(strand, step, mark);
    case STEP_PARALLEL:
        return run_parallel(strand, step);
    case STEP_LOOP:
        return run_loop(strand, step);
    case STEP_CONDITION:
        return run_steps(
            strand, condition_holds(&step->condition, output_of(strand, step->condition.slot))
                        ? &step->steps
                        : &step->otherwise);
    default:
        return run_steps(strand, pick_case(strand, step));
    }
}

/* Only what concerns the step alone is tried again or passed over. */
static bool ends_the_run(const struct strand *strand, int rc)
{
    return rc == ERR_CANCELLED || fiber_is_cancelled() ||
           loop_now_ms(fiber_loop()) >= strand->deadline_ms;
}

static int attempt_in_time(struct strand *strand, const struct step *step, struct mark *mark)
{
    int64_t former = strand->deadline_ms, fiber_former;
    int64_t own = step->timeout_ms > 0 ? loop_now_ms(fiber_loop()) + step->timeout_ms : INT64_MAX;
    struct str before = strand->previous;
    int rc;

    strand->deadline_ms = MIN(former, own);
    fiber_former = fiber_set_deadline(MIN(fiber_deadline(), strand->deadline_ms));
    rc = attempt(strand, step, mark);
    fiber_set_deadline(fiber_former);
    if (rc < 0 && rc != ERR_CANCELLED && own < former && loop_now_ms(fiber_loop()) >= own)
        rc = err_set(ERR_TIMEOUT, "The step %.*s did not finish within %lld ms.",
            STR_ARG(step->name), (long long)step->timeout_ms);
    strand->deadline_ms = former;
    if (rc < 0)
        strand->previous = before;
    return rc;
}

/* What a step came to is told once, however often the run goes on. */
static int settle(struct strand *strand, const struct step *step, struct mark *mark,
    enum mark_state state, struct str text)
{
    static const char *const words[] = {NULL, NULL, "done", "skipped", "failed"};

    if (mark->state == state)
        return 0;
    mark->state = state;
    mark->text = text;
    mark->frame = STR("");
    return tell(strand, "step.completed", step, words[state], text);
}

/* A step failed for good: what its on-error says. */
static int after_failure(struct strand *strand, const struct step *step, struct mark *mark, int rc)
{
    struct err cause = *err_get();
    struct str message = str_dup(strand->arena, str_from(cause.message));
    bool skipped = step->on_error == STEP_SKIPS && !ends_the_run(strand, rc);

    mark->code = rc;
    if (settle(strand, step, mark, skipped ? MARK_SKIPPED : MARK_FAILED, message) < 0)
        return ERR_CANCELLED;
    if (skipped)
        return 0;
    if (step->on_error == STEP_FALLS_BACK && !ends_the_run(strand, rc)) {
        rc = run_steps(strand, &step->fallback);
        if (rc == 0)
            strand->flow->outputs[step->slot] = strand->previous;
        return rc;
    }
    *err_get() = cause;
    return rc;
}

static int begin(struct strand *strand, const struct step *step, struct mark *mark, int64_t tries)
{
    if (mark->state != MARK_NEW && mark->tries == tries)
        return 0; /* it began before the run waited */
    mark->tries = tries;
    if (mark->state == MARK_NEW)
        mark->state = MARK_BEGUN;
    return tell(strand, "step.started", step, NULL, STR(""));
}

static bool is_worth_trying(const struct strand *strand, int rc)
{
    return !ends_the_run(strand, rc) && rc != ERR_BUDGET && rc != ERR_DENIED;
}

static int take(struct strand *strand, const struct step *step, struct mark *mark)
{
    struct str prefix = strand->prefix;
    int64_t first = mark->tries;
    int rc = -1;

    for (int64_t tries = first; rc < 0 && tries <= step->retries; tries++) {
        if (tries > first && !is_worth_trying(strand, rc))
            break;
        rc = begin(strand, step, mark, tries);
        if (rc < 0)
            return ERR_CANCELLED;
        if (tries > 0 && !step_asks(step))
            strand->prefix = str_printf(strand->arena, "%.*s%.*s~%lld/", STR_ARG(prefix),
                STR_ARG(step->name), (long long)tries);
        rc = attempt_in_time(strand, step, mark);
        if (rc < 0)
            mark->frame = STR("");
        strand->prefix = prefix;
    }
    if (rc > 0)
        return rc;
    if (rc < 0)
        return after_failure(strand, step, mark, rc);
    strand->flow->outputs[step->slot] = strand->previous;
    return settle(strand, step, mark, MARK_DONE, strand->previous);
}

static int run_step(struct strand *strand, const struct step *step)
{
    struct mark *mark = mark_of(strand, step);

    if (step_asks(step) && mark->state == MARK_DONE) {
        strand->flow->outputs[step->slot] = strand->previous = mark->text;
        return 0;
    }
    if (step_asks(step) && mark->state == MARK_SKIPPED)
        return 0;
    if (step_asks(step) && mark->state == MARK_FAILED)
        return after_failure(strand, step, mark, err_set(mark->code, "%.*s", STR_ARG(mark->text)));
    if (mark_timed_out(strand, step, mark))
        return settle(strand, step, mark, MARK_SKIPPED, STR("Nobody decided in time."));
    return take(strand, step, mark);
}

static int run_steps(struct strand *strand, const struct step_list *list)
{
    int rc = 0;

    for (size_t i = 0; i < list->count && rc == 0; i++)
        rc = run_step(strand, &list->steps[i]);
    return rc;
}

int workflow_run(struct run *run)
{
    const struct workflow *workflow = run->agent->workflow;
    struct flow flow = {.run = run, .workflow = workflow};
    struct strand strand = {.flow = &flow,
        .arena = run->arena,
        .deadline_ms = run->deadline_ms,
        .previous = STR(""),
        .prefix = STR("")};
    int rc = toolbox_fill(run);

    flow.outputs = arena_array(run->arena, struct str, (size_t)workflow->slot_count);
    for (int i = 0; i < workflow->slot_count; i++)
        flow.outputs[i] = STR("");
    flow.input = str_empty(run->task) ? run->chat.messages[run->chat.count - 1].text : run->task;
    if (run->resumed) {
        checkpoint_counts(run);
        marks_read(&flow, json_get(run->resumed, "stand"));
    }
    if (rc == 0)
        rc = run_steps(&strand, &workflow->steps);
    if (rc == CALLS_PAUSE)
        run->stand = marks_write(&flow);
    if (rc != 0)
        return rc;
    if (!str_empty(workflow->answer))
        strand.previous = workflow_render(&strand, workflow->answer);
    run->result.reply = str_trim(strand.previous);
    run->result.spoke = !str_empty(run->result.reply);
    if (!run->result.spoke)
        run->result.reason = STR("the workflow's last output is empty");
    return 0;
}
