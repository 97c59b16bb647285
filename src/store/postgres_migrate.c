/* Making and extending the tables while other instances use them.
 *
 * However many instances start at once, one migrates: the row 'lock' of the table meta says who,
 * and until when unless he renews it. A lock that lives in the database as rows do works everywhere
 * (CockroachDB and poolers in transaction mode have no advisory locks), and without an open
 * transaction: an index that is made online waits for every transaction that began before. Tables
 * and columns are changed in one transaction. A start that finds its own hash in meta asks one
 * question and changes nothing. */
#include "base/log.h"
#include "store/postgres.h"

#include <poll.h>
#include <time.h>

/* How long an instance waits for another that migrates; making an index takes its time. */
#define WAIT_SECONDS 1800
/* So long an instance that does not renew its lock keeps the others waiting. */
#define LEASE_SECONDS 15
#define RENEW_MS 2000
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

struct migration {
    struct pg_conn *conn;
    struct arena *arena;
    char hash[65];
    char owner[27];
};

/* The server's clock counts, for everybody. */
static int take_lock(struct migration *m, bool *ret_taken)
{
    const char *const values[] = {m->owner};
    struct str taken;
    struct buf sql = BUF_IN(m->arena);
    int r;

    buf_printf(&sql,
        "UPDATE meta SET value = $1::text || ' ' || (extract(epoch FROM "
        "clock_timestamp())::bigint + %d)::text WHERE name = 'lock' AND (value = '' OR "
        "split_part(value, ' ', 1) = $1::text OR split_part(value, ' ', 2)::bigint < extract(epoch "
        "FROM clock_timestamp())::bigint) RETURNING 'yes'",
        LEASE_SECONDS);
    r = pg_query_text(m->conn, sql.ptr, values, 1, m->arena, &taken);
    if (r == 0)
        *ret_taken = !str_empty(taken);
    return r;
}

static int release_lock(struct migration *m)
{
    const char *const values[] = {m->owner};
    struct str released;

    return pg_query_text(m->conn,
        "UPDATE meta SET value = '' WHERE name = 'lock' AND split_part(value, ' ', 1) = $1::text "
        "RETURNING 'yes'",
        values, 1, m->arena, &released);
}

/* The lock is renewed on the one connection while the other works. */
static int wait_for_index(struct migration *m, struct pg_conn *other)
{
    const struct pg_libpq *pq = other->pq;
    PGresult *result;
    bool taken;
    int r = 0;

    while (pq->isBusy(other->db)) {
        struct pollfd fd = {.fd = pq->socket(other->db), .events = POLLIN};
        if (poll(&fd, 1, RENEW_MS) == 0)
            (void)!take_lock(m, &taken);
        else if (!pq->consumeInput(other->db))
            return pg_result_error(other, NULL);
    }
    while ((result = pq->getResult(other->db))) {
        if (r == 0 && pq->resultStatus(result) != PGRES_COMMAND_OK)
            r = pg_result_error(other, result);
        pq->clear(result);
    }
    return r;
}

static int make_index(struct migration *m, struct pg_conn *other, const struct pg_change *change)
{
    struct buf sql = BUF_IN(m->arena);
    int r = 0;

    pg_change_sql(change, &sql);
    log_info("store.index", LOG_CSTR("statement", sql.ptr));
    if (!other->db)
        r = pg_conn_open(m->conn->pq, m->conn->url, other);
    if (r == 0 && !other->pq->sendQueryParams(other->db, sql.ptr, 0, NULL, NULL, NULL, NULL, 0))
        r = pg_result_error(other, NULL);
    if (r == 0)
        r = wait_for_index(m, other);
    if (r == STORE_EXISTS)
        r = err_set(ERR_CORRUPT,
            "PostgreSQL finds rows with the same value for a unique index (%s): look for them and "
            "remove all but one.",
            sql.ptr);
    return r;
}

static int run_online(struct migration *m, const struct pg_changes *changes)
{
    struct pg_conn other = {.pq = m->conn->pq};
    int r = 0;

    for (size_t i = 0; r == 0 && i < changes->count; i++)
        if (changes->list[i].kind >= PG_DROP_INDEX)
            r = make_index(m, &other, &changes->list[i]);
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

enum { STEP_DONE, STEP_ONLINE, STEP_AGAIN, STEP_OTHERS };

/* Everything but indexes of tables that have rows. */
static int change_tables(struct migration *m, struct pg_changes *changes, int *ret_step)
{
    struct str locked, found;
    int r =
        pg_query_text(m->conn, "SELECT 'yes' FROM meta WHERE name = 'lock' FOR UPDATE SKIP LOCKED",
            NULL, 0, m->arena, &locked);

    *ret_step = STEP_OTHERS;
    if (r != 0 || str_empty(locked))
        return r;
    r = check_version(m->conn, m->arena);
    if (r == 0)
        r = read_meta(m->conn, "schema", m->arena, &found);
    *ret_step = STEP_DONE;
    if (r != 0 || str_is(found, m->hash))
        return r;
    r = pg_find_changes(m->conn, m->arena, changes);
    if (r != 0 || changes->count == 0)
        return r != 0 ? r : sign(m->conn, m->hash);
    *ret_step = STEP_ONLINE;
    for (size_t i = 0; i < changes->count; i++)
        if (changes->list[i].kind < PG_DROP_INDEX)
            *ret_step = STEP_AGAIN;
    return *ret_step == STEP_AGAIN ? run_changes(m->conn, changes) : 0;
}

static int step(struct migration *m, int *ret_step)
{
    struct pg_changes changes = {0};
    bool taken = false;
    struct err err;
    int r = take_lock(m, &taken);

    *ret_step = STEP_OTHERS;
    if (r != 0 || !taken)
        return r;
    r = pg_exec(m->conn, BEGIN);
    if (r == 0)
        r = change_tables(m, &changes, ret_step);
    err = *err_get();
    if (pg_exec(m->conn, r == 0 ? "COMMIT" : "ROLLBACK") != 0 && r == 0)
        return err_set(ERR_IO, "The schema could not be committed: look into the server's log.");
    *err_get() = err;
    return r == 0 && *ret_step == STEP_ONLINE ? run_online(m, &changes) : r;
}

static int migrate(struct migration *m)
{
    time_t end = time(NULL) + WAIT_SECONDS;
    int next = STEP_AGAIN, tries = 0, r = make_meta(m->conn);
    struct err err;

    while (r == 0 && next != STEP_DONE) {
        r = step(m, &next);
        if (r > 0 && ++tries < TRIES_MAX)
            r = 0, next = STEP_OTHERS;
        if (r == 0 && next == STEP_OTHERS) {
            r = time(NULL) > end ? PG_RETRY : 0;
            sleep_ms(100);
        }
    }
    err = *err_get();
    (void)!release_lock(m); /* what fails here ends by itself */
    *err_get() = err;
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

int pg_migrate(struct pg_conn *conn, const struct env *env)
{
    struct arena arena;
    struct migration migration = {.conn = conn, .arena = &arena};
    bool current = false;
    int r;

    arena_init(&arena);
    pg_schema_hash(migration.hash);
    ulid_make(env, migration.owner);
    r = is_current(conn, migration.hash, &arena, &current);
    if (r == 0 && !current)
        r = migrate(&migration);
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
