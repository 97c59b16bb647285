#include "host/lifecycle.h"

#include <unistd.h>

#define SHOW_MS 100

int lifecycle_begin(struct boot *boot, const struct cli_option *options, size_t count, int words,
    const char *usage, int *argc, char **argv)
{
    int rc = boot_config(boot, options, count, true, argc, argv);

    if (rc < 0)
        return cli_fail(rc);
    if (*argc == words + 1)
        return 0;
    boot_close(boot);
    if (*argc > words + 1)
        return cli_wrong("there is a word too many: \"%.60s\"", argv[*argc - 1]);
    return cli_wrong("say theo %s", usage);
}

int lifecycle_run(struct boot *boot, int (*fn)(struct boot *boot, void *arg), void *arg)
{
    int rc = boot_open(boot), status;

    if (rc == 0)
        rc = boot_on_fiber(boot, fn, arg);
    status = rc < 0 ? cli_fail(rc) : rc;
    boot_close(boot);
    return status;
}

int lifecycle_run_on_data(struct boot *boot, int (*fn)(struct boot *boot, void *arg), void *arg)
{
    int rc = boot_need_data(boot);

    if (rc == 0)
        return lifecycle_run(boot, fn, arg);
    boot_close(boot);
    return cli_fail(rc);
}

static void show(void *ctx, const struct archive_stats *so_far)
{
    struct lifecycle_progress *progress = ctx;
    int64_t now = env_mono_ms(progress->env);

    if (now - progress->shown_ms < SHOW_MS)
        return;
    progress->shown_ms = now;
    progress->shown = true;
    fprintf(stderr, "\r%s: %lld rows, %lld MB", progress->verb, (long long)so_far->rows,
        (long long)(so_far->bytes / 1000000));
    if (progress->total > 0)
        fprintf(stderr, " of %lld", (long long)(progress->total / 1000000));
    fflush(stderr);
}

void lifecycle_progress_init(
    struct lifecycle_progress *progress, const struct env *env, const char *verb, bool quiet)
{
    *progress = (struct lifecycle_progress){.env = env, .verb = verb, .begun_ms = env_mono_ms(env)};
    progress->shown_ms = progress->begun_ms;
    progress->archive.ctx = progress;
    if (!quiet && isatty(STDERR_FILENO))
        progress->archive.report = show;
}

void lifecycle_progress_end(const struct lifecycle_progress *progress)
{
    if (progress->shown)
        fprintf(stderr, "\r%*s\r", 60, "");
}

void lifecycle_print_summary(const struct lifecycle_progress *progress, bool json, const char *did,
    const char *file, const struct archive_stats *stats)
{
    double seconds = (double)(env_mono_ms(progress->env) - progress->begun_ms) / 1000;
    struct buf out = BUF_HEAP;
    struct json_writer w;

    if (!json) {
        printf("%s %lld row%s, %.1f MB, in %.1f s: %s\n", did, (long long)stats->rows,
            stats->rows == 1 ? "" : "s", (double)stats->bytes / 1e6, seconds, file);
        return;
    }
    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "file", file);
    json_i64_member(&w, "rows", stats->rows);
    json_i64_member(&w, "bytes", stats->bytes);
    json_name(&w, "seconds");
    json_put_double(&w, seconds);
    json_object_end(&w);
    printf("%.*s\n", STR_ARG(buf_str(&out)));
    buf_deinit(&out);
}
