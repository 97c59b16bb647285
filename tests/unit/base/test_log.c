#include "base/json.h"
#include "base/log.h"
#include "test.h"

#include <unistd.h>

/* Lines go through a pipe. */
struct capture {
    int ends[2];
    char text[4096];
};

static bool capture_begin(struct capture *c, enum log_format format,
    struct str (*redact)(struct arena *arena, struct str text))
{
    if (pipe(c->ends) != 0)
        return false;
    log_setup(format, c->ends[1], redact);
    return true;
}

static struct str capture_end(struct capture *c)
{
    ssize_t got;

    close(c->ends[1]);
    got = read(c->ends[0], c->text, sizeof(c->text));
    close(c->ends[0]);
    log_setup(LOG_AUTO, STDERR_FILENO, NULL);
    log_level_set(LOG_INFO);
    return (struct str){c->text, got > 0 ? (size_t)got : 0};
}

TEST(log_json_lines)
{
    struct log_context context = {"req-1", "run-2"};
    struct capture c;
    const struct json *line;
    int64_t at;

    REQUIRE(capture_begin(&c, LOG_JSON, NULL));
    log_context_swap(&context);
    log_info(
        "store.opened", LOG_CSTR("path", "a\"b\n"), LOG_I64("rows", -5), LOG_BOOL("new", true));
    log_context_swap(NULL);

    struct str text = capture_end(&c);

    EXPECT(str_ends(text, STR("}\n")));
    EXPECT_EQ(str_find_char(text, '\n', 0), (ptrdiff_t)text.len - 1);
    REQUIRE_OK(json_parse(t->arena, text, &line));
    EXPECT(rfc3339_parse(json_get_str(line, "time"), &at, NULL));
    EXPECT_STR(json_get_str(line, "level"), "info");
    EXPECT_STR(json_get_str(line, "event"), "store.opened");
    EXPECT_STR(json_get_str(line, "path"), "a\"b\n");
    EXPECT_EQ(json_get_i64(line, "rows", 0), -5);
    EXPECT(json_get_bool(line, "new", false));
    EXPECT_STR(json_get_str(line, "request_id"), "req-1");
    EXPECT_STR(json_get_str(line, "run_id"), "run-2");
}

TEST(log_levels_hide)
{
    struct capture c;

    REQUIRE(capture_begin(&c, LOG_JSON, NULL));
    log_level_set(LOG_WARN);
    log_info("hidden");
    log_error("shown");
    log_level_set(LOG_OFF);
    log_error("hidden");

    struct str text = capture_end(&c);

    EXPECT(str_find(text, STR("shown"), 0) > 0);
    EXPECT_EQ(str_find(text, STR("hidden"), 0), -1);
}

static struct str hide_all(struct arena *arena, struct str text)
{
    return str_printf(arena, "<%zu>", text.len);
}

TEST(log_redacts_every_text)
{
    struct capture c;

    REQUIRE(capture_begin(&c, LOG_JSON, hide_all));
    log_info("x", LOG_CSTR("a", "secret"));
    EXPECT(str_find(capture_end(&c), STR("\"a\":\"<6>\""), 0) > 0);
    REQUIRE(capture_begin(&c, LOG_HUMAN, hide_all));
    log_info("x", LOG_CSTR("a", "secret"));
    EXPECT(str_find(capture_end(&c), STR("a=<6>"), 0) > 0);
}

TEST(log_human_lines_cannot_be_broken)
{
    struct capture c;

    REQUIRE(capture_begin(&c, LOG_HUMAN, NULL));
    log_warn("x.y", LOG_CSTR("a", "plain"), LOG_CSTR("b", "two\nlines \x1b[31m"), LOG_I64("n", 3),
        LOG_BOOL("t", false), LOG_CSTR("e", ""));

    struct str text = capture_end(&c);

    EXPECT(str_ends(
        text, STR(" WARN  x.y a=plain b=\"two\\nlines \\u001b[31m\" n=3 t=false e=\"\"\n")));
}

TEST(log_error_macro)
{
    struct capture c;

    REQUIRE(capture_begin(&c, LOG_JSON, NULL));
    (void)err_set(ERR_IO, "the disk is gone");
    log_error("store.failed", LOG_ERR);

    struct str text = capture_end(&c);

    EXPECT(str_find(text, STR("\"error\":\"the disk is gone\""), 0) > 0);
    EXPECT(str_find(text, STR("test_log.c"), 0) > 0);
}

TEST(log_level_names)
{
    enum log_level level = LOG_OFF;

    EXPECT(log_level_parse(STR("debug"), &level) && level == LOG_DEBUG);
    EXPECT(log_level_parse(STR("off"), &level) && level == LOG_OFF);
    EXPECT(!log_level_parse(STR("verbose"), &level));
}
