/* What fiber.c, loop.c and context.c share; nobody outside this room includes it.
 *
 * A fiber's record lies at the top of its own stack mapping, so that a waiting fiber touches as few
 * pages as possible. Its run states: queued (in loop->ready), parked (waits for a wake), running
 * (loop->current), done.
 */
#ifndef RUNTIME_PRIVATE_H
#define RUNTIME_PRIVATE_H

#include "runtime/loop.h"

#include <setjmp.h>
#include <stdatomic.h>

struct fiber {
    jmp_buf context;
    struct loop *loop;
    const char *name;
    void (*fn)(void *arg);
    void *arg;
    struct fiber *next;   /* in loop->ready or loop->pool */
    struct fiber *joiner; /* waits in fiber_join() */
    int64_t deadline;     /* of the current park; FIBER_NO_DEADLINE when not parked */
    int64_t limit;        /* fiber_set_deadline() */
    int64_t timer_key;    /* its key in loop->timers, never later than deadline; see timers.c */
    size_t timer_index;   /* its place in loop->timers, or SIZE_MAX */
    int outcome;          /* what the park returns */
    int shields;
    bool started; /* the stack holds a suspended trampoline */
    bool parked, queued, woken, wake_kept, cancelled, joinable, done;
    void *fake_stack; /* ASan's */
    struct err err;
    struct log_context log;
};

struct loop_post;

struct loop_slot {
    const void *key;
    void *value;
    void (*free_fn)(void *value);
    struct loop_slot *next;
};

struct loop {
    uv_loop_t uv;
    uv_async_t async;
    uv_timer_t timer;
    const struct env *env;
    jmp_buf context; /* where the scheduler waits while a fiber runs */
    struct fiber *current;
    struct fiber *ready_head, *ready_tail;
    struct fiber *pool;
    size_t pooled, alive;
    struct fiber **timers; /* binary heap by timer_key */
    size_t timer_count, timer_cap;
    int64_t timer_armed; /* when the uv timer fires, FIBER_NO_DEADLINE if it is off */
    int64_t now_ms;      /* 0: not read in this turn */
    _Atomic(struct loop_post *) posts;
    atomic_int posting; /* threads inside loop_post() */
    atomic_bool stop;
    bool polling; /* inside uv_run() */
    struct loop_slot *slots;
    void *fake_stack; /* ASan's */
    const void *stack_bottom;
    size_t stack_size;
};

/* The loop of this thread. */
struct loop *loop_current(void);

/* context.c: stacks and switching. */
struct fiber *context_new(struct loop *loop);          /* a fiber record on a stack */
void context_free(struct loop *loop, struct fiber *f); /* to the pool, or back to the kernel */
void context_free_pool(struct loop *loop);
void context_enter(struct loop *loop, struct fiber *f); /* scheduler to fiber */
void context_leave(struct fiber *f);                    /* fiber to scheduler */

/* fiber.c */
void fiber_main(struct fiber *f);                /* first function on the stack */
void fiber_resume(struct fiber *f, int outcome); /* make a parked fiber runnable */
void fiber_run_ready(struct loop *loop);         /* run those now queued, once each */

/* timers.c: deadlines of parked fibers. */
void timers_set(struct loop *loop, struct fiber *f); /* f->deadline was set */
void timers_remove(struct loop *loop, struct fiber *f);
void timers_fire(struct loop *loop); /* resume those that are due */
void timers_arm(struct loop *loop);  /* before the loop sleeps */

#endif
