#include "runtime/fiber.h"

#include "runtime/private.h"

/* Rounds of ready fibers before I/O is looked at again. */
#define ROUNDS_PER_TURN 8

static void enqueue(struct fiber *f)
{
    struct loop *loop = f->loop;

    f->queued = true;
    f->next = NULL;
    if (loop->ready_tail)
        loop->ready_tail->next = f;
    else
        loop->ready_head = f;
    loop->ready_tail = f;
    /* libuv runs due timers before it sleeps: a fiber they woke must keep it from sleeping. */
    if (loop->polling)
        uv_stop(&loop->uv);
}

static struct fiber *spawn(
    struct loop *loop, const char *name, void (*fn)(void *arg), void *arg, bool joinable)
{
    struct fiber *f = context_new(loop);

    f->loop = loop;
    f->name = name;
    f->fn = fn;
    f->arg = arg;
    f->joiner = NULL;
    f->deadline = f->limit = FIBER_NO_DEADLINE;
    f->timer_index = SIZE_MAX;
    f->outcome = f->shields = 0;
    f->parked = f->woken = f->wake_kept = f->cancelled = f->done = false;
    f->joinable = joinable;
    f->fake_stack = NULL;
    f->err = (struct err){.file = ""};
    f->log = (struct log_context){{0}, {0}};
    loop->alive++;
    enqueue(f);
    return f;
}

struct fiber *fiber_spawn(struct loop *loop, const char *name, void (*fn)(void *arg), void *arg)
{
    return spawn(loop, name, fn, arg, false);
}

struct fiber *fiber_spawn_joinable(
    struct loop *loop, const char *name, void (*fn)(void *arg), void *arg)
{
    return spawn(loop, name, fn, arg, true);
}

void fiber_main(struct fiber *f)
{
    f->fn(f->arg);
    assert(f->shields == 0);
    f->done = true;
    if (f->joiner)
        fiber_wake(f->joiner);
}

static void run(struct loop *loop, struct fiber *f)
{
    struct err *err = err_swap(&f->err);
    struct log_context *log = log_context_swap(&f->log);

    context_enter(loop, f);
    log_context_swap(log);
    err_swap(err);
    if (f->done) {
        timers_remove(loop, f);
        loop->alive--;
        if (!f->joinable)
            context_free(loop, f);
    }
}

static void run_round(struct loop *loop)
{
    struct fiber *last = loop->ready_tail;
    struct fiber *f;

    do {
        f = loop->ready_head;
        loop->ready_head = f->next;
        if (!loop->ready_head)
            loop->ready_tail = NULL;
        f->queued = f->woken = false;
        run(loop, f);
    } while (f != last);
}

void fiber_run_ready(struct loop *loop)
{
    for (int i = 0; i < ROUNDS_PER_TURN && loop->ready_head; i++)
        run_round(loop);
}

struct fiber *fiber_self(void)
{
    struct loop *loop = loop_current();

    return loop ? loop->current : NULL;
}

struct loop *fiber_loop(void)
{
    return loop_current();
}

const char *fiber_name(const struct fiber *fiber)
{
    return fiber->name;
}

static struct fiber *self(void)
{
    struct loop *loop = loop_current();

    assert(loop && loop->current);
    return loop->current;
}

static bool interrupted(const struct fiber *f)
{
    return f->cancelled && f->shields == 0;
}

static int report(int outcome)
{
    if (outcome == ERR_CANCELLED)
        return err_set(ERR_CANCELLED, "the work was cancelled");
    if (outcome == ERR_TIMEOUT)
        return err_set(ERR_TIMEOUT, "the deadline passed");
    return outcome;
}

int fiber_yield(void)
{
    struct fiber *f = self();

    if (interrupted(f))
        return report(ERR_CANCELLED);
    enqueue(f);
    context_leave(f);
    return report(interrupted(f) ? ERR_CANCELLED : 0);
}

int fiber_park(int64_t deadline_ms)
{
    struct fiber *f = self();

    if (interrupted(f))
        return report(ERR_CANCELLED);
    if (f->wake_kept) {
        f->wake_kept = false;
        return 0;
    }
    if (f->shields == 0 && f->limit < deadline_ms)
        deadline_ms = f->limit;
    if (deadline_ms != FIBER_NO_DEADLINE && deadline_ms <= loop_now_ms(f->loop))
        return report(ERR_TIMEOUT);
    f->parked = true;
    f->deadline = deadline_ms;
    if (deadline_ms != FIBER_NO_DEADLINE)
        timers_set(f->loop, f);
    context_leave(f);
    return report(f->outcome);
}

void fiber_resume(struct fiber *f, int outcome)
{
    f->parked = false;
    f->deadline = FIBER_NO_DEADLINE;
    f->outcome = outcome;
    f->woken = outcome == 0;
    enqueue(f);
}

void fiber_wake(struct fiber *fiber)
{
    if (fiber->parked)
        fiber_resume(fiber, 0);
    else if (!fiber->woken)
        fiber->wake_kept = true;
}

int fiber_sleep(int64_t ms)
{
    struct fiber *f = self();
    int64_t until = loop_now_ms(f->loop) + ms;
    bool woken = false;
    int rc;

    if (ms <= 0)
        return fiber_yield();
    do {
        rc = fiber_park(until);
        woken |= rc == 0;
    } while (rc == 0);
    f->wake_kept |= woken;
    return rc == ERR_TIMEOUT && loop_now_ms(f->loop) >= until ? 0 : rc;
}

int fiber_join(struct fiber *fiber)
{
    int rc = 0;

    assert(fiber->joinable && !fiber->joiner);
    while (!fiber->done && rc == 0) {
        fiber->joiner = self();
        rc = fiber_park(FIBER_NO_DEADLINE);
        fiber->joiner = NULL;
    }
    if (!fiber->done)
        return rc;
    context_free(fiber->loop, fiber);
    return 0;
}

void fiber_join_all(struct fiber *const *fibers, size_t count)
{
    bool shielded = false;

    for (size_t i = 0; i < count; i++) {
        if (!fibers[i] || fiber_join(fibers[i]) == 0)
            continue;
        for (size_t j = i; j < count; j++)
            if (fibers[j])
                fiber_cancel(fibers[j]);
        fiber_shield();
        shielded = true;
        i--;
    }
    if (shielded)
        fiber_unshield();
}

void fiber_cancel(struct fiber *fiber)
{
    fiber->cancelled = true;
    if (fiber->parked && fiber->shields == 0)
        fiber_resume(fiber, ERR_CANCELLED);
}

bool fiber_is_cancelled(void)
{
    struct fiber *f = fiber_self();

    return f && f->cancelled;
}

void fiber_shield(void)
{
    self()->shields++;
}

void fiber_unshield(void)
{
    assert(self()->shields > 0);
    self()->shields--;
}

int64_t fiber_set_deadline(int64_t deadline_ms)
{
    struct fiber *f = self();
    int64_t former = f->limit;

    f->limit = deadline_ms;
    return former;
}

int64_t fiber_deadline(void)
{
    return self()->limit;
}

struct log_context *fiber_log_context(void)
{
    return &self()->log;
}

size_t fiber_count(const struct loop *loop)
{
    return loop->alive;
}

size_t fiber_pooled(const struct loop *loop)
{
    return loop->pooled;
}
