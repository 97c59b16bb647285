#include "test.h"
#include "text/sse.h"
#include "text/tokens.h"

/* Each event is written as "[event|id|data]". */
static int note(const struct sse_event *event, void *ctx)
{
    struct buf *out = ctx;
    buf_printf(
        out, "[%.*s|%.*s|%.*s]", STR_ARG(event->event), STR_ARG(event->id), STR_ARG(event->data));
    return 0;
}

/* The same bytes in pieces of step must give the same events. */
static struct str events_of(struct test *t, struct str bytes, size_t step)
{
    struct buf out = BUF_IN(t->arena);
    struct sse_parser parser;
    sse_parser_init(&parser, 1000);
    for (size_t pos = 0; pos < bytes.len; pos += step)
        EXPECT_OK(sse_parser_feed(
            &parser, str_slice(bytes, pos, MIN(pos + step, bytes.len)), note, &out));
    sse_parser_deinit(&parser);
    return buf_str(&out);
}

static void expect_events(struct test *t, struct str bytes, const char *want)
{
    for (size_t step = 1; step <= bytes.len + 1; step++)
        EXPECT_STR(events_of(t, bytes, step), want);
}

TEST(sse_examples_of_the_standard)
{
    expect_events(t, STR("data: YHOO\ndata: +2\ndata: 10\n\n"), "[||YHOO\n+2\n10]");
    expect_events(t,
        STR(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
            "data:  third event\n\n"),
        "[|1|first event][||second event][|| third event]");
    expect_events(t, STR("data\n\ndata\ndata\n\ndata:"), "[||][||\n]");
    expect_events(t, STR("data:test\n\ndata: test\n\n"), "[||test][||test]");
}

TEST(sse_line_ends_and_bom)
{
    expect_events(t,
        STR("\xEF\xBB\xBF"
            "data: a\r\n\r\ndata: b\r\rdata: c\n\n"),
        "[||a][||b][||c]");
    expect_events(t, STR("\r\n\r\ndata: a\r\ndata: b\r\n\r\n"), "[||a\nb]");
    /* Only one BOM, and only at the very start. */
    expect_events(t,
        STR("\xEF\xBB\xBF\xEF\xBB\xBF"
            "data: a\n\ndata: b\n\n"),
        "[||b]");
    expect_events(t,
        STR("data: a\n\n\xEF\xBB\xBF"
            "data: b\n\n"),
        "[||a]");
}

TEST(sse_fields)
{
    expect_events(t, STR("event: x\nretry: 10\nid: 7\ndata: {\"a\": 1}\n\ndata: y\n\n"),
        "[x|7|{\"a\": 1}][|7|y]");
    expect_events(t, STR("event: lost\n\ndata: kept\n\n"), "[||kept]");
    expect_events(t, STR("id: 1\nid: a\0b\nDATA: no\n data: no\ndata: yes\n\n"), "[|1|yes]");
    expect_events(t, STR("data: cut off"), "");
    expect_events(t, STR("data: cut off\n"), "");
    expect_events(t, STR(": OPENROUTER PROCESSING\n\ndata: [DONE]\n\n"), "[||[DONE]]");
}

static int stop(const struct sse_event *event, void *ctx)
{
    (*(int *)ctx)++;
    return str_is(event->data, "2") ? 42 : 0;
}

TEST(sse_stops_and_limits)
{
    struct sse_parser parser;
    int count = 0;
    sse_parser_init(&parser, 32);
    EXPECT_EQ(sse_parser_feed(&parser, STR("data: 1\n\ndata: 2\n\ndata: 3\n\n"), stop, &count), 42);
    EXPECT_EQ(count, 2);
    sse_parser_deinit(&parser);

    struct str long_line = STR("data: 0123456789012345678901234567890123456789012345678\n\n");
    struct str many_lines = STR("data: 0123456789\ndata: 0123456789\ndata: 0123456789\n\n");
    for (size_t step = 1; step < 60; step += 7) {
        struct str cases[] = {long_line, many_lines};
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            int rc = 0;
            sse_parser_init(&parser, 32);
            for (size_t pos = 0; pos < cases[i].len && rc == 0; pos += step)
                rc = sse_parser_feed(&parser, str_slice(cases[i], pos, pos + step), stop, &count);
            EXPECT_EQ(rc, ERR_TOO_LARGE);
            sse_parser_deinit(&parser);
        }
    }
}

TEST(tokens_are_estimated_from_above)
{
    EXPECT_EQ(tokens_estimate(STR("")), 0);
    EXPECT_EQ(tokens_estimate(STR("The quick brown fox jumps over the lazy dog.")), 12);
    EXPECT_EQ(tokens_estimate(STR("\xE4\xBD\xA0\xE5\xA5\xBD")), 2);
    EXPECT(tokens_estimate(STR("{\"id\":12345}")) >= 6);
}
