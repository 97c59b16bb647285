/* Channel: a bounded queue of pointers between fibers of one loop; and a counting semaphore.
 *
 * put waits while the channel is full, get while it is empty; waiters are served in order. After
 * channel_close() put fails with ERR_CANCELLED, get drains what is left and then returns
 * CHANNEL_CLOSED. The channel never frees what it carries.
 */
#ifndef RUNTIME_CHANNEL_H
#define RUNTIME_CHANNEL_H

#include "runtime/fiber.h"

struct channel;

enum { CHANNEL_CLOSED = 1 };

struct channel *channel_new(size_t capacity); /* capacity >= 1 */
void channel_free(struct channel *channel);   /* nobody may be waiting */
/* 0, ERR_TIMEOUT or ERR_CANCELLED. Yields. */
MUST_CHECK int channel_put(struct channel *channel, void *item, int64_t deadline_ms);
/* 0, CHANNEL_CLOSED, ERR_TIMEOUT or ERR_CANCELLED. Yields. */
MUST_CHECK int channel_get(struct channel *channel, int64_t deadline_ms, void **ret_item);
bool channel_try_put(struct channel *channel, void *item); /* false when full or closed */
void channel_close(struct channel *channel);
size_t channel_len(const struct channel *channel);

/* A semaphore for one loop's fibers. */
struct semaphore {
    int64_t free;
    struct semaphore_waiter *head, *tail;
};
void semaphore_init(struct semaphore *sem, int64_t count);
/* 0, ERR_TIMEOUT or ERR_CANCELLED. In order. Yields. */
MUST_CHECK int semaphore_take(struct semaphore *sem, int64_t deadline_ms);
void semaphore_give(struct semaphore *sem);

#endif
