#include "house.h"

#include "model/model.h"
#include "secure/seal.h"
#include "store/backend.h"

extern const struct tool tool_schedule, tool_summarise, tool_recall;

struct script script;

static int scripted_open(
    const struct config *config, const struct env *env, struct str name, void **ret_state)
{
    (void)config, (void)env, (void)name;
    *ret_state = NULL;
    return 0;
}

static void scripted_close(void *state)
{
    (void)state;
}

static bool has_tool_result(const struct model_request *request)
{
    for (size_t i = 0; i < request->message_count; i++)
        if (request->messages[i].role == MODEL_TOOL)
            return true;
    return false;
}

static int scripted_chat(void *state, const struct model_request *request, struct arena *arena,
    struct model_reply *ret_reply, enum model_error *ret_error)
{
    struct model_tool_call *call = arena_new(arena, struct model_tool_call);

    (void)state;
    script.calls++;
    if (script.answer)
        return script.answer(request, arena, ret_reply);
    if (script.fail || (script.fail_after_tool && has_tool_result(request))) {
        *ret_error = MODEL_UNAVAILABLE;
        return err_set(ERR_UNAVAILABLE, "The scripted model is down.");
    }
    *ret_reply = (struct model_reply){
        .content = str_from(script.reply), .model = STR("scripted"), .attempts = 1};
    if (script.tool && !has_tool_result(request)) {
        *call = (struct model_tool_call){
            STR("call-1"), str_from(script.tool), str_from(script.arguments)};
        *ret_reply = (struct model_reply){.content = STR(""),
            .model = STR("scripted"),
            .attempts = 1,
            .finish = MODEL_TOOL_CALLS,
            .tool_calls = call,
            .tool_call_count = 1};
    } else if (request->on_delta) {
        return request->on_delta(ret_reply->content, request->ctx);
    }
    return 0;
}

static const struct model_ops model_scripted = {
    "scripted", scripted_open, scripted_close, scripted_chat};

static void register_all(void)
{
    static const struct store_ops *const stores[] = {&store_memory, &store_sqlite, NULL};
    static const struct model_ops *const models[] = {&model_scripted, NULL};

    store_register(stores);
    model_register(models);
}

static int open_sealer(struct house *house, const struct env *env)
{
    bool created;

    if (str_is(str_from(house->config.store), "memory"))
        return sealer_new_ephemeral(env, &house->sealer);
    return sealer_open(env, str_printf(house->t->arena, "%s/key", house->config.data_dir).ptr, true,
        &house->sealer, &created);
}

static int read_declared(struct house *house, const struct tool *const *tools, size_t count)
{
    int rc = agent_set_read(&house->config, tools, count, &house->agents);

    return rc < 0 ? rc : policy_open(&house->config, &house->policy);
}

static int serve(struct house *house)
{
    struct http_server_options options;

    api_init(&house->api, &house->agent, house->calendar, "0.0.0");
    house->api.sole_at_start = true;
    http_server_options_init(&options);
    options.host = "127.0.0.1";
    options.port = 0;
    options.max_body_bytes = (size_t)house->config.server_max_body_bytes;
    return http_server_start(fiber_loop(), &options, api_handle, &house->api, &house->server);
}

static int open_house(struct house *house, const char *settings)
{
    static const struct tool *const tools[] = {&tool_schedule, &tool_summarise, &tool_recall};
    struct api_key_request request = {STR("default"), STR("test"), STR("admin"), 0};
    struct api_key_row row;
    const struct env *env = env_system();
    int rc;

    log_level_set(LOG_OFF);
    register_all();
    rc = config_load_text(&house->config, str_from(settings), "test.yaml");
    if (rc == 0)
        rc = secure_init();
    if (rc == 0)
        rc = read_declared(house, tools, ARRAY_LEN(tools));
    if (rc == 0)
        rc = open_sealer(house, env);
    if (rc == 0)
        rc = store_open(&house->config, env, house->sealer, &house->store);
    if (rc == 0)
        rc = calendar_open(&house->config, env, house->store, &house->calendar);
    if (rc == 0)
        rc = model_open(&house->config, env, STR("scripted"), &house->model);
    if (rc == 0)
        rc = store_workspace(house->store, STR("default"));
    if (rc == 0 && !house->key[0])
        rc = api_key_create(house->store, env, &request, house->t->arena, house->key, &row);
    if (rc < 0)
        return rc;
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
    return serve(house);
}

bool house_open_as(struct house *house, struct test *t, const char *settings)
{
    char key[API_KEY_LEN + 1];

    memcpy(key, house->key, sizeof(key));
    *house = (struct house){.t = t};
    memcpy(house->key, key, sizeof(key));
    if (EXPECT_OK(open_house(house, settings)))
        return true;
    house_close(house);
    return false;
}

bool house_open(struct house *house, struct test *t, const char *yaml)
{
    *house = (struct house){.t = t};
    script = (struct script){.reply = "Done."};
    return house_open_as(house, t,
        str_printf(
            t->arena, "store: memory\nmodel: scripted\nmodel.fallback: \"\"\n%s", yaml ? yaml : "")
            .ptr);
}

bool house_restart(struct house *house)
{
    struct test *t = house->t;

    http_server_stop(house->server);
    house->server = NULL;
    api_deinit(&house->api);
    if (fiber_sleep(2) < 0) /* ids of processes sort by time */
        return false;
    return EXPECT_OK(serve(house));
}

void house_close(struct house *house)
{
    if (house->server)
        http_server_stop(house->server);
    if (house->api.house)
        api_deinit(&house->api);
    if (house->model)
        model_free(house->model);
    if (house->calendar)
        calendar_free(house->calendar);
    if (house->store)
        store_close(house->store);
    if (house->sealer)
        sealer_free(house->sealer);
    agent_set_free(house->agents);
    policy_free(house->policy);
    config_deinit(&house->config);
}

const char *house_key(struct house *house, const char *scopes)
{
    struct test *t = house->t;
    char *key = arena_alloc(t->arena, API_KEY_LEN + 1);
    struct api_key_request request = {STR("default"), STR("other"), str_from(scopes), 0};
    struct api_key_row row;

    EXPECT_OK(api_key_create(house->store, env_system(), &request, t->arena, key, &row));
    return key;
}

struct asked ask_as(struct house *house, const char *key, enum http_method method, const char *path,
    const char *body, const char *header)
{
    struct test *t = house->t;
    struct http_header headers[3];
    struct http_call call = {.method = method, .headers = headers, .timeout_ms = 20000};
    struct http_reply reply;
    struct asked asked = {0};
    struct str rest = str_from(header), name;

    if (key)
        headers[call.header_count++] =
            (struct http_header){STR("Authorization"), str_printf(t->arena, "Bearer %s", key)};
    if (body && (!header || !str_starts_nocase(rest, STR("content-type"))))
        headers[call.header_count++] =
            (struct http_header){STR("Content-Type"), STR("application/json")};
    if (header) {
        str_next(&rest, ':', &name);
        headers[call.header_count++] = (struct http_header){name, str_trim(rest)};
    }
    call.body = str_from(body);
    call.url = str_printf(t->arena, "http://127.0.0.1:%d%s", http_server_port(house->server), path);
    if (!EXPECT_OK(http_send(t->arena, &call, &reply)))
        return asked;
    asked = (struct asked){reply.status, reply.headers, reply.body, NULL};
    if (!str_empty(reply.body) && json_check(reply.body) == 0)
        EXPECT_OK(json_parse(t->arena, reply.body, &asked.json));
    return asked;
}

struct asked ask(struct house *house, enum http_method method, const char *path, const char *body,
    const char *header)
{
    return ask_as(house, house->key, method, path, body, header);
}

struct asked post(struct house *house, const char *path, const char *body)
{
    return ask(house, HTTP_POST, path, body, NULL);
}

struct str expect_problem(struct test *t, const struct asked *asked, int status)
{
    if (!EXPECT_EQ(asked->status, status))
        printf("# %.*s\n", STR_ARG(asked->body));
    EXPECT_STR(http_header(&asked->headers, "content-type"), "application/problem+json");
    EXPECT_EQ(json_get_i64(asked->json, "status", 0), status);
    EXPECT(str_starts(json_get_str(asked->json, "type"), STR("/problems/")));
    EXPECT(json_get_str(asked->json, "title").len > 0);
    EXPECT(json_get_str(asked->json, "detail").len > 0);
    EXPECT_EQ(json_get_str(asked->json, "request_id").len, ULID_LEN);
    EXPECT(str_eq(
        json_get_str(asked->json, "request_id"), http_header(&asked->headers, "x-request-id")));
    return json_get_str(asked->json, "field");
}
