/* /api/approvals: tool calls that wait for a person: list, read, decide.
 *
 * Whoever decides has a key with the scope chat, or the token that the paused answer gave out. */
#include "agent/approval.h"
#include "api/exchange.h"
#include "runtime/fiber.h"

static const struct body_field fields[] = {
    {"decision", JSON_STRING, 16},
    {"reason", JSON_STRING, 1000},
    {"arguments", JSON_OBJECT, 0},
    {"token", JSON_STRING, 200},
};

static void write_approval(struct json_writer *w, const struct approval_row *row)
{
    json_object_begin(w);
    json_str_member(w, "id", row->id);
    json_str_member(w, "state", row->state);
    json_str_member(w, "session_id", row->session_id);
    json_str_member(w, "run_id", row->run_id);
    json_str_member(w, "tool", row->tool);
    json_str_member(w, "summary", row->summary);
    json_raw_member(w, "arguments", row->arguments);
    write_opt(w, "decided_by", row->decided_by);
    write_opt(w, "reason", row->reason);
    write_time(w, "created_at", row->created_at);
    write_time(w, "expires_at", row->expires_at);
    write_time(w, "decided_at", row->decided_at);
    json_object_end(w);
}

static int find_approval(struct exchange *x, struct approval_row *ret_row)
{
    int rc = store_get(x->store, STORE_APPROVALS, x->workspace, x->params[0], x->arena, ret_row);

    return rc == STORE_MISSING ? err_set(ERR_NOT_FOUND, "There is no approval with this id.") : rc;
}

static bool known_state(struct str state)
{
    static const char *const states[] = {
        "pending", "approved", "refused", "expired", "done", "failed"};

    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (str_is(state, states[i]))
            return true;
    return false;
}

/* Of one state, the first due first; or of one chat, the newest first. */
int approvals_list(struct exchange *x)
{
    struct str session_id = query_str(x, "session_id"), state = query_str(x, "state");
    bool of_chat = !str_empty(session_id);
    struct store_query query = {
        .entity = STORE_APPROVALS, .index = of_chat ? 1 : 0, .descending = of_chat};
    struct listing listing;
    int rc;

    if (!str_empty(state) && !known_state(state))
        return err_field(ERR_INVALID, "state",
            "state must be pending, approved, refused, expired, done or failed.");
    if (str_empty(state) && !of_chat)
        state = STR("pending");
    query.value = of_chat ? session_id : state;
    rc = listing_begin(x, &query, "approvals", 50, &listing);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < listing.page.count; i++) {
        const struct approval_row *row = (const struct approval_row *)listing.page.rows + i;

        if (str_empty(state) || str_eq(row->state, state))
            write_approval(&listing.w, row);
    }
    return listing_end(x, &listing);
}

int approvals_get(struct exchange *x)
{
    struct buf out = BUF_IN(x->arena);
    struct approval_row row;
    struct json_writer w;
    int rc = find_approval(x, &row);

    if (rc < 0)
        return rc;
    json_init(&w, &out);
    write_approval(&w, &row);
    answer_json(&x->answer, 200, &out);
    return 0;
}

/* A token names its workspace behind a dot. A wrong one learns nothing, not even whether the
 * approval is there. */
static int check_token(struct exchange *x, struct str token)
{
    ptrdiff_t dot = str_find_char(token, '.', 0);
    struct approval_row row;
    int rc = failures_check(x, STR(""));

    if (rc < 0)
        return rc;
    rc = STORE_MISSING;
    if (dot > 0) {
        x->workspace = str_slice(token, (size_t)dot + 1, token.len);
        rc = store_get(x->store, STORE_APPROVALS, x->workspace, x->params[0], x->arena, &row);
    }
    if (rc < 0)
        return rc;
    if (rc == 0 && approval_token_is(&row, token))
        return 0;
    failures_note(x);
    return err_set(ERR_UNAUTHORIZED,
        "Send an API key with the scope chat, or the token of this approval as \"token\".");
}

static int read_decision(struct exchange *x, struct approval_decision *ret_decision)
{
    int rc = body_check(x->body, fields, ARRAY_LEN(fields));
    struct str decision = json_get_str(x->body, "decision"), token = json_get_str(x->body, "token");

    if (rc == 0 && !x->known && !x->local)
        rc = check_token(x, token);
    if (rc < 0)
        return rc;
    if (!str_is(decision, "approve") && !str_is(decision, "refuse"))
        return err_field(ERR_INVALID, "decision", "decision must be approve or refuse.");
    *ret_decision = (struct approval_decision){.workspace_id = x->workspace,
        .id = x->params[0],
        .approve = str_is(decision, "approve"),
        .arguments = body_has(x->body, "arguments")
                         ? json_text(x->arena, json_get(x->body, "arguments"))
                         : STR(""),
        .reason = str_trim(json_get_str(x->body, "reason")),
        .by = x->known ? str_from(x->who.key_id) : STR("token")};
    return 0;
}

static struct str outcome_text(struct exchange *x, const struct approval_row *row,
    const struct run_result *result, const char *state)
{
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_name(&w, "approval");
    write_approval(&w, row);
    json_cstr_member(&w, "run_state", state);
    json_name(&w, "result");
    run_result_write(&w, result);
    json_object_end(&w);
    return buf_str(&out);
}

/* What is kept for a repeat has no tokens. */
static void answer_outcome(struct exchange *x, const struct approval_row *row,
    const struct run_result *result, const char *state)
{
    struct run_approval *bare = arena_array(x->arena, struct run_approval, result->approval_count);
    struct run_result kept = *result;

    for (size_t i = 0; i < result->approval_count; i++) {
        bare[i] = result->approvals[i];
        bare[i].token = STR("");
    }
    kept.approvals = bare;
    x->answer.status = 200;
    x->answer.content_type = "application/json";
    x->answer.body = outcome_text(x, row, result, state);
    if (result->approval_count > 0)
        x->answer.keep_body = outcome_text(x, row, &kept, state);
}

static struct approval_owner owner_of(const struct api *api)
{
    return (struct approval_owner){
        .id = str_from(api->process_id), .sole = api->sole_at_start, .model_api_key = STR("")};
}

int approvals_decide(struct exchange *x)
{
    struct approval_owner owner = owner_of(x->api);
    struct approval_decision decision;
    struct run_result result;
    struct approval_row row;
    bool failed = false;
    int rc = read_decision(x, &decision);

    if (rc < 0)
        return rc;
    owner.model_api_key = str_trim(http_header(&x->req->headers, "x-model-api-key"));
    rc = store_workspace(x->store, x->workspace);
    fiber_shield(); /* what was decided goes on, also when the client went away */
    if (rc == 0)
        rc = approval_decide(x->api->house, &decision, &owner, x->arena, &row, &result, &failed);
    fiber_unshield();
    if (rc < 0)
        return rc;
    answer_outcome(x, &row, &result,
        failed                                              ? "failed"
        : rc == APPROVAL_WAITS || result.approval_count > 0 ? "paused"
                                                            : "completed");
    return 0;
}

/* No run is longer than that, whatever its agent says. */
#define RUN_MS_MAX (HOUR_MS + 10 * MINUTE_MS)

int api_sweep(struct api *api, struct str workspace_id, size_t *ret_count)
{
    struct approval_owner owner = owner_of(api);
    int64_t now = env_wall_ms(api->house->env);
    size_t interrupted = 0;
    int rc = approval_sweep(api->house, workspace_id, &owner, ret_count);

    if (rc == 0)
        rc = run_interrupt_old(api->house, workspace_id,
            now - MAX(RUN_MS_MAX, api->house->config->run_timeout_ms + 10 * MINUTE_MS),
            &interrupted);
    if (interrupted > 0)
        log_warn("runs.interrupted", LOG_I64("count", (int64_t)interrupted));
    return rc;
}
