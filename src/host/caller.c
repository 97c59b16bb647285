#include "host/caller.h"

int caller_open(struct caller *caller, struct boot *boot, bool needs_data)
{
    int rc = 0;

    caller->boot = boot;
    if (!caller->url != !caller->key)
        return err_set(ERR_INVALID, "--url URL and --key KEY go together");
    if (caller->url)
        return 0;
    if (needs_data)
        rc = boot_need_data(boot);
    return rc < 0 ? rc : boot_open(boot);
}

static int call_remote(const struct caller *caller, enum http_method method, struct str path,
    struct str query, struct str body, struct arena *arena, struct api_answer *ret_answer)
{
    struct str base = str_from(caller->url);
    struct http_header headers[] = {
        {STR("Authorization"), str_printf(arena, "Bearer %s", caller->key)},
        {STR("Content-Type"), STR("application/json")},
    };
    struct http_call call = {.method = method,
        .headers = headers,
        .header_count = ARRAY_LEN(headers),
        .body = body,
        .timeout_ms = caller->boot->config.run_timeout_ms};
    struct http_reply reply;
    int rc;

    while (str_ends(base, STR("/")))
        base.len--;
    call.url = str_printf(arena, "%.*s%.*s%s%.*s", STR_ARG(base), STR_ARG(path),
        query.len ? "?" : "", STR_ARG(query));
    rc = http_send(arena, &call, &reply);
    if (rc == 0)
        *ret_answer = (struct api_answer){
            reply.status, str_cstr(arena, http_header(&reply.headers, "content-type")), reply.body};
    return rc;
}

static int need_workspace(const struct caller *caller, struct arena *arena)
{
    struct str id = str_from(caller->workspace);
    struct workspace_row row;
    int rc = store_get(caller->boot->store, STORE_WORKSPACES, id, id, arena, &row);

    return rc == STORE_MISSING
               ? err_field(ERR_NOT_FOUND, "workspace",
                     "There is no workspace %s; `theo keys create --workspace %s` makes it.",
                     caller->workspace, caller->workspace)
               : rc;
}

int caller_call(const struct caller *caller, enum http_method method, struct str path,
    struct str query, struct str body, struct arena *arena, struct api_answer *ret_answer)
{
    if (caller->url)
        return call_remote(caller, method, path, query, body, arena, ret_answer);
    if (caller->workspace && !caller->new_workspace) {
        int rc = need_workspace(caller, arena);

        if (rc < 0)
            return rc;
    }
    api_local(&caller->boot->api, method, path, query, body,
        caller->workspace ? str_from(caller->workspace) : BOOT_WORKSPACE, arena, ret_answer);
    return 0;
}

struct pending_call {
    const struct caller *caller;
    enum http_method method;
    struct str path, query, body;
    struct arena *arena;
    struct api_answer *answer;
};

static int call_on_fiber(struct boot *boot, void *arg)
{
    struct pending_call *call = arg;

    (void)boot;
    return caller_call(
        call->caller, call->method, call->path, call->query, call->body, call->arena, call->answer);
}

int caller_call_now(const struct caller *caller, enum http_method method, struct str path,
    struct str query, struct str body, struct arena *arena, struct api_answer *ret_answer)
{
    struct pending_call call = {caller, method, path, query, body, arena, ret_answer};

    return boot_on_fiber(caller->boot, call_on_fiber, &call);
}

int caller_status(const struct api_answer *answer, struct arena *arena)
{
    const struct json *problem;
    struct str detail = STR("");

    if (answer->status >= 200 && answer->status < 300)
        return 0;
    if (json_parse(arena, answer->body, &problem) == 0)
        detail = json_get_str(problem, "detail");
    if (str_empty(detail))
        detail = str_printf(arena, "the answer was HTTP %d", answer->status);
    fprintf(stderr, "theo: %.*s\n", STR_ARG(detail));
    return answer->status == 400 || answer->status == 422 ? 2 : 1;
}
