/* What all commands share: options, colours, and how they end.
 *
 * A command returns its exit status: 0 done, 1 it did not work, 2 wrong usage or wrong input. Wrong
 * usage is one plain line on stderr. Nothing here yields.
 */
#ifndef HOST_CLI_H
#define HOST_CLI_H

#include "base/err.h"
#include "base/json.h"

struct cli_option {
    const char *name; /* without dashes */
    enum { CLI_STR, CLI_FLAG, CLI_LIST } type;
    void *target;      /* const char **, bool *, struct cli_list * */
    const char *value; /* how the value is called in help; NULL for flags */
    const char *help;
};

#define CLI_LIST_MAX 100
struct cli_list {
    const char *items[CLI_LIST_MAX];
    size_t count;
};

/* The options on stdout, one a line, for --help. */
void cli_print_options(const struct cli_option *options, size_t count);
/* Take the options out of argv; words stay. 0 or ERR_INVALID (unknown option, missing value). */
MUST_CHECK int cli_parse(const struct cli_option *options, size_t count, int *argc, char **argv);

/* "theo: …" on stderr; returns 2. */
int cli_wrong(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The current error on stderr; returns 2 for ERR_INVALID, otherwise 1. */
int cli_fail(int code);

/* Escape sequences for a terminal, "" elsewhere or when NO_COLOR is set. */
struct cli_style {
    const char *bold, *dim, *red, *green, *yellow, *plain;
};
struct cli_style cli_style(int fd);

struct command {
    const char *name;
    const char *group;   /* the heading before it in the list; NULL: none */
    const char *summary; /* NULL: not shown in the list */
    const char *usage;   /* one form a line */
    const char *help;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};
extern const struct command commands[]; /* ended by a row without name */

#endif
