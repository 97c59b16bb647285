/* MCP over the pipes of a child process: one JSON message a line.
 *
 * The child belongs to its loop and is read by libuv's callbacks, so that no fiber of it keeps a
 * command from ending. A child that breaks the rules (a line without end, a flood, an input that it
 * does not read) is killed with its whole process group; the next call starts another.
 */
#include "text/inert.h"
#include "tools/mcp_private.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define READ_SIZE (64 * KIB)
#define QUEUE_MAX (8 * MIB) /* written but not yet read by the child */
#define END_POLLS 50        /* of 10 ms: how long an ending child may take */

/* A fiber that waits for an answer; on its stack. */
struct pending {
    int64_t id;
    struct fiber *fiber;
    struct buf text; /* heap */
    bool done;
    int rc; /* ERR_IO: the child ended, ERR_TOO_LARGE, ERR_PROTOCOL: it broke a rule */
    struct pending *next;
};

struct mcp_child {
    struct mcp_link *link; /* NULL: given up */
    uv_process_t process;
    uv_pipe_t in, out, err;
    int handles; /* not closed yet */
    bool exited, closed;
    struct buf line, tail; /* heap; tail: the last words on stderr */
    size_t others;         /* messages since the last answer */
    struct pending *pending;
    char read_space[READ_SIZE];
};

static void on_closed(uv_handle_t *handle)
{
    struct mcp_child *child = handle->data;

    if (--child->handles > 0)
        return;
    buf_deinit(&child->line);
    buf_deinit(&child->tail);
    free(child);
}

static void close_pipes(struct mcp_child *child)
{
    if (child->closed)
        return;
    child->closed = true;
    uv_close((uv_handle_t *)&child->in, on_closed);
    uv_close((uv_handle_t *)&child->out, on_closed);
    uv_close((uv_handle_t *)&child->err, on_closed);
}

static void log_end(const struct mcp_child *child, int rc)
{
    struct arena arena;

    arena_init(&arena);
    log_warn("mcp.ended", LOG_STR("server", child->link->server->name),
        LOG_CSTR("why", rc == ERR_IO ? "it ended" : "it broke the protocol"),
        LOG_STR("stderr", inert_visible(&arena, buf_str(&child->tail), 400)));
    arena_deinit(&arena);
}

/* Nothing more is expected of the child; who waits is told rc. */
static void give_up(struct mcp_child *child, int rc)
{
    struct mcp_link *link = child->link;

    if (!link)
        return;
    log_end(child, rc);
    for (struct pending *p = child->pending; p; p = p->next) {
        p->rc = rc;
        p->done = true;
        fiber_wake(p->fiber);
    }
    child->pending = NULL;
    child->link = NULL;
    link->child = NULL;
    mcp_link_lost(link);
    mcp_link_pause(link);
    close_pipes(child);
    if (!child->exited)
        kill(-child->process.pid, SIGKILL);
}

static void on_child_exit(uv_process_t *process, int64_t status, int signal_number)
{
    struct mcp_child *child = process->data;

    (void)status, (void)signal_number;
    child->exited = true;
    kill(-process->pid, SIGKILL); /* what it started must not outlive it */
    give_up(child, ERR_IO);
    uv_close((uv_handle_t *)process, on_closed);
}

struct writing {
    uv_write_t req;
    struct buf text;
};

static void on_written(uv_write_t *req, int status)
{
    struct writing *writing = CONTAINER_OF(req, struct writing, req);

    (void)status; /* a broken pipe is seen as the child's end */
    buf_deinit(&writing->text);
    free(writing);
}

static void write_line(struct mcp_child *child, struct str text)
{
    struct writing *writing = xcalloc(1, sizeof(*writing));
    uv_buf_t bytes;

    buf_add_str(&writing->text, text);
    buf_add_char(&writing->text, '\n');
    bytes = uv_buf_init(writing->text.ptr, (unsigned)writing->text.len);
    if (uv_write(&writing->req, (uv_stream_t *)&child->in, &bytes, 1, on_written) != 0)
        on_written(&writing->req, 0);
    else if (uv_stream_get_write_queue_size((uv_stream_t *)&child->in) > QUEUE_MAX)
        give_up(child, ERR_PROTOCOL);
}

static void take_answer(struct mcp_child *child, const struct rpc_message *message, struct str line)
{
    struct pending **at = &child->pending, *p;

    while (*at && (*at)->id != json_i64(message->id, 0))
        at = &(*at)->next;
    p = *at;
    if (!p)
        return; /* to a call that was given up, or to none */
    *at = p->next;
    child->others = 0;
    buf_add_str(&p->text, line);
    p->done = true;
    fiber_wake(p->fiber);
}

static void take_line(struct mcp_child *child, struct str line)
{
    struct rpc_message message;
    struct arena arena;

    if (str_empty(str_trim(line)))
        return;
    if (++child->others > MCP_FLOOD_MAX) {
        give_up(child, ERR_PROTOCOL);
        return;
    }
    arena_init(&arena);
    if (rpc_read(&arena, line, &message) < 0)
        log_debug("mcp.no_message", LOG_STR("server", child->link->server->name));
    else if (message.kind == RPC_RESPONSE)
        take_answer(child, &message, line);
    else if (message.kind == RPC_REQUEST)
        write_line(child, mcp_answer_request(&message, &arena));
    else if (str_is(message.method, "notifications/tools/list_changed"))
        child->link->changes++;
    arena_deinit(&arena);
}

static void take_bytes(struct mcp_child *child, struct str bytes)
{
    while (child->link && !str_empty(bytes)) {
        ptrdiff_t end = str_find_char(bytes, '\n', 0);
        size_t len = end < 0 ? bytes.len : (size_t)end;

        if (child->line.len + len > MCP_MESSAGE_MAX) {
            give_up(child, ERR_TOO_LARGE);
            return;
        }
        buf_add(&child->line, bytes.ptr, len);
        if (end < 0)
            return;
        take_line(child, buf_str(&child->line));
        buf_clear(&child->line);
        bytes = str_slice(bytes, len + 1, bytes.len);
    }
}

static void give_space(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct mcp_child *child = handle->data;

    (void)suggested;
    *ret_buf = uv_buf_init(child->read_space, READ_SIZE);
}

static void on_out(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct mcp_child *child = stream->data;

    if (got < 0)
        give_up(child, ERR_IO);
    else
        take_bytes(child, (struct str){buf->base, (size_t)got});
}

static void on_err(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct mcp_child *child = stream->data;

    if (got < 0) {
        uv_read_stop(stream);
        return;
    }
    buf_add(&child->tail, buf->base, (size_t)got);
    if (child->tail.len > 400)
        buf_consume(&child->tail, child->tail.len - 400);
}

static void init_pipe(struct mcp_child *child, uv_pipe_t *pipe)
{
    uv_pipe_init(loop_uv(child->link->loop), pipe, 0);
    pipe->data = child;
    child->handles++;
}

static int start(struct mcp_link *link)
{
    const struct mcp_server *server = link->server;
    struct mcp_child *child = xcalloc(1, sizeof(*child));
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&child->in},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&child->out},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&child->err},
    };
    uv_process_options_t options = {.exit_cb = on_child_exit,
        .file = server->argv[0],
        .args = server->argv,
        .env = server->envp,
        .cwd = server->cwd,
        .flags = UV_PROCESS_DETACHED, /* a group of its own, to be killed as one */
        .stdio_count = 3,
        .stdio = stdio};
    int rc;

    child->link = link;
    child->process.data = child;
    init_pipe(child, &child->in);
    init_pipe(child, &child->out);
    init_pipe(child, &child->err);
    child->handles++;
    rc = uv_spawn(loop_uv(link->loop), &child->process, &options);
    if (rc != 0) {
        child->link = NULL;
        close_pipes(child);
        uv_close((uv_handle_t *)&child->process, on_closed);
        return err_set(ERR_IO, "The MCP server %s cannot be started: %s: %s", server->name.ptr,
            server->argv[0], uv_strerror(rc));
    }
    link->child = child;
    uv_read_start((uv_stream_t *)&child->out, give_space, on_out);
    uv_read_start((uv_stream_t *)&child->err, give_space, on_err);
    return 0;
}

static int failure(const struct mcp_link *link, int rc)
{
    const char *name = link->server->name.ptr;

    if (rc == ERR_TOO_LARGE)
        return err_set(rc, "The MCP server %s sent a message of more than %zu MiB.", name,
            MCP_MESSAGE_MAX / MIB);
    if (rc == ERR_PROTOCOL)
        return err_set(
            rc, "The MCP server %s sent more than %d messages but no answer.", name, MCP_FLOOD_MAX);
    return err_set(rc, "The MCP server %s ended before it answered.", name);
}

static int wait_for(struct pending *pending, int64_t deadline_ms)
{
    int rc = 0;

    while (!pending->done && rc == 0)
        rc = fiber_park(deadline_ms);
    return pending->done ? 0 : rc;
}

static void forget(struct mcp_link *link, struct pending *pending)
{
    struct pending **at = link->child ? &link->child->pending : NULL;

    while (at && *at && *at != pending)
        at = &(*at)->next;
    if (at && *at)
        *at = pending->next;
}

static int receive(struct mcp_link *link, struct pending *pending, int64_t timeout_ms,
    struct arena *arena, struct mcp_answer *ret_answer)
{
    struct rpc_message message;
    int rc = wait_for(pending, loop_now_ms(link->loop) + timeout_ms);

    if (rc < 0) {
        forget(link, pending);
        if (link->child && link->ready)
            write_line(link->child,
                mcp_cancel_text(pending->id, rc == ERR_TIMEOUT ? "timeout" : "cancelled", arena));
        return rc == ERR_TIMEOUT ? err_set(rc, "The MCP server %s did not answer in time.",
                                       link->server->name.ptr)
                                 : rc;
    }
    if (pending->rc < 0)
        return failure(link, pending->rc);
    rc = rpc_read(arena, str_dup(arena, buf_str(&pending->text)), &message);
    return rc < 0 ? rc : mcp_answer_take(link, &message, pending->id, arena, ret_answer);
}

int mcp_stdio_send(struct mcp_link *link, const struct mcp_call *call, struct str message,
    int64_t id, struct arena *arena, struct mcp_answer *ret_answer)
{
    struct pending pending = {.id = id, .fiber = fiber_self(), .text = BUF_HEAP};
    int rc = 0;

    /* Only the handshake starts a child: one that ended meanwhile knows nothing of this call. */
    if (!link->child)
        rc = link->ready || id == 0 ? failure(link, ERR_IO) : start(link);
    if (rc < 0)
        return rc;
    if (id > 0) {
        pending.next = link->child->pending;
        link->child->pending = &pending;
    }
    write_line(link->child, message);
    if (id > 0)
        rc = receive(link, &pending, call->timeout_ms, arena, ret_answer);
    buf_deinit(&pending.text);
    return rc;
}

void mcp_stdio_drop(struct mcp_link *link)
{
    if (link->child)
        give_up(link->child, ERR_PROTOCOL);
}

void mcp_stdio_close(struct mcp_link *link)
{
    const struct timespec moment = {0, 10 * 1000 * 1000};
    struct mcp_child *child = link->child;
    pid_t pid, got = 0;

    if (!child)
        return;
    link->child = NULL;
    child->link = NULL;
    pid = child->process.pid;
    close_pipes(child);
    kill(-pid, SIGTERM);
    for (int i = 0; i < END_POLLS && got == 0; i++) {
        got = waitpid(pid, NULL, WNOHANG);
        if (got == 0)
            nanosleep(&moment, NULL);
    }
    kill(-pid, SIGKILL);
    if (got == 0)
        waitpid(pid, NULL, 0);
    uv_close((uv_handle_t *)&child->process, on_closed);
}
