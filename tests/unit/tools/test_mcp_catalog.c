#include "test.h"
#include "tools/mcp_private.h"

static const struct mcp_server server = {.name = STR("s"), .max_result_bytes = 40};
static const struct mcp_tool tool = {
    .tool = {.name = "s__x"}, .server = &server, .remote_name = STR("x")};

static int take(struct test *t, const char *json, struct tool_result *ret_result)
{
    const struct json *result;
    int rc = json_parse(t->arena, str_from(json), &result);

    return rc < 0 ? rc : mcp_result_take(&tool, result, t->arena, ret_result);
}

TEST(mcp_results_as_text)
{
    struct tool_result r = {0};

    REQUIRE_OK(take(t,
        "{\"content\":[{\"type\":\"text\",\"text\":\"one\"},"
        "{\"type\":\"resource_link\",\"name\":\"n\",\"uri\":\"file:///u\"}]}",
        &r));
    EXPECT_STR(r.content, "one\nn: file:///u");
    EXPECT(r.untrusted);
    REQUIRE_OK(take(t, "{\"content\":[],\"structuredContent\":{\"a\":1}}", &r));
    EXPECT_STR(r.content, "{\"a\":1}");
    REQUIRE_OK(take(t, "{\"content\":[{\"type\":\"audio\",\"mimeType\":\"audio/x\"}]}", &r));
    EXPECT_STR(r.content, "[audio left out: audio/x]");
    REQUIRE_OK(take(t,
        "{\"content\":[{\"type\":\"resource\",\"resource\":{\"uri\":\"u\",\"text\":\"body\"}}]}",
        &r));
    EXPECT_STR(r.content, "u:\nbody");
    REQUIRE_OK(take(t, "{\"content\":7}", &r));
    EXPECT_STR(r.content, "");
}

TEST(mcp_results_that_are_long_or_failures)
{
    struct tool_result r = {0};

    REQUIRE_OK(take(t,
        "{\"content\":[{\"type\":\"text\",\"text\":"
        "\"0123456789012345678901234567890123456789 and more\"}]}",
        &r));
    EXPECT_STR(r.content, "0123456789012345678901234567890123456789\n[cut: longer than 40 bytes]");
    EXPECT_EQ(
        take(t, "{\"content\":[{\"type\":\"text\",\"text\":\"no disk\"}],\"isError\":true}", &r),
        ERR_FAILED);
    EXPECT(strstr(err_message(), "s__x says: no disk") != NULL);
}
