/* What a case expects, held against what happened. */
#include "host/eval_private.h"

#include <regex.h>

#define SHOWN 160 /* bytes of a text in a message */

void eval_note(
    struct eval_result *result, const char *name, enum eval_outcome outcome, struct str message)
{
    if (result->check_count < EVAL_CHECKS_MAX)
        result->checks[result->check_count++] = (struct eval_check){name, outcome, message};
    if (outcome == EVAL_FAILED)
        result->passed = false;
}

static struct str shown(struct arena *arena, struct str text)
{
    struct str kept = utf8_truncate(text, SHOWN);

    return kept.len == text.len ? text : str_printf(arena, "%.*s…", STR_ARG(kept));
}

static void judge(struct eval_result *result, const char *name, bool passed, struct str message)
{
    eval_note(result, name, passed ? EVAL_PASSED : EVAL_FAILED, passed ? STR("") : message);
}

static void check_speaks(struct eval_result *result, struct arena *arena)
{
    const struct run_result *run = &result->run;

    if (result->what->speaks == EVAL_SPEAKS)
        judge(result, "speaks", run->spoke,
            str_printf(
                arena, "an answer was expected, and it was silent: %.*s", STR_ARG(run->reason)));
    if (result->what->speaks == EVAL_SILENT)
        judge(result, "speaks", !run->spoke,
            str_printf(arena, "silence was expected, and it said: %.*s",
                STR_ARG(shown(arena, run->reply))));
}

static bool contains(const struct json *got, const struct json *wanted);

static bool array_contains(const struct json *got, const struct json *wanted)
{
    for (const struct json *one = json_first(wanted); one; one = json_next(one)) {
        const struct json *other = json_first(got);

        while (other && !contains(other, one))
            other = json_next(other);
        if (!other)
            return false;
    }
    return true;
}

static bool object_contains(const struct json *got, const struct json *wanted)
{
    for (const struct json *one = json_first(wanted); one; one = json_next(one)) {
        const struct json *other = json_first(got);

        if (str_starts(json_key(one), STR("@")))
            continue;
        while (other && !str_eq(json_key(other), json_key(one)))
            other = json_next(other);
        if (!other || !contains(other, one))
            return false;
    }
    return true;
}

/* Is everything of wanted there? YAML writes numbers and words alike: 45 and "45" are the same. */
static bool contains(const struct json *got, const struct json *wanted)
{
    if (json_is(wanted, JSON_OBJECT))
        return json_is(got, JSON_OBJECT) && object_contains(got, wanted);
    if (json_is(wanted, JSON_ARRAY))
        return json_is(got, JSON_ARRAY) && array_contains(got, wanted);
    if (json_is(wanted, JSON_NUMBER) && json_is(got, JSON_NUMBER))
        return json_double(wanted, 0) == json_double(got, 0);
    if (json_type(wanted) != json_type(got))
        return false;
    if (json_is(wanted, JSON_STRING))
        return str_eq(json_str(wanted), json_str(got));
    return !json_is(wanted, JSON_BOOL) || json_bool(wanted, false) == json_bool(got, false);
}

static bool is_call_of(
    const struct eval_call *call, const struct eval_tool *tool, struct arena *arena)
{
    const struct json *args;

    if (!str_eq(call->tool, tool->name))
        return false;
    if (!tool->arguments)
        return true;
    return json_parse(arena, call->arguments, &args) == 0 && contains(args, tool->arguments);
}

static struct str calls_text(const struct eval_result *result, struct arena *arena)
{
    struct buf out = BUF_IN(arena);

    for (size_t i = 0; i < result->call_count; i++)
        buf_printf(&out, "%s%.*s %.*s", i > 0 ? "; " : "", STR_ARG(result->calls[i].tool),
            STR_ARG(shown(arena, result->calls[i].arguments)));
    return out.len > 0 ? buf_str(&out) : STR("none");
}

/* The members without those that carry lines. */
static void write_wanted(struct json_writer *w, const struct json *node)
{
    if (!json_is(node, JSON_OBJECT)) {
        json_put_node(w, node);
        return;
    }
    json_object_begin(w);
    for (const struct json *one = json_first(node); one; one = json_next(one)) {
        if (str_starts(json_key(one), STR("@")))
            continue;
        json_name_str(w, json_key(one));
        write_wanted(w, one);
    }
    json_object_end(w);
}

static struct str tool_text(const struct eval_tool *tool, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    buf_add_str(&out, tool->name);
    if (!tool->arguments)
        return buf_str(&out);
    buf_add_char(&out, ' ');
    json_init(&w, &out);
    write_wanted(&w, tool->arguments);
    return buf_str(&out);
}

/* Each expected call is another one. */
static void check_tools(struct eval_result *result, struct arena *arena)
{
    const struct eval_case *what = result->what;
    bool *taken = arena_array(arena, bool, result->call_count);

    for (size_t i = 0; i < what->tool_count; i++) {
        size_t k = 0;

        while (k < result->call_count &&
               (taken[k] || !is_call_of(&result->calls[k], &what->tools[i], arena)))
            k++;
        if (k < result->call_count)
            taken[k] = true;
        judge(result, "tools", k < result->call_count,
            str_printf(arena, "no call of %.*s; calls: %.*s",
                STR_ARG(tool_text(&what->tools[i], arena)), STR_ARG(calls_text(result, arena))));
    }
    if (what->no_tools)
        judge(result, "tools", result->call_count == 0,
            str_printf(arena, "no tool was to be called; calls: %.*s",
                STR_ARG(calls_text(result, arena))));
}

static void check_not_tools(struct eval_result *result, struct arena *arena)
{
    const struct eval_texts *names = &result->what->not_tools;

    for (size_t i = 0; i < names->count; i++) {
        bool called = false;

        for (size_t k = 0; k < result->call_count; k++)
            called = called || str_eq(result->calls[k].tool, names->items[i]);
        judge(result, "not_tools", !called,
            str_printf(arena, "%.*s was called: %.*s", STR_ARG(names->items[i]),
                STR_ARG(calls_text(result, arena))));
    }
}

static bool matches(struct str text, struct str pattern, struct arena *arena)
{
    regex_t regex;
    bool found;

    if (regcomp(&regex, str_cstr(arena, pattern), REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    found = regexec(&regex, str_cstr(arena, text), 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

static void check_texts(struct eval_result *result, struct arena *arena)
{
    const struct eval_case *what = result->what;
    struct str reply = result->run.spoke ? result->run.reply : STR("");
    struct str said = shown(arena, reply);

    for (size_t i = 0; i < what->contains.count; i++)
        judge(result, "contains", str_find_nocase(reply, what->contains.items[i], 0) >= 0,
            str_printf(arena, "\"%.*s\" is not in: %.*s", STR_ARG(what->contains.items[i]),
                STR_ARG(said)));
    for (size_t i = 0; i < what->not_contains.count; i++)
        judge(result, "not_contains", str_find_nocase(reply, what->not_contains.items[i], 0) < 0,
            str_printf(arena, "\"%.*s\" is in: %.*s", STR_ARG(what->not_contains.items[i]),
                STR_ARG(said)));
    for (size_t i = 0; i < what->matches.count; i++)
        judge(result, "matches", matches(reply, what->matches.items[i], arena),
            str_printf(
                arena, "/%.*s/ is not in: %.*s", STR_ARG(what->matches.items[i]), STR_ARG(said)));
}

static int64_t code_points(struct str text)
{
    int64_t count = 0;

    for (size_t pos = 0; pos < text.len; count++)
        (void)utf8_next(text, &pos);
    return count;
}

void eval_check(struct eval_result *result, struct arena *arena)
{
    const struct eval_case *what = result->what;
    int64_t chars = result->run.spoke ? code_points(result->run.reply) : 0;

    check_speaks(result, arena);
    check_tools(result, arena);
    check_not_tools(result, arena);
    check_texts(result, arena);
    if (what->max_chars > 0)
        judge(result, "max_chars", chars <= what->max_chars,
            str_printf(arena, "the answer has %lld characters, %lld are allowed", (long long)chars,
                (long long)what->max_chars));
    if (what->citations_min > 0)
        judge(result, "citations_min", (int64_t)result->run.citation_count >= what->citations_min,
            str_printf(arena, "the answer has %zu citations, %lld are wanted",
                result->run.citation_count, (long long)what->citations_min));
}
