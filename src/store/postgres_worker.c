/* The workers: threads with a connection each, and the queue between them and the fibers.
 *
 * The worker that fell idle last is woken first, so that under little load one warm connection does
 * all the work and the others are never opened. Few of the workers write at a time: the more writes
 * wait for each other, the more of them share a commit, and reads always find a connection. */
#include "runtime/loop.h"
#include "store/postgres.h"
#include "watch/metrics.h"

#include <stdatomic.h>
#include <time.h>

/* Requests in one pipeline: bounds how long the first one waits. */
#define TAKE_MAX 256
/* One writes while another waits for the disk. More of them would only share each sync among fewer
 * requests: so their number grows slowly with that of the connections. */
#define WRITERS 2
/* So often may a request lose against others (deadlock, serialization). */
#define ATTEMPTS_MAX 50

#define BACK_OFF_MIN_MS 20
#define BACK_OFF_MAX_MS 1000

struct queue {
    struct pg_request *head, **tail;
};

struct worker {
    struct pg_pool *pool;
    pthread_t thread;
    pthread_cond_t called;
    bool idle; /* under the mutex */
    struct worker *next_idle;
    struct pg_conn conn;
    int64_t back_off_ms;
};

struct pg_pool {
    const struct env *env;
    const struct pg_libpq *pq;
    const char *url;
    struct worker *workers;
    int worker_count, writers_max;
    pthread_mutex_t mutex;
    pthread_cond_t answered;    /* some that threads wait for */
    struct queue reads, writes; /* under the mutex, as all to stop */
    struct worker *idle;
    int writers;
    bool stop;
    atomic_llong commits, batches, errors, last_commit_ms;
};

static void queue_init(struct queue *queue)
{
    *queue = (struct queue){.tail = &queue->head};
}

static void queue_add(struct queue *queue, struct pg_request *request)
{
    request->next = NULL;
    *queue->tail = request;
    queue->tail = &request->next;
}

static struct pg_request *queue_take(struct queue *queue)
{
    struct pg_request *request = queue->head;

    if (!request)
        return NULL;
    queue->head = request->next;
    if (!queue->head)
        queue->tail = &queue->head;
    return request;
}

/* On the loop's thread. */
static void wake_chain(void *arg)
{
    struct pg_request *next;

    for (struct pg_request *request = arg; request; request = next) {
        next = request->next;
        request->done = true;
        fiber_wake(request->fiber);
    }
}

/* Threads that wait. */
static void wake_threads(struct pg_pool *pool, struct queue *answered)
{
    struct queue fibers;
    struct pg_request *request;

    queue_init(&fibers);
    pthread_mutex_lock(&pool->mutex);
    while ((request = queue_take(answered)))
        if (request->fiber)
            queue_add(&fibers, request);
        else
            request->done = true;
    pthread_cond_broadcast(&pool->answered);
    pthread_mutex_unlock(&pool->mutex);
    queue_init(answered);
    while ((request = queue_take(&fibers)))
        queue_add(answered, request);
}

/* One post for each loop that has fibers among the answered. */
static void wake_all(struct pg_pool *pool, struct queue *answered)
{
    wake_threads(pool, answered);
    while (answered->head) {
        struct loop *loop = answered->head->loop;
        struct queue same, others;
        struct pg_request *request;

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

static struct queue *queue_of(struct pg_pool *pool, const struct pg_request *request)
{
    return request->batch || request->writes ? &pool->writes : &pool->reads;
}

/* Under the mutex. */
static bool has_work(const struct pg_pool *pool)
{
    return pool->reads.head || (pool->writes.head && pool->writers < pool->writers_max);
}

/* Under the mutex. */
static void call_worker(struct pg_pool *pool)
{
    struct worker *worker = pool->idle;

    if (!worker || !has_work(pool))
        return;
    pool->idle = worker->next_idle;
    worker->idle = false;
    pthread_cond_signal(&worker->called);
}

/* False: stop. */
static bool wait_for_work(struct worker *worker)
{
    struct pg_pool *pool = worker->pool;
    bool go_on;

    pthread_mutex_lock(&pool->mutex);
    while (!has_work(pool) && !pool->stop) {
        worker->idle = true;
        worker->next_idle = pool->idle;
        pool->idle = worker;
        while (worker->idle)
            pthread_cond_wait(&worker->called, &pool->mutex);
    }
    go_on = has_work(pool) || !pool->stop;
    pthread_mutex_unlock(&pool->mutex);
    return go_on;
}

/* Reads that wait, or else writes. */
static size_t take(struct pg_pool *pool, struct pg_request *taken[TAKE_MAX], bool *ret_writes)
{
    size_t count = 0;
    bool writes;

    pthread_mutex_lock(&pool->mutex);
    writes = !pool->reads.head;
    if (!writes || pool->writers < pool->writers_max)
        while (
            count < TAKE_MAX && (taken[count] = queue_take(writes ? &pool->writes : &pool->reads)))
            count++;
    pool->writers += writes && count > 0;
    call_worker(pool); /* there may be more */
    pthread_mutex_unlock(&pool->mutex);
    *ret_writes = writes;
    return count;
}

static void answer(struct pg_pool *pool, struct queue *answered, struct pg_request *request)
{
    atomic_fetch_add_explicit(
        &pool->batches, request->result == 0 && request->batch, memory_order_relaxed);
    atomic_fetch_add_explicit(&pool->errors, request->result < 0, memory_order_relaxed);
    queue_add(answered, request);
}

static void unsure_error(struct pg_request *request)
{
    request->result = err_set(ERR_TIMEOUT,
        "The connection to PostgreSQL broke before it confirmed a write, which may have happened: "
        "ask again with the same keys.");
    request->err = *err_get();
}

/* Does it go back into the queue? What lost against another, or met a server that was leaving, or
 * lost its connection. */
static bool comes_again(struct pg_pool *pool, struct pg_request *request)
{
    if (request->unsure && request->result < 0)
        unsure_error(request);
    if (request->result != PG_RETRY)
        return false;
    if (request->unsure && env_mono_ms(pool->env) - request->since_ms > PG_PATIENCE_MS) {
        unsure_error(request);
        return false;
    }
    if (++request->attempts < ATTEMPTS_MAX)
        return true;
    request->result = err_set(ERR_UNAVAILABLE,
        "PostgreSQL refused a request %d times in favour of others: try again later.",
        ATTEMPTS_MAX);
    request->err = *err_get();
    return false;
}

static void settle(struct pg_pool *pool, struct pg_request **taken, size_t count, bool writes)
{
    struct queue answered;

    queue_init(&answered);
    pthread_mutex_lock(&pool->mutex);
    for (size_t i = 0; i < count; i++) {
        if (comes_again(pool, taken[i])) {
            queue_add(queue_of(pool, taken[i]), taken[i]);
            continue;
        }
        answer(pool, &answered, taken[i]);
    }
    pool->writers -= writes;
    pthread_mutex_unlock(&pool->mutex);
    wake_all(pool, &answered);
}

static void count_commit(struct pg_pool *pool, int64_t start_ns)
{
    int64_t end_ns = pool->env->mono_ns(pool->env->ctx);

    metric_add(M_STORE_COMMITS, NULL, 1);
    metric_observe_ms(M_STORE_COMMIT_MS, NULL, (double)(end_ns - start_ns) / 1e6);
    atomic_fetch_add_explicit(&pool->commits, 1, memory_order_relaxed);
    atomic_store_explicit(&pool->last_commit_ms, end_ns / 1000000, memory_order_relaxed);
}

static bool any_done(struct pg_request *const *taken, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (taken[i]->result == 0)
            return true;
    return false;
}

static void serve(struct worker *worker)
{
    struct pg_pool *pool = worker->pool;
    struct pg_request *taken[TAKE_MAX];
    int64_t start_ns = pool->env->mono_ns(pool->env->ctx);
    bool writes;
    size_t count = take(pool, taken, &writes);

    if (count == 0)
        return;
    if (!pg_pipeline_run(&worker->conn, taken, count))
        pg_conn_close(&worker->conn);
    if (writes && any_done(taken, count))
        count_commit(pool, start_ns);
    settle(pool, taken, count, writes);
}

/* Requests that have waited long enough for a server that does not come. */
static void give_up(struct pg_pool *pool, int result, bool all)
{
    int64_t now = env_mono_ms(pool->env);
    struct err cause = *err_get();
    struct queue kept, answered, *queues[] = {&pool->reads, &pool->writes};
    struct pg_request *request;

    queue_init(&answered);
    pthread_mutex_lock(&pool->mutex);
    for (size_t i = 0; i < ARRAY_LEN(queues); i++) {
        queue_init(&kept);
        while ((request = queue_take(queues[i]))) {
            if (!all && now - request->since_ms < PG_PATIENCE_MS) {
                queue_add(&kept, request);
                continue;
            }
            request->result = result;
            request->err = cause;
            if (request->unsure)
                unsure_error(request);
            answer(pool, &answered, request);
        }
        while ((request = queue_take(&kept)))
            queue_add(queues[i], request);
    }
    pthread_mutex_unlock(&pool->mutex);
    wake_all(pool, &answered);
}

/* Twice as long each time, and at random, so that instances do not come back all at once. */
static void back_off(struct worker *worker)
{
    struct pg_pool *pool = worker->pool;
    struct timespec until;
    int64_t ms;

    worker->back_off_ms = MIN(MAX(worker->back_off_ms * 2, BACK_OFF_MIN_MS), BACK_OFF_MAX_MS);
    ms = worker->back_off_ms / 2 +
         (int64_t)(env_random_u64(pool->env) % (uint64_t)(worker->back_off_ms / 2 + 1));
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static bool connected(struct worker *worker)
{
    struct pg_pool *pool = worker->pool;
    bool stop;

    if (pg_conn_alive(&worker->conn))
        return true;
    pg_conn_close(&worker->conn);
    if (pg_conn_open(pool->pq, pool->url, &worker->conn) == 0) {
        worker->back_off_ms = 0;
        pool->pq->enterPipelineMode(worker->conn.db);
        pool->pq->setnonblocking(worker->conn.db, 1);
        return true;
    }
    pthread_mutex_lock(&pool->mutex);
    stop = pool->stop;
    pthread_mutex_unlock(&pool->mutex);
    /* What was right at the start is wrong now: nobody who asks can help it. */
    give_up(pool, err_set(ERR_UNAVAILABLE, "%s", err_get()->message), stop);
    back_off(worker);
    return false;
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;

    pthread_setname_np(pthread_self(), "store-postgres");
    while (wait_for_work(worker))
        if (connected(worker))
            serve(worker);
    pg_conn_close(&worker->conn);
    return NULL;
}

int pg_pool_run(struct pg_pool *pool, struct pg_request *request)
{
    request->fiber = fiber_self();
    request->loop = request->fiber ? fiber_loop() : NULL;
    request->since_ms = env_mono_ms(pool->env);
    pthread_mutex_lock(&pool->mutex);
    queue_add(queue_of(pool, request), request);
    call_worker(pool);
    while (!request->fiber && !request->done)
        pthread_cond_wait(&pool->answered, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
    /* The caller is shielded and has no deadline, so only a stray wake ends a park early. */
    while (!request->done)
        (void)!fiber_park(FIBER_NO_DEADLINE);
    if (request->result < 0)
        *err_get() = request->err;
    return request->result;
}

struct pg_pool *pg_pool_new(const struct env *env, const struct pg_conn *conn, int connections)
{
    struct pg_pool *pool = xcalloc(1, sizeof(*pool));

    pool->env = env;
    pool->pq = conn->pq;
    pool->url = conn->url;
    pool->workers = xcalloc((size_t)connections, sizeof(*pool->workers));
    pool->writers_max = MAX(1, MIN((connections + 1) / 2, MAX(WRITERS, connections / 4)));
    queue_init(&pool->reads);
    queue_init(&pool->writes);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->answered, NULL);
    pool->pq->enterPipelineMode(conn->db);
    pool->pq->setnonblocking(conn->db, 1);
    pool->workers[0].conn = *conn;
    for (int i = 0; i < connections; i++) {
        struct worker *worker = &pool->workers[i];
        worker->pool = pool;
        worker->conn.pq = pool->pq;
        pthread_cond_init(&worker->called, NULL);
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
            break;
        pool->worker_count++;
    }
    return pool;
}

void pg_pool_free(struct pg_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->stop = true;
    for (struct worker *worker = pool->idle; worker; worker = worker->next_idle) {
        worker->idle = false;
        pthread_cond_signal(&worker->called);
    }
    pool->idle = NULL;
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < pool->worker_count; i++)
        pthread_join(pool->workers[i].thread, NULL);
    for (int i = 0; i < pool->worker_count; i++)
        pthread_cond_destroy(&pool->workers[i].called);
    pthread_cond_destroy(&pool->answered);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->workers);
    free(pool);
}

int64_t pg_pool_last_commit_ms(struct pg_pool *pool)
{
    return atomic_load_explicit(&pool->last_commit_ms, memory_order_relaxed);
}

void pg_pool_stats(struct pg_pool *pool, struct store_stats *ret_stats)
{
    *ret_stats = (struct store_stats){
        .commits = atomic_load_explicit(&pool->commits, memory_order_relaxed),
        .batches = atomic_load_explicit(&pool->batches, memory_order_relaxed),
        .errors = atomic_load_explicit(&pool->errors, memory_order_relaxed),
    };
}
