#include "runtime/channel.h"

/* On the waiting fiber's stack; who gives a permit to it takes it off the list. */
struct semaphore_waiter {
    struct fiber *fiber;
    bool served;
    struct semaphore_waiter *prev, *next;
};

void semaphore_init(struct semaphore *sem, int64_t count)
{
    *sem = (struct semaphore){.free = count};
}

static void append(struct semaphore *sem, struct semaphore_waiter *w)
{
    w->prev = sem->tail;
    if (sem->tail)
        sem->tail->next = w;
    else
        sem->head = w;
    sem->tail = w;
}

static void detach(struct semaphore *sem, struct semaphore_waiter *w)
{
    if (w->prev)
        w->prev->next = w->next;
    else
        sem->head = w->next;
    if (w->next)
        w->next->prev = w->prev;
    else
        sem->tail = w->prev;
}

int semaphore_take(struct semaphore *sem, int64_t deadline_ms)
{
    struct semaphore_waiter w = {.fiber = fiber_self()};
    int rc = 0;

    if (sem->free > 0) {
        sem->free--;
        return 0;
    }
    append(sem, &w);
    while (!w.served && rc == 0)
        rc = fiber_park(deadline_ms);
    if (w.served)
        return 0;
    detach(sem, &w);
    return rc;
}

void semaphore_give(struct semaphore *sem)
{
    struct semaphore_waiter *w = sem->head;

    if (!w) {
        sem->free++;
        return;
    }
    detach(sem, w);
    w->served = true;
    fiber_wake(w->fiber);
}
