/* Event loop: one per thread, libuv underneath, fibers on top.
 *
 * `loop_run` serves I/O and fibers until loop_stop() was called and no fiber is left. Only
 * loop_post() and loop_stop() may be called from other threads.
 */
#ifndef RUNTIME_LOOP_H
#define RUNTIME_LOOP_H

#include "runtime/fiber.h"

#include <uv.h>

/* 0 or ERR_FAILED. env must outlive the loop. */
MUST_CHECK int loop_new(const struct env *env, struct loop **ret_loop);
void loop_run(struct loop *loop);  /* on the thread that will own the loop */
void loop_stop(struct loop *loop); /* any thread: return from loop_run when all fibers ended */
void loop_free(struct loop *loop);

uv_loop_t *loop_uv(struct loop *loop);
const struct env *loop_env(const struct loop *loop);
int64_t loop_now_ms(struct loop *loop); /* monotonic ms of env, cached per turn of the loop */

/* Run fn(arg) on the loop's thread soon, outside any fiber (it must not yield). Any thread. In
 * order per posting thread. */
void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg);

/* For tests and commands: make a loop, run fn(arg) on a fiber, run until it and everything it
 * spawned ended, free the loop. */
MUST_CHECK int loop_run_fiber(const struct env *env, void (*fn)(void *arg), void *arg);
/* For code that may be called from outside fibers: fn's result, its error kept. On the current
 * fiber where there is one, otherwise by loop_run_fiber(). Yields. */
MUST_CHECK int loop_call(const struct env *env, int (*fn)(void *arg), void *arg);

/* One slot per loop for a room's own per-loop state (HTTP client, …): freed in reverse order by
 * loop_free(). key is the address of any static object. */
void *loop_local(struct loop *loop, const void *key);
void loop_set_local(struct loop *loop, const void *key, void *value, void (*free_fn)(void *value));

#endif
