/* Reminders: asked for (/remind, "remind us on Monday to …"), heard ("Ben owes us the deck by
 * Friday"), or from notes with a time. A reminder has the number of the message it is from. */
#include "agent/memory.h"
#include "bot/service.h"
#include "text/words.h"

#define MORNING (9 * 60)     /* minutes of the day: when only a day was said */
#define AFTERNOON (17 * 60)  /* the same, on that day itself */
#define FOLLOW_UP_DAYS 3     /* when no time was said at all */
#define ACTIVE_MAX 100       /* of one chat */
#define TEXT_MAX 500         /* bytes */
#define LATE_MAX_MS DAY_MS   /* what is later than that is said with its date */
#define NOTES_BACK_MS DAY_MS /* how old notes may be when the process starts */
#define NOTES_OVERLAP_MS MINUTE_MS
#define PAGE 100

/* What is to be said, and when. */
struct reminder {
    int64_t at_ms;
    struct str who; /* "" nobody named */
    struct str text;
};

/* ---- time ---- */

/* A day alone is its morning; today its afternoon, or soon. */
static int64_t moment(const struct when *when, const struct zone *zone, int64_t now)
{
    const struct zone *said = when->zone ? when->zone : zone;
    int64_t at = when->start_ms;

    if (when->kind != WHEN_DATE)
        return at;
    at = service_next(said, MORNING, when->start_ms - 1);
    if (at <= now && when->start_ms + DAY_MS > now)
        at = service_next(said, AFTERNOON, when->start_ms - 1);
    if (at <= now && when->start_ms + DAY_MS > now)
        at = now + HOUR_MS;
    return at;
}

/* In a few days, in the morning of a working day. */
static int64_t follow_up(const struct zone *zone, int64_t now)
{
    for (int64_t at = now + FOLLOW_UP_DAYS * DAY_MS;; at += DAY_MS) {
        struct civil day = zone_to_local(zone, at / 1000);
        int weekday = civil_weekday(day.year, day.month, day.day);

        day.hour = MORNING / 60;
        day.minute = day.second = 0;
        if (weekday != 0 && weekday != 6)
            return zone_to_utc(zone, &day) * 1000;
    }
}

static bool is_past(struct str text, int64_t said_ms, const struct zone *zone)
{
    struct when found[4];
    size_t count = when_find(text, said_ms, zone, found, ARRAY_LEN(found));

    for (size_t i = 0; i < count; i++)
        if (found[i].past)
            return true;
    return false;
}

/* 0, ERR_NOT_FOUND when none is said, ERR_INVALID when it is none that can come. */
static int read_moment(
    struct str text, int64_t said_ms, int64_t now, const struct zone *zone, int64_t *ret_at)
{
    struct when when;
    int64_t at;
    int rc = when_resolve(text, said_ms, zone, &when);

    if (rc == ERR_NOT_FOUND && is_past(text, said_ms, zone))
        return err_set(ERR_INVALID, "That time is over.");
    if (rc < 0)
        return rc;
    if (when.kind == WHEN_DURATION)
        return err_set(ERR_NOT_FOUND, "No time was said.");
    at = moment(&when, zone, now);
    if (when.past || at <= now)
        return err_set(ERR_INVALID, "That time is over.");
    *ret_at = at;
    return 0;
}

/* ---- text ---- */

static struct str drop_first(struct str text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct str word = str_from(words[i]);

        if (str_starts_nocase(text, word) &&
            (text.len == word.len || !char_is_word(text.ptr[word.len])))
            return str_trim(str_slice(text, word.len, text.len));
    }
    return text;
}

static struct str drop_last(struct str text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct str word = str_from(words[i]);

        if (text.len > word.len &&
            str_eq_nocase(str_slice(text, text.len - word.len, text.len), word) &&
            char_is_space(text.ptr[text.len - word.len - 1]))
            return str_trim(str_slice(text, 0, text.len - word.len));
    }
    return text;
}

/* The text without its phrases of time and the small words that lead to them. */
static struct str without_time(
    struct str text, int64_t now, const struct zone *zone, struct arena *arena)
{
    static const char *const before[] = {"by", "on", "at", "until", "till", "before", "from"};
    static const char *const first[] = {"to", "that", "about", "us", "me"};
    struct when found[4];
    size_t count = when_find(text, now, zone, found, ARRAY_LEN(found)), from = 0;
    struct buf out = BUF_IN(arena);
    struct str part;

    for (size_t i = 0; i <= count; i++) {
        part = str_trim(str_slice(text, from, i < count ? found[i].from : text.len));
        if (i < count)
            part = drop_last(part, before, ARRAY_LEN(before));
        if (i < count && found[i].kind == WHEN_DURATION)
            part = str_trim(str_slice(text, from, found[i].to));
        if (!str_empty(part) && out.len > 0 && char_is_word(part.ptr[0]))
            buf_add_char(&out, ' ');
        buf_add_str(&out, part);
        from = i < count ? found[i].to : from;
    }
    part = drop_first(str_trim(buf_str(&out)), before, ARRAY_LEN(before));
    part = drop_first(part, first, ARRAY_LEN(first));
    part = drop_first(part, first, ARRAY_LEN(first));
    while (part.len > 0 && strchr(".,;:!", part.ptr[part.len - 1]))
        part = str_trim(str_slice(part, 0, part.len - 1));
    while (part.len > 0 && strchr(",;:", part.ptr[0]))
        part = str_trim(str_slice(part, 1, part.len));
    return utf8_truncate(part, TEXT_MAX);
}

/* ---- what is heard ---- */

static const char *const owing[] = {"owes", "owe"};
static const char *const owed[] = {"us", "me", "you", "them", "him", "her"};

static bool owes(struct str text)
{
    return str_find_nocase(text, STR("owe"), 0) >= 0 && WORDS_ANY(text, owing) &&
           WORDS_ANY(text, owed);
}

/* "remind us …", "please remind me to …"; not "thanks for the reminder". */
static ptrdiff_t remind_at(struct str text)
{
    static const char *const whom[] = {"remind us", "remind me", "remind everyone"};
    ptrdiff_t best = -1;

    for (size_t i = 0; i < ARRAY_LEN(whom); i++) {
        struct str phrase = str_from(whom[i]);
        ptrdiff_t at = str_find_nocase(text, phrase, 0);

        if (at >= 0 && (best < 0 || at < best) &&
            ((size_t)at + phrase.len == text.len ||
                !char_is_word(text.ptr[(size_t)at + phrase.len])))
            best = at + (ptrdiff_t)phrase.len;
    }
    return best;
}

bool remind_is_heard(struct str text)
{
    if (text.len > 2 * TEXT_MAX || str_starts(text, STR("/")))
        return false;
    return owes(text) || (str_find_nocase(text, STR("remind"), 0) >= 0 && remind_at(text) >= 0);
}

/* The one or two words before "owes": "Ben", "Ben Ortiz". "I" is the author. */
static struct str debtor(struct str before, struct str author)
{
    struct str last = {"", 0}, prior = {"", 0}, word;
    size_t pos = 0;

    while (words_next(before, &pos, &word)) {
        prior = last;
        last = word;
    }
    if (str_eq_nocase(last, STR("I")) || str_eq_nocase(last, STR("we")))
        return author;
    if (last.len == 0 || !(last.ptr[0] >= 'A' && last.ptr[0] <= 'Z') || str_is(last, "You"))
        return last.len > 0 && (unsigned char)last.ptr[0] >= 0x80 ? last : STR("");
    if (prior.len > 1 && prior.ptr[0] >= 'A' && prior.ptr[0] <= 'Z' &&
        prior.ptr + prior.len + 1 == last.ptr && last.ptr[-1] == ' ')
        return (struct str){prior.ptr, (size_t)(last.ptr + last.len - prior.ptr)};
    return last;
}

/* "Ben owes us the deck by Friday": Ben, "the deck". */
static bool read_owed(struct str text, struct str author, struct reminder *ret)
{
    struct str word;
    size_t pos = 0;

    while (words_next(text, &pos, &word))
        if (WORDS_HAVE(owing, word)) {
            struct str rest = str_trim(str_slice(text, pos, text.len));
            struct str after = drop_first(rest, owed, ARRAY_LEN(owed));
            size_t before = (size_t)(word.ptr - text.ptr);

            if (after.ptr == rest.ptr || str_ends(str_trim(text), STR("?")))
                return false;
            ret->who = debtor(str_slice(text, 0, before), author);
            ret->text = after;
            return !str_empty(ret->who);
        }
    return false;
}

/* ---- rows ---- */

static struct schedule_row make_row(const struct bot *bot, struct str session_id, int64_t number,
    const struct reminder *reminder, struct str by, struct str reply_to, struct str language,
    struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_i64_member(&w, "at", reminder->at_ms);
    json_i64_member(&w, "number", number);
    json_str_member(&w, "who", reminder->who);
    json_str_member(&w, "text", reminder->text);
    json_str_member(&w, "by", by);
    json_str_member(&w, "reply_to", reply_to);
    json_str_member(&w, "language", language);
    json_object_end(&w);
    return service_row(bot, STR("reminder"),
        str_printf(arena, "reminder-%.*s-%lld", STR_ARG(session_id), (long long)number), session_id,
        reminder->at_ms, buf_str(&out));
}

static struct str line_of(const struct json *note, struct arena *arena)
{
    struct str who = json_get_str(note, "who"), text = json_get_str(note, "text");

    return str_empty(who) ? text : str_printf(arena, "%.*s – %.*s", STR_ARG(who), STR_ARG(text));
}

int remind_due(struct service_due *due)
{
    struct str line = line_of(due->note, due->arena), by = json_get_str(due->note, "by");
    struct buf out = BUF_IN(due->arena);

    buf_add_str(&out, say_with(due->arena, due->language, SAY_REMINDER, line));
    if (due->now_ms - due->at_ms > LATE_MAX_MS)
        buf_printf(&out, " (%.*s)", STR_ARG(when_format(due->arena, due->at_ms, 0, due->zone)));
    if (!str_empty(by))
        buf_printf(
            &out, "\n%.*s", STR_ARG(say_with(due->arena, due->language, SAY_REMINDER_BY, by)));
    return service_end(due, buf_str(&out), 0, STR(""));
}

/* The chat's reminders that are to come, by number. */
static int list_active(struct bot_job *job, struct schedule_row **ret_rows, size_t *ret_count)
{
    struct store_query query = {.entity = STORE_SCHEDULES,
        .workspace_id = job->bot->options.workspace_id,
        .index = 1,
        .value = job->work->row.session_id,
        .limit = PAGE,
        .cursor = STR("")};
    struct schedule_row *rows = arena_array(job->arena, struct schedule_row, ACTIVE_MAX);
    size_t count = 0;

    do {
        struct store_page page;
        int rc = store_list(job->bot->options.store, &query, job->arena, &page);

        if (rc < 0)
            return rc;
        for (size_t i = 0; i < page.count && count < ACTIVE_MAX; i++) {
            const struct schedule_row *row = (const struct schedule_row *)page.rows + i;

            if (str_is(row->kind, "reminder") && str_is(row->state, "active"))
                rows[count++] = *row;
        }
        query.cursor = page.cursor;
    } while (!str_empty(query.cursor) && count < ACTIVE_MAX);
    *ret_rows = rows;
    *ret_count = count;
    return 0;
}

static void write_reminder(
    struct buf *out, const struct schedule_row *row, const struct zone *zone, struct arena *arena)
{
    const struct json *note;

    if (json_parse(arena, row->payload, &note) < 0)
        return;
    buf_printf(out, "#%lld %.*s – %.*s", (long long)json_get_i64(note, "number", 0),
        STR_ARG(when_format(arena, json_get_i64(note, "at", row->due_at), 0, zone)),
        STR_ARG(line_of(note, arena)));
}

static int show_list(struct bot_job *job)
{
    struct buf out = BUF_IN(job->arena);
    struct schedule_row *rows;
    size_t count;
    int rc = list_active(job, &rows, &count);

    if (rc < 0)
        return rc;
    if (count == 0)
        return job_say(job, say(job->language, SAY_REMIND_NONE));
    for (size_t i = 0; i < count; i++) {
        buf_add_cstr(&out, "\n- ");
        write_reminder(&out, &rows[i], chat_zone(job->chat), job->arena);
    }
    return job_say(job, say_with(job->arena, job->language, SAY_REMIND_LIST, buf_str(&out)));
}

static int cancel(struct bot_job *job, struct str which)
{
    struct buf out = BUF_IN(job->arena);
    struct outbox_post post;
    struct store_batch batch;
    struct schedule_row row;
    int64_t number;
    int rc;

    if (str_starts(which, STR("#")))
        which = str_slice(which, 1, which.len);
    if (!str_to_i64(which, &number))
        return job_say(job, say(job->language, SAY_REMIND_WHAT));
    rc = store_get(job->bot->options.store, STORE_SCHEDULES, job->bot->options.workspace_id,
        str_printf(job->arena, "reminder-%.*s-%lld", STR_ARG(job->work->row.session_id),
            (long long)number),
        job->arena, &row);
    if (rc < 0)
        return rc;
    if (rc == STORE_MISSING || !str_is(row.state, "active"))
        return job_say(job, say_with(job->arena, job->language, SAY_REMIND_UNKNOWN,
                                str_printf(job->arena, "#%lld", (long long)number)));
    write_reminder(&out, &row, chat_zone(job->chat), job->arena);
    row.state = STR("done");
    row.payload = STR("");
    row.due_at = row.updated_at = env_wall_ms(job->bot->options.env);
    post = job_post(
        job, "say", say_with(job->arena, job->language, SAY_REMIND_CANCELLED, buf_str(&out)));
    store_batch_init(&batch, job->arena);
    store_update(&batch, STORE_SCHEDULES, &row);
    outbox_put(job->bot->options.outbox, &batch, &post);
    return job_done(job, &batch);
}

/* Store it, and say so: in words to who asked for it, by a reaction to who only talked about it. */
static int store_reminder(struct bot_job *job, const struct reminder *reminder, bool aloud)
{
    struct str by = chat_party(job->bot, &job->update, job->arena);
    struct schedule_row row = make_row(job->bot, job->work->row.session_id,
        json_get_i64(job->note, "seq", 0), reminder, str_eq(by, reminder->who) ? STR("") : by,
        job->update.message_id, str_from(say_language_tag(job->language)), job->arena);
    struct buf out = BUF_IN(job->arena);
    struct outbox_post post;
    struct store_batch batch;

    write_reminder(&out, &row, chat_zone(job->chat), job->arena);
    post = job_post(job, "say", say_with(job->arena, job->language, SAY_REMIND_SET, buf_str(&out)));
    if (!aloud) {
        post.kind = OUTBOX_REACTION;
        post.body = STR("✍");
        post.message_id = job->update.message_id;
        post.reply_to = STR("");
    }
    store_batch_init(&batch, job->arena);
    store_insert(&batch, STORE_SCHEDULES, &row);
    outbox_put(job->bot->options.outbox, &batch, &post);
    return job_done(job, &batch);
}

/* Not 0 when the chat has too many. */
static int is_full(struct bot_job *job)
{
    struct schedule_row *rows;
    size_t count;
    int rc = list_active(job, &rows, &count);

    return rc < 0 ? rc : count >= ACTIVE_MAX;
}

/* text: when and what. */
static int remind_of(struct bot_job *job, struct str text)
{
    const struct zone *zone = chat_zone(job->chat);
    int64_t now = env_wall_ms(job->bot->options.env), said = job->update.at_ms;
    struct reminder reminder = {.who = STR("")};
    int rc = read_moment(text, said, now, zone, &reminder.at_ms);

    if (rc == ERR_INVALID)
        return job_say(job, say(job->language, SAY_REMIND_PAST));
    reminder.text = without_time(text, said, zone, job->arena);
    if (rc < 0 || str_empty(reminder.text))
        return job_say(job, say(job->language, SAY_REMIND_WHAT));
    rc = is_full(job);
    if (rc > 0)
        return job_say(job, say(job->language, SAY_REMIND_FULL));
    return rc < 0 ? rc : store_reminder(job, &reminder, true);
}

int remind_command(struct bot_job *job)
{
    struct str text = str_trim(job->update.arguments);

    if (str_empty(text))
        return job_say(job, say(job->language, SAY_REMIND_WHAT));
    if (str_eq_nocase(text, STR("list")))
        return show_list(job);
    if (str_starts_nocase(text, STR("cancel ")))
        return cancel(job, str_trim(str_slice(text, 7, text.len)));
    return remind_of(job, text);
}

static int nothing(struct bot_job *job)
{
    struct store_batch batch;

    store_batch_init(&batch, job->arena);
    return job_done(job, &batch);
}

/* Somebody said it, to Theo or to the others. What cannot be read is left alone, and answered when
 * it was meant for Theo. */
int remind_job(struct bot_job *job)
{
    const struct zone *zone = chat_zone(job->chat);
    bool addressed = json_get_bool(job->note, "addressed", false);
    int64_t now = env_wall_ms(job->bot->options.env), said = job->update.at_ms;
    struct str text = str_trim(job->update.text), author;
    struct reminder reminder = {.who = STR("")};
    ptrdiff_t at = remind_at(text);
    int rc;

    author = chat_party(job->bot, &job->update, job->arena);
    if (at < 0 && !read_owed(text, author, &reminder))
        return addressed ? answer_job(job) : nothing(job);
    if (at >= 0)
        reminder.text = str_slice(text, (size_t)at, text.len);
    rc = read_moment(reminder.text, said, now, zone, &reminder.at_ms);
    if (at >= 0 && addressed)
        return remind_of(job, reminder.text);
    if (rc == ERR_NOT_FOUND && at < 0) {
        reminder.at_ms = follow_up(zone, now);
        rc = 0;
    }
    reminder.text = without_time(reminder.text, said, zone, job->arena);
    if (rc < 0 || str_empty(reminder.text))
        return addressed ? answer_job(job) : nothing(job);
    rc = is_full(job);
    if (rc != 0)
        return rc < 0 ? rc : nothing(job);
    return store_reminder(job, &reminder, addressed);
}

/* ---- notes ---- */

static int from_note(struct bot *bot, const struct memory_row *note, struct arena *arena)
{
    int64_t now = env_wall_ms(bot->options.env);
    struct reminder reminder = {.who = note->subject, .text = note->body};
    struct chat_session_row session;
    struct bot_settings settings;
    struct schedule_row row;
    bool ours;
    int rc;

    if (!str_is(note->kind, "open_point") || note->message_seq == 0)
        return 0;
    rc = service_session(bot, note->session_id, arena, &session, &settings, &ours);
    if (rc < 0 || !ours)
        return rc;
    if (read_moment(
            note->body, note->created_at, now, settings_zone(bot, &settings), &reminder.at_ms) < 0)
        return 0; /* a point without a time, or one that is over */
    row = make_row(
        bot, session.id, note->message_seq, &reminder, STR(""), STR(""), settings.language, arena);
    return service_make(bot, &row, arena);
}

int remind_from_notes(struct bot *bot)
{
    int64_t now = env_wall_ms(bot->options.env);
    struct store_query query = {.entity = STORE_MEMORIES,
        .workspace_id = bot->options.workspace_id,
        .index = 1,
        .value = STR("active"),
        .from = bot->services.notes_ms > 0 ? bot->services.notes_ms - NOTES_OVERLAP_MS
                                           : now - NOTES_BACK_MS,
        .limit = PAGE,
        .cursor = STR("")};
    struct store_page page;
    struct arena arena;
    int rc;

    arena_init(&arena);
    do {
        rc = store_list(bot->options.store, &query, &arena, &page);
        for (size_t i = 0; rc == 0 && i < page.count; i++)
            rc = from_note(bot, (const struct memory_row *)page.rows + i, &arena);
        query.cursor = page.cursor;
    } while (rc == 0 && !str_empty(query.cursor));
    if (rc == 0)
        bot->services.notes_ms = now;
    arena_deinit(&arena);
    return rc;
}
