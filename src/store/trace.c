/* The decorator: see backend.h. Modelled on git's refs/debug.c. */
#include "base/log.h"
#include "runtime/errinj.h"
#include "store/front.h"

struct trace {
    const struct store_ops *ops;
    struct store_backend *backend;
};

static struct trace *trace_of(struct store_backend *backend)
{
    return (struct trace *)(void *)backend;
}

struct store_backend *store_trace_new(const struct store_ops *ops, struct store_backend *backend)
{
    struct trace *trace = xmalloc(sizeof(*trace));

    *trace = (struct trace){ops, backend};
    return (struct store_backend *)(void *)trace;
}

static int trace_open(const struct config *config, const char *url, const struct env *env,
    struct store_backend **ret_backend)
{
    (void)config, (void)url, (void)env, (void)ret_backend;
    return err_set(ERR_INVALID, "The store \"trace\" needs another behind it: say trace:sqlite.");
}

static void trace_close(struct store_backend *backend)
{
    struct trace *trace = trace_of(backend);

    trace->ops->close(trace->backend);
    free(trace);
}

static int trace_health(struct store_backend *backend)
{
    struct trace *trace = trace_of(backend);
    int r = trace->ops->health(trace->backend);

    log_debug("store.health", LOG_I64("result", r));
    return r;
}

static int trace_commit(struct store_backend *backend, struct store_batch *batch)
{
    struct trace *trace = trace_of(backend);
    int r;

    if (errinj("store.commit.before"))
        return err_set(ERR_IO, "Injected fault: nothing was written.");
    r = trace->ops->commit(trace->backend, batch);
    for (size_t i = 0; i < batch->count; i++)
        log_debug("store.op", LOG_I64("kind", batch->ops[i].kind),
            LOG_CSTR("table", store_schemas[batch->ops[i].entity].table));
    log_debug("store.commit", LOG_I64("ops", (int64_t)batch->count), LOG_I64("result", r));
    if (r == 0 && errinj("store.commit.after"))
        return err_set(ERR_TIMEOUT, "Injected fault: the outcome of the commit is not known.");
    return r;
}

static int trace_get(struct store_backend *backend, enum store_entity entity,
    struct str workspace_id, struct str id, struct arena *arena, void *ret_row)
{
    struct trace *trace = trace_of(backend);
    int r;

    if (errinj("store.get"))
        return err_set(ERR_IO, "Injected fault: nothing was read.");
    r = trace->ops->get(trace->backend, entity, workspace_id, id, arena, ret_row);
    log_debug("store.get", LOG_CSTR("table", store_schemas[entity].table), LOG_STR("id", id),
        LOG_I64("result", r));
    return r;
}

static int trace_find(struct store_backend *backend, enum store_entity entity,
    struct str workspace_id, int index, struct str value, struct arena *arena, void *ret_row)
{
    struct trace *trace = trace_of(backend);
    int r;

    if (errinj("store.get"))
        return err_set(ERR_IO, "Injected fault: nothing was read.");
    r = trace->ops->find(trace->backend, entity, workspace_id, index, value, arena, ret_row);
    log_debug("store.find", LOG_CSTR("table", store_schemas[entity].table), LOG_I64("index", index),
        LOG_I64("result", r));
    return r;
}

static int trace_list(struct store_backend *backend, const struct store_query *query,
    int64_t after_order, struct str after_id, struct arena *arena, struct store_page *ret_page)
{
    struct trace *trace = trace_of(backend);
    int r;

    if (errinj("store.list"))
        return err_set(ERR_IO, "Injected fault: nothing was read.");
    r = trace->ops->list(trace->backend, query, after_order, after_id, arena, ret_page);
    log_debug("store.list", LOG_CSTR("table", store_schemas[query->entity].table),
        LOG_I64("rows", r == 0 ? (int64_t)ret_page->count : 0), LOG_I64("result", r));
    return r;
}

static int trace_scan(struct store_backend *backend, const struct store_visitor *visitor)
{
    struct trace *trace = trace_of(backend);
    int r;

    if (errinj("store.list"))
        return err_set(ERR_IO, "Injected fault: nothing was read.");
    r = trace->ops->scan(trace->backend, visitor);
    log_debug("store.scan", LOG_I64("result", r));
    return r;
}

static int trace_meta_get(
    struct store_backend *backend, const char *name, struct arena *arena, struct str *ret_value)
{
    struct trace *trace = trace_of(backend);

    return trace->ops->meta_get(trace->backend, name, arena, ret_value);
}

static int trace_meta_set(struct store_backend *backend, const char *name, struct str value)
{
    struct trace *trace = trace_of(backend);

    return trace->ops->meta_set(trace->backend, name, value);
}

static void trace_stats(struct store_backend *backend, struct store_stats *ret_stats)
{
    struct trace *trace = trace_of(backend);

    trace->ops->stats(trace->backend, ret_stats);
}

const struct store_ops store_trace = {
    .name = "trace",
    .open = trace_open,
    .close = trace_close,
    .health = trace_health,
    .commit = trace_commit,
    .get = trace_get,
    .find = trace_find,
    .list = trace_list,
    .scan = trace_scan,
    .meta_get = trace_meta_get,
    .meta_set = trace_meta_set,
    .stats = trace_stats,
};
