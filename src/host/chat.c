/* theo chat: a transcript from a file, a pipe or a person at a terminal. */
#include "host/caller.h"
#include "host/commands.h"
#include "runtime/offload.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define INPUT_MAX (16 * MIB)

struct chat_options {
    struct caller caller;
    const char *session, *prompt, *agent, *as;
    bool json, must_reply;
};

static struct str chat_body(const struct chat_options *options, struct str transcript,
    struct str session, bool must_reply, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "chat_context", transcript);
    if (!str_empty(session))
        json_str_member(&w, "session_id", session);
    if (options->prompt)
        json_cstr_member(&w, "system_prompt", options->prompt);
    if (options->agent)
        json_cstr_member(&w, "agent", options->agent);
    json_cstr_member(&w, "time_zone", options->caller.boot->config.time_zone);
    json_bool_member(&w, "must_reply", must_reply);
    json_object_end(&w);
    return buf_str(&out);
}

static void print_extras(const struct json *answer, const struct cli_style *style)
{
    for (const struct json *action = json_first(json_get(answer, "actions")); action;
         action = json_next(action)) {
        bool failed = str_is(json_get_str(action, "status"), "failed");

        printf("  %s%s%s %.*s: %.*s\n", failed ? style->red : style->green, failed ? "✗" : "✓",
            style->plain, STR_ARG(json_get_str(action, "tool")),
            STR_ARG(json_get_str(action, "summary")));
    }
    for (const struct json *cite = json_first(json_get(answer, "citations")); cite;
         cite = json_next(cite))
        printf("  %s%.*s%s\n", style->dim, STR_ARG(json_get_str(cite, "url")), style->plain);
}

static void print_reply(const struct chat_options *options, const struct json *answer)
{
    struct cli_style style = cli_style(1);
    const char *name = options->caller.boot->config.agent_name;
    struct str reply = json_get_str(answer, "reply");

    if (json_get_bool(answer, "spoke", false))
        printf("%s%s:%s %.*s\n", style.bold, name, style.plain, STR_ARG(reply));
    else
        printf("%s%s is silent: %.*s%s\n", style.dim, name, STR_ARG(json_get_str(answer, "reason")),
            style.plain);
    print_extras(answer, &style);
    fflush(stdout);
}

static int print_answer(
    const struct chat_options *options, const struct api_answer *answer, struct arena *arena)
{
    const struct json *json;
    int status = caller_status(answer, arena);

    if (status != 0)
        return status;
    if (options->json) {
        printf("%.*s\n", STR_ARG(answer->body));
        return 0;
    }
    if (json_parse(arena, answer->body, &json) < 0)
        return cli_fail(ERR_PROTOCOL);
    print_reply(options, json);
    return 0;
}

static int read_all(const char *path, struct buf *out)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = -1;

    while (fd >= 0 && out->len <= INPUT_MAX) {
        got = read(fd, buf_reserve(out, 64 * KIB), 64 * KIB);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        out->len += (size_t)got;
    }
    if (got < 0)
        err_set(ERR_INVALID, "%s cannot be read: %s", path, strerror(errno));
    if (fd >= 0 && !is_stdin)
        close(fd);
    if (out->len > INPUT_MAX)
        return err_set(ERR_INVALID, "%s is larger than 16 MB", path);
    return got < 0 ? ERR_INVALID : 0;
}

static int answer_once(struct chat_options *options, struct str transcript, struct arena *arena)
{
    struct api_answer answer;
    struct str session = str_from(options->session);
    int rc;

    if (!utf8_valid(transcript))
        return cli_wrong("the transcript is not valid UTF-8; convert it first, e.g. with iconv");
    rc = caller_call_now(&options->caller, HTTP_POST, STR("/api/chat"), STR(""),
        chat_body(options, transcript, session, options->must_reply, arena), arena, &answer);
    return rc < 0 ? cli_fail(rc) : print_answer(options, &answer, arena);
}

/* Reading a line blocks, so it happens off the loop. */
struct line_input {
    char *text;
    size_t size;
    ssize_t len;
};

static int read_line(void *arg)
{
    struct line_input *input = arg;

    input->len = getline(&input->text, &input->size, stdin);
    return 0;
}

/* "Ana: hi" is said by Ana, into the room; anything else by the person at the terminal, to Theo. */
static bool names_a_party(struct str line)
{
    ptrdiff_t colon = str_find_char(line, ':', 0);

    return colon > 0 && colon <= 40 && (size_t)colon + 1 < line.len && line.ptr[colon + 1] == ' ' &&
           ((line.ptr[0] >= 'A' && line.ptr[0] <= 'Z') || (unsigned char)line.ptr[0] >= 0x80);
}

/* One turn of the conversation; *session is set by the first answer. */
static void talk_once(struct chat_options *options, struct str line, char session[ULID_LEN + 1])
{
    struct api_answer answer;
    const struct json *json;
    struct arena arena;
    struct str transcript;
    bool to_theo = !names_a_party(line);
    int rc;

    arena_init(&arena);
    transcript = to_theo ? str_printf(&arena, "%s: %.*s", options->as, STR_ARG(line)) : line;
    rc = caller_call(&options->caller, HTTP_POST, STR("/api/chat"), STR(""),
        chat_body(options, transcript, str_from(session), to_theo || options->must_reply, &arena),
        &arena, &answer);
    if (rc < 0)
        cli_fail(rc);
    else if (caller_status(&answer, &arena) == 0 && json_parse(&arena, answer.body, &json) == 0) {
        snprintf(session, ULID_LEN + 1, "%.*s", STR_ARG(json_get_str(json, "session_id")));
        if (options->json)
            printf("%.*s\n", STR_ARG(answer.body));
        else
            print_reply(options, json);
        fflush(stdout);
    }
    arena_deinit(&arena);
}

static int converse(struct boot *boot, void *arg)
{
    struct chat_options *options = arg;
    struct cli_style style = cli_style(options->json ? 2 : 1);
    struct line_input input = {0};
    char session[ULID_LEN + 1] = "";
    FILE *aside = options->json ? stderr : stdout; /* with --json, stdout is for a program */

    if (options->session)
        snprintf(session, sizeof(session), "%s", options->session);
    fprintf(aside, "%sTalk to %s. `Ana: hi` speaks as Ana, into the room. Ctrl-D ends.%s\n",
        style.dim, boot->config.agent_name, style.plain);
    for (;;) {
        struct str line;

        fprintf(aside, "%s%s:%s ", style.bold, options->as, style.plain);
        fflush(aside);
        if (offload(read_line, &input) < 0 || input.len < 0)
            break;
        line = str_trim((struct str){input.text, (size_t)input.len});
        if (!utf8_valid(line))
            cli_wrong(
                "this line is not valid UTF-8 and was left out; is the terminal's locale UTF-8?");
        else if (!str_empty(line))
            talk_once(options, line, session);
    }
    fprintf(aside, "\n");
    if (session[0])
        fprintf(aside, "%sGo on with: theo chat --session %s%s\n", style.dim, session, style.plain);
    free(input.text);
    return 0;
}

static int chat(struct chat_options *options, struct boot *boot, const char *path)
{
    struct buf transcript = BUF_HEAP;
    struct arena arena;
    int status, rc = 0;

    if (path)
        rc = read_all(path, &transcript);
    if (rc == 0)
        rc = caller_open(&options->caller, boot, options->session != NULL);
    if (rc < 0) {
        buf_deinit(&transcript);
        return cli_fail(rc);
    }
    arena_init(&arena);
    if (path)
        status = answer_once(options, buf_str(&transcript), &arena);
    else
        status = boot_on_fiber(boot, converse, options) < 0 ? cli_fail(ERR_FAILED) : 0;
    buf_deinit(&transcript);
    arena_deinit(&arena);
    return status;
}

int chat_command(int argc, char **argv)
{
    const char *user = getenv("USER");
    struct chat_options options = {.as = user && user[0] ? user : "You"};
    const struct cli_option list[] = {
        {"session", CLI_STR, &options.session, "ID", "Go on with this chat."},
        {"agent", CLI_STR, &options.agent, "NAME",
            "The agent or team to ask, by its name in theo.yaml."},
        {"system-prompt", CLI_STR, &options.prompt, "TEXT", "Added to the instructions."},
        {"as", CLI_STR, &options.as, "NAME", "Who you are at the terminal."},
        {"must-reply", CLI_FLAG, &options.must_reply, NULL, "Answer even if not addressed."},
        {"json", CLI_FLAG, &options.json, NULL, "Print JSON."},
        CALLER_OPTIONS(options.caller),
    };
    const char *path;
    struct boot boot;
    int rc = boot_config(&boot, list, ARRAY_LEN(list), true, &argc, argv), status;

    if (rc < 0)
        return cli_fail(rc);
    if (argc > 2) {
        boot_close(&boot);
        return cli_wrong("there is a word too many: \"%.60s\"", argv[2]);
    }
    path = argc > 1 ? argv[1] : isatty(STDIN_FILENO) ? NULL : "-";
    status = chat(&options, &boot, path);
    boot_close(&boot);
    return status;
}
