#include "agent/policy.h"

#include "agent/policy_data.h"
#include "text/inert.h"

const char *tool_approval_name(enum tool_approval approval)
{
    static const char *const names[] = {"none", "audit", "required"};

    return names[approval];
}

static const struct policy_rule *find_rule(const struct policy *policy, const struct tool *tool)
{
    const struct policy_rule *found = NULL;
    struct str name = str_from(tool->name);

    for (size_t i = 0; policy && i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        bool matches = rule->prefix ? str_starts(name, rule->name) : str_eq(name, rule->name);

        /* The longest pattern wins, a full name over all. */
        if (matches &&
            (!found || !rule->prefix || (found->prefix && rule->name.len > found->name.len)))
            found = rule;
    }
    return found;
}

static int64_t stricter(int64_t given, int64_t own)
{
    return given >= 0 ? given : own;
}

struct policy_limits policy_limits(const struct policy *policy, const struct tool *tool)
{
    const struct policy_rule *rule = find_rule(policy, tool);
    struct policy_limits limits = {tool->approval, tool->timeout_ms, tool->calls_max,
        tool->effect == TOOL_WRITE ? 0 : tool->cache_ms};

    if (!rule)
        return limits;
    if (rule->approval >= 0)
        limits.approval = (enum tool_approval)rule->approval;
    limits.timeout_ms = stricter(rule->timeout_ms, limits.timeout_ms);
    limits.calls_max = stricter(rule->calls_max, limits.calls_max);
    if (tool->effect != TOOL_WRITE)
        limits.cache_ms = stricter(rule->cache_ms, limits.cache_ms);
    return limits;
}

static bool host_char(char c)
{
    return char_is_alnum(c) || c == '.' || c == '-';
}

struct address {
    struct str whole, host;
};

/* The next address in text: a mail address or a URL. */
static bool next_address(struct str text, size_t *pos, struct address *ret_address)
{
    for (size_t i = *pos; i < text.len; i++) {
        bool url = str_starts(str_slice(text, i, text.len), STR("://"));
        size_t from = i, host = url ? i + 3 : i + 1, end, at;

        if (!url && text.ptr[i] != '@')
            continue;
        while (from > 0 && (url ? char_is_alnum(text.ptr[from - 1])
                                : !char_is_space(text.ptr[from - 1]) &&
                                       !strchr("<>,;()\"'/@", text.ptr[from - 1])))
            from--;
        for (at = host;
             url && at < text.len && !strchr("/?#", text.ptr[at]) && !char_is_space(text.ptr[at]);
             at++)
            if (text.ptr[at] == '@') /* what stands before it only looks like the host */
                host = at + 1;
        for (end = host; end < text.len && host_char(text.ptr[end]); end++)
            continue;
        ret_address->host = str_slice(text, host, end);
        while (url && end < text.len && !char_is_space(text.ptr[end]) &&
               !strchr("<>\"'", text.ptr[end]))
            end++;
        ret_address->whole = str_slice(text, from, end);
        *pos = MAX(end, i + 1);
        if (from < i && ret_address->host.len > 0)
            return true;
        i = *pos - 1;
    }
    return false;
}

/* example.com allows itself and what is below it; a mail address allows itself. */
static bool allowed(const struct policy_rule *rule, const struct address *address)
{
    for (size_t i = 0; rule && i < rule->destination_count; i++) {
        struct str one = rule->destinations[i], host = address->host;
        size_t below = host.len > one.len ? host.len - one.len : 0;

        if (str_eq_nocase(address->whole, one) || str_eq_nocase(host, one))
            return true;
        if (below > 0 && host.ptr[below - 1] == '.' &&
            str_eq_nocase(str_slice(host, below, host.len), one))
            return true;
    }
    return false;
}

/* A run of letters and digits of this length with both cases is taken for something encoded. */
#define ENCODED_MIN 16

static bool is_hex(char c)
{
    return char_is_digit(c) || (char_lower(c) >= 'a' && char_lower(c) <= 'f');
}

static bool is_encoded(struct str text)
{
    size_t run = 0, upper = 0, lower = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!char_is_alnum(c) && c != '+' && c != '/' && c != '=') {
            run = upper = lower = 0;
            continue;
        }
        run++;
        upper += c >= 'A' && c <= 'Z';
        lower += c >= 'a' && c <= 'z';
        if (run >= ENCODED_MIN && upper > 1 && lower > 1)
            return true;
    }
    return false;
}

/* The host around a dot ("evil.org"), or "". */
static struct str host_around(struct str text, size_t dot)
{
    size_t from = dot, end = dot + 1;

    if (dot == 0 || dot + 2 >= text.len || !char_is_alnum(text.ptr[dot - 1]) ||
        !char_is_alpha(text.ptr[dot + 1]) || !char_is_alpha(text.ptr[dot + 2]))
        return STR("");
    while (from > 0 && host_char(text.ptr[from - 1]))
        from--;
    while (end < text.len && host_char(text.ptr[end]))
        end++;
    return str_slice(text, from, end);
}

/* May this, in which next_address() finds nothing, lead somewhere all the same? */
static bool is_doubtful(const struct policy_rule *rule, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i], next = i + 1 < text.len ? text.ptr[i + 1] : '\0';
        struct address bare = {.host = c == '.' ? host_around(text, i) : STR("")};

        bare.whole = bare.host;
        if (c == '@' || c == '\\' || (c == '/' && next == '/') || (c == ':' && next == '/') ||
            (c == '+' && char_is_digit(next)) ||
            (c == '%' && is_hex(next) && i + 2 < text.len && is_hex(text.ptr[i + 2])))
            return true;
        if (!str_empty(bare.host) && !allowed(rule, &bare))
            return true;
    }
    return is_encoded(text);
}

/* What a browser and a library read differently is not told apart here. */
static bool is_odd(struct str whole)
{
    for (size_t i = 0; i < whole.len; i++)
        if (strchr(";,\\|", whole.ptr[i]))
            return true;
    return false;
}

static bool has_space(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (char_is_space(text.ptr[i]))
            return true;
    return false;
}

/* Is nothing in it that is not seen, or that looks like something else? */
static bool is_plain(struct str text)
{
    struct inert_found found = {0};
    struct arena arena;

    arena_init(&arena);
    (void)inert_text(&arena, text, &found);
    arena_deinit(&arena);
    return found.invisible + found.lookalike == 0;
}

struct look {
    const struct policy_rule *rule;
    const struct policy_text *text;
    size_t addresses, denied, unknown, doubts;
};

static bool was_seen(const struct look *look, struct str address)
{
    return look->text && look->text->has(look->text->ctx, address);
}

static void look_at_text(struct look *look, struct str text)
{
    size_t pos = 0, doubts = !is_plain(text);
    struct address address;

    for (size_t from = 0;; from = pos) {
        bool found = next_address(text, &pos, &address);
        size_t to = found ? (size_t)(address.whole.ptr - text.ptr) : text.len;
        bool good = found && !is_odd(address.whole) && allowed(look->rule, &address);

        doubts += is_doubtful(look->rule, str_slice(text, from, to));
        if (!found)
            break;
        look->addresses++;
        look->denied += !good;
        look->unknown += !good && !was_seen(look, address.whole);
    }
    look->doubts += doubts;
    /* Of a sentence nobody makes an address. */
    look->unknown += doubts > 0 && !has_space(text) && !was_seen(look, text);
}

static void look_at(struct look *look, const struct json *node)
{
    for (const struct json *inner = json_first(node); inner; inner = json_next(inner)) {
        look_at_text(look, json_key(inner));
        look_at(look, inner);
    }
    look_at_text(look, json_str(node));
}

/* Between these an address ends. */
static bool is_inside(struct str text, size_t at)
{
    char c = text.ptr[at];

    return char_is_alnum(c) || strchr("-_%/?&=#~+@", c) ||
           (c == '.' && at + 1 < text.len && char_is_alnum(text.ptr[at + 1]));
}

bool policy_mentions(struct str text, struct str address)
{
    for (ptrdiff_t at = str_find(text, address, 0); at >= 0 && address.len > 0;
         at = str_find(text, address, (size_t)at + 1)) {
        size_t from = (size_t)at, end = from + address.len;

        if ((from == 0 || !is_inside(text, from - 1)) && (end == text.len || !is_inside(text, end)))
            return true;
    }
    return false;
}

static struct policy_decision by_tool(const struct policy *policy, const struct tool *tool)
{
    const struct policy_rule *rule = find_rule(policy, tool);
    const char *who = rule && rule->approval >= 0 ? "policy" : "tool";

    switch (policy_limits(policy, tool).approval) {
    case TOOL_APPROVAL_REQUIRED:
        return (struct policy_decision){POLICY_ASK, who};
    case TOOL_APPROVAL_AUDIT:
        return (struct policy_decision){POLICY_AUDIT, who};
    case TOOL_APPROVAL_NONE:
        break;
    }
    return (struct policy_decision){POLICY_ALLOW, "none"};
}

static enum policy_verdict when_tainted(const struct policy_rule *rule)
{
    return rule && rule->tainted >= 0 ? (enum policy_verdict)rule->tainted : POLICY_ASK;
}

struct policy_decision policy_decide(const struct policy *policy, const struct tool *tool,
    const struct json *args, const struct taint *taint, const struct policy_text *text)
{
    const struct policy_rule *rule = find_rule(policy, tool);
    struct policy_decision decision = by_tool(policy, tool);
    struct look look = {.rule = rule, .text = text};
    bool reads = tool->effect != TOOL_WRITE || (tool->reads_only && tool->reads_only(args));
    enum policy_verdict tainted = when_tainted(rule);

    if (reads && tool->effect == TOOL_WRITE) /* nothing is changed: only taint matters */
        decision = (struct policy_decision){POLICY_ALLOW, "none"};
    if (!taint->on || tool->effect == TOOL_PURE || tainted <= decision.verdict)
        return decision;
    look_at(&look, args);
    if (reads)
        return look.unknown > 0 ? (struct policy_decision){tainted, "unknown-address"} : decision;
    if (look.addresses > 0 && look.denied == 0 && look.doubts == 0)
        return decision;
    return (struct policy_decision){tainted, "untrusted-text"};
}

bool policy_distrusts(const struct policy *policy, struct str channel)
{
    for (size_t i = 0; policy && i < policy->channel_count; i++)
        if (str_eq(policy->channels[i], channel))
            return true;
    return false;
}

int policy_check_names(const struct policy *policy, const struct tool *const *tools, size_t count)
{
    for (size_t i = 0; policy && i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        bool found = rule->prefix;

        for (size_t k = 0; k < count && !found; k++)
            found = str_is(rule->name, tools[k]->name);
        if (!found)
            return err_field(ERR_INVALID, "policy",
                "%.*s: policy.tools names %.*s, but there is no such tool.", STR_ARG(rule->place),
                STR_ARG(rule->name));
    }
    return 0;
}

static void write_rule(struct json_writer *w, const struct policy_rule *rule)
{
    static const char *const tainted[] = {"allow", "allow", "ask", "block"};

    json_name_str(w, rule->pattern);
    json_object_begin(w);
    if (rule->approval >= 0)
        json_cstr_member(w, "approval", tool_approval_name((enum tool_approval)rule->approval));
    if (rule->tainted >= 0)
        json_cstr_member(w, "untrusted_text", tainted[rule->tainted]);
    if (rule->calls_max >= 0)
        json_i64_member(w, "calls_max", rule->calls_max);
    if (rule->timeout_ms >= 0)
        json_i64_member(w, "timeout_ms", rule->timeout_ms);
    if (rule->cache_ms >= 0)
        json_i64_member(w, "cache_ms", rule->cache_ms);
    if (rule->destination_count > 0) {
        json_name(w, "destinations");
        json_array_begin(w);
        for (size_t i = 0; i < rule->destination_count; i++)
            json_put_str(w, rule->destinations[i]);
        json_array_end(w);
    }
    json_object_end(w);
}

void policy_write(struct json_writer *w, const struct policy *policy)
{
    json_object_begin(w);
    json_name(w, "tools");
    json_object_begin(w);
    for (size_t i = 0; policy && i < policy->rule_count; i++)
        write_rule(w, &policy->rules[i]);
    json_object_end(w);
    json_name(w, "untrusted_channels");
    json_array_begin(w);
    for (size_t i = 0; policy && i < policy->channel_count; i++)
        json_put_str(w, policy->channels[i]);
    json_array_end(w);
    json_object_end(w);
}
