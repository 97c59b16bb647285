/* The end of a poll: its outcome is said, the channel takes no more votes, and one that is a time
 * can be booked. */
#include "bot/poll.h"

#define PAGE 100

/* The choice with the most votes, the first of several; -1: nobody voted. */
static int winner(const struct poll *poll)
{
    int best = -1;

    for (size_t i = 0; i < poll->choice_count; i++)
        if (poll_votes_for(poll, i) > (best < 0 ? 0 : poll_votes_for(poll, (size_t)best)))
            best = (int)i;
    return best;
}

/* No more votes: the channel is told which message it is, when it is out. */
static int put_stop(struct bot_chat *chat, const struct poll *poll, struct store_batch *batch)
{
    struct bot *bot = chat->lane->bot;
    struct outbox_post post = {.kind = OUTBOX_POLL_STOP,
        .id = str_printf(batch->arena, "%.*s|stop", STR_ARG(poll_outbox_id(poll, batch->arena))),
        .chat_key = chat->key,
        .session_id = poll->row.session_id};
    const struct json *ids = NULL;
    struct outbox_row asked;
    int rc = store_get(bot->options.store, STORE_OUTBOX, bot->options.workspace_id,
        poll_outbox_id(poll, batch->arena), batch->arena, &asked);

    if (rc != 0)
        return MIN(rc, 0);
    if (!str_empty(asked.channel_ids) && json_parse(batch->arena, asked.channel_ids, &ids) == 0)
        post.message_id = json_str(json_first(ids));
    if (!str_empty(post.message_id))
        outbox_put(bot->options.outbox, batch, &post);
    return 0;
}

int poll_put_outcome(struct bot_chat *chat, struct poll *poll, struct store_batch *batch)
{
    struct bot *bot = chat->lane->bot;
    int best = winner(poll), rc = put_stop(chat, poll, batch);
    struct outbox_post post = {.kind = OUTBOX_TEXT,
        .id = str_printf(batch->arena, "%.*s|end", STR_ARG(poll_outbox_id(poll, batch->arena))),
        .chat_key = chat->key,
        .session_id = poll->row.session_id,
        .body = say(poll->language, SAY_POLL_NOBODY)};

    if (rc < 0)
        return rc;
    poll->row.state = STR("closed");
    poll->row.due_at = env_wall_ms(bot->options.env) + POLL_OPEN_MS;
    if (best >= 0)
        post.body = str_printf(batch->arena, "%.*s\n%.*s (%zu)", STR_ARG(poll->question),
            STR_ARG(
                say_with(batch->arena, poll->language, SAY_POLL_WINS, poll->choices[best].text)),
            poll_votes_for(poll, (size_t)best));
    if (best >= 0 && poll->choices[best].start_ms > 0) {
        struct bot_button button = {.op = BUTTON_BOOK, .id = poll->row.id, .a = best};
        struct outbox_button *shown = arena_new(batch->arena, struct outbox_button);

        *shown = (struct outbox_button){.text = say(poll->language, SAY_POLL_BOOK),
            .data = button_data(
                chat->settings.button_key, poll->row.session_id, &button, batch->arena)};
        post.buttons = shown;
        post.button_count = !str_empty(shown->data);
    }
    outbox_put(bot->options.outbox, batch, &post);
    return 0;
}

/* The newest poll of this chat that is open. 0 or STORE_MISSING. */
static int find_open(struct bot_job *job, struct poll *poll)
{
    struct store_query query = {.entity = STORE_SCHEDULES,
        .workspace_id = job->bot->options.workspace_id,
        .index = 1,
        .value = job->work->row.session_id,
        .descending = true,
        .limit = PAGE,
        .cursor = STR("")};
    struct store_page page;
    int rc = store_list(job->bot->options.store, &query, job->arena, &page);

    for (size_t i = 0; rc == 0 && i < page.count; i++) {
        const struct schedule_row *row = (const struct schedule_row *)page.rows + i;

        if (str_is(row->kind, "poll") && !str_is(row->state, "closed"))
            return poll_read(row, job->arena, poll);
    }
    return rc < 0 ? rc : STORE_MISSING;
}

int poll_close(struct bot_job *job)
{
    struct store_batch batch;
    struct poll poll;
    int rc = find_open(job, &poll);

    if (rc == STORE_MISSING)
        return job_say(job, say(job->language, SAY_POLL_NONE));
    if (rc < 0)
        return rc;
    if (!str_eq(poll.asker, job->update.from.id)) {
        rc = press_may_decide(job);
        if (rc < 0)
            return rc;
        if (rc == 0)
            return job_say(job, say(job->language, SAY_ADMINS_ONLY));
    }
    store_batch_init(&batch, job->arena);
    rc = poll_put_outcome(job->chat, &poll, &batch);
    if (rc < 0)
        return rc;
    poll_put(&poll, &batch);
    return job_done(job, &batch);
}

/* Who asked, who voted for it, and who may decide for the chat. 1, 0 or ERR_*. */
static int may_book(struct bot_job *job, const struct poll *poll, size_t choice)
{
    struct str who = job->update.from.id;

    if (str_eq(poll->asker, who))
        return 1;
    for (size_t i = 0; i < poll->vote_count; i++)
        if (str_eq(poll->votes[i].who, who) && poll->votes[i].options >> choice & 1)
            return 1;
    return press_may_decide(job);
}

/* The poll's id is the key: it is booked once. */
static int book(struct bot_job *job, const struct poll *poll, const struct choice *choice,
    size_t no, struct calendar_event *ret_event)
{
    struct attendee *people = arena_array(job->arena, struct attendee, poll->vote_count + 1);
    struct calendar_event event = {.summary = utf8_truncate(poll->question, 200),
        .start_ms = choice->start_ms,
        .end_ms = choice->end_ms,
        .time_zone = zone_name(chat_zone(job->chat)),
        .attendees = people,
        .session_id = poll->row.session_id};

    for (size_t i = 0; i < poll->vote_count; i++)
        if (poll->votes[i].options >> no & 1)
            people[event.attendee_count++] = (struct attendee){STR(""), poll->votes[i].name};
    return calendar_book(job->bot->options.calendar, job->bot->options.workspace_id,
        str_printf(job->arena, "poll|%.*s", STR_ARG(poll->row.id)), &event, job->arena, ret_event);
}

int poll_press(struct bot_job *job, const struct bot_button *button)
{
    const struct bot_options *options = &job->bot->options;
    size_t no = (size_t)button->a;
    struct calendar_event event;
    struct schedule_row row;
    struct poll poll;
    int may, rc = store_get(options->store, STORE_SCHEDULES, options->workspace_id, button->id,
                 job->arena, &row);

    if (rc == 0)
        rc = poll_read(&row, job->arena, &poll);
    if (rc < 0)
        return rc;
    if (rc == STORE_MISSING || no >= poll.choice_count ||
        poll.choices[no].start_ms <= env_wall_ms(options->env))
        return press_refuse(job, SAY_BUTTON_OLD);
    may = may_book(job, &poll, no);
    if (may < 0)
        return may;
    if (may == 0)
        return press_refuse(job, SAY_CARD_NOT_YOU);
    press_tell(job, STR(""), false);
    rc = book(job, &poll, &poll.choices[no], no, &event);
    return rc < 0 ? rc : card_show(job, &event, STR(""));
}
