#include "agent/taint.h"

static void add(struct taint *taint, struct str source)
{
    taint->on = true;
    for (size_t i = 0; i < taint->count; i++)
        if (str_eq(taint->sources[i], source))
            return;
    if (taint->count < TAINT_SOURCES_MAX)
        taint->sources[taint->count++] = source;
}

void taint_add(struct taint *taint, struct arena *arena, const char *kind, struct str name)
{
    add(taint, str_printf(arena, "%s:%.*s", kind, STR_ARG(name)));
}

struct str taint_text(const struct taint *taint, struct arena *arena)
{
    struct buf out = BUF_IN(arena);

    for (size_t i = 0; i < taint->count; i++)
        buf_printf(&out, "%s%.*s", i > 0 ? ", " : "", STR_ARG(taint->sources[i]));
    return buf_str(&out);
}

void taint_write(struct json_writer *w, const struct taint *taint)
{
    json_array_begin(w);
    for (size_t i = 0; i < taint->count; i++)
        json_put_str(w, taint->sources[i]);
    json_array_end(w);
}

void taint_read(const struct json *list, struct arena *arena, struct taint *ret_taint)
{
    *ret_taint = (struct taint){0};
    for (const struct json *one = json_first(list); one; one = json_next(one))
        add(ret_taint, str_dup(arena, json_str(one)));
}
