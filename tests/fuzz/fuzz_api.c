/* The whole interface behind its door: any path, query and body on each route, MCP and A2A too, of
 * a house with a memory store and the built-in model. Whatever is asked, the answer is one that the
 * contract knows: never a failure inside, and JSON where it says so.
 *
 * The first byte chooses the route; the first line is the id in its path, the second the query, the
 * rest the body. */
#include "agent/definition.h"
#include "agent/policy.h"
#include "api/exchange.h"
#include "runtime/loop.h"
#include "secure/seal.h"
#include "store/backend.h"
#include "tools/services.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define INPUTS_A_HOUSE 400 /* what they stored is forgotten then */

extern const struct tool tool_schedule, tool_summarise, tool_recall;
extern const struct model_ops model_builtin;

struct house {
    struct config config;
    struct sealer *sealer;
    struct store *store;
    struct calendar *calendar;
    struct model *model;
    struct tool_services services;
    struct agent_set *agents;
    struct policy *policy;
    struct agent_house agent;
    struct api api;
    int inputs;
};

static void must(int rc)
{
    if (rc < 0)
        abort();
}

static void open_house(struct house *house)
{
    static const struct tool *const tools[] = {&tool_schedule, &tool_summarise, &tool_recall};
    static const struct store_ops *const stores[] = {&store_memory, NULL};
    static const struct model_ops *const models[] = {&model_builtin, NULL};
    const struct env *env = env_system();

    log_level_set(LOG_OFF);
    store_register(stores);
    model_register(models);
    must(secure_init());
    must(config_load_text(&house->config, STR("store: memory\nmodel: builtin\n"), "fuzz.yaml"));
    must(agent_set_read(&house->config, tools, ARRAY_LEN(tools), &house->agents));
    must(policy_open(&house->config, &house->policy));
    must(sealer_new_ephemeral(env, &house->sealer));
    must(store_open(&house->config, env, house->sealer, &house->store));
    must(calendar_open(&house->config, env, house->store, &house->calendar));
    must(model_open(&house->config, env, STR("builtin"), &house->model));
    must(store_workspace(house->store, STR("main")));
    house->services.calendar = house->calendar;
    house->agent = (struct agent_house){.env = env,
        .config = &house->config,
        .store = house->store,
        .models = &house->model,
        .model_count = 1,
        .configured_count = 1,
        .tools = tools,
        .tool_count = ARRAY_LEN(tools),
        .services = &house->services,
        .agents = house->agents,
        .policy = house->policy};
    api_init(&house->api, &house->agent, house->calendar, "0.0.0");
}

static void close_house(struct house *house)
{
    api_deinit(&house->api);
    model_free(house->model);
    calendar_free(house->calendar);
    store_close(house->store);
    sealer_free(house->sealer);
    agent_set_free(house->agents);
    policy_free(house->policy);
    config_deinit(&house->config);
    *house = (struct house){0};
}

struct call {
    struct house *house;
    const struct route *route;
    struct str id, query, body;
};

static struct str path_of(const struct call *call, struct arena *arena)
{
    struct str pattern = str_from(call->route->pattern);
    ptrdiff_t open = str_find_char(pattern, '{', 0), close = str_find_char(pattern, '}', 0);

    if (open < 0)
        return pattern;
    return str_printf(arena, "%.*s%.*s%.*s", STR_ARG(str_slice(pattern, 0, (size_t)open)),
        STR_ARG(call->id), STR_ARG(str_slice(pattern, (size_t)close + 1, pattern.len)));
}

static void ask(void *arg)
{
    const struct call *call = arg;
    struct api_answer answer = {0};
    const struct json *root;
    struct arena arena;

    if (call->house->inputs == 0)
        open_house(call->house);
    arena_init(&arena);
    api_local(&call->house->api, call->route->method, path_of(call, &arena), call->query,
        call->body, STR("main"), &arena, &answer);
    if (answer.status < 200 || answer.status > 499)
        abort();
    if (answer.content_type && strstr(answer.content_type, "json") &&
        json_parse(&arena, answer.body, &root) < 0)
        abort();
    arena_deinit(&arena);
    if (++call->house->inputs == INPUTS_A_HOUSE)
        close_house(call->house);
}

static bool is_target(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct house house;
    struct call call = {.house = &house};
    size_t routes = 0;

    while (api_routes[routes].pattern)
        routes++;
    if (len == 0)
        return 0;
    call.route = &api_routes[bytes[0] % routes];
    call.body = (struct str){(const char *)bytes + 1, len - 1};
    if (str_find_nocase(call.body, STR("stream"), 0) >= 0)
        return 0; /* there is no connection to stream to */
    (void)str_next(&call.body, '\n', &call.id);
    (void)str_next(&call.body, '\n', &call.query);
    if (!call.body.ptr)
        call.body = STR("");
    if (str_find_char(call.id, '\0', 0) >= 0 || !is_target(call.query))
        return 0; /* HTTP's parser refuses it; an id comes out of it decoded */
    must(loop_run_fiber(env_system(), ask, &call));
    return 0;
}
