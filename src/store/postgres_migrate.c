/* Making and extending the tables while other instances use them.
 *
 * However many instances start at once, one migrates: the row 'lock' of the table meta is locked
 * meanwhile. That works where advisory locks do not (CockroachDB, poolers in transaction mode). The
 * others ask again and again instead of waiting in a statement, because an index that is made
 * online waits for every statement that has begun before. A start that finds its own hash in meta
 * asks one question and changes nothing. */
#include "base/log.h"
#include "store/postgres.h"

#include <time.h>

/* How long an instance waits for another that migrates; making an index takes its time. */
#define WAIT_SECONDS 1800
/* A change that cannot get at its table lets others pass and comes again: who waits for a table
 * keeps all from it who come after. */
#define BEGIN "BEGIN; SET LOCAL lock_timeout = '3s'"
/* So often may a change find its table in use. */
#define TRIES_MAX 20

static int read_meta(
    struct pg_conn *conn, const char *name, struct arena *arena, struct str *ret_value)
{
    return pg_query_text(
        conn, "SELECT value FROM meta WHERE name = $1", &name, 1, arena, ret_value);
}

static int check_version(struct pg_conn *conn, struct arena *arena)
{
    struct str value;
    int64_t version = 0;
    int r = read_meta(conn, "schema_version", arena, &value);

    if (r != 0 || str_empty(value))
        return r;
    if (!str_to_i64(value, &version) || version > PG_SCHEMA_VERSION)
        return err_set(ERR_INVALID,
            "The database %s has schema %.*s, this theo knows up to %d: run a newer theo, or "
            "restore a backup from before the upgrade.",
            conn->pq->db(conn->db), STR_ARG(value), PG_SCHEMA_VERSION);
    return 0;
}

static void sleep_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

/* Two that create the same table at the same moment may both be refused: ask again. */
static int make_meta(struct pg_conn *conn)
{
    int r = 0;

    for (int i = 0; i < 10; i++) {
        r = pg_exec(conn, "CREATE TABLE IF NOT EXISTS meta (name text PRIMARY KEY, "
                          "value text NOT NULL)");
        if (r == 0)
            r = pg_exec(conn, "INSERT INTO meta VALUES ('lock', '') ON CONFLICT (name) DO NOTHING");
        if (r <= 0)
            return r;
    }
    return err_set(ERR_UNAVAILABLE, "Other instances change the schema at the moment: try again.");
}

/* An index on a table with rows is made outside of transactions, so on another connection. */
static int run_online(struct pg_conn *conn, const struct pg_changes *changes)
{
    struct pg_conn other = {0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < changes->count; i++) {
        struct buf sql = BUF_HEAP;

        if (changes->list[i].kind < PG_DROP_INDEX)
            continue;
        if (!other.db)
            r = pg_conn_open(conn->pq, conn->url, &other);
        pg_change_sql(&changes->list[i], &sql);
        log_info("store.index", LOG_CSTR("statement", sql.ptr));
        if (r == 0)
            r = pg_exec(&other, sql.ptr);
        if (r == STORE_EXISTS)
            r = err_set(ERR_CORRUPT,
                "PostgreSQL finds rows with the same value for a unique index (%s): look for them "
                "and remove all but one.",
                sql.ptr);
        buf_deinit(&sql);
    }
    pg_conn_close(&other);
    return r;
}

static int run_changes(struct pg_conn *conn, const struct pg_changes *changes)
{
    struct buf sql = BUF_HEAP;
    int r = 0;

    for (size_t i = 0; i < changes->count; i++)
        if (changes->list[i].kind < PG_DROP_INDEX)
            pg_change_sql(&changes->list[i], &sql);
    if (sql.len > 0)
        r = pg_exec(conn, sql.ptr);
    buf_deinit(&sql);
    return r;
}

static int sign(struct pg_conn *conn, const char *hash)
{
    struct buf sql = BUF_HEAP;
    int r;

    buf_printf(&sql,
        "INSERT INTO meta VALUES ('schema', '%s'), ('schema_version', '%d') ON CONFLICT (name) DO "
        "UPDATE SET value = excluded.value",
        hash, PG_SCHEMA_VERSION);
    r = pg_exec(conn, sql.ptr);
    buf_deinit(&sql);
    return r;
}

enum { STEP_DONE, STEP_AGAIN, STEP_OTHERS };

/* Under the lock. The changes of tables are committed before indexes are made online, which would
 * otherwise wait for them: that is another step. */
static int step_locked(struct pg_conn *conn, const char *hash, struct arena *arena, int *ret_step)
{
    struct pg_changes changes = {0};
    struct str locked, found;
    int r = pg_query_text(conn, "SELECT 'yes' FROM meta WHERE name = 'lock' FOR UPDATE SKIP LOCKED",
        NULL, 0, arena, &locked);

    if (r == 0 && str_empty(locked)) {
        *ret_step = STEP_OTHERS;
        return 0;
    }
    if (r == 0)
        r = check_version(conn, arena);
    if (r == 0)
        r = read_meta(conn, "schema", arena, &found);
    *ret_step = STEP_DONE;
    if (r != 0 || str_is(found, hash))
        return r;
    r = pg_find_changes(conn, arena, &changes);
    if (r != 0 || changes.count == 0)
        return r != 0 ? r : sign(conn, hash);
    *ret_step = STEP_AGAIN;
    for (size_t i = 0; i < changes.count; i++)
        if (changes.list[i].kind < PG_DROP_INDEX)
            return run_changes(conn, &changes);
    return run_online(conn, &changes);
}

static int step(struct pg_conn *conn, const char *hash, struct arena *arena, int *ret_step)
{
    struct err err;
    int r = pg_exec(conn, BEGIN);

    if (r == 0)
        r = step_locked(conn, hash, arena, ret_step);
    err = *err_get();
    if (pg_exec(conn, r == 0 ? "COMMIT" : "ROLLBACK") != 0 && r == 0)
        r = err_set(ERR_IO, "The schema could not be committed: look into the server's log.");
    else
        *err_get() = err;
    return r;
}

static int migrate(struct pg_conn *conn, const char *hash, struct arena *arena)
{
    time_t end = time(NULL) + WAIT_SECONDS;
    int next = STEP_AGAIN, tries = 0, r = make_meta(conn);

    while (r == 0 && next != STEP_DONE) {
        r = step(conn, hash, arena, &next);
        if (r > 0 && ++tries < TRIES_MAX)
            r = 0, next = STEP_OTHERS;
        if (r != 0 || next != STEP_OTHERS)
            continue;
        if (time(NULL) > end)
            r = PG_RETRY;
        sleep_ms(100);
    }
    if (r > 0)
        return err_set(ERR_UNAVAILABLE,
            "Others use or change the tables for so long that the schema cannot be extended: end "
            "long transactions in the database, then try again.");
    return r;
}

static int has_meta(struct pg_conn *conn, struct arena *arena, bool *ret_found)
{
    struct str value;
    int r = pg_query_text(
        conn, "SELECT 'yes' WHERE to_regclass('meta') IS NOT NULL", NULL, 0, arena, &value);

    if (r == 0)
        *ret_found = !str_empty(value);
    return r;
}

/* found: whether a theo like this one has left the tables. */
static int is_current(
    struct pg_conn *conn, const char *hash, struct arena *arena, bool *ret_current)
{
    struct str found = STR("");
    bool exists = false;
    int r = has_meta(conn, arena, &exists);

    if (r == 0 && exists)
        r = check_version(conn, arena);
    if (r == 0 && exists)
        r = read_meta(conn, "schema", arena, &found);
    if (r == 0)
        *ret_current = str_is(found, hash);
    return r;
}

int pg_migrate(struct pg_conn *conn)
{
    struct arena arena;
    char hash[65];
    bool current = false;
    int r;

    arena_init(&arena);
    pg_schema_hash(hash);
    r = is_current(conn, hash, &arena, &current);
    if (r == 0 && !current)
        r = migrate(conn, hash, &arena);
    arena_deinit(&arena);
    return r > 0 ? err_set(ERR_UNAVAILABLE, "PostgreSQL is just being shut down: wait.") : r;
}

int pg_plan(struct pg_conn *conn, struct buf *out)
{
    struct pg_changes changes = {0};
    const struct store_schema *fresh = NULL;
    struct arena arena;
    char hash[65];
    bool current = false;
    int r;

    arena_init(&arena);
    pg_schema_hash(hash);
    r = is_current(conn, hash, &arena, &current);
    if (r == 0)
        r = pg_find_changes(conn, &arena, &changes);
    for (size_t i = 0; r == 0 && i < changes.count; i++) {
        if (changes.list[i].kind == PG_MAKE_TABLE)
            fresh = changes.list[i].schema;
        pg_change_text(&changes.list[i], changes.list[i].schema == fresh, out);
    }
    arena_deinit(&arena);
    return r > 0 ? err_set(ERR_UNAVAILABLE, "PostgreSQL is just being shut down: wait.") : r;
}
