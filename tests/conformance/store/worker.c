/* A process that writes: store-worker FOLDER NAME COUNT. 16 fibers commit batches of two rows, a
 * run and a message, to the sessions NAME-0 to NAME-15, until each has written COUNT (0: for ever).
 * Each batch reported durable is printed as "FIBER NUMBER". The tests kill it. */
#include "runtime/loop.h"
#include "secure/seal.h"
#include "store/backend.h"

#include <unistd.h>

#define FIBERS 16

struct worker {
    struct store *store;
    const char *name;
    int64_t count;
    int failures;
};

struct line {
    struct worker *worker;
    int number;
};

static int write_batch(struct worker *worker, int fiber, int64_t number)
{
    struct arena arena;
    struct store_batch batch;
    struct run_row run = {.workspace_id = STR("shared"), .state = STR("running")};
    struct message_row message = {.workspace_id = STR("shared"), .seq = number};
    int r;

    arena_init(&arena);
    run.session_id = message.session_id = str_printf(&arena, "%s-%d", worker->name, fiber);
    run.id = str_printf(&arena, "%s-%d-%lld", worker->name, fiber, (long long)number);
    run.created_at = number;
    message.body = run.id;
    store_batch_init(&batch, &arena);
    store_insert(&batch, STORE_RUNS, &run);
    store_insert(&batch, STORE_MESSAGES, &message);
    r = store_commit(worker->store, &batch);
    arena_deinit(&arena);
    return r;
}

static void write_line(void *arg)
{
    struct line *line = arg;
    struct worker *worker = line->worker;
    char text[64];

    for (int64_t i = 0; worker->count == 0 || i < worker->count; i++) {
        int r = write_batch(worker, line->number, i), len;
        if (r != 0) {
            fprintf(stderr, "store-worker: %d %s\n", r, r < 0 ? err_message() : "");
            worker->failures++;
            return;
        }
        len = snprintf(text, sizeof(text), "%d %lld\n", line->number, (long long)i);
        if (write(STDOUT_FILENO, text, (size_t)len) != len)
            worker->failures++;
    }
}

static void run_lines(void *arg)
{
    struct worker *worker = arg;
    struct line lines[FIBERS];
    struct fiber *fibers[FIBERS];

    for (int i = 0; i < FIBERS; i++) {
        lines[i] = (struct line){worker, i};
        fibers[i] = fiber_spawn_joinable(fiber_loop(), "line", write_line, &lines[i]);
    }
    for (int i = 0; i < FIBERS; i++)
        worker->failures += fiber_join(fibers[i]) != 0;
}

int main(int argc, char **argv)
{
    struct worker worker = {.name = argc > 2 ? argv[2] : ""};
    struct config config = {.data_dir = argc > 1 ? argv[1] : NULL};
    struct sealer *sealer;
    char key_file[4096];
    int r;

    if (argc != 4 || !str_to_i64(str_from(argv[3]), &worker.count))
        return 2;
    snprintf(key_file, sizeof(key_file), "%s/master.key", argv[1]);
    r = sealer_open(env_system(), key_file, true, &sealer, NULL);
    if (r == 0)
        r = store_open_with(&store_sqlite, &config, "sqlite", env_system(), sealer, &worker.store);
    if (r == 0)
        r = loop_run_fiber(env_system(), run_lines, &worker);
    if (r < 0) {
        fprintf(stderr, "store-worker: %s\n", err_message());
        return 1;
    }
    store_close(worker.store);
    sealer_free(sealer);
    return worker.failures ? 1 : 0;
}
