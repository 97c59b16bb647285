/* What the commands of the data's life cycle share: backup, restore, migrate, export, erase,
 * retention. */
#ifndef HOST_LIFECYCLE_H
#define HOST_LIFECYCLE_H

#include "host/boot.h"
#include "store/archive.h"

/* A command without subcommands: its settings and options, then so many words (their names, for the
 * message). 0, or the exit status to give back. After 0 the caller closes boot. */
MUST_CHECK int lifecycle_begin(struct boot *boot, const struct cli_option *options, size_t count,
    int words, const char *usage, int *argc, char **argv);
/* Open the house, run fn(boot, arg) on a fiber, close everything. 0, or the exit status of the
 * failure, which is on stderr. */
MUST_CHECK int lifecycle_run(struct boot *boot, int (*fn)(struct boot *boot, void *arg), void *arg);
/* The same where there must be data already: boot_need_data(). */
MUST_CHECK int lifecycle_run_on_data(
    struct boot *boot, int (*fn)(struct boot *boot, void *arg), void *arg);

/* A line on a terminal that says how far a backup or restore is. */
struct lifecycle_progress {
    struct archive_progress archive;
    const struct env *env;
    const char *verb;
    int64_t begun_ms, shown_ms;
    int64_t total; /* bytes; 0 unknown */
    bool shown;
};
void lifecycle_progress_init(
    struct lifecycle_progress *progress, const struct env *env, const char *verb, bool quiet);
/* Take the line away. */
void lifecycle_progress_end(const struct lifecycle_progress *progress);
/* {"file": …, "rows": …, "bytes": …, "seconds": …} or a sentence. */
void lifecycle_print_summary(const struct lifecycle_progress *progress, bool json, const char *did,
    const char *file, const struct archive_stats *stats);

#endif
