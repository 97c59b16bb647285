/* Calls that run, in a table that all loops share: a notification may arrive on another loop than
 * the call's. It is carried to the call's own loop, which looks once more, because the call may
 * have ended on the way.
 */
#include "api/mcp.h"

#include <pthread.h>

struct call {
    uint64_t serial;
    char key_id[API_KEY_ID_LEN + 1];
    char *id; /* heap; JSON text of the request's id */
    struct loop *loop;
    struct fiber *fiber;
    struct call *next;
};

struct mcp_calls {
    pthread_mutex_t mutex;
    uint64_t last_serial;
    struct call *first;
};

struct errand {
    struct mcp_calls *calls;
    uint64_t serial;
};

struct mcp_calls *mcp_calls_new(void)
{
    struct mcp_calls *calls = xcalloc(1, sizeof(*calls));

    pthread_mutex_init(&calls->mutex, NULL);
    return calls;
}

void mcp_calls_free(struct mcp_calls *calls)
{
    pthread_mutex_destroy(&calls->mutex);
    free(calls);
}

uint64_t mcp_calls_add(
    struct mcp_calls *calls, const char *key_id, struct str id, struct fiber *fiber)
{
    struct call *call = xcalloc(1, sizeof(*call));
    uint64_t serial;

    snprintf(call->key_id, sizeof(call->key_id), "%s", key_id);
    call->id = str_heap(id);
    call->loop = fiber_loop();
    call->fiber = fiber;
    pthread_mutex_lock(&calls->mutex);
    serial = call->serial = ++calls->last_serial;
    call->next = calls->first;
    calls->first = call;
    pthread_mutex_unlock(&calls->mutex);
    return serial;
}

static struct call **find(struct mcp_calls *calls, uint64_t serial)
{
    struct call **at = &calls->first;

    while (*at && (*at)->serial != serial)
        at = &(*at)->next;
    return at;
}

void mcp_calls_remove(struct mcp_calls *calls, uint64_t serial)
{
    struct call **at, *call;

    pthread_mutex_lock(&calls->mutex);
    at = find(calls, serial);
    call = *at;
    *at = call->next;
    pthread_mutex_unlock(&calls->mutex);
    free(call->id);
    free(call);
}

static void cancel_here(void *arg)
{
    struct errand *errand = arg;
    struct call *call;

    pthread_mutex_lock(&errand->calls->mutex);
    call = *find(errand->calls, errand->serial);
    if (call)
        fiber_cancel(call->fiber);
    pthread_mutex_unlock(&errand->calls->mutex);
    free(errand);
}

bool mcp_calls_cancel(struct mcp_calls *calls, const char *key_id, struct str id)
{
    bool found = false;

    pthread_mutex_lock(&calls->mutex);
    for (struct call *call = calls->first; call; call = call->next) {
        struct errand *errand;

        if (strcmp(call->key_id, key_id) != 0 || !str_is(id, call->id))
            continue;
        errand = xmalloc(sizeof(*errand));
        *errand = (struct errand){calls, call->serial};
        loop_post(call->loop, cancel_here, errand);
        found = true;
    }
    pthread_mutex_unlock(&calls->mutex);
    return found;
}
