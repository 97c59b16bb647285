#include "agent/guard.h"

#include "agent/named.h"

#define GUARDS_MAX 16

static const struct guard *const none[] = {NULL};
static const struct guard *const *registered = none;

void guard_register(const struct guard *const *guards)
{
    registered = guards;
}

static const struct guard *find_guard(struct str name)
{
    for (const struct guard *const *one = registered; *one; one++)
        if ((*one)->phases != 0 && str_is(name, (*one)->name))
            return *one;
    return NULL;
}

/* The names that may be declared in this phase. */
static const char *known(struct arena *arena, enum guard_phase phase)
{
    struct buf out = BUF_IN(arena);

    for (const struct guard *const *one = registered; *one; one++)
        if ((*one)->phases & phase)
            buf_printf(&out, "%s%s", out.len > 0 ? ", " : "", (*one)->name);
    return buf_str(&out).ptr;
}

static bool is_marker(const struct json *member)
{
    return str_is(json_key(member), "@line");
}

static int read_use(struct arena *arena, const struct json *node, enum guard_phase phase,
    struct guard_use *ret_use, const struct json **ret_place)
{
    const struct json *options = NULL;
    struct str name = STR("");
    int rc = named_read(node, &name, &options, ret_place);
    const struct guard *guard = rc == 0 ? find_guard(name) : NULL;

    if (rc < 0)
        return rc;
    if (!guard || !(guard->phases & phase))
        return err_set(ERR_INVALID, "names %.*s, and there is no such guard %s; there are: %s",
            (int)MIN(name.len, (size_t)60), name.len ? name.ptr : "nothing",
            phase == GUARD_BEFORE ? "before a run" : "after a run", known(arena, phase));
    *ret_use = (struct guard_use){.guard = guard};
    return named_options(arena, guard->name, guard->options, options, &ret_use->options);
}

static int read_phase(struct arena *arena, const struct json *list, enum guard_phase phase,
    struct guard_use **ret_uses, size_t *ret_count, const struct json **ret_place)
{
    const struct json *place = *ret_place;
    struct guard_use *uses = arena_array(arena, struct guard_use, GUARDS_MAX);
    size_t count = 0;

    if (!json_is(list, JSON_ARRAY) || json_len(list) > GUARDS_MAX)
        return err_set(ERR_INVALID, "must have a list of up to %d guards in %.*s", GUARDS_MAX,
            STR_ARG(json_key(list)));
    for (const struct json *one = json_first(list); one; one = json_next(one)) {
        int rc = read_use(arena, one, phase, &uses[count], ret_place);

        for (size_t i = 0; rc == 0 && i < count; i++)
            if (uses[i].guard == uses[count].guard)
                rc = err_set(ERR_INVALID, "names %s twice", uses[i].guard->name);
        if (rc < 0)
            return rc;
        count++;
        *ret_place = place;
    }
    *ret_uses = uses;
    *ret_count = count;
    return 0;
}

int guard_set_read(struct arena *arena, const struct json *node, struct guard_set *ret_set,
    const struct json **ret_place)
{
    struct guard_set set = {.declared = true};
    int rc = 0;

    if (!json_is(node, JSON_OBJECT))
        return err_set(ERR_INVALID, "must be a mapping with before and after");
    *ret_place = node;
    for (const struct json *one = json_first(node); one && rc == 0; one = json_next(one)) {
        if (str_is(json_key(one), "before"))
            rc = read_phase(arena, one, GUARD_BEFORE, &set.before, &set.before_count, ret_place);
        else if (str_is(json_key(one), "after"))
            rc = read_phase(arena, one, GUARD_AFTER, &set.after, &set.after_count, ret_place);
        else if (!is_marker(one))
            rc = err_set(ERR_INVALID, "has no member %.*s; known are before and after",
                (int)MIN(json_key(one).len, (size_t)60), json_key(one).ptr);
    }
    if (rc == 0)
        *ret_set = set;
    return rc;
}
