/* Outcomes as a table for people, JSON, and JUnit's XML, which every CI reads. */
#include "host/eval_private.h"

#include <errno.h>

struct sums {
    size_t passed, failed, skipped; /* cases, cases, checks */
};

static struct sums sum(const struct eval_result *results, size_t count)
{
    struct sums sums = {0};

    for (size_t i = 0; i < count; i++) {
        sums.passed += results[i].passed;
        sums.failed += !results[i].passed;
        for (size_t k = 0; k < results[i].check_count; k++)
            sums.skipped += results[i].checks[k].outcome == EVAL_SKIPPED;
    }
    return sums;
}

static void print_line(const char *mark, const struct eval_check *check, const char *plain)
{
    printf("      %s%s%s: ", mark, check->name, plain);
    for (size_t i = 0; i < check->message.len; i++)
        putchar(check->message.ptr[i] == '\n' ? ' ' : check->message.ptr[i]);
    putchar('\n');
}

/* Columns count characters, not bytes. */
static void print_name(struct str name, size_t width)
{
    size_t shown = 0;

    for (size_t pos = 0; pos < name.len; shown++)
        (void)utf8_next(name, &pos);
    printf("%.*s%*s", STR_ARG(name), shown < width ? (int)(width - shown) : 0, "");
}

void eval_print(const struct eval_result *result, size_t width)
{
    struct cli_style style = cli_style(1);

    printf("  %s%s%s ", result->passed ? style.green : style.red, result->passed ? "✓" : "✗",
        style.plain);
    print_name(result->what->name, width);
    printf(" %s%-7s %zu checks %6lld ms%s\n", style.dim, result->run.spoke ? "speaks" : "silent",
        result->check_count, (long long)result->took_ms, style.plain);
    for (size_t k = 0; k < result->check_count; k++)
        if (result->checks[k].outcome == EVAL_FAILED)
            print_line(style.red, &result->checks[k], style.plain);
        else if (result->checks[k].outcome == EVAL_SKIPPED)
            print_line(style.yellow, &result->checks[k], style.plain);
    fflush(stdout);
}

void eval_print_sums(const struct eval_result *results, size_t count)
{
    struct cli_style style = cli_style(1);
    struct sums sums = sum(results, count);

    printf("%s%zu passed%s, %s%zu failed%s", style.green, sums.passed, style.plain,
        sums.failed ? style.red : "", sums.failed, sums.failed ? style.plain : "");
    if (sums.skipped > 0)
        printf(", %s%zu %s skipped%s", style.yellow, sums.skipped,
            sums.skipped == 1 ? "check" : "checks", style.plain);
    putchar('\n');
}

static const char *outcome_name(enum eval_outcome outcome)
{
    static const char *const names[] = {"passed", "failed", "skipped"};

    return names[outcome];
}

static void write_calls(struct json_writer *w, const struct eval_result *result)
{
    json_name(w, "tools");
    json_array_begin(w);
    for (size_t i = 0; i < result->call_count; i++) {
        json_object_begin(w);
        json_str_member(w, "name", result->calls[i].tool);
        json_raw_member(w, "arguments", result->calls[i].arguments);
        json_str_member(w, "status", result->calls[i].status);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_case(struct json_writer *w, const struct eval_result *result)
{
    json_object_begin(w);
    json_str_member(w, "name", result->what->name);
    json_i64_member(w, "line", result->what->line);
    json_bool_member(w, "passed", result->passed);
    json_i64_member(w, "ms", result->took_ms);
    json_bool_member(w, "spoke", result->run.spoke);
    json_str_member(w, "reply", result->run.spoke ? result->run.reply : STR(""));
    json_str_member(w, "model", result->run.model);
    write_calls(w, result);
    json_name(w, "checks");
    json_array_begin(w);
    for (size_t i = 0; i < result->check_count; i++) {
        json_object_begin(w);
        json_cstr_member(w, "check", result->checks[i].name);
        json_cstr_member(w, "outcome", outcome_name(result->checks[i].outcome));
        json_str_member(w, "message", result->checks[i].message);
        json_object_end(w);
    }
    json_array_end(w);
    json_object_end(w);
}

void eval_write_json(const struct eval_result *results, size_t count, struct buf *out)
{
    struct sums sums = sum(results, count);
    struct json_writer w;

    json_init(&w, out);
    json_object_begin(&w);
    json_i64_member(&w, "passed", (int64_t)sums.passed);
    json_i64_member(&w, "failed", (int64_t)sums.failed);
    json_i64_member(&w, "skipped_checks", (int64_t)sums.skipped);
    json_name(&w, "cases");
    json_array_begin(&w);
    for (size_t i = 0; i < count; i++)
        write_case(&w, &results[i]);
    json_array_end(&w);
    json_object_end(&w);
    buf_add_char(out, '\n');
}

/* What XML 1.0 cannot hold becomes U+FFFD. */
static void put_xml(struct buf *out, struct str text)
{
    for (size_t pos = 0; pos < text.len;) {
        uint32_t c = utf8_next(text, &pos);
        char bytes[4];

        if (c == '&')
            buf_add_cstr(out, "&amp;");
        else if (c == '<')
            buf_add_cstr(out, "&lt;");
        else if (c == '>')
            buf_add_cstr(out, "&gt;");
        else if (c == '"')
            buf_add_cstr(out, "&quot;");
        else if (c == '\n' || c == '\r' || c == '\t')
            buf_printf(out, "&#%u;", c);
        else if (c < 0x20 || c == 0xFFFE || c == 0xFFFF)
            buf_add_cstr(out, "\xEF\xBF\xBD");
        else
            buf_add(out, bytes, utf8_encode(c, bytes));
    }
}

static void put_failures(struct buf *out, const struct eval_result *result)
{
    for (size_t i = 0; i < result->check_count; i++) {
        const struct eval_check *check = &result->checks[i];

        if (check->outcome != EVAL_FAILED)
            continue;
        buf_printf(out, "      <failure type=\"%s\" message=\"", check->name);
        put_xml(out, check->message);
        buf_add_cstr(out, "\"/>\n");
    }
}

static void put_case(
    struct buf *out, const struct eval_file *file, const struct eval_result *result)
{
    buf_add_cstr(out, "    <testcase classname=\"");
    put_xml(out, str_from(file->path));
    buf_add_cstr(out, "\" name=\"");
    put_xml(out, result->what->name);
    buf_printf(out, "\" file=\"");
    put_xml(out, str_from(file->path));
    buf_printf(out, "\" line=\"%lld\" time=\"%.3f\">\n", (long long)result->what->line,
        (double)result->took_ms / 1000);
    put_failures(out, result);
    buf_add_cstr(out, "      <system-out>");
    put_xml(out, result->run.spoke ? result->run.reply : result->run.reason);
    buf_add_cstr(out, "</system-out>\n    </testcase>\n");
}

/* A check that was skipped is a test case of its own: it neither passed nor failed. */
static void put_skipped(
    struct buf *out, const struct eval_file *file, const struct eval_result *result)
{
    for (size_t i = 0; i < result->check_count; i++) {
        const struct eval_check *check = &result->checks[i];

        if (check->outcome != EVAL_SKIPPED)
            continue;
        buf_add_cstr(out, "    <testcase classname=\"");
        put_xml(out, str_from(file->path));
        buf_add_cstr(out, "\" name=\"");
        put_xml(out, result->what->name);
        buf_printf(out, ": %s\" time=\"0\"><skipped message=\"", check->name);
        put_xml(out, check->message);
        buf_add_cstr(out, "\"/></testcase>\n");
    }
}

static int write_file(const char *path, struct str text)
{
    FILE *file = fopen(path, "wb");
    bool done;

    if (!file)
        return err_set(ERR_IO, "%s cannot be written: %s", path, strerror(errno));
    done = fwrite(text.ptr, 1, text.len, file) == text.len;
    done = fclose(file) == 0 && done;
    return done ? 0 : err_set(ERR_IO, "%s cannot be written: %s", path, strerror(errno));
}

int eval_write_junit(
    const char *path, const struct eval_file *file, const struct eval_result *results, size_t count)
{
    struct sums sums = sum(results, count);
    struct buf out = BUF_HEAP;
    int64_t ms = 0;
    int rc;

    for (size_t i = 0; i < count; i++)
        ms += results[i].took_ms;
    buf_add_cstr(
        &out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"");
    put_xml(&out, str_from(file->path));
    buf_printf(&out,
        "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\" time=\"%.3f\">\n",
        count + sums.skipped, sums.failed, sums.skipped, (double)ms / 1000);
    for (size_t i = 0; i < count; i++) {
        put_case(&out, file, &results[i]);
        put_skipped(&out, file, &results[i]);
    }
    buf_add_cstr(&out, "  </testsuite>\n</testsuites>\n");
    rc = write_file(path, buf_str(&out));
    buf_deinit(&out);
    return rc;
}
