#include "store/front.h"
#include "test.h"

TEST(hex_round_trip)
{
    struct str bytes;

    EXPECT_STR(hex_encode(t->arena, STR("\x00\x7f\xff")), "007fff");
    EXPECT(hex_decode(t->arena, STR("007fff"), &bytes));
    EXPECT(str_eq(bytes, STR("\x00\x7f\xff")));
    EXPECT(!hex_decode(t->arena, STR("007ff"), &bytes));
    EXPECT(!hex_decode(t->arena, STR("00zz"), &bytes));
    EXPECT(!hex_decode(t->arena, STR("00FF"), &bytes));
}

/* RFC 4648, section 10, without padding. */
TEST(base64url_vectors)
{
    static const char *const vectors[][2] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"}};
    struct str bytes;

    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        EXPECT_STR(base64url_encode(t->arena, str_from(vectors[i][0])), vectors[i][1]);
        EXPECT(base64url_decode(t->arena, str_from(vectors[i][1]), &bytes));
        EXPECT_STR(bytes, vectors[i][0]);
    }
    EXPECT(!base64url_decode(t->arena, STR("Z"), &bytes));
    EXPECT(!base64url_decode(t->arena, STR("Zg=="), &bytes));
    EXPECT(!base64url_decode(t->arena, STR("Zh"), &bytes)); /* bits left over */
    EXPECT(!base64url_decode(t->arena, STR("Z+"), &bytes));
    EXPECT(!base64url_decode(t->arena, STR("Zm\0v"), &bytes));
}

TEST(cursor_round_trip)
{
    struct store_query query = {.entity = STORE_RUNS, .workspace_id = STR("w"), .value = STR("s")};
    const int64_t orders[] = {0, -1, INT64_MIN, INT64_MAX, 1772442000000};

    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        int64_t order;
        struct str id;
        query.cursor = cursor_make(&query, orders[i], STR("id|with bars"), t->arena);
        EXPECT_OK(cursor_open(&query, t->arena, &order, &id));
        EXPECT_EQ(order, orders[i]);
        EXPECT_STR(id, "id|with bars");
        query.descending = true; /* another question */
        EXPECT_EQ(cursor_open(&query, t->arena, &order, &id), ERR_INVALID);
        query.descending = false;
    }
}

TEST(a_split_row_is_joined_by_the_names_of_its_columns)
{
    static const char *const wrong[] = {
        "state", "state:", "state:x", "state:-1", "state:7", "state:4,kind:3", "state:1,", ":1"};
    const struct store_schema *schema = &store_schemas[STORE_RUNS];
    struct run_row row = {.created_at = 7};

    EXPECT_OK(row_join(schema, STR("state:4,session_id:2"), STR("donems"), t->arena, &row));
    EXPECT_STR(row.state, "done");
    EXPECT_STR(row.session_id, "ms");
    EXPECT_OK(row_join(schema, STR("state:0"), STR(""), t->arena, &row));
    EXPECT_STR(row.state, "");
    EXPECT_OK(
        row_join(schema, STR("nonsense:1,created_at:1,state:2"), STR("abcd"), t->arena, &row));
    EXPECT_STR(row.state, "cd");
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (!EXPECT_EQ(
                row_join(schema, str_from(wrong[i]), STR("failed"), t->arena, &row), ERR_CORRUPT))
            printf("# %s\n", wrong[i]);
    EXPECT_EQ(row.created_at, 7);
}
