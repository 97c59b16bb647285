/* The setting policy, a mapping:
 *
 *   policy:
 *     tools:
 *       schedule: {approval: required, calls-max: 3}
 *       crm_*: {untrusted-text: allow, destinations: [example.com]}
 *     untrusted-channels: [telegram]
 */
#include "agent/policy_data.h"
#include "base/config.h"

struct reader {
    struct policy *policy;
    const char *place; /* file:line of the setting, or its variable or flag */
    const struct json *entry;
    struct str path; /* "tools.schedule" */
};

static struct str place_of(const struct reader *r, const struct json *entry)
{
    int64_t line = json_get_i64(entry, "@line", 0);
    struct str file = str_from(r->place);
    ptrdiff_t colon = str_rfind_char(file, ':');

    if (line > 0 && colon > 0)
        return str_printf(&r->policy->arena, "%.*s:%lld", (int)colon, file.ptr, (long long)line);
    return file;
}

static int wrong(const struct reader *r, struct str member, const char *what)
{
    struct arena *arena = &r->policy->arena;
    struct str place = place_of(r, r->entry);
    const char *field = str_printf(arena, "policy%s%.*s%s%.*s", r->path.len ? "." : "",
        STR_ARG(r->path), member.len ? "." : "", STR_ARG(member))
                            .ptr;

    return err_field(ERR_INVALID, field, "%.*s: %s %s", STR_ARG(place), field, what);
}

static bool is_marker(const struct json *member)
{
    return str_is(json_key(member), "@line");
}

/* Which of the names; -1 none. */
static int choice(const struct json *node, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (json_is(node, JSON_STRING) && str_is(json_str(node), names[i]))
            return (int)i;
    return -1;
}

static int read_list(
    const struct reader *r, const struct json *list, struct str **ret_list, size_t *ret_count)
{
    struct arena *arena = &r->policy->arena;
    struct str *out = arena_array(arena, struct str, json_len(list));
    size_t count = 0;

    if (!json_is(list, JSON_ARRAY))
        return wrong(r, json_key(list), "must be a list");
    for (const struct json *one = json_first(list); one; one = json_next(one)) {
        struct str text = str_trim(json_str(one));

        if (str_empty(text))
            return wrong(r, json_key(list), "must be a list of texts");
        out[count++] = str_dup(arena, text);
    }
    *ret_list = out;
    *ret_count = count;
    return 0;
}

static int read_number(
    const struct reader *r, const struct json *member, int64_t most, int64_t *ret_number)
{
    int64_t number = json_i64(member, -1);

    if (number < 0 || number > most)
        return wrong(r, json_key(member),
            str_printf(&r->policy->arena, "must be a whole number from 0 to %lld", (long long)most)
                .ptr);
    *ret_number = number;
    return 0;
}

static int read_member(struct reader *r, const struct json *member, struct policy_rule *rule)
{
    static const char *const approvals[] = {"none", "audit", "required"};
    static const char *const tainted[] = {"allow", "ask", "block"};
    static const int verdicts[] = {POLICY_ALLOW, POLICY_ASK, POLICY_BLOCK};
    struct str key = json_key(member);
    int which;

    if (str_is(key, "approval")) {
        rule->approval = choice(member, approvals, ARRAY_LEN(approvals));
        return rule->approval < 0 ? wrong(r, key, "must be none, audit or required") : 0;
    }
    if (str_is(key, "untrusted-text")) {
        which = choice(member, tainted, ARRAY_LEN(tainted));
        if (which < 0)
            return wrong(r, key, "must be allow, ask or block");
        rule->tainted = verdicts[which];
        return 0;
    }
    if (str_is(key, "calls-max"))
        return read_number(r, member, 1000, &rule->calls_max);
    if (str_is(key, "timeout-ms"))
        return read_number(r, member, HOUR_MS, &rule->timeout_ms);
    if (str_is(key, "cache-ms"))
        return read_number(r, member, DAY_MS, &rule->cache_ms);
    if (str_is(key, "destinations"))
        return read_list(r, member, &rule->destinations, &rule->destination_count);
    return wrong(r, key,
        "is not known here; known are approval, untrusted-text, calls-max, timeout-ms, cache-ms "
        "and destinations");
}

static int read_rule(struct reader *r, const struct json *entry, struct policy_rule *rule)
{
    struct arena *arena = &r->policy->arena;
    struct str pattern = str_dup(arena, json_key(entry));
    int rc = 0;

    r->entry = entry;
    r->path = str_printf(arena, "tools.%.*s", STR_ARG(pattern));
    *rule = (struct policy_rule){.pattern = pattern,
        .name = pattern,
        .place = place_of(r, entry),
        .approval = -1,
        .tainted = -1,
        .calls_max = -1,
        .timeout_ms = -1,
        .cache_ms = -1};
    if (str_ends(pattern, STR("*"))) {
        rule->prefix = true;
        rule->name.len--;
    }
    if (!json_is(entry, JSON_OBJECT))
        return wrong(r, STR(""), "must be a mapping");
    for (const struct json *m = json_first(entry); m && rc == 0; m = json_next(m))
        if (!is_marker(m))
            rc = read_member(r, m, rule);
    return rc;
}

static int read_tools(struct reader *r, const struct json *tools)
{
    struct policy *policy = r->policy;
    int rc = 0;

    if (!json_is(tools, JSON_OBJECT))
        return wrong(r, STR("tools"), "must be a mapping of tools to what holds for them");
    policy->rules = arena_array(&policy->arena, struct policy_rule, json_len(tools));
    for (const struct json *one = json_first(tools); one && rc == 0; one = json_next(one))
        if (!is_marker(one))
            rc = read_rule(r, one, &policy->rules[policy->rule_count++]);
    return rc;
}

static int read_all(struct reader *r, const struct json *root)
{
    int rc = 0;

    r->entry = root;
    if (!json_is(root, JSON_OBJECT))
        return wrong(r, STR(""), "must be a mapping; see docs/approvals.md");
    for (const struct json *m = json_first(root); m && rc == 0; m = json_next(m)) {
        r->entry = root;
        r->path = STR("");
        if (is_marker(m))
            continue;
        if (str_is(json_key(m), "tools"))
            rc = read_tools(r, m);
        else if (str_is(json_key(m), "untrusted-channels"))
            rc = read_list(r, m, &r->policy->channels, &r->policy->channel_count);
        else
            rc = wrong(r, json_key(m), "is not known here; known are tools and untrusted-channels");
    }
    return rc;
}

static const char *place_of_setting(const struct config *config)
{
    const char *place = NULL;

    for (size_t i = 0; i < config_settings_count; i++)
        if (strcmp(config_settings[i].name, "policy") == 0)
            (void)config_origin(config, i, &place);
    return place ? place : "policy";
}

int policy_open(const struct config *config, struct policy **ret_policy)
{
    struct policy *policy = xcalloc(1, sizeof(*policy));
    struct reader reader = {.policy = policy, .place = place_of_setting(config), .path = STR("")};
    struct str text = str_trim(str_from(config->policy));
    const struct json *root;
    int rc = 0;

    arena_init(&policy->arena);
    if (!str_empty(text)) {
        rc = json_parse(&policy->arena, text, &root);
        if (rc < 0)
            rc = err_wrap("%s: policy", reader.place);
        else
            rc = read_all(&reader, root);
    }
    if (rc < 0) {
        struct err cause = *err_get();

        policy_free(policy);
        *err_get() = cause;
        return rc;
    }
    *ret_policy = policy;
    return 0;
}

void policy_free(struct policy *policy)
{
    if (!policy)
        return;
    arena_deinit(&policy->arena);
    free(policy);
}
