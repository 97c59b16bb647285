/* Answers from tool results, and from the chat's own sentences. Nothing is added to them. */
#include "model/builtin.h"
#include "text/digest.h"

#define ITEMS_MAX 12

static struct str person(const struct json *node)
{
    struct str name;

    if (json_is(node, JSON_STRING))
        return json_str(node);
    name = json_get_str(node, "name");
    return name.len > 0 ? name : json_get_str(node, "email");
}

/* ", with Ana, Ben and Cem" */
static void write_people(struct buf *out, const struct json *people)
{
    size_t count = json_len(people), i = 0;

    for (const struct json *p = json_first(people); p; p = json_next(p), i++) {
        buf_add_cstr(out, i == 0 ? ", with " : i + 1 == count ? " and " : ", ");
        buf_add_str(out, person(p));
    }
}

static void write_event(struct builtin_turn *turn, const struct json *event)
{
    const struct zone *zone = zone_get(json_get_str(event, "time_zone"));
    int64_t start, end = 0;

    buf_add_str(&turn->answer, json_get_str(event, "summary"));
    if (!rfc3339_parse(json_get_str(event, "start"), &start, NULL))
        return;
    if (!rfc3339_parse(json_get_str(event, "end"), &end, NULL))
        end = 0;
    if (json_get_str(event, "summary").len > 0)
        buf_add_cstr(&turn->answer, ", ");
    buf_add_str(&turn->answer, when_format(turn->arena, start, end, zone ? zone : turn->zone));
}

static const char *status_words(struct str status)
{
    static const char *const words[][2] = {{"booked", "Booked"}, {"created", "Booked"},
        {"confirmed", "Booked"}, {"moved", "Moved"}, {"updated", "Moved"}, {"rescheduled", "Moved"},
        {"cancelled", "Cancelled"}, {"canceled", "Cancelled"}};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_is(status, words[i][0]))
            return words[i][1];
    return NULL;
}

static void from_schedule(struct builtin_turn *turn, const struct json *root)
{
    const struct json *event = json_get(root, "event"), *events = json_get(root, "events");
    const char *verb = status_words(json_get_str(root, "status"));

    if (event && verb) {
        buf_printf(&turn->answer, "%s: ", verb);
        write_event(turn, event);
        if (!str_is(str_from(verb), "Cancelled"))
            write_people(&turn->answer, json_get(event, "attendees"));
        buf_add_char(&turn->answer, '.');
    } else if (json_len(events) > 0) {
        buf_add_cstr(&turn->answer, "In the calendar:");
        for (const struct json *e = json_first(events); e; e = json_next(e)) {
            buf_add_cstr(&turn->answer, "\n- ");
            write_event(turn, e);
        }
    } else if (json_get_str(root, "text").len > 0) {
        buf_add_str(&turn->answer, json_get_str(root, "text"));
    } else {
        buf_add_cstr(&turn->answer, "The calendar holds nothing that fits.");
    }
}

bool builtin_ends_in_list(const struct buf *answer)
{
    size_t line = answer->len;

    while (line > 0 && answer->ptr[line - 1] != '\n')
        line--;
    return str_starts(str_slice(buf_str(answer), line, answer->len), STR("- "));
}

/* On a line of its own, and apart from a list before it. */
static void write_heading(struct builtin_turn *turn, const char *heading)
{
    if (builtin_ends_in_list(&turn->answer))
        buf_add_cstr(&turn->answer, "\n\n");
    else if (turn->answer.len > 0 && turn->answer.ptr[turn->answer.len - 1] != '\n')
        buf_add_char(&turn->answer, '\n');
    buf_add_cstr(&turn->answer, heading);
}

static const struct {
    const char *kind, *heading;
} headings[] = {
    {"decision", "Agreed:"}, {"action", "To do:"}, {"question", "Still open:"}, {"point", "Said:"}};

static void write_item(struct builtin_turn *turn, struct str party, struct str text)
{
    buf_printf(&turn->answer, "\n- %.*s: %.*s", STR_ARG(party), STR_ARG(text));
}

static bool says(const struct builtin_turn *turn, const char *words)
{
    return strstr(turn->words, words) != NULL;
}

/* Write the items of one kind, or of all kinds when it is NULL; how many. */
static size_t write_items(struct builtin_turn *turn, const struct json *items, const char *kind)
{
    size_t written = 0;

    for (size_t k = 0; k < ARRAY_LEN(headings); k++) {
        bool headed = false;

        if (kind && strcmp(headings[k].kind, kind) != 0)
            continue;
        for (const struct json *i = json_first(items); i; i = json_next(i)) {
            if (!str_is(json_get_str(i, "kind"), headings[k].kind))
                continue;
            if (!headed)
                write_heading(turn, headings[k].heading);
            headed = true;
            written++;
            write_item(turn, json_get_str(i, "party"), json_get_str(i, "text"));
        }
    }
    return written;
}

static void from_summary(struct builtin_turn *turn, const struct json *root)
{
    const struct json *items = json_get(root, "items");

    if (json_len(items) == 0) {
        buf_add_cstr(&turn->answer, "There is nothing in this chat to sum up yet.");
    } else if (says(turn, " agree") || says(turn, " decide") || says(turn, " decision")) {
        if (write_items(turn, items, "decision") > 0)
            return;
        buf_add_cstr(&turn->answer, "Nothing was agreed in so many words yet.\n");
        write_items(turn, items, NULL);
    } else if (says(turn, " action") || says(turn, " next step") || says(turn, " to do")) {
        if (write_items(turn, items, "action") > 0)
            return;
        buf_add_cstr(&turn->answer, "Nobody has taken on anything in so many words yet.\n");
        write_items(turn, items, NULL);
    } else {
        write_items(turn, items, NULL);
    }
}

/* Quoted on one line. */
static void write_quote(struct builtin_turn *turn, const struct json *match)
{
    struct str text = json_get_str(match, "text");

    buf_printf(&turn->answer, "\n- %.*s: \xe2\x80\x9c", STR_ARG(json_get_str(match, "party")));
    for (size_t i = 0; i < text.len; i++)
        buf_add_char(&turn->answer, text.ptr[i] == '\n' ? ' ' : text.ptr[i]);
    buf_add_cstr(&turn->answer, "\xe2\x80\x9d");
}

/* What people said; the agent's own words are not asked for. */
static void from_recall(struct builtin_turn *turn, const struct json *root)
{
    size_t count = 0;

    for (const struct json *m = json_first(json_get(root, "matches")); m && count < 5;
         m = json_next(m)) {
        if (str_eq_nocase(json_get_str(m, "party"), turn->request->scene.agent_name))
            continue;
        if (count++ == 0)
            buf_add_cstr(&turn->answer, "From this chat:");
        write_quote(turn, m);
    }
    if (count == 0)
        buf_add_cstr(&turn->answer, "I find nothing about that in this chat.");
}

static void from_result(struct builtin_turn *turn, const struct model_message *m)
{
    const struct json *root;
    struct str error;

    if (json_parse(turn->arena, m->content, &root) != 0 || !json_is(root, JSON_OBJECT)) {
        buf_add_str(&turn->answer, utf8_truncate(m->content, 1000));
        return;
    }
    error = json_get_str(root, "error");
    if (error.len > 0) {
        buf_printf(&turn->answer, "That did not work: %.*s", STR_ARG(error));
        if (error.ptr[error.len - 1] != '.')
            buf_add_char(&turn->answer, '.');
    } else if (str_is(m->tool_name, "schedule")) {
        from_schedule(turn, root);
    } else if (str_is(m->tool_name, "summarise")) {
        from_summary(turn, root);
    } else if (str_is(m->tool_name, "recall")) {
        from_recall(turn, root);
    } else {
        struct str text = json_get_str(root, "text");

        buf_add_str(&turn->answer, utf8_truncate(text.len > 0 ? text : m->content, 1000));
    }
}

bool builtin_from_results(struct builtin_turn *turn)
{
    const struct model_request *request = turn->request;
    bool any = false;

    for (size_t i = turn->last + 1; i < request->message_count; i++) {
        if (request->messages[i].role != MODEL_TOOL)
            continue;
        if (any)
            buf_add_cstr(&turn->answer, "\n");
        from_result(turn, &request->messages[i]);
        any = true;
    }
    return any;
}

/* The people's messages as a transcript, for the digest. */
static struct transcript transcript_of(const struct builtin_turn *turn)
{
    struct chat_message *messages =
        arena_array(turn->arena, struct chat_message, turn->last - turn->window + 1);
    size_t count = 0;

    for (size_t i = turn->window; i <= turn->last; i++) {
        const struct model_message *m = &turn->request->messages[i];

        if (m->role == MODEL_USER && i != turn->last)
            messages[count++] = (struct chat_message){m->author, m->content, m->at_ms};
    }
    return (struct transcript){messages, count};
}

static size_t write_kind(struct builtin_turn *turn, const struct digest_item *items, size_t count,
    enum digest_kind kind, const char *heading)
{
    size_t written = 0;

    for (size_t i = 0; i < count; i++) {
        if (items[i].kind != kind)
            continue;
        if (written++ == 0)
            write_heading(turn, heading);
        write_item(turn, items[i].party, items[i].text);
    }
    return written;
}

void builtin_digest(struct builtin_turn *turn)
{
    struct digest_item items[ITEMS_MAX];
    struct transcript chat = transcript_of(turn);
    size_t count =
        digest_make(&chat, turn->request->scene.agent_name, turn->arena, items, ITEMS_MAX);

    if (count == 0) {
        buf_add_cstr(&turn->answer, "There is nothing in this chat to sum up yet.");
        return;
    }
    buf_add_cstr(&turn->answer, "In short:");
    write_kind(turn, items, count, DIGEST_DECISION, "Agreed:");
    write_kind(turn, items, count, DIGEST_ACTION, "To do:");
    write_kind(turn, items, count, DIGEST_QUESTION, "Still open:");
    write_kind(turn, items, count, DIGEST_POINT, "Said:");
}

void builtin_proposal(struct builtin_turn *turn)
{
    struct digest_item items[ITEMS_MAX];
    struct transcript chat = transcript_of(turn);
    struct builtin_names companies;
    const struct builtin_names *people = builtin_attendees(turn);
    size_t count =
        digest_make(&chat, turn->request->scene.agent_name, turn->arena, items, ITEMS_MAX);

    builtin_companies(turn, &companies);
    buf_add_cstr(&turn->answer, "Draft proposal, from this chat alone");
    buf_add_cstr(&turn->answer, "\n\nParties: ");
    for (size_t i = 0; i < companies.count; i++)
        buf_printf(&turn->answer, "%s%.*s", i ? ", " : "", STR_ARG(companies.names[i]));
    buf_add_cstr(&turn->answer, companies.count ? " (" : "");
    for (size_t i = 0; i < people->count; i++)
        buf_printf(&turn->answer, "%s%.*s", i ? ", " : "", STR_ARG(people->names[i]));
    buf_add_cstr(&turn->answer, companies.count ? ")\n" : "\n");
    if (write_kind(turn, items, count, DIGEST_POINT, "Background:") +
            write_kind(turn, items, count, DIGEST_DECISION, "Agreed so far:") ==
        0)
        write_heading(turn, "Nothing on scope or terms was said yet.");
    write_kind(turn, items, count, DIGEST_ACTION, "Next steps:");
    if (write_kind(turn, items, count, DIGEST_QUESTION, "Open points:") == 0)
        write_heading(turn, "To be filled in by you: scope, price, dates.");
}
