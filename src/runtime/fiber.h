/* Fibers: cooperative threads of one event loop, so that code reads from top to bottom while ten
 * thousand of them wait.
 *
 * A fiber runs until it waits. Functions that can wait say **Yields.**; between two of them
 * nothing else runs on this loop, so no locks are needed for a loop's own data.
 *
 * Stacks are mmap'd (FIBER_STACK bytes, four times that under ASan) with a guard page, pooled, and
 * given back beyond a high-water mark. Start-up is makecontext once; switches are
 * _setjmp/_longjmp (42 ns a pair against 514 for swapcontext, which makes two system calls).
 *
 * Cancelling: fiber_cancel() makes the current or next wait of that fiber return ERR_CANCELLED
 * (every later one too, unless shielded by fiber_shield()); the stack unwinds normally.
 *
 * Ownership: a fiber frees itself when its function returns; a handle from fiber_spawn() may be
 * used until fiber_join() returns or, if never joined, only before the fiber ends. Fibers belong to
 * the loop that spawned them for life; every call here is made on that loop's thread.
 */
#ifndef RUNTIME_FIBER_H
#define RUNTIME_FIBER_H

#include "base/env.h"
#include "base/err.h"
#include "base/log.h"

struct loop;
struct fiber;

#define FIBER_STACK (128 * KIB)
#define FIBER_NO_DEADLINE INT64_MAX

/* Start fn(arg) on loop's thread (the current one). It first runs at the loop's next turn. name is
 * a constant, for logs. */
struct fiber *fiber_spawn(struct loop *loop, const char *name, void (*fn)(void *arg), void *arg);
/* The same, and the handle stays valid until fiber_join(). */
struct fiber *fiber_spawn_joinable(
    struct loop *loop, const char *name, void (*fn)(void *arg), void *arg);
/* Wait until the fiber's function has returned. 0, or ERR_CANCELLED or ERR_TIMEOUT if the waiting
 * fiber was cancelled or met its own deadline (the handle then still needs a join). Yields. */
MUST_CHECK int fiber_join(struct fiber *fiber);
/* Wait for all of them; NULL stands for none. When the waiting fiber is cancelled or meets its own
 * deadline meanwhile, they are cancelled and waited for all the same. Yields. */
void fiber_join_all(struct fiber *const *fibers, size_t count);

struct fiber *fiber_self(void); /* NULL outside fibers */
struct loop *fiber_loop(void);  /* the current thread's loop; NULL on other threads */
const char *fiber_name(const struct fiber *fiber);

/* Let others run. 0 or ERR_CANCELLED. Yields. */
int fiber_yield(void);
/* 0 or ERR_CANCELLED. Yields. */
MUST_CHECK int fiber_sleep(int64_t ms);

/* The two calls that all waiting is made of. fiber_park() suspends until fiber_wake(), the
 * deadline (mono ms of the loop's env; FIBER_NO_DEADLINE for none) or a cancel: 0, ERR_TIMEOUT or
 * ERR_CANCELLED. A wake that comes before the park is kept (one). Yields. */
MUST_CHECK int fiber_park(int64_t deadline_ms);
/* Make a fiber of this loop runnable. Harmless when it is already. */
void fiber_wake(struct fiber *fiber);

void fiber_cancel(struct fiber *fiber);
bool fiber_is_cancelled(void);
/* While shielded (nests) waits of this fiber ignore its cancellation and its own deadline: for
 * clean-up that must finish, such as committing. */
void fiber_shield(void);
void fiber_unshield(void);

/* The fiber's own deadline (mono ms): waits end with ERR_TIMEOUT at the earlier of it and their
 * own. Returns the former; set that again when done. */
int64_t fiber_set_deadline(int64_t deadline_ms);
int64_t fiber_deadline(void);

/* Ids shown in each log line of this fiber. */
struct log_context *fiber_log_context(void);

/* Fibers now alive on this loop, and stacks kept for reuse. */
size_t fiber_count(const struct loop *loop);
size_t fiber_pooled(const struct loop *loop);

#endif
