/* Commands. One line of the table each; a command is known, shown and answered only when what it
 * needs is there. */
#include "bot/command.h"

#include "agent/memory.h"
#include "bot/service.h"

#define AGENDA_DAYS 30
#define AGENDA_MAX 10
#define NOTES_PAGE 100

static int hello(struct bot_job *job)
{
    return job_say(job, say_with(job->arena, job->language, SAY_PAIRED,
                            str_from(job->bot->options.config->agent_name)));
}

static int ask(struct bot_job *job)
{
    if (str_empty(job->update.arguments))
        return job_say(job, say(job->language, SAY_ASK_WHAT));
    return answer_text(job, job->update.arguments);
}

static int schedule(struct bot_job *job)
{
    if (str_empty(job->update.arguments))
        return job_say(job, say(job->language, SAY_SCHEDULE_WHAT));
    if (str_starts_nocase(job->update.arguments, STR("poll ")))
        return poll_times(job, str_slice(job->update.arguments, 5, job->update.arguments.len));
    return answer_text(
        job, str_printf(job->arena, "Please schedule: %.*s", STR_ARG(job->update.arguments)));
}

static int summary(struct bot_job *job)
{
    const char *agent = job->bot->options.config->agent_name;
    struct str since = job->update.arguments;

    if (str_starts_nocase(since, STR("file"))) {
        since = str_trim(str_slice(since, 4, since.len));
        job->as_file = true;
    }
    if (str_empty(since))
        return answer_text(
            job, str_printf(job->arena, "%s, please summarise what was said and agreed.", agent));
    if (str_starts_nocase(since, STR("since ")))
        since = str_slice(since, 6, since.len);
    return answer_text(
        job, str_printf(job->arena, "%s, please summarise what was said and agreed since %.*s.",
                 agent, STR_ARG(since)));
}

static void write_when(struct buf *out, const struct calendar_event *event, const struct zone *zone)
{
    struct civil from = zone_to_local(zone, event->start_ms / 1000);
    struct civil to = zone_to_local(zone, event->end_ms / 1000);

    buf_printf(out, "- %04d-%02d-%02d %02d:%02d–%02d:%02d %.*s\n", from.year, from.month, from.day,
        from.hour, from.minute, to.hour, to.minute, STR_ARG(event->summary));
}

/* What was booked from this chat, in its zone. */
static int agenda(struct bot_job *job)
{
    const struct bot_options *options = &job->bot->options;
    const struct zone *zone = chat_zone(job->chat);
    int64_t now = env_wall_ms(options->env);
    struct buf out = BUF_IN(job->arena);
    struct calendar_page page = {.cursor = STR("")};
    int count = 0;

    do {
        int rc = calendar_list(options->calendar, options->workspace_id, now,
            now + AGENDA_DAYS * DAY_MS, false, NOTES_PAGE, page.cursor, job->arena, &page);

        if (rc < 0)
            return rc;
        for (size_t i = 0; i < page.count && count < AGENDA_MAX; i++)
            if (str_eq(page.events[i].session_id, job->work->row.session_id)) {
                write_when(&out, &page.events[i], zone);
                count++;
            }
    } while (!str_empty(page.cursor) && count < AGENDA_MAX);
    if (count == 0)
        return job_say(job, say(job->language, SAY_AGENDA_NONE));
    return job_say(
        job, str_printf(job->arena, "%.*s\n\n%.*s",
                 STR_ARG(say_with(job->arena, job->language, SAY_AGENDA, zone_name(zone))),
                 STR_ARG(buf_str(&out))));
}

/* The note's id is the update's, so that it is made once. */
static int remember(struct bot_job *job)
{
    struct memory_row row = {.workspace_id = job->bot->options.workspace_id,
        .id = str_printf(job->arena, "note-%.*s", STR_ARG(job->work->row.id)),
        .session_id = job->work->row.session_id,
        .kind = STR("fact"),
        .state = STR("active"),
        .subject_kind = STR("chat"),
        .subject = STR(""),
        .body = utf8_truncate(job->update.arguments, MEMORY_BODY_MAX),
        .source = STR("tool"),
        .run_id = STR(""),
        .message_seq = json_get_i64(job->note, "seq", 0)};
    int rc;

    if (str_empty(row.body))
        return job_say(job, say(job->language, SAY_REMEMBER_WHAT));
    rc = memory_add(job->bot->options.store, job->bot->options.env, job->arena, &row);
    job->chat->stale = true; /* its row says now that it has notes */
    return rc < 0 ? rc : job_say(job, say(job->language, SAY_REMEMBERED));
}

static int collect_forgotten(
    struct bot_job *job, struct str words, struct store_batch *batch, int64_t *count)
{
    struct store_query query = {.entity = STORE_MEMORIES,
        .workspace_id = job->bot->options.workspace_id,
        .index = 0,
        .value = job->work->row.session_id,
        .limit = NOTES_PAGE,
        .cursor = STR("")};
    bool all = str_eq_nocase(words, STR("all"));
    struct store_page page;

    do {
        int rc = store_list(job->bot->options.store, &query, job->arena, &page);

        if (rc < 0)
            return rc;
        for (size_t i = 0; i < page.count; i++) {
            const struct memory_row *row = (const struct memory_row *)page.rows + i;

            if (all ||
                (!str_is(row->kind, "summary") && str_find_nocase(row->body, words, 0) >= 0)) {
                store_delete(batch, STORE_MEMORIES, row);
                *count += !str_is(row->kind, "summary");
            }
        }
        query.cursor = page.cursor;
    } while (!str_empty(page.cursor));
    return 0;
}

/* 1, 0 or ERR_*. */
static int is_in_charge(struct bot_job *job)
{
    if (job->update.chat == CHANNEL_PRIVATE || access_is_listed(job->bot, job->update.from.id))
        return 1;
    return channel_ops_of(job->channel)
        ->is_admin(job->channel, job->chat->key, job->update.from.id);
}

static int forget(struct bot_job *job)
{
    struct str words = str_trim(job->update.arguments);
    struct store_batch batch;
    struct outbox_post post;
    int64_t count = 0;
    int rc = is_in_charge(job);

    if (rc < 0)
        return rc;
    if (rc == 0)
        return job_say(job, say(job->language, SAY_ADMINS_ONLY));
    if (str_empty(words))
        return job_say(job, say(job->language, SAY_FORGET_WHAT));
    store_batch_init(&batch, job->arena);
    rc = collect_forgotten(job, words, &batch, &count);
    if (rc < 0)
        return rc;
    post = job_post(job, "say",
        say_with(job->arena, job->language, SAY_FORGOT,
            str_printf(job->arena, "%lld", (long long)count)));
    outbox_put(job->bot->options.outbox, &batch, &post);
    return job_done(job, &batch);
}

static int status(struct bot_job *job)
{
    const struct bot_options *options = &job->bot->options;
    int64_t begun = env_mono_ms(options->env);
    int rc = store_health(options->store);
    struct str lines = str_printf(job->arena,
        "- store: %s\n- model: %s\n- messages here: %lld\n- %s", rc == 0 ? "ok" : "not well",
        options->config->model, (long long)job->chat->row.message_count,
        job->chat->settings.manner == BOT_ASKED ? "I answer only when asked"
                                                : "I read along and speak when it helps");

    log_debug("bot.status", LOG_I64("ms", env_mono_ms(options->env) - begun));
    return job_say(job, say_with(job->arena, job->language, SAY_STATUS, lines));
}

static int privacy(struct bot_job *job)
{
    return job_say(job, say(job->language, SAY_PRIVACY));
}

static void write_services(struct buf *out, const struct bot_settings *settings)
{
    int64_t at = settings->digest_at - 1;

    if (at < 0)
        buf_add_cstr(out, "\n- digest: off");
    else
        buf_printf(out, "\n- digest: %02d:%02d", (int)at / 60, (int)at % 60);
    if (settings->brief_minutes < 0)
        buf_add_cstr(out, "\n- brief: off");
    else
        buf_printf(out, "\n- brief: %lld",
            (long long)(settings->brief_minutes ? settings->brief_minutes : BRIEF_MINUTES));
}

static void write_settings(
    struct buf *out, const struct bot *bot, const struct bot_settings *settings)
{
    static const char *const manners[] = {"normal", "eager", "asked"};

    buf_printf(out,
        "- speak: %s\n- language: %.*s\n- timezone: %.*s\n- quiet: ", manners[settings->manner],
        STR_ARG(str_empty(settings->language) ? STR("auto") : settings->language),
        STR_ARG(zone_name(settings_zone(bot, settings))));
    if (settings->quiet_from == settings->quiet_to)
        buf_add_cstr(out, "off");
    else
        buf_printf(out, "%02d:%02d-%02d:%02d", (int)settings->quiet_from / 60,
            (int)settings->quiet_from % 60, (int)settings->quiet_to / 60,
            (int)settings->quiet_to % 60);
    write_services(out, settings);
}

/* "18:00" or "off". */
static bool read_digest(struct str value, struct bot_settings *settings)
{
    int64_t hour, minute;
    struct str rest = value, one;

    settings->digest_at = 0;
    if (str_eq_nocase(value, STR("off")))
        return true;
    if (!str_next(&rest, ':', &one) || !str_to_i64(one, &hour) || !str_to_i64(rest, &minute) ||
        hour < 0 || hour > 23 || minute < 0 || minute > 59)
        return false;
    settings->digest_at = hour * 60 + minute + 1;
    return true;
}

/* Minutes, or "off". */
static bool read_brief(struct str value, struct bot_settings *settings)
{
    settings->brief_minutes = -1;
    return str_eq_nocase(value, STR("off")) ||
           (str_to_i64(value, &settings->brief_minutes) && settings->brief_minutes > 0 &&
               settings->brief_minutes <= BRIEF_MINUTES_MAX);
}

/* "20:00-08:00" in minutes of the day. */
static bool read_hours(struct str text, int64_t *ret_from, int64_t *ret_to)
{
    int64_t values[4];
    struct str rest = text, one;

    for (int i = 0; i < 4; i++) {
        if (!str_next(&rest, i == 1 ? '-' : ':', &one) || !str_to_i64(str_trim(one), &values[i]))
            return false;
        if (values[i] < 0 || values[i] > (i % 2 ? 59 : 23))
            return false;
    }
    *ret_from = values[0] * 60 + values[1];
    *ret_to = values[2] * 60 + values[3];
    return rest.ptr == NULL && *ret_from != *ret_to;
}

static bool change(struct bot_settings *settings, struct str name, struct str value)
{
    static const char *const manners[] = {"normal", "eager", "asked"};

    if (str_eq_nocase(name, STR("speak"))) {
        for (int i = 0; i < 3; i++)
            if (str_eq_nocase(value, str_from(manners[i]))) {
                settings->manner = (enum bot_manner)i;
                return true;
            }
        return false;
    }
    if (str_eq_nocase(name, STR("language"))) {
        bool automatic = str_eq_nocase(value, STR("auto"));

        settings->language = automatic ? STR("") : value;
        return automatic ||
               (value.len == 2 &&
                   str_eq_nocase(str_from(say_language_tag(say_language(value))), value));
    }
    if (str_eq_nocase(name, STR("timezone"))) {
        const struct zone *zone = zone_get(value) ? zone_get(value) : zone_guess(value);

        settings->time_zone = zone ? zone_name(zone) : STR("");
        return zone != NULL;
    }
    if (str_eq_nocase(name, STR("digest")))
        return read_digest(value, settings);
    if (str_eq_nocase(name, STR("brief")))
        return read_brief(value, settings);
    if (!str_eq_nocase(name, STR("quiet")))
        return false;
    settings->quiet_from = settings->quiet_to = 0;
    return str_eq_nocase(value, STR("off")) ||
           read_hours(value, &settings->quiet_from, &settings->quiet_to);
}

/* The chat's row may have moved on: then it is read and changed again. */
static int store_settings(struct bot_job *job, struct str name, struct str value)
{
    struct bot_chat *chat = job->chat;
    struct bot_settings settings;
    struct store_batch batch;
    struct outbox_post post;
    struct buf out = BUF_IN(job->arena);
    int rc = semaphore_take(&chat->lock, FIBER_NO_DEADLINE);

    if (rc < 0)
        return rc;
    rc = chat_load(chat);
    settings = chat->settings;
    if (rc == 0)
        (void)change(&settings, name, value); /* it was tried before */
    store_batch_init(&batch, job->arena);
    if (rc == 0) {
        chat_put(chat, &batch, &settings, job->arena);
        if (!str_empty(settings.language))
            job->language = say_language(settings.language);
        write_settings(&out, job->bot, &settings);
        post =
            job_post(job, "say", say_with(job->arena, job->language, SAY_SETTINGS, buf_str(&out)));
        outbox_put(job->bot->options.outbox, &batch, &post);
        rc = digest_plan(job, &settings, &batch);
    }
    if (rc == 0)
        rc = job_done(job, &batch);
    chat->stale = true;
    semaphore_give(&chat->lock);
    return rc;
}

static int settings(struct bot_job *job)
{
    struct str value = job->update.arguments, name;
    struct bot_settings trial = job->chat->settings;
    struct buf out = BUF_IN(job->arena);
    int rc;

    write_settings(&out, job->bot, &trial);
    if (str_empty(value))
        return job_say(job, say_with(job->arena, job->language, SAY_SETTINGS, buf_str(&out)));
    (void)str_next(&value, ' ', &name);
    value = str_trim(value);
    if (!change(&trial, name, value))
        return job_say(job, say_with(job->arena, job->language, SAY_SETTING_WRONG,
                                utf8_truncate(job->update.arguments, 80)));
    rc = is_in_charge(job);
    if (rc == 0)
        return job_say(job, say(job->language, SAY_ADMINS_ONLY));
    return rc < 0 ? rc : store_settings(job, name, value);
}

static int help(struct bot_job *job);

struct command {
    const char *name;
    enum say_id help;
    int (*fn)(struct bot_job *job);
};

static const struct command commands[] = {
    {"start", SAY_CMD_START, hello},
    {"help", SAY_CMD_HELP, help},
    {"ask", SAY_CMD_ASK, ask},
    {"schedule", SAY_CMD_SCHEDULE, schedule},
    {"poll", SAY_CMD_POLL, poll_say},
    {"agenda", SAY_CMD_AGENDA, agenda},
    {"remind", SAY_CMD_REMIND, remind_command},
    {"summary", SAY_CMD_SUMMARY, summary},
    {"contacts", SAY_CMD_CONTACTS, contacts_command},
    {"deals", SAY_CMD_DEALS, deals_command},
    {"deal", SAY_CMD_DEAL, deal_command},
    {"remember", SAY_CMD_REMEMBER, remember},
    {"forget", SAY_CMD_FORGET, forget},
    {"settings", SAY_CMD_SETTINGS, settings},
    {"status", SAY_CMD_STATUS, status},
    {"privacy", SAY_CMD_PRIVACY, privacy},
};

static int help(struct bot_job *job)
{
    struct buf out = BUF_IN(job->arena);

    buf_add_str(&out, say_with(job->arena, job->language, SAY_HELP,
                          str_from(job->bot->options.config->agent_name)));
    buf_add_cstr(&out, "\n\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        buf_printf(
            &out, "/%s – %.*s\n", commands[i].name, STR_ARG(say(job->language, commands[i].help)));
    return job_say(job, buf_str(&out));
}

static const struct command *find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (str_eq_nocase(name, str_from(commands[i].name)))
            return &commands[i];
    return NULL;
}

bool command_known(const struct bot *bot, struct str name)
{
    (void)bot;
    return find(name) != NULL;
}

int command_job(struct bot_job *job)
{
    const struct command *command = find(job->update.command);

    return command ? command->fn(job) : help(job);
}

/* A code lets a chat in once; alone nobody votes. */
bool bot_command_is_in(size_t i, enum bot_menu menu)
{
    return strcmp(commands[i].name, menu == BOT_MENU_PRIVATE ? "poll" : "start") != 0;
}

size_t bot_command_count(void)
{
    return ARRAY_LEN(commands);
}

void bot_command(size_t i, enum say_language language, struct str *ret_name, struct str *ret_help)
{
    *ret_name = str_from(commands[i].name);
    *ret_help = say(language, commands[i].help);
}
