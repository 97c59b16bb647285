/* The checkpointer: a thread that moves the WAL into the database.
 *
 * Whoever commits when SQLite's own limit is met pays for the checkpoint (40 to 200 ms), so that
 * limit is off. PASSIVE works beside the writer but never lets it start the WAL over while commits
 * keep coming; RESTART right after it has only the few pages of meanwhile left to copy, so it holds
 * the writer up for a moment, and the WAL is then written from its beginning: overwriting a file is
 * also cheaper to sync than growing it. TRUNCATE gives space back after an exceptional load. */
#include "base/log.h"
#include "store/sqlite.h"

/* In pages of 8 KiB. */
#define PAGES_CHECKPOINT (16 * MIB / 8192)
#define PAGES_HUGE (256 * MIB / 8192)

struct sqlite_checkpointer {
    struct sqlite_conn *conn;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t grown;
    int pages; /* under the mutex; 0: nothing to do */
    bool stop; /* under the mutex */
};

static void checkpoint(struct sqlite_checkpointer *checkpointer, int pages)
{
    sqlite3 *db = checkpointer->conn->db;
    int mode = pages >= PAGES_HUGE ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART;
    int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_wal_checkpoint_v2(db, NULL, mode, NULL, NULL);
    /* Busy is no failure: a long reader holds old pages; the next growth tries again. */
    if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY)
        return;
    (void)sqlite_error(checkpointer->conn, rc);
    log_error("store.checkpoint", LOG_ERR);
}

static void *checkpointer_main(void *arg)
{
    struct sqlite_checkpointer *checkpointer = arg;

    pthread_setname_np(pthread_self(), "store-ckpt");
    pthread_mutex_lock(&checkpointer->mutex);
    for (;;) {
        int pages;
        while (!checkpointer->pages && !checkpointer->stop)
            pthread_cond_wait(&checkpointer->grown, &checkpointer->mutex);
        if (checkpointer->stop)
            break;
        pages = checkpointer->pages;
        pthread_mutex_unlock(&checkpointer->mutex);
        checkpoint(checkpointer, pages);
        pthread_mutex_lock(&checkpointer->mutex);
        checkpointer->pages = 0;
    }
    pthread_mutex_unlock(&checkpointer->mutex);
    return NULL;
}

void sqlite_checkpointer_grown(struct sqlite_checkpointer *checkpointer, int pages)
{
    if (pages < PAGES_CHECKPOINT)
        return;
    pthread_mutex_lock(&checkpointer->mutex);
    checkpointer->pages = pages;
    pthread_mutex_unlock(&checkpointer->mutex);
    pthread_cond_signal(&checkpointer->grown);
}

int sqlite_checkpointer_new(const char *path, struct sqlite_checkpointer **ret_checkpointer)
{
    struct sqlite_checkpointer *checkpointer = xcalloc(1, sizeof(*checkpointer));
    int r = sqlite_conn_open(path, &checkpointer->conn);

    if (r < 0) {
        free(checkpointer);
        return r;
    }
    pthread_mutex_init(&checkpointer->mutex, NULL);
    pthread_cond_init(&checkpointer->grown, NULL);
    if (pthread_create(&checkpointer->thread, NULL, checkpointer_main, checkpointer) != 0) {
        sqlite_conn_close(checkpointer->conn);
        free(checkpointer);
        return err_set(ERR_FAILED, "No thread could be started for %s.", path);
    }
    *ret_checkpointer = checkpointer;
    return 0;
}

void sqlite_checkpointer_free(struct sqlite_checkpointer *checkpointer)
{
    if (!checkpointer)
        return;
    pthread_mutex_lock(&checkpointer->mutex);
    checkpointer->stop = true;
    pthread_mutex_unlock(&checkpointer->mutex);
    pthread_cond_signal(&checkpointer->grown);
    pthread_join(checkpointer->thread, NULL);
    sqlite_conn_close(checkpointer->conn);
    pthread_cond_destroy(&checkpointer->grown);
    pthread_mutex_destroy(&checkpointer->mutex);
    free(checkpointer);
}
