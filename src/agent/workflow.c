/* Workflows at work. Steps that stand below each other run on one strand: a fiber, an arena, and
 * the output before. Steps at the same time are strands of their own; each writes the outputs of
 * its own steps only, so nothing is locked. Agents and tools are asked as a team's leader asks
 * them: the effects ledger, budgets and events are the run's.
 */
#include "agent/workflow.h"

#include "agent/private.h"
#include "runtime/loop.h"

#define EVENT_TEXT_MAX 4000

struct flow {
    struct run *run;
    const struct workflow *workflow;
    struct str *outputs; /* by slot */
    struct str input;    /* the last message of the chat */
};

struct strand {
    struct flow *flow;
    struct arena *arena;
    struct str previous;
    int64_t deadline_ms;
};

static struct str output_of(const struct strand *strand, int slot)
{
    if (slot == SLOT_INPUT)
        return strand->flow->input;
    return slot == SLOT_PREVIOUS ? strand->previous : strand->flow->outputs[slot];
}

/* What an output holds is not read as a template again. */
static struct str render(const struct strand *strand, struct str template)
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

static void render_json(const struct strand *strand, const struct json *node, struct json_writer *w)
{
    bool object = json_is(node, JSON_OBJECT);

    if (json_is(node, JSON_STRING)) {
        json_put_str(w, render(strand, json_str(node)));
        return;
    }
    if (!object && !json_is(node, JSON_ARRAY)) {
        json_put_node(w, node);
        return;
    }
    object ? json_object_begin(w) : json_array_begin(w);
    for (const struct json *one = json_first(node); one; one = json_next(one)) {
        if (object)
            json_name_str(w, json_key(one));
        render_json(strand, one, w);
    }
    object ? json_object_end(w) : json_array_end(w);
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

/* A part of the run with messages and a deadline of its own. */
static struct run *part_of(const struct strand *strand)
{
    struct run *run = strand->flow->run, *part = arena_new(strand->arena, struct run);

    *part = *run;
    part->arena = strand->arena;
    part->deadline_ms = strand->deadline_ms;
    part->delta = BUF_HEAP;
    part->messages = NULL;
    part->message_count = part->message_capacity = 0;
    part->given_back = arena_array(strand->arena, bool, run->tool_count + 1);
    return part;
}

static int ask_agent(struct strand *strand, const struct step *step, struct str *ret_output)
{
    struct str task = step->input.ptr ? render(strand, step->input) : strand->previous;

    return team_ask(part_of(strand), step->agent, task, strand->arena, ret_output);
}

static int call_tool(struct strand *strand, const struct step *step, struct str *ret_output)
{
    struct run *part = part_of(strand);
    struct model_tool_call *call = arena_new(strand->arena, struct model_tool_call);
    struct buf arguments = BUF_IN(strand->arena);
    const struct model_message *answer;
    struct json_writer w;
    int rc;

    json_init(&w, &arguments);
    if (step->arguments)
        render_json(strand, step->arguments, &w);
    *call = (struct model_tool_call){.id = step->name,
        .name = step->tool,
        .arguments = step->arguments ? buf_str(&arguments) : STR("{}")};
    rc = calls_run(part, call, 1);
    if (rc < 0)
        return rc;
    answer = &part->messages[part->message_count - 1];
    if (answer->failed)
        return err_set(ERR_UNAVAILABLE, "The tool %.*s failed: %.*s", STR_ARG(step->tool),
            (int)MIN(answer->content.len, (size_t)400), answer->content.ptr);
    *ret_output = answer->content;
    return 0;
}

static int run_steps(struct strand *strand, const struct step_list *list);

struct branch {
    struct strand strand;
    struct arena arena;
    const struct step *step;
    struct err cause;
    struct fiber *fiber;
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

static void join(struct branch *branches, size_t count)
{
    bool shielded = false;

    for (size_t i = 0; i < count; i++) {
        if (fiber_join(branches[i].fiber) == 0)
            continue;
        for (size_t j = i; j < count && !shielded; j++)
            fiber_cancel(branches[j].fiber);
        if (!shielded)
            fiber_shield();
        shielded = true;
        i--;
    }
    if (shielded)
        fiber_unshield();
}

/* All at once; a step that fails does not end the others. The output names each. */
static int run_parallel(struct strand *strand, const struct step *step)
{
    size_t count = step->steps.count;
    struct branch *branches = arena_array(strand->arena, struct branch, count);
    struct buf out = BUF_IN(strand->arena);

    for (size_t i = 0; i < count; i++) {
        branches[i].strand = *strand;
        branches[i].strand.arena = &branches[i].arena;
        branches[i].step = &step->steps.steps[i];
        arena_init(&branches[i].arena);
        arena_defer(strand->arena, free_arena, &branches[i].arena);
        branches[i].fiber =
            fiber_spawn_joinable(fiber_loop(), "run.step", run_branch, &branches[i]);
    }
    join(branches, count);
    for (size_t i = 0; i < count; i++) {
        if (branches[i].rc < 0) {
            *err_get() = branches[i].cause;
            return branches[i].rc;
        }
        buf_printf(&out, "%s%.*s: %.*s", i ? "\n\n" : "", STR_ARG(branches[i].step->name),
            STR_ARG(branches[i].strand.previous));
    }
    strand->previous = buf_str(&out);
    return 0;
}

static int run_loop(struct strand *strand, const struct step *step)
{
    for (int64_t i = 0; i < step->rounds; i++) {
        int rc = run_steps(strand, &step->steps);

        if (rc < 0)
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

static int attempt(struct strand *strand, const struct step *step)
{
    struct str output = STR("");
    int rc;

    switch (step->kind) {
    case STEP_AGENT:
        rc = ask_agent(strand, step, &output);
        break;
    case STEP_TOOL:
        rc = call_tool(strand, step, &output);
        break;
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
    if (rc == 0)
        strand->previous = output;
    return rc;
}

/* Only what concerns the step alone is tried again or passed over. */
static bool ends_the_run(const struct strand *strand, int rc)
{
    return rc == ERR_CANCELLED || fiber_is_cancelled() ||
           loop_now_ms(fiber_loop()) >= strand->deadline_ms;
}

static int attempt_in_time(struct strand *strand, const struct step *step)
{
    int64_t former = strand->deadline_ms, fiber_former;
    int64_t own = step->timeout_ms > 0 ? loop_now_ms(fiber_loop()) + step->timeout_ms : INT64_MAX;
    struct str before = strand->previous;
    int rc;

    strand->deadline_ms = MIN(former, own);
    fiber_former = fiber_set_deadline(MIN(fiber_deadline(), strand->deadline_ms));
    rc = attempt(strand, step);
    fiber_set_deadline(fiber_former);
    if (rc < 0 && rc != ERR_CANCELLED && own < former && loop_now_ms(fiber_loop()) >= own)
        rc = err_set(ERR_TIMEOUT, "The step %.*s did not finish within %lld ms.",
            STR_ARG(step->name), (long long)step->timeout_ms);
    strand->deadline_ms = former;
    if (rc < 0)
        strand->previous = before;
    return rc;
}

/* A step failed for good: what its on-error says. */
static int after_failure(struct strand *strand, const struct step *step, int rc)
{
    struct err cause = *err_get();
    struct str message = str_dup(strand->arena, str_from(cause.message));
    bool skipped = step->on_error == STEP_SKIPS && !ends_the_run(strand, rc);

    if (tell(strand, "step.completed", step, skipped ? "skipped" : "failed", message) < 0)
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

static int run_step(struct strand *strand, const struct step *step)
{
    int rc = -1;

    for (int64_t tries = 0; rc < 0 && tries <= step->retries; tries++) {
        if (tries > 0 && (ends_the_run(strand, rc) || rc == ERR_BUDGET))
            break;
        rc = tell(strand, "step.started", step, NULL, STR(""));
        if (rc < 0)
            return rc;
        rc = attempt_in_time(strand, step);
    }
    if (rc < 0)
        return after_failure(strand, step, rc);
    strand->flow->outputs[step->slot] = strand->previous;
    return tell(strand, "step.completed", step, "done", strand->previous);
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
    struct strand strand = {
        .flow = &flow, .arena = run->arena, .deadline_ms = run->deadline_ms, .previous = STR("")};
    int rc = toolbox_fill(run);

    flow.outputs = arena_array(run->arena, struct str, (size_t)workflow->slot_count);
    for (int i = 0; i < workflow->slot_count; i++)
        flow.outputs[i] = STR("");
    flow.input = str_empty(run->task) ? run->chat.messages[run->chat.count - 1].text : run->task;
    if (rc == 0)
        rc = run_steps(&strand, &workflow->steps);
    if (rc < 0)
        return rc;
    if (!str_empty(workflow->answer))
        strand.previous = render(&strand, workflow->answer);
    run->result.reply = str_trim(strand.previous);
    run->result.spoke = !str_empty(run->result.reply);
    if (!run->result.spoke)
        run->result.reason = STR("the workflow's last output is empty");
    return 0;
}
