/* Fill a store with chats, as years of use would: bench-gen STORE FOLDER MESSAGES CHATS
 *
 * STORE as in the setting store; FOLDER is the data folder: its master key seals the rows, so that
 * theo serves the store afterwards. Everything goes through the store's own interface, a chat a
 * commit: the chat, a row of messages and a run for each
 * turn. {"messages","chats","rows",
 * "seconds"} on standard output.
 */
#include "runtime/loop.h"
#include "secure/seal.h"
#include "store/backend.h"
#include "store/messages.h"

#include <sys/stat.h>

#define FIBERS 32
#define TURN 4 /* messages of a turn: three come in, one goes out */
#define YEAR_MS (365 * DAY_MS)

static const struct store_ops *const backends[] = {
    &store_sqlite, &store_postgres, &store_dynamodb, &store_firestore, NULL};

static const char *const said[] = {
    "Thanks for the call this morning. Before we sign we would like to see how the pilot went.",
    "We run 400 refrigerated trucks between Spain and Germany, so the second region matters most.",
    "Agreed. I will send the contract on Friday, with delivery by the end of March.",
    "You agreed on 500 units at 12 euro each, delivered by the end of March.",
};
static const char *const authors[] = {"Ana (Acme)", "Ben (Globex)", "Ana (Acme)", "Theo"};

struct generator {
    struct store *store;
    const struct env *env;
    int64_t messages, chats; /* wanted */
    int64_t next;            /* chat to write */
    int64_t written, rows;
    int64_t first_ms;
    int failures;
};

static struct str run_result(const struct run_row *run, struct arena *arena)
{
    return str_printf(arena,
        "{\"session_id\":\"%.*s\",\"run_id\":\"%.*s\",\"reply\":\"%s\",\"spoke\":true,"
        "\"agent\":\"Theo\",\"model\":\"openai:stub\",\"citations\":[],\"actions\":[],"
        "\"approvals\":[],\"events\":[],\"usage\":{\"input_tokens\":180,\"output_tokens\":21,"
        "\"model_calls\":1,\"tool_calls\":0},\"latency_ms\":812}",
        STR_ARG(run->session_id), STR_ARG(run->id), said[TURN - 1]);
}

static void add_turn(struct generator *generator, struct store_batch *batch,
    const struct chat_session_row *chat, int64_t seq, int64_t count, int64_t at)
{
    struct arena *arena = batch->arena;
    struct run_row *run = arena_new(arena, struct run_row);
    struct message_row *messages = arena_array(arena, struct message_row, TURN);

    *run = (struct run_row){
        .workspace_id = chat->workspace_id,
        .id = ulid_new(generator->env, arena),
        .session_id = chat->id,
        .state = STR("completed"),
        .agent = STR("Theo"),
        .model = STR("openai:stub"),
        .key_id = STR("0123abcd"),
        .request = STR("{\"channel\":\"api\",\"time_zone\":\"UTC\",\"must_reply\":false}"),
        .input_tokens = 180,
        .output_tokens = 21,
        .created_at = at,
        .finished_at = at + 812,
    };
    run->result = run_result(run, arena);
    run->events = str_printf(arena,
        "[{\"seq\":1,\"type\":\"run.started\",\"data\":{}},{\"seq\":2,\"type\":\"run.completed\","
        "\"data\":%.*s}]",
        STR_ARG(run->result));
    for (int64_t i = 0; i < count; i++)
        messages[i] = (struct message_row){
            .workspace_id = chat->workspace_id,
            .session_id = chat->id,
            .seq = seq + i,
            .run_id = run->id,
            .direction = i == TURN - 1 ? STR("out") : STR("in"),
            .author = str_from(authors[i]),
            .body = str_from(said[i]),
            .at = at,
            .created_at = at,
        };
    store_insert(batch, STORE_RUNS, run);
    messages_insert(batch, messages, (size_t)count);
}

static int add_chat(struct generator *generator, int64_t number, struct arena *arena)
{
    int64_t count =
        generator->messages / generator->chats + (number < generator->messages % generator->chats);
    int64_t at = generator->first_ms + number * YEAR_MS / generator->chats;
    struct chat_session_row chat = {
        .workspace_id = STR("default"),
        .id = ulid_new(generator->env, arena),
        .channel = STR("api"),
        .title = str_from(said[0]),
        .state = STR("{}"),
        .kind = STR("chat"),
        .message_count = count,
        .created_at = at,
        .updated_at = at + count * SECOND_MS,
    };
    struct store_batch batch;
    int r;

    store_batch_init(&batch, arena);
    store_insert(&batch, STORE_CHAT_SESSIONS, &chat);
    for (int64_t i = 0; i < count; i += TURN)
        add_turn(
            generator, &batch, &chat, i + 1, MIN(count - i, (int64_t)TURN), at + i * SECOND_MS);
    r = store_commit(generator->store, &batch);
    generator->rows += r == 0 ? (int64_t)batch.count : 0;
    generator->written += r == 0 ? count : 0;
    return r;
}

static void write_chats(void *arg)
{
    struct generator *generator = arg;
    struct arena arena;

    arena_init(&arena);
    while (generator->failures == 0 && generator->next < generator->chats) {
        if (add_chat(generator, generator->next++, &arena) != 0) {
            fprintf(stderr, "bench-gen: %s\n", err_message());
            generator->failures++;
        }
        arena_reset(&arena);
    }
    arena_deinit(&arena);
}

static void run_fibers(void *arg)
{
    struct generator *generator = arg;

    if (store_workspace(generator->store, STR("default")) != 0) {
        fprintf(stderr, "bench-gen: %s\n", err_message());
        generator->failures++;
        return;
    }
    for (int i = 0; i < FIBERS; i++)
        fiber_spawn(fiber_loop(), "chats", write_chats, generator);
}

static int fill(const char *url, const char *folder, struct generator *generator)
{
    struct config config = {.data_dir = xstrdup(folder), .store = xstrdup(url)};
    struct sealer *sealer = NULL;
    struct arena arena;
    int r;

    arena_init(&arena);
    store_register(backends);
    r = sealer_open(
        generator->env, str_printf(&arena, "%s/master.key", folder).ptr, true, &sealer, NULL);
    if (r == 0)
        r = store_open(&config, generator->env, sealer, &generator->store);
    if (r == 0) {
        r = loop_run_fiber(generator->env, run_fibers, generator);
        store_close(generator->store);
    }
    sealer_free(sealer);
    free(config.data_dir);
    free(config.store);
    arena_deinit(&arena);
    return r;
}

int main(int argc, char **argv)
{
    struct generator generator = {.env = env_system()};
    int64_t begun;

    if (argc != 5 || !str_to_i64(str_from(argv[3]), &generator.messages) ||
        !str_to_i64(str_from(argv[4]), &generator.chats) || generator.chats < 1 ||
        generator.messages < generator.chats) {
        fprintf(stderr, "usage: bench-gen STORE FOLDER MESSAGES CHATS\n");
        return 2;
    }
    (void)mkdir(argv[2], 0700); /* what is wrong with it is said when the key is opened */
    generator.first_ms = env_wall_ms(generator.env) - YEAR_MS;
    begun = env_mono_ms(generator.env);
    if (fill(argv[1], argv[2], &generator) < 0) {
        fprintf(stderr, "bench-gen: %s\n", err_message());
        return 1;
    }
    if (generator.failures)
        return 1;
    printf("{\"messages\":%lld,\"chats\":%lld,\"rows\":%lld,\"seconds\":%.1f}\n",
        (long long)generator.written, (long long)generator.chats, (long long)generator.rows,
        (double)(env_mono_ms(generator.env) - begun) / 1000);
    return 0;
}
