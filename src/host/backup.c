/* theo backup: the whole store into one file, also beside a running server. */
#include "host/commands.h"
#include "host/lifecycle.h"

struct backup {
    const char *file;
    struct lifecycle_progress progress;
    struct archive_stats stats;
};

static int make_backup(struct boot *boot, void *arg)
{
    struct backup *backup = arg;

    return archive_backup(boot->store, backup->file, &backup->progress.archive, &backup->stats);
}

int backup_command(int argc, char **argv)
{
    bool json = false;
    const struct cli_option options[] = {
        {"json", CLI_FLAG, &json, NULL, "Print JSON."},
    };
    struct backup backup = {0};
    struct boot boot;
    int status = lifecycle_begin(
        &boot, options, ARRAY_LEN(options), 1, "backup FILE: where to write it", &argc, argv);

    if (status != 0)
        return status;
    backup.file = argv[1];
    lifecycle_progress_init(&backup.progress, boot.env, "Backing up", json);
    status = lifecycle_run_on_data(&boot, make_backup, &backup);
    lifecycle_progress_end(&backup.progress);
    if (status == 0)
        lifecycle_print_summary(&backup.progress, json, "Backed up", backup.file, &backup.stats);
    return status;
}
