/* Steps that ask somebody: an agent, a tool, people. Each may wait for people; then its mark has
 * the frame from which it goes on. */
#include "agent/approval.h"
#include "agent/checkpoint.h"
#include "agent/workflow_private.h"

static void render_json(const struct strand *strand, const struct json *node, struct json_writer *w)
{
    bool object = json_is(node, JSON_OBJECT);

    if (json_is(node, JSON_STRING)) {
        json_put_str(w, workflow_render(strand, json_str(node)));
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

/* A part of the run with messages and a deadline of its own. */
static struct run *part_of(const struct strand *strand, const struct step *step)
{
    struct run *run = strand->flow->run, *part = arena_new(strand->arena, struct run);

    *part = *run;
    part->arena = strand->arena;
    part->deadline_ms = strand->deadline_ms;
    part->delta = BUF_HEAP;
    part->messages = NULL;
    part->message_count = part->message_capacity = 0;
    part->waiting = NULL;
    part->waiting_count = 0;
    part->stand = STR("");
    part->resumed = NULL;
    part->tasks = NULL;
    part->given_back = arena_array(strand->arena, bool, run->tool_count + 1);
    if (step->on_timeout != STEP_TIMEOUT_UNSAID || step->hours > 0)
        part->step = step;
    return part;
}

static int read_frame(struct strand *strand, const struct mark *mark, const struct json **ret_frame)
{
    *ret_frame = NULL;
    return str_empty(mark->frame) ? 0 : json_parse(strand->arena, mark->frame, ret_frame);
}

static struct str input_of(const struct strand *strand, const struct step *step)
{
    return step->input.ptr ? workflow_render(strand, step->input) : strand->previous;
}

static int ask_agent(struct strand *strand, const struct step *step, struct mark *mark)
{
    const struct json *frame;
    struct str answer;
    int rc = read_frame(strand, mark, &frame);

    if (rc == 0)
        rc = team_ask(part_of(strand, step), step->agent, input_of(strand, step), frame,
            strand->arena, &answer);
    if (rc == CALLS_PAUSE)
        mark->frame = answer;
    if (rc == 0)
        strand->previous = answer;
    return rc;
}

static int begin_call(struct strand *strand, const struct step *step, struct run *part)
{
    struct model_tool_call *call = arena_new(strand->arena, struct model_tool_call);
    struct buf arguments = BUF_IN(strand->arena);
    struct json_writer w;

    json_init(&w, &arguments);
    if (step->arguments)
        render_json(strand, step->arguments, &w);
    *call = (struct model_tool_call){.id = step->name,
        .name = step->tool,
        .arguments = step->arguments ? buf_str(&arguments) : STR("{}")};
    return calls_run(part, call, 1);
}

static int call_tool(struct strand *strand, const struct step *step, struct mark *mark)
{
    struct run *part = part_of(strand, step);
    const struct model_message *answer;
    const struct json *frame;
    int rc = read_frame(strand, mark, &frame);

    if (rc == 0 && frame)
        checkpoint_read_part(part, frame);
    if (rc == 0)
        rc = frame ? calls_go_on(part) : begin_call(strand, step, part);
    if (rc == CALLS_PAUSE)
        mark->frame = checkpoint_write(part);
    if (rc != 0)
        return rc;
    answer = &part->messages[part->message_count - 1];
    if (answer->failed)
        return err_set(ERR_UNAVAILABLE, "The tool %.*s failed: %.*s", STR_ARG(step->tool),
            (int)MIN(answer->content.len, (size_t)400), answer->content.ptr);
    strand->previous = answer->content;
    return 0;
}

static struct str question_frame(const struct strand *strand, const struct step *step)
{
    struct arena *arena = strand->arena;
    struct waiting_call waiting = {
        .approval_id = ulid_new(strand->flow->run->house->env, arena),
        .call = {.id = step->name, .name = STR(APPROVAL_REVIEW)},
    };
    const struct step *around = strand->flow->run->step;
    struct buf out = BUF_IN(arena), arguments = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &arguments);
    json_object_begin(&w);
    json_str_member(&w, "question", workflow_render(strand, step->question));
    json_str_member(&w, "text", input_of(strand, step));
    json_object_end(&w);
    waiting.call.arguments = buf_str(&arguments);
    if (step->on_timeout != STEP_TIMEOUT_UNSAID || step->hours > 0 || !around)
        around = step;
    workflow_timeout(around, &waiting);
    json_init(&w, &out);
    json_object_begin(&w);
    checkpoint_put_waiting(&w, &waiting);
    json_object_end(&w);
    return buf_str(&out);
}

static int not_agreed(const struct step *step, const struct approval_row *row)
{
    const char *colon = str_empty(row->reason) ? "" : ": ";

    if (str_is(row->state, "expired"))
        return err_set(ERR_TIMEOUT, "Nobody agreed to the step %.*s in time.", STR_ARG(step->name));
    return err_set(ERR_DENIED, "A person refused the step %.*s%s%.*s.", STR_ARG(step->name), colon,
        (int)MIN(row->reason.len, (size_t)400), row->reason.ptr);
}

/* The text as it was agreed to is the step's output. */
static int ask_people(struct strand *strand, const struct step *step, struct mark *mark)
{
    const struct json *frame, *arguments;
    struct run_decision *decision;
    bool agreed;
    int rc = read_frame(strand, mark, &frame);

    if (rc == 0 && !frame) {
        mark->frame = question_frame(strand, step);
        return CALLS_PAUSE;
    }
    decision = run_decision(strand->flow->run, json_get_str(frame, "approval_id"));
    if (rc < 0 || !decision || json_parse(strand->arena, decision->row->arguments, &arguments) < 0)
        return err_set(
            ERR_CORRUPT, "What was asked in the step %.*s is not readable.", STR_ARG(step->name));
    agreed = str_is(decision->row->state, "approved") ||
             (str_is(decision->row->state, "expired") &&
                 str_is(json_get_str(frame, "on_timeout"), "go-on"));
    if (!agreed)
        return not_agreed(step, decision->row);
    decision->done = true;
    strand->previous = json_get_str(arguments, "text");
    return 0;
}

int step_ask(struct strand *strand, const struct step *step, struct mark *mark)
{
    if (step->kind == STEP_AGENT)
        return ask_agent(strand, step, mark);
    if (step->kind == STEP_TOOL)
        return call_tool(strand, step, mark);
    return ask_people(strand, step, mark);
}
