/* The scene of a replay: a store in memory that holds what the run found, its clock, and a house
 * whose models and tools play back. */
#include "agent/ledger.h"
#include "agent/memory.h"
#include "agent/replay_private.h"
#include "agent/tool_cache.h"
#include "secure/seal.h"
#include "store/messages.h"

/* More than a run reads: it must see that there is more. */
#define HISTORY 512
#define PAGE 200

static int64_t wall_of(void *ctx)
{
    return ((struct scene *)ctx)->now_ms;
}

static int64_t mono_of(void *ctx)
{
    const struct env *env = env_system();

    (void)ctx;
    return env->mono_ns(env->ctx);
}

static void random_of(void *ctx, void *out, size_t len)
{
    const struct env *env = env_system();

    (void)ctx;
    env->random(env->ctx, out, len);
}

static int open_store(struct scene *scene)
{
    int rc = secure_init();

    if (rc == 0)
        rc = sealer_new_ephemeral(&scene->env, &scene->sealer);
    if (rc == 0)
        rc = store_open(&scene->config, &scene->env, scene->sealer, &scene->house.store);
    return rc;
}

/* The chat up to message number last, at most so much of it; oldest first. */
static int read_chat(struct store *store, const struct run_row *run, int64_t last, size_t most,
    struct arena *arena, struct message_row **ret_rows, size_t *ret_count)
{
    struct store_query query = {.entity = STORE_MESSAGES,
        .workspace_id = run->workspace_id,
        .index = STORE_CHILDREN,
        .value = run->session_id,
        .descending = true,
        .limit = PAGE,
        .cursor = STR("")};
    struct message_row *rows = arena_array(arena, struct message_row, most);
    struct store_page page;
    size_t count = 0;

    do {
        int rc = messages_list(store, &query, arena, &page);

        if (rc != 0)
            return rc;
        for (size_t i = 0; i < page.count && count < most; i++) {
            const struct message_row *row = (const struct message_row *)page.rows + i;

            if (row->seq <= last)
                rows[most - ++count] = *row;
        }
        query.cursor = page.cursor;
    } while (!str_empty(page.cursor) && count < most);
    *ret_rows = rows + most - count;
    *ret_count = count;
    return 0;
}

static int gone(void)
{
    return err_set(ERR_NOT_FOUND,
        "The messages of this run are not stored any more (erased, or past their retention): it "
        "cannot be replayed.");
}

/* Notes and summary that are older than the run. */
static int copy_memories(
    struct store *from, const struct run_row *run, struct store_batch *batch, size_t *ret_count)
{
    struct store_query query = {.entity = STORE_MEMORIES,
        .workspace_id = run->workspace_id,
        .index = 0,
        .value = run->session_id,
        .descending = true,
        .limit = PAGE,
        .cursor = STR("")};
    struct store_page page;
    int rc = store_list(from, &query, batch->arena, &page);

    for (size_t i = 0; rc == 0 && i < page.count; i++) {
        const struct memory_row *row = (const struct memory_row *)page.rows + i;

        if (row->created_at > run->created_at)
            continue;
        store_insert(batch, STORE_MEMORIES, row);
        (*ret_count)++;
    }
    return rc;
}

/* The request's own transcript: its last message is number last; it held so many, with or without
 * Theo's answers among them. Those that it brought (from first on) are in it all. */
static struct transcript transcript_of(const struct message_row *rows, size_t count,
    const struct json *request, int64_t first, struct arena *arena)
{
    int64_t to = json_get_i64(json_get(request, "messages"), "to", 0);
    int64_t last = to >= first ? to : json_get_i64(request, "seen", 0);
    int64_t sent = json_get_i64(request, "sent", MAX(to - first + 1, 0));
    bool answers = json_get_bool(request, "sent_answers", true);
    struct transcript chat = {arena_array(arena, struct chat_message, count), 0};

    for (size_t i = count; i-- > 0 && (int64_t)chat.count < sent;)
        if (rows[i].seq <= last &&
            (rows[i].seq >= first || answers || !str_is(rows[i].direction, "out")))
            chat.messages[chat.count++] = (struct chat_message){
                .party = rows[i].author, .text = rows[i].body, .at_ms = rows[i].at};
    for (size_t i = 0, j = chat.count; i + 1 < j; i++) {
        struct chat_message message = chat.messages[i];

        chat.messages[i] = chat.messages[--j];
        chat.messages[j] = message;
    }
    return chat;
}

/* The session as it was when the run began: messages before number first. */
static int put_session(struct scene *scene, struct store *from, const struct run_row *run,
    const struct taint *taint, const struct message_row *rows, size_t count, int64_t first,
    struct arena *arena)
{
    struct chat_session_row session;
    struct store_batch batch;
    size_t memories = 0;
    int rc =
        store_get(from, STORE_CHAT_SESSIONS, run->workspace_id, run->session_id, arena, &session);

    if (rc == STORE_MISSING)
        return gone();
    if (rc < 0)
        return rc;
    store_batch_init(&batch, arena);
    rc = copy_memories(from, run, &batch, &memories);
    if (rc < 0)
        return rc;
    session.message_count = first - 1;
    session.chat_key = STR("");
    if (memories == 0)
        session.state = STR("{}");
    session.state = taint_state(session.state, taint, first - 1, arena);
    store_insert(&batch, STORE_CHAT_SESSIONS, &session);
    for (size_t i = 0; i < count && rows[i].seq < first; i++)
        messages_insert(&batch, &rows[i], 1);
    return store_commit(scene->house.store, &batch);
}

static int put_chat(struct scene *scene, struct store *from, const struct run_row *run,
    const struct json *request, struct arena *arena)
{
    const struct json *numbers = json_get(request, "messages");
    int64_t first = json_get_i64(numbers, "from", 1);
    int64_t last = MAX(json_get_i64(numbers, "to", 0), first - 1);
    int64_t sent = MIN(MAX(json_get_i64(request, "sent", 0), 0), TRANSCRIPT_MESSAGES_MAX);
    struct message_row *rows = NULL;
    struct taint taint;
    size_t count = 0;
    int rc = read_chat(from, run, last, (size_t)(HISTORY + 2 * sent), arena, &rows, &count);

    if (rc < 0)
        return rc;
    if (count == 0 || rows[count - 1].seq != last)
        return gone();
    scene->request.answer_seq = json_get_i64(request, "answers", 0);
    if (scene->request.answer_seq == 0)
        scene->request.chat = transcript_of(rows, count, request, first, arena);
    taint_read(json_get(request, "taint"), arena, &taint);
    return put_session(scene, from, run, &taint, rows, count, first, arena);
}

static void add_spec(struct str *specs, size_t *count, struct str spec)
{
    for (size_t i = 0; i < *count; i++)
        if (str_eq(specs[i], spec))
            return;
    specs[(*count)++] = spec;
}

static struct model *find_live(const struct agent_house *house, struct str spec)
{
    for (size_t i = 0; i < house->model_count; i++)
        if (str_eq(model_spec(house->models[i]), spec))
            return house->models[i];
    return NULL;
}

/* Models in the order in which the log asks them, then those that are configured: so a run can be
 * replayed although another model is configured now. */
static void open_models(
    struct scene *scene, const struct agent_house *house, struct str first, struct arena *arena)
{
    size_t most = 1 + scene->tape.answer_count + house->model_count, count = 0;
    struct str *specs = arena_array(arena, struct str, most);

    if (!str_empty(first))
        add_spec(specs, &count, first);
    for (size_t i = 0; i < scene->tape.answer_count; i++)
        add_spec(specs, &count, scene->tape.answers[i].spec);
    for (size_t i = 0; i < house->configured_count; i++)
        add_spec(specs, &count, model_spec(house->models[i]));
    scene->house.configured_count = count;
    for (size_t i = 0; i < house->model_count; i++)
        add_spec(specs, &count, model_spec(house->models[i]));
    scene->models = arena_array(arena, struct model *, count);
    scene->model_count = count;
    for (size_t i = 0; i < count; i++)
        scene->models[i] = tape_model(&scene->tape, &scene->env, specs[i]);
    scene->house.models = scene->models;
    scene->house.model_count = count;
}

/* The model that the run asked first, if it is configured here, before the others. */
static void order_live(
    struct scene *scene, const struct agent_house *house, struct str first, struct arena *arena)
{
    struct model **models = arena_array(arena, struct model *, house->model_count);
    struct model *head = find_live(house, first);
    size_t count = 0;

    if (head)
        models[count++] = head;
    for (size_t i = 0; i < house->model_count; i++)
        if (house->models[i] != head)
            models[count++] = house->models[i];
    scene->house.models = models;
}

static bool was_done_before(const struct tape *tape, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (str_eq(tape->results[i].tool, tape->results[at].tool) &&
            str_eq(tape->results[i].args, tape->results[at].args))
            return true;
    return false;
}

static const struct tool *find_tool(const struct agent_house *house, struct str name)
{
    for (size_t i = 0; i < house->tool_count; i++)
        if (str_is(name, house->tools[i]->name))
            return house->tools[i];
    return NULL;
}

/* What another run had done or read before: the ledger and the cache have it. */
static int put_result(
    struct scene *scene, const struct tape_result *result, struct str seed, struct arena *arena)
{
    const struct agent_house *house = &scene->house;
    const struct tool *tool = find_tool(house, result->tool);
    struct tool_result made = tape_made(result, arena), none;
    struct ledger_intent intent = {.workspace_id = scene->request.workspace_id,
        .run_id = STR("before"),
        .seed = seed,
        .tool = tool->name};
    struct ledger_entry entry;
    bool stored;
    int rc = json_parse(arena, result->args, &intent.args);

    if (rc < 0)
        return rc;
    if (tool->effect != TOOL_WRITE) {
        tool_cache_put(house->tool_cache, scene->request.workspace_id, scene->request.session_id,
            tool, intent.args, env_mono_ms(&scene->env) + HOUR_MS, &made);
        return 0;
    }
    rc = ledger_begin(house->store, &scene->env, &intent, arena, &entry, &none, &stored);
    if (rc == 0)
        rc = ledger_end(house->store, &scene->env, &entry, 0, &made, arena);
    return rc < 0 ? rc : 0;
}

static int put_results(struct scene *scene, struct arena *arena)
{
    const struct tape *tape = &scene->tape;
    int rc = 0;

    for (size_t i = 0; i < tape->result_count && rc == 0; i++)
        if (str_is(tape->results[i].status, "reused") && !was_done_before(tape, i))
            rc = put_result(scene, &tape->results[i], scene->request.idempotency_key, arena);
    return rc;
}

/* A channel decides itself whether to speak: what it decided then. */
static void take_verdict(struct scene *scene, const struct log_events *log, struct arena *arena)
{
    for (size_t i = 0; i < log->count; i++) {
        const struct json *data = log->events[i].data;

        if (!str_is(log->events[i].type, "speak.decided"))
            continue;
        scene->verdict.speak = json_get_bool(data, "speak", false);
        scene->verdict.addressed = json_get_bool(data, "addressed", false);
        scene->verdict.reason = str_cstr(arena, json_get_str(data, "reason"));
        scene->request.verdict = &scene->verdict;
        return;
    }
}

/* A caller's key is not stored; that it was refused tells that there was one. */
static bool was_callers_key(const struct log_events *log)
{
    return log->count > 1 && str_is(log->events[log->count - 1].type, "run.failed") &&
           str_is(json_get_str(log->events[log->count - 1].data, "error"), err_name(ERR_INVALID)) &&
           str_is(json_get_str(log->events[log->count - 2].data, "error"),
               model_error_name(MODEL_UNAUTHORIZED));
}

static void fill_request(struct scene *scene, const struct run_row *run, const struct json *root,
    const struct log_events *log, struct arena *arena)
{
    scene->request = (struct run_request){
        .workspace_id = run->workspace_id,
        .key_id = run->key_id,
        .session_id = run->session_id,
        .channel = json_get_str(root, "channel"),
        .idempotency_key = json_get_str(root, "idempotency_key"),
        .system_prompt = json_get_str(root, "system_prompt"),
        .agent = run->agent,
        .model = json_get_str(root, "model"),
        .model_api_key = STR(""),
        .time_zone = json_get_str(root, "time_zone"),
        .metadata =
            json_get(root, "metadata") ? json_text(arena, json_get(root, "metadata")) : STR(""),
        .tool = json_get_str(root, "tool"),
        .tool_arguments = json_get_str(root, "tool_arguments"),
        .must_reply = json_get_bool(root, "must_reply", false),
    };
    if (!str_is(scene->request.channel, "api"))
        take_verdict(scene, log, arena);
    if (was_callers_key(log))
        scene->request.model_api_key = STR("replay");
}

static int furnish(struct scene *scene, const struct agent_house *house, const struct run_row *run,
    const struct log_events *log, bool live, struct arena *arena)
{
    const struct json *request;
    struct str first = json_get_str(log->events[0].data, "model");
    int rc = json_parse(arena, run->request, &request);

    if (rc < 0)
        return err_set(ERR_CORRUPT, "The request of this run is not readable.");
    fill_request(scene, run, request, log, arena);
    tape_read(&scene->tape, log, run->result, arena);
    if (scene->tape.answer_count > 0 && !scene->tape.recorded)
        return err_set(ERR_DENIED, "This run was stored without what a replay needs; the setting "
                                   "run.record was off, or it is of an older version.");
    tape_tools(&scene->tape, house, &scene->house.tools, &scene->house.tool_count);
    if (live)
        order_live(scene, house, first, arena);
    else
        open_models(scene, house, first, arena);
    rc = open_store(scene);
    if (rc == 0)
        rc = store_workspace(scene->house.store, run->workspace_id);
    if (rc == 0)
        rc = put_chat(scene, house->store, run, request, arena);
    return rc == 0 ? put_results(scene, arena) : rc;
}

int scene_open(struct scene *scene, const struct agent_house *house, const struct run_row *run,
    const struct log_events *log, bool live, struct arena *arena)
{
    scene->env = (struct env){wall_of, mono_of, random_of, scene};
    scene->now_ms = run->created_at;
    scene->config = *house->config;
    scene->config.store = str_cstr(arena, STR("memory"));
    scene->config.memory_every_messages = 0;
    scene->house = *house;
    scene->house.env = &scene->env;
    scene->house.config = &scene->config;
    scene->house.store = NULL;
    scene->house.sources = NULL;
    scene->house.source_count = 0;
    scene->house.listener = NULL;
    scene->house.tool_cache = tool_cache_new();
    if (log->count == 0)
        return err_set(ERR_NOT_FOUND, "This run has no stored events: it cannot be replayed.");
    return furnish(scene, house, run, log, live, arena);
}

void scene_close(struct scene *scene)
{
    for (size_t i = 0; i < scene->model_count; i++)
        model_free(scene->models[i]);
    tool_cache_free(scene->house.tool_cache);
    if (scene->house.store)
        store_close(scene->house.store);
    if (scene->sealer)
        sealer_free(scene->sealer);
}
