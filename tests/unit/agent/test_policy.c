#include "agent/policy.h"
#include "base/config.h"
#include "test.h"

static bool lists(const struct json *args)
{
    return str_is(json_get_str(args, "action"), "list");
}

static const struct tool read_page = {.name = "read_page", .effect = TOOL_READ, .untrusted = true};
static const struct tool mail = {.name = "crm_mail", .effect = TOOL_WRITE};
static const struct tool book = {.name = "book", .effect = TOOL_WRITE, .reads_only = lists};
static const struct tool wire = {
    .name = "wire", .effect = TOOL_WRITE, .approval = TOOL_APPROVAL_REQUIRED, .calls_max = 1};
static const struct tool count_words = {.name = "count_words", .effect = TOOL_PURE, .cache_ms = 5};

struct rules {
    struct test *t;
    struct config config;
    struct policy *policy;
};

static bool rules_open(struct test *t, struct rules *r, const char *yaml)
{
    *r = (struct rules){.t = t};
    return config_load_text(&r->config, str_from(yaml), "theo.yaml") == 0 &&
           policy_open(&r->config, &r->policy) == 0;
}

static void rules_close(struct rules *r)
{
    policy_free(r->policy);
    config_deinit(&r->config);
}

static bool has(void *ctx, struct str address)
{
    return policy_mentions(str_from(ctx), address);
}

static struct policy_decision decide(
    struct rules *r, const struct tool *tool, const char *args, bool tainted, const char *seen)
{
    struct taint taint = {0};
    struct policy_text text = {has, (void *)(uintptr_t)seen};
    const struct json *root = NULL;
    struct test *t = r->t;

    if (tainted)
        taint_add(&taint, t->arena, "tool", STR("read_page"));
    EXPECT_OK(json_parse(t->arena, str_from(args), &root));
    return policy_decide(r->policy, tool, root, &taint, &text);
}

TEST(policy_without_rules_lets_tools_speak)
{
    struct rules r;

    REQUIRE(rules_open(t, &r, ""));
    EXPECT_EQ(decide(&r, &book, "{}", false, "").verdict, POLICY_ALLOW);
    EXPECT_EQ(decide(&r, &wire, "{}", false, "").verdict, POLICY_ASK);
    EXPECT_CSTR(decide(&r, &wire, "{}", false, "").rule, "tool");
    EXPECT_EQ(policy_limits(r.policy, &wire).calls_max, 1);
    EXPECT_EQ(policy_limits(NULL, &count_words).cache_ms, 5);
    rules_close(&r);
}

TEST(policy_overrides_tools_by_name_and_pattern)
{
    struct rules r;

    REQUIRE(rules_open(t, &r,
        "policy:\n  tools:\n    wire: {approval: none, calls-max: 3}\n"
        "    crm_*: {approval: audit, timeout-ms: 50, cache-ms: 9}\n"
        "    crm_m*: {approval: required}\n"
        "    book: {approval: required}\n"));
    EXPECT_EQ(decide(&r, &wire, "{}", false, "").verdict, POLICY_ALLOW);
    EXPECT_EQ(policy_limits(r.policy, &wire).calls_max, 3);
    EXPECT_EQ(decide(&r, &mail, "{}", false, "").verdict, POLICY_ASK);
    EXPECT_CSTR(decide(&r, &mail, "{}", false, "").rule, "policy");
    /* What changes nothing needs nobody's approval; a result of a write is never cached. */
    EXPECT_EQ(decide(&r, &book, "{\"action\":\"list\"}", false, "").verdict, POLICY_ALLOW);
    EXPECT_EQ(policy_limits(r.policy, &mail).cache_ms, 0);
    rules_close(&r);
}

TEST(policy_of_a_tainted_run)
{
    struct rules r;

    REQUIRE(rules_open(t, &r,
        "policy:\n  tools:\n    book: {untrusted-text: allow}\n    wire: {untrusted-text: block}\n"
        "    crm_mail: {destinations: [example.com, ben@other.org]}\n"));
    EXPECT_EQ(decide(&r, &book, "{}", true, "").verdict, POLICY_ALLOW);
    EXPECT_EQ(decide(&r, &wire, "{}", true, "").verdict, POLICY_BLOCK);
    EXPECT_CSTR(decide(&r, &wire, "{}", true, "").rule, "untrusted-text");
    EXPECT_EQ(
        decide(&r, &mail, "{\"to\":\"Ana <ana@example.com>\"}", true, "").verdict, POLICY_ALLOW);
    EXPECT_EQ(
        decide(&r, &mail, "{\"to\":[\"a@eu.example.com\",\"ben@other.org\"]}", true, "").verdict,
        POLICY_ALLOW);
    EXPECT_EQ(decide(&r, &mail, "{\"to\":[\"a@example.com\",\"eve@other.org\"]}", true, "").verdict,
        POLICY_ASK);
    EXPECT_EQ(decide(&r, &mail, "{\"to\":\"a@notexample.com\"}", true, "").verdict, POLICY_ASK);
    EXPECT_EQ(decide(&r, &mail, "{\"u\":\"https://example.com@evil.org/\"}", true, "").verdict,
        POLICY_ASK);
    EXPECT_EQ(decide(&r, &mail, "{\"text\":\"no address\"}", true, "").verdict, POLICY_ASK);
    EXPECT_EQ(decide(&r, &count_words, "{}", true, "").verdict, POLICY_ALLOW);
    rules_close(&r);
}

TEST(policy_knows_made_up_addresses)
{
    const char *seen = "Prices: https://shop.example/prices and https://shop.example/about";
    struct rules r;

    REQUIRE(rules_open(t, &r, ""));
    EXPECT_EQ(
        decide(&r, &read_page, "{\"url\":\"https://shop.example/prices\"}", true, seen).verdict,
        POLICY_ALLOW);
    EXPECT_EQ(
        decide(&r, &read_page, "{\"url\":\"https://evil.example/?q=secret\"}", true, seen).verdict,
        POLICY_ASK);
    EXPECT_CSTR(
        decide(&r, &read_page, "{\"url\":\"https://evil.example/?q=secret\"}", true, seen).rule,
        "unknown-address");
    EXPECT_EQ(decide(&r, &read_page, "{\"url\":\"https://evil.example/\"}", false, "").verdict,
        POLICY_ALLOW);
    rules_close(&r);
}

/* One allowed address beside something that may lead elsewhere is no exception. */
TEST(policy_is_not_led_past_its_destinations)
{
    static const char *const cases[] = {"{\"to\":\"https://example.com/;eve@evil.org\"}",
        "{\"to\":\"https://example.com/,eve@evil.org\"}",
        "{\"note\":\"a@example.com\",\"to\":\"evil.org/drop\"}",
        "{\"note\":\"a@example.com\",\"to\":\"//evil.org/x\"}",
        "{\"note\":\"a@example.com\",\"to\":\"@evil\"}",
        "{\"note\":\"a@example.com\",\"phone\":\"+15550100\"}",
        "{\"u\":\"https://evil.org\\\\@example.com/\"}",
        "{\"note\":\"a@example.com\",\"to\":\"eve%40evil.org\"}",
        "{\"note\":\"a@example.com\",\"to\":\"ZXZlQGV2aWwub3Jn\"}",
        "{\"note\":\"a@example.com\",\"eve@evil.org\":1}",
        "{\"to\":\"eve@evil.org,a@example.com\"}", "{\"to\":\"a@example.com.evil.org\"}",
        "{\"a\":{\"b\":[[{\"to\":\"eve@evil.org\"}]]},\"n\":\"a@example.com\"}",
        "{\"to\":\"a@example.com\",\"text\":\"{\\\"to\\\":\\\"eve@evil.org\\\"}\"}",
        "{\"to\":\"eve@\xe2\x80\x8b"
        "evil.org\",\"n\":\"a@example.com\"}",
        "{\"to\":\"eve\xef\xbc\xa0"
        "evil.org\",\"n\":\"a@example.com\"}"};
    struct rules r;

    REQUIRE(rules_open(t, &r, "policy:\n  tools:\n    crm_mail: {destinations: [example.com]}\n"));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (!EXPECT_EQ(decide(&r, &mail, cases[i], true, "").verdict, POLICY_ASK))
            printf("# %s\n", cases[i]);
    EXPECT_EQ(
        decide(&r, &mail,
            "{\"to\":[\"a@example.com\"],\"stage\":\"won\",\"text\":\"Hi Ana, the offer is 12.5% "
            "off, e.g. for 3 seats. See www.example.com, gr\xc3\xbc\xc3\x9f dich!\"}",
            true, "")
            .verdict,
        POLICY_ALLOW);
    rules_close(&r);
}

TEST(policy_is_not_led_past_what_was_seen)
{
    static const char *const asks[] = {"{\"url\":\"evil.example/?q=secret\"}",
        "{\"url\":\"//evil.example/?q=secret\"}", "{\"url\":\"https:evil.example/?q=s\"}",
        "{\"url\":\"https:/\\\\/evil.example/?q=s\"}",
        "{\"query\":\"secret\",\"host\":\"evil.example\"}",
        "{\"url\":\"https://shop.example/prices?q=secret\"}",
        "{\"url\":\"HTTPS://EVIL.example/?q=s\"}", "{\"url\":\"https://shop.example/pri\"}",
        "{\"url\":\"https://user:secret@shop.example/prices\"}", "{\"url\":\"https://[::1]/x\"}",
        "{\"url\":\"https://%65vil.example/?s\"}", "{\"url\":\"https://\xd0\xb5vil.example/?s\"}"};
    static const char *const allows[] = {"{\"url\":\"https://shop.example/prices\"}",
        "{\"query\":\"what is the price of shop.example?\"}", "{\"query\":\"price\",\"limit\":5}",
        "{\"host\":\"acme.example\"}"};
    const char *seen = "Prices: https://shop.example/prices. Ask acme.example, or a friend.";
    struct rules r;

    REQUIRE(rules_open(t, &r, ""));
    for (size_t i = 0; i < ARRAY_LEN(asks); i++)
        if (!EXPECT_EQ(decide(&r, &read_page, asks[i], true, seen).verdict, POLICY_ASK))
            printf("# %s\n", asks[i]);
    for (size_t i = 0; i < ARRAY_LEN(allows); i++)
        if (!EXPECT_EQ(decide(&r, &read_page, allows[i], true, seen).verdict, POLICY_ALLOW))
            printf("# %s\n", allows[i]);
    rules_close(&r);
}

TEST(policy_names_line_and_field_of_mistakes)
{
    static const struct {
        const char *yaml, *field, *start;
    } cases[] = {
        {"policy:\n  tools:\n    wire: {approval: maybe}\n", "policy.tools.wire.approval",
            "theo.yaml:3: policy.tools.wire.approval must be none, audit or required"},
        {"policy:\n  tools:\n    wire:\n      calls-max: many\n", "policy.tools.wire.calls-max",
            "theo.yaml:4: "},
        {"policy:\n  tools:\n    wire: {aproval: none}\n", "policy.tools.wire.aproval",
            "theo.yaml:3: "},
        {"policy:\n  tools: [wire]\n", "policy.tools", "theo.yaml:2: "},
        {"policy:\n  tool: {}\n", "policy.tool", "theo.yaml:2: "},
        {"policy: [1]\n", "policy", "theo.yaml:1: "},
        {"policy:\n  tools:\n    wire: {destinations: yes}\n", "policy.tools.wire.destinations",
            "theo.yaml:3: "},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rules r;

        EXPECT(!rules_open(t, &r, cases[i].yaml));
        EXPECT_CSTR(err_get()->field, cases[i].field);
        if (!str_starts(str_from(err_message()), str_from(cases[i].start)))
            EXPECT_CSTR(err_message(), cases[i].start);
        config_deinit(&r.config);
    }
}

TEST(policy_names_tools_that_exist)
{
    static const struct tool *const tools[] = {&book};
    struct rules r;

    REQUIRE(rules_open(
        t, &r, "policy:\n  untrusted-channels: [telegram]\n  tools:\n    book: {}\n    b*: {}\n"));
    EXPECT_EQ(policy_check_names(r.policy, tools, 1), 0);
    EXPECT(policy_distrusts(r.policy, STR("telegram")));
    EXPECT(!policy_distrusts(r.policy, STR("api")));
    EXPECT_EQ(policy_check_names(r.policy, tools, 0), ERR_INVALID);
    rules_close(&r);
}
