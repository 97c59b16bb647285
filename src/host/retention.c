/* theo retention: how long a workspace keeps its chats. */
#include "store/retention.h"

#include "host/commands.h"
#include "host/lifecycle.h"

struct rule {
    const char *workspace, *days_text;
    int64_t days, expired;
    struct erase_stats stats;
};

static int set_rule(struct boot *boot, void *arg)
{
    struct rule *rule = arg;
    struct workspace_row row;
    struct arena arena;
    int r = rule->days_text ? retention_set(boot->store, str_from(rule->workspace), rule->days) : 0;

    if (r == 0 && rule->days_text)
        r = retention_apply(boot->store, env_wall_ms(boot->env), &rule->stats, &rule->expired);
    if (r < 0)
        return r;
    arena_init(&arena);
    r = store_get(boot->store, STORE_WORKSPACES, str_from(rule->workspace),
        str_from(rule->workspace), &arena, &row);
    rule->days = r == 0 ? retention_days(row.settings) : 0;
    arena_deinit(&arena);
    return r < 0 ? r : 0;
}

int retention_command(int argc, char **argv)
{
    struct rule rule = {.workspace = BOOT_WORKSPACE.ptr};
    bool json = false;
    const struct cli_option options[] = {
        {"days", CLI_STR, &rule.days_text, "N", "Keep so many days; 0: for ever."},
        {"workspace", CLI_STR, &rule.workspace, "ID", "The workspace (default)."},
        {"json", CLI_FLAG, &json, NULL, "Print JSON."},
    };
    struct boot boot;
    int status =
        lifecycle_begin(&boot, options, ARRAY_LEN(options), 0, "retention [--days N]", &argc, argv);

    if (status != 0)
        return status;
    if (rule.days_text && !str_to_i64(str_from(rule.days_text), &rule.days)) {
        boot_close(&boot);
        return cli_wrong("--days must be a whole number, not \"%.40s\"", rule.days_text);
    }
    status = lifecycle_run_on_data(&boot, set_rule, &rule);
    if (status != 0)
        return status;
    if (json)
        printf("{\"retention_days\":%lld,\"erased_sessions\":%lld,\"erased_messages\":%lld}\n",
            (long long)rule.days, (long long)rule.stats.sessions, (long long)rule.stats.messages);
    else if (rule.days == 0)
        printf("Chats are kept until somebody deletes them.\n");
    else
        printf("Chats are kept for %lld days. Erased now: chats: %lld, older messages of others: "
               "%lld.\n",
            (long long)rule.days, (long long)rule.stats.sessions, (long long)rule.stats.messages);
    return 0;
}
