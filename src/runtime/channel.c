#include "runtime/channel.h"

/* A waiter lies on the waiting fiber's stack. Whoever serves it takes it off the list, so a waiter
 * that was served before its deadline or cancel was noticed counts as served. */
struct waiter {
    struct fiber *fiber;
    void *item;
    bool served, closed;
    struct waiter *prev, *next;
};

struct waiters {
    struct waiter *head, *tail;
};

struct channel {
    size_t capacity, first, len;
    bool closed;
    struct waiters putters, getters;
    void *items[];
};

static void append(struct waiters *list, struct waiter *w)
{
    w->prev = list->tail;
    w->next = NULL;
    if (list->tail)
        list->tail->next = w;
    else
        list->head = w;
    list->tail = w;
}

static void detach(struct waiters *list, struct waiter *w)
{
    if (w->prev)
        w->prev->next = w->next;
    else
        list->head = w->next;
    if (w->next)
        w->next->prev = w->prev;
    else
        list->tail = w->prev;
}

static struct waiter *serve_first(struct waiters *list)
{
    struct waiter *w = list->head;

    if (w) {
        detach(list, w);
        w->served = true;
        fiber_wake(w->fiber);
    }
    return w;
}

static int wait_in(struct waiters *list, struct waiter *w, int64_t deadline_ms)
{
    int rc = 0;

    w->fiber = fiber_self();
    append(list, w);
    while (!w->served && rc == 0)
        rc = fiber_park(deadline_ms);
    if (w->served)
        return 0;
    detach(list, w);
    return rc;
}

struct channel *channel_new(size_t capacity)
{
    struct channel *channel = xcalloc(1, sizeof(*channel) + capacity * sizeof(void *));

    assert(capacity >= 1);
    channel->capacity = capacity;
    return channel;
}

void channel_free(struct channel *channel)
{
    assert(!channel->putters.head && !channel->getters.head);
    free(channel);
}

static void push(struct channel *channel, void *item)
{
    channel->items[(channel->first + channel->len) % channel->capacity] = item;
    channel->len++;
}

bool channel_try_put(struct channel *channel, void *item)
{
    struct waiter *getter;

    if (channel->closed)
        return false;
    getter = serve_first(&channel->getters);
    if (getter)
        getter->item = item;
    else if (channel->len < channel->capacity)
        push(channel, item);
    else
        return false;
    return true;
}

int channel_put(struct channel *channel, void *item, int64_t deadline_ms)
{
    struct waiter w = {.item = item};
    int rc;

    if (channel_try_put(channel, item))
        return 0;
    if (channel->closed)
        return err_set(ERR_CANCELLED, "the channel is closed");
    rc = wait_in(&channel->putters, &w, deadline_ms);
    if (rc == 0 && w.closed)
        return err_set(ERR_CANCELLED, "the channel is closed");
    return rc;
}

int channel_get(struct channel *channel, int64_t deadline_ms, void **ret_item)
{
    struct waiter w = {0}, *putter;
    int rc;

    if (channel->len > 0) {
        *ret_item = channel->items[channel->first];
        channel->first = (channel->first + 1) % channel->capacity;
        channel->len--;
        putter = serve_first(&channel->putters);
        if (putter)
            push(channel, putter->item);
        return 0;
    }
    if (channel->closed)
        return CHANNEL_CLOSED;
    rc = wait_in(&channel->getters, &w, deadline_ms);
    if (rc != 0)
        return rc;
    if (w.closed)
        return CHANNEL_CLOSED;
    *ret_item = w.item;
    return 0;
}

void channel_close(struct channel *channel)
{
    struct waiter *w;

    channel->closed = true;
    while ((w = serve_first(&channel->getters)) != NULL)
        w->closed = true;
    while ((w = serve_first(&channel->putters)) != NULL)
        w->closed = true;
}

size_t channel_len(const struct channel *channel)
{
    return channel->len;
}
