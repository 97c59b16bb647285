/* Due schedules: claimed, done, moved on. */
#include "bot/service.h"

#include "runtime/errinj.h"

#define CLAIM_LEASE_MS (60 * SECOND_MS)
#define CLAIM_COUNT 20
#define ATTEMPTS_MAX 5
#define BACK_OFF_MS (10 * SECOND_MS)
#define LOOK_EVERY_MS (10 * SECOND_MS)
/* Rows at their end: they keep what was done from being made again. */
#define KEPT_MS (30 * DAY_MS)
#define PAGE 100

static const struct service {
    const char *kind;
    int (*due)(struct service_due *due);
} services[] = {
    {"digest", digest_due},
    {"reminder", remind_due},
    {"brief", brief_due},
    {"actions", actions_due},
};

int64_t service_next(const struct zone *zone, int64_t minute, int64_t after_ms)
{
    struct civil local = zone_to_local(zone, after_ms / 1000);
    int64_t days = civil_to_days(local.year, local.month, local.day);

    for (int i = 0; i < 3; i++) {
        struct civil day = civil_from_s((days + i) * 24 * 3600 + minute * 60);
        int64_t at = zone_to_utc(zone, &day) * 1000;

        if (at > after_ms)
            return at;
    }
    return after_ms + DAY_MS;
}

struct str service_day(struct arena *arena, int64_t at_ms, const struct zone *zone)
{
    struct str text = when_format(arena, at_ms, 0, zone);
    ptrdiff_t comma = str_find_char(text, ',', 0);

    return comma < 0 ? text : str_slice(text, 0, (size_t)comma);
}

struct schedule_row service_row(const struct bot *bot, struct str kind, struct str id,
    struct str session_id, int64_t at_ms, struct str payload)
{
    int64_t now = env_wall_ms(bot->options.env);

    return (struct schedule_row){
        .workspace_id = bot->options.workspace_id,
        .id = id,
        .version = 1,
        .kind = kind,
        .state = STR("active"),
        .session_id = session_id,
        .user_id = STR(""),
        .rule = STR(""),
        .time_zone = STR(""),
        .payload = payload,
        .error = STR(""),
        .owner = STR(""),
        .due_at = at_ms,
        .created_at = now,
        .updated_at = now,
    };
}

int service_make(struct bot *bot, const struct schedule_row *row, struct arena *arena)
{
    struct schedule_row there;
    struct store_batch batch;
    int rc =
        store_get(bot->options.store, STORE_SCHEDULES, row->workspace_id, row->id, arena, &there);

    if (rc != STORE_MISSING)
        return rc;
    store_batch_init(&batch, arena);
    store_insert(&batch, STORE_SCHEDULES, row);
    return MIN(store_commit(bot->options.store, &batch), 0);
}

/* The chat's part of its key: "telegram|BOT|CHAT|TOPIC". */
static struct str chat_id_of(struct str key)
{
    struct str part = STR("");

    for (int i = 0; i < 3; i++)
        if (!str_next(&key, '|', &part))
            return STR("");
    return part;
}

int service_session(struct bot *bot, struct str session_id, struct arena *arena,
    struct chat_session_row *ret_session, struct bot_settings *ret_settings, bool *ret_ours)
{
    struct chat_session_row session;
    struct bot_settings settings;
    int rc = store_get(bot->options.store, STORE_CHAT_SESSIONS, bot->options.workspace_id,
        session_id, arena, &session);

    if (rc < 0)
        return rc;
    *ret_ours = false;
    if (rc == STORE_MISSING || !bot_channel(bot, session.channel))
        return 0;
    settings = settings_read(session.state, arena);
    *ret_ours =
        !settings.gone && (settings.paired || access_is_listed(bot, chat_id_of(session.chat_key)));
    *ret_session = session;
    *ret_settings = settings;
    return 0;
}

static void reverse(struct message_row *rows, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct message_row row = rows[i];

        rows[i] = rows[count - 1 - i];
        rows[count - 1 - i] = row;
    }
}

int service_messages(struct bot *bot, struct str session_id, int64_t since_ms, size_t max,
    struct arena *arena, struct message_row **ret_rows, size_t *ret_count)
{
    struct store_query query = {.entity = STORE_MESSAGES,
        .workspace_id = bot->options.workspace_id,
        .index = STORE_CHILDREN,
        .value = session_id,
        .descending = true,
        .limit = PAGE,
        .cursor = STR("")};
    struct message_row *rows = arena_array(arena, struct message_row, max + PAGE);
    size_t count = 0;
    bool over = false;

    do {
        struct store_page page;
        int rc = messages_list(bot->options.store, &query, arena, &page);

        if (rc < 0)
            return rc;
        for (size_t i = 0; i < page.count && !over; i++) {
            const struct message_row *row = (const struct message_row *)page.rows + i;

            over = row->created_at < since_ms || count == max;
            if (!over)
                rows[count++] = *row;
        }
        query.cursor = page.cursor;
    } while (!over && !str_empty(query.cursor));
    reverse(rows, count);
    *ret_rows = rows;
    *ret_count = count;
    return 0;
}

struct transcript service_talk(const struct message_row *rows, size_t count, struct arena *arena)
{
    struct transcript talk = {arena_array(arena, struct chat_message, count + 1), 0};

    for (size_t i = 0; i < count; i++)
        if (!str_is(rows[i].direction, "out") && !str_empty(rows[i].body) &&
            !str_starts(rows[i].body, STR("/")))
            talk.messages[talk.count++] = (struct chat_message){
                rows[i].author, rows[i].body, rows[i].at ? rows[i].at : rows[i].created_at};
    return talk;
}

static struct outbox_post post_of(const struct service_due *due, struct str text)
{
    return (struct outbox_post){.kind = OUTBOX_TEXT,
        .id = str_printf(due->arena, "%.*s|%lld", STR_ARG(due->row.id), (long long)due->at_ms),
        .chat_key = due->session.chat_key,
        .session_id = due->session.id,
        .body = text,
        .reply_to = json_get_str(due->note, "reply_to"),
        .quiet = settings_quiet(&due->settings, due->zone, due->now_ms)};
}

int service_end(struct service_due *due, struct str text, int64_t next_ms, struct str payload)
{
    struct bot *bot = due->bot;
    struct schedule_row row = due->row;
    struct outbox_post post = post_of(due, text);
    struct store_batch batch;
    int rc;

    row.state = next_ms > 0 ? STR("active") : STR("done");
    row.payload = next_ms > 0 ? payload : STR("");
    row.due_at = next_ms > 0 ? next_ms : due->now_ms;
    row.last_at = due->at_ms;
    row.updated_at = due->now_ms;
    row.attempts = 0;
    row.error = STR("");
    store_batch_init(&batch, due->arena);
    if (!str_empty(text))
        outbox_put(bot->options.outbox, &batch, &post);
    store_update(&batch, STORE_SCHEDULES, &row);
    if (errinj("bot.service"))
        return err_set(ERR_IO, "Injected fault: what was due is about to be done.");
    rc = store_commit(bot->options.store, &batch);
    if (rc == 0 && errinj("bot.service_done"))
        return err_set(ERR_IO, "Injected fault: what was due is done.");
    if (rc == 0 && !str_empty(text))
        bot_kick(bot, due->session.chat_key, due->session.id);
    if (rc > 0)
        log_info("bot.service_taken", LOG_STR("schedule", row.id));
    return MIN(rc, 0);
}

static int change(struct bot *bot, const struct schedule_row *row, struct arena *arena)
{
    struct store_batch batch;

    store_batch_init(&batch, arena);
    store_update(&batch, STORE_SCHEDULES, row);
    return MIN(store_commit(bot->options.store, &batch), 0);
}

static int do_due(struct service_due *due)
{
    bool ours;
    int rc;

    if (str_empty(due->row.payload) || json_parse(due->arena, due->row.payload, &due->note) < 0)
        due->note = NULL;
    due->at_ms = json_get_i64(due->note, "at", due->now_ms);
    if (due->at_ms > due->now_ms) { /* claimed as a dead process's, and not due at all */
        due->row.due_at = due->at_ms;
        return change(due->bot, &due->row, due->arena);
    }
    rc = service_session(
        due->bot, due->row.session_id, due->arena, &due->session, &due->settings, &ours);
    if (rc < 0)
        return rc;
    if (!ours)
        return service_end(due, STR(""), 0, STR(""));
    due->zone = settings_zone(due->bot, &due->settings);
    due->language =
        say_language(str_empty(due->settings.language) ? json_get_str(due->note, "language")
                                                       : due->settings.language);
    for (size_t i = 0; i < ARRAY_LEN(services); i++)
        if (str_is(due->row.kind, services[i].kind))
            return services[i].due(due);
    return service_end(due, STR(""), 0, STR(""));
}

/* Tried again later; what fails always is given up, unless it comes again anyway. */
static void put_back(struct service_due *due)
{
    struct schedule_row row = due->row;

    row.attempts++;
    row.error = str_dup(due->arena, str_from(err_message()));
    row.due_at = due->now_ms + BACK_OFF_MS * row.attempts;
    if (row.attempts >= ATTEMPTS_MAX && str_empty(row.rule))
        row.state = STR("failed");
    else if (row.attempts >= ATTEMPTS_MAX)
        row.due_at = due->now_ms + HOUR_MS;
    log_warn("bot.service_failed", LOG_STR("schedule", row.id), LOG_I64("attempts", row.attempts),
        LOG_ERR);
    if (change(due->bot, &row, due->arena) < 0)
        log_warn("bot.service_not_put_back", LOG_ERR); /* its lease ends */
}

struct doing {
    struct bot *bot;
    struct schedule_row row;
};

static void do_one(void *arg)
{
    struct doing *doing = arg;
    struct arena arena;
    struct service_due due = {.bot = doing->bot,
        .arena = &arena,
        .row = doing->row,
        .now_ms = env_wall_ms(doing->bot->options.env)};

    arena_init(&arena);
    if (do_due(&due) < 0)
        put_back(&due);
    arena_deinit(&arena);
}

/* Side by side: a model may have to write one, and nobody's reminder waits for that. */
static int claim_some(struct bot *bot, bool all, size_t *ret_count)
{
    int64_t now = env_wall_ms(bot->options.env);
    struct store_claim claim = {.entity = STORE_SCHEDULES,
        .workspace_id = bot->options.workspace_id,
        .index = 0,
        .value = STR("active"),
        .now_ms = now + (all ? CLAIM_LEASE_MS : 0),
        .lease_ms = CLAIM_LEASE_MS,
        .owner = bot->options.owner.id,
        .limit = CLAIM_COUNT};
    struct fiber *fibers[CLAIM_COUNT];
    struct doing doings[CLAIM_COUNT];
    struct store_page page;
    struct arena arena;
    int rc;

    arena_init(&arena);
    rc = store_claim(bot->options.store, &claim, &arena, &page);
    for (size_t i = 0; rc == 0 && i < page.count; i++) {
        doings[i] = (struct doing){bot, ((struct schedule_row *)page.rows)[i]};
        fibers[i] = fiber_spawn_joinable(fiber_loop(), "bot.service", do_one, &doings[i]);
    }
    if (rc == 0)
        fiber_join_all(fibers, page.count);
    *ret_count = rc == 0 ? page.count : 0;
    arena_deinit(&arena);
    return rc;
}

/* What is to come is looked for now and then. */
static int look(struct bot *bot)
{
    int64_t now = env_mono_ms(bot->options.env);
    int rc;

    if (bot->services.looked_ms > 0 && now - bot->services.looked_ms < LOOK_EVERY_MS)
        return 0;
    bot->services.looked_ms = now;
    rc = brief_look_ahead(bot);
    if (rc == 0)
        rc = remind_from_notes(bot);
    if (rc == 0)
        rc = bot_purge(bot, STORE_SCHEDULES, sizeof(struct schedule_row),
            env_wall_ms(bot->options.env) - KEPT_MS);
    return rc;
}

int service_sweep(struct bot *bot, bool all)
{
    int rc = look(bot);
    size_t count = 0;

    if (rc < 0)
        return rc;
    do
        rc = claim_some(bot, all, &count);
    while (rc == 0 && count == CLAIM_COUNT && !all);
    return rc;
}
