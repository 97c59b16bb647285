#include "host/cli.h"

#include <unistd.h>

static const struct cli_option *find_option(
    const struct cli_option *options, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(name, options[i].name))
            return &options[i];
    return NULL;
}

static int store_value(const struct cli_option *option, const char *value)
{
    struct cli_list *list = option->target;

    if (option->type == CLI_STR) {
        *(const char **)option->target = value;
        return 0;
    }
    if (list->count == CLI_LIST_MAX)
        return err_set(
            ERR_INVALID, "--%s may be given at most %d times.", option->name, CLI_LIST_MAX);
    list->items[list->count++] = value;
    return 0;
}

/* One "--name", "--name=value" or "--name value" at argv[*at]. */
static int take_option(
    const struct cli_option *options, size_t count, int argc, char **argv, int *at)
{
    struct str rest = str_from(argv[*at] + 2), name;
    const struct cli_option *option;

    str_next(&rest, '=', &name);
    option = find_option(options, count, name);
    if (!option)
        return err_set(
            ERR_INVALID, "there is no option --%.*s; see `theo help %s`", STR_ARG(name), argv[0]);
    if (option->type == CLI_FLAG) {
        *(bool *)option->target = true;
        return rest.ptr ? err_set(ERR_INVALID, "--%s takes no value", option->name) : 0;
    }
    if (rest.ptr)
        return store_value(option, rest.ptr);
    if (*at + 1 >= argc)
        return err_set(
            ERR_INVALID, "--%s needs a value: --%s %s", option->name, option->name, option->value);
    return store_value(option, argv[++*at]);
}

void cli_print_options(const struct cli_option *options, size_t count)
{
    printf("\nOptions\n");
    for (size_t i = 0; i < count; i++)
        printf("  --%s %-*s %s\n", options[i].name, (int)(22 - MIN(strlen(options[i].name), 20)),
            options[i].value ? options[i].value : "", options[i].help);
    printf("  --%-23s %s\n", "data-dir DIR", "The data folder (./theo-data).");
    printf("  --%-23s %s\n", "config FILE", "Settings; absent: theo.yaml where there is one.");
    printf("  --%-23s %s\n", "SETTING VALUE", "Any other setting; `theo config` lists them.");
}

int cli_parse(const struct cli_option *options, size_t count, int *argc, char **argv)
{
    int kept = 1;
    bool words_only = false;

    for (int i = 1; i < *argc; i++) {
        int rc;

        if (words_only || argv[i][0] != '-' || argv[i][1] == '\0') {
            argv[kept++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            words_only = true;
            continue;
        }
        if (argv[i][1] != '-')
            return err_set(
                ERR_INVALID, "there is no option %s; see `theo help %s`", argv[i], argv[0]);
        rc = take_option(options, count, *argc, argv, &i);
        if (rc < 0)
            return rc;
    }
    *argc = kept;
    argv[kept] = NULL;
    return 0;
}

int cli_wrong(const char *fmt, ...)
{
    va_list args;
    struct buf line = BUF_HEAP;

    va_start(args, fmt);
    buf_vprintf(&line, fmt, args);
    va_end(args);
    fprintf(stderr, "theo: %s\n", line.ptr);
    buf_deinit(&line);
    return 2;
}

int cli_fail(int code)
{
    fprintf(stderr, "theo: %s\n", err_message());
    return code == ERR_INVALID ? 2 : 1;
}

struct cli_style cli_style(int fd)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    if (!isatty(fd) || (no_color && no_color[0]) || (term && strcmp(term, "dumb") == 0))
        return (struct cli_style){"", "", "", "", "", ""};
    return (struct cli_style){"\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[33m", "\033[0m"};
}
