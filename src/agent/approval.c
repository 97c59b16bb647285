#include "agent/approval.h"

#include "agent/checkpoint.h"
#include "agent/workflow.h"
#include "base/log.h"
#include "runtime/errinj.h"
#include "runtime/fiber.h"
#include "secure/keys.h"
#include "text/inert.h"

#define SUMMARY_MAX 300
#define TOKEN_BYTES 32
/* A decision is gone on with at once; after this long somebody else does. */
#define DECIDED_LEASE_MS (10 * SECOND_MS)
#define SWEEP_PAGE 50

struct str approval_summary(struct arena *arena, struct str tool, const struct json *args)
{
    struct buf out = BUF_IN(arena);
    const char *between = ": ";

    buf_add_str(&out, tool);
    for (const struct json *one = json_first(args); one; one = json_next(one)) {
        struct str value = json_is(one, JSON_STRING) ? json_str(one) : json_text(arena, one);

        buf_printf(&out, "%s%.*s %.*s", between, STR_ARG(json_key(one)), STR_ARG(value));
        between = ", ";
    }
    return utf8_truncate(inert_line(arena, buf_str(&out)), SUMMARY_MAX);
}

static struct str new_token(const struct env *env, struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[TOKEN_BYTES];
    struct buf out = BUF_IN(arena);

    env->random(env->ctx, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        buf_add_char(&out, digits[bytes[i] >> 4]);
        buf_add_char(&out, digits[bytes[i] & 15]);
    }
    return buf_str(&out);
}

bool approval_token_is(const struct approval_row *row, struct str token)
{
    char hash[65];

    hash_hex(token, hash);
    return !str_empty(row->token_hash) && secret_equal(row->token_hash, str_from(hash));
}

#define BUTTON_LEN 32

static struct str button_of(struct str token_hash, struct arena *arena)
{
    char hash[65];

    hash_hex(str_printf(arena, "button\n%.*s", STR_ARG(token_hash)), hash);
    return str_dup(arena, (struct str){hash, BUTTON_LEN});
}

struct str approval_button(struct str token, struct arena *arena)
{
    char hash[65];

    hash_hex(token, hash);
    return button_of(str_from(hash), arena);
}

bool approval_button_is(const struct approval_row *row, struct str button)
{
    struct arena arena;
    bool is;

    arena_init(&arena);
    is = !str_empty(row->token_hash) && secret_equal(button_of(row->token_hash, &arena), button);
    arena_deinit(&arena);
    return is;
}

void approval_add(
    struct run *run, const struct model_tool_call *call, const struct json *args, struct str frame)
{
    size_t count = run->waiting_count;
    struct waiting_call *waiting = arena_array(run->arena, struct waiting_call, count + 1);

    if (count > 0)
        memcpy(waiting, run->waiting, count * sizeof(*waiting));
    waiting[count] = (struct waiting_call){.call = *call, .frame = frame};
    if (str_empty(frame))
        waiting[count].approval_id = ulid_new(run->house->env, run->arena);
    if (str_empty(frame) && run->step)
        workflow_timeout(run->step, &waiting[count]);
    waiting[count].call.arguments = json_text(run->arena, args);
    run->waiting = waiting;
    run->waiting_count++;
}

static void insert(struct run *run, const struct waiting_call *waiting, struct run_approval *shown)
{
    const struct config *config = run->house->config;
    struct approval_row *row = arena_new(run->arena, struct approval_row);
    const struct json *args = NULL;
    int64_t now = env_wall_ms(run->house->env);
    char hash[65];

    if (json_parse(run->arena, waiting->call.arguments, &args) < 0)
        abort(); /* it was written from a tree */
    *shown = (struct run_approval){.id = waiting->approval_id,
        .tool = waiting->call.name,
        .summary =
            str_is(waiting->call.name, APPROVAL_REVIEW)
                ? utf8_truncate(inert_line(run->arena, json_get_str(args, "question")), SUMMARY_MAX)
                : approval_summary(run->arena, waiting->call.name, args),
        .arguments = waiting->call.arguments,
        .token = str_printf(run->arena, "%.*s.%.*s",
            STR_ARG(new_token(run->house->env, run->arena)), STR_ARG(run->row.workspace_id)),
        .expires_at =
            now + (waiting->hours > 0 ? waiting->hours : config->approvals_hours) * HOUR_MS};
    hash_hex(shown->token, hash);
    *row = (struct approval_row){.workspace_id = run->row.workspace_id,
        .id = shown->id,
        .state = STR("pending"),
        .session_id = run->row.session_id,
        .run_id = run->row.id,
        .call_id = waiting->call.id,
        .tool = shown->tool,
        .token_hash = str_dup(run->arena, str_from(hash)),
        .summary = shown->summary,
        .arguments = shown->arguments,
        .decided_by = STR(""),
        .reason = STR(""),
        .owner = STR(""),
        .due_at = shown->expires_at,
        .created_at = now,
        .expires_at = shown->expires_at};
    store_insert(&run->extra, STORE_APPROVALS, row);
}

/* What was not done is not told as done: these words are made here, by no model. */
void approval_pause(struct run *run)
{
    const struct json *frame;
    struct waiting_call *asked;
    struct run_approval *shown;
    size_t count;
    struct buf text = BUF_IN(run->arena);

    if (json_parse(run->arena, checkpoint_write(run), &frame) < 0)
        abort(); /* it was written just now */
    count = checkpoint_asked(run->arena, frame, &asked);
    shown = arena_array(run->arena, struct run_approval, count);
    if (!run->extra.arena)
        store_batch_init(&run->extra, run->arena);
    buf_add_cstr(&text, count == 1
                            ? "This waits for a person's approval and has not been done yet:"
                            : "These wait for a person's approval and have not been done yet:");
    for (size_t i = 0; i < count; i++) {
        insert(run, &asked[i], &shown[i]);
        buf_printf(&text, "\n- %.*s", STR_ARG(shown[i].summary));
    }
    run->paused = true;
    run->result.approvals = shown;
    run->result.approval_count = count;
    run->result.spoke = true;
    run->result.reply = buf_str(&text);
    run->result.reason = STR("waits for approval");
}

static const struct tool *find_tool(const struct agent_house *house, struct str name)
{
    for (size_t i = 0; i < house->tool_count; i++)
        if (str_is(name, house->tools[i]->name))
            return house->tools[i];
    return NULL; /* one of a source: its arguments are checked before it runs */
}

static int check_arguments(const struct agent_house *house, const struct approval_row *row,
    struct str arguments, struct arena *arena)
{
    const struct tool *tool = find_tool(house, row->tool);
    const struct json *args;
    struct err cause;

    if (json_parse(arena, arguments, &args) < 0 || !json_is(args, JSON_OBJECT))
        return err_field(ERR_INVALID, "arguments", "arguments must be an object.");
    if (str_is(row->tool, APPROVAL_REVIEW) && !json_is(json_get(args, "text"), JSON_STRING))
        return err_field(
            ERR_INVALID, "arguments", "arguments must have text: the text as it shall be.");
    if (!tool || tool_check_args(tool, args) == 0)
        return 0;
    cause = *err_get();
    return err_field(ERR_INVALID, "arguments", "arguments: %s", cause.message);
}

static int decided_before(const struct approval_row *row)
{
    return err_set(
        ERR_CONFLICT, "This approval is not open any more: it is %.*s.", STR_ARG(row->state));
}

/* Store the decision. 0, STORE_CONFLICT (somebody was faster), ERR_*. */
static int store_decision(const struct agent_house *house, const struct approval_decision *decision,
    struct arena *arena, struct approval_row *row)
{
    int64_t now = env_wall_ms(house->env);
    struct store_batch batch;
    int rc = 0;

    if (!str_empty(decision->arguments)) {
        rc = check_arguments(house, row, decision->arguments, arena);
        row->arguments = decision->arguments;
    }
    if (rc < 0)
        return rc;
    row->state = decision->approve ? STR("approved") : STR("refused");
    row->decided_by = decision->by;
    row->reason = decision->reason;
    row->decided_at = now;
    row->due_at = now + DECIDED_LEASE_MS;
    store_batch_init(&batch, arena);
    store_update(&batch, STORE_APPROVALS, row);
    rc = store_commit(house->store, &batch);
    if (rc == 0 && errinj("approval.decided"))
        return err_set(ERR_IO, "Injected fault: the approval is decided.");
    return rc;
}

/* 0: the decision stands, by this call or an earlier one that was not gone on with. */
static int decide(const struct agent_house *house, const struct approval_decision *decision,
    struct arena *arena, struct approval_row *ret_row)
{
    for (;;) {
        int rc = store_get(
            house->store, STORE_APPROVALS, decision->workspace_id, decision->id, arena, ret_row);

        if (rc == STORE_MISSING)
            return err_set(ERR_NOT_FOUND, "There is no approval with this id.");
        if (rc < 0)
            return rc;
        if (!str_is(ret_row->state, "pending")) {
            bool same = str_is(ret_row->state, decision->approve ? "approved" : "refused");

            return same && ret_row->due_at < APPROVAL_NEVER ? 0 : decided_before(ret_row);
        }
        if (ret_row->expires_at <= env_wall_ms(house->env))
            return err_set(ERR_CONFLICT, "This approval expired before it was decided; nothing of "
                                         "it was done. Ask again for what is still wanted.");
        rc = store_decision(house, decision, arena, ret_row);
        if (rc <= 0)
            return rc;
    }
}

int approval_decide(const struct agent_house *house, const struct approval_decision *decision,
    const struct approval_owner *owner, struct arena *arena, struct approval_row *ret_row,
    struct run_result *ret_result, bool *ret_failed)
{
    int looked, rc = decide(house, decision, arena, ret_row);

    if (rc < 0)
        return rc;
    rc = run_go_on(
        house, decision->workspace_id, ret_row->run_id, owner, arena, ret_result, ret_failed);
    if (rc < 0)
        return rc;
    looked = store_get(
        house->store, STORE_APPROVALS, decision->workspace_id, decision->id, arena, ret_row);
    return looked < 0 ? looked : rc;
}

/* Its run was deleted, or ended another way. */
static bool retire(
    const struct agent_house *house, const struct approval_row *row, struct arena *arena)
{
    struct approval_row last = *row;
    struct store_batch batch;
    struct run_row run;
    int rc = store_get(house->store, STORE_RUNS, row->workspace_id, row->run_id, arena, &run);

    if (rc < 0 || (rc == 0 && str_is(run.listed, "paused")))
        return false;
    last.due_at = APPROVAL_NEVER;
    if (str_is(row->state, "pending"))
        last.state = STR("expired");
    store_batch_init(&batch, arena);
    store_update(&batch, STORE_APPROVALS, &last);
    if (store_commit(house->store, &batch) < 0)
        log_warn("approval.not_retired", LOG_ERR);
    return true;
}

static void sweep_run(const struct agent_house *house, const struct approval_row *row,
    const struct approval_owner *owner, size_t *count)
{
    struct run_result result;
    struct arena arena;
    bool failed;
    int rc;

    arena_init(&arena);
    if (retire(house, row, &arena)) {
        arena_deinit(&arena);
        return;
    }
    fiber_shield(); /* a run that was begun is brought to its end */
    rc = run_go_on(house, row->workspace_id, row->run_id, owner, &arena, &result, &failed);
    fiber_unshield();
    if (rc == 0)
        (*count)++;
    else if (rc < 0 && rc != ERR_CONFLICT)
        log_warn("approval.not_continued", LOG_STR("run", row->run_id), LOG_ERR);
    arena_deinit(&arena);
}

/* A process that was alone at its start takes over at once what dead ones left. */
static bool is_due(const struct approval_row *row, const struct approval_owner *owner, int64_t now)
{
    bool dead = owner->sole && str_cmp(row->owner, owner->id) < 0;

    return row->due_at <= now || (dead && !str_is(row->state, "pending"));
}

int approval_sweep(const struct agent_house *house, struct str workspace_id,
    const struct approval_owner *owner, size_t *ret_count)
{
    static const char *const states[] = {"approved", "refused", "expired", "pending"};
    int64_t now = env_wall_ms(house->env);
    size_t count = 0;
    struct arena arena;
    int rc = 0;

    arena_init(&arena);
    for (size_t i = 0; i < ARRAY_LEN(states) && rc == 0; i++) {
        struct store_query query = {.entity = STORE_APPROVALS,
            .workspace_id = workspace_id,
            .index = 0,
            .value = str_from(states[i]),
            .limit = SWEEP_PAGE,
            .cursor = STR(""),
            .to = APPROVAL_NEVER};
        struct store_page page;
        const struct approval_row *rows;

        rc = store_list(house->store, &query, &arena, &page);
        rows = page.rows;
        for (size_t k = 0; rc == 0 && k < page.count; k++)
            if (is_due(&rows[k], owner, now))
                sweep_run(house, &rows[k], owner, &count);
    }
    arena_deinit(&arena);
    if (rc == 0)
        *ret_count = count;
    return rc;
}
