#include "base/str.h"
#include "test.h"

#include <math.h>

TEST(str_comparisons)
{
    EXPECT(str_eq(STR("abc"), STR("abc")));
    EXPECT(!str_eq(STR("abc"), STR("abd")));
    EXPECT(str_eq((struct str){NULL, 0}, STR("")));
    EXPECT(str_eq_nocase(STR("AbC-1"), STR("aBc-1")));
    EXPECT(!str_eq_nocase(STR("@"), STR("`"))); /* 32 apart, but no letters */
    EXPECT(str_is(STR("x"), "x"));
    EXPECT(str_is(str_from(NULL), ""));
    EXPECT(str_cmp(STR("a"), STR("b")) < 0);
    EXPECT(str_cmp(STR("ab"), STR("a")) > 0);
    EXPECT(str_cmp(STR("\xff"), STR("a")) > 0); /* bytes, not chars */
    EXPECT_EQ(str_cmp(STR("a"), STR("a")), 0);
}

TEST(str_prefix_and_suffix)
{
    EXPECT(str_starts(STR("Bearer x"), STR("Bearer ")));
    EXPECT(!str_starts(STR("Bear"), STR("Bearer ")));
    EXPECT(str_starts_nocase(STR("BEARER x"), STR("bearer ")));
    EXPECT(!str_starts_nocase(STR("BEAR"), STR("bearer ")));
    EXPECT(str_ends(STR("a.ics"), STR(".ics")));
    EXPECT(!str_ends(STR("ics"), STR(".ics")));
    EXPECT(str_starts(STR("a"), STR("")) && str_ends(STR("a"), STR("")));
}

TEST(str_finding)
{
    struct str s = STR("one two One");

    EXPECT_EQ(str_find(s, STR("o"), 0), 0);
    EXPECT_EQ(str_find(s, STR("o"), 1), 6);
    EXPECT_EQ(str_find(s, STR("One"), 0), 8);
    EXPECT_EQ(str_find(s, STR("three"), 0), -1);
    EXPECT_EQ(str_find(s, STR(""), 11), 11);
    EXPECT_EQ(str_find(s, STR(""), 12), -1);
    EXPECT_EQ(str_find(s, STR("e"), 99), -1);
    EXPECT_EQ(str_find_nocase(s, STR("oNE"), 1), 8);
    EXPECT_EQ(str_find_nocase(s, STR("oneX"), 0), -1);
    EXPECT_EQ(str_find_char(s, 't', 0), 4);
    EXPECT_EQ(str_find_char(s, 't', 5), -1);
    EXPECT_EQ(str_find_char(s, 't', 50), -1);
    EXPECT_EQ(str_rfind_char(s, 'e'), 10);
    EXPECT_EQ(str_rfind_char(STR(""), 'e'), -1);
}

TEST(str_slices_are_clamped)
{
    EXPECT_STR(str_slice(STR("hello"), 1, 3), "el");
    EXPECT_STR(str_slice(STR("hello"), 3, 99), "lo");
    EXPECT_STR(str_slice(STR("hello"), 99, 100), "");
    EXPECT_STR(str_slice(STR("hello"), 3, 1), "");
    EXPECT_STR(str_trim(STR(" \t\r\n a b \v\f")), "a b");
    EXPECT_STR(str_trim(STR(" \n ")), "");
}

TEST(str_next_gives_every_part)
{
    static const char *const want[] = {"a", "", "b", ""};
    struct str rest = STR("a,,b,"), part;
    size_t i = 0;

    while (str_next(&rest, ',', &part)) {
        REQUIRE(i < ARRAY_LEN(want));
        EXPECT_STR(part, want[i++]);
    }
    EXPECT_EQ(i, 4);
    EXPECT(rest.ptr == NULL);
    rest = STR("");
    EXPECT(str_next(&rest, ',', &part));
    EXPECT_STR(part, "");
    EXPECT(!str_next(&rest, ',', &part));
}

TEST(str_copies)
{
    char *heap = str_heap(STR("heap"));

    EXPECT_CSTR(heap, "heap");
    free(heap);
    EXPECT_CSTR(str_dup(t->arena, str_slice(STR("hello"), 1, 3)).ptr, "el");
    EXPECT_CSTR(str_cstr(t->arena, (struct str){NULL, 0}), "");
    EXPECT_STR(str_lower(t->arena, STR("ÄBc1")), "Äbc1");
    EXPECT_STR(str_printf(t->arena, "%s-%d", "x", 5), "x-5");
}

TEST(str_to_i64_takes_whole_numbers_only)
{
    static const char *const wrong[] = {"", "-", "+1", " 1", "1 ", "1.0", "0x10", "1e3", "--1",
        "9223372036854775808", "-9223372036854775809", "99999999999999999999"};
    int64_t value;

    EXPECT(str_to_i64(STR("0"), &value) && value == 0);
    EXPECT(str_to_i64(STR("-12"), &value) && value == -12);
    EXPECT(str_to_i64(STR("007"), &value) && value == 7);
    EXPECT(str_to_i64(STR("9223372036854775807"), &value) && value == INT64_MAX);
    EXPECT(str_to_i64(STR("-9223372036854775808"), &value) && value == INT64_MIN);
    value = 42;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        EXPECT(!str_to_i64(str_from(wrong[i]), &value));
    EXPECT_EQ(value, 42);
}

TEST(str_to_double_takes_decimals_only)
{
    static const char *const wrong[] = {"", "-", ".5", "5.", "+1", "1e", "1e+", "0x1p3", "inf",
        "nan", "1e999", "-1e999", " 1", "1,5", "1e5x"};
    double value;

    EXPECT(str_to_double(STR("1.5"), &value) && value == 1.5);
    EXPECT(str_to_double(STR("-2e-3"), &value) && value == -0.002);
    EXPECT(str_to_double(STR("1E+2"), &value) && value == 100);
    EXPECT(str_to_double(STR("1e-999"), &value) && value == 0);
    EXPECT(str_to_double(STR("5e-324"), &value) && value > 0);
    value = 42;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        EXPECT(!str_to_double(str_from(wrong[i]), &value));
    EXPECT(value == 42);
}

TEST(the_nearest_word_is_a_slip_of_the_name_and_no_other_word)
{
    struct str_near near = STR_NEAR(STR("shedule"));

    EXPECT_EQ(str_near_try(&near, STR("recall")), false);
    EXPECT_EQ(str_near_try(&near, STR("schedules")), true);
    EXPECT_EQ(str_near_try(&near, STR("schedule")), true);
    EXPECT_EQ(str_near_try(&near, STR("schedules")), false);
    EXPECT_EQ(str_is(near.best, "schedule"), true);
    near = STR_NEAR(STR("no"));
    EXPECT_EQ(str_near_try(&near, STR("yes")), false);
    EXPECT_EQ(str_empty(near.best), true);
}
