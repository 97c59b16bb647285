/* Before a call that was booked in a chat: who, what, what was said about it, what is open. After
 * it: the question who does what. The rows name the call and its time; whether it still stands, and
 * still at that time, is looked up when they are due, and a call that moved has rows of its own. */
#include "bot/service.h"
#include "text/digest.h"
#include "text/name.h"
#include "text/words.h"

#define LOOK_BACK_MS (2 * HOUR_MS) /* after its end nobody is asked any more */
#define LOOK_AHEAD_MS ((BRIEF_MINUTES_MAX + 1) * MINUTE_MS)
#define MESSAGES_MAX 300
#define SAID_MAX 4
#define DIGEST_MAX 12
#define OPEN_MAX 5
#define LINE_MAX_BYTES 240
#define PAGE 100

static int64_t minutes_before(const struct bot_settings *settings)
{
    return settings->brief_minutes == 0 ? BRIEF_MINUTES : settings->brief_minutes;
}

static struct str payload(int64_t at_ms, const struct calendar_event *event, struct arena *arena)
{
    return str_printf(arena, "{\"at\":%lld,\"event\":\"%.*s\",\"start\":%lld,\"end\":%lld}",
        (long long)at_ms, STR_ARG(event->id), (long long)event->start_ms, (long long)event->end_ms);
}

static int plan_one(struct bot *bot, const char *kind, const struct calendar_event *event,
    int64_t at_ms, struct arena *arena)
{
    struct schedule_row row = service_row(bot, str_from(kind),
        str_printf(arena, "%s-%.*s-%lld", kind, STR_ARG(event->id), (long long)at_ms),
        event->session_id, at_ms, payload(at_ms, event, arena));

    return service_make(bot, &row, arena);
}

/* Who books a call for now needs no brief. */
static int plan(struct bot *bot, const struct calendar_event *event, struct arena *arena)
{
    int64_t now = env_wall_ms(bot->options.env), brief;
    struct chat_session_row session;
    struct bot_settings settings;
    bool ours;
    int rc = 0;

    if (str_empty(event->session_id) || !str_is(event->state, "confirmed"))
        return 0;
    rc = service_session(bot, event->session_id, arena, &session, &settings, &ours);
    if (rc < 0 || !ours || settings.brief_minutes < 0)
        return rc;
    brief = event->start_ms - minutes_before(&settings) * MINUTE_MS;
    if (event->created_ms < brief && event->start_ms > now)
        rc = plan_one(bot, "brief", event, brief, arena);
    if (rc == 0 && event->end_ms + LOOK_BACK_MS > now)
        rc = plan_one(bot, "actions", event, event->end_ms, arena);
    return rc;
}

int brief_look_ahead(struct bot *bot)
{
    int64_t now = env_wall_ms(bot->options.env);
    struct calendar_page page = {.cursor = STR("")};
    struct arena arena;
    int rc;

    if (!bot->options.calendar)
        return 0;
    arena_init(&arena);
    do {
        rc = calendar_list(bot->options.calendar, bot->options.workspace_id, now - LOOK_BACK_MS,
            now + LOOK_AHEAD_MS, false, PAGE, page.cursor, &arena, &page);
        for (size_t i = 0; rc == 0 && i < page.count; i++)
            rc = plan(bot, &page.events[i], &arena);
    } while (rc == 0 && !str_empty(page.cursor));
    arena_deinit(&arena);
    return rc;
}

/* The call as the row knew it: 1; 0 when it is cancelled or at another time; or ERR_*. */
static int stands(struct service_due *due, struct calendar_event *ret_event)
{
    int rc = calendar_get(due->bot->options.calendar, due->bot->options.workspace_id,
        json_get_str(due->note, "event"), due->arena, ret_event);

    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc < 0)
        return rc;
    return str_is(ret_event->state, "confirmed") &&
           str_eq(ret_event->session_id, due->session.id) &&
           ret_event->start_ms == json_get_i64(due->note, "start", 0) &&
           ret_event->end_ms == json_get_i64(due->note, "end", 0);
}

static void write_people(struct buf *out, const struct calendar_event *event)
{
    for (size_t i = 0; i < event->attendee_count; i++) {
        const struct attendee *one = &event->attendees[i];

        buf_printf(out, "%s%.*s", i > 0 ? ", " : "",
            STR_ARG(str_empty(one->name) ? one->email : one->name));
    }
    buf_add_cstr(out, event->attendee_count > 0 ? "\n" : "");
}

/* Does the sentence speak of the call: of its people, or of what its title says? */
static bool speaks_of(struct str text, const struct calendar_event *event)
{
    static const char *const empty[] = {"call", "meeting", "with", "about", "chat", "sync", "demo",
        "review", "weekly", "daily", "from", "this", "that", "your", "team"};
    struct str word;
    size_t pos = 0;

    for (size_t i = 0; i < event->attendee_count; i++) {
        struct str name = event->attendees[i].name, first;

        if (str_next(&name, ' ', &first) && first.len > 1 && name_find(text, first, 0) >= 0)
            return true;
    }
    while (words_next(event->summary, &pos, &word))
        if (word.len > 3 && !WORDS_HAVE(empty, word) && str_find_nocase(text, word, 0) >= 0)
            return true;
    return false;
}

/* Without what was said to Theo: that was about booking it. */
static struct transcript among_people(const struct service_due *due, struct transcript talk)
{
    struct channel *channel = bot_channel(due->bot, due->session.channel);
    struct str name = str_from(due->bot->options.config->agent_name);
    struct str user = channel_ops_of(channel)->who(channel).username;
    size_t count = 0;

    for (size_t i = 0; i < talk.count; i++)
        if (name_find(talk.messages[i].text, name, 0) < 0 &&
            (str_empty(user) || name_find(talk.messages[i].text, user, 0) < 0))
            talk.messages[count++] = talk.messages[i];
    talk.count = count;
    return talk;
}

/* The last messages about it, and when these are few what else the chat was about. */
static void choose(const struct service_due *due, const struct transcript *talk,
    const struct calendar_event *event, bool *chosen)
{
    struct digest_item items[DIGEST_MAX];
    size_t found = digest_make(
        talk, str_from(due->bot->options.config->agent_name), due->arena, items, DIGEST_MAX);
    size_t count = 0;

    for (size_t i = talk->count; i > 0 && count < SAID_MAX; i--)
        if (speaks_of(talk->messages[i - 1].text, event)) {
            chosen[i - 1] = true;
            count++;
        }
    for (size_t i = found; i > 0 && count < SAID_MAX; i--)
        if (!chosen[items[i - 1].message]) {
            chosen[items[i - 1].message] = true;
            count++;
        }
}

static int said_about(const struct service_due *due, const struct transcript *talk,
    const struct calendar_event *event, struct str *ret_text)
{
    struct str task = str_printf(due->arena,
        "A brief for those who meet soon for \"%.*s\": what was said that they should have in "
        "mind for this call, what was agreed before it, what they wanted to settle.",
        STR_ARG(event->summary));
    bool *chosen = arena_array(due->arena, bool, talk->count + 1), begun = false;
    struct buf out = BUF_IN(due->arena);

    memset(chosen, 0, (talk->count + 1) * sizeof(*chosen));
    choose(due, talk, event, chosen);
    for (size_t i = 0; i < talk->count; i++) {
        if (!chosen[i])
            continue;
        if (!begun)
            buf_printf(&out, "\n**%.*s**\n", STR_ARG(say(due->language, SAY_DIGEST_SAID)));
        begun = true;
        buf_printf(&out, "- %.*s: %.*s\n", STR_ARG(talk->messages[i].party),
            STR_ARG(utf8_truncate(talk->messages[i].text, LINE_MAX_BYTES)));
    }
    return service_words(due, task, talk, buf_str(&out), ret_text);
}

static int write_open(struct buf *out, const struct service_due *due)
{
    struct store_query query = {.entity = STORE_MEMORIES,
        .workspace_id = due->bot->options.workspace_id,
        .index = 0,
        .value = due->session.id,
        .descending = true,
        .limit = PAGE,
        .cursor = STR("")};
    struct store_page page;
    size_t count = 0;
    int rc = store_list(due->bot->options.store, &query, due->arena, &page);

    for (size_t i = 0; rc == 0 && i < page.count && count < OPEN_MAX; i++) {
        const struct memory_row *note = (const struct memory_row *)page.rows + i;

        if (!str_is(note->kind, "open_point") || !str_is(note->state, "active"))
            continue;
        if (count++ == 0)
            buf_printf(out, "\n**%.*s**\n", STR_ARG(say(due->language, SAY_DIGEST_OPEN)));
        buf_printf(out, "- %.*s: %.*s\n", STR_ARG(note->subject),
            STR_ARG(utf8_truncate(note->body, LINE_MAX_BYTES)));
    }
    return rc;
}

static int write_brief(struct service_due *due, const struct calendar_event *event, struct buf *out)
{
    struct message_row *rows;
    struct transcript talk;
    struct str said;
    size_t count;
    int rc =
        service_messages(due->bot, due->session.id, 0, MESSAGES_MAX, due->arena, &rows, &count);

    if (rc < 0)
        return rc;
    buf_add_str(out, say_with(due->arena, due->language, SAY_BRIEF, event->summary));
    buf_printf(out, "\n%.*s\n",
        STR_ARG(when_format(due->arena, event->start_ms, event->end_ms, due->zone)));
    write_people(out, event);
    if (!str_empty(event->conference_url))
        buf_printf(out, "%.*s\n", STR_ARG(event->conference_url));
    else if (!str_empty(event->location))
        buf_printf(out, "%.*s\n", STR_ARG(event->location));
    talk = among_people(due, service_talk(rows, count, due->arena));
    rc = said_about(due, &talk, event, &said);
    if (rc < 0)
        return rc;
    if (!str_empty(said))
        buf_printf(out, "\n%.*s\n", STR_ARG(str_trim(said)));
    return write_open(out, due);
}

int brief_due(struct service_due *due)
{
    struct buf out = BUF_IN(due->arena);
    struct calendar_event event;
    int rc = stands(due, &event);

    if (rc < 0)
        return rc;
    if (rc == 0 || event.start_ms <= due->now_ms || due->settings.brief_minutes < 0)
        return service_end(due, STR(""), 0, STR(""));
    rc = write_brief(due, &event, &out);
    return rc < 0 ? rc : service_end(due, buf_str(&out), 0, STR(""));
}

int actions_due(struct service_due *due)
{
    struct calendar_event event;
    int rc = stands(due, &event);

    if (rc < 0)
        return rc;
    if (rc == 0 || event.end_ms + LOOK_BACK_MS <= due->now_ms || due->settings.brief_minutes < 0)
        return service_end(due, STR(""), 0, STR(""));
    return service_end(
        due, say_with(due->arena, due->language, SAY_ACTIONS, event.summary), 0, STR(""));
}
