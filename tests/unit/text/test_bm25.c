#include "test.h"
#include "text/bm25.h"

static const char *const texts[] = {
    "Refunds are paid within fourteen days after the goods came back.",
    "Delivery takes three working days within Spain.",
    "The price of the sensor is 12 euro; prices include delivery.",
    "",
    "We do not ship to islands.",
};

static void fill(struct test *t, struct bm25 *index)
{
    bm25_init(index, t->arena);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        bm25_add(index, str_from(texts[i]));
    bm25_finish(index);
}

TEST(bm25_finds_the_text_that_a_query_is_about)
{
    static const struct {
        const char *query;
        size_t best;
    } cases[] = {
        {"When is a refund paid?", 0}, {"how long does the DELIVERY take in Spain", 1},
        {"sensor prices", 2}, {"islands", 4},
        {"the", 2}, /* nothing but a small word: that one is looked for */
    };
    struct bm25_hit hits[3];
    struct bm25 index;

    fill(t, &index);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t count = bm25_search(&index, str_from(cases[i].query), t->arena, hits, 3);

        REQUIRE(count > 0);
        EXPECT_EQ(hits[0].text, cases[i].best);
        for (size_t j = 1; j < count; j++)
            EXPECT(hits[j - 1].score >= hits[j].score);
    }
}

TEST(bm25_finds_nothing_where_there_is_nothing)
{
    struct bm25_hit hits[2];
    struct bm25 index;

    fill(t, &index);
    EXPECT_EQ(bm25_search(&index, STR("quantum"), t->arena, hits, 2), 0);
    EXPECT_EQ(bm25_search(&index, STR(""), t->arena, hits, 2), 0);
    EXPECT_EQ(bm25_search(&index, STR("delivery days price"), t->arena, hits, 2), 2);
    EXPECT_EQ(bm25_search(&index, STR("delivery"), t->arena, hits, 0), 0);
    bm25_init(&index, t->arena);
    bm25_finish(&index);
    EXPECT_EQ(bm25_search(&index, STR("delivery"), t->arena, hits, 2), 0);
}
