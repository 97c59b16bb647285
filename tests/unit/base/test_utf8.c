#include "base/str.h"
#include "test.h"

/* What RFC 3629 says, written as differently as possible from the code under test. */
static bool valid_by_decoding(const unsigned char *p, size_t len)
{
    size_t i = 0;

    while (i < len) {
        int more = p[i] < 0x80       ? 0
                   : p[i] >> 5 == 6  ? 1
                   : p[i] >> 4 == 14 ? 2
                   : p[i] >> 3 == 30 ? 3
                                     : -1;
        static const uint32_t lowest[] = {0, 0x80, 0x800, 0x10000};
        uint32_t cp;

        if (more < 0 || i + (size_t)more >= len)
            return false;
        cp = more == 0 ? p[i] : p[i] & (0x3fu >> more);
        for (int k = 1; k <= more; k++) {
            if (p[i + (size_t)k] >> 6 != 2)
                return false;
            cp = cp << 6 | (p[i + (size_t)k] & 0x3f);
        }
        if (cp < lowest[more] || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
            return false;
        i += (size_t)more + 1;
    }
    return true;
}

TEST(utf8_every_code_point_round_trips)
{
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        char bytes[4];
        size_t len = utf8_encode(cp, bytes), pos = 0;
        bool surrogate = cp >= 0xd800 && cp <= 0xdfff;
        uint32_t back = utf8_next((struct str){bytes, len}, &pos);

        REQUIRE(utf8_valid((struct str){bytes, len}));
        REQUIRE(back == (surrogate ? 0xfffd : cp) && pos == len);
    }
}

TEST(utf8_every_sequence_of_three_bytes)
{
    unsigned char text[19] = "aaaaaaaa\0\0\0bbbbbbbb";

    for (unsigned v = 0; v < 1u << 24; v += 1 + v % 7) {
        text[8] = (unsigned char)(v >> 16);
        text[9] = (unsigned char)(v >> 8);
        text[10] = (unsigned char)v;
        REQUIRE(utf8_valid((struct str){(char *)text, sizeof(text)}) ==
                valid_by_decoding(text, sizeof(text)));
    }
}

TEST(utf8_edges_of_four_byte_sequences)
{
    EXPECT(utf8_valid(STR("\xf0\x90\x80\x80")));
    EXPECT(!utf8_valid(STR("\xf0\x8f\xbf\xbf"))); /* overlong */
    EXPECT(utf8_valid(STR("\xf4\x8f\xbf\xbf")));
    EXPECT(!utf8_valid(STR("\xf4\x90\x80\x80"))); /* above U+10FFFF */
    EXPECT(!utf8_valid(STR("\xf5\x80\x80\x80")));
    EXPECT(!utf8_valid(STR("\xf0\x9f\x98")));
    EXPECT_EQ(utf8_valid_len(STR("h\xc3\xa9llo, world\xff!")), 13);
}

TEST(utf8_next_moves_one_byte_over_rubbish)
{
    struct str s = STR("\xe2\x82x");
    size_t pos = 0;

    EXPECT_EQ(utf8_next(s, &pos), 0xfffd);
    EXPECT_EQ(pos, 1);
    EXPECT_EQ(utf8_next(s, &pos), 0xfffd);
    EXPECT_EQ(utf8_next(s, &pos), 'x');
    EXPECT_EQ(pos, 3);
}

TEST(utf8_truncate_keeps_code_points_whole)
{
    struct str s = STR("a\xf0\x9f\x98\x80z");

    EXPECT_EQ(utf8_truncate(s, 6).len, 6);
    EXPECT_EQ(utf8_truncate(s, 5).len, 5);
    EXPECT_EQ(utf8_truncate(s, 4).len, 1);
    EXPECT_EQ(utf8_truncate(s, 2).len, 1);
    EXPECT_EQ(utf8_truncate(s, 1).len, 1);
    EXPECT_EQ(utf8_truncate(s, 0).len, 0);
    EXPECT_EQ(utf8_truncate(s, 100).len, 6);
}

TEST(utf8_clean_replaces_what_is_invalid)
{
    struct str good = STR("gr\xc3\xbc\xc3\x9f"
                          "e");

    EXPECT(utf8_clean(t->arena, good).ptr == good.ptr);
    EXPECT_STR(utf8_clean(t->arena, STR("a\xff"
                                        "b\xc3")),
        "a\xef\xbf\xbd"
        "b\xef\xbf\xbd");
    EXPECT_STR(utf8_clean(t->arena, STR("\xff")), "\xef\xbf\xbd");
    EXPECT_STR(utf8_clean(t->arena, STR("\xc0\x80")), "\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(utf16_units)
{
    EXPECT_EQ(utf16_len(STR("abc")), 3);
    EXPECT_EQ(utf16_len(STR("\xc3\xa9")), 1);
    EXPECT_EQ(utf16_len(STR("\xf0\x9f\x98\x80")), 2);
    EXPECT_EQ(utf16_len(STR("")), 0);
}
