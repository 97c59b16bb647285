#include "agent/gate.h"

#include "base/log.h"
#include "text/inert.h"

/* What people said and tools gave; not what the model made up. A member's instructions hold its
 * task, which the leader's model wrote. */
static bool was_seen(void *ctx, struct str address)
{
    const struct run *run = ctx;

    for (size_t i = 0; i < run->message_count; i++)
        if (run->messages[i].role != MODEL_ASSISTANT &&
            (run->messages[i].role != MODEL_SYSTEM || run->root == run) &&
            policy_mentions(run->messages[i].content, address))
            return true;
    return false;
}

static struct str policy_data(struct run *run, const struct model_tool_call *asked,
    const struct policy_decision *decision, const char *outcome, const struct json *args)
{
    struct buf out = BUF_IN(run->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "call_id", asked->id);
    json_str_member(&w, "tool", asked->name);
    json_cstr_member(&w, "rule", decision->rule);
    json_cstr_member(&w, "outcome", outcome);
    json_name(&w, "sources");
    taint_write(&w, &run->root->taint);
    if (decision->verdict == POLICY_AUDIT) {
        json_name(&w, "arguments");
        json_put_node(&w, args);
    }
    json_object_end(&w);
    return buf_str(&out);
}

static int blocked(
    struct run *run, const struct model_tool_call *asked, const struct policy_decision *decision)
{
    int rc = run_event(run, "policy.blocked", policy_data(run, asked, decision, "blocked", NULL));

    if (rc < 0)
        return rc;
    return err_set(ERR_DENIED,
        "The policy of this installation does not let %.*s run after text from outside was read "
        "(%.*s).",
        STR_ARG(asked->name), STR_ARG(taint_text(&run->root->taint, run->arena)));
}

static int check_limit(struct run *run, const struct tool *tool, size_t index)
{
    int64_t most = policy_limits(run->house->policy, tool).calls_max;

    if (most == 0 || run->call_counts[index] < most)
        return 0;
    return err_set(ERR_BUDGET,
        "%s may be called %lld times in a run and was; answer with what is "
        "known.",
        tool->name, (long long)most);
}

int gate_check(struct run *run, const struct model_tool_call *asked, const struct tool *tool,
    size_t index, const struct json *args, enum policy_verdict *ret_verdict)
{
    struct policy_text text = {was_seen, run};
    struct policy_decision decision;
    int rc = check_limit(run, tool, index);

    if (rc < 0)
        return rc;
    decision = policy_decide(run->house->policy, tool, args, &run->root->taint, &text);
    if (decision.verdict == POLICY_BLOCK)
        return blocked(run, asked, &decision);
    if (decision.verdict == POLICY_AUDIT)
        rc = run_event(run, "policy.audited", policy_data(run, asked, &decision, "runs", args));
    else if (decision.verdict == POLICY_ASK)
        rc = run_event(
            run, "policy.blocked", policy_data(run, asked, &decision, "needs approval", args));
    if (rc < 0)
        return rc;
    run->call_counts[index]++;
    *ret_verdict = decision.verdict;
    return 0;
}

struct str gate_content(struct run *run, const struct tool *tool, bool untrusted, struct str text)
{
    struct inert_found found;

    if (!untrusted || !tool)
        return text;
    taint_add(&run->root->taint, run->arena, "tool", str_from(tool->name));
    text = inert_frame(run->arena, str_from(tool->name), text, &found);
    if (found.invisible + found.lookalike + found.phrases > 0)
        log_info("tool.made_inert", LOG_CSTR("tool", tool->name),
            LOG_I64("invisible", (int64_t)found.invisible),
            LOG_I64("lookalike", (int64_t)found.lookalike),
            LOG_I64("phrases", (int64_t)found.phrases));
    return text;
}
