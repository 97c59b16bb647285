#include "fixture.h"

#include "runtime/errinj.h"
#include "store/messages.h"

static struct fixture *current;

static int open_model(
    const struct config *config, const struct env *env, struct str name, void **ret_state)
{
    (void)config, (void)env, (void)name;
    *ret_state = NULL;
    return 0;
}

static void close_model(void *state)
{
    (void)state;
}

static int chat_first(void *state, const struct model_request *request, struct arena *arena,
    struct model_reply *ret_reply, enum model_error *ret_error)
{
    (void)state;
    return current->scripts[0](current, current->calls[0]++, request, arena, ret_reply, ret_error);
}

static int chat_second(void *state, const struct model_request *request, struct arena *arena,
    struct model_reply *ret_reply, enum model_error *ret_error)
{
    (void)state;
    return current->scripts[1](current, current->calls[1]++, request, arena, ret_reply, ret_error);
}

static const struct model_ops fake_ops = {"fake", open_model, close_model, chat_first};
static const struct model_ops spare_ops = {"spare", open_model, close_model, chat_second};
static const struct model_ops *const model_list[] = {&fake_ops, &spare_ops, NULL};

/* A replay opens a store of its own. */
static const struct store_ops *const store_list_memory[] = {&store_memory, NULL};

static bool key_known(const struct fixture *f, struct str key)
{
    for (int i = 0; i < f->booked; i++)
        if (str_eq(f->keys[i], key))
            return true;
    return false;
}

/* A provider that honours idempotency keys. */
static int book(const struct tool_call *call, struct tool_result *ret_result)
{
    struct fixture *f = current;

    if (str_is(json_get_str(call->args, "what"), "refused"))
        return err_field(ERR_INVALID, "what", "That cannot be booked.");
    f->book_calls++;
    if (!key_known(f, call->idempotency_key))
        f->keys[f->booked++] = str_dup(f->t->arena, call->idempotency_key);
    if (f->tool_fault && errinj_set(f->tool_fault) < 0)
        return -1;
    *ret_result = (struct tool_result){
        .content = STR("{\"status\":\"booked\"}"),
        .summary = STR("Booked it"),
        .event = STR("{\"id\":\"E1\"}"),
    };
    return 0;
}

/* A provider that does whatever it is asked, each time. */
static int wire(const struct tool_call *call, struct tool_result *ret_result)
{
    struct fixture *f = current;

    (void)call;
    f->wired++;
    if (f->tool_fault && errinj_set(f->tool_fault) < 0)
        return -1;
    if (f->wire_rc < 0)
        return err_set(f->wire_rc, "The bank did not answer.");
    *ret_result = (struct tool_result){
        .content = STR("{\"status\":\"sent\"}"), .summary = STR("Sent it"), .event = STR("")};
    return 0;
}

static int hang(const struct tool_call *call, struct tool_result *ret_result)
{
    (void)call, (void)ret_result;
    return fiber_sleep(HOUR_MS);
}

/* Waits until all of its kind run at once, or a while. */
static int slow(const struct tool_call *call, struct tool_result *ret_result)
{
    struct fixture *f = current;
    int64_t number = json_get_i64(call->args, "number", 0);

    f->slow_running++;
    if (f->slow_running > f->slow_most)
        f->slow_most = f->slow_running;
    for (int i = 0; i < 1000 && f->slow_most < 3; i++)
        if (fiber_yield() < 0)
            break;
    f->slow_running--;
    *ret_result = (struct tool_result){
        .content = str_printf(call->arena, "number %lld", (long long)number),
        .summary = STR("Waited"),
        .event = STR(""),
    };
    return 0;
}

static int fetch(const struct tool_call *call, struct tool_result *ret_result)
{
    static const struct tool_citation citations[] = {
        {{"http://a", 8}, {"A", 1}, {"twelve  euro", 12}},
        {{"http://b", 8}, {"B", 1}, {"thirteen euro", 13}},
    };
    struct buf big = BUF_IN(call->arena);

    buf_add_cstr(&big, "It costs twelve\neuro. ");
    for (int i = 0; i < 5000; i++)
        buf_add_cstr(&big, "filling ");
    *ret_result = (struct tool_result){.content = buf_str(&big),
        .summary = STR("Fetched"),
        .event = STR(""),
        .citations = citations,
        .citation_count = 2,
        .untrusted = current->fetch_untrusted};
    return 0;
}

#define OBJECT(members)                                                                            \
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{" members "}}"

static const struct tool tools[] = {
    {.name = "book",
        .description = "Books.",
        .parameters = OBJECT("\"what\":{\"type\":\"string\",\"minLength\":2}"),
        .effect = TOOL_WRITE,
        .keyed = true,
        .run = book},
    {.name = "hang",
        .description = "Hangs.",
        .parameters = OBJECT(""),
        .effect = TOOL_READ,
        .timeout_ms = 30,
        .run = hang},
    {.name = "slow",
        .description = "Waits.",
        .parameters = OBJECT("\"number\":{\"type\":\"integer\"}"),
        .effect = TOOL_READ,
        .run = slow},
    {.name = "fetch",
        .description = "Fetches.",
        .parameters = OBJECT(""),
        .effect = TOOL_READ,
        .run = fetch},
    {.name = "wire",
        .description = "Sends money.",
        .parameters = OBJECT(""),
        .effect = TOOL_WRITE,
        .run = wire},
};
static const struct tool *const tool_list[] = {
    &tools[0], &tools[1], &tools[2], &tools[3], &tools[4]};

bool fixture_open(struct test *t, struct fixture *f, script *first, script *second)
{
    *f = (struct fixture){.t = t, .scripts = {first, second}};
    f->seen = BUF_IN(t->arena);
    current = f;
    if (config_load_text(&f->config, STR(""), "test") < 0 || secure_init() < 0 ||
        sealer_new_ephemeral(&t->fake->env, &f->sealer) < 0 ||
        store_open_with(
            &store_memory, &f->config, "trace:memory", &t->fake->env, f->sealer, &f->store) < 0)
        return false;
    model_register(model_list);
    store_register(store_list_memory);
    f->config.memory_every_messages = 0; /* a test that wants it says so */
    if (model_open(&f->config, &t->fake->env, STR("fake"), &f->models[0]) < 0 ||
        model_open(&f->config, &t->fake->env, STR("spare"), &f->models[1]) < 0)
        return false;
    f->house = (struct agent_house){
        .env = &t->fake->env,
        .config = &f->config,
        .store = f->store,
        .models = f->models,
        .model_count = second ? 2 : 1,
        .configured_count = second ? 2 : 1,
        .tools = tool_list,
        .tool_count = ARRAY_LEN(tool_list),
    };
    return store_workspace(f->store, STR("main")) == 0;
}

void fixture_close(struct fixture *f)
{
    if (errinj_set(NULL) < 0)
        abort();
    model_free(f->models[0]);
    model_free(f->models[1]);
    store_close(f->store);
    sealer_free(f->sealer);
    config_deinit(&f->config);
}

static int watch(const struct run_event *event, void *ctx)
{
    struct fixture *f = ctx;

    buf_add_cstr(&f->seen, event->type);
    buf_add_char(&f->seen, '\n');
    return 0;
}

struct run_request fixture_request(struct fixture *f, const char *chat)
{
    struct run_request request = {
        .workspace_id = STR("main"),
        .key_id = STR("key1"),
        .session_id = STR(""),
        .channel = STR("api"),
        .idempotency_key = STR(""),
        .system_prompt = STR(""),
        .agent = STR(""),
        .model = STR(""),
        .model_api_key = STR(""),
        .time_zone = STR("UTC"),
        .metadata = STR(""),
        .sink = watch,
        .sink_ctx = f,
    };

    if (transcript_parse(f->t->arena, str_from(chat), &request.chat) < 0)
        abort();
    return request;
}

int fixture_run(struct fixture *f, const struct run_request *request, struct run_result *ret_result)
{
    return run_chat(&f->house, request, f->t->arena, ret_result);
}

const struct json *fixture_events(struct fixture *f, struct str run_id)
{
    struct store_query query = {
        .entity = STORE_AGENT_ACTIONS,
        .workspace_id = STR("main"),
        .index = STORE_CHILDREN,
        .value = run_id,
        .limit = 1000,
        .cursor = STR(""),
    };
    struct buf all = BUF_IN(f->t->arena);
    const struct json *root = NULL;
    struct store_page page;
    struct run_row run;

    buf_add_char(&all, '[');
    if (store_list(f->store, &query, f->t->arena, &page) < 0 ||
        store_get(f->store, STORE_RUNS, STR("main"), run_id, f->t->arena, &run) != 0)
        return NULL;
    for (size_t i = 0; i <= page.count; i++) {
        struct str events =
            i < page.count ? ((struct agent_action_row *)page.rows)[i].events : run.events;

        if (str_empty(events))
            continue;
        if (i > 0 && all.len > 1)
            buf_add_char(&all, ',');
        buf_add_str(&all, str_slice(events, 1, events.len - 1));
    }
    buf_add_char(&all, ']');
    return json_parse(f->t->arena, buf_str(&all), &root) < 0 ? NULL : root;
}

size_t fixture_count_events(const struct json *events, const char *type)
{
    size_t count = 0;

    for (const struct json *event = json_first(events); event; event = json_next(event))
        count += str_is(json_get_str(event, "type"), type);
    return count;
}

struct str fixture_messages(struct fixture *f, struct str session_id)
{
    struct store_query query = {
        .entity = STORE_MESSAGES,
        .workspace_id = STR("main"),
        .index = STORE_CHILDREN,
        .value = session_id,
        .limit = 1000,
        .cursor = STR(""),
    };
    struct buf all = BUF_IN(f->t->arena);
    struct store_page page;

    if (messages_list(f->store, &query, f->t->arena, &page) < 0)
        return STR("failed");
    for (size_t i = 0; i < page.count; i++) {
        const struct message_row *row = (struct message_row *)page.rows + i;

        buf_printf(&all, "%.*s: %.*s\n", STR_ARG(row->author), STR_ARG(row->body));
    }
    return buf_str(&all);
}

size_t fixture_runs(struct fixture *f, struct str session_id, const char *state)
{
    struct store_query query = {
        .entity = STORE_RUNS,
        .workspace_id = STR("main"),
        .index = 0,
        .value = session_id,
        .limit = 1000,
        .cursor = STR(""),
    };
    struct store_page page;
    size_t count = 0;

    if (store_list(f->store, &query, f->t->arena, &page) < 0)
        return 0;
    for (size_t i = 0; i < page.count; i++)
        count += !state || str_is(((struct run_row *)page.rows)[i].state, state);
    return count;
}

int reply_text(struct model_reply *reply, const char *text)
{
    *reply = (struct model_reply){
        .content = str_from(text), .usage = {10, 5, 0}, .model = STR("scripted"), .attempts = 1};
    return 0;
}

int reply_calls(struct arena *arena, struct model_reply *reply, const char *name, const char *args,
    size_t count)
{
    struct model_tool_call *calls = arena_array(arena, struct model_tool_call, count);

    for (size_t i = 0; i < count; i++)
        calls[i] = (struct model_tool_call){
            .id = str_printf(arena, "call%zu", i),
            .name = str_from(name),
            .arguments = str_printf(arena, "%s", args),
        };
    *reply = (struct model_reply){
        .content = STR(""),
        .tool_calls = calls,
        .tool_call_count = count,
        .finish = MODEL_TOOL_CALLS,
        .usage = {10, 5, 0},
        .model = STR("scripted"),
        .attempts = 1,
    };
    return 0;
}

int model_fails(enum model_error *ret_error, enum model_error error)
{
    *ret_error = error;
    return err_set(error == MODEL_TIMED_OUT ? ERR_TIMEOUT : ERR_UNAVAILABLE, "The model fails: %s.",
        model_error_name(error));
}

struct str last_content(const struct model_request *request)
{
    return request->messages[request->message_count - 1].content;
}

struct str task_of(const struct model_request *request)
{
    const struct str head = STR("The task\n");

    for (size_t i = 0; i < request->message_count; i++)
        if (str_starts(request->messages[i].content, head))
            return str_slice(
                request->messages[i].content, head.len, request->messages[i].content.len);
    return (struct str){NULL, 0};
}
