#include "test.h"
#include "tools/mcp_rpc.h"

TEST(rpc_messages)
{
    struct rpc_message m;

    REQUIRE_OK(rpc_read(t->arena,
        STR("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"x/y\",\"params\":{\"k\":1}}"), &m));
    EXPECT_EQ(m.kind, RPC_REQUEST);
    EXPECT_STR(m.method, "x/y");
    EXPECT_STR(json_str(m.id), "a");
    EXPECT_EQ(json_get_i64(m.params, "k", 0), 1);
    REQUIRE_OK(rpc_read(t->arena, STR("{\"jsonrpc\":\"2.0\",\"method\":\"n\"}"), &m));
    EXPECT_EQ(m.kind, RPC_NOTIFICATION);
    REQUIRE_OK(rpc_read(t->arena, STR("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}"), &m));
    EXPECT_EQ(m.kind, RPC_RESPONSE);
    EXPECT_EQ(json_i64(m.id, 0), 7);
    REQUIRE_OK(rpc_read(t->arena, STR("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{}}"), &m));
    EXPECT_EQ(m.kind, RPC_RESPONSE);
    EXPECT(m.id == NULL && m.error != NULL && m.result == NULL);
}

TEST(rpc_that_is_none)
{
    static const char *const wrong[] = {"", "{", "[]", "null", "{}", "{\"jsonrpc\":\"2.0\"}",
        "{\"jsonrpc\":\"1.0\",\"method\":\"x\"}", "{\"jsonrpc\":\"2.0\",\"method\":7}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"x\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"x\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"x\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":[]}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":3}", "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":3}",
        "{\"jsonrpc\":\"2.0\",\"result\":{}}"};

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct rpc_message m = {.method = STR("untouched")};

        EXPECT_EQ(rpc_read(t->arena, str_from(wrong[i]), &m), ERR_PROTOCOL);
        EXPECT_STR(m.method, "untouched");
    }
}

TEST(rpc_answers)
{
    struct buf out = BUF_IN(t->arena);
    struct rpc_message m;

    REQUIRE_OK(rpc_read(t->arena, STR("{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"x\"}"), &m));
    rpc_put_result(&out, m.id, STR("{\"a\":1}"));
    EXPECT_STR(buf_str(&out), "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"result\":{\"a\":1}}");
    buf_clear(&out);
    rpc_put_error(&out, NULL, RPC_PARSE_ERROR, STR("bad \"x\""), STR("[1]"));
    EXPECT_STR(buf_str(&out), "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"
                              "\"message\":\"bad \\\"x\\\"\",\"data\":[1]}}");
}
