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

#define EARLIER "earlier:"

/* The session's note; NULL when there is none. */
static const struct json *noted(struct str state, struct arena *arena)
{
    const struct json *root;

    if (str_find(state, STR("\"taint\""), 0) < 0 || json_parse(arena, state, &root) < 0)
        return NULL;
    return json_get(root, "taint");
}

int64_t taint_last(struct str state, struct arena *arena)
{
    return json_get_i64(noted(state, arena), "seq", 0);
}

struct str taint_moved(struct str state, int64_t seq, struct arena *arena)
{
    const struct json *note = noted(state, arena);
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    if (note) {
        json_name(&w, "taint");
        json_object_begin(&w);
        json_i64_member(&w, "seq", seq);
        json_put_members(&w, note, "seq");
        json_object_end(&w);
    }
    json_object_end(&w);
    return buf_str(&out);
}

void taint_inherit(struct taint *taint, struct str state, int64_t first, struct arena *arena)
{
    const struct json *note = noted(state, arena);

    if (json_get_i64(note, "seq", 0) < MAX(first, (int64_t)1))
        return;
    for (const struct json *one = json_first(json_get(note, "sources")); one; one = json_next(one))
        taint_add(taint, arena, "earlier", json_str(one));
}

static bool is_inherited(struct str source)
{
    return str_starts(source, STR(EARLIER));
}

static size_t count_sources(const struct taint *taint, bool inherited)
{
    size_t count = 0;

    for (size_t i = 0; i < taint->count; i++)
        count += is_inherited(taint->sources[i]) == inherited;
    return count;
}

void taint_write_inherited(struct json_writer *w, const struct taint *taint)
{
    if (count_sources(taint, true) == 0)
        return;
    json_name(w, "taint");
    json_array_begin(w);
    for (size_t i = 0; i < taint->count; i++)
        if (is_inherited(taint->sources[i]))
            json_put_str(w, str_slice(taint->sources[i], strlen(EARLIER), taint->sources[i].len));
    json_array_end(w);
}

bool taint_is_fresh(const struct taint *taint)
{
    return count_sources(taint, false) > 0;
}

struct str taint_state(
    struct str state, const struct taint *taint, int64_t seq, struct arena *arena)
{
    const struct json *root = NULL;
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    if (json_parse(arena, state, &root) < 0)
        root = NULL;
    json_init(&w, &out);
    json_object_begin(&w);
    json_put_members(&w, root, "taint");
    if (taint_is_fresh(taint)) {
        json_name(&w, "taint");
        json_object_begin(&w);
        json_i64_member(&w, "seq", seq);
        json_name(&w, "sources");
        json_array_begin(&w);
        for (size_t i = 0; i < taint->count; i++)
            if (!is_inherited(taint->sources[i]))
                json_put_str(&w, taint->sources[i]);
        json_array_end(&w);
        json_object_end(&w);
    }
    json_object_end(&w);
    return buf_str(&out);
}
