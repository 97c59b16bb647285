/* theo eval: cases of a file, or the labelled data sets of script/eval. */
#include "host/commands.h"
#include "host/eval_private.h"

#include <errno.h>
#include <unistd.h>

struct evaluation {
    struct eval_file file;
    struct eval_result *results;
    struct model *judge; /* NULL: none is configured */
    struct arena arena;
    const char *junit, *only;
    bool json;
};

/* The whole file, or 0 = done, ERR_NOT_FOUND, ERR_IO. */
int eval_read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    size_t got;

    if (file == NULL)
        return err_set(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
    do {
        got = fread(buf_reserve(out, 64 * KIB), 1, 64 * KIB, file);
        out->len += got;
    } while (got > 0);
    bool broken = ferror(file) != 0;
    fclose(file);
    return broken ? err_set(ERR_IO, "%s cannot be read", path) : 0;
}

/* What runs here must not leave traces, nor act outside: a folder that goes away again, a store in
 * memory, and the calendar of that store. */
static int set_up(struct boot *boot, const char *folder)
{
    static const char *const own[][2] = {
        {"store", "memory"}, {"calendar", "local"}, {"redis.url", ""}};
    int rc = config_set(&boot->config, "data-dir", str_from(folder), ORIGIN_FLAG, "theo eval");

    for (size_t i = 0; i < ARRAY_LEN(own) && rc == 0; i++)
        rc = config_set(&boot->config, own[i][0], str_from(own[i][1]), ORIGIN_FLAG, "theo eval");
    return rc < 0 ? rc : boot_open(boot);
}

static size_t width_of(const struct eval_file *file)
{
    size_t width = 20;

    for (size_t i = 0; i < file->count; i++)
        width = MAX(width, MIN(file->cases[i].name.len, (size_t)60));
    return width;
}

static int run_all(struct boot *boot, void *arg)
{
    struct evaluation *evaluation = arg;
    size_t width = width_of(&evaluation->file);
    int rc = 0;

    for (size_t i = 0; i < evaluation->file.count && rc == 0; i++) {
        struct eval_result *result = &evaluation->results[i];

        rc = eval_run(
            boot, &evaluation->file.cases[i], evaluation->judge, &evaluation->arena, result);
        if (rc == 0 && !evaluation->json)
            eval_print(result, width);
    }
    return rc;
}

static int open_judge(struct boot *boot, struct model **ret_judge)
{
    struct str spec = str_trim(str_from(boot->config.eval_judge_model));

    if (str_empty(spec))
        return 0;
    if (model_open(&boot->config, boot->env, spec, ret_judge) < 0)
        return err_wrap("eval.judge-model");
    return 0;
}

static int report(const struct evaluation *evaluation)
{
    const struct eval_file *file = &evaluation->file;
    struct buf out = BUF_HEAP;
    bool passed = true;

    for (size_t i = 0; i < file->count; i++)
        passed = passed && evaluation->results[i].passed;
    if (evaluation->json) {
        eval_write_json(evaluation->results, file->count, &out);
        fwrite(out.ptr, 1, out.len, stdout);
        buf_deinit(&out);
    } else {
        eval_print_sums(evaluation->results, file->count);
    }
    if (evaluation->junit &&
        eval_write_junit(evaluation->junit, file, evaluation->results, file->count) < 0)
        return cli_fail(ERR_IO);
    return passed ? 0 : 1;
}

static int run_file(struct boot *boot, struct evaluation *evaluation)
{
    const char *tmp = getenv("TMPDIR");
    char folder[4096];
    int rc;

    snprintf(folder, sizeof(folder), "%s/theo-eval-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return cli_fail(
            err_set(ERR_IO, "no folder can be made in %s: %s", folder, strerror(errno)));
    rc = set_up(boot, folder);
    if (rc == 0)
        rc = open_judge(boot, &evaluation->judge);
    if (rc == 0)
        rc = boot_on_fiber(boot, run_all, evaluation);
    model_free(evaluation->judge);
    (void)rmdir(folder); /* what is in it is worth a look */
    return rc < 0 ? cli_fail(rc) : report(evaluation);
}

/* Of several cases those whose name holds the word. */
static int choose(struct eval_file *file, const char *only)
{
    size_t count = 0;

    for (size_t i = 0; only && i < file->count; i++)
        if (str_find_nocase(file->cases[i].name, str_from(only), 0) >= 0)
            file->cases[count++] = file->cases[i];
    if (only && count == 0)
        return err_set(ERR_INVALID, "no case of %s has \"%.60s\" in its name", file->path, only);
    file->count = only ? count : file->count;
    return 0;
}

static int eval_cases(struct boot *boot, struct evaluation *evaluation, const char *path)
{
    struct buf text = BUF_HEAP;
    int status, rc = eval_read_file(path, &text);

    arena_init(&evaluation->arena);
    if (rc == ERR_NOT_FOUND || rc == ERR_IO)
        rc = err_set(ERR_INVALID, "%s cannot be read; name a file of cases", path);
    if (rc == 0)
        rc = eval_read(path, buf_str(&text), &evaluation->arena, &evaluation->file);
    if (rc == 0)
        rc = choose(&evaluation->file, evaluation->only);
    if (rc == 0)
        evaluation->results =
            arena_array(&evaluation->arena, struct eval_result, evaluation->file.count);
    status = rc < 0 ? cli_fail(rc) : run_file(boot, evaluation);
    arena_deinit(&evaluation->arena);
    buf_deinit(&text);
    return status;
}

int eval_command(int argc, char **argv)
{
    struct evaluation evaluation = {0};
    const char *data = NULL;
    const struct cli_option options[] = {
        {"data", CLI_STR, &data, "DIR", "Folder of the labelled data (THEO_DATA)."},
        {"junit", CLI_STR, &evaluation.junit, "FILE",
            "Also write JUnit XML, which CI servers read."},
        {"only", CLI_STR, &evaluation.only, "WORD", "Only cases that have WORD in their name."},
        {"json", CLI_FLAG, &evaluation.json, NULL, "Print JSON."},
    };
    struct boot boot;
    int status, rc = boot_config(&boot, options, ARRAY_LEN(options), true, &argc, argv);

    if (rc < 0)
        return cli_fail(rc);
    if (argc != 2)
        status = cli_wrong("say which file of cases: theo eval FILE");
    else if (eval_is_data_set(argv[1]) && (data || access(argv[1], F_OK) != 0))
        status = eval_data_set(argv[1], data ? data : getenv("THEO_DATA"));
    else if (data)
        status = cli_wrong(
            "there is no data set \"%.60s\"; there are addressed, when and schedule", argv[1]);
    else
        status = eval_cases(&boot, &evaluation, argv[1]);
    boot_close(&boot);
    return status;
}
