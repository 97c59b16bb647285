#include "extract/plain.h"
#include "test.h"

static struct str decode(struct test *t, struct str bytes)
{
    struct str text = STR("no text");
    bool cut;

    if (plain_decode(bytes, 1000, t->arena, &text, &cut))
        EXPECT(!cut);
    return text;
}

TEST(plain_utf8_as_it_is)
{
    EXPECT_STR(decode(t, STR("Grüße\n日本\n")), "Grüße\n日本\n");
    EXPECT_STR(decode(t, STR("\xef\xbb\xbfname;price\n")), "name;price\n");
    EXPECT_STR(decode(t, STR("")), "");
}

TEST(plain_utf16_by_its_mark)
{
    EXPECT_STR(decode(t, STR("\xff\xfeh\0i\0=\xd8\0\xde")), "hi😀");
    EXPECT_STR(decode(t, STR("\xfe\xff\0h\0i\xd8=\xde\0")), "hi😀");
    /* Half a pair is no character; half a unit is dropped. */
    EXPECT_STR(decode(t, STR("\xff\xfe=\xd8x\0y")), "\xef\xbf\xbdx");
}

TEST(plain_windows_1252_otherwise)
{
    EXPECT_STR(decode(t, STR("Gr\xfc\xdf"
                             "e, 12 \x80")),
        "Grüße, 12 €");
}

TEST(plain_bytes_that_are_no_text)
{
    EXPECT_STR(decode(t, STR("MZ\x90\0\x03")), "no text");
}

TEST(plain_cut_at_a_character)
{
    struct str text;
    bool cut;

    REQUIRE(plain_decode(STR("ab\xc3\xa9"), 3, t->arena, &text, &cut));
    EXPECT_STR(text, "ab");
    EXPECT(cut);
    REQUIRE(plain_decode(STR("\xe9\xe9\xe9"), 4, t->arena, &text, &cut));
    EXPECT_STR(text, "éé");
    EXPECT(cut);
    REQUIRE(plain_decode(STR("abc"), 3, t->arena, &text, &cut));
    EXPECT(!cut);
}
