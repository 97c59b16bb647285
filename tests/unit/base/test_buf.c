#include "base/buf.h"
#include "test.h"

TEST(buf_is_always_terminated)
{
    struct buf buf = BUF_HEAP;

    for (int i = 0; i < 1000; i++) {
        buf_add_char(&buf, 'x');
        REQUIRE(buf.len == (size_t)i + 1 && buf.ptr[buf.len] == '\0');
    }
    buf_clear(&buf);
    EXPECT_CSTR(buf.ptr, "");
    buf_deinit(&buf);
    EXPECT(buf.ptr == NULL);
}

TEST(buf_in_an_arena_grows_too)
{
    struct buf buf = BUF_IN(t->arena);

    for (int i = 0; i < 5000; i++) {
        buf_add_i64(&buf, i % 10);
        arena_alloc(t->arena, (size_t)i % 3); /* so that it cannot always grow in place */
    }
    EXPECT_EQ(buf.len, 5000);
    for (size_t i = 0; i < buf.len; i++)
        REQUIRE(buf.ptr[i] == (char)('0' + i % 10));
    buf_deinit(&buf);
}

TEST(buf_numbers)
{
    static const int64_t values[] = {0, 7, -7, 10, 123456789, INT64_MAX, INT64_MIN};

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct buf buf = BUF_IN(t->arena);

        buf_add_i64(&buf, values[i]);
        EXPECT_STR(buf_str(&buf), str_printf(t->arena, "%lld", (long long)values[i]).ptr);
    }
}

TEST(buf_printf_longer_than_the_room)
{
    struct buf buf = BUF_HEAP;

    buf_add_cstr(&buf, "<");
    buf_printf(&buf, "%0*d", 5000, 42);
    buf_add_cstr(&buf, ">");
    EXPECT_EQ(buf.len, 5002);
    EXPECT_STR(str_slice(buf_str(&buf), 4999, 5002), "42>");
    buf_deinit(&buf);
}

TEST(buf_printf_of_exactly_the_room)
{
    for (int len = 55; len < 75; len++) {
        struct buf buf = BUF_HEAP;

        buf_printf(&buf, "%0*d", len, 7);
        EXPECT_EQ(buf.len, len);
        EXPECT_EQ(strlen(buf.ptr), len);
        buf_deinit(&buf);
    }
}

TEST(buf_consume_moves_the_rest)
{
    struct buf buf = BUF_HEAP;

    buf_consume(&buf, 0);
    buf_add_cstr(&buf, "hello world");
    buf_consume(&buf, 6);
    EXPECT_CSTR(buf.ptr, "world");
    buf_consume(&buf, 5);
    EXPECT_CSTR(buf.ptr, "");
    buf_deinit(&buf);
}

TEST(buf_str_of_an_empty_one)
{
    struct buf buf = BUF_HEAP;

    EXPECT_STR(buf_str(&buf), "");
    buf_add(&buf, NULL, 0);
    EXPECT_STR(buf_str(&buf), "");
    buf_deinit(&buf);
}
