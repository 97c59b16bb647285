#include "base/log.h"

#include "base/env.h"
#include "base/json.h"

#include <stdatomic.h>
#include <unistd.h>

static _Atomic int level_now = LOG_INFO;

/* Written once by log_setup(), before there are threads. */
static struct {
    int fd;
    bool human;
    bool colour;
    struct str (*redact)(struct arena *arena, struct str text);
} sink = {.fd = STDERR_FILENO};

static _Thread_local struct log_context *current;

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

enum log_level log_level_get(void)
{
    return (enum log_level)atomic_load_explicit(&level_now, memory_order_relaxed);
}

void log_level_set(enum log_level level)
{
    atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
}

bool log_level_parse(struct str name, enum log_level *ret_level)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (str_is(name, level_names[i])) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_setup(
    enum log_format format, int fd, struct str (*redact)(struct arena *arena, struct str text))
{
    sink.fd = fd;
    sink.redact = redact;
    sink.human = format == LOG_HUMAN || (format == LOG_AUTO && isatty(fd));
    sink.colour = sink.human && isatty(fd) && !getenv("NO_COLOR");
}

struct log_context *log_context_swap(struct log_context *context)
{
    struct log_context *former = current;

    current = context;
    return former;
}

struct log_context *log_context_get(void)
{
    return current;
}

static struct str clean(struct arena *arena, struct str text)
{
    return sink.redact ? sink.redact(arena, text) : text;
}

static void write_json(struct buf *line, struct arena *arena, enum log_level level,
    const char *event, const struct log_field *fields, size_t count)
{
    char now[RFC3339_LEN + 1];
    struct json_writer w;

    rfc3339_format(env_wall_ms(env_system()), now);
    json_init(&w, line);
    json_object_begin(&w);
    json_str_member(&w, "time", (struct str){now, RFC3339_LEN});
    json_cstr_member(&w, "level", level_names[level]);
    json_cstr_member(&w, "event", event);
    if (current && current->request_id[0])
        json_cstr_member(&w, "request_id", current->request_id);
    if (current && current->run_id[0])
        json_cstr_member(&w, "run_id", current->run_id);
    for (size_t i = 0; i < count; i++) {
        switch (fields[i].type) {
        case LOG_FIELD_STR:
            json_str_member(&w, fields[i].name, clean(arena, fields[i].str));
            break;
        case LOG_FIELD_I64:
            json_i64_member(&w, fields[i].name, fields[i].i64);
            break;
        case LOG_FIELD_BOOL:
            json_bool_member(&w, fields[i].name, fields[i].i64 != 0);
            break;
        }
    }
    json_object_end(&w);
}

/* A value on a terminal: bare when it is one plain word, otherwise as a JSON string, so that it
 * can neither break the line nor send escape sequences. */
static void put_human_value(struct buf *line, struct str value)
{
    bool plain = value.len > 0;

    for (size_t i = 0; i < value.len && plain; i++)
        plain = value.ptr[i] > ' ' && value.ptr[i] < 127 && value.ptr[i] != '"';
    if (plain) {
        buf_add_str(line, value);
        return;
    }

    struct json_writer w;

    json_init(&w, line);
    json_put_str(&w, value);
}

static void put_human_field(struct buf *line, const char *name, struct str value)
{
    buf_add_char(line, ' ');
    buf_add_cstr(line, name);
    buf_add_char(line, '=');
    put_human_value(line, value);
}

static void write_human(struct buf *line, struct arena *arena, enum log_level level,
    const char *event, const struct log_field *fields, size_t count)
{
    static const char *const colours[] = {"\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m", ""};
    static const char *const names[] = {"DEBUG", "INFO ", "WARN ", "ERROR", "OFF  "};
    char now[RFC3339_LEN + 1];

    rfc3339_format(env_wall_ms(env_system()), now);
    buf_add(line, now + 11, 12); /* the time of day */
    buf_printf(line, " %s%s%s %s", sink.colour ? colours[level] : "", names[level],
        sink.colour ? "\x1b[0m" : "", event);
    for (size_t i = 0; i < count; i++) {
        struct str value = fields[i].str;

        if (fields[i].type == LOG_FIELD_I64)
            value = str_printf(arena, "%lld", (long long)fields[i].i64);
        else if (fields[i].type == LOG_FIELD_BOOL)
            value = fields[i].i64 ? STR("true") : STR("false");
        else
            value = clean(arena, value);
        put_human_field(line, fields[i].name, value);
    }
    if (current && current->request_id[0])
        put_human_field(line, "request", str_from(current->request_id));
    if (current && current->run_id[0])
        put_human_field(line, "run", str_from(current->run_id));
}

void log_write(
    enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    struct buf line = BUF_HEAP;
    struct arena arena;

    arena_init(&arena);
    buf_reserve(&line, 512);
    if (sink.human)
        write_human(&line, &arena, level, event, fields, count);
    else
        write_json(&line, &arena, level, event, fields, count);
    buf_add_char(&line, '\n');
    if (write(sink.fd, line.ptr, line.len) < 0) {
        /* A log that cannot be written must not stop the work it tells about. */
    }
    buf_deinit(&line);
    arena_deinit(&arena);
}
