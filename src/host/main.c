/* The command line: one table of commands. */
#include "extract/extract.h"
#include "host/boot.h"
#include "host/commands.h"

#include <signal.h>
#include <sys/stat.h>

static int help_command(int argc, char **argv);
static int version_command(int argc, char **argv);

const struct command commands[] = {
    {"serve", "Serve the REST interface", "serve [--listen HOST:PORT] [--data-dir DIR]",
        "Runs until SIGTERM or Ctrl-C, then finishes what it is working on. SIGHUP reads TLS\n"
        "certificates again. The first start makes the data folder, the master key and an API key\n"
        "with every right, in DIR/admin.key.",
        serve_command},
    {"poll", "Serve, and ask Telegram for updates", "poll [--listen HOST:PORT] [--data-dir DIR]",
        "The same as serve with telegram.receive=poll: for where Telegram cannot call this "
        "service.\n"
        "Of several instances one asks, and another takes over when it stops.",
        poll_command},
    {"telegram", "Set up the Telegram bot, or see how it is",
        "telegram setup | status | remove | pair [--json]",
        "setup checks the token and tells Telegram what it has to know: the webhook (or that "
        "there\n"
        "is none) and the menu of commands; only what differs is set. status looks and changes\n"
        "nothing; remove takes both back. pair makes a code that lets one chat in, once: whoever\n"
        "sends /start CODE there.",
        telegram_command},
    {"chat", "Let Theo answer a transcript, or talk to him",
        "chat [FILE | -] [--json] [--session ID] [--must-reply] [--agent NAME] [--system-prompt "
        "TEXT] [--as "
        "NAME]\n"
        "            [--url URL --key KEY]",
        "FILE holds lines `party: message`; - reads them from standard input. Without FILE, on a\n"
        "terminal, you type and Theo answers. Works on the data folder itself, or on a server "
        "with\n"
        "--url and --key.",
        chat_command},
    {"mcp", "Serve agents and tools to an MCP client over standard input and output",
        "mcp [--url URL --key KEY]",
        "For programs that start MCP servers themselves. Works on the data folder itself, or on a\n"
        "server with --url and --key. A server serves the same at POST /mcp. See docs/mcp.md.",
        mcp_command},
    {"models", "List the configured models, or try one", "models [check [NAME]] [--json]",
        "`check` asks the model three small things: a word, a tool call, and a streamed word. "
        "That\n"
        "costs a few hundred tokens. Exit status 1: it cannot do something that Theo needs.",
        models_command},
    {"schedule", "Book, list, show and cancel events",
        "schedule book --summary TEXT (--when \"next Tue 3pm\" | --start TIME) [--end TIME |\n"
        "                --duration-minutes N] [--attendee WHO]... [--description TEXT] "
        "[--location TEXT]\n"
        "       theo schedule list [--from TIME] [--to TIME] [--ics] | show ID [--ics] | cancel ID",
        "TIME is RFC 3339 (2026-03-02T15:00:00+01:00). Add --json for the answer as it is, and\n"
        "--url with --key to ask a server.",
        schedule_command},
    {"keys", "Create, list, rotate and revoke API keys",
        "keys create --name NAME --scopes \"chat read\" [--expires TIME] | list | rotate ID\n"
        "            [--grace-seconds N] | revoke ID | rotate-master\n"
        "            [--to PROVIDER] | rotate-data [--workspace ID] [--reseal]",
        "Scopes: admin (everything), chat, schedule, read, keys. Works beside a running server,\n"
        "which notices within a second. A key is shown once. Add --json for scripts.",
        keys_command},
    {"config", "Show every setting and where it came from",
        "config [--json | --markdown | --example]",
        "The order is: default, theo.yaml (or --config FILE, or THEO_CONFIG), THEO_* variables,\n"
        "flags; the later wins. Each line's name is also the flag: log.level is --log-level.\n"
        "--markdown writes the reference, docs/config.md; --example writes theo.example.yaml.",
        config_command},
    {"doctor", "Say what is wrong with this installation, and what to do", "doctor [--json]",
        "Checks the data folder, the keys, the store, the model, the time zone database, TLS and\n"
        "limits. Exits 1 when something is broken.",
        doctor_command},
    {"migrate", "Make or extend the store's tables", "migrate [--dry-run] [--json]",
        "Every start does the same; this does it apart, before many instances start. --dry-run\n"
        "says what would be done.",
        migrate_command},
    {"backup", "Write the whole store to a file", "backup FILE [--json]",
        "Works beside a running server. The file is checksummed; sealed values stay sealed, so it\n"
        "is of use only with the master key, which is not in it: keep that apart.",
        backup_command},
    {"restore", "Fill the store from a backup", "restore FILE [--force] [--json]",
        "The file is checked wholly before anything is written. The backup may come from another\n"
        "kind of store. --force replaces what a store holds.",
        restore_command},
    {"export", "Print what a person wrote, as JSON lines", "export --person NAME [--workspace ID]",
        "NAME is the author's, as the chats show it.", export_command},
    {"erase", "Erase what a person wrote", "erase --person NAME --yes [--workspace ID] [--json]",
        "The messages become blanks. Theo's answers in these chats and the runs behind them go "
        "too,\n"
        "because they may quote; what others wrote stays, and so do booked events.",
        erase_command},
    {"retention", "Show or set how long chats are kept",
        "retention [--days N] [--workspace ID] [--json]",
        "Chats that were not used for N days are erased, and older messages of the others. 0 "
        "keeps\n"
        "them for ever. A running server applies the rule every ten minutes.",
        retention_command},
    {"eval", "Run cases and say which of them pass",
        "eval FILE [--only WORD] [--junit OUT.xml] [--json]\n"
        "       theo eval addressed | when | schedule [--data DIR]",
        "FILE is YAML: cases with a chat and what is expected of the answer (does Theo speak, "
        "which\n"
        "tools are called with what, what the answer says). Each case runs in an empty store in\n"
        "memory with a calendar of its own, by the configured models and agents; tools of MCP "
        "servers\n"
        "and remote agents are left out. --only runs the cases that have WORD in their name. "
        "--junit\n"
        "writes what CI servers read. `judge` checks need the setting eval.judge-model and are "
        "skipped\n"
        "without it. Exit status 1: a case failed; 2: the file is wrong. Try\n"
        "`theo eval examples/eval.yaml`; docs/evaluation.md says more.\n"
        "The second form measures this program's own code on labelled data (script/eval).",
        eval_command},
    {"replay", "Execute a stored run again and say where it differs from its log",
        "replay RUN [--json] [--live-model] [--data-dir DIR]",
        "RUN is the run_id of an answer. The run is executed again from its log by this program:\n"
        "models say what they said, tools give what they gave, and people decide what they "
        "decided;\n"
        "nothing is asked over the network, nothing is done, nothing is written. Prints\n"
        "\"replayed N events, identical\", or the first difference: the number of the event, the\n"
        "field, what was recorded and what came now. --live-model asks the configured models\n"
        "instead of playing back what they said, to see where they go another way (this costs "
        "what\n"
        "their calls cost). Exit status 1: it differs. What is needed is kept while the setting\n"
        "run.record is on. See docs/evaluation.md.",
        replay_command},
    {"extract-child", NULL, "extract-child pdf|docx MEMORY SECONDS < FILE",
        "For Theo himself: the process, without network and with little rights, that turns a file\n"
        "somebody sent into text.",
        extract_child},
    {"version", "Print the version", "version", "", version_command},
    {"help", "Explain a command", "help [COMMAND]", "", help_command},
    {NULL, NULL, NULL, NULL, NULL},
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
    printf("Usage: theo COMMAND [OPTIONS]\n\n");
    for (const struct command *command = commands; command->name; command++)
        if (command->summary)
            printf("  %s%-10s%s %s\n", style.bold, command->name, style.plain, command->summary);
    printf(
        "\nEvery setting is also a flag (`theo config` lists them). Start with `theo serve`, or\n"
        "try `theo chat examples/partnership.txt`. `theo COMMAND --help` says more.\n");
    return 0;
}

static int print_help(const struct command *command)
{
    printf("%s\n\nUsage: theo %s\n", command->summary ? command->summary : command->name,
        command->usage);
    if (command->help[0])
        printf("\n%s\n", command->help);
    return 0;
}

/* The number of single-character edits between two short words (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
    size_t row[32], a_len = strlen(a), b_len = MIN(strlen(b), ARRAY_LEN(row) - 1);

    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j], change = diagonal + (a[i - 1] != b[j - 1]);

            row[j] = MIN(MIN(above + 1, row[j - 1] + 1), change);
            diagonal = above;
        }
    }
    return row[b_len];
}

static int unknown_command(const char *name)
{
    const char *nearest = "help";
    size_t best = 4;

    for (const struct command *command = commands; command->name; command++) {
        size_t far = command->summary ? distance(name, command->name) : SIZE_MAX;

        if (far < best) {
            best = far;
            nearest = command->name;
        }
    }
    return cli_wrong("there is no command \"%.60s\"; did you mean `theo %s`?", name, nearest);
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
    if (argc > 1)
        return cli_wrong("theo version takes nothing, not \"%.60s\"", argv[1]);
    printf("theo %s\n", boot_version());
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
