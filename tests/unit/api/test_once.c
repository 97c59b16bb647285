/* Exactly once under every fault. Each way to a booking is walked once to count the fault points on
 * it; then it is walked again for each passing of each point, which fails there, or where the
 * process dies there, and is brought to its end by a repeat of the request, by a decision, or by
 * another process. One event stands in the calendar then, its effect is done, and the answer says
 * so. A new point on a way is walked without a change here. */
#include "house.h"
#include "runtime/errinj.h"
#include "runtime/fiber.h"
#include "store/backend.h"

#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS                                                                                  \
    "{\"summary\":\"Intro\",\"start\":\"2031-03-04T15:00:00Z\",\"duration_minutes\":30}"
#define POINTS_MAX 64
#define ROUNDS 8

struct way {
    const char *name, *agent; /* NULL: the tool is called over MCP */
    bool approval;
};

static const struct way ways[] = {
    {"run", "default", false},
    {"approved run", "default", true},
    {"member", "team", false},
    {"approved member", "team", true},
    {"step", "flow", false},
    {"approved step", "flow", true},
    {"called over MCP", NULL, false},
    {"approved call over MCP", NULL, true},
};

static bool has_tool(const struct model_request *request, const char *name)
{
    for (size_t i = 0; i < request->tool_count; i++)
        if (str_is(request->tools[i].name, name))
            return true;
    return false;
}

/* Calls what it has, once, and says what it was told. */
static int works(
    const struct model_request *request, struct arena *arena, struct model_reply *ret_reply)
{
    const struct model_message *last = &request->messages[request->message_count - 1];
    struct model_tool_call *call = arena_new(arena, struct model_tool_call);

    *ret_reply =
        (struct model_reply){.content = last->content, .model = STR("scripted"), .attempts = 1};
    if (last->role == MODEL_TOOL || request->tool_count == 0)
        return 0;
    *call = has_tool(request, "ask_a")
                ? (struct model_tool_call){STR("c1"), STR("ask_a"), STR("{\"task\":\"book it\"}")}
                : (struct model_tool_call){STR("c1"), STR("schedule"), STR(ARGUMENTS)};
    ret_reply->content = STR("");
    ret_reply->finish = MODEL_TOOL_CALLS;
    ret_reply->tool_calls = call;
    ret_reply->tool_call_count = 1;
    return 0;
}

static bool open_way(
    struct house *h, struct test *t, const struct way *way, const char *store, const char *dir)
{
    const char *policy = way->approval ? "policy: {tools: {schedule: {approval: required}}}\n" : "";

    script = (struct script){.answer = works};
    return house_open_as(h, t,
        str_printf(t->arena,
            "store: %s\ndata-dir: %s\nmodel: scripted\nmodel.fallback: \"\"\n"
            "memory.every-messages: 0\n%s"
            "agents: {a: {tools: [schedule]}}\nteams: {team: {members: [a], tools: []}}\n"
            "workflows: {flow: {steps: [{name: x, tool: schedule, arguments: " ARGUMENTS "}]}}\n",
            store, dir, policy)
            .ptr);
}

static struct asked request_of(struct house *h, const struct way *way)
{
    if (!way->agent)
        return ask(h, HTTP_POST, "/mcp",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
            "\"schedule\",\"arguments\":" ARGUMENTS "}}",
            "Idempotency-Key: once");
    return ask(h, HTTP_POST, "/api/chat",
        str_printf(h->t->arena, "{\"chat_context\":\"Ana: Theo, book the intro\",\"agent\":\"%s\"}",
            way->agent)
            .ptr,
        "Idempotency-Key: once");
}

static bool says_booked(struct str text)
{
    return str_find(text, STR("booked"), 0) >= 0 && str_find_nocase(text, STR("not done"), 0) < 0 &&
           str_find_nocase(text, STR("nobody knows"), 0) < 0;
}

/* What the run of a decided approval says in the end. */
static bool run_says_booked(struct house *h, const struct json *approval)
{
    struct asked run = ask(h, HTTP_GET,
        str_printf(h->t->arena, "/api/runs/%.*s", STR_ARG(json_get_str(approval, "run_id"))).ptr,
        NULL, NULL);

    return run.status == 200 && str_is(json_get_str(run.json, "state"), "completed") &&
           json_len(json_path(run.json, "result.events")) == 1;
}

/* Approve what waits; true when it was done, and the run says so. */
static bool approve(struct house *h, struct str id)
{
    const char *path = str_printf(h->t->arena, "/api/approvals/%.*s", STR_ARG(id)).ptr;
    struct asked asked = ask(h, HTTP_GET, path, NULL, NULL);
    struct str state = json_get_str(asked.json, "state");

    if (asked.status == 200 && str_is(state, "done"))
        return run_says_booked(h, asked.json);
    if (asked.status != 200 || (!str_is(state, "pending") && !str_is(state, "approved")))
        return false;
    asked = ask(h, HTTP_POST, path, "{\"decision\":\"approve\"}", NULL);
    return asked.status == 200 && str_is(json_get_str(asked.json, "run_state"), "completed") &&
           json_len(json_path(asked.json, "result.events")) == 1;
}

/* Ask, and approve; true when the answer says that the event is booked. */
static bool walk(struct house *h, const struct way *way)
{
    struct asked asked = request_of(h, way);
    const struct json *answer =
        way->agent ? asked.json : json_path(asked.json, "result.structuredContent");
    const struct json *approval = json_at(json_get(answer, "approvals"), 0);

    if (asked.status != 200)
        return false;
    return approval ? approve(h, json_get_str(approval, "id")) : says_booked(asked.body);
}

static size_t effects(struct house *h, const char *state)
{
    struct store_query query = {.entity = STORE_EFFECTS,
        .workspace_id = STR("default"),
        .index = 1,
        .value = str_from(state),
        .limit = 100,
        .cursor = STR("")};
    struct store_page page;

    return store_list(h->store, &query, h->t->arena, &page) < 0 ? 99 : page.count;
}

/* Other processes bring it to its end, and nothing happened twice. */
static void settle(struct house *h, const struct way *way, const char *fault)
{
    struct test *t = h->t;
    int before = t->failures;
    bool done = false;
    struct asked list;
    size_t count;

    for (int i = 0; i < ROUNDS && !done; i++) {
        if (!house_restart(h))
            return;
        EXPECT_OK(api_sweep(&h->api, STR("default"), &count));
        done = walk(h, way);
    }
    EXPECT(done);
    list = ask(
        h, HTTP_GET, "/api/schedule?from=2031-01-01T00:00:00Z&to=2032-01-01T00:00:00Z", NULL, NULL);
    EXPECT_EQ(json_len(json_get(list.json, "events")), 1);
    EXPECT_EQ(effects(h, "done"), 1);
    EXPECT_EQ(effects(h, "intended") + effects(h, "unknown") + effects(h, "failed"), 0);
    if (t->failures > before)
        printf("# %s, %s: %.*s\n", way->name, fault, STR_ARG(request_of(h, way).body));
}

static const char *folder(struct test *t, int number)
{
    const char *dir = str_printf(t->arena, "%s/%d", test_quick_dir(t), number).ptr;

    if (mkdir(dir, 0700) != 0)
        abort(); /* each number is used once */
    return dir;
}

static size_t count_points(struct test *t, const struct way *way, const char *store,
    const char *dir, struct errinj_passed *points)
{
    struct house h = {0};
    size_t count = 0;

    if (!open_way(&h, t, way, str_printf(t->arena, "trace:%s", store).ptr, dir))
        return 0;
    errinj_count();
    EXPECT(walk(&h, way));
    count = errinj_passed(points, POINTS_MAX);
    EXPECT_OK(errinj_set(NULL));
    house_close(&h);
    return count;
}

typedef void trial(struct test *t, const struct way *way, const char *fault, int number);

/* Try the way with a fault at each passing of each point; returns the number of the next try. */
static int walk_points(
    struct test *t, const char *store, const struct way *way, trial *try, int number)
{
    struct errinj_passed points[POINTS_MAX];
    size_t count = count_points(t, way, store, folder(t, number), points);
    int first = ++number;

    for (size_t i = 0; i < count; i++)
        for (int64_t n = 1; n <= points[i].times && t->failures < 20; n++)
            try(t, way, str_printf(t->arena, "%s=%lld", points[i].name, (long long)n).ptr,
                number++);
    EXPECT(count >= 5);
    EXPECT(number - first >= 10);
    printf("# %s, %s: %zu points, %d tries\n", store, way->name, count, number - first);
    return number;
}

static void fails_at(
    struct test *t, const struct way *way, const char *store, const char *dir, const char *fault)
{
    struct house h = {0};

    if (!open_way(&h, t, way, store, dir))
        return;
    EXPECT_OK(errinj_set(fault));
    (void)walk(&h, way);
    EXPECT_OK(errinj_set(NULL));
    settle(&h, way, fault);
    house_close(&h);
}

static void fails_in_memory(struct test *t, const struct way *way, const char *fault, int number)
{
    (void)number;
    fails_at(t, way, "trace:memory", test_quick_dir(t), fault);
}

static void fails_in_sqlite(struct test *t, const struct way *way, const char *fault, int number)
{
    fails_at(t, way, "trace:sqlite", folder(t, number), fault);
}

/* A process of its own does the walk and dies at the point; this one finds what it left. */
static void dies_there(struct test *t, const struct way *way, const char *fault, int number)
{
    const char *dir = folder(t, number);
    struct house h = {0};
    char name[] = "test-api", only[] = "once_child", variables[4][400];
    char *const args[] = {name, only, NULL};
    char *const env[] = {variables[0], variables[1], variables[2], variables[3], NULL};
    int status = 0;
    pid_t child;

    if (!open_way(&h, t, way, "sqlite", dir))
        return;
    house_close(&h);
    snprintf(variables[0], sizeof(variables[0]), "ONCE_DIR=%s", dir);
    snprintf(variables[1], sizeof(variables[1]), "ONCE_FAULT=%s!kill", fault);
    snprintf(variables[2], sizeof(variables[2]), "ONCE_WAY=%s", way->name);
    snprintf(variables[3], sizeof(variables[3]), "ONCE_KEY=%s", h.key);
    REQUIRE(posix_spawn(&child, "/proc/self/exe", NULL, NULL, args, env) == 0);
    REQUIRE(waitpid(child, &status, 0) == child);
    if (!EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
        printf("# %s, %s: status %d\n", way->name, fault, status);
    if (fiber_sleep(2) < 0 || !open_way(&h, t, way, "sqlite", dir))
        return;
    settle(&h, way, fault);
    house_close(&h);
}

/* What the process that dies runs; nothing otherwise. */
TEST(once_child)
{
    const char *dir = getenv("ONCE_DIR"), *key = getenv("ONCE_KEY"), *name = getenv("ONCE_WAY");
    const struct way *way = ways;
    struct house h = {0};

    if (!dir || !key || !name)
        return;
    while (strcmp(way->name, name) != 0)
        way++;
    snprintf(h.key, sizeof(h.key), "%s", key);
    REQUIRE(open_way(&h, t, way, "trace:sqlite", dir));
    EXPECT_OK(errinj_set(getenv("ONCE_FAULT")));
    (void)walk(&h, way);
    house_close(&h);
}

TEST(once_where_a_point_fails)
{
    int number = 0;

    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        number = walk_points(t, "memory", &ways[i], fails_in_memory, number);
}

TEST(once_where_a_point_fails_on_disk)
{
    int number = 0;

    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        number = walk_points(t, "sqlite", &ways[i], fails_in_sqlite, number);
}

TEST(once_where_the_process_dies_at_a_point)
{
    int number = 0;

    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        number = walk_points(t, "sqlite", &ways[i], dies_there, number);
}
