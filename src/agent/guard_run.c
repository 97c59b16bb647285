/* The guards of a run at work: which there are, what they say to each text, and what the event log
 * and the people in the chat are told of it. */
#include "agent/guard_run.h"

static const char apology[] = "Sorry, I cannot answer that one here; please ask me in another way, "
                              "or talk to whoever looks after me.";

struct slot {
    const struct guard_use *use;
    bool own;    /* no leader of this run has looked at the chat with it */
    void *state; /* the guard's */
};

struct run_guards {
    struct slot *before, *after;
    size_t before_count, after_count;
    bool rewrites;
    struct model_message *shown; /* the run's messages as a model sees them */
    size_t shown_count, shown_capacity;
};

static const struct guard_set *set_of(const struct run *run)
{
    static const struct guard_set none = {0};

    if (run->agent && run->agent->guards.declared)
        return &run->agent->guards;
    return run->house->agents ? &run->house->agents->guards : &none;
}

static void add_before(struct run_guards *guards, const struct guard_use *use, bool own)
{
    for (size_t i = 0; i < guards->before_count; i++)
        if (guards->before[i].use->guard == use->guard) {
            guards->before[i].own = false;
            return;
        }
    guards->before[guards->before_count++] = (struct slot){.use = use, .own = own};
    guards->rewrites = guards->rewrites || use->guard->rewrites;
}

/* What goes to a member's model passes its leaders' guards too. */
static void gather(struct run *run, struct run_guards *guards)
{
    static const struct guard_use schema = {.guard = &guard_schema};
    const struct guard_set *set = set_of(run);
    size_t most = 0;

    for (const struct run *one = run; one; one = one->leader)
        most += set_of(one)->before_count;
    guards->before = arena_array(run->arena, struct slot, most + 1);
    for (const struct run *one = run; one; one = one->leader)
        for (size_t i = 0; i < set_of(one)->before_count; i++)
            add_before(guards, &set_of(one)->before[i], one == run);
    guards->after = arena_array(run->arena, struct slot, set->after_count + 1);
    for (size_t i = 0; i < set->after_count; i++)
        guards->after[guards->after_count++] = (struct slot){.use = &set->after[i]};
    /* The last one, so that it sees what the others made of the answer. */
    if (run->agent && !str_empty(run->agent->output_schema))
        guards->after[guards->after_count++] = (struct slot){.use = &schema};
}

static struct run_guards *guards_of(struct run *run)
{
    if (!run->guards) {
        run->guards = arena_new(run->arena, struct run_guards);
        gather(run, run->guards);
    }
    return run->guards;
}

static int tell(struct run *run, const char *type, const struct slot *slot, enum guard_phase phase,
    struct str source, struct str reason)
{
    struct buf out = BUF_IN(run->root->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "guard", slot->use->guard->name);
    json_cstr_member(&w, "phase", phase == GUARD_BEFORE ? "before" : "after");
    json_str_member(&w, "source", source);
    json_str_member(&w, "reason", reason);
    json_object_end(&w);
    return run_event(run, type, buf_str(&out));
}

static struct guard_call call_of(
    struct run *run, struct slot *slot, enum guard_phase phase, struct str text)
{
    return (struct guard_call){
        .guard = slot->use->guard,
        .phase = phase,
        .options = slot->use->options,
        .arena = run->arena,
        .text = text,
        .rules = STR(""),
        .schema = run->agent ? run->agent->output_schema : STR(""),
        .agent = run->agent ? run->agent->name : run->persona,
        .state = &slot->state,
    };
}

/* The run ends here. Who may be silent is; others say that they would rather not. */
static int block(struct run *run, const struct slot *slot, enum guard_phase phase,
    struct str source, const struct guard_finding *finding)
{
    const char *sentence = finding->apology ? finding->apology : apology;
    struct str own = json_get_str(slot->use->options, "message");
    int rc = tell(run, "guard.blocked", slot, phase, source, finding->reason);

    if (rc < 0)
        return rc;
    run->result.reason = str_printf(run->arena, "blocked by the guard %s: %.*s",
        slot->use->guard->name, STR_ARG(finding->reason));
    run->result.spoke = !run_may_be_silent(run);
    run->result.reply = STR("");
    if (run->result.spoke)
        run->result.reply = str_empty(own) ? str_from(sentence) : str_dup(run->arena, own);
    return GUARDS_BLOCKED;
}

/* What comes in, by a guard that judges. 0, GUARDS_BLOCKED or an error. */
static int judge(
    struct run *run, struct slot *slot, struct str text, struct str source, bool untrusted)
{
    struct guard_call call = call_of(run, slot, GUARD_BEFORE, text);
    struct guard_finding finding = {.reason = STR("")};
    int rc;

    call.untrusted = untrusted;
    rc = slot->use->guard->check(&call, &finding);
    if (rc == GUARD_STOP)
        return block(run, slot, GUARD_BEFORE, source, &finding);
    if (rc != GUARD_FLAGGED)
        return rc < 0 ? rc : 0;
    taint_add(&run->root->taint, run->root->arena, "guard", str_from(slot->use->guard->name));
    return tell(run, "guard.flagged", slot, GUARD_BEFORE, source, finding.reason);
}

/* How many of the chat's last messages nobody has answered yet: those that are new, and those that
 * the run's persona was silent about. */
static size_t count_new(const struct run *run)
{
    const struct run_request *request = run->request;
    size_t fresh = request->answer_seq > 0 ? 1 : request->chat.count - run->root->known;
    size_t count = 0;

    while (count < run->chat.count &&
           !str_eq_nocase(run->chat.messages[run->chat.count - 1 - count].party, run->persona))
        count++;
    return MIN(MAX(count, fresh), run->chat.count);
}

int guards_chat(struct run *run)
{
    struct run_guards *guards = guards_of(run);
    int rc = 0;

    for (size_t i = run->chat.count - count_new(run); i < run->chat.count; i++) {
        const struct chat_message *said = &run->chat.messages[i];

        for (size_t j = 0; j < guards->before_count && rc == 0; j++) {
            struct slot *slot = &guards->before[j];

            if (slot->own && !slot->use->guard->rewrites &&
                !str_eq_nocase(said->party, run->persona))
                rc = judge(run, slot, said->text, STR("chat"), false);
        }
    }
    return rc;
}

/* Did others write what this tool gave? Then it has tainted the run. */
static bool is_untrusted(const struct run *run, struct str tool)
{
    const struct taint *taint = &run->root->taint;

    if (taint->count == TAINT_SOURCES_MAX)
        return true;
    for (size_t i = 0; i < taint->count; i++)
        if (str_starts(taint->sources[i], STR("tool:")) &&
            str_eq(str_slice(taint->sources[i], 5, taint->sources[i].len), tool))
            return true;
    return false;
}

static int judge_read(struct run *run, struct run_guards *guards)
{
    int rc = 0;

    for (; run->judged < run->message_count && rc == 0; run->judged++) {
        const struct model_message *message = &run->messages[run->judged];

        if (message->role != MODEL_TOOL || !is_untrusted(run, message->tool_name))
            continue;
        for (size_t i = 0; i < guards->before_count && rc == 0; i++)
            if (!guards->before[i].use->guard->rewrites)
                rc = judge(run, &guards->before[i], message->content,
                    str_printf(run->arena, "tool:%.*s", STR_ARG(message->tool_name)), true);
    }
    return rc;
}

/* *reason is set when the text was changed. */
static int rewrite(struct run *run, struct slot *slot, struct str *text, struct str *reason)
{
    struct guard_call call = call_of(run, slot, GUARD_BEFORE, *text);
    struct guard_finding finding = {.reason = STR("")};
    int rc = slot->use->guard->check(&call, &finding);

    if (rc != GUARD_CHANGED)
        return rc < 0 ? rc : 0;
    *text = finding.text;
    *reason = finding.reason;
    return 0;
}

static int rewrite_calls(
    struct run *run, struct slot *slot, struct model_message *message, struct str *reason)
{
    struct model_tool_call *calls =
        arena_array(run->arena, struct model_tool_call, message->tool_call_count);
    int rc = 0;

    for (size_t i = 0; i < message->tool_call_count && rc == 0; i++) {
        calls[i] = message->tool_calls[i];
        rc = rewrite(run, slot, &calls[i].arguments, reason);
        if (calls[i].arguments.ptr != message->tool_calls[i].arguments.ptr &&
            json_check(calls[i].arguments) < 0)
            calls[i].arguments = STR("{}");
    }
    message->tool_calls = calls;
    return rc;
}

static void show(struct run *run, struct run_guards *guards, const struct model_message *message)
{
    if (guards->shown_count == guards->shown_capacity) {
        size_t capacity = guards->shown_capacity * 2 + run->message_count + 4;

        guards->shown = arena_grow(run->arena, guards->shown,
            guards->shown_capacity * sizeof(*message), capacity * sizeof(*message));
        guards->shown_capacity = capacity;
    }
    guards->shown[guards->shown_count++] = *message;
}

/* The messages that are new since the last time, by a guard that rewrites. */
static int rewrite_new(struct run *run, struct run_guards *guards, struct slot *slot, size_t from)
{
    struct str reason = STR("");
    int rc = 0;

    for (size_t i = from; i < guards->shown_count && rc == 0; i++) {
        struct model_message *message = &guards->shown[i];

        rc = rewrite(run, slot, &message->content, &reason);
        if (rc == 0 && !str_empty(message->author))
            rc = rewrite(run, slot, &message->author, &reason);
        if (rc == 0 && message->tool_call_count > 0)
            rc = rewrite_calls(run, slot, message, &reason);
    }
    if (rc == 0 && !str_empty(reason))
        rc = tell(run, "guard.applied", slot, GUARD_BEFORE, STR("model"), reason);
    return rc;
}

int guards_before(struct run *run)
{
    struct run_guards *guards = guards_of(run);
    size_t from = guards->shown_count;
    int rc = judge_read(run, guards);

    if (rc != 0 || !guards->rewrites)
        return rc;
    while (guards->shown_count < run->message_count)
        show(run, guards, &run->messages[guards->shown_count]);
    for (size_t i = 0; i < guards->before_count && rc == 0; i++)
        if (guards->before[i].use->guard->rewrites)
            rc = rewrite_new(run, guards, &guards->before[i], from);
    return rc;
}

const struct model_message *guards_shown(const struct run *run)
{
    return run->guards && run->guards->rewrites ? run->guards->shown : run->messages;
}

bool guards_hold(const struct run *run)
{
    return run->guards && (run->guards->rewrites || run->guards->after_count > 0);
}

struct str guards_hide(struct run *run, struct str text)
{
    struct run_guards *guards = guards_of(run);
    struct str reason;

    for (size_t i = 0; i < guards->before_count; i++)
        if (guards->before[i].use->guard->rewrites &&
            rewrite(run, &guards->before[i], &text, &reason) < 0)
            return STR("");
    return text;
}

static struct str restored(struct run *run, struct str text)
{
    struct run_guards *guards = guards_of(run);

    for (size_t i = guards->before_count; i-- > 0;) {
        struct slot *slot = &guards->before[i];
        struct guard_call call = call_of(run, slot, GUARD_BEFORE, text);

        if (slot->use->guard->restore)
            text = slot->use->guard->restore(&call, text);
    }
    return text;
}

void guards_restore(struct run *run, struct model_reply *reply)
{
    struct model_tool_call *calls;

    if (!guards_of(run)->rewrites)
        return;
    calls = arena_array(run->arena, struct model_tool_call, reply->tool_call_count);
    reply->content = restored(run, reply->content);
    for (size_t i = 0; i < reply->tool_call_count; i++) {
        calls[i] = reply->tool_calls[i];
        calls[i].arguments = restored(run, calls[i].arguments);
    }
    reply->tool_calls = calls;
}

/* The instructions as they were written; what is remembered of the chat is no secret there. */
static struct str rules_of(const struct run *run)
{
    struct str name = run->persona;

    return str_printf(run->arena, "%.*s\n%s\n%.*s\n%.*s", STR_ARG(prompt_rules(name, run->arena)),
        run->house->config->agent_system_prompt,
        STR_ARG(run->agent ? run->agent->instructions : STR("")),
        STR_ARG(run->root == run ? run->request->system_prompt : STR("")));
}

static int check_answer(
    struct run *run, struct slot *slot, bool last, struct str rules, struct str *text)
{
    struct guard_call call = call_of(run, slot, GUARD_AFTER, *text);
    struct guard_finding finding = {.reason = STR("")};
    int verdict, rc = 0;

    call.last = last;
    call.rules = rules;
    verdict = slot->use->guard->check(&call, &finding);
    if (verdict == GUARD_CHANGED) {
        rc = tell(run, "guard.applied", slot, GUARD_AFTER, STR("answer"), finding.reason);
        *text = finding.text;
    } else if (verdict == GUARD_FLAGGED) {
        rc = tell(run, "guard.flagged", slot, GUARD_AFTER, STR("answer"), finding.reason);
    } else if (verdict == GUARD_AGAIN && !last) {
        rc = tell(run, "guard.applied", slot, GUARD_AFTER, STR("answer"),
            str_printf(run->arena, "given back: %.*s", STR_ARG(finding.reason)));
        *text = finding.reason;
        verdict = GUARDS_AGAIN;
    } else if (verdict == GUARD_STOP || verdict == GUARD_AGAIN) {
        return block(run, slot, GUARD_AFTER, STR("answer"), &finding);
    }
    if (rc < 0 || verdict < 0)
        return rc < 0 ? rc : verdict;
    return verdict == GUARDS_AGAIN ? GUARDS_AGAIN : 0;
}

int guards_after(struct run *run, bool last, struct str *text)
{
    struct run_guards *guards = guards_of(run);
    struct str rules = guards->after_count > 0 ? rules_of(run) : STR("");
    int rc = 0;

    for (size_t i = 0; i < guards->after_count && rc == 0; i++)
        rc = check_answer(run, &guards->after[i], last, rules, text);
    return rc;
}

int guards_result(struct run *run)
{
    struct str text = run->result.reply;
    int rc = run->result.spoke ? guards_after(run, true, &text) : 0;

    if (rc == 0)
        run->result.reply = text;
    return rc < 0 ? rc : 0;
}
