/* What does sharing commits gain? 64 fibers write turns, once with group commit, once with a commit
 * for each batch, in the same folder: {"group_per_s","single_per_s","ratio",…} on standard output.
 *
 * A turn is what a chat writes durably: first the run, its messages and its events, then the run's
 * end and the answer. bench-store [FOLDER [SECONDS]]; the folder should lie on the disk to measure.
 */
#include "runtime/loop.h"
#include "secure/seal.h"
#include "store/backend.h"
#include "store/messages.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIBERS 64
#define MESSAGES 4

static const char body[] =
    "Thanks for the call this morning. Before we sign we would like to see how the pilot in the "
    "second region went, and whether the support team can answer within two hours at weekends.";
static const char events[] =
    "[{\"type\":\"run.started\",\"agent\":\"theo\"},{\"type\":\"model.called\",\"model\":\"stub\"},"
    "{\"type\":\"model.answered\",\"input_tokens\":812,\"output_tokens\":64}]";

struct bench {
    struct store *store;
    const struct env *env;
    int64_t end_ms;
    int64_t turns;
    int failures;
};

static int start_turn(struct bench *bench, struct arena *arena, struct run_row *run)
{
    struct message_row messages[MESSAGES];
    struct store_batch batch;

    store_batch_init(&batch, arena);
    store_insert(&batch, STORE_RUNS, run);
    for (int i = 0; i < MESSAGES; i++) {
        messages[i] = (struct message_row){.workspace_id = run->workspace_id,
            .session_id = run->session_id,
            .seq = i + 1,
            .run_id = run->id,
            .direction = STR("in"),
            .author = STR("Ana Martins"),
            .body = str_from(body),
            .created_at = run->created_at};
    }
    messages_insert(&batch, messages, MESSAGES);
    return store_commit(bench->store, &batch);
}

static int finish_turn(struct bench *bench, struct arena *arena, struct run_row *run)
{
    struct message_row answer = {.workspace_id = run->workspace_id,
        .session_id = run->session_id,
        .seq = MESSAGES + 1,
        .run_id = run->id,
        .direction = STR("out"),
        .author = STR("Theo"),
        .body = str_from(body),
        .created_at = run->created_at};
    struct store_batch batch;

    run->state = STR("completed");
    run->result = run->events = str_from(events);
    run->finished_at = env_wall_ms(bench->env);
    store_batch_init(&batch, arena);
    store_update(&batch, STORE_RUNS, run);
    store_insert(&batch, STORE_MESSAGES, &answer);
    return store_commit(bench->store, &batch);
}

static void chat(void *arg)
{
    struct bench *bench = arg;
    struct arena arena;

    arena_init(&arena);
    while (env_mono_ms(bench->env) < bench->end_ms) {
        struct run_row run = {.workspace_id = STR("default"),
            .id = ulid_new(bench->env, &arena),
            .version = 1,
            .session_id = ulid_new(bench->env, &arena),
            .state = STR("running"),
            .agent = STR("theo"),
            .model = STR("openai:stub"),
            .key_id = STR("0123abcd"),
            .request = str_from(events),
            .created_at = env_wall_ms(bench->env)};
        if (start_turn(bench, &arena, &run) != 0 || finish_turn(bench, &arena, &run) != 0) {
            fprintf(stderr, "bench-store: %s\n", err_message());
            bench->failures++;
            break;
        }
        bench->turns++;
        arena_reset(&arena);
    }
    arena_deinit(&arena);
}

static void run_fibers(void *arg)
{
    struct bench *bench = arg;

    if (store_workspace(bench->store, STR("default")) != 0) {
        fprintf(stderr, "bench-store: %s\n", err_message());
        bench->failures++;
        return;
    }
    for (int i = 0; i < FIBERS; i++)
        fiber_spawn(fiber_loop(), "chat", chat, bench);
}

struct result {
    double turns_per_s, cpu_us, batches_per_commit;
};

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int measure(const char *folder, const char *url, int64_t ms, struct result *ret_result)
{
    const struct env *env = env_system();
    struct config config = {.data_dir = xstrdup(folder)};
    struct bench bench = {.env = env};
    struct sealer *sealer = NULL;
    struct store_stats stats;
    int64_t start;
    double cpu, seconds;
    int r = sealer_new_ephemeral(env, &sealer);

    if (r == 0)
        r = store_open_with(&store_sqlite, &config, url, env, sealer, &bench.store);
    if (r == 0) {
        start = env_mono_ms(env);
        cpu = cpu_seconds();
        bench.end_ms = start + ms;
        r = loop_run_fiber(env, run_fibers, &bench);
        seconds = (double)(env_mono_ms(env) - start) / 1000;
        store_stats(bench.store, &stats);
        ret_result->turns_per_s = (double)bench.turns / seconds;
        ret_result->cpu_us = (cpu_seconds() - cpu) * 1e6 / (double)MAX(bench.turns, 1);
        ret_result->batches_per_commit = (double)stats.batches / (double)MAX(stats.commits, 1);
        store_close(bench.store);
    }
    sealer_free(sealer);
    free(config.data_dir);
    return r < 0 || bench.failures ? -1 : 0;
}

static void remove_store(const char *folder)
{
    static const char *const names[] = {"theo.db", "theo.db-wal", "theo.db-shm"};
    char path[4200];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

int main(int argc, char **argv)
{
    char folder[4096];
    int64_t seconds = 3;
    struct result group = {0}, single = {0};
    int r;

    if (argc > 2 && (!str_to_i64(str_from(argv[2]), &seconds) || seconds < 1 || seconds > 600)) {
        fprintf(stderr, "usage: bench-store [FOLDER [SECONDS]]\n");
        return 2;
    }
    snprintf(folder, sizeof(folder), "%s/bench-store-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (!mkdtemp(folder)) {
        perror("bench-store");
        return 1;
    }
    r = measure(folder, "sqlite", seconds * 1000, &group);
    remove_store(folder);
    if (r == 0)
        r = measure(folder, "sqlite:commit-each", seconds * 1000, &single);
    remove_store(folder);
    if (r < 0) {
        fprintf(stderr, "bench-store: %s\n", err_message());
        return 1;
    }
    printf("{\"group_per_s\":%.0f,\"single_per_s\":%.0f,\"ratio\":%.2f,\"group_cpu_us\":%.1f,"
           "\"single_cpu_us\":%.1f,\"batches_per_commit\":%.1f}\n",
        group.turns_per_s, single.turns_per_s,
        single.turns_per_s > 0 ? group.turns_per_s / single.turns_per_s : 0.0, group.cpu_us,
        single.cpu_us, group.batches_per_commit);
    return 0;
}
