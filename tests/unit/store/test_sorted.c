#include "store/sorted.h"
#include "test.h"

static struct str number_key(struct test *t, int number)
{
    return str_printf(t->arena, "%06d", number);
}

TEST(sorted_keeps_order_whatever_the_order_of_inserts)
{
    struct sorted map;
    struct sorted_node *node, *prev = NULL;
    int values[1000], expected = 0;

    sorted_init(&map);
    for (int i = 0; i < 1000; i++) {
        int number = i * 617 % 1000; /* 617 and 1000 have no common factor */
        values[number] = number;
        EXPECT(sorted_insert(&map, number_key(t, number), &values[number]));
    }
    EXPECT(!sorted_insert(&map, number_key(t, 5), NULL));
    EXPECT_EQ(map.count, 1000);
    for (node = sorted_from(&map, STR("")); node; node = node->next[0]) {
        EXPECT_EQ(*(int *)node->value, expected++);
        EXPECT(node->prev == prev);
        prev = node;
    }
    EXPECT_EQ(expected, 1000);
    sorted_deinit(&map, NULL);
}

TEST(sorted_finds_neighbours)
{
    struct sorted map;
    int ten = 10, twenty = 20;

    sorted_init(&map);
    EXPECT(sorted_from(&map, STR("")) == NULL);
    EXPECT(sorted_before(&map, STR("z")) == NULL);
    sorted_insert(&map, STR("10"), &ten);
    sorted_insert(&map, STR("20"), &twenty);
    EXPECT(sorted_from(&map, STR("10"))->value == &ten);
    EXPECT(sorted_from(&map, STR("11"))->value == &twenty);
    EXPECT(sorted_from(&map, STR("21")) == NULL);
    EXPECT(sorted_before(&map, STR("10")) == NULL);
    EXPECT(sorted_before(&map, STR("20"))->value == &ten);
    EXPECT(sorted_before(&map, STR("200"))->value == &twenty); /* a prefix comes first */
    EXPECT(sorted_get(&map, STR("20")) == &twenty);
    EXPECT(sorted_get(&map, STR("2")) == NULL);
    sorted_set(&map, STR("20"), &ten);
    EXPECT(sorted_get(&map, STR("20")) == &ten);
    sorted_deinit(&map, NULL);
}

TEST(sorted_removes)
{
    struct sorted map;
    struct sorted_node *node;
    int values[500], left = 0;

    sorted_init(&map);
    for (int i = 0; i < 500; i++)
        sorted_insert(&map, number_key(t, i), &values[i]);
    for (int i = 0; i < 500; i += 2)
        EXPECT(sorted_remove(&map, number_key(t, i)) == &values[i]);
    EXPECT(sorted_remove(&map, number_key(t, 0)) == NULL);
    for (node = sorted_before(&map, STR("z")); node; node = node->prev)
        left++;
    EXPECT_EQ(left, 250);
    EXPECT_EQ(map.count, 250);
    sorted_deinit(&map, NULL);
}
