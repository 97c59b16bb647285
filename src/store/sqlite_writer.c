/* The writer: one thread that commits many fibers' batches together.
 *
 * A commit costs a sync of the disk (0.2 ms and up) however much it holds. So the writer takes all
 * batches that wait, applies them in one transaction, looks again for what came meanwhile, and
 * syncs once. Fibers are woken with one post per loop.
 *
 * There is no savepoint per batch: nearly all batches succeed. A batch that fails in its first op
 * has written nothing and is simply answered. When one fails later, or the disk refuses, the whole
 * transaction is rolled back and its batches are done again in transactions of their own. */
#include "runtime/loop.h"
#include "store/sqlite.h"
#include "watch/metrics.h"

/* Batches in one transaction: bounds how long the first one waits. */
#define GROUP_MAX 512

struct request {
    struct store_batch *batch; /* NULL: a health check */
    struct loop *loop;
    struct fiber *fiber;
    int result;
    struct err err;
    bool done; /* set and read on the fiber's loop only */
    struct request *next;
};

struct queue {
    struct request *head, **tail;
    size_t count;
};

struct sqlite_writer {
    struct sqlite_conn *conn;
    const struct env *env;
    struct sqlite_checkpointer *checkpointer;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct queue waiting; /* under the mutex */
    bool stop;            /* under the mutex */
    bool asleep;          /* under the mutex */
    bool commit_each;     /* for measuring: a transaction for each batch */
    atomic_llong commits, batches, errors, last_commit_ms;
};

static void queue_init(struct queue *queue)
{
    *queue = (struct queue){.tail = &queue->head};
}

static void queue_add(struct queue *queue, struct request *request)
{
    request->next = NULL;
    *queue->tail = request;
    queue->tail = &request->next;
    queue->count++;
}

static struct request *queue_take(struct queue *queue)
{
    struct request *request = queue->head;

    if (!request)
        return NULL;
    queue->head = request->next;
    if (!queue->head)
        queue->tail = &queue->head;
    queue->count--;
    return request;
}

static void answer(struct request *request, int result)
{
    request->result = result;
    if (result < 0)
        request->err = *err_get();
}

/* On the loop's thread. */
static void wake_chain(void *arg)
{
    struct request *next;

    for (struct request *request = arg; request; request = next) {
        next = request->next;
        request->done = true;
        fiber_wake(request->fiber);
    }
}

/* One post for each loop that has fibers among the answered. */
static void wake_all(struct queue *answered)
{
    while (answered->head) {
        struct loop *loop = answered->head->loop;
        struct queue same, others;
        struct request *request;

        queue_init(&same);
        queue_init(&others);
        while ((request = queue_take(answered)))
            queue_add(request->loop == loop ? &same : &others, request);
        queue_init(answered);
        while ((request = queue_take(&others)))
            queue_add(answered, request);
        loop_post(loop, wake_chain, same.head);
    }
}

static int step(struct sqlite_conn *conn, sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt), r = rc == SQLITE_DONE ? 0 : sqlite_error(conn, rc);

    sqlite3_reset(stmt);
    return r;
}

/* SQLite may have rolled back by itself already (disk full). */
static void roll_back(struct sqlite_writer *writer)
{
    struct sqlite_conn *conn = writer->conn;

    if (!sqlite3_get_autocommit(conn->db)) {
        sqlite3_step(conn->rollback);
        sqlite3_reset(conn->rollback);
    }
}

static int apply(struct sqlite_writer *writer, struct request *request)
{
    if (request->batch)
        return sqlite_apply(writer->conn, request->batch);
    return sqlite_exec(writer->conn, "INSERT OR REPLACE INTO meta VALUES ('written', "
                                     "strftime('%Y-%m-%dT%H:%M:%SZ'))");
}

static int commit(struct sqlite_writer *writer)
{
    int64_t start = writer->env->mono_ns(writer->env->ctx), end;
    int r = step(writer->conn, writer->conn->commit);

    if (r < 0)
        return r;
    end = writer->env->mono_ns(writer->env->ctx);
    metric_add(M_STORE_COMMITS, NULL, 1);
    metric_observe_ms(M_STORE_COMMIT_MS, NULL, (double)(end - start) / 1e6);
    atomic_fetch_add_explicit(&writer->commits, 1, memory_order_relaxed);
    atomic_store_explicit(&writer->last_commit_ms, end / 1000000, memory_order_relaxed);
    return 0;
}

/* A batch in a transaction of its own. */
static void run_alone(struct sqlite_writer *writer, struct request *request)
{
    int r = step(writer->conn, writer->conn->begin);

    if (r == 0)
        r = apply(writer, request);
    if (r == 0)
        r = commit(writer);
    if (r != 0) {
        answer(request, r); /* before the rollback can change the error */
        roll_back(writer);
        return;
    }
    answer(request, 0);
}

static bool take_more(struct sqlite_writer *writer, struct queue *todo)
{
    size_t max = writer->commit_each ? 1 : GROUP_MAX;
    struct request *request;

    pthread_mutex_lock(&writer->mutex);
    while (todo->count < max && (request = queue_take(&writer->waiting)))
        queue_add(todo, request);
    pthread_mutex_unlock(&writer->mutex);
    return todo->head != NULL;
}

/* Behind a savepoint, so that a batch that fails half-way leaves nothing of itself. */
static int apply_carefully(struct sqlite_writer *writer, struct request *request)
{
    struct sqlite_conn *conn = writer->conn;
    int undone = 0, r = step(conn, conn->savepoint);

    if (r < 0)
        return r;
    r = apply(writer, request);
    if (r < 0)
        return r;
    if (r > 0)
        undone = step(conn, conn->undo);
    if (undone == 0)
        undone = step(conn, conn->release);
    return undone < 0 ? undone : r;
}

/* Apply what waits and what comes meanwhile to the open transaction, moving it from todo to done.
 * Negative, or positive with a batch half-written: the transaction must be rolled back. */
static int apply_group(
    struct sqlite_writer *writer, bool careful, struct queue *todo, struct queue *done)
{
    do {
        struct request *request;
        while ((request = queue_take(todo))) {
            int r = careful ? apply_carefully(writer, request) : apply(writer, request);
            queue_add(done, request);
            answer(request, r);
            if (r < 0 || (r > 0 && !careful && request->batch->failed > 0))
                return r;
        }
    } while (!writer->commit_each && done->count < GROUP_MAX && take_more(writer, todo));
    return 0;
}

static bool any_written(const struct queue *done)
{
    for (const struct request *request = done->head; request; request = request->next)
        if (request->result == 0)
            return true;
    return false;
}

static void queue_append(struct queue *queue, struct queue *tail)
{
    struct request *request;

    while ((request = queue_take(tail)))
        queue_add(queue, request);
}

/* One transaction for everything in todo. 0: all are answered and in done. Otherwise nothing was
 * written and all are back in todo. */
static int try_group(
    struct sqlite_writer *writer, bool careful, struct queue *todo, struct queue *done)
{
    int r = step(writer->conn, writer->conn->begin);
    struct request *request;

    if (r < 0) { /* nobody can write now: all hear it at once, instead of waiting in turn */
        while ((request = queue_take(todo))) {
            answer(request, r);
            queue_add(done, request);
        }
        return 0;
    }
    r = apply_group(writer, careful, todo, done);
    if (r == 0 && any_written(done))
        r = commit(writer);
    roll_back(writer);
    if (r == 0)
        return 0;
    queue_append(done, todo);
    *todo = *done;
    if (!todo->head)
        todo->tail = &todo->head;
    queue_init(done);
    return r;
}

static void run_group(struct sqlite_writer *writer, struct queue *todo)
{
    struct request *request;
    struct queue done;
    int r;

    queue_init(&done);
    r = try_group(writer, false, todo, &done);
    if (r > 0)
        r = try_group(writer, true, todo, &done);
    while ((request = queue_take(todo))) {
        run_alone(writer, request);
        queue_add(&done, request);
    }
    (void)r;
    for (request = done.head; request; request = request->next) {
        atomic_fetch_add_explicit(&writer->batches, request->result == 0, memory_order_relaxed);
        atomic_fetch_add_explicit(&writer->errors, request->result < 0, memory_order_relaxed);
    }
    wake_all(&done);
}

static int on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct sqlite_writer *writer = arg;

    (void)db, (void)name;
    if (writer->checkpointer)
        sqlite_checkpointer_grown(writer->checkpointer, pages);
    return SQLITE_OK;
}

static bool wait_for_work(struct sqlite_writer *writer)
{
    bool work;

    pthread_mutex_lock(&writer->mutex);
    while (!writer->waiting.head && !writer->stop) {
        writer->asleep = true;
        pthread_cond_wait(&writer->filled, &writer->mutex);
        writer->asleep = false;
    }
    work = writer->waiting.head != NULL;
    pthread_mutex_unlock(&writer->mutex);
    return work;
}

static void *writer_main(void *arg)
{
    struct sqlite_writer *writer = arg;
    struct queue todo;

    pthread_setname_np(pthread_self(), "store-writer");
    while (wait_for_work(writer)) {
        queue_init(&todo);
        take_more(writer, &todo);
        run_group(writer, &todo);
    }
    return NULL;
}

int sqlite_write(struct sqlite_writer *writer, struct store_batch *batch)
{
    struct request request = {.batch = batch, .loop = fiber_loop(), .fiber = fiber_self()};
    bool wake;

    assert(request.fiber);
    pthread_mutex_lock(&writer->mutex);
    queue_add(&writer->waiting, &request);
    wake = writer->asleep;
    writer->asleep = false;
    pthread_mutex_unlock(&writer->mutex);
    if (wake)
        pthread_cond_signal(&writer->filled);
    /* The caller is shielded and has no deadline, so only a stray wake ends a park early. */
    while (!request.done)
        (void)!fiber_park(FIBER_NO_DEADLINE);
    if (request.result < 0)
        *err_get() = request.err;
    return request.result;
}

static int prepare_all(struct sqlite_conn *conn)
{
    const struct {
        const char *sql;
        sqlite3_stmt **stmt;
    } all[] = {
        {"BEGIN IMMEDIATE", &conn->begin},
        {"COMMIT", &conn->commit},
        {"ROLLBACK", &conn->rollback},
        {"SAVEPOINT batch", &conn->savepoint},
        {"RELEASE batch", &conn->release},
        {"ROLLBACK TO batch", &conn->undo},
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_LEN(all); i++)
        r = sqlite_prepare(conn, all[i].sql, all[i].stmt);
    return r;
}

int sqlite_writer_new(struct sqlite_conn *conn, const struct env *env,
    struct sqlite_checkpointer *checkpointer, bool commit_each, struct sqlite_writer **ret_writer)
{
    struct sqlite_writer *writer;
    int r = prepare_all(conn);

    if (r < 0)
        return r;
    writer = xcalloc(1, sizeof(*writer));
    writer->conn = conn;
    writer->env = env;
    writer->checkpointer = checkpointer;
    writer->commit_each = commit_each;
    queue_init(&writer->waiting);
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_cond_init(&writer->filled, NULL);
    sqlite3_wal_hook(conn->db, on_commit, writer);
    if (pthread_create(&writer->thread, NULL, writer_main, writer) != 0) {
        free(writer);
        return err_set(ERR_FAILED, "No thread could be started for %s.", conn->path);
    }
    *ret_writer = writer;
    return 0;
}

void sqlite_writer_free(struct sqlite_writer *writer)
{
    if (!writer)
        return;
    pthread_mutex_lock(&writer->mutex);
    writer->stop = true;
    pthread_mutex_unlock(&writer->mutex);
    pthread_cond_signal(&writer->filled);
    pthread_join(writer->thread, NULL);
    pthread_cond_destroy(&writer->filled);
    pthread_mutex_destroy(&writer->mutex);
    free(writer);
}

int64_t sqlite_writer_last_commit_ms(const struct sqlite_writer *writer)
{
    return atomic_load_explicit(&writer->last_commit_ms, memory_order_relaxed);
}

void sqlite_writer_stats(struct sqlite_writer *writer, struct store_stats *ret_stats)
{
    *ret_stats = (struct store_stats){
        .commits = atomic_load_explicit(&writer->commits, memory_order_relaxed),
        .batches = atomic_load_explicit(&writer->batches, memory_order_relaxed),
        .errors = atomic_load_explicit(&writer->errors, memory_order_relaxed),
    };
}
