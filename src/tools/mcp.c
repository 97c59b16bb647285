#include "tools/mcp_private.h"

/* How long after its asking for a list runs wait for it, when it is the first or has changed. */
#define LIST_WAIT_MS (5 * SECOND_MS)

extern char **environ;

static const char links_key;

/* One loop's links. */
struct links {
    struct mcp *mcp;
    struct mcp_link *items;
};

/* A run that waits for a list. */
struct mcp_waiter {
    struct fiber *fiber;
    struct mcp_waiter *next;
};

struct refresh {
    struct mcp *mcp;
    struct mcp_link *link;
};

int mcp_open(const struct config *config, struct mcp **ret_mcp)
{
    struct mcp *mcp;
    int rc;

    if (config->mcp[0] == '\0') {
        *ret_mcp = NULL;
        return 0;
    }
    mcp = xcalloc(1, sizeof(*mcp));
    arena_init(&mcp->arena);
    rc = mcp_config_read(mcp, config, "mcp", str_from(config->mcp), environ);
    if (rc < 0)
        mcp_free(mcp);
    else
        *ret_mcp = mcp;
    return rc;
}

void mcp_free(struct mcp *mcp)
{
    if (!mcp)
        return;
    arena_deinit(&mcp->arena);
    free(mcp);
}

static void free_links(void *value)
{
    struct links *links = value;

    for (size_t i = 0; i < links->mcp->count; i++) {
        struct mcp_link *link = &links->items[i];

        mcp_stdio_close(link);
        mcp_link_lost(link);
        mcp_catalog_unref(link->catalog);
    }
    free(links->items);
    free(links);
}

static struct mcp_link *link_of(struct mcp *mcp, size_t index)
{
    struct links *links = loop_local(fiber_loop(), &links_key);

    if (!links) {
        links = xcalloc(1, sizeof(*links));
        links->mcp = mcp;
        links->items = xcalloc(mcp->count, sizeof(*links->items));
        for (size_t i = 0; i < mcp->count; i++) {
            links->items[i].server = &mcp->servers[i];
            links->items[i].loop = fiber_loop();
            links->items[i].session = STR("");
            semaphore_init(&links->items[i].gate, 1);
        }
        loop_set_local(fiber_loop(), &links_key, links, free_links);
    }
    return &links->items[index];
}

static void refresh(void *arg)
{
    struct refresh *task = arg;
    struct mcp_link *link = task->link;
    struct mcp_catalog *fresh = NULL;
    struct arena scratch;
    uint64_t changes;
    int rc;

    arena_init(&scratch);
    rc = mcp_link_open(link, &scratch);
    changes = link->changes; /* what is announced from here on, this list may lack */
    arena_deinit(&scratch);
    if (rc == 0)
        rc = mcp_catalog_fetch(task->mcp, link, &fresh);
    if (rc == 0) {
        mcp_catalog_unref(link->catalog);
        link->catalog = fresh;
        link->listed = changes;
        log_debug("mcp.tools", LOG_STR("server", link->server->name),
            LOG_I64("count", (int64_t)fresh->count));
    } else {
        log_warn("mcp.no_tools", LOG_STR("server", link->server->name), LOG_ERR);
        mcp_link_pause(link);
    }
    link->refreshing = false;
    for (struct mcp_waiter *w = link->waiters; w; w = w->next)
        fiber_wake(w->fiber);
    free(task);
}

/* Is there a list, and none of its changes was announced since? */
static bool is_current(const struct mcp_link *link)
{
    return link->catalog && link->listed == link->changes;
}

static bool is_fresh(const struct mcp_link *link)
{
    return is_current(link) && loop_now_ms(link->loop) < link->catalog->expires_ms;
}

static void begin_refresh(struct mcp *mcp, struct mcp_link *link)
{
    struct refresh *task;

    if (link->refreshing || is_fresh(link) || loop_now_ms(link->loop) < link->retry_at_ms)
        return;
    task = xcalloc(1, sizeof(*task));
    *task = (struct refresh){mcp, link};
    link->refreshing = true;
    link->refreshed_at_ms = loop_now_ms(link->loop);
    fiber_spawn(link->loop, "mcp.list", refresh, task);
}

void mcp_warm(struct mcp *mcp)
{
    for (size_t i = 0; mcp && i < mcp->count; i++)
        begin_refresh(mcp, link_of(mcp, i));
}

/* Until the first list, or the one that was announced to have changed, is there or failed; but not
 * for long. */
static int await_list(struct mcp_link *link)
{
    struct mcp_waiter waiter = {fiber_self(), link->waiters};
    int64_t deadline = link->refreshed_at_ms + LIST_WAIT_MS;
    struct mcp_waiter **at = &link->waiters;
    int rc = 0;

    link->waiters = &waiter;
    while (!is_current(link) && link->refreshing && rc == 0)
        rc = fiber_park(deadline);
    while (*at != &waiter)
        at = &(*at)->next;
    *at = waiter.next;
    if (rc == ERR_TIMEOUT && loop_now_ms(link->loop) >= deadline)
        return 0; /* this run goes without, or with what was */
    return rc;
}

static void unref(void *arg)
{
    mcp_catalog_unref(arg);
}

static int list(
    void *ctx, struct arena *arena, const struct tool *const **ret_tools, size_t *ret_count)
{
    struct mcp *mcp = ctx;
    const struct tool **tools;
    size_t count = 0, room = 0;

    mcp_warm(mcp);
    for (size_t i = 0; i < mcp->count; i++) {
        struct mcp_link *link = link_of(mcp, i);
        int rc = await_list(link);

        if (rc < 0)
            return rc;
        room += link->catalog ? link->catalog->count : 0;
    }
    tools = arena_array(arena, const struct tool *, room);
    for (size_t i = 0; i < mcp->count; i++) {
        struct mcp_catalog *catalog = link_of(mcp, i)->catalog;

        if (!catalog || count + catalog->count > room)
            continue;
        catalog->refs++;
        arena_defer(arena, unref, catalog);
        for (size_t k = 0; k < catalog->count; k++)
            tools[count++] = catalog->tools[k];
    }
    *ret_tools = tools;
    *ret_count = count;
    return 0;
}

struct tool_source mcp_source(struct mcp *mcp)
{
    return (struct tool_source){list, mcp};
}

/* Models write null for what they leave out; servers want it left out. */
static void put_arguments(struct json_writer *w, const struct json *args)
{
    json_name(w, "arguments");
    json_object_begin(w);
    for (const struct json *member = json_first(args); member; member = json_next(member)) {
        if (json_type(member) == JSON_NULL)
            continue;
        json_name_str(w, json_key(member));
        json_put_node(w, member);
    }
    json_object_end(w);
}

static struct str call_members(
    const struct mcp_tool *tool, const struct json *args, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "name", tool->remote_name);
    put_arguments(&w, args);
    json_object_end(&w);
    return str_slice(buf_str(&out), 1, out.len - 1);
}

/* Messages are read into memory of their own, so that a run keeps only the text. */
int mcp_tool_run(const struct tool_call *call, struct tool_result *ret_result)
{
    const struct mcp_tool *tool = call->tool->ctx;
    struct mcp_link *link = link_of(tool->mcp, tool->index);
    struct mcp_call request = {
        .method = "tools/call", .name = tool->remote_name, .timeout_ms = tool->server->timeout_ms};
    const struct json *result;
    struct arena scratch;
    int rc;

    arena_init(&scratch);
    request.members = call_members(tool, call->args, &scratch);
    mcp_headers_add(str_from(tool->tool.parameters), call->args, &scratch, &request);
    rc = mcp_link_call(link, &request, &scratch, &result);
    if (rc == 0)
        rc = mcp_result_take(tool, result, call->arena, ret_result);
    arena_deinit(&scratch);
    return rc;
}
