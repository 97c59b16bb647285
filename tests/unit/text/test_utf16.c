#include "test.h"
#include "text/utf16.h"

/* a (1) é (1) 😀 (2) b (1): bytes 0, 1, 3, 7. */
static const struct str mixed = {"a\xc3\xa9\xf0\x9f\x98\x80"
                                 "b",
    8};

TEST(utf16_units_to_bytes_and_back)
{
    static const size_t byte_of[] = {0, 1, 3, 3, 7, 8, 8};
    static const size_t unit_of[] = {0, 1, 1, 2, 2, 2, 2, 4, 5, 5};

    EXPECT_EQ(utf16_len(mixed), 5);
    for (size_t i = 0; i < ARRAY_LEN(byte_of); i++)
        EXPECT_EQ(utf16_to_byte(mixed, i), byte_of[i]);
    for (size_t i = 0; i < ARRAY_LEN(unit_of); i++)
        EXPECT_EQ(utf16_from_byte(mixed, i), unit_of[i]);
    EXPECT_EQ(utf16_to_byte(STR(""), 3), 0);
}

TEST(utf16_an_entity_behind_an_emoji_is_found)
{
    struct str text = STR("Hi \xf0\x9f\x91\x8b\xf0\x9f\x8f\xbd @theo_bot, Zo\xc3\xab @theo");
    struct str slice;

    REQUIRE(utf16_slice(text, 8, 9, &slice));
    EXPECT_STR(slice, "@theo_bot");
    REQUIRE(utf16_slice(text, 23, 5, &slice));
    EXPECT_STR(slice, "@theo");
}

TEST(utf16_an_entity_that_cannot_be_is_refused)
{
    struct str slice = STR("untouched");

    EXPECT(!utf16_slice(mixed, 3, 2, &slice)); /* begins within the emoji */
    EXPECT(!utf16_slice(mixed, 0, 3, &slice)); /* ends within it */
    EXPECT(!utf16_slice(mixed, -1, 2, &slice));
    EXPECT(!utf16_slice(mixed, 0, 0, &slice));
    EXPECT(!utf16_slice(mixed, 4, 2, &slice)); /* beyond the end */
    EXPECT(!utf16_slice(mixed, INT64_MAX, INT64_MAX, &slice));
    EXPECT(!utf16_slice(mixed, 1, INT64_MAX, &slice));
    EXPECT_STR(slice, "untouched");
    EXPECT(utf16_slice(mixed, 0, 5, &slice));
    EXPECT_EQ(slice.len, 8);
}

TEST(utf16_invalid_bytes_count_one)
{
    struct str broken = STR("a\xff\xf0\x9f z");
    struct str slice;

    EXPECT_EQ(utf16_len(broken), 6);
    for (size_t unit = 0; unit <= 6; unit++)
        EXPECT_EQ(utf16_from_byte(broken, utf16_to_byte(broken, unit)), unit);
    REQUIRE(utf16_slice(broken, 5, 1, &slice));
    EXPECT_STR(slice, "z");
}
