/* theo schedule: the calendar from the command line. */
#include "host/caller.h"
#include "host/commands.h"
#include "http/url.h"

struct schedule_options {
    struct caller caller;
    const char *summary, *when, *start, *end, *minutes, *description, *location, *from, *to;
    struct cli_list attendees;
    bool json, ics;
};

static void member(struct json_writer *w, const char *name, const char *value)
{
    if (value)
        json_cstr_member(w, name, value);
}

static struct str book_body(
    const struct schedule_options *options, const struct boot *boot, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    member(&w, "summary", options->summary);
    member(&w, "when", options->when);
    member(&w, "start", options->start);
    member(&w, "end", options->end);
    if (options->minutes)
        json_raw_member(&w, "duration_minutes", str_from(options->minutes));
    member(&w, "description", options->description);
    member(&w, "location", options->location);
    member(&w, "time_zone", boot->config.time_zone);
    json_name(&w, "attendees");
    json_array_begin(&w);
    for (size_t i = 0; i < options->attendees.count; i++)
        json_put_cstr(&w, options->attendees.items[i]);
    json_array_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

static struct str list_query(const struct schedule_options *options, struct arena *arena)
{
    struct buf out = BUF_IN(arena);

    buf_add_cstr(&out, "limit=1000");
    if (options->from) {
        buf_add_cstr(&out, "&from=");
        url_encode(&out, str_from(options->from));
    }
    if (options->to) {
        buf_add_cstr(&out, "&to=");
        url_encode(&out, str_from(options->to));
    }
    if (options->ics)
        buf_add_cstr(&out, "&format=ics");
    return buf_str(&out);
}

static int call(struct schedule_options *options, const char *verb, const char *id,
    struct arena *arena, struct api_answer *ret_answer)
{
    const struct caller *caller = &options->caller;
    struct str one = str_printf(arena, "/api/schedule/%s", id ? id : "");

    if (strcmp(verb, "book") == 0)
        return caller_call_now(caller, HTTP_POST, STR("/api/schedule"), STR(""),
            book_body(options, caller->boot, arena), arena, ret_answer);
    if (strcmp(verb, "list") == 0)
        return caller_call_now(caller, HTTP_GET, STR("/api/schedule"), list_query(options, arena),
            STR(""), arena, ret_answer);
    if (strcmp(verb, "show") == 0)
        return caller_call_now(caller, HTTP_GET, one, options->ics ? STR("format=ics") : STR(""),
            STR(""), arena, ret_answer);
    return caller_call_now(caller, HTTP_DELETE, one, STR(""), STR(""), arena, ret_answer);
}

static void print_event(const struct json *event)
{
    struct cli_style style = cli_style(1);
    struct str status = json_get_str(event, "status");

    printf("%s%-27.*s%s %-20.*s %s%.*s%s  %s%.*s%s", style.bold,
        STR_ARG(json_get_str(event, "start")), style.plain,
        STR_ARG(json_get_str(event, "time_zone")), style.dim, STR_ARG(json_get_str(event, "id")),
        style.plain, style.bold, STR_ARG(json_get_str(event, "summary")), style.plain);
    if (!str_is(status, "confirmed"))
        printf(" %s(%.*s)%s", style.yellow, STR_ARG(status), style.plain);
    printf("\n");
}

static int print_answer(
    const struct schedule_options *options, const struct api_answer *answer, struct arena *arena)
{
    const struct json *json, *events;
    int rc = caller_status(answer, arena);

    if (rc != 0)
        return rc;
    if (options->json || options->ics) {
        printf("%.*s%s", STR_ARG(answer->body), options->ics ? "" : "\n");
        return 0;
    }
    rc = json_parse(arena, answer->body, &json);
    if (rc < 0)
        return cli_fail(ERR_PROTOCOL);
    events = json_get(json, "events");
    if (!events)
        print_event(json);
    else if (json_len(events) == 0)
        printf("There are no events.\n");
    for (const struct json *event = json_first(events); event; event = json_next(event))
        print_event(event);
    return 0;
}

static int check_usage(const struct schedule_options *options, int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    bool one = strcmp(verb, "show") == 0 || strcmp(verb, "cancel") == 0;
    int64_t minutes;

    if (argc < 2)
        return cli_wrong("say theo schedule book | list | show ID | cancel ID");
    if (!one && strcmp(verb, "book") != 0 && strcmp(verb, "list") != 0)
        return cli_wrong("say schedule book, list, show ID or cancel ID, not \"%.40s\"", verb);
    if (strcmp(verb, "book") == 0 && (!options->summary || (!options->when && !options->start)))
        return cli_wrong("schedule book needs --summary TEXT and --when \"next Tue 3pm\" or "
                         "--start TIME");
    if (one && argc < 3)
        return cli_wrong(
            "schedule %s needs the id of an event; `theo schedule list` shows them", verb);
    if (argc > (one ? 3 : 2))
        return cli_wrong("there is a word too many: \"%.60s\"", argv[argc - 1]);
    if (options->minutes && !str_to_i64(str_from(options->minutes), &minutes))
        return cli_wrong(
            "--duration-minutes must be a whole number, not \"%.40s\"", options->minutes);
    return 0;
}

int schedule_command(int argc, char **argv)
{
    struct schedule_options options = {0};
    const struct cli_option list[] = {
        {"summary", CLI_STR, &options.summary, "TEXT", "What it is about."},
        {"when", CLI_STR, &options.when, "PHRASE", "Start in words."},
        {"start", CLI_STR, &options.start, "TIME", "Start."},
        {"end", CLI_STR, &options.end, "TIME", "End."},
        {"duration-minutes", CLI_STR, &options.minutes, "N", "Length."},
        {"attendee", CLI_LIST, &options.attendees, "WHO", "Address or name; may be repeated."},
        {"description", CLI_STR, &options.description, "TEXT", "More about it."},
        {"location", CLI_STR, &options.location, "TEXT", "Where."},
        {"from", CLI_STR, &options.from, "TIME", "List what ends after this."},
        {"to", CLI_STR, &options.to, "TIME", "List what starts before this."},
        {"ics", CLI_FLAG, &options.ics, NULL, "Print iCalendar."},
        {"json", CLI_FLAG, &options.json, NULL, "Print JSON."},
        CALLER_OPTIONS(options.caller),
    };
    struct api_answer answer;
    struct boot boot;
    struct arena arena;
    int rc = boot_config(&boot, list, ARRAY_LEN(list), true, &argc, argv), status;

    if (rc < 0)
        return cli_fail(rc);
    status = check_usage(&options, argc, argv);
    if (status != 0) {
        boot_close(&boot);
        return status;
    }
    arena_init(&arena);
    rc = caller_open(&options.caller, &boot, strcmp(argv[1], "book") != 0);
    if (rc == 0)
        rc = call(&options, argv[1], argv[2], &arena, &answer);
    status = rc < 0 ? cli_fail(rc) : print_answer(&options, &answer, &arena);
    boot_close(&boot);
    arena_deinit(&arena);
    return status;
}
