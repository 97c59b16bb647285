#include "base/json.h"
#include "test.h"

#include <math.h>

TEST(json_writer_puts_commas)
{
    struct buf out = BUF_IN(t->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "a", "x");
    json_name(&w, "b");
    json_array_begin(&w);
    json_put_i64(&w, -1);
    json_put_bool(&w, true);
    json_put_null(&w);
    json_array_begin(&w);
    json_array_end(&w);
    json_object_begin(&w);
    json_object_end(&w);
    json_put_double(&w, 0.5);
    json_array_end(&w);
    json_i64_member(&w, "c", INT64_MIN);
    json_bool_member(&w, "d", false);
    json_raw_member(&w, "e", STR("{\"f\":1}"));
    json_cstr_member(&w, "g", NULL);
    json_object_end(&w);
    EXPECT_STR(buf_str(&out),
        "{\"a\":\"x\",\"b\":[-1,true,null,[],{},0.5],\"c\":-9223372036854775808,\"d\":false,"
        "\"e\":{\"f\":1},\"g\":null}");
    EXPECT_OK(json_check(buf_str(&out)));
}

static struct str written(struct test *t, struct str value)
{
    struct buf out = BUF_IN(t->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_put_str(&w, value);
    return buf_str(&out);
}

TEST(json_writer_escapes)
{
    EXPECT_STR(written(t, STR("\"\\/\b\f\n\r\t\x01\x1f\x7f")),
        "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    EXPECT_STR(written(t, STR("a\0b")), "\"a\\u0000b\"");
    EXPECT_STR(written(t, STR("\xe2\x82\xac\xf0\x9f\x98\x80")), "\"\xe2\x82\xac\xf0\x9f\x98\x80\"");
    EXPECT_STR(written(t, STR("a\xff"
                              "b\xc3")),
        "\"a\xef\xbf\xbd"
        "b\xef\xbf\xbd\"");
    EXPECT_STR(written(t, STR("")), "\"\"");
}

TEST(json_writer_escapes_every_byte_at_every_place)
{
    for (int byte = 1; byte < 0x80; byte++) {
        for (size_t place = 0; place < 17; place++) {
            char text[] = "aaaaaaaaaaaaaaaaa";
            const struct json *back;

            text[place] = (char)byte;
            REQUIRE_OK(json_parse(t->arena, written(t, STR("aaaaaaaaaaaaaaaaa")), &back));
            REQUIRE_OK(json_parse(t->arena, written(t, (struct str){text, 17}), &back));
            REQUIRE(str_eq(json_str(back), (struct str){text, 17}));
        }
    }
}

static struct str number(struct test *t, double value)
{
    struct buf out = BUF_IN(t->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_put_double(&w, value);
    return buf_str(&out);
}

TEST(json_writer_joins_the_parts_of_a_string)
{
    const struct str parts[] = {STR("Ana \"A\""), STR(": "), STR(""), STR("gr\xc3\xbc\xff\n")};
    struct buf out = BUF_IN(t->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_name(&w, "content");
    json_put_joined(&w, parts, ARRAY_LEN(parts));
    json_name(&w, "none");
    json_put_joined(&w, parts, 0);
    json_object_end(&w);
    EXPECT_STR(
        buf_str(&out), "{\"content\":\"Ana \\\"A\\\": gr\xc3\xbc\xef\xbf\xbd\\n\",\"none\":\"\"}");
}

TEST(json_writer_numbers)
{
    EXPECT_STR(number(t, 0.1), "0.1");
    EXPECT_STR(number(t, 0.1 + 0.2), "0.30000000000000004");
    EXPECT_STR(number(t, 100), "100");
    EXPECT_STR(number(t, 1e21), "1e+21");
    EXPECT_STR(number(t, -0.0), "0");
    EXPECT_STR(number(t, NAN), "null");
    EXPECT_STR(number(t, -INFINITY), "null");
}

TEST(json_writer_doubles_read_back)
{
    uint64_t seed = 99;

    for (int i = 0; i < 20000; i++) {
        double value, back;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        memcpy(&value, &seed, sizeof(value));
        if (!isfinite(value))
            continue;
        REQUIRE(str_to_double(number(t, value), &back));
        REQUIRE(back == value);
    }
}

TEST(json_put_node_keeps_the_order)
{
    const struct json *root;
    struct buf out = BUF_IN(t->arena);
    struct json_writer w;

    REQUIRE_OK(
        json_parse(t->arena, STR("{\"z\":[1, 2 ],\"a\":{\"y\":null,\"b\":\"\\n\"}}"), &root));
    json_init(&w, &out);
    json_array_begin(&w);
    json_put_node(&w, root);
    json_put_node(&w, NULL);
    json_array_end(&w);
    EXPECT_STR(buf_str(&out), "[{\"z\":[1,2],\"a\":{\"y\":null,\"b\":\"\\n\"}},null]");
    EXPECT_STR(json_canonical(t->arena, root), "{\"a\":{\"b\":\"\\n\",\"y\":null},\"z\":[1,2]}");
}

TEST(json_canonical_is_equal_for_equal_values)
{
    const struct json *a, *b;

    REQUIRE_OK(json_parse(t->arena, STR("{\"x\":1.0,\"y\":[-0,\"\\u0041\"],\"\":{}}"), &a));
    REQUIRE_OK(json_parse(t->arena, STR(" {\"\":{ },\"y\":[0.0,\"A\"],\"x\":1e0}"), &b));
    EXPECT(str_eq(json_canonical(t->arena, a), json_canonical(t->arena, b)));
}

TEST(json_documents_may_follow_each_other)
{
    struct buf out = BUF_IN(t->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_put_i64(&w, 1);
    buf_add_char(&out, '\n');
    json_put_i64(&w, 2);
    EXPECT_STR(buf_str(&out), "1\n2");
}
