#include "base/err.h"
#include "test.h"

TEST(err_set_keeps_the_cause)
{
    int line = __LINE__ + 1;
    int r = err_field(ERR_INVALID, "chat_context", "%d is too many", 7);

    EXPECT_EQ(r, ERR_INVALID);
    EXPECT_EQ(err_get()->code, ERR_INVALID);
    EXPECT_EQ(err_get()->line, line);
    EXPECT(strstr(err_get()->file, "test_err.c") != NULL);
    EXPECT_CSTR(err_get()->field, "chat_context");
    EXPECT_CSTR(err_message(), "7 is too many");
}

TEST(err_set_forgets_the_former_field)
{
    (void)err_field(ERR_INVALID, "a", "b");
    err_get()->retry_after_ms = 5;
    (void)err_set(ERR_IO, "c");
    EXPECT_CSTR(err_get()->field, "");
    EXPECT_EQ(err_get()->retry_after_ms, 0);
}

TEST(err_wrap_puts_before)
{
    (void)err_set(ERR_NOT_FOUND, "no such file");
    EXPECT_EQ(err_wrap("reading %s", "theo.yaml"), ERR_NOT_FOUND);
    EXPECT_CSTR(err_message(), "reading theo.yaml: no such file");
}

TEST(err_set_may_quote_the_current_error)
{
    (void)err_field(ERR_IO, "f", "first");
    EXPECT_EQ(
        err_field(ERR_FAILED, err_get()->field, "second after %s", err_message()), ERR_FAILED);
    EXPECT_CSTR(err_message(), "second after first");
    EXPECT_CSTR(err_get()->field, "f");
}

TEST(err_messages_are_cut_at_a_code_point)
{
    struct buf text = BUF_IN(t->arena);

    for (int shift = 0; shift < 4; shift++) {
        buf_clear(&text);
        for (int i = 0; i < shift; i++)
            buf_add_char(&text, 'x');
        while (text.len < 1000)
            buf_add_cstr(&text, "\xf0\x9f\x98\x80");
        (void)err_field(ERR_INVALID, text.ptr, "%s", text.ptr);
        EXPECT(utf8_valid(str_from(err_message())));
        EXPECT(utf8_valid(str_from(err_get()->field)));
        EXPECT(strlen(err_message()) > 500);
        EXPECT_EQ(err_wrap("%s", text.ptr), ERR_INVALID);
        EXPECT(utf8_valid(str_from(err_message())));
    }
}

TEST(err_swap_changes_the_current_one)
{
    struct err own = {0};
    struct err *former;

    (void)err_set(ERR_IO, "outside");
    former = err_swap(&own);
    (void)err_set(ERR_BUSY, "inside");
    EXPECT(err_swap(former) == &own);
    EXPECT_CSTR(err_message(), "outside");
    EXPECT_CSTR(own.message, "inside");
}

TEST(err_names)
{
    EXPECT_CSTR(err_name(0), "ok");
    EXPECT_CSTR(err_name(ERR_INVALID), "invalid");
    EXPECT_CSTR(err_name(ERR_BUDGET), "budget");
    EXPECT_CSTR(err_name(-1000), "failed");
    EXPECT_CSTR(err_name(INT32_MIN), "failed");
    EXPECT_CSTR(err_name(3), "failed");
}
