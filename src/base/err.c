#include "base/err.h"

#include <stdarg.h>

static _Thread_local struct err thread_err;
static _Thread_local struct err *current;

struct err *err_get(void)
{
    return current ? current : &thread_err;
}

struct err *err_swap(struct err *err)
{
    struct err *former = current;

    current = err;
    return former;
}

const char *err_message(void)
{
    return err_get()->message;
}

const char *err_name(int code)
{
    static const char *const names[] = {
        [-ERR_FAILED] = "failed",
        [-ERR_INVALID] = "invalid",
        [-ERR_NOT_FOUND] = "not_found",
        [-ERR_EXISTS] = "exists",
        [-ERR_CONFLICT] = "conflict",
        [-ERR_CANCELLED] = "cancelled",
        [-ERR_TIMEOUT] = "timeout",
        [-ERR_IO] = "io",
        [-ERR_TOO_LARGE] = "too_large",
        [-ERR_DENIED] = "denied",
        [-ERR_UNAUTHORIZED] = "unauthorized",
        [-ERR_BUSY] = "busy",
        [-ERR_UNAVAILABLE] = "unavailable",
        [-ERR_CORRUPT] = "corrupt",
        [-ERR_FULL] = "full",
        [-ERR_PROTOCOL] = "protocol",
        [-ERR_BUDGET] = "budget",
    };

    if (code == 0)
        return "ok";
    if (code > 0 || code <= -(int)ARRAY_LEN(names))
        return "failed";
    return names[-code];
}

/* Copy text into to, cut at a code point. */
static void copy_cut(char *to, size_t size, const char *text)
{
    struct str cut = utf8_truncate(str_from(text), size - 1);

    memmove(to, cut.ptr, cut.len);
    to[cut.len] = '\0';
}

int err_set_at(const char *file, int line, int code, const char *field, const char *fmt, ...)
{
    struct err *err = err_get();
    char message[sizeof(err->message) + 4]; /* the arguments may point into err */
    char name[sizeof(err->field)] = "";
    va_list args;

    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    if (field)
        copy_cut(name, sizeof(name), field);
    err->code = code;
    err->file = file;
    err->line = line;
    err->retry_after_ms = 0;
    copy_cut(err->field, sizeof(err->field), name);
    copy_cut(err->message, sizeof(err->message), message);
    return code;
}

int err_wrap_at(const char *file, int line, const char *fmt, ...)
{
    struct err *err = err_get();
    char prefix[sizeof(err->message) + 4], message[2 * sizeof(err->message) + 8];
    va_list args;

    (void)file, (void)line; /* the place of the first cause says more */
    va_start(args, fmt);
    vsnprintf(prefix, sizeof(prefix), fmt, args);
    va_end(args);
    copy_cut(prefix, sizeof(err->message), prefix);
    snprintf(message, sizeof(message), "%s: %s", prefix, err->message);
    copy_cut(err->message, sizeof(err->message), message);
    return err->code;
}
