#include "store/sqlite.h"
#include "test.h"

static struct sqlite_conn *open_conn(struct test *t)
{
    const char *path = str_printf(t->arena, "%s/theo.db", test_dir(t)).ptr;
    struct sqlite_conn *conn = NULL;
    FILE *file = fopen(path, "w");

    fclose(file);
    if (EXPECT_OK(sqlite_conn_open(path, &conn)))
        EXPECT_OK(sqlite_migrate(conn));
    return conn;
}

/* No statement may walk a whole table or sort: both grow with the store. */
static void expect_direct(struct test *t, struct sqlite_conn *conn,
    const struct store_schema *schema, enum sql_kind kind, int arg)
{
    struct buf sql = BUF_IN(t->arena);
    sqlite3_stmt *stmt;

    buf_add_cstr(&sql, "EXPLAIN QUERY PLAN ");
    sqlite_sql(schema, kind, arg, &sql);
    REQUIRE_OK(sqlite_prepare(conn, sql.ptr, &stmt));
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(stmt, 3);
        if (!EXPECT(!strstr(detail, "TEMP B-TREE") && !strstr(detail, "SCAN ")))
            printf("# %s: %s\n", sql.ptr, detail);
    }
    sqlite3_finalize(stmt);
}

TEST(every_statement_goes_straight_to_its_rows)
{
    struct sqlite_conn *conn = open_conn(t);

    REQUIRE(conn != NULL);
    for (size_t i = 0; i < STORE_ENTITY_COUNT; i++) {
        const struct store_schema *schema = &store_schemas[i];
        expect_direct(t, conn, schema, SQL_INSERT, 0);
        expect_direct(t, conn, schema, SQL_DELETE, 0);
        if (schema->by_seq) {
            expect_direct(t, conn, schema, SQL_REPLACE, 0);
            expect_direct(t, conn, schema, SQL_DELETE_ALL, 0);
            for (int way = 0; way < 4; way++)
                expect_direct(
                    t, conn, schema, SQL_LIST, SQL_LIST_ARG(STORE_CHILDREN, way & 2, way & 1));
            continue;
        }
        expect_direct(t, conn, schema, SQL_GET, 0);
        expect_direct(t, conn, schema, SQL_CHECK, 0);
        for (int changed = 0; changed < 16; changed++)
            expect_direct(t, conn, schema, SQL_UPDATE, changed);
        for (int j = 0; j < (int)schema->index_count; j++) {
            if (schema->indexes[j].kind != INDEX_LIST) {
                expect_direct(t, conn, schema, SQL_FIND, j);
                if (schema->indexes[j].kind == INDEX_GLOBAL)
                    expect_direct(t, conn, schema, SQL_FIND, j | 8);
                continue;
            }
            expect_direct(t, conn, schema, SQL_DELETE_ALL, j + 1);
            for (int way = 0; way < 4; way++)
                expect_direct(t, conn, schema, SQL_LIST, SQL_LIST_ARG(j, way & 2, way & 1));
        }
    }
    sqlite_conn_close(conn);
}

TEST(update_names_only_the_indexed_columns_that_change)
{
    struct buf sql = BUF_IN(t->arena);
    size_t columns[4];

    EXPECT_EQ(sqlite_indexed_columns(&store_schemas[STORE_RUNS], columns), 3);
    sqlite_sql(&store_schemas[STORE_RUNS], SQL_UPDATE, 0, &sql);
    EXPECT(strstr(sql.ptr, " sealed = ") != NULL);
    EXPECT(strstr(sql.ptr, " listed = ") == NULL);
    EXPECT(strstr(sql.ptr, " created_at = ") == NULL);
    buf_clear(&sql);
    sqlite_sql(&store_schemas[STORE_RUNS], SQL_UPDATE, 4, &sql);
    EXPECT(strstr(sql.ptr, " listed = ") != NULL);
    EXPECT(strstr(sql.ptr, " session_id = ") == NULL);
}

TEST(migration_is_idempotent)
{
    struct sqlite_conn *conn = open_conn(t);

    REQUIRE(conn != NULL);
    EXPECT_OK(sqlite_migrate(conn));
    EXPECT_EQ(sqlite3_total_changes(conn->db), 1); /* the schema's hash, once */
    sqlite_conn_close(conn);
}
