#include "runtime/loop.h"

#include "runtime/private.h"

#include <sched.h>

struct loop_post {
    void (*fn)(void *arg);
    void *arg;
    struct loop_post *next;
};

static _Thread_local struct loop *current;

struct loop *loop_current(void)
{
    return current;
}

static void run_posts(struct loop *loop)
{
    struct loop_post *newest = atomic_exchange(&loop->posts, NULL);
    struct loop_post *oldest = NULL;

    while (newest) {
        struct loop_post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct loop_post post = *oldest;
        free(oldest);
        oldest = post.next;
        post.fn(post.arg);
    }
}

static void on_async(uv_async_t *async)
{
    run_posts(async->data);
}

int loop_new(const struct env *env, struct loop **ret_loop)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));
    int rc = uv_loop_init(&loop->uv);

    if (rc != 0) {
        free(loop);
        return err_set(ERR_FAILED, "cannot make an event loop: %s", uv_strerror(rc));
    }
    rc = uv_async_init(&loop->uv, &loop->async, on_async);
    if (rc != 0) {
        uv_loop_close(&loop->uv);
        free(loop);
        return err_set(ERR_FAILED, "cannot make an event loop: %s", uv_strerror(rc));
    }
    uv_timer_init(&loop->uv, &loop->timer);
    loop->async.data = loop->timer.data = loop;
    loop->uv.data = loop;
    loop->env = env;
    loop->timer_armed = FIBER_NO_DEADLINE;
    *ret_loop = loop;
    return 0;
}

void loop_run(struct loop *loop)
{
    struct loop *former = current;

    current = loop;
    while (!atomic_load(&loop->stop) || loop->alive > 0) {
        loop->now_ms = 0;
        timers_fire(loop);
        fiber_run_ready(loop);
        if (atomic_load(&loop->stop) && loop->alive == 0)
            break;
        timers_arm(loop);
        loop->polling = true;
        uv_run(&loop->uv, loop->ready_head ? UV_RUN_NOWAIT : UV_RUN_ONCE);
        loop->polling = false;
    }
    current = former;
}

static void wake_up(void *arg)
{
    (void)arg;
}

void loop_stop(struct loop *loop)
{
    atomic_fetch_add(&loop->posting, 1); /* once stop is seen the loop may be freed */
    atomic_store(&loop->stop, true);
    loop_post(loop, wake_up, NULL);
    atomic_fetch_sub(&loop->posting, 1);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void loop_free(struct loop *loop)
{
    struct loop *former = current;

    assert(loop->alive == 0);
    current = loop;
    while (loop->slots) {
        struct loop_slot *slot = loop->slots;
        loop->slots = slot->next;
        if (slot->free_fn)
            slot->free_fn(slot->value);
        free(slot);
    }
    /* A thread that posted its last message may still be about to touch the async handle. */
    while (atomic_load(&loop->posting) > 0)
        sched_yield();
    run_posts(loop);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    uv_walk(&loop->uv, close_handle, NULL);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
        ;
    uv_loop_close(&loop->uv);
    context_free_pool(loop);
    free(loop->timers);
    current = former;
    free(loop);
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

const struct env *loop_env(const struct loop *loop)
{
    return loop->env;
}

int64_t loop_now_ms(struct loop *loop)
{
    if (loop->now_ms == 0)
        loop->now_ms = env_mono_ms(loop->env);
    return loop->now_ms;
}

void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    struct loop_post *post = xmalloc(sizeof(*post));
    struct loop_post *head;

    post->fn = fn;
    post->arg = arg;
    atomic_fetch_add(&loop->posting, 1);
    head = atomic_load(&loop->posts);
    do {
        post->next = head;
    } while (!atomic_compare_exchange_weak(&loop->posts, &head, post));
    if (!head)
        uv_async_send(&loop->async);
    atomic_fetch_sub(&loop->posting, 1);
}

int loop_run_fiber(const struct env *env, void (*fn)(void *arg), void *arg)
{
    struct loop *loop;
    int rc = loop_new(env, &loop);

    if (rc != 0)
        return rc;
    fiber_spawn(loop, "main", fn, arg);
    loop_stop(loop);
    loop_run(loop);
    loop_free(loop);
    return 0;
}

struct loop_call {
    int (*fn)(void *arg);
    void *arg;
    int rc;
    struct err cause;
};

static void make_call(void *arg)
{
    struct loop_call *call = arg;

    call->rc = call->fn(call->arg);
    call->cause = *err_get();
}

int loop_call(const struct env *env, int (*fn)(void *arg), void *arg)
{
    struct loop_call call = {.fn = fn, .arg = arg};
    int rc;

    if (fiber_self())
        return fn(arg);
    rc = loop_run_fiber(env, make_call, &call);
    if (rc < 0)
        return rc;
    if (call.rc < 0)
        *err_get() = call.cause;
    return call.rc;
}

void *loop_local(struct loop *loop, const void *key)
{
    for (struct loop_slot *slot = loop->slots; slot; slot = slot->next)
        if (slot->key == key)
            return slot->value;
    return NULL;
}

void loop_set_local(struct loop *loop, const void *key, void *value, void (*free_fn)(void *value))
{
    struct loop_slot *slot = loop->slots;

    while (slot && slot->key != key)
        slot = slot->next;
    if (!slot) {
        slot = xcalloc(1, sizeof(*slot));
        slot->key = key;
        slot->next = loop->slots;
        loop->slots = slot;
    }
    slot->value = value;
    slot->free_fn = free_fn;
}
