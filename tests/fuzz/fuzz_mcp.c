/* What an MCP server may send: messages, results as text for a model, and schemas that ask for
 * headers. */
#include "text/inert.h"
#include "tools/mcp_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_clean(struct arena *arena, struct str text)
{
    struct str once = inert_visible(arena, text, SIZE_MAX), cut = inert_visible(arena, text, 100);

    if (!utf8_valid(once) || !str_eq(once, inert_visible(arena, once, SIZE_MAX)))
        abort();
    if (cut.len > 100 || !utf8_valid(cut))
        abort();
}

static void check_headers(struct arena *arena, struct str text)
{
    struct mcp_call call = {.header_count = 0};
    const struct json *tree;

    if (json_parse(arena, text, &tree) < 0 || !mcp_headers_are_valid(tree))
        return;
    mcp_headers_add(text, json_get(tree, "default"), arena, &call);
    for (size_t i = 0; i < call.header_count; i++)
        for (size_t k = 0; k < call.headers[i].value.len; k++)
            if (call.headers[i].value.ptr[k] < 0x20 || call.headers[i].value.ptr[k] > 0x7e)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct mcp_server server = {.name = STR("s"), .max_result_bytes = 300};
    static const struct mcp_tool tool = {
        .tool = {.name = "s__x"}, .server = &server, .remote_name = STR("x")};
    struct str text = {(const char *)bytes, len};
    struct rpc_message message;
    struct tool_result result;
    struct arena arena;

    arena_init(&arena);
    check_clean(&arena, text);
    check_headers(&arena, text);
    if (rpc_read(&arena, text, &message) == 0 && message.result &&
        mcp_result_take(&tool, message.result, &arena, &result) == 0 &&
        (!utf8_valid(result.content) || result.content.len > 400))
        abort();
    arena_deinit(&arena);
    return 0;
}
