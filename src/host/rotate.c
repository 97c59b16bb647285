#include "host/rotate.h"

#include "secure/seal.h"

#include <unistd.h>

struct task {
    const struct rotation *rotation;
    int64_t workspaces;
    int64_t since_ms; /* resealing began, monotonic */
    struct store_reseal total;
    char id[512]; /* of the master key that is new */
    int64_t shown_ms;
    struct boot *boot;
    bool shown;
};

static int rotate_master(struct boot *boot, void *arg)
{
    struct task *task = arg;
    struct arena arena;
    struct str id;
    int rc = 0;

    arena_init(&arena);
    if (task->rotation->to)
        rc = sealer_rotate_to(boot->sealer, &boot->config, task->rotation->to);
    if (rc == 0)
        rc = sealer_prepare(boot->sealer, &arena, &id);
    if (rc == 0) {
        snprintf(task->id, sizeof(task->id), "%.*s", STR_ARG(id));
        rc = store_rotate_master(boot->store, &task->workspaces);
    }
    arena_deinit(&arena);
    return rc;
}

static void print_master(const struct boot *boot, const struct task *task)
{
    long long count = (long long)task->workspaces;
    const char *noun = count == 1 ? "workspace" : "workspaces";

    if (task->rotation->json)
        printf("{\"workspaces\":%lld,\"master_key_id\":\"%s\"}\n", count, task->id);
    else if (task->rotation->to)
        printf("The data keys of %lld %s are wrapped under %s. Set key-provider to \"%s\" on "
               "every instance and restart them one by one, then run this once more. Keep the "
               "former master key: backups made until now need it.\n",
            count, noun, task->id, task->rotation->to);
    else
        printf("%s is new, and the data keys of %lld %s are wrapped under it. Back it up. "
               "The former key is %s.old: backups made until now need it.\n",
            boot->master_key_path, count, noun, boot->master_key_path);
}

/* A line on a terminal, twice a second. */
static void show(void *ctx, const struct store_reseal *state)
{
    struct task *task = ctx;
    int64_t now = env_mono_ms(task->boot->env);

    if (task->rotation->json || !isatty(STDERR_FILENO) || now - task->shown_ms < 500)
        return;
    task->shown_ms = now;
    task->shown = true;
    fprintf(stderr, "\r\033[K%lld rows sealed anew, %lld left%s",
        (long long)(task->total.resealed + state->resealed), (long long)MAX(state->left, 0),
        state->waiting ? "; waiting until no instance seals with a former key" : "");
}

static int reseal_one(struct task *task, struct str workspace, int64_t since_ms)
{
    struct store_reseal state = {0};
    int rc = store_reseal(task->boot->store, workspace, since_ms, show, task, &state);

    task->total.resealed += state.resealed;
    task->total.left += MAX(state.left, 0);
    task->total.dropped += state.dropped;
    return rc;
}

static int reseal_each(void *ctx, const struct workspace_row *row)
{
    struct task *task = ctx;

    return reseal_one(task, row->id, task->since_ms);
}

static int rotate_data(struct boot *boot, void *arg)
{
    struct task *task = arg;
    struct str workspace = str_from(task->rotation->workspace);
    int rc = store_rotate_data(boot->store, workspace, &task->workspaces);

    task->since_ms = env_mono_ms(boot->env);
    if (rc < 0 || !task->rotation->reseal)
        return rc;
    if (!task->rotation->json)
        fprintf(stderr,
            "Sealing old rows anew; until no instance can seal with a former key this takes at "
            "least %lld seconds (three times key-refresh-seconds).\n",
            (long long)(3 * boot->config.key_refresh_seconds));
    return str_empty(workspace) ? store_each_workspace(boot->store, reseal_each, task)
                                : reseal_one(task, workspace, task->since_ms);
}

static void print_data(const struct task *task)
{
    const struct store_reseal *total = &task->total;

    if (task->shown)
        fprintf(stderr, "\r\033[K");
    if (task->rotation->json) {
        printf("{\"workspaces\":%lld,\"resealed\":%lld,\"left\":%lld,\"dropped\":%lld}\n",
            (long long)task->workspaces, (long long)total->resealed, (long long)total->left,
            (long long)total->dropped);
        return;
    }
    printf("%lld %s a new data key.", (long long)task->workspaces,
        task->workspaces == 1 ? "workspace has" : "workspaces have");
    if (!task->rotation->reseal)
        printf(" Old rows are read with the former ones; --reseal seals them anew.\n");
    else if (total->left == 0)
        printf(" %lld rows are sealed anew, and %lld former data keys are gone.\n",
            (long long)total->resealed, (long long)total->dropped);
    else
        printf(" %lld rows are sealed anew; %lld could not be, so their former data keys stay.\n",
            (long long)total->resealed, (long long)total->left);
}

int rotate_command(struct boot *boot, const char *verb, const struct rotation *rotation)
{
    struct task task = {.rotation = rotation, .boot = boot};
    bool master = strcmp(verb, "rotate-master") == 0;
    int rc;

    if (!master && strcmp(verb, "rotate-data") != 0)
        return cli_wrong("say which key to rotate: rotate-master or rotate-data");
    if (master ? rotation->workspace || rotation->reseal : rotation->to != NULL)
        return cli_wrong("--to belongs to rotate-master, --workspace and --reseal to rotate-data");
    rc = boot_need_data(boot);
    if (rc == 0)
        rc = boot_open(boot);
    if (rc == 0)
        rc = boot_on_fiber(boot, master ? rotate_master : rotate_data, &task);
    if (rc < 0)
        return cli_fail(rc);
    if (master)
        print_master(boot, &task);
    else
        print_data(&task);
    return 0;
}
