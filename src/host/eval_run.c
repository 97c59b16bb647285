/* One case in a house of its own: a store in memory with a calendar, so that nothing is left over
 * for the next case and nothing happens outside. Tools of other servers stay out of it. */
#include "agent/run.h"
#include "agent/tool_cache.h"
#include "host/eval_private.h"
#include "runtime/loop.h"
#include "secure/seal.h"

struct stage {
    struct env env;
    const struct env *real;
    int64_t now_ms;
    struct config config;
    struct sealer *sealer;
    struct store *store;
    struct calendar *calendar;
    struct tool_services services;
    struct agent_house house;
};

static int64_t wall_of(void *ctx)
{
    return ((struct stage *)ctx)->now_ms;
}

static int64_t mono_of(void *ctx)
{
    const struct env *real = ((struct stage *)ctx)->real;

    return real->mono_ns(real->ctx);
}

static void random_of(void *ctx, void *out, size_t len)
{
    const struct env *real = ((struct stage *)ctx)->real;

    real->random(real->ctx, out, len);
}

static int open_stage(struct stage *stage, struct boot *boot, const struct eval_case *what)
{
    int rc;

    *stage = (struct stage){.real = boot->env,
        .now_ms = what->now_ms ? what->now_ms : env_wall_ms(boot->env),
        .config = boot->config,
        .services = boot->services,
        .house = boot->house};
    stage->env = (struct env){wall_of, mono_of, random_of, stage};
    stage->config.memory_every_messages = 0;
    rc = sealer_new_ephemeral(&stage->env, &stage->sealer);
    if (rc == 0)
        rc = store_open(&stage->config, &stage->env, stage->sealer, &stage->store);
    if (rc == 0)
        rc = calendar_open(&stage->config, &stage->env, stage->store, &stage->calendar);
    if (rc < 0)
        return rc;
    stage->services.calendar = stage->calendar;
    stage->house.env = &stage->env;
    stage->house.config = &stage->config;
    stage->house.store = stage->store;
    stage->house.services = &stage->services;
    stage->house.sources = NULL;
    stage->house.source_count = 0;
    stage->house.listener = NULL;
    stage->house.tool_cache = tool_cache_new();
    return 0;
}

static void close_stage(struct stage *stage)
{
    tool_cache_free(stage->house.tool_cache);
    if (stage->calendar)
        calendar_free(stage->calendar);
    if (stage->store)
        store_close(stage->store);
    if (stage->sealer)
        sealer_free(stage->sealer);
}

struct watcher {
    struct eval_result *result;
    struct arena *arena;
};

static struct eval_call *add_call(struct watcher *watcher)
{
    struct eval_result *result = watcher->result;

    if (result->call_count == result->call_capacity) {
        size_t capacity = result->call_capacity * 2 + 8;

        result->calls = arena_grow(watcher->arena, result->calls,
            result->call_capacity * sizeof(*result->calls), capacity * sizeof(*result->calls));
        result->call_capacity = capacity;
    }
    return &result->calls[result->call_count++];
}

static void end_call(struct eval_result *result, const struct json *data)
{
    struct str id = json_get_str(data, "call_id");

    for (size_t i = 0; i < result->call_count; i++)
        if (str_eq(result->calls[i].id, id) && str_empty(result->calls[i].status)) {
            result->calls[i].status = json_get_str(data, "status");
            return;
        }
}

/* Tool calls as they happen: those of members too. */
static int watch(const struct run_event *event, void *ctx)
{
    struct watcher *watcher = ctx;
    bool starts = strcmp(event->type, "tool.started") == 0;
    const struct json *data;

    if (!starts && strcmp(event->type, "tool.completed") != 0)
        return 0;
    if (json_parse(watcher->arena, event->data, &data) < 0)
        return 0;
    if (starts)
        *add_call(watcher) = (struct eval_call){.id = json_get_str(data, "call_id"),
            .tool = json_get_str(data, "tool"),
            .arguments = json_text(watcher->arena, json_get(data, "arguments")),
            .status = STR("")};
    else
        end_call(watcher->result, data);
    return 0;
}

/* A call whose arguments did not fit was given back to the model: it is no call. */
static void drop_given_back(struct eval_result *result)
{
    size_t count = 0;

    for (size_t i = 0; i < result->call_count; i++)
        if (!str_is(result->calls[i].status, "given back"))
            result->calls[count++] = result->calls[i];
    result->call_count = count;
}

static int run_case(struct stage *stage, struct eval_result *result, struct arena *arena)
{
    const struct eval_case *what = result->what;
    struct watcher *watcher = arena_new(arena, struct watcher);
    struct run_request request = {
        .workspace_id = BOOT_WORKSPACE,
        .key_id = STR("eval"),
        .session_id = STR(""),
        .channel = STR("api"),
        .idempotency_key = STR(""),
        .chat = what->chat,
        .system_prompt = what->system_prompt,
        .agent = what->agent,
        .model = what->model,
        .model_api_key = STR(""),
        .time_zone = what->time_zone,
        .metadata = STR(""),
        .must_reply = what->must_reply,
        .sink = watch,
        .sink_ctx = watcher,
    };

    *watcher = (struct watcher){result, arena};
    return run_chat(&stage->house, &request, arena, &result->run);
}

int eval_run(struct boot *boot, const struct eval_case *what, struct model *judge,
    struct arena *arena, struct eval_result *ret_result)
{
    struct stage *stage = arena_new(arena, struct stage);
    int64_t begun = env_mono_ms(boot->env);
    int rc = open_stage(stage, boot, what);

    *ret_result = (struct eval_result){.what = what, .passed = true};
    if (rc < 0) {
        close_stage(stage);
        return rc;
    }
    rc = run_case(stage, ret_result, arena);
    drop_given_back(ret_result);
    if (rc < 0)
        eval_note(
            ret_result, "run", EVAL_FAILED, str_printf(arena, "the run failed: %s", err_message()));
    else
        eval_check(ret_result, arena);
    if (rc == 0 && !str_empty(what->judge) && judge)
        eval_judge(ret_result, judge, &boot->config, arena);
    else if (rc == 0 && !str_empty(what->judge))
        eval_note(ret_result, "judge", EVAL_SKIPPED,
            STR("no judge is configured (setting eval.judge-model)"));
    ret_result->took_ms = env_mono_ms(boot->env) - begun;
    close_stage(stage);
    return 0;
}
