/* The file of cases: YAML, read strictly, so that no misspelt expectation passes unseen. */
#include "host/eval_private.h"
#include "text/zone.h"

#include <regex.h>

struct reader {
    const char *path;
    struct arena *arena;
    const struct json *defaults; /* may be NULL */
    char where[100];             /* "case 2 (books a call)" */
};

static bool is_line(const struct json *member)
{
    return str_starts(json_key(member), STR("@"));
}

/* The line of a member, or of the mapping. */
static int64_t line_of(const struct json *object, const char *name)
{
    char key[80];

    snprintf(key, sizeof(key), "@%s", name);
    return json_get_i64(object, key, json_get_i64(object, "@line", 0));
}

static int wrong(const struct reader *r, const struct json *object, const char *field,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

static int wrong(
    const struct reader *r, const struct json *object, const char *field, const char *fmt, ...)
{
    char text[300];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return err_field(ERR_INVALID, field, "%s:%lld: %s%s%s %s", r->path,
        (long long)line_of(object, field), r->where, r->where[0] ? ": " : "", field, text);
}

/* Every member must be one of names, once. */
static int check_names(
    const struct reader *r, const struct json *object, const char *const *names, size_t count)
{
    for (const struct json *one = json_first(object); one; one = json_next(one)) {
        char known[300] = "", name[64];
        bool found = is_line(one);
        size_t len = 0;

        for (size_t i = 0; i < count; i++) {
            found = found || str_is(json_key(one), names[i]);
            len += (size_t)snprintf(
                known + len, sizeof(known) - len, "%s%s", i > 0 ? ", " : "", names[i]);
        }
        snprintf(name, sizeof(name), "%.*s", STR_ARG(json_key(one)));
        if (!found)
            return wrong(r, object, name, "is not known here; there are: %s", known);
        for (const struct json *other = json_next(one); other && !is_line(one);
             other = json_next(other))
            if (str_eq(json_key(one), json_key(other)))
                return wrong(r, object, name, "stands there twice");
    }
    return 0;
}

static int read_text(
    const struct reader *r, const struct json *object, const char *name, struct str *ret_text)
{
    const struct json *node = json_get(object, name);

    if (!node)
        return 0;
    if (json_is(node, JSON_NUMBER))
        *ret_text = json_text(r->arena, node);
    else if (json_is(node, JSON_STRING) && !str_empty(str_trim(json_str(node))))
        *ret_text = json_str(node);
    else
        return wrong(r, object, name, "must be a text");
    return 0;
}

static int read_bool(
    const struct reader *r, const struct json *object, const char *name, bool *ret_value)
{
    const struct json *node = json_get(object, name);

    if (!node)
        return 0;
    if (!json_is(node, JSON_BOOL))
        return wrong(r, object, name, "must be true or false");
    *ret_value = json_bool(node, false);
    return 0;
}

static int read_count(
    const struct reader *r, const struct json *object, const char *name, int64_t *ret_value)
{
    const struct json *node = json_get(object, name);

    if (!node)
        return 0;
    if (json_i64(node, 0) < 1)
        return wrong(r, object, name, "must be a number of 1 or more");
    *ret_value = json_i64(node, 0);
    return 0;
}

/* One text, or a list of texts. */
static int read_texts(const struct reader *r, const struct json *object, const char *name,
    struct eval_texts *ret_texts)
{
    const struct json *node = json_get(object, name);
    bool list = json_is(node, JSON_ARRAY);
    struct eval_texts texts = {0};

    if (!node)
        return 0;
    texts.items = arena_array(r->arena, struct str, list ? json_len(node) : 1);
    for (const struct json *one = list ? json_first(node) : node; one;
         one = list ? json_next(one) : NULL) {
        struct str text = json_is(one, JSON_NUMBER) ? json_text(r->arena, one) : json_str(one);

        if (str_empty(text))
            return wrong(r, object, name, "must be a text, or a list of texts");
        texts.items[texts.count++] = text;
    }
    *ret_texts = texts;
    return 0;
}

static int check_patterns(
    const struct reader *r, const struct json *object, const struct eval_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        regex_t regex;
        char why[120];
        int rc = regcomp(&regex, str_cstr(r->arena, texts->items[i]), REG_EXTENDED | REG_NOSUB);

        if (rc != 0) {
            regerror(rc, &regex, why, sizeof(why));
            return wrong(r, object, "matches", "is no regular expression: %.*s: %s",
                (int)MIN(texts->items[i].len, (size_t)80), texts->items[i].ptr, why);
        }
        regfree(&regex);
    }
    return 0;
}

static int read_tool(const struct reader *r, const struct json *expect, const struct json *node,
    struct eval_tool *ret_tool)
{
    static const char *const names[] = {"name", "arguments"};
    int rc;

    if (json_is(node, JSON_STRING) && !str_empty(json_str(node))) {
        *ret_tool = (struct eval_tool){.name = json_str(node)};
        return 0;
    }
    if (!json_is(node, JSON_OBJECT))
        return wrong(r, expect, "tools", "holds names, or mappings of name and arguments");
    rc = check_names(r, node, names, ARRAY_LEN(names));
    if (rc < 0)
        return rc;
    *ret_tool = (struct eval_tool){json_get_str(node, "name"), json_get(node, "arguments")};
    if (str_empty(ret_tool->name))
        return wrong(r, node, "name", "is missing: which tool?");
    if (ret_tool->arguments && !json_is(ret_tool->arguments, JSON_OBJECT))
        return wrong(r, node, "arguments", "must be a mapping");
    return 0;
}

static int read_tools(const struct reader *r, const struct json *expect, struct eval_case *ret_case)
{
    const struct json *list = json_get(expect, "tools");
    int rc = 0;

    if (!list)
        return 0;
    if (!json_is(list, JSON_ARRAY))
        return wrong(r, expect, "tools", "must be a list; an empty one: no tool is called");
    ret_case->no_tools = json_len(list) == 0;
    ret_case->tools = arena_array(r->arena, struct eval_tool, json_len(list));
    for (const struct json *one = json_first(list); one && rc == 0; one = json_next(one))
        rc = read_tool(r, expect, one, &ret_case->tools[ret_case->tool_count++]);
    return rc;
}

static int read_expect(const struct reader *r, const struct json *one, struct eval_case *ret_case)
{
    static const char *const names[] = {"speaks", "tools", "not_tools", "contains", "not_contains",
        "matches", "max_chars", "citations_min", "judge"};
    const struct json *expect = json_get(one, "expect");
    bool speaks = false;
    int rc;

    if (!json_is(expect, JSON_OBJECT) || json_len(expect) < 2)
        return wrong(r, one, "expect", "is missing: say what the case expects");
    rc = check_names(r, expect, names, ARRAY_LEN(names));
    if (rc == 0)
        rc = read_bool(r, expect, "speaks", &speaks);
    if (rc == 0 && json_get(expect, "speaks"))
        ret_case->speaks = speaks ? EVAL_SPEAKS : EVAL_SILENT;
    if (rc == 0)
        rc = read_tools(r, expect, ret_case);
    if (rc == 0)
        rc = read_texts(r, expect, "not_tools", &ret_case->not_tools);
    if (rc == 0)
        rc = read_texts(r, expect, "contains", &ret_case->contains);
    if (rc == 0)
        rc = read_texts(r, expect, "not_contains", &ret_case->not_contains);
    if (rc == 0)
        rc = read_texts(r, expect, "matches", &ret_case->matches);
    if (rc == 0)
        rc = check_patterns(r, expect, &ret_case->matches);
    if (rc == 0)
        rc = read_count(r, expect, "max_chars", &ret_case->max_chars);
    if (rc == 0)
        rc = read_count(r, expect, "citations_min", &ret_case->citations_min);
    return rc < 0 ? rc : read_text(r, expect, "judge", &ret_case->judge);
}

/* A line without quotation marks is a mapping for YAML: {Ana: hi}. */
static int add_line(
    const struct reader *r, const struct json *one, const struct json *line, struct buf *out)
{
    if (json_is(line, JSON_STRING)) {
        buf_printf(out, "%.*s\n", STR_ARG(json_str(line)));
        return 0;
    }
    for (const struct json *member = json_first(line); member; member = json_next(member)) {
        if (is_line(member))
            continue;
        if (!json_is(member, JSON_STRING) && !json_is(member, JSON_NUMBER))
            return wrong(r, one, "chat", "holds lines \"party: message\"");
        buf_printf(out, "%.*s: %.*s\n", STR_ARG(json_key(member)),
            STR_ARG(json_is(member, JSON_STRING) ? json_str(member) : json_text(r->arena, member)));
    }
    return json_is(line, JSON_OBJECT) ? 0 : wrong(r, one, "chat", "holds lines \"party: message\"");
}

static int read_chat(const struct reader *r, const struct json *one, struct transcript *ret_chat)
{
    const struct json *node = json_get(one, "chat");
    struct buf text = BUF_IN(r->arena);
    int rc = 0;

    if (json_is(node, JSON_STRING))
        buf_add_str(&text, json_str(node));
    else if (!json_is(node, JSON_ARRAY))
        return wrong(r, one, "chat", "is missing: lines \"party: message\"");
    for (const struct json *line = json_is(node, JSON_ARRAY) ? json_first(node) : NULL;
         line && rc == 0; line = json_next(line))
        rc = add_line(r, one, line, &text);
    if (rc == 0 && transcript_parse(r->arena, buf_str(&text), ret_chat) < 0) {
        struct err cause = *err_get();

        return wrong(r, one, "chat", "cannot be read: %s", cause.message);
    }
    return rc;
}

/* What a case does not say itself may stand in defaults. */
static const struct json *source_of(
    const struct reader *r, const struct json *one, const char *name)
{
    return json_get(one, name) || !r->defaults ? one : r->defaults;
}

static int read_scene(const struct reader *r, const struct json *one, struct eval_case *ret_case)
{
    struct str now = STR("");
    const struct json *from = source_of(r, one, "time_zone");
    int rc = read_text(r, from, "time_zone", &ret_case->time_zone);

    if (rc == 0 && !str_empty(ret_case->time_zone) && !zone_get(ret_case->time_zone))
        rc = wrong(r, from, "time_zone", "must be an IANA name such as Europe/Madrid");
    if (rc == 0)
        rc = read_text(r, source_of(r, one, "now"), "now", &now);
    if (rc == 0 && !str_empty(now) && !rfc3339_parse(now, &ret_case->now_ms, NULL))
        rc = wrong(
            r, source_of(r, one, "now"), "now", "must be a time such as 2026-03-02T09:00:00+01:00");
    if (rc == 0)
        rc = read_text(r, source_of(r, one, "agent"), "agent", &ret_case->agent);
    if (rc == 0)
        rc = read_text(r, source_of(r, one, "model"), "model", &ret_case->model);
    if (rc == 0)
        rc = read_text(
            r, source_of(r, one, "system_prompt"), "system_prompt", &ret_case->system_prompt);
    return rc < 0
               ? rc
               : read_bool(r, source_of(r, one, "must_reply"), "must_reply", &ret_case->must_reply);
}

static int read_case(
    struct reader *r, const struct json *one, size_t number, struct eval_case *ret_case)
{
    static const char *const names[] = {"name", "chat", "agent", "model", "time_zone", "now",
        "system_prompt", "must_reply", "expect"};
    int rc;

    snprintf(r->where, sizeof(r->where), "case %zu", number);
    if (!json_is(one, JSON_OBJECT))
        return err_set(ERR_INVALID, "%s: case %zu must be a mapping of name, chat and expect",
            r->path, number);
    *ret_case = (struct eval_case){
        .name = str_printf(r->arena, "case %zu", number), .line = json_get_i64(one, "@line", 0)};
    rc = read_text(r, one, "name", &ret_case->name);
    if (rc == 0 && json_get(one, "name"))
        snprintf(r->where, sizeof(r->where), "case %zu (%.*s)", number,
            (int)MIN(ret_case->name.len, (size_t)60), ret_case->name.ptr);
    if (rc == 0)
        rc = check_names(r, one, names, ARRAY_LEN(names));
    if (rc == 0)
        rc = read_chat(r, one, &ret_case->chat);
    if (rc == 0)
        rc = read_scene(r, one, ret_case);
    return rc < 0 ? rc : read_expect(r, one, ret_case);
}

static int read_root(struct reader *r, const struct json *root, struct eval_file *ret_file)
{
    static const char *const names[] = {"cases", "defaults"};
    static const char *const defaults[] = {
        "agent", "model", "time_zone", "now", "system_prompt", "must_reply"};
    const struct json *list = json_get(root, "cases");
    int rc;

    if (!json_is(root, JSON_OBJECT))
        return err_set(ERR_INVALID, "%s: a file of cases begins with \"cases:\"", r->path);
    rc = check_names(r, root, names, ARRAY_LEN(names));
    if (rc == 0 && (!json_is(list, JSON_ARRAY) || json_len(list) == 0))
        rc = wrong(r, root, "cases", "must be a list with at least one case");
    if (rc < 0)
        return rc;
    r->defaults = json_get(root, "defaults");
    if (r->defaults && !json_is(r->defaults, JSON_OBJECT))
        return wrong(r, root, "defaults", "must be a mapping");
    if (r->defaults)
        rc = check_names(r, r->defaults, defaults, ARRAY_LEN(defaults));
    ret_file->cases = arena_array(r->arena, struct eval_case, json_len(list));
    for (const struct json *one = json_first(list); one && rc == 0; one = json_next(one)) {
        rc = read_case(r, one, ret_file->count + 1, &ret_file->cases[ret_file->count]);
        ret_file->count++;
    }
    return rc;
}

int eval_read(const char *path, struct str text, struct arena *arena, struct eval_file *ret_file)
{
    struct reader r = {.path = path, .arena = arena};
    struct buf out = BUF_IN(arena);
    const struct json *root;
    int rc = 0;

    if (!utf8_valid(text))
        return err_set(ERR_INVALID, "%s is not valid UTF-8", path);
    rc = config_yaml_to_json(text, path, &out);
    if (rc == 0)
        rc = json_parse(arena, buf_str(&out), &root);
    *ret_file = (struct eval_file){.path = path};
    return rc < 0 ? rc : read_root(&r, root, ret_file);
}
