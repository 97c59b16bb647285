/* theo replay: a stored run again, from its log. */
#include "agent/replay.h"

#include "host/boot.h"
#include "host/commands.h"

#include <unistd.h>

struct replay_command {
    struct str workspace, run_id;
    struct replay_options options;
    struct arena arena;
    struct replay_report report;
};

static void write_json(const struct replay_report *report, struct buf *out)
{
    const struct replay_difference *found = &report->difference;
    struct json_writer w;

    json_init(&w, out);
    json_object_begin(&w);
    json_str_member(&w, "run_id", report->run_id);
    json_str_member(&w, "state", report->state);
    json_i64_member(&w, "events", (int64_t)report->events);
    json_bool_member(&w, "identical", report->identical);
    json_bool_member(&w, "reordered", report->reordered);
    json_bool_member(&w, "cut_off", report->cut);
    if (!report->identical) {
        json_name(&w, "difference");
        json_object_begin(&w);
        if (found->seq > 0)
            json_i64_member(&w, "seq", found->seq);
        json_str_member(&w, "type", found->type);
        json_str_member(&w, "field", found->field);
        json_str_member(&w, "expected", found->expected);
        json_str_member(&w, "got", found->got);
        json_str_member(&w, "why", found->why);
        json_object_end(&w);
    }
    json_object_end(&w);
    buf_add_char(out, '\n');
}

static void print_difference(const struct replay_report *report)
{
    const struct replay_difference *found = &report->difference;
    struct cli_style style = cli_style(1);

    if (found->seq > 0)
        printf("%sfirst difference at event %lld%s, %.*s%s%.*s\n", style.red, (long long)found->seq,
            style.plain, STR_ARG(found->type), str_empty(found->field) ? "" : ", ",
            STR_ARG(found->field));
    else
        printf("%sthe replay has an event more%s, %.*s\n", style.red, style.plain,
            STR_ARG(found->type));
    printf("  expected  %.*s\n  got       %.*s\n", STR_ARG(found->expected), STR_ARG(found->got));
    if (!str_empty(found->why))
        printf("  %s%.*s%s\n", style.dim, STR_ARG(found->why), style.plain);
}

static void print_report(const struct replay_report *report)
{
    struct cli_style style = cli_style(1);

    if (!report->identical) {
        print_difference(report);
        return;
    }
    printf("%sreplayed %zu events, identical%s%s%s\n", style.green, report->events, style.plain,
        report->reordered ? ", some of those at the same time in another order" : "",
        report->cut ? "; the run was cut off behind them" : "");
}

static int replay(struct boot *boot, void *arg)
{
    struct replay_command *command = arg;

    return replay_run(&boot->house, command->workspace, command->run_id, &command->options,
        &command->arena, &command->report);
}

static int conduct(struct boot *boot, struct replay_command *command, bool json)
{
    struct buf out = BUF_HEAP;
    int rc = boot_need_data(boot);

    if (rc == 0)
        rc = boot_open(boot);
    if (rc == 0)
        rc = boot_on_fiber(boot, replay, command);
    if (rc == ERR_NOT_FOUND) {
        cli_fail(rc);
        return 2;
    }
    if (rc < 0)
        return cli_fail(rc);
    if (json) {
        write_json(&command->report, &out);
        printf("%.*s", STR_ARG(buf_str(&out)));
        buf_deinit(&out);
    } else {
        print_report(&command->report);
    }
    return command->report.identical ? 0 : 1;
}

int replay_command(int argc, char **argv)
{
    struct replay_command command = {0};
    const char *workspace = "default";
    bool json = false;
    const struct cli_option options[] = {
        {"json", CLI_FLAG, &json, NULL, "Print JSON."},
        {"workspace", CLI_STR, &workspace, "ID", "The workspace of the run (default)."},
        {"live-model", CLI_FLAG, &command.options.live_model, NULL,
            "Ask the configured models anew; this costs what they cost."},
    };
    struct boot boot;
    int status, rc = boot_config(&boot, options, ARRAY_LEN(options), true, &argc, argv);

    if (rc < 0)
        return cli_fail(rc);
    if (argc != 2) {
        boot_close(&boot);
        return cli_wrong("say which run: theo replay RUN (answers name their run_id)");
    }
    command.workspace = str_from(workspace);
    command.run_id = str_from(argv[1]);
    arena_init(&command.arena);
    status = conduct(&boot, &command, json);
    arena_deinit(&command.arena);
    boot_close(&boot);
    return status;
}
