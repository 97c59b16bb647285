#include "runtime/offload.h"

#include "runtime/loop.h"

struct job {
    uv_work_t work;
    int (*fn)(void *arg);
    void *arg;
    int rc;
    bool done;
    struct fiber *fiber;
    struct err *err;
    struct log_context *log;
};

/* The fiber waits, so the worker may write into its error and log under its ids. */
static void on_worker(uv_work_t *work)
{
    struct job *job = work->data;
    struct err *err = err_swap(job->err);
    struct log_context *log = log_context_swap(job->log);

    job->rc = job->fn(job->arg);
    log_context_swap(log);
    err_swap(err);
}

static void on_done(uv_work_t *work, int status)
{
    struct job *job = work->data;

    (void)status;
    job->done = true;
    fiber_wake(job->fiber);
}

int offload(int (*fn)(void *arg), void *arg)
{
    struct job job = {.fn = fn, .arg = arg, .fiber = fiber_self()};
    int rc;

    job.work.data = &job;
    job.err = err_get();
    job.log = fiber_log_context();
    rc = uv_queue_work(loop_uv(fiber_loop()), &job.work, on_worker, on_done);
    if (rc != 0)
        return err_set(ERR_FAILED, "cannot start a worker: %s", uv_strerror(rc));
    fiber_shield();
    while (!job.done)
        if (fiber_park(FIBER_NO_DEADLINE) != 0)
            abort(); /* a shielded wait without a deadline only ends by a wake */
    fiber_unshield();
    return job.rc;
}
