/* The daily digest of a chat: what was said and agreed since the last one, at an hour of the chat's
 * day. Days on which the service was down, or nothing was said, are in the next one. */
#include "bot/service.h"
#include "text/digest.h"

#define MESSAGES_MAX 1000
#define ITEMS_MAX 12
#define LINE_MAX_BYTES 300

static const char task[] = "The digest of these messages: what was agreed; who is to do what, by "
                           "when; what is open; what else was said that matters.";

static struct str row_id(struct str session_id, struct arena *arena)
{
    return str_printf(arena, "digest-%.*s", STR_ARG(session_id));
}

static struct str payload(int64_t at_ms, int64_t since_ms, struct arena *arena)
{
    return str_printf(arena, "{\"at\":%lld,\"since\":%lld}", (long long)at_ms, (long long)since_ms);
}

static void write_part(struct buf *out, const struct service_due *due,
    const struct digest_item *items, size_t count, enum digest_kind kind, enum say_id title)
{
    bool begun = false;

    for (size_t i = 0; i < count; i++) {
        if (items[i].kind != kind)
            continue;
        if (!begun)
            buf_printf(out, "\n**%.*s**\n", STR_ARG(say(due->language, title)));
        begun = true;
        buf_printf(out, "- %.*s: %.*s\n", STR_ARG(items[i].party),
            STR_ARG(utf8_truncate(items[i].text, LINE_MAX_BYTES)));
    }
}

/* "" when nothing worth telling was said. */
static int write_digest(
    struct service_due *due, const struct transcript *talk, int64_t since_ms, struct str *ret_text)
{
    struct digest_item items[ITEMS_MAX];
    size_t count = digest_make(
        talk, str_from(due->bot->options.config->agent_name), due->arena, items, ITEMS_MAX);
    struct buf out = BUF_IN(due->arena);
    struct str title = say_with(
        due->arena, due->language, SAY_DIGEST, when_format(due->arena, since_ms, 0, due->zone));
    struct str text;
    int rc;

    write_part(&out, due, items, count, DIGEST_DECISION, SAY_DIGEST_AGREED);
    write_part(&out, due, items, count, DIGEST_ACTION, SAY_DIGEST_TO_DO);
    write_part(&out, due, items, count, DIGEST_QUESTION, SAY_DIGEST_OPEN);
    write_part(&out, due, items, count, DIGEST_POINT, SAY_DIGEST_SAID);
    rc = service_words(due, str_from(task), talk, buf_str(&out), &text);
    if (rc == 0 && !str_empty(text))
        *ret_text = str_printf(due->arena, "%.*s\n\n%.*s", STR_ARG(title), STR_ARG(str_trim(text)));
    return rc;
}

int digest_due(struct service_due *due)
{
    int64_t since = json_get_i64(due->note, "since", due->row.created_at), next;
    struct message_row *rows;
    struct transcript talk;
    struct str text = STR("");
    size_t count;
    int rc;

    if (due->settings.digest_at == 0)
        return service_end(due, STR(""), 0, STR(""));
    rc =
        service_messages(due->bot, due->session.id, since, MESSAGES_MAX, due->arena, &rows, &count);
    if (rc < 0)
        return rc;
    talk = service_talk(rows, count, due->arena);
    rc = write_digest(due, &talk, since, &text);
    if (rc < 0)
        return rc;
    next = service_next(due->zone, due->settings.digest_at - 1, due->now_ms);
    return service_end(due, text, next, payload(next, due->now_ms, due->arena));
}

int digest_plan(struct bot_job *job, const struct bot_settings *settings, struct store_batch *batch)
{
    struct bot *bot = job->bot;
    struct schedule_row *row = arena_new(job->arena, struct schedule_row), there;
    int64_t now = env_wall_ms(bot->options.env), since = now, at = now;
    struct str id = row_id(job->work->row.session_id, job->arena);
    const struct json *note = NULL;
    int rc = store_get(
        bot->options.store, STORE_SCHEDULES, bot->options.workspace_id, id, job->arena, &there);

    if (rc < 0 || (rc == STORE_MISSING && settings->digest_at == 0))
        return MIN(rc, 0);
    if (rc == 0 && str_is(there.state, "active") &&
        json_parse(job->arena, there.payload, &note) == 0)
        since = json_get_i64(note, "since", now);
    if (settings->digest_at > 0)
        at = service_next(settings_zone(bot, settings), settings->digest_at - 1, now);
    *row = service_row(bot, STR("digest"), id, job->work->row.session_id, at,
        settings->digest_at > 0 ? payload(at, since, job->arena) : STR(""));
    row->rule = STR("daily");
    if (settings->digest_at == 0)
        row->state = STR("done");
    store_put(batch, STORE_SCHEDULES, row);
    return 0;
}
