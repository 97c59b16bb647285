#include "agent/tool.h"
#include "test.h"

static const struct tool tool = {
    .name = "x",
    .parameters =
        "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"s\"],\"properties\":{"
        "\"s\":{\"type\":\"string\",\"minLength\":2,\"maxLength\":4},"
        "\"n\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10},"
        "\"e\":{\"type\":\"string\",\"enum\":[\"book\",\"list\"]},"
        "\"b\":{\"type\":\"boolean\"},"
        "\"u\":{\"type\":[\"string\",\"number\"]},"
        "\"l\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":2,\"items\":{\"type\":\"object\","
        "\"required\":[\"k\"],\"properties\":{\"k\":{\"type\":\"number\"}}}}}}",
};

static void check(struct test *t, const char *args, const char *field)
{
    const struct json *root;

    REQUIRE_OK(json_parse(t->arena, str_from(args), &root));
    if (!field) {
        EXPECT_OK(tool_check_args(&tool, root));
        return;
    }
    EXPECT_EQ(tool_check_args(&tool, root), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, field);
}

TEST(tool_check_args_accepts)
{
    check(t, "{\"s\":\"ab\"}", NULL);
    check(t, "{\"s\":\"éééé\",\"n\":10,\"e\":\"list\",\"b\":false,\"l\":[{\"k\":1.5,\"z\":0}]}",
        NULL);
    check(t, "{\"s\":\"ab\",\"u\":1}", NULL);
    check(t, "{\"s\":\"ab\",\"u\":\"1\"}", NULL);
    check(t, "{\"s\":\"ab\",\"n\":null}", NULL);
}

TEST(tool_check_args_names_the_place)
{
    check(t, "[]", "");
    check(t, "{}", "s");
    check(t, "{\"s\":null}", "s");
    check(t, "{\"s\":\"a\"}", "s");
    check(t, "{\"s\":\"abcde\"}", "s");
    check(t, "{\"s\":\"ab\",\"n\":0}", "n");
    check(t, "{\"s\":\"ab\",\"n\":11}", "n");
    check(t, "{\"s\":\"ab\",\"n\":1.5}", "n");
    check(t, "{\"s\":\"ab\",\"e\":\"burn\"}", "e");
    check(t, "{\"s\":\"ab\",\"b\":\"yes\"}", "b");
    check(t, "{\"s\":\"ab\",\"u\":true}", "u");
    check(t, "{\"s\":\"ab\",\"l\":[]}", "l");
    check(t, "{\"s\":\"ab\",\"l\":[{\"k\":1},{\"k\":1},{\"k\":1}]}", "l");
    check(t, "{\"s\":\"ab\",\"l\":[{\"k\":1},{}]}", "l[1].k");
    check(t, "{\"s\":\"ab\",\"l\":[{\"k\":\"1\"}]}", "l[0].k");
    check(t, "{\"s\":\"ab\",\"other\":1}", "other");
}
