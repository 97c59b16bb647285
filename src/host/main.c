/* The command line: one table of commands. */
#include "extract/extract.h"
#include "host/boot.h"
#include "host/commands.h"

#include <signal.h>
#include <sys/stat.h>

static int help_command(int argc, char **argv);
static int version_command(int argc, char **argv);

const struct command commands[] = {
    {"serve", "Run", "Serve the REST interface, and Telegram when it is set up",
        "serve [--listen HOST:PORT]",
        "Runs until SIGTERM or Ctrl-C, then finishes what it is working on; a second one\n"
        "stops at once. SIGHUP reads TLS certificates again. The first start makes the data\n"
        "folder, the master key and an API key with every right, in DIR/admin.key.",
        serve_command},
    {"poll", NULL, "Serve, and ask Telegram for updates", "poll [--listen HOST:PORT]",
        "The same as serve with telegram.receive=poll: for where Telegram cannot call this\n"
        "service. Of several instances one asks; another takes over when it stops.",
        poll_command},
    {"telegram", NULL, "Set up the Telegram bot, or see how it is",
        "telegram setup | status | remove | pair",
        "setup checks the token and tells Telegram what it has to know: the webhook (or that\n"
        "there is none) and the menu of commands; only what differs is set. status looks and\n"
        "changes nothing; remove takes both back. pair makes a code that lets one chat in,\n"
        "once: whoever sends /start CODE there.",
        telegram_command},
    {"mcp", NULL, "Serve agents and tools to an MCP client over standard input and output", "mcp",
        "For programs that start MCP servers themselves. Works on the data folder itself, or\n"
        "on a server with --url and --key. A server serves the same at POST /mcp. See\n"
        "docs/mcp.md.",
        mcp_command},
    {"chat", "Ask", "Let Theo answer a transcript, or talk to him", "chat [FILE | -]",
        "FILE holds lines `party: message`; - reads them from standard input. Without FILE, on\n"
        "a terminal, you type and Theo answers. Works on the data folder itself, or on a\n"
        "server with --url and --key.",
        chat_command},
    {"schedule", NULL, "Book, list, show and cancel events",
        "schedule book --summary TEXT (--when \"next Tue 3pm\" | --start TIME)\n"
        "schedule list [--from TIME] [--to TIME]\n"
        "schedule show ID\n"
        "schedule cancel ID",
        "TIME is RFC 3339, such as 2026-03-02T15:00:00+01:00.", schedule_command},
    {"models", NULL, "List the configured models, or try one", "models [check [NAME]]",
        "`check` asks the model three small things: a word, a tool call, and a streamed word,\n"
        "and says what that cost: a few hundred tokens. Exit status 1: it cannot do something\n"
        "that Theo needs.",
        models_command},
    {"eval", NULL, "Run cases and say which of them pass",
        "eval FILE\n"
        "eval addressed | when | schedule",
        "FILE is YAML: cases with a chat and what is expected of the answer (does Theo speak,\n"
        "which tools are called with what, what the answer says). Each case runs in an empty\n"
        "store in memory with a calendar of its own, by the configured models and agents;\n"
        "tools of MCP servers and remote agents are left out. `judge` checks need the setting\n"
        "eval.judge-model and are skipped without it. Exit status 1: a case failed; 2: the\n"
        "file is wrong. Try `theo eval examples/eval.yaml`; docs/evaluation.md says more.\n"
        "The second form measures this program's own code on labelled data (script/eval).",
        eval_command},
    {"replay", NULL, "Execute a stored run again and say where it differs from its log",
        "replay RUN",
        "RUN is the run_id of an answer. The run is executed again from its log by this\n"
        "program: models say what they said, tools give what they gave, and people decide what\n"
        "they decided; nothing is asked over the network, nothing is done, nothing is written.\n"
        "Prints \"replayed N events, identical\", or the first difference. Exit status 1: it\n"
        "differs; 2: there is no such run. What is needed is kept while the setting run.record\n"
        "is on. See docs/evaluation.md.",
        replay_command},
    {"doctor", "Set up", "Say what is wrong with this installation, and what to do", "doctor",
        "Checks the data folder, the keys, the store, the models, Telegram, the time zone\n"
        "database, TLS, the clock and limits. Exits 1 when something is broken.",
        doctor_command},
    {"config", NULL, "Show every setting and where it came from", "config",
        "The order is: default, theo.yaml (or --config FILE, or THEO_CONFIG), THEO_* variables,\n"
        "flags; the later wins. Each line's name is also the flag: log.level is --log-level.",
        config_command},
    {"keys", NULL, "Create, list, rotate and revoke API keys",
        "keys create --name NAME --scopes \"chat read\" [--expires TIME] [--workspace ID]\n"
        "keys list [--workspace ID]\n"
        "keys rotate ID [--grace-seconds N] [--workspace ID]\n"
        "keys revoke ID [--workspace ID]\n"
        "keys rotate-master [--to PROVIDER]\n"
        "keys rotate-data [--workspace ID] [--reseal]",
        "Scopes: admin (everything), chat, schedule, read, keys. Works beside a running server,\n"
        "which notices within a second. A key is shown once. The last two are about the keys\n"
        "that the store is sealed with: docs/operations.md.",
        keys_command},
    {"migrate", NULL, "Make or extend the store's tables", "migrate",
        "Every start does the same; this does it apart, before many instances start.",
        migrate_command},
    {"backup", "Keep", "Write the whole store to a file", "backup FILE",
        "Works beside a running server. The file is checksummed; sealed values stay sealed, so\n"
        "it is of use only with the master key, which is not in it: keep that apart.",
        backup_command},
    {"restore", NULL, "Fill the store from a backup", "restore FILE",
        "The file is checked wholly before anything is written. The backup may come from\n"
        "another kind of store.",
        restore_command},
    {"export", NULL, "Print what a person wrote, as JSON lines", "export --person NAME",
        "NAME is the author's, as the chats show it.", export_command},
    {"erase", NULL, "Erase what a person wrote", "erase --person NAME --yes",
        "The messages become blanks. Theo's answers in these chats and the runs behind them go\n"
        "too, because they may quote; what others wrote stays, and so do booked events.",
        erase_command},
    {"retention", NULL, "Show or set how long chats are kept", "retention [--days N]",
        "Chats that were not used for N days are erased, and older messages of the others. 0\n"
        "keeps them for ever. A running server applies the rule every ten minutes.",
        retention_command},
    {"extract-child", NULL, NULL, "extract-child pdf|docx MEMORY SECONDS < FILE",
        "For Theo himself: the process, without network and with little rights, that turns a\n"
        "file somebody sent into text.",
        extract_child},
    {"version", "This program", "Print the version", "version [--json]", "", version_command},
    {"help", NULL, "Explain a command", "help [COMMAND]", "", help_command},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};

static const struct command *find_command(const char *name)
{
    for (const struct command *command = commands; command->name; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

static int print_overview(void)
{
    struct cli_style style = cli_style(1);

    printf("%sTheo%s %s: the helper in group chats where companies do business together.\n\n",
        style.bold, style.plain, boot_version());
    printf("Usage: theo COMMAND [OPTIONS]\n");
    for (const struct command *command = commands; command->name; command++) {
        if (command->group)
            printf("\n%s\n", command->group);
        if (command->summary)
            printf("  %s%-10s%s %s\n", style.bold, command->name, style.plain, command->summary);
    }
    printf(
        "\nEvery setting is also a flag (`theo config` lists them). Start with `theo serve`, or\n"
        "try `theo chat examples/partnership.txt`. `theo COMMAND --help` says more.\n");
    return 0;
}

static bool has_options(const struct command *command)
{
    return command->run != version_command && command->run != help_command &&
           command->run != extract_child;
}

/* The command itself prints its options, of which it alone has the table (boot_config). */
static int print_help(const struct command *command)
{
    char *argv[] = {(char *)command->name, "--help", NULL};
    struct str rest = str_from(command->usage), line;
    const char *before = "Usage:";

    printf("%s\n\n", command->summary ? command->summary : command->name);
    for (; str_next(&rest, '\n', &line); before = "      ")
        printf("%s theo %.*s\n", before, STR_ARG(line));
    if (command->help[0])
        printf("\n%s\n", command->help);
    return has_options(command) ? command->run(2, argv) : 0;
}

static int unknown_command(const char *name)
{
    struct str_near near = STR_NEAR(str_from(name));

    for (const struct command *command = commands; command->name; command++)
        if (command->summary)
            str_near_try(&near, str_from(command->name));
    return cli_wrong("there is no command \"%.60s\"; did you mean `theo %.*s`?", name,
        STR_ARG(near.best.len ? near.best : STR("help")));
}

static int help_command(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2)
        return print_overview();
    command = find_command(argv[1]);
    return command ? print_help(command) : unknown_command(argv[1]);
}

static int version_command(int argc, char **argv)
{
    bool json = argc == 2 && strcmp(argv[1], "--json") == 0;

    if (argc > 1 && !json)
        return cli_wrong("theo version takes --json only, not \"%.60s\"", argv[1]);
    printf(json ? "{\"version\":\"%s\"}\n" : "theo %s\n", boot_version());
    return 0;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";
    const struct command *command;

    umask(077);
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    command = find_command(name);
    if (!command)
        return unknown_command(name);
    if (asks_for_help(argc - 1, argv + 1))
        return print_help(command);
    return command->run(argc > 1 ? argc - 1 : 1, argc > 1 ? argv + 1 : argv);
}
