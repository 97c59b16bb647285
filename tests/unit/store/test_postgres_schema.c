#include "store/postgres.h"
#include "test.h"

static struct str sql_of(
    struct test *t, enum pg_change_kind kind, enum store_entity entity, size_t number)
{
    struct pg_change change = {kind, &store_schemas[entity], number};
    struct buf out = BUF_IN(t->arena);

    pg_change_sql(&change, &out);
    return buf_str(&out);
}

TEST(each_table_leads_with_its_workspace)
{
    for (int i = 0; i < STORE_ENTITY_COUNT; i++) {
        struct str sql = sql_of(t, PG_MAKE_TABLE, (enum store_entity)i, 0);

        EXPECT(str_find(sql, STR("PRIMARY KEY (workspace_id, "), 0) > 0);
        EXPECT(str_find(sql_of(t, PG_MAKE_POLICY, (enum store_entity)i, 0),
                   STR("FORCE ROW LEVEL SECURITY"), 0) > 0);
    }
}

/* PostgreSQL cuts names to 63 bytes: two that were cut alike would be one index. */
TEST(names_of_indexes_are_short_enough)
{
    for (int i = 0; i < STORE_ENTITY_COUNT; i++)
        for (size_t j = 0; j < store_schemas[i].index_count; j++) {
            struct str sql = sql_of(t, PG_DROP_INDEX, (enum store_entity)i, j);
            struct str name = str_slice(sql, (size_t)str_rfind_char(sql, ' ') + 1, sql.len);

            EXPECT(name.len > 3 && name.len <= 63);
        }
}

TEST(an_index_of_a_table_with_rows_is_made_online)
{
    struct str plain = sql_of(t, PG_MAKE_INDEX, STORE_SCHEDULES, 0);
    struct str online = sql_of(t, PG_ADD_INDEX, STORE_SCHEDULES, 0);

    EXPECT(str_starts(plain, STR("CREATE INDEX IF NOT EXISTS schedules_by_state_due_at ON")));
    EXPECT(str_starts(online, STR("CREATE INDEX CONCURRENTLY IF NOT EXISTS schedules_by_state_")));
    EXPECT(str_ends(online, STR("(workspace_id, state, due_at, id);\n")));
}

TEST(changes_are_told_in_a_line_each)
{
    struct pg_change change = {PG_ADD_COLUMN, &store_schemas[STORE_SCHEDULES], 3};
    struct buf out = BUF_IN(t->arena);

    pg_change_text(&change, false, &out);
    change.kind = PG_MAKE_POLICY;
    pg_change_text(&change, true, &out);
    change.kind = PG_DROP_INDEX;
    change.number = 0;
    pg_change_text(&change, false, &out);
    EXPECT_STR(buf_str(&out), "add column kind to table schedules\n"
                              "drop broken index schedules_by_state_due_at\n");
}

TEST(schema_hash_is_stable)
{
    char one[65], two[65];

    pg_schema_hash(one);
    pg_schema_hash(two);
    EXPECT_STR(str_from(one), two);
    EXPECT_EQ(strlen(one), 64);
}
