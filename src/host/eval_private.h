/* What the files of `theo eval` share: eval.c is the command, eval_read.c reads the file of cases,
 * eval_run.c runs one in a house of its own, eval_check.c looks at the outcome, eval_judge.c asks a
 * model about it, eval_report.c prints; eval_data.c is what script/eval calls.
 */
#ifndef HOST_EVAL_PRIVATE_H
#define HOST_EVAL_PRIVATE_H

#include "host/boot.h"

/* A tool call that a case expects: its name, and arguments of which all must be there. */
struct eval_tool {
    struct str name;
    const struct json *arguments; /* NULL: any */
};

struct eval_texts {
    struct str *items;
    size_t count;
};

enum eval_speaks { EVAL_ANY, EVAL_SPEAKS, EVAL_SILENT };

struct eval_case {
    struct str name;
    int64_t line;
    struct transcript chat;
    struct str agent, model, time_zone, system_prompt;
    int64_t now_ms; /* 0: the clock */
    bool must_reply;
    enum eval_speaks speaks;
    struct eval_tool *tools;
    size_t tool_count;
    bool no_tools; /* an empty list: not one */
    struct eval_texts not_tools, contains, not_contains, matches;
    int64_t max_chars, citations_min; /* 0: no check */
    struct str judge;
};

struct eval_file {
    const char *path;
    struct eval_case *cases;
    size_t count;
};

enum eval_outcome { EVAL_PASSED, EVAL_FAILED, EVAL_SKIPPED };

struct eval_check {
    const char *name; /* "speaks", "tools", … */
    enum eval_outcome outcome;
    struct str message; /* why it failed or was skipped */
};

struct eval_call {
    struct str id, tool, arguments, status; /* arguments: JSON; status: "" when it waits */
};

#define EVAL_CHECKS_MAX 64
struct eval_result {
    const struct eval_case *what;
    bool passed;
    int64_t took_ms;
    struct run_result run;
    struct eval_call *calls;
    size_t call_count, call_capacity;
    struct eval_check checks[EVAL_CHECKS_MAX];
    size_t check_count;
};

/* Exit status of script/eval when its data is absent. */
#define EVAL_ABSENT 77

/* eval.c: the whole file. 0, ERR_NOT_FOUND, ERR_IO. */
MUST_CHECK int eval_read_file(const char *path, struct buf *out);

/* eval_read.c: 0, or ERR_INVALID with file, line and field in the message. */
MUST_CHECK int eval_read(
    const char *path, struct str text, struct arena *arena, struct eval_file *ret_file);

/* eval_run.c: run and check one case; what it made lives in arena. judge: NULL when none is
 * configured. ERR_* only when there is no house to run it in. Yields. */
MUST_CHECK int eval_run(struct boot *boot, const struct eval_case *what, struct model *judge,
    struct arena *arena, struct eval_result *ret_result);

/* eval_check.c */
void eval_note(
    struct eval_result *result, const char *name, enum eval_outcome outcome, struct str message);
void eval_check(struct eval_result *result, struct arena *arena);

/* eval_judge.c: does the answer meet the rubric? Yields. */
void eval_judge(struct eval_result *result, struct model *judge, const struct config *config,
    struct arena *arena);

/* eval_report.c */
/* One case, as soon as it is done; width: of the names, in characters. */
void eval_print(const struct eval_result *result, size_t width);
void eval_print_sums(const struct eval_result *results, size_t count);
void eval_write_json(const struct eval_result *results, size_t count, struct buf *out);
/* 0 or ERR_IO. */
MUST_CHECK int eval_write_junit(const char *path, const struct eval_file *file,
    const struct eval_result *results, size_t count);

/* eval_data.c: prints what failed and, last, "NAME SCORE N". Exit status: 0, 1 when the data cannot
 * be read, EVAL_ABSENT. */
bool eval_is_data_set(const char *name);
int eval_data_set(const char *name, const char *data);

#endif
