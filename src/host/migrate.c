/* theo migrate: make or extend the tables, or say what that would be. */
#include "host/commands.h"
#include "host/lifecycle.h"

static void print_changes(struct str changes, bool json, bool done)
{
    struct buf out = BUF_HEAP;
    struct json_writer w;
    struct str line;

    if (!json) {
        if (str_empty(changes))
            printf("The tables are as they should be.\n");
        while (str_next(&changes, '\n', &line))
            if (!str_empty(line))
                printf("%s%.*s\n", done ? "done: " : "", STR_ARG(line));
        return;
    }
    json_init(&w, &out);
    json_object_begin(&w);
    json_bool_member(&w, "done", done);
    json_name(&w, "changes");
    json_array_begin(&w);
    while (str_next(&changes, '\n', &line))
        if (!str_empty(line))
            json_put_str(&w, line);
    json_array_end(&w);
    json_object_end(&w);
    printf("%.*s\n", STR_ARG(buf_str(&out)));
    buf_deinit(&out);
}

static int check_store(struct boot *boot, void *arg)
{
    (void)arg;
    return store_health(boot->store);
}

int migrate_command(int argc, char **argv)
{
    bool json = false, dry_run = false;
    const struct cli_option options[] = {
        {"dry-run", CLI_FLAG, &dry_run, NULL, "Change nothing."},
        {"json", CLI_FLAG, &json, NULL, "Print JSON."},
    };
    struct buf changes = BUF_HEAP;
    struct boot boot;
    int rc, status = lifecycle_begin(
                &boot, options, ARRAY_LEN(options), 0, "migrate [--dry-run]", &argc, argv);

    if (status != 0)
        return status;
    rc = store_plan(&boot.config, boot.env, &changes);
    if (dry_run || (rc < 0 && rc != ERR_DENIED)) {
        status = rc < 0 ? cli_fail(rc) : 0;
        boot_close(&boot);
    } else {
        status = lifecycle_run(&boot, check_store, NULL);
    }
    if (status == 0)
        print_changes(buf_str(&changes), json, !dry_run);
    buf_deinit(&changes);
    return status;
}
