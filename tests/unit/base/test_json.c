#include "base/json.h"
#include "test.h"

static struct str again(struct test *t, const char *text)
{
    const struct json *root;

    if (json_parse(t->arena, str_from(text), &root) != 0)
        return str_from(err_message());
    return json_text(t->arena, root);
}

TEST(json_reads_values)
{
    const struct json *root;

    REQUIRE_OK(json_parse(t->arena,
        STR(" {\"s\":\"h\\u00e9\\n\",\"n\":-12,\"d\":1.5e2,\"t\":true,\"f\":false,\"z\":null,"
            "\"a\":[1,[2],{\"k\":\"v\"}],\"\":\"empty\"} "),
        &root));
    EXPECT_STR(json_get_str(root, "s"), "h\xc3\xa9\n");
    EXPECT_EQ(json_get_i64(root, "n", 0), -12);
    EXPECT(json_double(json_get(root, "d"), 0) == 150);
    EXPECT(json_get_bool(root, "t", false));
    EXPECT(!json_get_bool(root, "f", true));
    EXPECT(json_is(json_get(root, "z"), JSON_NULL));
    EXPECT(json_get(root, "absent") == NULL);
    EXPECT_STR(json_get_str(root, ""), "empty");
    EXPECT_STR(json_str(json_path(root, "a.2.k")), "v");
    EXPECT_EQ(json_i64(json_path(root, "a.1.0"), 0), 2);
    EXPECT(json_path(root, "a.3") == NULL);
    EXPECT(json_path(root, "a.-1") == NULL);
    EXPECT(json_path(root, "a.x") == NULL);
    EXPECT(json_path(root, "s.x") == NULL);
    EXPECT_EQ(json_len(json_get(root, "a")), 3);
    EXPECT_EQ(json_len(root), 8);
    EXPECT_STR(json_key(json_first(root)), "s");
}

TEST(json_readers_take_absent_and_wrong_types)
{
    const struct json *root;

    REQUIRE_OK(json_parse(t->arena,
        STR("[1.5,\"x\",1e300,9007199254740992,9007199254740991,-9007199254740991]"), &root));
    EXPECT(json_get(NULL, "x") == NULL && json_path(NULL, "x") == NULL);
    EXPECT(json_first(NULL) == NULL && json_next(NULL) == NULL && json_at(NULL, 0) == NULL);
    EXPECT_EQ(json_type(NULL), JSON_NULL);
    EXPECT(!json_is(NULL, JSON_NULL));
    EXPECT_EQ(json_len(NULL), 0);
    EXPECT_STR(json_str(NULL), "");
    EXPECT_STR(json_key(NULL), "");
    EXPECT_EQ(json_i64(NULL, 9), 9);
    EXPECT(json_bool(NULL, true));
    EXPECT(json_get(root, "x") == NULL); /* an array has no members by name */
    EXPECT_EQ(json_i64(json_at(root, 0), 9), 9);
    EXPECT_EQ(json_i64(json_at(root, 1), 9), 9);
    EXPECT_EQ(json_i64(json_at(root, 2), 9), 9);
    EXPECT_EQ(json_i64(json_at(root, 3), 9), 9); /* or 2^53 + 1: a double cannot tell */
    EXPECT_EQ(json_i64(json_at(root, 4), 9), JSON_I64_MAX);
    EXPECT_EQ(json_i64(json_at(root, 5), 9), -JSON_I64_MAX);
    EXPECT_STR(json_str(json_at(root, 0)), "");
    EXPECT(!json_bool(json_at(root, 1), false));
}

TEST(json_first_of_duplicate_keys_wins)
{
    const struct json *root;

    REQUIRE_OK(json_parse(t->arena, STR("{\"a\":1,\"b\":3,\"a\":2}"), &root));
    EXPECT_EQ(json_get_i64(root, "a", 0), 1);
    EXPECT_STR(json_canonical(t->arena, root), "{\"a\":1,\"b\":3}");
}

TEST(json_escaped_nul_does_not_cut_a_string)
{
    EXPECT_STR(again(t, "[\"a\\u0000b\"]"), "[\"a\xef\xbf\xbd"
                                            "b\"]");
    EXPECT_STR(again(t, "{\"k\\u0000\":1}"), "{\"k\xef\xbf\xbd\":1}");
    EXPECT_STR(again(t, "[\"a\\\\u0000b\"]"), "[\"a\\\\u0000b\"]"); /* not an escape of NUL */
    EXPECT_STR(again(t, "[\"\\u0000\\\"\\u0000\"]"), "[\"\xef\xbf\xbd\\\"\xef\xbf\xbd\"]");
}

TEST(json_surrogates)
{
    EXPECT_STR(again(t, "[\"\\ud83d\\ude00\"]"), "[\"\xf0\x9f\x98\x80\"]");
    EXPECT_STR(again(t, "[\"\\uD83D\"]"), "[\"\xef\xbf\xbd\"]");
    EXPECT_STR(again(t, "[\"\\ude00x\"]"), "[\"\xef\xbf\xbdx\"]");
    EXPECT_STR(again(t, "[\"\\ud83d\\ud83d\\ude00\"]"), "[\"\xef\xbf\xbd\xf0\x9f\x98\x80\"]");
    EXPECT_STR(again(t, "[\"\\ud83d\\n\"]"), "[\"\xef\xbf\xbd\\n\"]");
    EXPECT_STR(again(t, "[\"\\ud83d\\u0041\"]"), "[\"\xef\xbf\xbd"
                                                 "A\"]");
    EXPECT_EQ(json_check(STR("[\"\\ud83d\\u00\"]")), ERR_INVALID);
    EXPECT_EQ(json_check(STR("[\"\\ud83d\\u")), ERR_INVALID);
    EXPECT_EQ(json_check(STR("[\"\\u")), ERR_INVALID);
}

TEST(json_numbers)
{
    EXPECT_STR(again(t, "[0,-0,-0.0,1.0,1E2,123456789012]"), "[0,0,0,1,100,123456789012]");
    EXPECT_STR(again(t, "[9007199254740992,0.1,1e-7,5e-324]"),
        "[9007199254740992,0.1,1e-07,4.94065645841247e-324]");
    EXPECT_STR(again(t, "[1.7976931348623157e308]"), "[1.7976931348623157e+308]");
    /* cJSON's own buffer for a number has 64 bytes */
    EXPECT_STR(
        again(t, "[0.5000000000000000000000000000000000000000000000000000000000000000000000000]"),
        "[0.5]");
    EXPECT_EQ(json_check(STR("1e309")), ERR_INVALID);
    EXPECT_EQ(json_check(STR("-1e999999999999999")), ERR_INVALID);
    EXPECT_EQ(json_check(STR("01")), ERR_INVALID);
    EXPECT_EQ(json_check(STR("-")), ERR_INVALID);
    EXPECT_EQ(json_check(STR("1.")), ERR_INVALID);
    EXPECT_EQ(json_check(STR("1-2")), ERR_INVALID);
    EXPECT_EQ(json_check(STR("+1")), ERR_INVALID);
}

TEST(json_depth_has_a_cap)
{
    struct buf text = BUF_IN(t->arena);
    const struct json *root;

    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        buf_add_char(&text, i % 2 ? '{' : '['), i % 2 ? buf_add_cstr(&text, "\"k\":") : (void)0;
    buf_add_char(&text, '1');
    for (int i = JSON_DEPTH_MAX; i-- > 0;)
        buf_add_char(&text, i % 2 ? '}' : ']');
    REQUIRE_OK(json_parse(t->arena, buf_str(&text), &root));
    EXPECT(str_eq(json_text(t->arena, root), buf_str(&text)));

    struct str deeper = str_printf(t->arena, "[%s]", text.ptr);

    EXPECT_EQ(json_check(deeper), ERR_INVALID);
    EXPECT(strstr(err_message(), "64 levels") != NULL);
    buf_clear(&text);
    for (int i = 0; i < 1000000; i++)
        buf_add_char(&text, '[');
    EXPECT_EQ(json_check(buf_str(&text)), ERR_INVALID);
}

TEST(json_says_where)
{
    EXPECT_EQ(json_check(STR("{\"a\" 1}")), ERR_INVALID);
    EXPECT_CSTR(err_message(), "not valid JSON: no colon where one is due at byte 5");
    EXPECT_EQ(json_check(STR("[1,]")), ERR_INVALID);
    EXPECT_CSTR(err_message(), "not valid JSON: no value where one is due at byte 3");
    EXPECT_EQ(json_check(STR("")), ERR_INVALID);
    EXPECT_CSTR(err_message(), "not valid JSON: an unexpected end at byte 0");
    EXPECT_EQ(json_check(STR("[\"\xff\"]")), ERR_INVALID);
    EXPECT_CSTR(err_message(), "not valid JSON: invalid UTF-8 at byte 2");
    EXPECT_EQ(json_check(STR("{} x")), ERR_INVALID);
    EXPECT_CSTR(err_message(), "not valid JSON: something after the end at byte 3");
}

TEST(json_failure_leaves_the_output_alone)
{
    const struct json *root = (const struct json *)(const void *)t;

    EXPECT_EQ(json_parse(t->arena, STR("["), &root), ERR_INVALID);
    EXPECT(root == (const struct json *)(const void *)t);
}

TEST(json_every_prefix_is_refused)
{
    static const char text[] = "{\"a\":[1.5,\"x\\u00e9\\n\",true,null,{\"b\":-0.1e+5}],\"c\":{}}";

    EXPECT_OK(json_check(str_from(text)));
    for (size_t len = 0; len < strlen(text); len++) {
        /* An exact copy on the heap, so that a read behind the end is seen by ASan. */
        char *copy = xmalloc(len);

        memcpy(copy, text, len);
        if (!EXPECT_EQ(json_check((struct str){copy, len}), ERR_INVALID))
            printf("# accepted: %.*s\n", (int)len, text);
        free(copy);
    }
}

TEST(json_text_need_not_be_terminated)
{
    char *copy = xmalloc(3);
    const struct json *root;

    memcpy(copy, "123", 3);
    REQUIRE_OK(json_parse(t->arena, (struct str){copy, 3}, &root));
    EXPECT_EQ(json_i64(root, 0), 123);
    free(copy);
}

TEST(json_names_of_keys_are_case_sensitive)
{
    const struct json *root;

    REQUIRE_OK(json_parse(t->arena, STR("{\"Key\":1,\"key\":2,\"keys\":3}"), &root));
    EXPECT_EQ(json_get_i64(root, "key", 0), 2);
    EXPECT_EQ(json_get_i64(root, "ke", 0), 0);
}
