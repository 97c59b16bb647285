/* A server's list of tools, made into tools for agents; and what a tool's result says to a model.
 *
 * Names become server__tool; a schema that is no object, too large or too deep leaves its tool out.
 */
#include "text/inert.h"
#include "tools/mcp_private.h"

#define TOOLS_MAX 256
#define PAGES_MAX 32
#define SCHEMA_MAX (16 * KIB)
#define DESCRIPTION_MAX 1024
#define NAME_MAX_BYTES 64 /* what models' interfaces take */
#define LIFETIME_MS (5 * MINUTE_MS)
#define ERROR_MAX 350

void mcp_catalog_unref(struct mcp_catalog *catalog)
{
    if (!catalog || --catalog->refs > 0)
        return;
    arena_deinit(&catalog->arena);
    free(catalog);
}

static bool in_list(const struct json *list, struct str name)
{
    for (const struct json *one = json_first(list); one; one = json_next(one))
        if (str_eq(json_str(one), name))
            return true;
    return false;
}

static bool good_tool_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!char_is_alnum(name.ptr[i]) && !strchr("_.-", name.ptr[i]))
            return false;
    return name.len > 0 && name.len <= 128;
}

/* server__tool in letters, digits, _ and -; a name that is too long ends in a hash of the whole. */
static const char *local_name(struct str server, struct str tool, struct arena *arena)
{
    char *name = str_cstr(arena, str_printf(arena, "%.*s__%.*s", STR_ARG(server), STR_ARG(tool)));
    uint64_t hash = 14695981039346656037u;

    for (char *c = name; *c; c++) {
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
        if (*c == '.')
            *c = '_';
    }
    if (strlen(name) > NAME_MAX_BYTES)
        snprintf(name + NAME_MAX_BYTES - 9, 10, "_%08x", (unsigned)(hash & 0xffffffff));
    return name;
}

static enum tool_effect effect_of(
    const struct mcp_server *server, struct str name, const struct json *listed)
{
    const struct json *annotations = json_get(listed, "annotations");

    if (server->all_read_only || in_list(server->read_only, name))
        return TOOL_READ;
    if (server->trust_annotations && json_get_bool(annotations, "readOnlyHint", false))
        return TOOL_READ;
    return TOOL_WRITE;
}

/* A schema without what is not seen. Its texts for the model are made inert; its names and values
 * stay what the server knows. */
static void put_schema(struct json_writer *w, const struct json *node, struct str key,
    struct arena *arena, size_t *phrases)
{
    bool told = str_is(key, "description") || str_is(key, "title");
    struct inert_found found = {0};

    if (json_is(node, JSON_OBJECT)) {
        json_object_begin(w);
        for (const struct json *m = json_first(node); m; m = json_next(m)) {
            json_name_str(w, inert_visible(arena, json_key(m), SCHEMA_MAX));
            put_schema(w, m, json_key(m), arena, phrases);
        }
        json_object_end(w);
    } else if (json_is(node, JSON_ARRAY)) {
        json_array_begin(w);
        for (const struct json *item = json_first(node); item; item = json_next(item))
            put_schema(w, item, STR(""), arena, phrases);
        json_array_end(w);
    } else if (json_is(node, JSON_STRING)) {
        json_put_str(w, told ? inert_text(arena, json_str(node), &found)
                             : inert_visible(arena, json_str(node), SCHEMA_MAX));
        *phrases += found.phrases;
    } else {
        json_put_node(w, node);
    }
}

/* What a server says of its tool is data to the model. When it reads like an order, it stands in a
 * frame that says so. */
static struct str describe(const struct mcp_server *server, const struct json *listed,
    struct str name, size_t phrases, struct arena *arena)
{
    struct str text = json_get_str(listed, "description");
    struct inert_found found;

    if (str_empty(text))
        text = json_get_str(listed, "title");
    text = utf8_truncate(text, DESCRIPTION_MAX);
    (void)inert_text(arena, text, &found);
    if (phrases + found.phrases == 0)
        return inert_text(arena, text, NULL);
    log_warn("mcp.tool_gives_orders", LOG_STR("server", server->name), LOG_STR("tool", name));
    return inert_frame(arena, server->name, text, NULL);
}

static bool good_tool(const struct json *listed, struct str text)
{
    const struct json *schema = json_get(listed, "inputSchema");

    return good_tool_name(json_get_str(listed, "name")) &&
           str_is(json_get_str(schema, "type"), "object") && text.len <= SCHEMA_MAX &&
           mcp_headers_are_valid(schema);
}

/* NULL when the tool cannot be used. */
static struct mcp_tool *make_tool(
    struct mcp *mcp, size_t index, const struct json *listed, struct arena *arena)
{
    const struct mcp_server *server = &mcp->servers[index];
    const struct json *schema = json_get(listed, "inputSchema");
    struct str name = json_get_str(listed, "name");
    struct buf parameters = BUF_IN(arena);
    struct json_writer w;
    struct mcp_tool *made;
    size_t phrases = 0;

    if (server->allow && !in_list(server->allow, name))
        return NULL;
    if (!good_tool(listed, schema ? json_text(arena, schema) : STR(""))) {
        log_warn("mcp.tool_left_out", LOG_STR("server", server->name),
            LOG_STR("tool", inert_visible(arena, name, 128)));
        return NULL;
    }
    json_init(&w, &parameters);
    put_schema(&w, schema, STR(""), arena, &phrases);
    made = arena_new(arena, struct mcp_tool);
    *made = (struct mcp_tool){.server = server,
        .mcp = mcp,
        .index = index,
        .remote_name = str_dup(arena, name),
        .tool = {.name = local_name(server->name, name, arena),
            .description = str_cstr(arena, describe(server, listed, name, phrases, arena)),
            .parameters = str_cstr(arena, buf_str(&parameters)),
            .effect = effect_of(server, name, listed),
            .keyed = server->trust_annotations &&
                     json_get_bool(json_get(listed, "annotations"), "idempotentHint", false),
            .timeout_ms = server->timeout_ms,
            .run = mcp_tool_run,
            .untrusted = true}};
    made->tool.ctx = made;
    return made;
}

static void add_page(
    struct mcp *mcp, const struct mcp_link *link, const struct json *page, struct mcp_catalog *made)
{
    size_t index = (size_t)(link->server - mcp->servers);

    for (const struct json *listed = json_first(json_get(page, "tools"));
         listed && made->count < TOOLS_MAX; listed = json_next(listed)) {
        struct mcp_tool *tool = make_tool(mcp, index, listed, &made->arena);

        if (tool)
            made->tools[made->count++] = &tool->tool;
    }
}

static struct str page_members(struct str cursor, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    if (str_empty(cursor))
        return STR("");
    json_init(&w, &out);
    json_put_str(&w, cursor);
    return str_printf(arena, "\"cursor\":%.*s", STR_ARG(buf_str(&out)));
}

static int fetch_pages(
    struct mcp *mcp, struct mcp_link *link, struct mcp_catalog *made, struct arena *scratch)
{
    struct str cursor = STR("");
    int64_t lifetime = LIFETIME_MS;

    for (int i = 0; i < PAGES_MAX; i++) {
        struct mcp_call call = {.method = "tools/list",
            .members = page_members(cursor, scratch),
            .timeout_ms = link->server->timeout_ms};
        const struct json *page;
        int rc = mcp_link_call(link, &call, scratch, &page);

        if (rc < 0)
            return rc;
        add_page(mcp, link, page, made);
        lifetime = json_get_i64(page, "ttlMs", lifetime);
        cursor = json_get_str(page, "nextCursor");
        if (str_empty(cursor))
            break;
    }
    made->expires_ms =
        loop_now_ms(link->loop) + MIN(MAX(lifetime, 10 * SECOND_MS), (int64_t)HOUR_MS);
    return 0;
}

int mcp_catalog_fetch(struct mcp *mcp, struct mcp_link *link, struct mcp_catalog **ret_catalog)
{
    struct mcp_catalog *made = xcalloc(1, sizeof(*made));
    struct arena scratch;
    int rc;

    made->refs = 1;
    arena_init(&made->arena);
    arena_init(&scratch);
    made->tools = arena_array(&made->arena, const struct tool *, TOOLS_MAX);
    rc = fetch_pages(mcp, link, made, &scratch);
    arena_deinit(&scratch);
    if (rc < 0)
        mcp_catalog_unref(made);
    else
        *ret_catalog = made;
    return rc;
}

/* One item of a result as text; what is no text is only named. */
static void add_item(struct buf *out, const struct json *item)
{
    struct str type = json_get_str(item, "type");
    const struct json *resource = json_get(item, "resource");

    if (out->len > 0)
        buf_add_char(out, '\n');
    if (str_is(type, "text"))
        buf_add_str(out, json_get_str(item, "text"));
    else if (str_is(type, "resource_link"))
        buf_printf(out, "%.*s: %.*s", STR_ARG(json_get_str(item, "name")),
            STR_ARG(json_get_str(item, "uri")));
    else if (str_is(type, "resource") && json_get(resource, "text"))
        buf_printf(out, "%.*s:\n%.*s", STR_ARG(json_get_str(resource, "uri")),
            STR_ARG(json_get_str(resource, "text")));
    else
        buf_printf(out, "[%.*s left out: %.*s]", (int)MIN(type.len, (size_t)20), type.ptr,
            STR_ARG(json_get_str(item, "mimeType")));
}

int mcp_result_take(const struct mcp_tool *tool, const struct json *result, struct arena *arena,
    struct tool_result *ret_result)
{
    const struct json *content = json_get(result, "content");
    const struct json *structured = json_get(result, "structuredContent");
    struct buf text = BUF_HEAP;
    struct str clean;

    for (const struct json *item = json_first(content);
         item && text.len <= tool->server->max_result_bytes; item = json_next(item))
        add_item(&text, item);
    if (text.len == 0 && structured)
        buf_add_str(&text, json_text(arena, structured));
    clean = inert_visible(arena, buf_str(&text), tool->server->max_result_bytes);
    if (text.len > tool->server->max_result_bytes)
        clean = str_printf(arena, "%.*s\n[cut: longer than %zu bytes]", STR_ARG(clean),
            tool->server->max_result_bytes);
    buf_deinit(&text);
    if (json_get_bool(result, "isError", false))
        return err_set(ERR_FAILED, "The tool %s says: %.*s", tool->tool.name,
            (int)MIN(clean.len, (size_t)ERROR_MAX), clean.ptr);
    *ret_result = (struct tool_result){
        .content = clean,
        .summary = str_printf(arena, "%.*s of the MCP server %.*s", STR_ARG(tool->remote_name),
            STR_ARG(tool->server->name)),
        .event = STR(""),
        .untrusted = true,
    };
    return 0;
}
