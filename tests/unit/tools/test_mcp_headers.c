#include "test.h"
#include "tools/mcp_private.h"

static bool valid(struct test *t, const char *properties)
{
    const struct json *schema;

    return json_parse(t->arena,
               str_printf(t->arena, "{\"type\":\"object\",\"properties\":{%s}}", properties),
               &schema) == 0 &&
           mcp_headers_are_valid(schema);
}

TEST(mcp_headers_marks_that_can_be_sent)
{
    EXPECT(valid(t, ""));
    EXPECT(valid(t, "\"a\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"}"));
    EXPECT(valid(t, "\"a\":{\"type\":\"integer\",\"x-mcp-header\":\"A\"},"
                    "\"b\":{\"type\":\"boolean\",\"x-mcp-header\":\"B\"}"));
    EXPECT(valid(t, "\"o\":{\"type\":\"object\",\"properties\":{"
                    "\"a\":{\"type\":\"string\",\"x-mcp-header\":\"Deep\"}}}"));
    EXPECT(valid(t, "\"a\":{\"type\":\"object\",\"default\":{\"x-mcp-header\":7}}"));
}

TEST(mcp_headers_marks_that_make_a_tool_unusable)
{
    static const char *const wrong[] = {
        "\"a\":{\"type\":\"string\",\"x-mcp-header\":\"\"}",
        "\"a\":{\"type\":\"string\",\"x-mcp-header\":7}",
        "\"a\":{\"type\":\"string\",\"x-mcp-header\":\"two words\"}",
        "\"a\":{\"type\":\"string\",\"x-mcp-header\":\"a:b\"}",
        "\"a\":{\"type\":\"string\",\"x-mcp-header\":\"a\\r\\nb\"}",
        "\"a\":{\"type\":\"string\",\"x-mcp-header\":\"Zo\xc3\xab\"}",
        "\"a\":{\"type\":\"number\",\"x-mcp-header\":\"A\"}",
        "\"a\":{\"type\":\"object\",\"x-mcp-header\":\"A\"}",
        "\"a\":{\"x-mcp-header\":\"A\"}",
        ("\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"},"
         "\"b\":{\"type\":\"string\",\"x-mcp-header\":\"a\"}"),
        "\"a\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}",
        "\"a\":{\"anyOf\":[{\"type\":\"string\",\"x-mcp-header\":\"A\"}]}",
    };

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (!EXPECT(!valid(t, wrong[i])))
            printf("# %s\n", wrong[i]);
}

TEST(mcp_headers_of_a_call)
{
    static const char schema[] = "{\"type\":\"object\",\"properties\":{"
                                 "\"s\":{\"type\":\"string\",\"x-mcp-header\":\"S\"},"
                                 "\"n\":{\"type\":\"integer\",\"x-mcp-header\":\"N\"},"
                                 "\"empty\":{\"type\":\"string\",\"x-mcp-header\":\"Empty\"},"
                                 "\"tail\":{\"type\":\"string\",\"x-mcp-header\":\"Tail\"},"
                                 "\"posed\":{\"type\":\"string\",\"x-mcp-header\":\"Posed\"},"
                                 "\"none\":{\"type\":\"string\",\"x-mcp-header\":\"None\"},"
                                 "\"o\":{\"type\":\"object\",\"properties\":{"
                                 "\"deep\":{\"type\":\"boolean\",\"x-mcp-header\":\"Deep\"}}},"
                                 "\"plain\":{\"type\":\"string\"}}}";
    static const char *const want[][2] = {{"Mcp-Param-S", "a b"}, {"Mcp-Param-N", "-4"},
        {"Mcp-Param-Empty", ""}, {"Mcp-Param-Tail", "=?base64?eCA=?="},
        {"Mcp-Param-Posed", "=?base64?PT9iYXNlNjQ/eD89?="}, {"Mcp-Param-Deep", "true"}};
    struct mcp_call call = {.method = "tools/call"};
    const struct json *args;

    REQUIRE_OK(json_parse(t->arena,
        STR("{\"s\":\"a b\",\"n\":-4,\"empty\":\"\",\"tail\":\"x \",\"posed\":\"=?base64?x?=\","
            "\"none\":null,\"o\":{\"deep\":true},\"plain\":\"p\"}"),
        &args));
    mcp_headers_add(str_from(schema), args, t->arena, &call);
    REQUIRE(call.header_count == ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        EXPECT_STR(call.headers[i].name, want[i][0]);
        EXPECT_STR(call.headers[i].value, want[i][1]);
    }
}
