/* One connection: opening, errors, prepared statements, values. */
#include "store/sqlite.h"

#include <errno.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    return env_mono_ms(env_system());
}

/* SQLite's own busy time-out sleeps up to 100 ms at a time, so that a second process could miss
 * every gap of a busy server. A short sleep finds one. */
static int on_busy(void *arg, int count)
{
    struct sqlite_conn *conn = arg;

    if (count == 0)
        conn->busy_since_ms = now_ms();
    if (now_ms() - conn->busy_since_ms > SQLITE_BUSY_MS)
        return 0;
    usleep(count < 10 ? 200 : 1000);
    return 1;
}

int sqlite_exec(struct sqlite_conn *conn, const char *sql)
{
    int rc = sqlite3_exec(conn->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : sqlite_error(conn, rc);
}

int sqlite_conn_open(const char *path, struct sqlite_conn **ret_conn)
{
    struct sqlite_conn *conn = xcalloc(1, sizeof(*conn));
    int rc, r;

    conn->path = path;
    rc = sqlite3_open_v2(
        path, &conn->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc != SQLITE_OK) {
        r = sqlite_error(conn, rc);
        sqlite_conn_close(conn);
        return r;
    }
    sqlite3_busy_handler(conn->db, on_busy, conn);
    r = sqlite_exec(conn,
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY; "
        "PRAGMA trusted_schema = OFF");
    if (r < 0) {
        sqlite_conn_close(conn);
        return r;
    }
    *ret_conn = conn;
    return 0;
}

void sqlite_conn_close(struct sqlite_conn *conn)
{
    sqlite3_stmt *stmt;

    if (!conn)
        return;
    while (conn->db && (stmt = sqlite3_next_stmt(conn->db, NULL)))
        sqlite3_finalize(stmt);
    sqlite3_close(conn->db);
    free(conn);
}

static bool disk_full(struct sqlite_conn *conn, int rc)
{
    int cause = conn->db ? sqlite3_system_errno(conn->db) : 0;

    if ((rc & 0xff) == SQLITE_FULL)
        return true;
    return ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN) &&
           (cause == ENOSPC || cause == EDQUOT);
}

int sqlite_error(struct sqlite_conn *conn, int rc)
{
    const char *text = conn->db ? sqlite3_errmsg(conn->db) : sqlite3_errstr(rc);

    if (disk_full(conn, rc))
        return err_set(ERR_FULL,
            "The disk that holds %s is full: free some space. Nothing was written.", conn->path);
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(ERR_CORRUPT,
            "The database %s is damaged (%s): stop theo and restore it from a backup, or salvage "
            "it with sqlite3 and its command .recover.",
            conn->path, text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(ERR_UNAVAILABLE,
            "Another process held the lock of %s for %d seconds: see what it does, then try again.",
            conn->path, SQLITE_BUSY_MS / 1000);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return err_set(ERR_DENIED,
            "The database %s cannot be opened for writing (%s): check who "
            "owns it and its folder.",
            conn->path, text);
    case SQLITE_TOOBIG:
        return err_set(ERR_TOO_LARGE, "A value is too large for %s.", conn->path);
    case SQLITE_IOERR:
        return err_set(ERR_IO, "Reading or writing %s failed (%s, %s): check the disk.", conn->path,
            text, strerror(sqlite3_system_errno(conn->db)));
    default:
        return err_set(ERR_FAILED, "%s: %s.", conn->path, text);
    }
}

int sqlite_prepare(struct sqlite_conn *conn, const char *sql, sqlite3_stmt **ret_stmt)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);

    if (rc != SQLITE_OK)
        return sqlite_error(conn, rc);
    *ret_stmt = stmt;
    return 0;
}

int sqlite_statement(struct sqlite_conn *conn, enum store_entity entity, enum sql_kind kind,
    int arg, sqlite3_stmt **ret_stmt)
{
    sqlite3_stmt **slot = &conn->statements[entity][kind][arg];
    struct buf sql = BUF_HEAP;
    int r = 0;

    if (!*slot) {
        sqlite_sql(&store_schemas[entity], kind, arg, &sql);
        r = sqlite_prepare(conn, sql.ptr, slot);
        buf_deinit(&sql);
    }
    if (r == 0)
        *ret_stmt = *slot;
    return r;
}

int sqlite_bind_str(sqlite3_stmt *stmt, int place, struct str value)
{
    return sqlite3_bind_text64(
        stmt, place, value.ptr ? value.ptr : "", value.len, SQLITE_STATIC, SQLITE_UTF8);
}

int sqlite_bind_value(
    sqlite3_stmt *stmt, int place, const struct store_column *column, const void *row)
{
    if (column->type == COLUMN_TEXT)
        return sqlite_bind_str(stmt, place, *row_str(row, column));
    if (column->type == COLUMN_SEALED) {
        struct str value = *row_str(row, column);
        return sqlite3_bind_blob64(
            stmt, place, value.ptr ? value.ptr : "", value.len, SQLITE_STATIC);
    }
    return sqlite3_bind_int64(stmt, place, *row_int(row, column));
}

void sqlite_read_row(
    sqlite3_stmt *stmt, const struct store_schema *schema, struct arena *arena, void *row)
{
    for (size_t i = 0; i < schema->column_count; i++) {
        const struct store_column *column = &schema->columns[i];
        if (column->type == COLUMN_TEXT || column->type == COLUMN_SEALED) {
            /* column_blob gives text as it lies there; column_text may copy it to add a NUL. */
            const void *bytes = sqlite3_column_blob(stmt, (int)i);
            size_t len = (size_t)sqlite3_column_bytes(stmt, (int)i);
            *row_str(row, column) = str_dup(arena, (struct str){bytes ? bytes : "", len});
        } else {
            *row_int(row, column) = sqlite3_column_int64(stmt, (int)i);
        }
    }
}
