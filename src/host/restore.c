/* theo restore: fill the store from a backup file. */
#include "host/commands.h"
#include "host/lifecycle.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct restore {
    const char *file;
    bool force;
    struct lifecycle_progress progress;
    struct archive_stats stats;
};

static int fill_store(struct boot *boot, void *arg)
{
    struct restore *restore = arg;

    return archive_restore(
        boot->store, restore->file, restore->force, &restore->progress.archive, &restore->stats);
}

/* A server that runs on the folder holds data keys and sessions of the store as it was. */
static int lock_out_servers(const struct boot *boot, int *ret_fd)
{
    struct arena arena;
    int fd, r = 0;

    arena_init(&arena);
    fd = open(boot_path(boot, "serve.lock", &arena).ptr, O_RDWR | O_CLOEXEC);
    arena_deinit(&arena);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        r = err_set(ERR_BUSY, "A server uses the data folder %s: stop it before you restore.",
            boot->config.data_dir);
    }
    if (r == 0)
        *ret_fd = fd;
    return r;
}

static int need_file(const char *path)
{
    if (access(path, R_OK) == 0)
        return 0;
    return err_set(ERR_INVALID, "The backup file %s cannot be read: %s.", path, strerror(errno));
}

/* A new key would be made otherwise, and could not open the backup. */
static int need_master_key(const struct boot *boot)
{
    struct arena arena;
    const char *path;
    int r = 0;

    arena_init(&arena);
    path = boot_path(boot, "master.key", &arena).ptr;
    if (!boot_in_memory(boot) && boot_key_in_file(boot) && access(path, F_OK) < 0)
        r = err_set(ERR_NOT_FOUND,
            "There is no master key %s: put the one there that the backup was made under.", path);
    arena_deinit(&arena);
    return r;
}

int restore_command(int argc, char **argv)
{
    struct restore restore = {0};
    bool json = false;
    const struct cli_option options[] = {
        {"force", CLI_FLAG, &restore.force, NULL, "Replace what the store holds."},
        {"json", CLI_FLAG, &json, NULL, "Print JSON."},
    };
    struct stat st;
    struct boot boot;
    int fd = -1, rc,
        status = lifecycle_begin(&boot, options, ARRAY_LEN(options), 1,
            "restore FILE: the file that theo backup made", &argc, argv);

    if (status != 0)
        return status;
    restore.file = argv[1];
    rc = need_file(restore.file);
    if (rc == 0)
        rc = need_master_key(&boot);
    if (rc == 0)
        rc = lock_out_servers(&boot, &fd);
    if (rc < 0) {
        boot_close(&boot);
        return cli_fail(rc);
    }
    lifecycle_progress_init(&restore.progress, boot.env, "Restoring", json);
    restore.progress.total = stat(restore.file, &st) == 0 ? st.st_size : 0;
    status = lifecycle_run(&boot, fill_store, &restore);
    lifecycle_progress_end(&restore.progress);
    if (fd >= 0)
        close(fd);
    if (status == 0)
        lifecycle_print_summary(&restore.progress, json, "Restored", restore.file, &restore.stats);
    return status;
}
