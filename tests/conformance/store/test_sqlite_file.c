/* SQLite's file: opened again, damaged, newer, older, full disk, modes. */
#include "runtime/loop.h"
#include "suite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *file_in(struct test *t, const char *name)
{
    return str_printf(t->arena, "%s/%s", test_dir(t), name).ptr;
}

/* Run SQL on the closed store. */
static void run_sql(struct test *t, const char *sql)
{
    sqlite3 *db;

    REQUIRE(sqlite3_open(file_in(t, "theo.db"), &db) == SQLITE_OK);
    if (!EXPECT_EQ(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK))
        printf("# %s\n", sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* A store with some rows, closed again. */
static void fill(struct test *t, int rows)
{
    struct suite s;

    REQUIRE_OK(suite_open_url(t, "sqlite", &s));
    for (int i = 0; i < rows; i++) {
        struct message_row row = a_message("w1", "s1", i, "a message of some length, sealed");
        EXPECT_OK(insert_row(&s, STORE_MESSAGES, &row));
    }
    suite_close(&s);
}

TEST(reopened_store_has_its_rows)
{
    struct suite s;
    struct str ids;

    fill(t, 3);
    REQUIRE_OK(suite_open_url(t, "sqlite", &s));
    EXPECT_OK(list_rows(&s, a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1"), 10, &ids));
    EXPECT_STR(ids, "0 1 2|");
    suite_close(&s);
}

TEST(another_master_key_is_refused_with_both_ids)
{
    struct suite s;
    char right[17], wrong[17];
    struct sealer *sealer;

    fill(t, 1);
    REQUIRE_OK(sealer_open(env_system(), file_in(t, "master.key"), false, &sealer, NULL));
    sealer_key_id(sealer, right);
    sealer_free(sealer);
    REQUIRE(unlink(file_in(t, "master.key")) == 0);
    EXPECT_EQ(suite_open_url(t, "sqlite", &s), ERR_CORRUPT);
    REQUIRE_OK(sealer_open(env_system(), file_in(t, "master.key"), false, &sealer, NULL));
    sealer_key_id(sealer, wrong);
    sealer_free(sealer);
    EXPECT_EQ(suite_open_url(t, "sqlite", &s), ERR_CORRUPT);
    EXPECT(strstr(err_message(), right) != NULL);
    EXPECT(strstr(err_message(), wrong) != NULL);
}

TEST(files_are_private)
{
    static const char *const names[] = {"theo.db", "theo.db-wal", "theo.db-shm"};
    struct suite s;
    struct stat st;
    struct config config = {.store = (char *)(uintptr_t) "sqlite"};
    struct run_row row = a_run("w1", "r1", "s1", 1);

    REQUIRE_OK(sealer_new_ephemeral(env_system(), &s.sealer));
    s.arena = t->arena;
    config.data_dir = str_cstr(t->arena, str_from(file_in(t, "a/b/data")));
    REQUIRE_OK(store_open(&config, env_system(), s.sealer, &s.store));
    EXPECT_OK(insert_row(&s, STORE_RUNS, &row));
    REQUIRE(stat(config.data_dir, &st) == 0);
    EXPECT_EQ(st.st_mode & 0777, 0700);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        REQUIRE(stat(str_printf(t->arena, "%s/%s", config.data_dir, names[i]).ptr, &st) == 0);
        EXPECT_EQ(st.st_mode & 0777, 0600);
    }
    suite_close(&s);
}

TEST(newer_schema_is_refused)
{
    struct suite s;

    fill(t, 1);
    run_sql(t, "PRAGMA user_version = 99");
    EXPECT_EQ(suite_open_url(t, "sqlite", &s), ERR_INVALID);
    EXPECT(strstr(err_message(), "99") != NULL);
    EXPECT(strstr(err_message(), "theo.db") != NULL);
    EXPECT(strstr(err_message(), "newer theo") != NULL);
}

TEST(missing_columns_and_indexes_are_added)
{
    struct suite s;
    struct run_row row = a_run("w1", "r1", "s1", 1), got;

    fill(t, 1);
    run_sql(t, "ALTER TABLE runs DROP COLUMN error; DROP INDEX runs_by_listed_created_at; "
               "DROP TABLE effects; UPDATE meta SET value = 'older' WHERE name = 'schema'");
    REQUIRE_OK(suite_open_url(t, "sqlite", &s));
    row.error = STR("model down");
    EXPECT_OK(insert_row(&s, STORE_RUNS, &row));
    EXPECT_OK(get_row(&s, STORE_RUNS, "w1", "r1", &got));
    EXPECT_STR(got.error, "model down");
    suite_close(&s);
    run_sql(t,
        "SELECT 1 FROM runs INDEXED BY runs_by_listed_created_at "
        "WHERE workspace_id = '' AND listed = 'running' AND listed <> ''; SELECT count(*) FROM "
        "effects");
}

/* Overwrite a part of the closed database. */
static void damage(struct test *t, off_t from, size_t len)
{
    int fd = open(file_in(t, "theo.db"), O_RDWR);
    char *junk = arena_alloc(t->arena, len);

    REQUIRE(fd >= 0);
    memset(junk, 0xa5, len);
    EXPECT_EQ(pwrite(fd, junk, len, from), len);
    close(fd);
}

static void expect_refused(struct test *t)
{
    struct suite s;

    EXPECT_EQ(suite_open_url(t, "sqlite", &s), ERR_CORRUPT);
    EXPECT(strstr(err_message(), file_in(t, "theo.db")) != NULL);
    EXPECT(strstr(err_message(), "backup") != NULL);
}

TEST(damaged_header_is_refused)
{
    fill(t, 1);
    damage(t, 0, 100);
    expect_refused(t);
}

TEST(damaged_pages_are_refused)
{
    fill(t, 1);
    damage(t, 4096, 60 * 4096);
    expect_refused(t);
}

TEST(cut_file_is_refused)
{
    fill(t, 1);
    EXPECT(truncate(file_in(t, "theo.db"), 8192) == 0);
    expect_refused(t);
}

/* Pages deep inside are met when they are read: an error, never wrong rows. */
TEST(damage_inside_is_found_when_read)
{
    struct suite s;
    struct str ids;
    struct stat st;

    fill(t, 400);
    REQUIRE(stat(file_in(t, "theo.db"), &st) == 0);
    damage(t, st.st_size - 6 * 4096, 6 * 4096);
    REQUIRE_OK(suite_open_url(t, "sqlite", &s));
    EXPECT_EQ(
        list_rows(&s, a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1"), 100, &ids), ERR_CORRUPT);
    suite_close(&s);
}

static void fill_disk(struct test *t, struct suite *s)
{
    char body[16 * KIB + 1];
    int written = 0, r = 0;
    struct str ids;
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct message_row row;

    memset(body, 'x', sizeof(body) - 1);
    body[sizeof(body) - 1] = '\0';
    while (r == 0 && written < 1000) {
        row = a_message("w1", "s1", written, body);
        r = insert_row(s, STORE_MESSAGES, &row);
        written += r == 0;
    }
    EXPECT_EQ(r, ERR_FULL);
    EXPECT(strstr(err_message(), "full") != NULL);
    EXPECT(written > 0);
    EXPECT_EQ(insert_row(s, STORE_MESSAGES, &row), ERR_FULL);
    EXPECT(unlink(file_in(t, "full/ballast")) == 0);
    EXPECT_OK(insert_row(s, STORE_MESSAGES, &row)); /* not STORE_EXISTS: nothing was left of it */
    query.from = written - 1;
    EXPECT_OK(list_rows(s, query, 10, &ids));
    EXPECT_STR(ids, str_printf(t->arena, "%d %d|", written - 1, written).ptr);
}

TEST(full_disk_is_reported_and_survived)
{
    struct config config = {.store = (char *)(uintptr_t) "sqlite"};
    struct suite s = {.arena = t->arena};
    const char *dir = file_in(t, "full");
    int fd;

    REQUIRE(mkdir(dir, 0700) == 0);
    if (mount("tmpfs", dir, "tmpfs", 0, "size=2m") != 0)
        SKIP("mounting a small tmpfs needs root");
    fd = open(file_in(t, "full/ballast"), O_WRONLY | O_CREAT, 0600);
    EXPECT_EQ(posix_fallocate(fd, 0, MIB), 0);
    close(fd);
    config.data_dir = str_cstr(t->arena, str_from(dir));
    if (EXPECT_OK(sealer_new_ephemeral(env_system(), &s.sealer)) &&
        EXPECT_OK(store_open(&config, env_system(), s.sealer, &s.store))) {
        fill_disk(t, &s);
        suite_close(&s);
    }
    EXPECT_EQ(umount2(dir, MNT_DETACH), 0);
}

struct late {
    struct suite *suite;
    int result;
};

static void insert_late(void *arg)
{
    struct late *late = arg;
    struct run_row row = a_run("w1", "r1", "s1", 1);

    late->result = insert_row(late->suite, STORE_RUNS, &row);
}

TEST(write_waits_for_a_lock_of_another)
{
    struct suite s;
    struct late late = {&s, -99};
    struct fiber *fiber;
    sqlite3 *db;

    REQUIRE_OK(suite_open_url(t, "sqlite", &s));
    EXPECT_OK(store_workspace(s.store, S("w1")));
    REQUIRE(sqlite3_open(file_in(t, "theo.db"), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
    fiber = fiber_spawn_joinable(fiber_loop(), "late", insert_late, &late);
    EXPECT_OK(fiber_sleep(30));
    EXPECT_EQ(late.result, -99);
    EXPECT_EQ(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    EXPECT_OK(fiber_join(fiber));
    EXPECT_EQ(late.result, 0);
    sqlite3_close(db);
    suite_close(&s);
}

/* The checkpointer lets the WAL be written over from its beginning: sooner or later more has been
 * written than the WAL is long. */
TEST(wal_does_not_grow_for_ever)
{
    char *body = arena_alloc(t->arena, MIB);
    struct stat st = {0};
    struct suite s;
    int written = 0;

    memset(body, 'x', MIB - 1);
    body[MIB - 1] = '\0';
    REQUIRE_OK(suite_open_url(t, "sqlite", &s));
    do {
        struct message_row row = a_message("w1", "s1", written, body);
        REQUIRE_OK(insert_row(&s, STORE_MESSAGES, &row));
        written++;
        REQUIRE(stat(file_in(t, "theo.db-wal"), &st) == 0);
    } while (st.st_size > (off_t)(written - 8) * MIB && written < 500);
    EXPECT(written < 500);
    suite_close(&s);
}
