#include "extract/process.h"

#include "runtime/loop.h"

#include <signal.h>

#define READ_SIZE (64 * KIB)

/* Lives until the fiber let go of it and libuv closed both its handles. */
struct child {
    uv_process_t process;
    uv_pipe_t pipe;
    int users;           /* handles that are open, and the fiber */
    struct fiber *fiber; /* NULL: nobody waits any more */
    bool exited, ended;  /* the process; its output */
    struct buf out;      /* heap */
    size_t out_max;
    struct process_end end;
    char space[READ_SIZE];
};

static void let_go(struct child *child)
{
    if (--child->users > 0)
        return;
    buf_deinit(&child->out);
    free(child);
}

static void on_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

static void wake(struct child *child)
{
    if (child->fiber)
        fiber_wake(child->fiber);
}

static void end_output(struct child *child)
{
    if (child->ended)
        return;
    child->ended = true;
    uv_close((uv_handle_t *)&child->pipe, on_closed);
    wake(child);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal_number)
{
    struct child *child = process->data;

    child->exited = true;
    child->end.exit_code = (int)status;
    child->end.signal = signal_number;
    kill(-process->pid, SIGKILL); /* it could not start another, but its group is ours */
    uv_close((uv_handle_t *)process, on_closed);
    wake(child);
}

static void give_space(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct child *child = handle->data;

    (void)suggested;
    *ret_buf = uv_buf_init(child->space, READ_SIZE);
}

static void kill_child(struct child *child)
{
    if (!child->exited)
        kill(-child->process.pid, SIGKILL);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *bytes)
{
    struct child *child = stream->data;
    size_t room = child->out_max - child->out.len;

    if (got < 0) {
        end_output(child);
        return;
    }
    buf_add(&child->out, bytes->base, MIN((size_t)got, room));
    if ((size_t)got <= room)
        return;
    child->end.cut = true;
    kill_child(child);
    end_output(child);
}

static int start(struct child *child, const struct process_call *call)
{
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_INHERIT_FD, .data.fd = call->in},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&child->pipe},
        {.flags = UV_IGNORE},
    };
    uv_process_options_t options = {.exit_cb = on_exit_of,
        .file = call->program,
        .args = call->argv,
        .env = call->envp,
        .cwd = "/",
        .flags = UV_PROCESS_DETACHED, /* a group of its own, to be killed as one */
        .stdio_count = 3,
        .stdio = stdio};
    uv_loop_t *uv = loop_uv(fiber_loop());
    int rc;

    child->process.data = child;
    child->pipe.data = child;
    uv_pipe_init(uv, &child->pipe, 0);
    child->users = 3;
    rc = uv_spawn(uv, &child->process, &options);
    if (rc == 0)
        return uv_read_start((uv_stream_t *)&child->pipe, give_space, on_read);
    child->exited = true;
    uv_close((uv_handle_t *)&child->process, on_closed);
    end_output(child);
    return rc;
}

int process_run(const struct process_call *call, struct buf *out, struct process_end *ret_end)
{
    struct child *child = xcalloc(1, sizeof(*child));
    int rc;

    child->out_max = call->out_max;
    child->fiber = fiber_self();
    rc = start(child, call);
    if (rc != 0)
        rc = err_set(ERR_IO, "%s cannot be started: %s", call->program, uv_strerror(rc));
    while (rc == 0 && !(child->exited && child->ended))
        rc = fiber_park(call->deadline_ms);
    kill_child(child);
    /* Killed, it ends at once, and is waited for so that it does not outlive the loop. */
    fiber_shield();
    while (!child->exited)
        if (fiber_park(FIBER_NO_DEADLINE) != 0)
            abort();
    fiber_unshield();
    child->fiber = NULL;
    if (rc == 0) {
        buf_add_str(out, buf_str(&child->out));
        *ret_end = child->end;
        if (child->end.cut)
            ret_end->exit_code = ret_end->signal = 0;
    }
    end_output(child);
    let_go(child);
    return rc;
}
