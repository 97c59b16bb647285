/* The work of a chat, one piece after the other; presses of buttons are seen to at once, beside it.
 * Its row says whose it is until when; while it is done that is prolonged, and the commit of its
 * outcome ends it. */
#include "bot/service.h"
#include "runtime/errinj.h"

#define LEASE_MS (30 * SECOND_MS)
#define RENEW_MS (10 * SECOND_MS)
#define ATTEMPTS_MAX 5
#define TRIES 3
#define BACK_OFF_MS (5 * SECOND_MS)
/* Presses of one chat at a time; more wait as other work does. */
#define PRESSES_MAX 16

struct bot_work *work_new(const struct inbox_row *row)
{
    struct bot_work *work = xcalloc(1, sizeof(*work));
    struct arena *arena = &work->arena;

    arena_init(arena);
    work->row = *row;
    work->row.workspace_id = str_dup(arena, row->workspace_id);
    work->row.id = str_dup(arena, row->id);
    work->row.state = str_dup(arena, row->state);
    work->row.channel = str_dup(arena, row->channel);
    work->row.chat_key = str_dup(arena, row->chat_key);
    work->row.session_id = str_dup(arena, row->session_id);
    work->row.payload = str_dup(arena, row->payload);
    work->row.error = str_dup(arena, row->error);
    work->row.owner = str_dup(arena, row->owner);
    work->row.sealed = STR("");
    return work;
}

void work_free(struct bot_work *work)
{
    arena_deinit(&work->arena);
    free(work);
}

void work_forget(struct bot_chat *chat)
{
    while (chat->first) {
        struct bot_work *work = chat->first;

        chat->first = work->next;
        work_free(work);
    }
    chat->last = NULL;
}

void job_put_done(struct bot_job *job, struct store_batch *batch)
{
    struct inbox_row *row = arena_new(batch->arena, struct inbox_row);

    *row = job->work->row;
    row->state = STR("done");
    row->payload = STR("");
    row->chat_key = row->session_id = STR(""); /* it waits for nothing: out of the chat's list */
    row->due_at = row->expires_at;
    store_update(batch, STORE_INBOX, row);
}

int job_done(struct bot_job *job, struct store_batch *batch)
{
    int rc;

    job_put_done(job, batch);
    rc = store_commit(job->bot->options.store, batch);
    if (rc == 0 || rc == STORE_EXISTS) /* it was said before: by who did the same work */
        job->work->done = true;
    if (rc == 0)
        outbox_kick(job->bot->options.outbox, job->chat->key, job->work->row.session_id);
    return rc > 0 && rc != STORE_EXISTS ? err_set(ERR_CONFLICT, "Another process does this work.")
                                        : MIN(rc, 0);
}

struct outbox_post job_post(struct bot_job *job, const char *name, struct str body)
{
    return (struct outbox_post){.kind = OUTBOX_TEXT,
        .id = str_printf(job->arena, "%.*s|%s", STR_ARG(job->work->row.id), name),
        .chat_key = job->chat->key,
        .session_id = job->work->row.session_id,
        .body = body,
        .reply_to = job->update.chat == CHANNEL_PRIVATE || job->update.kind != CHANNEL_MESSAGE
                        ? STR("")
                        : job->update.message_id};
}

int job_say(struct bot_job *job, struct str text)
{
    struct outbox_post post = job_post(job, "say", text);
    struct store_batch batch;

    store_batch_init(&batch, job->arena);
    outbox_put(job->bot->options.outbox, &batch, &post);
    return job_done(job, &batch);
}

/* *at: the work, as long as it is done. */
static void renew_once(struct bot_chat *chat, struct bot_work *const *at)
{
    struct bot_work *work = *at;
    struct store_batch batch;
    struct arena arena;
    struct inbox_row row;

    if (!work || work->done)
        return;
    arena_init(&arena);
    row = work->row;
    row.due_at = env_wall_ms(chat->lane->bot->options.env) + LEASE_MS;
    store_batch_init(&batch, &arena);
    store_update(&batch, STORE_INBOX, &row);
    fiber_shield();
    if (store_commit(chat->lane->bot->options.store, &batch) == 0 && *at == work) {
        work->row.due_at = row.due_at;
        work->row.version++;
    }
    fiber_unshield();
    arena_deinit(&arena);
}

/* Nobody else takes the work while it is done. */
static void renew(void *arg)
{
    struct bot_chat *chat = arg;

    while (fiber_sleep(RENEW_MS) == 0)
        renew_once(chat, &chat->current);
}

static void renew_press(void *arg)
{
    struct bot_work *work = arg;

    while (fiber_sleep(RENEW_MS) == 0)
        renew_once(work->chat, &work);
}

static int refuse_stranger(struct bot_job *job)
{
    return job_say(job, say(job->language, SAY_PRIVATE));
}

static int welcome(struct bot_job *job)
{
    return job_say(job, say_with(job->arena, job->language, SAY_WELCOME,
                            str_from(job->bot->options.config->agent_name)));
}

/* The session is made when the code holds; a code is used up before, so a crash in between asks
 * for another one. */
static int pair(struct bot_job *job)
{
    struct bot_chat *chat = job->chat;
    struct str code = job->update.arguments;
    struct bot_settings settings;
    struct store_batch batch;
    struct outbox_post post;
    int rc = access_take_code(job->bot, code);

    if (rc == 0)
        return job_say(job, say(job->language, SAY_WRONG_CODE));
    if (rc < 0)
        return rc;
    rc = semaphore_take(&chat->lock, FIBER_NO_DEADLINE);
    if (rc < 0)
        return rc;
    rc = chat_load(chat);
    store_batch_init(&batch, job->arena);
    if (rc == 0 && chat->row.version == 0) {
        chat_begin(chat, &job->update);
        settings = chat->settings;
        settings.paired = settings.introduced = true;
        chat->row.state = settings_write(&settings, chat->row.state, job->arena);
        store_insert(&batch, STORE_CHAT_SESSIONS, &chat->row);
    } else if (rc == 0) {
        settings = chat->settings;
        settings.paired = settings.introduced = true;
        chat_put(chat, &batch, &settings, job->arena);
    }
    post = job_post(job, "say",
        say_with(
            job->arena, job->language, SAY_PAIRED, str_from(job->bot->options.config->agent_name)));
    post.session_id = chat->row.id;
    job->work->row.session_id = str_dup(&job->work->arena, chat->row.id);
    if (rc == 0) {
        outbox_put(job->bot->options.outbox, &batch, &post);
        rc = job_done(job, &batch);
    }
    chat->stale = true;
    semaphore_give(&chat->lock);
    return rc;
}

static int do_deed(struct bot_job *job, struct str deed)
{
    if (str_is(deed, "answer"))
        return answer_job(job);
    if (str_is(deed, "command"))
        return command_job(job);
    if (str_is(deed, "press"))
        return press_job(job);
    if (str_is(deed, "file"))
        return file_job(job);
    if (str_is(deed, "slow"))
        return job_say(job, say(job->language, SAY_SLOW));
    if (str_is(deed, "feedback"))
        return feedback_job(job);
    if (str_is(deed, "decided"))
        return decided_job(job);
    if (str_is(deed, "remind"))
        return remind_job(job);
    if (str_is(deed, "refuse"))
        return refuse_stranger(job);
    if (str_is(deed, "pair"))
        return pair(job);
    return welcome(job);
}

/* Others read and write the chat meanwhile, another process too. */
static int load(struct bot_chat *chat, struct arena *arena)
{
    const struct bot_options *options = &chat->lane->bot->options;
    struct chat_session_row row;
    int rc = semaphore_take(&chat->lock, FIBER_NO_DEADLINE);

    if (rc < 0)
        return rc;
    if (chat->loaded && chat->row.version > 0) {
        rc = store_get(options->store, STORE_CHAT_SESSIONS, options->workspace_id,
            str_dup(arena, chat->row.id), arena, &row);
        if (rc != 0 || row.version != chat->row.version)
            chat->stale = true;
    }
    if (rc >= 0)
        rc = chat_load(chat);
    semaphore_give(&chat->lock);
    return rc;
}

static int work_on(struct bot_chat *chat, struct bot_work *work, struct arena *arena)
{
    struct bot *bot = chat->lane->bot;
    struct bot_job job = {.bot = bot,
        .lane = chat->lane,
        .chat = chat,
        .work = work,
        .arena = arena,
        .channel = bot_channel(bot, work->row.channel)};
    int rc = json_parse(arena, work->row.payload, &job.note);

    if (rc == 0 && !job.channel)
        rc = err_set(ERR_INVALID, "The channel is not configured any more.");
    job.update.channel = work->row.channel;
    if (rc == 0 && json_get(job.note, "update"))
        rc = channel_ops_of(job.channel)
                 ->read(job.channel, json_text(arena, json_get(job.note, "update")), arena,
                     &job.update);
    if (rc == 0)
        rc = load(chat, arena);
    if (rc < 0)
        return rc;
    if (str_empty(work->row.session_id) && chat->row.version > 0)
        work->row.session_id = str_dup(&work->arena, chat->row.id);
    job.language = say_language(
        str_empty(chat->settings.language) ? job.update.from.language : chat->settings.language);
    if (errinj("bot.work"))
        return err_set(ERR_IO, "Injected fault: the work is about to be done.");
    return do_deed(&job, json_get_str(job.note, "do"));
}

/* What failed is tried again later, by whoever comes first; what fails always is given up. */
static void put_back(struct bot_chat *chat, struct bot_work *work)
{
    const struct bot_options *options = &chat->lane->bot->options;
    struct inbox_row row = work->row;
    struct store_batch batch;
    struct arena arena;

    arena_init(&arena);
    row.attempts++;
    row.error = str_dup(&arena, str_from(err_message()));
    row.due_at = env_wall_ms(options->env) + BACK_OFF_MS * row.attempts;
    if (row.attempts >= ATTEMPTS_MAX)
        row.state = STR("failed");
    log_warn(
        "bot.work_failed", LOG_STR("update", row.id), LOG_I64("attempts", row.attempts), LOG_ERR);
    store_batch_init(&batch, &arena);
    store_update(&batch, STORE_INBOX, &row);
    if (store_commit(options->store, &batch) < 0)
        log_warn("bot.not_put_back", LOG_ERR); /* its lease ends */
    arena_deinit(&arena);
}

static void end_keeper(struct fiber *keeper)
{
    fiber_cancel(keeper);
    while (fiber_join(keeper) != 0)
        continue;
}

/* Another process may write to the chat between reading and writing: then it is done once more. */
static void do_work(struct bot_chat *chat, struct bot_work *work)
{
    int rc = ERR_CONFLICT;

    for (int i = 0; i < TRIES && rc == ERR_CONFLICT && !work->done; i++) {
        struct arena arena;

        arena_init(&arena);
        rc = work_on(chat, work, &arena);
        arena_deinit(&arena);
    }
    if (rc < 0 && !work->done)
        put_back(chat, work);
}

/* The service stops: another process goes on with what waits as soon as it sweeps. */
static void give_back(struct bot_chat *chat)
{
    const struct bot_options *options = &chat->lane->bot->options;

    fiber_shield();
    while (chat->first) {
        struct bot_work *work = chat->first;
        struct store_batch batch;
        struct arena arena;

        chat->first = work->next;
        arena_init(&arena);
        work->row.due_at = env_wall_ms(options->env);
        store_batch_init(&batch, &arena);
        store_update(&batch, STORE_INBOX, &work->row);
        if (store_commit(options->store, &batch) < 0)
            log_debug("bot.not_given_back", LOG_ERR); /* its lease ends */
        arena_deinit(&arena);
        work_free(work);
    }
    chat->last = NULL;
    fiber_unshield();
}

static void work_off(struct bot_chat *chat)
{
    struct fiber *keeper = fiber_spawn_joinable(chat->lane->loop, "bot.lease", renew, chat);
    struct bot_work *work;

    while ((work = turn_next(chat))) {
        chat->current = work;
        if (work->row.due_at - env_wall_ms(chat->lane->bot->options.env) < LEASE_MS - RENEW_MS)
            renew_once(chat, &chat->current);
        do_work(chat, work);
        chat->current = NULL;
        work_free(work);
    }
    give_back(chat);
    end_keeper(keeper);
}

static void work_through(void *arg)
{
    struct bot_chat *chat = arg;

    do /* more may come while the end is made */
        work_off(chat);
    while (chat->first && !__atomic_load_n(&chat->lane->draining, __ATOMIC_RELAXED));
    chat->working = false;
    chat->lane->at_work--;
    chat_release(chat);
}

static void press_through(void *arg)
{
    struct bot_work *work = arg, **at;
    struct bot_chat *chat = work->chat;
    struct fiber *keeper = fiber_spawn_joinable(chat->lane->loop, "bot.lease", renew_press, work);

    do_work(chat, work);
    end_keeper(keeper);
    for (at = &chat->presses; *at != work; at = &(*at)->next)
        continue;
    *at = work->next;
    work_free(work);
    chat->press_count--;
    chat->lane->at_work--;
    chat_release(chat);
}

/* take.c writes what is to be done first. */
static bool is_press(const struct bot_work *work)
{
    return str_starts(work->row.payload, STR("{\"do\":\"press\""));
}

static void begin_press(struct bot_chat *chat, struct bot_work *work)
{
    work->chat = chat;
    work->next = chat->presses;
    chat->presses = work;
    chat->press_count++;
    chat->users++;
    chat->lane->at_work++;
    fiber_spawn(chat->lane->loop, "bot.press", press_through, work);
}

static bool is_queued(const struct bot_chat *chat, struct str id)
{
    if (chat->current && str_eq(chat->current->row.id, id))
        return true;
    for (const struct bot_work *work = chat->first; work; work = work->next)
        if (str_eq(work->row.id, id))
            return true;
    for (const struct bot_work *work = chat->presses; work; work = work->next)
        if (str_eq(work->row.id, id))
            return true;
    return false;
}

void work_add(struct bot_chat *chat, struct bot_work *work)
{
    if (is_queued(chat, work->row.id)) {
        work_free(work);
        return;
    }
    if (is_press(work) && chat->press_count < PRESSES_MAX) {
        begin_press(chat, work);
        return;
    }
    if (chat->last)
        chat->last->next = work;
    else
        chat->first = work;
    chat->last = work;
    if (chat->working)
        return;
    chat->working = true;
    chat->users++;
    chat->lane->at_work++;
    fiber_spawn(chat->lane->loop, "bot.work", work_through, chat);
}
