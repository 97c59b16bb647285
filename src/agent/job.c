/* What came of a call: for the model, for the event log, for the run's result. */
#include "agent/job.h"

#include "agent/gate.h"
#include "agent/record.h"
#include "watch/metrics.h"

#define CONTENT_MAX (16 * KIB)
#define SUMMARY_MAX (4 * KIB)

static bool wrong_call(const struct job *job)
{
    return job->rc == ERR_INVALID || !job->tool;
}

struct str job_effect_data(const struct job *job, const char *state)
{
    struct buf out = BUF_IN(job->run->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "call_id", job->asked->id);
    json_str_member(&w, "tool", job->asked->name);
    if (state)
        json_cstr_member(&w, "state", state);
    json_object_end(&w);
    return buf_str(&out);
}

static struct str failure_text(const struct job *job, bool given_back)
{
    struct buf out = BUF_IN(job->run->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_name(&w, "error");
    json_object_begin(&w);
    json_cstr_member(&w, "code", err_name(job->rc));
    if (job->cause.field[0])
        json_cstr_member(&w, "field", job->cause.field);
    json_cstr_member(&w, "message", job->cause.message);
    json_object_end(&w);
    json_cstr_member(&w, "hint",
        job->effect && ledger_is_unknown(job->rc) ? "Nobody knows whether this happened. Do not "
                                                    "call it again; say that it must be checked."
        : given_back ? "Correct the call and try it once more, or answer without it."
                     : "Do not call this again; answer with what is known and say what failed.");
    json_object_end(&w);
    return buf_str(&out);
}

static struct str cut(struct str content, struct arena *arena)
{
    struct str kept = utf8_truncate(content, CONTENT_MAX);

    if (kept.len == content.len)
        return content;
    return str_printf(arena, "%.*s\n[cut: %zu of %zu bytes]", STR_ARG(kept), kept.len, content.len);
}

static struct str completed_data(const struct job *job, const char *status, struct str summary)
{
    struct buf out = BUF_IN(job->run->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "call_id", job->asked->id);
    json_str_member(&w, "tool", job->asked->name);
    json_cstr_member(&w, "status", status);
    json_str_member(&w, "summary", utf8_truncate(summary, SUMMARY_MAX));
    json_object_end(&w);
    return buf_str(&out);
}

static bool asks_member(const struct job *job)
{
    const struct agent_def *agent = job->run->agent;

    for (size_t i = 0; agent && i < agent->member_tool_count; i++)
        if (job->tool == &agent->member_tools[i])
            return true;
    return false;
}

/* What a replay cannot find out again: what a tool gave. What members said is recorded with them.
 */
static struct str to_record(const struct job *job)
{
    struct tool_result made = job->result;

    if (asks_member(job) || job->twin || !(job->ran || job->reused))
        return STR("");
    made.untrusted = job->untrusted;
    return record_result(job->run, job->rc, &job->cause, &made, CONTENT_MAX);
}

static int report(struct job *job, const char *status, struct str summary, struct str content)
{
    struct run *run = job->run;
    int rc = 0;

    metric_add(M_TOOL_CALLS, status, 1);
    run_message_add(run, &(struct model_message){
                             .role = MODEL_TOOL,
                             .content = gate_content(run, job->tool, job->untrusted, content),
                             .tool_call_id = job->asked->id,
                             .tool_name = job->asked->name,
                             .failed = job->rc < 0,
                         });
    if (job->effect)
        rc = run_event(run, "effect.done", job_effect_data(job, job->rc == 0 ? "done" : "failed"));
    if (rc == 0)
        rc = record_event(
            run, "tool.completed", completed_data(job, status, summary), to_record(job));
    return rc;
}

int job_finish(struct job *job)
{
    struct run *run = job->run;
    bool *given_back = &run->given_back[job->index];
    const char *failed = job->refused ? "refused" : "failed";
    bool again;
    struct str message;

    if (job->twin) {
        job->rc = job->twin->rc;
        job->cause = job->twin->cause;
        job->result = job->twin->result;
        job->reused = true;
    }
    job->untrusted = job->tool && (job->tool->untrusted || job->result.untrusted);
    again = job->rc < 0 && wrong_call(job) && !*given_back;
    if (job->rc == 0) {
        const char *status = job->reused ? "reused" : "done";

        result_add_action(run->root, job->asked->name, status, job->result.summary);
        result_add(run->root, &job->result);
        if (job->tool->stop_after && !run->stopped) {
            run->stopped = true;
            run->result.reply = job->result.summary;
        }
        return report(job, status, job->result.summary, cut(job->result.content, run->arena));
    }
    message = str_dup(run->arena, str_from(job->cause.message));
    if (again)
        *given_back = true;
    else
        result_add_action(run->root, job->asked->name, failed, message);
    return report(job, again ? "given back" : failed, message, failure_text(job, again));
}
