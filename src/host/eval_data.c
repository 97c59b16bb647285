/* The labelled data sets of script/eval: this program's own code measured on them. */
#include "base/env.h"
#include "host/cli.h"
#include "host/eval_private.h"
#include "text/address.h"
#include "text/when.h"

#define EVAL_ABSENT 77
#define FAILURES_SHOWN 20
#define PHRASES_MAX 32
#define WIDTH 100 /* bytes of a text in the table */

/* What one case gave, as text: equal means right. */
struct outcome {
    struct str id, want, got, text;
};

struct evaluation {
    const char *name;
    const char *file; /* JSON lines, below the data folder */
    int (*judge)(const struct json *item, struct arena *arena, struct outcome *ret_outcome);
};

static int judge_addressed(const struct json *item, struct arena *arena, struct outcome *ret)
{
    struct transcript chat;
    int rc = transcript_parse(arena, json_get_str(item, "chat_context"), &chat);

    if (rc < 0)
        return rc;
    struct address_verdict verdict = address_judge(&chat, STR("Theo"), NULL, 0);
    const struct chat_message *last = &chat.messages[chat.count - 1];
    ret->id = json_get_str(item, "id");
    ret->want = json_get_bool(item, "addressed", false) ? STR("addressed") : STR("not");
    ret->got = verdict.addressed ? STR("addressed") : STR("not");
    ret->text = str_printf(arena, "%.*s: %.*s (%s, %.2f)", STR_ARG(last->party),
        STR_ARG(last->text), verdict.reason, verdict.score);
    return 0;
}

/* "2016-11-07T00:00:00", UTC. */
static int read_reference(const struct json *item, struct arena *arena, int64_t *ret_ms)
{
    struct str text = json_get_str(item, "reference");

    if (!rfc3339_parse(str_printf(arena, "%.*sZ", STR_ARG(text)), ret_ms, NULL))
        return err_set(ERR_INVALID, "a case has no reference time; is this the right file?");
    return 0;
}

static struct str day_text(struct arena *arena, int64_t ms)
{
    struct civil c = civil_from_s(ms / SECOND_MS);
    return str_printf(arena, "%04d-%02d-%02d", c.year, c.month, c.day);
}

static struct str clock_text(struct arena *arena, int64_t ms, bool seconds)
{
    struct civil c = civil_from_s(ms / SECOND_MS);

    if (!seconds)
        return str_printf(arena, "%02d:%02d", c.hour, c.minute);
    return str_printf(arena, "%02d:%02d:%02d", c.hour, c.minute, c.second);
}

static struct str when_text(struct arena *arena, const struct when *when)
{
    if (when->kind == WHEN_DATE)
        return day_text(arena, when->start_ms);
    struct str clock = clock_text(arena, when->start_ms, true);
    if (when->kind == WHEN_TIME)
        return clock;
    return str_printf(arena, "%.*s %.*s", STR_ARG(day_text(arena, when->start_ms)), STR_ARG(clock));
}

static int judge_when(const struct json *item, struct arena *arena, struct outcome *ret)
{
    struct str text = json_get_str(item, "text");
    struct when found[PHRASES_MAX], one;
    int64_t reference = 0;
    const struct when *first = NULL;
    int rc = read_reference(item, arena, &reference);

    if (rc < 0)
        return rc;
    size_t count = when_find(text, reference, zone_utc(), found, ARRAY_LEN(found));
    for (size_t i = 0; i < count && first == NULL; i++)
        first = found[i].kind == WHEN_DURATION ? NULL : &found[i];
    if (first != NULL && when_resolve(text, reference, zone_utc(), &one) == 0)
        first = &one;
    const struct json *expect = json_get(item, "expect");
    ret->id = json_get_str(item, "kind");
    ret->want = json_is(expect, JSON_STRING) ? json_str(expect) : STR("none");
    ret->got = first == NULL ? STR("none") : when_text(arena, first);
    ret->text = text;
    return 0;
}

/* The day and the time of day that the dialogue ends with: each word on them replaces the former.
 */
static void last_agreed(const struct transcript *chat, int64_t reference, struct arena *arena,
    struct str *date, struct str *time)
{
    struct when found[PHRASES_MAX];

    for (size_t m = 0; m < chat->count; m++) {
        size_t count =
            when_find(chat->messages[m].text, reference, zone_utc(), found, ARRAY_LEN(found));
        for (size_t i = 0; i < count; i++) {
            enum when_kind kind = found[i].kind;
            if (found[i].past || kind == WHEN_DURATION)
                continue;
            if (kind != WHEN_TIME)
                *date = day_text(arena, found[i].start_ms);
            if (kind != WHEN_DATE)
                *time = clock_text(arena, found[i].start_ms, false);
        }
    }
}

static int judge_schedule(const struct json *item, struct arena *arena, struct outcome *ret)
{
    struct transcript chat;
    struct str date = STR("none"), time = STR("none");
    const struct json *expect = json_get(item, "expect");
    int64_t reference = 0;
    int rc = read_reference(item, arena, &reference);

    if (rc == 0)
        rc = transcript_parse(arena, json_get_str(item, "chat_context"), &chat);
    if (rc < 0)
        return rc;
    last_agreed(&chat, reference, arena, &date, &time);
    const struct json *want_time = json_get(expect, "time");
    bool timed = json_is(want_time, JSON_STRING);
    ret->id = json_get_str(item, "id");
    ret->want = str_printf(
        arena, "%.*s %.*s", STR_ARG(json_get_str(expect, "date")), STR_ARG(json_str(want_time)));
    ret->got = str_printf(arena, "%.*s %.*s", STR_ARG(date), STR_ARG(timed ? time : STR("")));
    ret->text = chat.messages[chat.count - 1].text;
    return 0;
}

static const struct evaluation evaluations[] = {
    {"addressed", "addressed/irc.jsonl", judge_addressed},
    {"when", "when/english.jsonl", judge_when},
    {"schedule", "schedule/dialogues.jsonl", judge_schedule},
};

static const struct evaluation *find_evaluation(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(evaluations); i++) {
        if (strcmp(evaluations[i].name, name) == 0)
            return &evaluations[i];
    }
    return NULL;
}

/* One line of the table: no line breaks, not too wide. */
static void print_failure(const struct outcome *outcome)
{
    struct str text = utf8_truncate(outcome->text, WIDTH);

    printf("  %-28.*s want %-20.*s got %-20.*s ", STR_ARG(outcome->id), STR_ARG(outcome->want),
        STR_ARG(outcome->got));
    for (size_t i = 0; i < text.len; i++)
        putchar(text.ptr[i] == '\n' ? ' ' : text.ptr[i]);
    putchar('\n');
}

static int run_cases(const struct evaluation *evaluation, struct str lines)
{
    struct arena arena;
    struct str line;
    size_t right = 0, total = 0;
    int rc = 0;

    arena_init(&arena);
    while (rc == 0 && str_next(&lines, '\n', &line)) {
        const struct json *item;
        struct outcome outcome = {0};
        if (str_trim(line).len == 0)
            continue;
        rc = json_parse(&arena, line, &item);
        if (rc == 0)
            rc = evaluation->judge(item, &arena, &outcome);
        if (rc < 0)
            break;
        total++;
        if (str_eq(str_trim(outcome.want), str_trim(outcome.got)))
            right++;
        else if (total - right <= FAILURES_SHOWN)
            print_failure(&outcome);
        arena_reset(&arena);
    }
    arena_deinit(&arena);
    if (rc < 0)
        return err_wrap("%s, case %zu", evaluation->file, total + 1);
    if (total == 0)
        return err_set(ERR_INVALID, "%s holds no case", evaluation->file);
    if (total - right > FAILURES_SHOWN)
        printf("  … and %zu more\n", total - right - FAILURES_SHOWN);
    printf("%s %.4f %zu\n", evaluation->name, (double)right / (double)total, total);
    return 0;
}

bool eval_is_data_set(const char *name)
{
    return find_evaluation(name) != NULL;
}

int eval_data_set(const char *name, const char *data)
{
    const struct evaluation *evaluation = find_evaluation(name);
    struct buf lines = BUF_HEAP;
    char path[4096];
    int rc;

    snprintf(path, sizeof(path), "%s/%s", data == NULL ? "../shared/data" : data, evaluation->file);
    rc = eval_read_file(path, &lines);
    if (rc == ERR_NOT_FOUND) {
        fprintf(stderr, "theo: no data at %s; set THEO_DATA to its folder\n", path);
        return EVAL_ABSENT;
    }
    if (rc == 0)
        rc = run_cases(evaluation, buf_str(&lines));
    buf_deinit(&lines);
    return rc < 0 ? cli_fail(rc) : 0;
}
