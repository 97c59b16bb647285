#include "base/json.h"
#include "model/builtin.h"
#include "test.h"

extern const struct model_ops model_builtin;

#define MONDAY "2026-03-02T09:00:00Z"
#define DASH "\xe2\x80\x93"
#define TIMES "\xc3\x97"

static const struct model_tool tools[] = {
    {.name = {"schedule", 8}}, {.name = {"summarise", 9}}, {.name = {"recall", 6}}};

struct answer {
    struct model_reply reply;
    enum model_error error;
    int rc;
};

/* lines: "Ana: text"; "Theo: " is the model's own; "tool NAME: JSON" a tool's result. */
static size_t read_chat(struct test *t, const char *lines, struct model_message *messages)
{
    struct str rest = str_from(lines), line;
    size_t count = 0;

    while (str_next(&rest, '\n', &line)) {
        ptrdiff_t colon = str_find(line, STR(": "), 0);
        struct str who = str_slice(line, 0, (size_t)colon);
        struct model_message *m = &messages[count++];

        *m = (struct model_message){.role = MODEL_USER,
            .author = str_dup(t->arena, who),
            .content = str_slice(line, (size_t)colon + 2, line.len)};
        if (str_is(who, "Theo")) {
            m->role = MODEL_ASSISTANT;
        } else if (str_starts(who, STR("tool "))) {
            m->role = MODEL_TOOL;
            m->tool_name = str_slice(who, 5, who.len);
        }
    }
    return count;
}

static struct answer ask_with(struct test *t, struct model_request *request, const char *lines)
{
    struct model_message *messages = arena_array(t->arena, struct model_message, 100);
    struct answer a = {.error = MODEL_OK};

    request->messages = messages;
    request->message_count = read_chat(t, lines, messages);
    request->scene.agent_name = STR("Theo");
    request->scene.must_reply = true;
    if (!rfc3339_parse(STR(MONDAY), &request->scene.now_ms, NULL))
        a.rc = -1;
    if (str_empty(request->scene.time_zone))
        request->scene.time_zone = STR("UTC");
    if (a.rc == 0)
        a.rc = model_builtin.chat(NULL, request, t->arena, &a.reply, &a.error);
    return a;
}

static struct answer ask(struct test *t, const char *lines)
{
    struct model_request request = {.tools = tools, .tool_count = ARRAY_LEN(tools)};

    return ask_with(t, &request, lines);
}

/* The arguments of the only tool call, "" when there is none or another. */
static struct str call_of(struct test *t, const char *lines, const char *tool)
{
    struct answer a = ask(t, lines);

    if (a.rc != 0 || a.reply.tool_call_count != 1 || !str_is(a.reply.tool_calls[0].name, tool)) {
        printf("#   answer: %.*s\n", STR_ARG(a.reply.content));
        return STR("");
    }
    return a.reply.tool_calls[0].arguments;
}

/* The answer without the closing note; "" unless the note is there. */
static struct str say(struct test *t, const char *lines)
{
    struct answer a = ask(t, lines);
    ptrdiff_t note = a.rc == 0 ? str_find(a.reply.content, STR("\n(built-in model)"), 0) : -1;

    return note < 0 ? STR("") : str_trim(str_slice(a.reply.content, 0, (size_t)note));
}

TEST(builtin_books_what_was_agreed)
{
    EXPECT_STR(call_of(t,
                   "Ana (Acme): Shall we do an intro? Tuesday at 3pm CET?\n"
                   "Ben (Globex): Works for me, 45 minutes please.\n"
                   "Ana (Acme): Theo, please book it.",
                   "schedule"),
        "{\"action\":\"book\",\"summary\":\"Acme " TIMES " Globex intro\","
        "\"start\":\"2026-03-03T14:00:00.000Z\",\"duration_minutes\":45,"
        "\"time_zone\":\"Europe/Berlin\",\"attendees\":[\"Ana\",\"Ben\"]}");
}

TEST(builtin_takes_corrections)
{
    struct str args = call_of(t,
        "Ana: Let's talk on Wednesday at 10.\n"
        "Ben: I can't do Wednesday, Thursday works.\n"
        "Ana: Fine, but at 11 then.\n"
        "Ben: Theo, schedule the call for an hour.",
        "schedule");
    const struct json *root;

    REQUIRE_OK(json_parse(t->arena, args, &root));
    EXPECT_STR(json_get_str(root, "start"), "2026-03-05T11:00:00.000Z");
    EXPECT_EQ(json_get_i64(root, "duration_minutes", 0), 60);
    EXPECT_STR(json_get_str(root, "summary"), "Call: Ana and Ben");
}

TEST(builtin_reads_zones_and_ranges)
{
    const struct json *root;

    REQUIRE_OK(json_parse(t->arena,
        call_of(t,
            "Ana: Friday 10-11am New York time?\n"
            "Ben: Yes\n"
            "Ana: Theo, book a demo with Cleo, invite cleo@globex.com",
            "schedule"),
        &root));
    EXPECT_STR(json_get_str(root, "start"), "2026-03-06T15:00:00.000Z");
    EXPECT_STR(json_get_str(root, "time_zone"), "America/New_York");
    EXPECT_EQ(json_get_i64(root, "duration_minutes", 0), 60);
    EXPECT_STR(json_text(t->arena, json_get(root, "attendees")),
        "[\"Ana\",\"Ben\",\"Cleo\",\"cleo@globex.com\"]");
}

TEST(builtin_invites_everybody_who_is_named)
{
    static const struct {
        const char *said, *attendees;
    } cases[] = {{"with Ben and Carla", "[\"Ana\",\"Ben\",\"Carla\"]"},
        {"w/ Ben", "[\"Ana\",\"Ben\"]"},
        {"with Ben, Carla Ruiz & Dirk", "[\"Ana\",\"Ben\",\"Carla Ruiz\",\"Dirk\"]"},
        {"with Ben, and I bring the deck", "[\"Ana\",\"Ben\"]"},
        {"with Ben and Monday's guests", "[\"Ana\",\"Ben\"]"}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str chat =
            str_printf(t->arena, "Ana: Theo, book a call tomorrow at 10:00 %s", cases[i].said);
        const struct json *root;

        REQUIRE_OK(json_parse(t->arena, call_of(t, chat.ptr, "schedule"), &root));
        EXPECT_STR(json_text(t->arena, json_get(root, "attendees")), cases[i].attendees);
    }
}

TEST(builtin_asks_one_precise_question)
{
    EXPECT_STR(say(t, "Ana: Theo, book a call with Ben"),
        "What day and time should I book, and for how long?");
    EXPECT_STR(say(t, "Ana: Theo, book a call with Ben on Friday"),
        "What time on Fri 6 Mar 2026 suits you?");
    EXPECT_STR(say(t, "Ana: Theo, book a call at 3pm"), "Which day should it be at 15:00 UTC?");
    EXPECT_STR(say(t, "Ana: Theo, book Tuesday or Wednesday at 3pm"),
        "Which time should I take? Two are named.");
    EXPECT_STR(say(t, "Ana: Theo, book 30 February at 10:00"),
        "That date or time does not exist. Which day and time is meant?");
}

TEST(builtin_goes_on_after_its_question)
{
    const struct json *root;

    REQUIRE_OK(json_parse(t->arena,
        call_of(t,
            "Ana: Theo, book a review with Ben on Friday\n"
            "Theo: What time on Fri 6 Mar 2026 suits you?\n"
            "Ana: at 4",
            "schedule"),
        &root));
    EXPECT_STR(json_get_str(root, "start"), "2026-03-06T16:00:00.000Z");
    EXPECT_STR(json_get_str(root, "summary"), "Review: Ana and Ben");
    EXPECT_EQ(json_get_i64(root, "duration_minutes", 0), 30);
}

TEST(builtin_moves_and_cancels)
{
    static const char *const booked =
        "Ana: Theo, book a call tomorrow at 3pm\n"
        "tool schedule: {\"status\":\"booked\",\"event\":{\"id\":\"EV1\",\"summary\":\"Call\"}}\n"
        "Theo: Booked: Call, Tue 3 Mar 2026, 15:00" DASH "15:45 UTC, with Ana.\n";

    EXPECT_STR(
        call_of(t,
            str_cstr(t->arena, str_printf(t->arena, "%sAna: Theo, move it to Friday", booked)),
            "schedule"),
        "{\"action\":\"move\",\"event_id\":\"EV1\",\"start\":\"2026-03-06T15:00:00.000Z\","
        "\"duration_minutes\":45,\"time_zone\":\"UTC\"}");
    EXPECT_STR(
        call_of(t,
            str_cstr(t->arena, str_printf(t->arena, "%sAna: Theo, cancel it please", booked)),
            "schedule"),
        "{\"action\":\"cancel\",\"event_id\":\"EV1\"}");
    EXPECT_STR(say(t, str_cstr(t->arena,
                          str_printf(t->arena, "%sAna: Theo, reschedule the call", booked))),
        "What day and time should I move it to, and for how long?");
    EXPECT_STR(call_of(t, "Ana: Theo, what's on my agenda?", "schedule"), "{\"action\":\"list\"}");
    EXPECT_STR(
        call_of(t, "Ana: Theo, what meetings are upcoming?", "schedule"), "{\"action\":\"list\"}");
}

TEST(builtin_answers_from_the_calendar)
{
    EXPECT_STR(say(t, "Ana: Theo, book it\n"
                      "tool schedule: {\"status\":\"booked\",\"event\":{\"id\":\"EV1\",\"summary\":"
                      "\"Acme " TIMES " Globex intro\",\"start\":\"2026-03-03T14:00:00Z\",\"end\":"
                      "\"2026-03-03T14:30:00Z\",\"time_zone\":\"Europe/Madrid\",\"attendees\":["
                      "{\"name\":\"Ana\"},{\"name\":\"Ben\"}]}}"),
        "Booked: Acme " TIMES " Globex intro, Tue 3 Mar 2026, 15:00" DASH
        "15:30 CET, with Ana and Ben.");
    EXPECT_STR(say(t, "Ana: Theo, cancel it\n"
                      "tool schedule: {\"status\":\"cancelled\",\"event\":{\"summary\":\"Call\","
                      "\"start\":\"2026-03-03T14:00:00Z\",\"end\":\"2026-03-03T14:30:00Z\","
                      "\"time_zone\":\"UTC\",\"attendees\":[\"Ana\"]}}"),
        "Cancelled: Call, Tue 3 Mar 2026, 14:00" DASH "14:30 UTC.");
    EXPECT_STR(say(t, "Ana: Theo, book it\n"
                      "tool schedule: {\"error\":\"the slot is taken\"}"),
        "That did not work: the slot is taken.");
}

TEST(builtin_sums_up)
{
    static const char *const items =
        "\ntool summarise: {\"items\":[{\"kind\":\"point\",\"party\":\"Ana\",\"text\":"
        "\"We sell ovens.\"},{\"kind\":\"decision\",\"party\":\"Ben\",\"text\":"
        "\"We take ten.\"},{\"kind\":\"question\",\"party\":\"Ben\",\"text\":\"Which colour?\"}]}";
    static const struct {
        const char *asked, *answer;
    } cases[] = {
        {"recap",
            "Agreed:\n- Ben: We take ten.\n\nStill open:\n- Ben: Which colour?\n\nSaid:\n- Ana: "
            "We sell ovens."},
        {"what did we agree?", "Agreed:\n- Ben: We take ten."},
        {"what are the next steps?",
            "Nobody has taken on anything in so many words yet.\nAgreed:\n- Ben: We take "
            "ten.\n\nStill open:\n- Ben: Which colour?\n\nSaid:\n- Ana: We sell ovens."},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str chat = str_printf(t->arena, "Ana: Theo, %s", cases[i].asked);

        EXPECT_STR(call_of(t, chat.ptr, "summarise"), "{\"focus\":\"all\"}");
        chat = str_printf(t->arena, "Ana: Theo, %s%s", cases[i].asked, items);
        EXPECT_STR(say(t, chat.ptr), cases[i].answer);
    }
    EXPECT_STR(say(t, "Ana: Theo, recap\ntool summarise: {\"items\":[]}"),
        "There is nothing in this chat to sum up yet.");
}

TEST(builtin_recalls)
{
    EXPECT_STR(call_of(t, "Ana: Theo, what did Ben say about pricing?", "recall"),
        "{\"query\":\"ben pricing\"}");
    EXPECT_STR(say(t, "Ana: Theo, what did Ben say about pricing?\n"
                      "tool recall: {\"matches\":[{\"party\":\"Ben\",\"text\":\"Ten a month.\","
                      "\"at\":\"2026-03-01T10:00:00Z\"}]}"),
        "From this chat:\n- Ben: \xe2\x80\x9cTen a month.\xe2\x80\x9d");
    EXPECT_STR(say(t, "Ana: Theo, what did Ben say about pricing?\n"
                      "tool recall: {\"matches\":[{\"party\":\"Theo\",\"text\":\"Agreed:\"}]}"),
        "I find nothing about that in this chat.");
    EXPECT_STR(say(t, "Ana: Theo, who said what?\ntool recall: {\"matches\":[]}"),
        "I find nothing about that in this chat.");
}

TEST(builtin_drafts_only_what_was_said)
{
    struct str draft = say(t, "Ana (Acme): We need 200 ovens by June.\n"
                              "Ben (Globex): We agreed on 500 euros each.\n"
                              "Ana (Acme): Theo, draft a proposal.");

    EXPECT(str_find(draft, STR("Acme, Globex (Ana, Ben)"), 0) > 0);
    EXPECT(str_find(draft, STR("500 euros"), 0) > 0);
    EXPECT(str_find(draft, STR("draft a proposal"), 0) < 0); /* the request is no content */
}

TEST(builtin_is_honest)
{
    EXPECT(str_starts(say(t, "Ana: Theo, who is the CEO of Initech?"),
        STR("I cannot look that up: I have no web search here")));
    EXPECT(str_find(say(t, "Ana: Theo, why is the sky blue?"), STR("larger model"), 0) > 0);
    EXPECT(str_find(say(t, "Ana: lol, that match was insane"), STR("larger model"), 0) > 0);
    EXPECT(str_starts(say(t, "Ana: Theo, what can you do?"), STR("I am Theo.")));
    EXPECT(str_starts(say(t, "Ana Diaz: hi Theo"), STR("Hello Ana!")));
    EXPECT_STR(say(t, "Ana: thanks, Theo!"), "You are welcome.");
}

TEST(builtin_calls_only_offered_tools)
{
    struct model_request none = {0};
    struct model_request forbidden = {
        .tools = tools, .tool_count = ARRAY_LEN(tools), .tool_choice = MODEL_TOOLS_NONE};
    struct model_tool web = {.name = STR("web_search")};
    struct model_request search = {.tools = &web, .tool_count = 1};
    struct answer a = ask_with(t, &none, "Ana: Theo, book a call tomorrow at 3pm");

    EXPECT_EQ(a.reply.tool_call_count, 0);
    EXPECT(str_find(a.reply.content, STR("nothing is booked"), 0) > 0);
    a = ask_with(t, &forbidden, "Ana: Theo, what did Ben say about ovens?");
    EXPECT_EQ(a.reply.tool_call_count, 0);
    a = ask_with(t, &search, "Ana: Theo, who is the CEO of Initech?");
    REQUIRE(a.reply.tool_call_count == 1);
    EXPECT_STR(a.reply.tool_calls[0].arguments, "{\"query\":\"ceo initech\"}");
}

static int collect(struct str text, void *ctx)
{
    struct buf *out = ctx;

    buf_add_char(out, '|');
    buf_add_str(out, text);
    return out->len > 1000 ? ERR_CANCELLED : 0;
}

static int refuse(struct str text, void *ctx)
{
    (void)text, (void)ctx;
    return ERR_CANCELLED;
}

TEST(builtin_streams_words)
{
    struct buf out = BUF_IN(t->arena);
    struct model_request request = {.on_delta = collect, .ctx = &out};
    struct answer a = ask_with(t, &request, "Ana: thanks Theo");

    EXPECT_EQ(a.rc, 0);
    EXPECT_STR(buf_str(&out), "|You| are| welcome.|\n(built-in| model)");
    EXPECT_STR(a.reply.content, "You are welcome.\n(built-in model)");
    EXPECT(a.reply.usage.input_tokens > 0 && a.reply.usage.output_tokens > 0);
    request.on_delta = refuse;
    a = ask_with(t, &request, "Ana: thanks Theo");
    EXPECT_EQ(a.rc, ERR_CANCELLED);
    EXPECT_EQ(a.error, MODEL_CANCELLED);
}

TEST(builtin_fits_simple_schemas)
{
    struct model_request request = {
        .response_schema = STR("{\"type\":\"object\",\"properties\":{\"reply\":{\"type\":"
                               "\"string\"},\"tags\":{\"type\":\"array\"},\"mood\":{\"type\":["
                               "\"string\",\"null\"]}},\"required\":[\"reply\",\"tags\"]}")};
    struct answer a = ask_with(t, &request, "Ana: thanks Theo");

    EXPECT_EQ(a.rc, 0);
    EXPECT_STR(a.reply.content, "{\"reply\":\"You are welcome.\",\"tags\":[],\"mood\":null}");
    request.response_schema = STR("{\"type\":\"object\",\"properties\":{\"age\":{\"type\":"
                                  "\"integer\"}},\"required\":[\"age\"]}");
    a = ask_with(t, &request, "Ana: thanks Theo");
    EXPECT_EQ(a.rc, ERR_INVALID);
    EXPECT_EQ(a.error, MODEL_BAD_REQUEST);
    request.response_schema = STR("not json");
    a = ask_with(t, &request, "Ana: thanks Theo");
    EXPECT_EQ(a.error, MODEL_BAD_REQUEST);
}

TEST(builtin_without_a_message)
{
    struct model_request request = {0};
    struct model_reply reply;
    enum model_error error = MODEL_OK;

    EXPECT_EQ(model_builtin.chat(NULL, &request, t->arena, &reply, &error), ERR_INVALID);
    EXPECT_EQ(error, MODEL_BAD_REQUEST);
}

TEST(builtin_titles)
{
    static const struct {
        const char *chat, *title;
    } cases[] = {
        {"Ana: Theo, book tomorrow 3pm called Pricing review", "Pricing review"},
        {"Ana: Theo, book tomorrow 3pm, call it \"Big day\"", "Big day"},
        {"Ana: I'm Ana from Acme.\nBen: Ben at Globex here.\nAna: Theo, book lunch tomorrow 12:30",
            "Acme " TIMES " Globex lunch"},
        {"Ana: Theo, book a workshop with Initech (Initech) tomorrow 3pm",
            "Workshop: Ana and Initech"},
        {"Ana: Theo, put it in the calendar: tomorrow 3pm at London time", "Meeting"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct json *root;

        REQUIRE_OK(json_parse(t->arena, call_of(t, cases[i].chat, "schedule"), &root));
        EXPECT_STR(json_get_str(root, "summary"), cases[i].title);
    }
}
