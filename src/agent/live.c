#include "agent/live.h"

#include "base/env.h"
#include "runtime/loop.h"

#include <pthread.h>

#define BUCKETS 4096

struct live_run {
    struct live_run *next;
    char id[ULID_LEN + 1];
    struct loop *loop;
    struct fiber *fiber;
    char workspace_id[]; /* ends with a NUL */
};

struct live_runs {
    pthread_mutex_t mutex;
    struct live_run *buckets[BUCKETS];
    size_t count;
};

struct live_runs *live_runs_new(void)
{
    struct live_runs *live = xcalloc(1, sizeof(*live));

    pthread_mutex_init(&live->mutex, NULL);
    return live;
}

void live_runs_free(struct live_runs *live)
{
    if (!live)
        return;
    pthread_mutex_destroy(&live->mutex);
    free(live);
}

/* The end of a ULID is random. */
static struct live_run **bucket_of(struct live_runs *live, struct str id)
{
    uint32_t hash = 0;

    for (size_t i = id.len > 8 ? id.len - 8 : 0; i < id.len; i++)
        hash = hash * 33 + (unsigned char)id.ptr[i];
    return &live->buckets[hash % BUCKETS];
}

static struct live_run **find(struct live_runs *live, struct str id)
{
    struct live_run **at = bucket_of(live, id);

    while (*at && !str_is(id, (*at)->id))
        at = &(*at)->next;
    return at;
}

void live_run_begin(struct live_runs *live, struct str workspace_id, struct str run_id)
{
    struct live_run **bucket, *run;

    if (!live || run_id.len != ULID_LEN)
        return;
    run = xcalloc(1, sizeof(*run) + workspace_id.len + 1);
    memcpy(run->workspace_id, workspace_id.ptr, workspace_id.len);
    memcpy(run->id, run_id.ptr, ULID_LEN);
    run->loop = fiber_loop();
    run->fiber = fiber_self();
    pthread_mutex_lock(&live->mutex);
    bucket = bucket_of(live, run_id);
    run->next = *bucket;
    *bucket = run;
    live->count++;
    pthread_mutex_unlock(&live->mutex);
}

void live_run_end(struct live_runs *live, struct str run_id)
{
    struct live_run **at, *run;

    if (!live)
        return;
    pthread_mutex_lock(&live->mutex);
    at = find(live, run_id);
    run = *at;
    if (run) {
        *at = run->next;
        live->count--;
    }
    pthread_mutex_unlock(&live->mutex);
    free(run);
}

struct cancelling {
    struct live_runs *live;
    char id[ULID_LEN + 1];
};

/* On the run's own loop, where it cannot end in between. */
static void cancel_here(void *arg)
{
    struct cancelling *cancelling = arg;
    struct live_run *run;
    struct fiber *fiber = NULL;

    pthread_mutex_lock(&cancelling->live->mutex);
    run = *find(cancelling->live, str_from(cancelling->id));
    if (run && run->loop == fiber_loop())
        fiber = run->fiber;
    pthread_mutex_unlock(&cancelling->live->mutex);
    if (fiber)
        fiber_cancel(fiber);
    free(cancelling);
}

bool live_run_cancel(struct live_runs *live, struct str run_id)
{
    struct cancelling *cancelling;
    struct live_run *run;
    struct loop *loop = NULL;

    if (!live)
        return false;
    pthread_mutex_lock(&live->mutex);
    run = *find(live, run_id);
    if (run)
        loop = run->loop;
    pthread_mutex_unlock(&live->mutex);
    if (!loop)
        return false;
    cancelling = xcalloc(1, sizeof(*cancelling));
    cancelling->live = live;
    memcpy(cancelling->id, run_id.ptr, MIN(run_id.len, (size_t)ULID_LEN));
    loop_post(loop, cancel_here, cancelling);
    return true;
}

static bool has(const struct str *ids, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(ids[i], id))
            return true;
    return false;
}

size_t live_run_workspaces(struct live_runs *live, struct arena *arena, struct str **ret_ids)
{
    struct str *ids;
    size_t count = 0;

    pthread_mutex_lock(&live->mutex);
    ids = arena_array(arena, struct str, live->count);
    for (size_t i = 0; i < BUCKETS && live->count > 0; i++)
        for (const struct live_run *run = live->buckets[i]; run; run = run->next)
            if (!has(ids, count, run->workspace_id))
                ids[count++] = str_dup(arena, str_from(run->workspace_id));
    pthread_mutex_unlock(&live->mutex);
    *ret_ids = ids;
    return count;
}
