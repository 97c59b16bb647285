/* The setting "mcp": a mapping of names to servers, or a list of servers with names. */
#include "tools/mcp_private.h"

#include <unistd.h>

#define SERVERS_MAX 64
#define TIMEOUT_MS_MAX HOUR_MS
#define RESULT_BYTES_MAX (1 * MIB)

struct reader {
    struct mcp *mcp;
    const char *setting, *noun;
    const char *place; /* of the whole setting */
    char *const *env;
    const struct json *entry;
    struct mcp_server *server;
};

static int wrong(const struct reader *r, const char *what)
{
    int64_t line = json_get_i64(r->entry, "@line", 0);
    struct str file = str_from(r->place);
    ptrdiff_t colon = str_rfind_char(file, ':');

    if (line > 0 && colon > 0)
        return err_field(ERR_INVALID, r->setting, "%.*s:%lld: the %s %s: %s", (int)colon, file.ptr,
            (long long)line, r->noun, r->server->name.ptr ? r->server->name.ptr : "?", what);
    return err_field(ERR_INVALID, r->setting, "%s: the %s %s: %s", r->place, r->noun,
        r->server->name.ptr ? r->server->name.ptr : "?", what);
}

static const char *env_value(char *const *env, struct str name)
{
    for (; env && *env; env++)
        if (str_starts(str_from(*env), name) && (*env)[name.len] == '=')
            return *env + name.len + 1;
    return NULL;
}

/* text with ${NAME} replaced by the variable of Theo's environment. */
static int expand(const struct reader *r, struct str text, struct str *ret_text)
{
    struct arena *arena = &r->mcp->arena;
    struct buf out = BUF_IN(arena);
    size_t at = 0;

    for (;;) {
        ptrdiff_t from = str_find(text, STR("${"), at);
        ptrdiff_t to = from < 0 ? -1 : str_find_char(text, '}', (size_t)from);
        const char *value;
        struct str name;

        if (to < 0)
            break;
        name = str_slice(text, (size_t)from + 2, (size_t)to);
        value = env_value(r->env, name);
        if (!value)
            return wrong(
                r, str_printf(arena, "the environment has no variable %.*s", STR_ARG(name)).ptr);
        buf_add_str(&out, str_slice(text, at, (size_t)from));
        buf_add_cstr(&out, value);
        at = (size_t)to + 1;
    }
    buf_add_str(&out, str_slice(text, at, text.len));
    *ret_text = str_dup(arena, buf_str(&out));
    return 0;
}

static bool header_safe(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return false;
    return true;
}

static bool is_marker(const struct json *member)
{
    return str_is(json_key(member), "@line");
}

static int read_headers(struct reader *r)
{
    const struct json *headers = json_get(r->entry, "headers");
    int rc = 0;

    if (headers && !json_is(headers, JSON_OBJECT))
        return wrong(r, "headers must be a mapping of names to values");
    r->server->headers = arena_array(&r->mcp->arena, struct http_header, json_len(headers));
    for (const struct json *h = json_first(headers); h && rc == 0; h = json_next(h)) {
        struct http_header *header = &r->server->headers[r->server->header_count];

        if (is_marker(h))
            continue;
        header->name = str_dup(&r->mcp->arena, json_key(h));
        rc = expand(r, json_str(h), &header->value);
        if (rc == 0 && (str_empty(header->value) || !header_safe(header->value) ||
                           !header_safe(header->name) || str_find_char(header->name, ':', 0) >= 0))
            rc = wrong(r, "a header is empty or holds control characters");
        r->server->header_count++;
    }
    return rc;
}

static int read_args(struct reader *r, struct str command)
{
    const struct json *args = json_get(r->entry, "args");
    struct arena *arena = &r->mcp->arena;
    size_t count = 0;
    int rc = 0;

    if (args && !json_is(args, JSON_ARRAY))
        return wrong(r, "args must be a list");
    r->server->argv = arena_array(arena, char *, json_len(args) + 2);
    r->server->argv[count++] = str_cstr(arena, command);
    for (const struct json *a = json_first(args); a && rc == 0; a = json_next(a)) {
        struct str text = json_is(a, JSON_STRING) ? json_str(a) : json_text(arena, a);

        rc = expand(r, text, &text);
        if (rc == 0)
            r->server->argv[count++] = str_cstr(arena, text);
    }
    return rc;
}

/* A child sees what programs need to run and what it is given, not Theo's own secrets. */
static int read_env(struct reader *r)
{
    static const char *const kept[] = {"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"};
    const struct json *vars = json_get(r->entry, "env");
    struct arena *arena = &r->mcp->arena;
    size_t count = 0;
    int rc = 0;

    if (vars && !json_is(vars, JSON_OBJECT))
        return wrong(r, "env must be a mapping of names to values");
    r->server->envp = arena_array(arena, char *, json_len(vars) + ARRAY_LEN(kept) + 1);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        const char *value = env_value(r->env, str_from(kept[i]));

        if (value && !json_get(vars, kept[i]))
            r->server->envp[count++] =
                (char *)(uintptr_t)str_printf(arena, "%s=%s", kept[i], value).ptr;
    }
    for (const struct json *v = json_first(vars); v && rc == 0; v = json_next(v)) {
        struct str key = json_key(v), text;

        if (is_marker(v))
            continue;
        text = json_is(v, JSON_STRING) ? json_str(v) : json_text(arena, v);
        rc = expand(r, text, &text);
        if (rc == 0)
            r->server->envp[count++] =
                (char *)(uintptr_t)str_printf(arena, "%.*s=%.*s", STR_ARG(key), STR_ARG(text)).ptr;
    }
    return rc;
}

static bool good_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!char_is_alnum(name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '_')
            return false;
    return name.len > 0 && name.len <= 24 && str_find(name, STR("__"), 0) < 0;
}

/* A value of another kind would be passed over. */
static int check_kind(const struct reader *r, const struct json *m)
{
    static const struct {
        const char *name, *kind;
        enum json_type type;
    } kinds[] = {{"url", "text", JSON_STRING}, {"command", "text", JSON_STRING},
        {"cwd", "text", JSON_STRING}, {"description", "text", JSON_STRING},
        {"timeout_ms", "a whole number", JSON_NUMBER},
        {"max_result_bytes", "a whole number", JSON_NUMBER},
        {"trust_annotations", "true or false", JSON_BOOL}};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_is(json_key(m), kinds[i].name) && !json_is(m, kinds[i].type))
            return wrong(
                r, str_printf(&r->mcp->arena, "%s must be %s", kinds[i].name, kinds[i].kind).ptr);
    return 0;
}

static int check_members(const struct reader *r)
{
    static const char *const names[] = {"@line", "name", "url", "headers", "read_only",
        "timeout_ms", "max_result_bytes", "description", "command", "args", "env", "cwd", "tools",
        "trust_annotations"};
    const char *const *known = names;
    size_t count = str_is(str_from(r->setting), "a2a") ? 8 : ARRAY_LEN(names);

    for (const struct json *m = json_first(r->entry); m; m = json_next(m)) {
        bool found = false;

        for (size_t i = 0; i < count; i++)
            found = found || str_is(json_key(m), known[i]);
        if (!found)
            return wrong(
                r, str_printf(&r->mcp->arena, "there is no option \"%.*s\"; see docs/%s.md",
                       STR_ARG(json_key(m)), r->setting)
                       .ptr);
        if (check_kind(r, m) < 0)
            return ERR_INVALID;
    }
    return 0;
}

static int read_limits(struct reader *r)
{
    const struct json *allow = json_get(r->entry, "tools");
    const struct json *read_only = json_get(r->entry, "read_only");
    int64_t timeout = json_get_i64(r->entry, "timeout_ms", 30 * SECOND_MS);
    int64_t bytes = json_get_i64(r->entry, "max_result_bytes", 64 * KIB);

    if (allow && !json_is(allow, JSON_ARRAY))
        return wrong(r, "tools must be a list of names");
    if (read_only && !json_is(read_only, JSON_ARRAY) && !json_is(read_only, JSON_BOOL))
        return wrong(r, "read_only must be a list of names, or true");
    if (timeout < 10 || timeout > TIMEOUT_MS_MAX)
        return wrong(r, "timeout_ms must be from 10 to 3600000");
    if (bytes < 256 || bytes > RESULT_BYTES_MAX)
        return wrong(r, "max_result_bytes must be from 256 to 1048576");
    r->server->allow = allow;
    r->server->read_only = read_only;
    r->server->all_read_only = json_bool(read_only, false);
    if (!str_empty(json_get_str(r->entry, "description")))
        r->server->description = str_cstr(&r->mcp->arena, json_get_str(r->entry, "description"));
    r->server->trust_annotations = json_get_bool(r->entry, "trust_annotations", false);
    r->server->timeout_ms = timeout;
    r->server->max_result_bytes = (size_t)bytes;
    return 0;
}

static int read_peer(struct reader *r)
{
    struct str url = json_get_str(r->entry, "url"), command = json_get_str(r->entry, "command");
    struct str cwd = json_get_str(r->entry, "cwd");
    int rc;

    if (str_empty(url) == str_empty(command))
        return wrong(r, str_is(str_from(r->setting), "a2a") ? "it needs a url"
                                                            : "it needs either url or command");
    if (str_find(command, STR(" "), 0) >= 0 && access(str_cstr(&r->mcp->arena, command), X_OK) != 0)
        return wrong(r, "command must be a program alone; what follows it belongs into args");
    if (!str_empty(cwd))
        r->server->cwd = str_cstr(&r->mcp->arena, cwd);
    if (str_empty(url)) {
        rc = read_args(r, command);
        return rc < 0 ? rc : read_env(r);
    }
    rc = expand(r, url, &r->server->url);
    if (rc == 0 && !str_starts(r->server->url, STR("http://")) &&
        !str_starts(r->server->url, STR("https://")))
        rc = wrong(r, "url must begin with https:// or http://");
    return rc < 0 ? rc : read_headers(r);
}

static int read_server(struct reader *r, struct str name)
{
    int rc;

    if (!json_is(r->entry, JSON_OBJECT))
        return wrong(r, "it must be a mapping with url or command");
    if (str_empty(name))
        name = json_get_str(r->entry, "name");
    if (!good_name(name))
        return wrong(r, "its name must be 1 to 24 letters, digits, - and single _");
    r->server->name = str_dup(&r->mcp->arena, name);
    for (struct mcp_server *other = r->mcp->servers; other < r->server; other++)
        if (str_eq_nocase(other->name, name))
            return wrong(r, "there are two of that name");
    rc = check_members(r);
    if (rc == 0)
        rc = read_limits(r);
    return rc < 0 ? rc : read_peer(r);
}

static const char *place_of(const struct config *config, const char *setting)
{
    const char *place = "default";

    for (size_t i = 0; i < config_settings_count; i++)
        if (strcmp(config_settings[i].name, setting) == 0)
            config_origin(config, i, &place);
    return place;
}

int mcp_config_read(struct mcp *mcp, const struct config *config, const char *setting,
    struct str tree, char *const *env)
{
    const struct json *root;
    struct reader r = {.mcp = mcp,
        .setting = setting,
        .noun = strcmp(setting, "mcp") == 0 ? "MCP server" : "A2A agent",
        .place = place_of(config, setting),
        .env = env};
    int rc = json_parse(&mcp->arena, tree, &root);

    if (rc < 0)
        return rc;
    mcp->servers = arena_array(&mcp->arena, struct mcp_server, json_len(root));
    for (const struct json *entry = json_first(root); entry && rc == 0; entry = json_next(entry)) {
        if (json_is(root, JSON_OBJECT) && is_marker(entry))
            continue;
        r.entry = entry;
        r.server = &mcp->servers[mcp->count];
        rc = mcp->count < SERVERS_MAX
                 ? read_server(&r, json_is(root, JSON_OBJECT) ? json_key(entry) : STR(""))
                 : wrong(&r, "there are more than 64");
        mcp->count++;
    }
    return rc;
}
