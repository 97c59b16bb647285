#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct store_backend {
    char *path;
    const struct env *env;
    struct sqlite_conn *conn; /* the writer's */
    struct sqlite_checkpointer *checkpointer;
    struct sqlite_writer *writer;
    struct sqlite_readers *readers;
};

/* The folder and those above it, 0700 where they are missing. */
static int make_folder(const char *path)
{
    char *copy = xstrdup(path);
    int r = 0;

    for (char *p = copy + 1; r == 0; p++) {
        char c = *p;
        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(copy, 0700) < 0 && errno != EEXIST)
            r = err_set(errno == ENOSPC ? ERR_FULL : ERR_IO,
                "The data folder %s cannot be made (%s): choose another with --data-dir.", copy,
                strerror(errno));
        *p = c;
        if (c == '\0')
            break;
    }
    free(copy);
    return r;
}

/* SQLite makes files that others may read; it gives the WAL the mode of the database. */
static int make_private(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), r = 0;

    if (fd < 0)
        return err_set(errno == ENOSPC ? ERR_FULL : ERR_DENIED,
            "The database %s cannot be opened (%s): check who owns it and its folder.", path,
            strerror(errno));
    if (fstat(fd, &st) == 0 && (st.st_mode & 077) != 0 && fchmod(fd, 0600) < 0)
        r = err_set(ERR_DENIED, "The database %s is readable by others: chmod 600 it.", path);
    close(fd);
    return r;
}

/* Processes that open the store at the same moment do so one after the other: SQLite answers BUSY
 * at once, without waiting, when two switch a new file to WAL. A file system without flock goes
 * without. */
static int lock_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0)
        (void)!flock(fd, LOCK_EX);
    return fd;
}

/* A new file is durable only once its folder is. */
static void unlock_folder(int fd, bool is_new)
{
    if (fd < 0)
        return;
    if (is_new)
        (void)!fsync(fd);
    close(fd);
}

static void sqlite_close(struct store_backend *sqlite)
{
    sqlite_writer_free(sqlite->writer);
    sqlite_checkpointer_free(sqlite->checkpointer);
    sqlite_readers_free(sqlite->readers);
    sqlite_conn_close(sqlite->conn); /* the last connection checkpoints and removes the WAL */
    free(sqlite->path);
    free(sqlite);
}

static int open_all(struct store_backend *sqlite, const char *folder, bool commit_each)
{
    int lock = lock_folder(folder);
    bool is_new = access(sqlite->path, F_OK) != 0;
    int r = make_private(sqlite->path);

    if (r == 0)
        r = sqlite_conn_open(sqlite->path, &sqlite->conn);
    if (r == 0)
        r = sqlite_migrate(sqlite->conn);
    unlock_folder(lock, is_new);
    if (r == 0)
        r = sqlite_exec(sqlite->conn, "PRAGMA cache_size = -16000");
    if (r == 0)
        r = sqlite_checkpointer_new(sqlite->path, &sqlite->checkpointer);
    if (r == 0)
        r = sqlite_writer_new(
            sqlite->conn, sqlite->env, sqlite->checkpointer, commit_each, &sqlite->writer);
    if (r == 0)
        sqlite->readers = sqlite_readers_new(sqlite->path);
    return r;
}

/* url: "sqlite", or "sqlite:commit-each" to measure what sharing a commit gains. */
static int sqlite_open(const struct config *config, const char *url, const struct env *env,
    struct store_backend **ret_backend)
{
    struct store_backend *sqlite;
    struct buf path = BUF_HEAP;
    bool commit_each = strcmp(url, "sqlite:commit-each") == 0;
    int r;

    if (!commit_each && strcmp(url, "sqlite") != 0)
        return err_field(ERR_INVALID, "store", "The store \"%s\" is not known: say sqlite.", url);
    r = make_folder(config->data_dir);
    if (r < 0)
        return r;
    /* Its counters of memory take a lock shared by all threads at each allocation. Refused, and of
     * no consequence, when SQLite has been started before. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    buf_printf(&path, "%s/theo.db", config->data_dir);
    sqlite = xcalloc(1, sizeof(*sqlite));
    sqlite->path = path.ptr;
    sqlite->env = env;
    r = open_all(sqlite, config->data_dir, commit_each);
    if (r < 0) {
        sqlite_close(sqlite);
        return r;
    }
    *ret_backend = sqlite;
    return 0;
}

static int sqlite_commit(struct store_backend *sqlite, struct store_batch *batch)
{
    return sqlite_write(sqlite->writer, batch);
}

static int sqlite_get(struct store_backend *sqlite, enum store_entity entity,
    struct str workspace_id, struct str id, struct arena *arena, void *ret_row)
{
    return sqlite_read_one(sqlite->readers, entity, SQL_GET, 0, workspace_id, id, arena, ret_row);
}

static int sqlite_find(struct store_backend *sqlite, enum store_entity entity,
    struct str workspace_id, int index, struct str value, struct arena *arena, void *ret_row)
{
    int arg = str_empty(workspace_id) ? index | 8 : index;

    return sqlite_read_one(
        sqlite->readers, entity, SQL_FIND, arg, workspace_id, value, arena, ret_row);
}

static int sqlite_list(struct store_backend *sqlite, const struct store_query *query,
    int64_t after_order, struct str after_id, struct arena *arena, struct store_page *ret_page)
{
    return sqlite_read_list(sqlite->readers, query, after_order, after_id, arena, ret_page);
}

static int sqlite_meta_get(
    struct store_backend *sqlite, const char *name, struct arena *arena, struct str *ret_value)
{
    return sqlite_read_meta(sqlite->readers, name, arena, ret_value);
}

/* Rare: a connection of its own keeps it apart from the writer's thread. */
static int sqlite_meta_set(struct store_backend *sqlite, const char *name, struct str value)
{
    struct sqlite_conn *conn;
    sqlite3_stmt *stmt = NULL;
    int rc, r = sqlite_conn_open(sqlite->path, &conn);

    if (r < 0)
        return r;
    r = sqlite_prepare(conn, "INSERT OR REPLACE INTO meta VALUES (?1, ?2)", &stmt);
    if (r == 0) {
        sqlite_bind_str(stmt, 1, str_from(name));
        sqlite_bind_str(stmt, 2, value);
        rc = sqlite3_step(stmt);
        if (rc != SQLITE_DONE)
            r = sqlite_error(conn, rc);
    }
    sqlite_conn_close(conn);
    return r;
}

/* A load balancer may ask often: a commit of the last second is proof enough. */
static int sqlite_health(struct store_backend *sqlite)
{
    struct arena arena;
    struct str value;
    int r;

    arena_init(&arena);
    r = sqlite_read_meta(sqlite->readers, "schema", &arena, &value);
    arena_deinit(&arena);
    if (r < 0 ||
        env_mono_ms(sqlite->env) - sqlite_writer_last_commit_ms(sqlite->writer) < SECOND_MS)
        return r;
    return sqlite_write(sqlite->writer, NULL);
}

static void sqlite_stats(struct store_backend *sqlite, struct store_stats *ret_stats)
{
    sqlite_writer_stats(sqlite->writer, ret_stats);
}

static int sqlite_scan(struct store_backend *sqlite, const struct store_visitor *visitor)
{
    return sqlite_read_all(sqlite->path, visitor);
}

static int sqlite_plan_at(
    const struct config *config, const char *url, const struct env *env, struct buf *out)
{
    struct buf path = BUF_HEAP;
    int r;

    (void)url, (void)env;
    buf_printf(&path, "%s/theo.db", config->data_dir);
    r = sqlite_plan(path.ptr, out);
    buf_deinit(&path);
    return r;
}

const struct store_ops store_sqlite = {
    .name = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .health = sqlite_health,
    .commit = sqlite_commit,
    .get = sqlite_get,
    .find = sqlite_find,
    .list = sqlite_list,
    .meta_get = sqlite_meta_get,
    .meta_set = sqlite_meta_set,
    .stats = sqlite_stats,
    .scan = sqlite_scan,
    .plan = sqlite_plan_at,
};
