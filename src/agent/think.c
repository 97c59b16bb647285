/* The loop of a run: ask a model, run the tools it calls, ask again, until it answers or a budget
 * ends it. */
#include "agent/think.h"

#include "agent/guard_run.h"
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

/* What the caller gave to an agent that asks for it; its members see it too. */
static struct str input_of(const struct run *root)
{
    bool asks = root->agent && !str_empty(root->agent->input_schema);

    return asks ? root->request->metadata : STR("");
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
        .input = input_of(run->root),
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
    return rc != 0 ? rc : toolbox_fill(run);
}

static void take_answer(struct run *run, const struct model_reply *reply, struct str text)
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
    run->result.reply = text;
    if (reply->finish == MODEL_LENGTH)
        run->result.reason = STR("cut off: the model reached its output limit");
}

/* An answer that a guard does not accept goes back to the model, once. */
static void give_back(struct run *run, const struct model_reply *reply, struct str reason)
{
    run->repaired = true;
    run_message_add(run, &(struct model_message){
                             .role = MODEL_ASSISTANT,
                             .content = reply->content,
                             .opaque = reply->opaque,
                             .opaque_of = reply->opaque_of,
                         });
    run_message_add(run, &(struct model_message){
                             .role = MODEL_USER,
                             .content = str_printf(run->arena, "(%.*s)", STR_ARG(reason)),
                         });
}

/* 0, GUARDS_AGAIN, or what ends the run. */
static int answer(struct run *run, const struct model_reply *reply)
{
    struct str text = str_trim(reply->content);
    bool silent =
        think_is_silence(text) && (run_may_be_silent(run) || reply->finish == MODEL_FILTERED);
    int rc = silent ? 0 : guards_after(run, run->repaired, &text);

    if (rc == GUARDS_AGAIN)
        give_back(run, reply, text);
    if (rc == 0)
        take_answer(run, reply, text);
    if (rc < 0 || rc == GUARDS_AGAIN)
        return rc;
    if (run->request->sink && run->root == run && guards_hold(run) && run->result.spoke)
        return think_delta(run, run->result.reply);
    return 0;
}

int think(struct run *run)
{
    int rc = guards_chat(run);

    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (run_is_direct(run))
        return direct_run(run);
    if (run->agent && run->agent->workflow) {
        rc = workflow_run(run);
        return rc == 0 ? guards_result(run) : rc;
    }
    rc = prepare_messages(run);
    return rc != 0 ? rc : think_on(run);
}

int think_on(struct run *run)
{
    for (;;) {
        struct model_reply reply = {0};
        int rc = guards_before(run);

        if (rc == 0)
            rc = think_ask(run, &reply);
        if (rc != 0)
            return rc < 0 ? rc : 0;
        guards_restore(run, &reply);
        if (reply.tool_call_count == 0) {
            rc = answer(run, &reply);
            if (rc == GUARDS_AGAIN)
                continue;
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
            return guards_result(run);
        }
    }
}
