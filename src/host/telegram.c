/* theo telegram: what Telegram has to be told once, how things stand, and pairing codes. */
#include "host/telegram.h"

#include "bot/access.h"
#include "bot/command.h"
#include "channel/channel.h"
#include "host/boot.h"
#include "host/commands.h"
#include "host/lifecycle.h"

#define COMMANDS_MAX 64
#define CODE_MINUTES 30

struct telegram_work {
    struct channel_setup setup;
    struct channel_report report;
    struct arena arena;
    struct channel_menu menus[BOT_MENUS * SAY_LANGUAGES];
    struct channel_command commands[BOT_MENUS * SAY_LANGUAGES][COMMANDS_MAX];
    bool pair;
    struct str code;
};

static size_t fill_commands(
    enum bot_menu menu, enum say_language language, struct channel_command *list)
{
    size_t count = 0;

    for (size_t i = 0; i < bot_command_count() && count < COMMANDS_MAX; i++) {
        struct channel_command *command = &list[count];

        if (!bot_command_is_in(i, menu))
            continue;
        bot_command(i, language, &command->name, &command->help);
        command->help = utf8_truncate(command->help, 250);
        count++;
    }
    return count;
}

/* English is what everybody sees whose language has no menu of its own, and the menu of groups what
 * is seen wherever there is no other. */
static void fill_menus(struct telegram_work *work)
{
    static const char *const scopes[] = {"", "all_private_chats"};
    size_t n = 0;

    for (int menu = 0; menu < BOT_MENUS; menu++)
        for (int language = 0; language < SAY_LANGUAGES; language++, n++)
            work->menus[n] = (struct channel_menu){.scope = scopes[menu],
                .language = language == SAY_EN ? "" : say_language_tag((enum say_language)language),
                .commands = work->commands[n],
                .count = fill_commands(
                    (enum bot_menu)menu, (enum say_language)language, work->commands[n])};
    work->setup.menus = work->menus;
    work->setup.menu_count = n;
}

#define MEMBER "telegram_webhook"

static int read_settings(struct boot *boot, struct arena *arena, struct workspace_row *row)
{
    int rc = store_workspace(boot->store, BOOT_WORKSPACE);

    if (rc == 0)
        rc = store_get(boot->store, STORE_WORKSPACES, BOOT_WORKSPACE, BOOT_WORKSPACE, arena, row);
    return rc > 0 ? err_set(ERR_CORRUPT, "The workspace is missing.") : rc;
}

/* The hash that the last change left, kept in the workspace's settings. */
static int keep_hash(struct boot *boot, struct telegram_work *work)
{
    struct arena *arena = &work->arena;
    const struct json *root = NULL;
    struct buf out = BUF_IN(arena);
    struct workspace_row row;
    struct store_batch batch;
    struct json_writer w;
    int rc = read_settings(boot, arena, &row);

    if (rc < 0)
        return rc;
    if (json_parse(arena, row.settings, &root) < 0)
        root = NULL;
    json_init(&w, &out);
    json_object_begin(&w);
    json_put_members(&w, root, MEMBER);
    json_str_member(&w, MEMBER, work->report.secret_hash);
    json_object_end(&w);
    row.settings = buf_str(&out);
    store_batch_init(&batch, arena);
    store_update(&batch, STORE_WORKSPACES, &row);
    rc = store_commit(boot->store, &batch);
    return rc > 0 ? err_set(ERR_CONFLICT, "The workspace is being changed; try again.") : rc;
}

static int read_hash(struct boot *boot, struct arena *arena, struct str *ret_hash)
{
    const struct json *root = NULL;
    struct workspace_row row;
    int rc = read_settings(boot, arena, &row);

    if (rc == 0 && json_parse(arena, row.settings, &root) == 0)
        *ret_hash = json_get_str(root, MEMBER);
    return rc;
}

int telegram_look(struct boot *boot, struct arena *arena, struct channel_report *ret_report)
{
    struct channel *channel = boot->channels.open[0];
    struct channel_setup setup = {.secret_hash = STR("")};
    int rc = read_hash(boot, arena, &setup.secret_hash);

    *ret_report = (struct channel_report){0};
    return rc < 0 ? rc : channel_ops_of(channel)->setup(channel, &setup, arena, ret_report);
}

static int do_setup(struct boot *boot, struct telegram_work *work)
{
    struct channel *channel = boot->channels.open[0];
    int rc = read_hash(boot, &work->arena, &work->setup.secret_hash);

    if (rc < 0)
        return rc;
    fill_menus(work);
    rc = channel_ops_of(channel)->setup(channel, &work->setup, &work->arena, &work->report);
    if (rc == 0 && work->setup.change && !str_eq(work->setup.secret_hash, work->report.secret_hash))
        rc = keep_hash(boot, work);
    return rc;
}

static int do_work(struct boot *boot, void *arg)
{
    struct telegram_work *work = arg;

    if (boot->channels.count == 0)
        return err_field(ERR_INVALID, "telegram.token",
            "telegram.token is not set: @BotFather gives one; see docs/telegram.md.");
    if (!work->pair)
        return do_setup(boot, work);
    if (store_workspace(boot->store, BOOT_WORKSPACE) < 0)
        return err_get()->code;
    return bot_pairing_code(
        boot->store, boot->env, BOOT_WORKSPACE, CODE_MINUTES, &work->arena, &work->code);
}

static void print_report(const struct telegram_work *work)
{
    struct cli_style style = cli_style(1);
    const char *colours[] = {style.green, style.yellow, style.red};
    static const char *const marks[] = {"✓", "+", "!"};

    for (size_t i = 0; i < work->report.count; i++) {
        enum channel_finding state = work->report.findings[i].state;

        printf("%s%s%s %.*s\n", colours[state], marks[state], style.plain,
            STR_ARG(work->report.findings[i].text));
    }
}

static void print_json(struct telegram_work *work)
{
    static const char *const states[] = {"fine", "changed", "to_fix"};
    struct buf out = BUF_IN(&work->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_name(&w, "findings");
    json_array_begin(&w);
    for (size_t i = 0; i < work->report.count; i++) {
        json_object_begin(&w);
        json_cstr_member(&w, "state", states[work->report.findings[i].state]);
        json_str_member(&w, "text", work->report.findings[i].text);
        json_object_end(&w);
    }
    json_array_end(&w);
    if (work->pair) {
        json_str_member(&w, "code", work->code);
        json_i64_member(&w, "minutes", CODE_MINUTES);
    }
    json_object_end(&w);
    printf("%s\n", out.ptr);
}

static bool read_verb(const char *verb, struct telegram_work *work)
{
    work->pair = strcmp(verb, "pair") == 0;
    work->setup.remove = strcmp(verb, "remove") == 0;
    work->setup.change = work->setup.remove || strcmp(verb, "setup") == 0;
    return work->pair || work->setup.change || strcmp(verb, "status") == 0;
}

int telegram_command(int argc, char **argv)
{
    struct telegram_work work = {0};
    bool json = false;
    const struct cli_option options[] = {{"json", CLI_FLAG, &json, NULL, "Print JSON."}};
    const char *usage = "telegram setup | status | remove | pair";
    struct boot boot;
    int status = lifecycle_begin(&boot, options, ARRAY_LEN(options), 1, usage, &argc, argv);

    if (status != 0)
        return status;
    if (!read_verb(argv[1], &work)) {
        boot_close(&boot);
        return cli_wrong(
            "theo telegram knows setup, status, remove and pair, not \"%.40s\"", argv[1]);
    }
    arena_init(&work.arena);
    status = lifecycle_run(&boot, do_work, &work);
    if (json && status == 0)
        print_json(&work);
    else if (!work.pair)
        print_report(&work);
    else if (status == 0)
        printf("%.*s\nSend /start %.*s in the chat within %d minutes. It can be used once.\n",
            STR_ARG(work.code), STR_ARG(work.code), CODE_MINUTES);
    arena_deinit(&work.arena);
    return status;
}

int poll_command(int argc, char **argv)
{
    char **more = xcalloc((size_t)argc + 2, sizeof(*more));
    int status;

    for (int i = 0; i < argc; i++)
        more[i] = argv[i];
    more[argc] = (char *)"--telegram-receive=poll";
    status = serve_command(argc + 1, more);
    free(more);
    return status;
}
