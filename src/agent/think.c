/* The loop of a run: ask a model, run the tools it calls, ask again, until it answers or a budget
 * ends it. */
#include "agent/think.h"

#include "agent/memory.h"

void run_message_add(struct run *run, const struct model_message *message)
{
    if (run->message_count == run->message_capacity) {
        size_t capacity = run->message_capacity * 2 + 8;

        run->messages = arena_grow(run->arena, run->messages,
            run->message_capacity * sizeof(*message), capacity * sizeof(*message));
        run->message_capacity = capacity;
    }
    run->messages[run->message_count++] = *message;
}

static struct str team_sentence(const struct agent_def *agent)
{
    switch (agent ? agent->mode : TEAM_NONE) {
    case TEAM_COORDINATE:
        return STR("You lead colleagues. Give each the part of the work that is theirs, several at "
                   "once where they do not depend on each other, and answer from what they say.");
    case TEAM_ROUTE:
        return STR("You lead colleagues. Ask the one of them who can do this best, once: what that "
                   "colleague says is the answer.");
    case TEAM_TASKS:
        return STR("You lead colleagues. Break the work into tasks, each for the one who can do it "
                   "best and after those it needs; look at how they stand, add what is missing, "
                   "and answer from the outcome.");
    case TEAM_BROADCAST:
        return STR("Your colleagues have spoken below. Answer from what they say.");
    default:
        return STR("");
    }
}

static int prepare_messages(struct run *run)
{
    const struct agent_house *house = run->house;
    struct prompt_scene scene = {
        .agent_name = run->persona,
        .operator_prompt = str_from(house->config->agent_system_prompt),
        .caller_prompt = run->root == run ? run->request->system_prompt : STR(""),
        .role = run->agent ? run->agent->role : STR(""),
        .instructions = run->agent ? run->agent->instructions : STR(""),
        .task = run->task,
        .team = team_sentence(run->agent),
        .now_ms = run->now_ms,
        .zone = run->zone,
        .may_be_silent = run_may_be_silent(run),
    };
    size_t extra = 8;
    int rc = 0;

    if (!run->agent || run->agent->memory)
        rc = memory_recall(
            house->store, &run->session.row, run->session.whole, run->arena, &scene.memory);

    if (rc < 0)
        return rc;
    run->messages = prompt_messages(&scene, &run->chat, extra, run->arena, &run->message_count);
    run->message_capacity = run->message_count + extra;
    rc = team_prepare(run);
    return rc < 0 ? rc : toolbox_fill(run);
}

static void take_answer(struct run *run, const struct model_reply *reply)
{
    if (reply->finish == MODEL_FILTERED && think_is_silence(reply->content)) {
        run->result.reason = STR("the model's provider refused to answer this");
        return;
    }
    if (run_may_be_silent(run) && think_is_silence(reply->content)) {
        run->result.reason = STR("nothing to add");
        return;
    }
    run->result.spoke = true;
    run->result.reply = str_trim(reply->content);
    if (reply->finish == MODEL_LENGTH)
        run->result.reason = STR("cut off: the model reached its output limit");
}

enum { AGAIN = 1 };

/* A reply that has a shape to keep: given back once with what is wrong. 0, AGAIN, or an error. */
static int fit_schema(struct run *run, const struct model_reply *reply)
{
    struct tool shape = {.name = "answer"};
    const struct json *root;
    int rc;

    if (!run->agent || str_empty(run->agent->output_schema))
        return 0;
    shape.parameters = run->agent->output_schema.ptr;
    rc = json_parse(run->arena, str_trim(reply->content), &root);
    if (rc == 0)
        rc = tool_check_args(&shape, root);
    if (rc == 0)
        return 0;
    if (run->repaired)
        return err_set(ERR_UNAVAILABLE, "The model's answers do not fit the output-schema of %.*s.",
            STR_ARG(run->agent->name));
    run->repaired = true;
    run_message_add(run, &(struct model_message){
                             .role = MODEL_ASSISTANT,
                             .content = reply->content,
                             .opaque = reply->opaque,
                             .opaque_of = reply->opaque_of,
                         });
    run_message_add(run,
        &(struct model_message){
            .role = MODEL_USER,
            .content = str_printf(run->arena,
                "(That answer does not have the shape it must have: %s Answer again with nothing "
                "but JSON of that shape.)",
                err_message()),
        });
    return AGAIN;
}

int think(struct run *run)
{
    int rc;

    if (run->agent && run->agent->workflow)
        return workflow_run(run);
    rc = prepare_messages(run);
    return rc < 0 ? rc : think_on(run);
}

int think_on(struct run *run)
{
    for (;;) {
        struct model_reply reply = {0};
        int rc = think_ask(run, &reply);

        if (rc < 0)
            return rc;
        if (reply.tool_call_count == 0) {
            rc = fit_schema(run, &reply);
            if (rc == AGAIN)
                continue;
            if (rc == 0)
                take_answer(run, &reply);
            return rc;
        }
        run_message_add(run, &(struct model_message){
                                 .role = MODEL_ASSISTANT,
                                 .content = reply.content,
                                 .tool_calls = reply.tool_calls,
                                 .tool_call_count = reply.tool_call_count,
                                 .opaque = reply.opaque,
                                 .opaque_of = reply.opaque_of,
                             });
        rc = calls_run(run, reply.tool_calls, reply.tool_call_count);
        if (rc != 0)
            return rc;
        if (run->stopped) {
            run->result.spoke = true;
            return 0;
        }
    }
}
