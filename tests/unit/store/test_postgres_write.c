#include "store/postgres.h"
#include "test.h"

static struct schedule_row a_schedule(const char *id, int64_t version)
{
    return (struct schedule_row){.workspace_id = STR("w"),
        .id = str_from(id),
        .version = version,
        .state = STR("active"),
        .rule = STR("weekly"),
        .due_at = 946684800001};
}

static struct pg_statement text_of(
    struct test *t, enum store_op_kind kind, const struct store_op *const *ops, size_t count)
{
    struct pg_statement st;

    pg_statement_init(&st, t->arena, STR("w"));
    EXPECT_EQ(ops[0]->kind, kind);
    pg_sql_write(&st, ops, count);
    return st;
}

TEST(many_rows_are_an_array_for_each_column)
{
    const struct store_schema *schema = &store_schemas[STORE_SCHEDULES];
    struct schedule_row rows[2] = {a_schedule("a", 7), a_schedule("bcd", 9)};
    struct store_op op[2] = {{.kind = OP_INSERT, .entity = STORE_SCHEDULES, .row = &rows[0]},
        {.kind = OP_INSERT, .entity = STORE_SCHEDULES, .row = &rows[1]}};
    const struct store_op *ops[2] = {&op[0], &op[1]};
    struct pg_statement st = text_of(t, OP_INSERT, ops, 2);
    static const char ids[] = "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\2\0\0\0\1\0\0\0\1a\0\0\0\3bcd";
    static const char versions[] = "\0\0\0\1\0\0\0\0\0\0\0\x14\0\0\0\2\0\0\0\1"
                                   "\0\0\0\x8\0\0\0\0\0\0\0\1\0\0\0\x8\0\0\0\0\0\0\0\1";

    EXPECT_EQ(st.count, (int)schema->column_count);
    EXPECT(strstr(st.sql.ptr, "SELECT * FROM unnest($1, $2, $3") != NULL);
    EXPECT_EQ(st.lengths[1], sizeof(ids) - 1);
    EXPECT(memcmp(st.values[1], ids, sizeof(ids) - 1) == 0);
    EXPECT_EQ(st.lengths[2], sizeof(versions) - 1);
    EXPECT(memcmp(st.values[2], versions, sizeof(versions) - 1) == 0);
}

/* However many rows: the server reads a text as long as for two. */
TEST(text_does_not_grow_with_rows)
{
    struct schedule_row row = a_schedule("a", 1);
    struct store_op op = {.kind = OP_UPDATE, .entity = STORE_SCHEDULES, .row = &row};
    const struct store_op *ops[100];
    struct pg_statement few, many;

    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        ops[i] = &op;
    few = text_of(t, OP_UPDATE, ops, 10);
    many = text_of(t, OP_UPDATE, ops, 99);
    EXPECT_EQ(few.sql.len, many.sql.len);
    EXPECT_EQ(few.count, many.count);
}

TEST(an_update_expects_its_version_or_any)
{
    struct schedule_row rows[2] = {a_schedule("a", 7), a_schedule("b", 0)};
    struct store_op op[2] = {{.kind = OP_UPDATE, .entity = STORE_SCHEDULES, .row = &rows[0]},
        {.kind = OP_UPDATE, .entity = STORE_SCHEDULES, .row = &rows[1]}};
    const struct store_op *ops[2] = {&op[0], &op[1]};
    struct pg_statement st = text_of(t, OP_UPDATE, ops, 2);

    EXPECT(memcmp(st.values[2] + 24, "\xff\xff\xff\xff\xff\xff\xff\xf8", 8) == 0); /* -1 - 7 */
    EXPECT(memcmp(st.values[2] + 36, "\xff\xff\xff\xff\xff\xff\xff\xff", 8) == 0);
    EXPECT(strstr(st.sql.ptr, "excluded.version IN (-1, -1 - schedules.version)") != NULL);
    EXPECT(strstr(text_of(t, OP_UPDATE, ops, 1).sql.ptr, "version = $") != NULL);
}

TEST(ones_own_row_is_known_again)
{
    struct schedule_row ours = a_schedule("a", 7), held = a_schedule("a", 8);
    struct store_op update = {.kind = OP_UPDATE, .entity = STORE_SCHEDULES, .row = &ours};
    struct store_op insert = {.kind = OP_INSERT, .entity = STORE_SCHEDULES, .row = &ours};

    EXPECT(pg_is_written(&update, &held));
    EXPECT(!pg_is_written(&insert, &held));
    held.version = 1;
    EXPECT(pg_is_written(&insert, &held));
    EXPECT(!pg_is_written(&update, &held));
    held.rule = STR("monthly");
    EXPECT(!pg_is_written(&insert, &held));
    held = a_schedule("a", 1);
    held.due_at++;
    EXPECT(!pg_is_written(&insert, &held));
    ours.version = 0;
    ours.due_at = INT64_MAX;
    held = a_schedule("a", 55);
    held.due_at = INT64_MAX - 1; /* as the server gives it back */
    EXPECT(pg_is_written(&update, &held));
}

TEST(times_are_microseconds_since_2000_and_never_overflow)
{
    EXPECT_EQ(pg_time_from_ms(946684800000), 0);
    EXPECT_EQ(pg_time_from_ms(946684800001), 1000);
    EXPECT_EQ(pg_time_from_ms(0), -946684800000000);
    EXPECT_EQ(pg_time_from_ms(INT64_MAX), INT64_MAX);
    EXPECT_EQ(pg_time_from_ms(INT64_MIN), INT64_MIN);
}
