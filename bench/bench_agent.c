/* What the agent loop costs by itself, with a model in the process that answers at once:
 * {"construct_ns","construct_bytes","run_us","tool_run_us","turns25_us","turns25_path_us",
 * "turns25_others_us","turn10_us","turn1000_us"}
 * on standard output. bench-agent [FOLDER]: where the SQLite rows lie that belong to turns25.
 *
 * construct: one agent with one tool, from the text of its declaration: JSON read and checked. run:
 * a whole run_chat() on the memory store, tool_run: the same with a tool call between two model
 * calls. turns25: 25 turns of one chat on SQLite with every commit durable; path: the processor's
 * time of the chat's own thread, others: of the thread that writes and the one that checkpoints.
 * turn10, turn1000: one turn of a chat of so many turns, memory store. */
#include "agent/definition.h"
#include "agent/run.h"
#include "runtime/loop.h"
#include "secure/seal.h"
#include "store/backend.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 9

static bool calls_tool;
static int model_calls;

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

static int answer(void *state, const struct model_request *request, struct arena *arena,
    struct model_reply *ret_reply, enum model_error *ret_error)
{
    static const struct model_tool_call call = {{"c1", 2}, {"add", 3}, {"{\"a\":20,\"b\":22}", 15}};

    (void)state, (void)arena, (void)ret_error;
    model_calls++;
    if (calls_tool && request->messages[request->message_count - 1].role != MODEL_TOOL)
        *ret_reply = (struct model_reply){.content = STR(""),
            .tool_calls = &call,
            .tool_call_count = 1,
            .finish = MODEL_TOOL_CALLS};
    else
        *ret_reply = (struct model_reply){.content = STR("Forty-two."), .finish = MODEL_STOP};
    ret_reply->model = STR("instant");
    /* As every provider says it; who does not has its tokens estimated. */
    ret_reply->usage = (struct model_usage){.input_tokens = 400, .output_tokens = 30};
    return 0;
}

static const struct model_ops instant_ops = {"instant", open_model, close_model, answer};
static const struct model_ops *const model_list[] = {&instant_ops, NULL};

static int add(const struct tool_call *call, struct tool_result *ret_result)
{
    *ret_result = (struct tool_result){
        .content = str_printf(call->arena, "%lld",
            (long long)(json_get_i64(call->args, "a", 0) + json_get_i64(call->args, "b", 0))),
        .summary = STR("Added"),
        .event = STR(""),
    };
    return 0;
}

static const struct tool add_tool = {
    .name = "add",
    .description = "Adds two whole numbers.",
    .parameters = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
                  "\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"integer\"}},"
                  "\"required\":[\"a\",\"b\"]}",
    .effect = TOOL_PURE,
    .run = add,
};
static const struct tool *const tool_list[] = {&add_tool};

struct bench {
    struct config config;
    struct sealer *sealer;
    struct store *memory, *sqlite;
    struct model *model;
    struct agent_house house;
    struct agent_set *agents;
    struct buf out;
};

static int64_t now_ns(void)
{
    return env_system()->mono_ns(NULL);
}

/* One turn; session becomes the chat's. Returns what it took in ns. */
static int64_t turn(struct bench *bench, struct buf *session)
{
    static int number; /* who says the same words again repeats what is stored */
    char text[64];
    struct chat_message said = {.party = STR("Ana"), .text = {text, 0}};
    struct run_request request = {.workspace_id = STR("bench"),
        .key_id = STR(""),
        .session_id = buf_str(session),
        .channel = STR("api"),
        .chat = {&said, 1},
        .agent = STR("adder"),
        .must_reply = true};
    struct run_result result;
    struct arena arena;
    int64_t begun = now_ns(), took;

    said.text.len = (size_t)snprintf(text, sizeof(text), "Theo, what is 20 + %d?", ++number);
    arena_init(&arena);
    if (run_chat(&bench->house, &request, &arena, &result) < 0) {
        fprintf(stderr, "bench-agent: %s\n", err_message());
        exit(1);
    }
    took = now_ns() - begun;
    if (session->len == 0)
        buf_add_str(session, result.session_id);
    arena_deinit(&arena);
    return took;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Median of many first turns, each of a chat of its own. */
static double fresh_turn_us(struct bench *bench, bool with_tool)
{
    enum { COUNT = 4000 };
    static int64_t took[COUNT];

    calls_tool = with_tool;
    for (size_t i = 0; i < COUNT; i++) {
        struct buf session = BUF_HEAP;

        took[i] = turn(bench, &session);
        buf_deinit(&session);
    }
    qsort(took, COUNT, sizeof(*took), compare);
    return (double)took[COUNT / 2] / 1000;
}

static int64_t cpu_ns(clockid_t of)
{
    struct timespec now;

    clock_gettime(of, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

struct turns25 {
    int64_t took, path, all; /* ns */
};

/* What 25 turns take until all is durable, and the processor's part of it: the rest is waiting for
 * the disk, once a turn, during which other chats are worked on and share the sync. */
static struct turns25 turns25(struct bench *bench)
{
    struct turns25 best = {INT64_MAX, INT64_MAX, INT64_MAX};

    calls_tool = false;
    bench->house.store = bench->sqlite;
    for (int round = 0; round < ROUNDS; round++) {
        struct buf session = BUF_HEAP;
        int64_t begun = now_ns(), path = cpu_ns(CLOCK_THREAD_CPUTIME_ID),
                all = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);

        for (int i = 0; i < 25; i++)
            turn(bench, &session);
        best.took = MIN(best.took, now_ns() - begun);
        best.path = MIN(best.path, cpu_ns(CLOCK_THREAD_CPUTIME_ID) - path);
        best.all = MIN(best.all, cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - all);
        buf_deinit(&session);
    }
    bench->house.store = bench->memory;
    return best;
}

/* Medians over turns 10 to 19 and 1,000 to 1,009 of several chats. */
static void long_chat_us(struct bench *bench, double *ret_early, double *ret_late)
{
    enum { CHATS = 9 };
    int64_t early[CHATS * 10], late[CHATS * 10];
    size_t count = 0;

    calls_tool = false;
    for (size_t chat = 0; chat < CHATS; chat++) {
        struct buf session = BUF_HEAP;

        for (int i = 1; i < 1010; i++) {
            int64_t took = turn(bench, &session);

            if (i >= 10 && i < 20)
                early[chat * 10 + (size_t)i - 10] = took;
            if (i >= 1000)
                late[chat * 10 + (size_t)i - 1000] = took;
        }
        count += 10;
        buf_deinit(&session);
    }
    qsort(early, count, sizeof(*early), compare);
    qsort(late, count, sizeof(*late), compare);
    *ret_early = (double)early[count / 2] / 1000;
    *ret_late = (double)late[count / 2] / 1000;
}

/* What one more declared agent costs to read from its text, and to keep with all that it came from;
 * the best of several rounds. */
static void construct(const struct bench *bench, double *ret_ns, double *ret_bytes)
{
    enum { AGENTS = 200, TIMES = 200 };
    struct config config = bench->config;
    struct buf tree = BUF_HEAP;
    int64_t best = INT64_MAX;

    buf_add_char(&tree, '{');
    for (int i = 0; i < AGENTS; i++)
        buf_printf(&tree, "%s\"a%d\":{\"role\":\"adds\",\"tools\":[\"add\"]}", i ? "," : "", i);
    buf_add_char(&tree, '}');
    config.agents = tree.ptr;
    for (int i = 0; i < TIMES; i++) {
        struct agent_set *set;
        int64_t begun = now_ns();

        if (agent_set_read(&config, tool_list, 1, &set) < 0)
            exit(1);
        best = MIN(best, now_ns() - begun);
        *ret_bytes = (double)set->arena.used / AGENTS;
        agent_set_free(set);
    }
    *ret_ns = (double)best / AGENTS;
    buf_deinit(&tree);
}

static void run_all(void *arg)
{
    struct bench *bench = arg;
    double ns, bytes, run_us, tool_us, early_us, late_us;
    struct turns25 many;

    if (store_workspace(bench->memory, STR("bench")) < 0 ||
        store_workspace(bench->sqlite, STR("bench")) < 0)
        exit(1);
    construct(bench, &ns, &bytes);
    run_us = fresh_turn_us(bench, false);
    tool_us = fresh_turn_us(bench, true);
    many = turns25(bench);
    long_chat_us(bench, &early_us, &late_us);
    printf("{\"construct_ns\":%.0f,\"construct_bytes\":%.0f,\"run_us\":%.2f,\"tool_run_us\":%.2f,"
           "\"turns25_us\":%.0f,\"turns25_path_us\":%.0f,\"turns25_others_us\":%.0f,"
           "\"turn10_us\":%.2f,\"turn1000_us\":%.2f}\n",
        ns, bytes, run_us, tool_us, (double)many.took / 1000, (double)many.path / 1000,
        (double)(many.all - many.path) / 1000, early_us, late_us);
}

int main(int argc, char **argv)
{
    struct bench bench = {0};
    char folder[4096], text[8192];

    snprintf(folder, sizeof(folder), "%.3000s/bench-agent-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (!mkdtemp(folder))
        return 1;
    snprintf(text, sizeof(text),
        "data-dir: %s\nmemory: {every-messages: 0}\nagents:\n  adder: {role: adds, tools: [add]}\n",
        folder);
    model_register(model_list);
    if (config_load_text(&bench.config, str_from(text), "bench") < 0 || secure_init() < 0 ||
        sealer_new_ephemeral(env_system(), &bench.sealer) < 0 ||
        store_open_with(&store_memory, &bench.config, "memory", env_system(), bench.sealer,
            &bench.memory) < 0 ||
        store_open_with(&store_sqlite, &bench.config, "sqlite", env_system(), bench.sealer,
            &bench.sqlite) < 0 ||
        model_open(&bench.config, env_system(), STR("instant"), &bench.model) < 0 ||
        agent_set_read(&bench.config, tool_list, 1, &bench.agents) < 0) {
        fprintf(stderr, "bench-agent: %s\n", err_message());
        return 1;
    }
    bench.house = (struct agent_house){.env = env_system(),
        .config = &bench.config,
        .store = bench.memory,
        .models = &bench.model,
        .model_count = 1,
        .configured_count = 1,
        .tools = tool_list,
        .tool_count = 1,
        .agents = bench.agents};
    if (loop_run_fiber(env_system(), run_all, &bench) < 0)
        return 1;
    store_close(bench.memory);
    store_close(bench.sqlite);
    return 0;
}
