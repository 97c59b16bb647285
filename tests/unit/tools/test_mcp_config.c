#include "test.h"
#include "tools/mcp_private.h"

static char *const environment[] = {
    (char[]){"PATH=/bin"}, (char[]){"TOKEN=s3cret"}, (char[]){"OPENAI_API_KEY=hidden"}, NULL};

static int read_text(const char *yaml, struct config *config, struct mcp *mcp)
{
    int rc = config_load_text(config, str_from(yaml), "x.yaml");

    *mcp = (struct mcp){0};
    arena_init(&mcp->arena);
    if (rc == 0)
        rc = mcp_config_read(mcp, config, "mcp", str_from(config->mcp), environment);
    return rc;
}

TEST(mcp_config_of_both_shapes)
{
    static const char *const shapes[] = {
        "mcp:\n"
        "  web:\n"
        "    url: https://h/${TOKEN}\n"
        "    headers: {Authorization: \"Bearer ${TOKEN}\"}\n"
        "    timeout_ms: 500\n"
        "    tools: [a, b]\n"
        "  local: {command: node, args: [x.js, 12], env: {A: \"1${TOKEN}2\"}, read_only: true}\n",
        "mcp:\n"
        "- {name: web, url: \"https://h/${TOKEN}\", timeout_ms: 500, tools: [a, b],\n"
        "   headers: {Authorization: \"Bearer ${TOKEN}\"}}\n"
        "- {name: local, command: node, args: [x.js, 12], env: {A: \"1${TOKEN}2\"}, read_only: "
        "true}\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        struct config config;
        struct mcp mcp;
        int rc = read_text(shapes[i], &config, &mcp);

        REQUIRE_OK(rc);
        REQUIRE(mcp.count == 2);
        EXPECT_STR(mcp.servers[0].url, "https://h/s3cret");
        EXPECT_STR(mcp.servers[0].headers[0].value, "Bearer s3cret");
        EXPECT_EQ(mcp.servers[0].timeout_ms, 500);
        EXPECT_EQ(json_len(mcp.servers[0].allow), 2);
        EXPECT(!mcp.servers[0].all_read_only && mcp.servers[1].all_read_only);
        EXPECT_CSTR(mcp.servers[1].argv[0], "node");
        EXPECT_CSTR(mcp.servers[1].argv[2], "12");
        EXPECT(mcp.servers[1].argv[3] == NULL);
        EXPECT_CSTR(mcp.servers[1].envp[0], "PATH=/bin");
        EXPECT_CSTR(mcp.servers[1].envp[1], "A=1s3cret2");
        EXPECT(mcp.servers[1].envp[2] == NULL);
        arena_deinit(&mcp.arena);
        config_deinit(&config);
    }
}

TEST(mcp_config_that_is_wrong)
{
    static const char *const wrong[][2] = {
        {"mcp: {a: 1}\n", "must be a mapping"},
        {"mcp:\n  a:\n    url: x\n", "x.yaml:3: the MCP server a: url must begin"},
        {"mcp: {a: {}}\n", "either url or command"},
        {"mcp: {a: {url: \"http://h\", command: x}}\n", "either url or command"},
        {"mcp: {a__b: {command: x}}\n", "its name must be"},
        {"mcp: [{command: x}]\n", "its name must be"},
        {"mcp: {a: {command: x, tools: all}}\n", "tools must be a list"},
        {"mcp: {a: {command: x, read_only: yes}}\n", "read_only must be a list"},
        {"mcp: {a: {command: x, args: y}}\n", "args must be a list"},
        {"mcp: {a: {command: x, env: y}}\n", "env must be a mapping"},
        {"mcp: {a: {url: \"http://h\", headers: {\"A:b\": c}}}\n", "a header is"},
        {"mcp: {a: {url: \"http://h\", headers: {A: \"b\\r\\nc: d\"}}}\n", "a header is"},
        {"mcp: {a: {command: x, max_result_bytes: 1}}\n", "max_result_bytes must be"},
        {"mcp: {a: {command: x, description: y, nope: 1}}\n", "no option \"nope\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct config config = {0};
        struct mcp mcp;

        EXPECT_EQ(read_text(wrong[i][0], &config, &mcp), ERR_INVALID);
        if (!EXPECT(strstr(err_message(), wrong[i][1]) != NULL))
            printf("# %s\n", err_message());
        arena_deinit(&mcp.arena);
        config_deinit(&config);
    }
}
