/* Polls: people of a group choose among answers, or among times. Votes are counted as they come,
 * and when all who speak in the chat have voted, or somebody closes it, Theo says the outcome; one
 * that is a time can be booked with a button.
 */
#include "bot/poll.h"

#include "text/when.h"

#define SLOTS_MAX 5
#define DURATION_MIN 30

/* The poll itself goes out with its record. */
static int ask(struct bot_job *job, struct poll *poll)
{
    const struct bot_options *options = &job->bot->options;
    struct str *choices = arena_array(job->arena, struct str, poll->choice_count);
    int64_t now = env_wall_ms(options->env);
    struct store_batch batch;
    struct outbox_post post;
    int rc = chat_need_key(job->chat);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < poll->choice_count; i++)
        choices[i] = poll->choices[i].text;
    poll->asker = job->update.from.id;
    poll->channel = job->update.channel;
    poll->language = job->language;
    poll->row = (struct schedule_row){.workspace_id = options->workspace_id,
        .id = ulid_new(options->env, job->arena),
        .kind = STR("poll"),
        .state = STR("asked"),
        .session_id = job->work->row.session_id,
        .user_id = STR(""),
        .rule = STR(""),
        .time_zone = zone_name(chat_zone(job->chat)),
        .payload = poll_write(poll, job->arena),
        .error = STR(""),
        .owner = STR(""),
        .due_at = now + POLL_OPEN_MS,
        .created_at = now,
        .updated_at = now};
    post = job_post(job, "poll", poll->question);
    post.id = poll_outbox_id(poll, job->arena);
    post.kind = OUTBOX_POLL;
    post.choices = choices;
    post.choice_count = poll->choice_count;
    store_batch_init(&batch, job->arena);
    store_insert(&batch, STORE_SCHEDULES, &poll->row);
    outbox_put(options->outbox, &batch, &post);
    return job_done(job, &batch);
}

/* Is it a time of day on a day to come? */
static void read_time(struct bot_job *job, struct choice *choice)
{
    int64_t now = env_wall_ms(job->bot->options.env);
    struct when when;

    if (when_resolve(choice->text, now, chat_zone(job->chat), &when) < 0 ||
        when.kind == WHEN_DATE || when.kind == WHEN_DURATION || when.start_ms <= now)
        return;
    choice->start_ms = when.start_ms;
    choice->end_ms = when.end_ms > 0 ? when.end_ms
                                     : when.start_ms + (when.duration_min > 0 ? when.duration_min
                                                                              : DURATION_MIN) *
                                                           MINUTE_MS;
}

static int ask_words(struct bot_job *job, struct str text)
{
    struct poll poll = {0};
    struct str part;

    (void)str_next(&text, ';', &part);
    poll.question = str_trim(part);
    while (poll.choice_count < POLL_CHOICES_MAX && str_next(&text, ';', &part))
        if (!str_empty(str_trim(part))) {
            poll.choices[poll.choice_count] = (struct choice){.text = str_trim(part)};
            read_time(job, &poll.choices[poll.choice_count++]);
        }
    if (str_empty(poll.question) || poll.choice_count < 2)
        return job_say(job, say(job->language, SAY_POLL_WHAT));
    return ask(job, &poll);
}

int poll_times(struct bot_job *job, struct str subject)
{
    int64_t now = env_wall_ms(job->bot->options.env), from = now + HOUR_MS;
    struct calendar_slot_query query;
    struct calendar_slot slots[SLOTS_MAX];
    struct poll poll = {.question = str_trim(subject)};
    struct when when;
    size_t count;
    int rc;

    if (str_empty(poll.question))
        return job_say(job, say(job->language, SAY_POLL_WHAT));
    if (when_resolve(subject, now, chat_zone(job->chat), &when) == 0 &&
        when.kind != WHEN_DURATION && when.start_ms > from)
        from = when.start_ms;
    query = card_query(job->chat, from, DURATION_MIN);
    rc = card_slots(job->bot, &query, SLOTS_MAX, job->arena, slots, &count);
    if (rc < 0)
        return rc;
    if (count < 2)
        return job_say(job, say(job->language, SAY_CARD_NO_TIME));
    for (size_t i = 0; i < count; i++)
        poll.choices[i] = (struct choice){
            when_format(job->arena, slots[i].start_ms, slots[i].end_ms, chat_zone(job->chat)),
            slots[i].start_ms, slots[i].end_ms};
    poll.choice_count = count;
    return ask(job, &poll);
}

int poll_say(struct bot_job *job)
{
    if (str_eq_nocase(str_trim(job->update.arguments), STR("close")))
        return poll_close(job);
    return ask_words(job, job->update.arguments);
}
