/* theo mcp: the MCP server over standard input and output, one JSON message a line.
 *
 * Each request is answered on a fiber of its own by the same code as POST /mcp, here or on a server
 * (--url). Nothing but messages is written to standard output; logs go to standard error.
 */
#include "host/caller.h"
#include "host/commands.h"
#include "runtime/channel.h"
#include "runtime/offload.h"

#include <errno.h>
#include <unistd.h>

#define AT_ONCE 32 /* further requests wait, and with them the reading */

struct stdio {
    struct caller caller;
    struct semaphore slots;
    struct buf input;
    ssize_t got; /* of the last read */
    int rc;
};

struct line {
    struct stdio *stdio;
    char *text; /* heap */
    size_t len;
};

static int read_some(void *arg)
{
    struct stdio *stdio = arg;

    do {
        stdio->got = read(STDIN_FILENO, buf_reserve(&stdio->input, 64 * KIB), 64 * KIB);
    } while (stdio->got < 0 && errno == EINTR);
    if (stdio->got > 0)
        stdio->input.len += (size_t)stdio->got;
    return 0;
}

/* Whole lines, so that answers given at the same time do not mix. Blocks while the client does not
 * read, which is all there is to serve. */
static void write_line(struct str text)
{
    fwrite(text.ptr, 1, text.len, stdout);
    fputc('\n', stdout);
    fflush(stdout);
}

/* An answer that is no JSON-RPC message is a problem of the interface. */
static struct str as_message(const struct api_answer *answer, struct str line, struct arena *arena)
{
    const struct json *asked = NULL, *tree = NULL;
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    if (json_parse(arena, answer->body, &tree) == 0 && json_get(tree, "jsonrpc"))
        return answer->body;
    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "jsonrpc", "2.0");
    json_name(&w, "id");
    if (json_parse(arena, line, &asked) == 0 && json_get(asked, "id"))
        json_put_node(&w, json_get(asked, "id"));
    else
        json_put_null(&w);
    json_name(&w, "error");
    json_object_begin(&w);
    json_i64_member(&w, "code", -32603);
    json_str_member(&w, "message", tree ? json_get_str(tree, "detail") : STR("No answer."));
    json_object_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

static void answer_line(void *arg)
{
    struct line *line = arg;
    struct str text = {line->text, line->len};
    struct api_answer answer = {0};
    struct arena arena;
    int rc;

    arena_init(&arena);
    rc = caller_call(&line->stdio->caller, HTTP_POST, STR("/mcp"), STR(""), text, &arena, &answer);
    if (rc < 0)
        log_warn("mcp.no_answer", LOG_ERR);
    if (rc < 0 || answer.status != 202)
        write_line(as_message(&answer, text, &arena));
    arena_deinit(&arena);
    semaphore_give(&line->stdio->slots);
    free(line->text);
    free(line);
}

static int take_lines(struct stdio *stdio)
{
    size_t used = 0;
    ptrdiff_t end;
    int rc = 0;

    while (rc == 0 && (end = str_find_char(buf_str(&stdio->input), '\n', used)) >= 0) {
        struct str text = str_trim(str_slice(buf_str(&stdio->input), used, (size_t)end));
        struct line *line;

        used = (size_t)end + 1;
        if (str_empty(text))
            continue;
        rc = semaphore_take(&stdio->slots, FIBER_NO_DEADLINE);
        line = xmalloc(sizeof(*line));
        *line = (struct line){stdio, str_heap(text), text.len};
        fiber_spawn(fiber_loop(), "mcp.line", answer_line, line);
    }
    buf_consume(&stdio->input, used);
    return rc;
}

static int serve_stdio(struct boot *boot, void *arg)
{
    struct stdio *stdio = arg;
    size_t limit = (size_t)boot->config.server_max_body_bytes;
    int rc = 0;

    semaphore_init(&stdio->slots, AT_ONCE);
    while (rc == 0) {
        rc = offload(read_some, stdio);
        if (rc < 0 || stdio->got <= 0)
            break;
        rc = take_lines(stdio);
        if (stdio->input.len > limit)
            rc = err_set(
                ERR_TOO_LARGE, "a line is longer than %zu bytes (server.max-body-bytes)", limit);
    }
    for (int i = 0; i < AT_ONCE; i++) /* until all are answered */
        if (semaphore_take(&stdio->slots, FIBER_NO_DEADLINE) < 0)
            break;
    buf_deinit(&stdio->input);
    return rc;
}

int mcp_command(int argc, char **argv)
{
    struct boot boot;
    struct stdio stdio = {.input = BUF_HEAP};
    const struct cli_option list[] = {CALLER_OPTIONS(stdio.caller)};
    int rc = boot_config(&boot, list, ARRAY_LEN(list), true, &argc, argv), status;

    if (rc < 0)
        return cli_fail(rc);
    if (argc > 1) {
        boot_close(&boot);
        return cli_wrong("theo mcp takes options only, not \"%.60s\"", argv[1]);
    }
    rc = caller_open(&stdio.caller, &boot, false);
    if (rc == 0)
        rc = boot_on_fiber(&boot, serve_stdio, &stdio);
    status = rc < 0 ? cli_fail(rc) : 0;
    boot_close(&boot);
    return status;
}
