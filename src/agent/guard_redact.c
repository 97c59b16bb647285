/* redact: personal data. Before a run, what a model is shown has a placeholder for each
 * ("[EMAIL_1]", the same one for the same address throughout the run), and what the model says gets
 * the data back, in its tool calls too: it can work with an address that it never sees. After a
 * run, the answer has a mark instead ("[email]").
 *
 * Text that has looked like a placeholder from the beginning gets one of its own, so that nobody
 * can write "[EMAIL_1]" and have it filled in. Keys, passwords and tokens (secure/redact.h) no
 * model has a use for: they do not come back.
 */
#include "agent/guard.h"
#include "secure/redact.h"
#include "text/personal.h"

#include <stdlib.h>

#define LITERAL PERSONAL_KINDS /* text in the shape of a placeholder */
#define KINDS (PERSONAL_KINDS + 1)

static const char *const marks[KINDS] = {"EMAIL", "PHONE", "CARD", "IBAN", "TEXT"};

struct hidden {
    struct str original;
    int kind;
    size_t number;
};

struct redaction {
    struct hidden *all;
    size_t count, capacity;
    size_t counts[KINDS];
    bool secrets; /* some were taken out */
};

struct work {
    const struct guard_call *call;
    struct redaction *redaction; /* NULL: the answer gets marks */
    struct buf out;
    size_t counts[PERSONAL_KINDS];
    bool changed;
};

static unsigned kinds_of(const struct json *options)
{
    const struct json *list = json_get(options, "kinds");
    unsigned kinds = 0;

    if (!list)
        return ~0u;
    for (const struct json *one = json_first(list); one; one = json_next(one))
        for (int kind = 0; kind < PERSONAL_KINDS; kind++)
            if (str_is(json_str(one), personal_kind_name(kind)))
                kinds |= 1u << kind;
    return kinds;
}

static const struct hidden *hide(
    struct redaction *r, struct arena *arena, int kind, struct str text)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->all[i].kind == kind && str_eq(r->all[i].original, text))
            return &r->all[i];
    if (r->count == r->capacity) {
        size_t capacity = r->capacity * 2 + 8;

        r->all =
            arena_grow(arena, r->all, r->capacity * sizeof(*r->all), capacity * sizeof(*r->all));
        r->capacity = capacity;
    }
    r->all[r->count] = (struct hidden){str_dup(arena, text), kind, ++r->counts[kind]};
    return &r->all[r->count++];
}

static void put_hidden(struct work *work, int kind, struct str text)
{
    const struct hidden *hidden = hide(work->redaction, work->call->arena, kind, text);

    buf_printf(&work->out, "[%s_%zu]", marks[kind], hidden->number);
    work->changed = true;
}

/* "[KIND_number]" at this place? */
static bool read_mark(
    struct str text, size_t at, int *ret_kind, size_t *ret_number, size_t *ret_end)
{
    struct str rest = str_slice(text, at + 1, at + 32);
    ptrdiff_t end = str_find_char(rest, ']', 0);

    for (int kind = 0; end > 0 && kind < KINDS; kind++) {
        size_t len = strlen(marks[kind]);
        int64_t number;

        if (!str_starts(rest, str_from(marks[kind])) || rest.ptr[len] != '_' ||
            !str_to_i64(str_slice(rest, len + 1, (size_t)end), &number) || number < 1)
            continue;
        *ret_kind = kind;
        *ret_number = (size_t)number;
        *ret_end = at + (size_t)end + 2;
        return true;
    }
    return false;
}

/* Text without personal data. */
static void put_plain(struct work *work, struct str text)
{
    size_t done = 0;

    for (ptrdiff_t at = str_find_char(text, '[', 0); at >= 0 && work->redaction;
         at = str_find_char(text, '[', (size_t)at + 1)) {
        size_t number, end;
        int kind;

        if (!read_mark(text, (size_t)at, &kind, &number, &end))
            continue;
        buf_add_str(&work->out, str_slice(text, done, (size_t)at));
        put_hidden(work, LITERAL, str_slice(text, (size_t)at, end));
        done = end;
    }
    buf_add_str(&work->out, str_slice(text, done, text.len));
}

static void take_text(struct work *work, struct str text)
{
    unsigned kinds = kinds_of(work->call->options);
    struct personal_span span;
    size_t done = 0;

    for (size_t pos = 0; personal_next(text, kinds, &pos, &span); done = span.to) {
        struct str found = str_slice(text, span.from, span.to);

        put_plain(work, str_slice(text, done, span.from));
        work->counts[span.kind]++;
        work->changed = true;
        if (work->redaction)
            put_hidden(work, (int)span.kind, found);
        else
            buf_printf(&work->out, "[%s]", personal_kind_name(span.kind));
    }
    put_plain(work, str_slice(text, done, text.len));
}

/* What is hidden in the run so far, or was in the answer. */
static struct str tell(const struct work *work, bool secrets)
{
    const size_t *counts = work->redaction ? work->redaction->counts : work->counts;
    struct buf out = BUF_IN(work->call->arena);

    for (int kind = 0; kind < PERSONAL_KINDS; kind++)
        if (counts[kind] > 0)
            buf_printf(&out, "%s%zu %s", out.len ? ", " : "", counts[kind],
                personal_kind_name((enum personal_kind)kind));
    if (secrets)
        buf_printf(&out, "%ssecrets", out.len ? ", " : "");
    return buf_str(&out);
}

static int check(const struct guard_call *call, struct guard_finding *ret_finding)
{
    struct work work = {.call = call, .out = BUF_IN(call->arena)};
    struct str text = call->text;
    bool secrets = false;

    if (call->phase == GUARD_BEFORE) {
        if (!*call->state)
            *call->state = arena_new(call->arena, struct redaction);
        work.redaction = *call->state;
    }
    if (json_get_bool(call->options, "secrets", true)) {
        text = redact(call->arena, text);
        secrets = text.ptr != call->text.ptr;
    }
    take_text(&work, text);
    if (!work.changed && !secrets)
        return GUARD_PASS;
    if (work.redaction)
        secrets = work.redaction->secrets = work.redaction->secrets || secrets;
    ret_finding->text = buf_str(&work.out);
    ret_finding->reason = tell(&work, secrets);
    return GUARD_CHANGED;
}

static const struct hidden *find(const struct redaction *r, int kind, size_t number)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->all[i].kind == kind && r->all[i].number == number)
            return &r->all[i];
    return NULL;
}

static struct str restore(const struct guard_call *call, struct str text)
{
    const struct redaction *r = *call->state;
    struct buf out = BUF_IN(call->arena);
    size_t done = 0;

    if (!r || r->count == 0)
        return text;
    for (ptrdiff_t at = str_find_char(text, '[', 0); at >= 0;
         at = str_find_char(text, '[', (size_t)at + 1)) {
        const struct hidden *hidden;
        size_t number, end;
        int kind;

        if (!read_mark(text, (size_t)at, &kind, &number, &end))
            continue;
        hidden = find(r, kind, number);
        if (!hidden)
            continue;
        buf_add_str(&out, str_slice(text, done, (size_t)at));
        buf_add_str(&out, hidden->original);
        done = end;
    }
    if (done == 0)
        return text;
    buf_add_str(&out, str_slice(text, done, text.len));
    return buf_str(&out);
}

const struct guard guard_redact = {
    .name = "redact",
    .phases = GUARD_BEFORE | GUARD_AFTER,
    .options =
        "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
        "\"kinds\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"string\",\"enum\":["
        "\"email\",\"phone\",\"card\",\"iban\"]}},"
        "\"secrets\":{\"type\":\"boolean\"}}}",
    .rewrites = true,
    .check = check,
    .restore = restore,
};
