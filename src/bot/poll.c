/* Polls: people of a group choose among answers or times. When all who speak in the chat have
 * voted, or somebody closes it, Theo says the outcome; a time can be booked with a button.
 *
 * A poll is a schedule record of its own states: asked (its id on the channel is not known yet),
 * open, closed. A vote names the channel's id alone: a record of kind "poll-id" leads to the poll.
 */
#include "base/log.h"
#include "bot/private.h"
#include "text/when.h"

#define CHOICES_MAX 10
#define SLOTS_MAX 5
#define VOTES_MAX 500 /* a poll can be forwarded to where anybody votes */
#define OPEN_MS (14 * DAY_MS)
#define PAGE 100
#define KNOWN_LOOK_BACK 300
#define DURATION_MIN 30

struct choice {
    struct str text;
    int64_t start_ms, end_ms; /* 0: no time */
};

struct vote {
    struct str who, name;
    uint32_t options;
};

struct poll {
    struct schedule_row row;
    struct str question, asker, run_id, channel;
    enum say_language language;
    struct choice choices[CHOICES_MAX];
    size_t choice_count;
    struct vote *votes;
    size_t vote_count;
};

static struct str write_poll(const struct poll *poll, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "question", poll->question);
    json_str_member(&w, "asker", poll->asker);
    json_str_member(&w, "channel", poll->channel);
    json_cstr_member(&w, "language", say_language_tag(poll->language));
    json_name(&w, "choices");
    json_array_begin(&w);
    for (size_t i = 0; i < poll->choice_count; i++) {
        json_object_begin(&w);
        json_str_member(&w, "text", poll->choices[i].text);
        json_i64_member(&w, "start", poll->choices[i].start_ms);
        json_i64_member(&w, "end", poll->choices[i].end_ms);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_name(&w, "votes");
    json_array_begin(&w);
    for (size_t i = 0; i < poll->vote_count; i++) {
        json_object_begin(&w);
        json_str_member(&w, "who", poll->votes[i].who);
        json_str_member(&w, "name", poll->votes[i].name);
        json_i64_member(&w, "options", poll->votes[i].options);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

static int read_poll(const struct schedule_row *row, struct arena *arena, struct poll *poll)
{
    const struct json *root, *one;

    *poll = (struct poll){.row = *row};
    if (json_parse(arena, row->payload, &root) < 0)
        return err_set(ERR_CORRUPT, "A poll is stored as no JSON.");
    poll->question = json_get_str(root, "question");
    poll->asker = json_get_str(root, "asker");
    poll->channel = json_get_str(root, "channel");
    poll->language = say_language(json_get_str(root, "language"));
    for (one = json_first(json_get(root, "choices")); one && poll->choice_count < CHOICES_MAX;
         one = json_next(one))
        poll->choices[poll->choice_count++] = (struct choice){
            json_get_str(one, "text"), json_get_i64(one, "start", 0), json_get_i64(one, "end", 0)};
    poll->votes = arena_array(arena, struct vote, json_len(json_get(root, "votes")) + 1);
    for (one = json_first(json_get(root, "votes")); one; one = json_next(one))
        poll->votes[poll->vote_count++] = (struct vote){json_get_str(one, "who"),
            json_get_str(one, "name"), (uint32_t)json_get_i64(one, "options", 0)};
    return 0;
}

static struct str outbox_id(const struct poll *poll, struct arena *arena)
{
    return str_printf(arena, "poll|%.*s", STR_ARG(poll->row.id));
}

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
        .payload = write_poll(poll, job->arena),
        .error = STR(""),
        .owner = STR(""),
        .due_at = now + OPEN_MS,
        .created_at = now,
        .updated_at = now};
    post = job_post(job, "poll", poll->question);
    post.id = outbox_id(poll, job->arena);
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
    while (poll.choice_count < CHOICES_MAX && str_next(&text, ';', &part))
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

static size_t votes_for(const struct poll *poll, size_t choice)
{
    size_t count = 0;

    for (size_t i = 0; i < poll->vote_count; i++)
        count += poll->votes[i].options >> choice & 1;
    return count;
}

/* The choice with the most votes, the first of several; -1: nobody voted. */
static int winner(const struct poll *poll)
{
    int best = -1;

    for (size_t i = 0; i < poll->choice_count; i++)
        if (votes_for(poll, i) > (best < 0 ? 0 : votes_for(poll, (size_t)best)))
            best = (int)i;
    return best;
}

/* The outcome, and the end of the poll, into the batch. */
static void put_outcome(struct bot_chat *chat, struct poll *poll, struct store_batch *batch)
{
    struct bot *bot = chat->lane->bot;
    int best = winner(poll);
    struct outbox_post post = {.kind = OUTBOX_TEXT,
        .id = str_printf(batch->arena, "%.*s|end", STR_ARG(outbox_id(poll, batch->arena))),
        .chat_key = chat->key,
        .session_id = poll->row.session_id,
        .body = say(poll->language, SAY_POLL_NOBODY)};

    poll->row.state = STR("closed");
    poll->row.due_at = env_wall_ms(bot->options.env) + OPEN_MS;
    if (best >= 0)
        post.body = str_printf(batch->arena, "%.*s\n%.*s (%zu)", STR_ARG(poll->question),
            STR_ARG(
                say_with(batch->arena, poll->language, SAY_POLL_WINS, poll->choices[best].text)),
            votes_for(poll, (size_t)best));
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
}

static void put_poll(struct poll *poll, struct store_batch *batch)
{
    poll->row.payload = write_poll(poll, batch->arena);
    store_update(batch, STORE_SCHEDULES, &poll->row);
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
            return read_poll(row, job->arena, poll);
    }
    return rc < 0 ? rc : STORE_MISSING;
}

static int close_poll(struct bot_job *job)
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
    put_outcome(job->chat, &poll, &batch);
    put_poll(&poll, &batch);
    return job_done(job, &batch);
}

int poll_say(struct bot_job *job)
{
    if (str_eq_nocase(str_trim(job->update.arguments), STR("close")))
        return close_poll(job);
    return ask_words(job, job->update.arguments);
}

/* Has everybody voted who spoke here lately? Two at least: one alone decides nothing. */
static int all_voted(struct bot_chat *chat, const struct poll *poll, struct arena *arena)
{
    struct store_query query = {.entity = STORE_MESSAGES,
        .workspace_id = chat->row.workspace_id,
        .index = STORE_CHILDREN,
        .value = poll->row.session_id,
        .descending = true,
        .limit = KNOWN_LOOK_BACK,
        .cursor = STR("")};
    struct store_page page;
    size_t voters = 0;
    int rc;

    for (size_t i = 0; i < poll->vote_count; i++)
        voters += poll->votes[i].options != 0;
    if (voters < 2)
        return 0;
    rc = messages_list(chat->lane->bot->options.store, &query, arena, &page);
    for (size_t i = 0; rc == 0 && i < page.count; i++) {
        const struct message_row *row = (const struct message_row *)page.rows + i;
        const struct json *ids = NULL;
        bool voted = !str_is(row->direction, "in");

        if (str_empty(row->channel_ids) || json_parse(arena, row->channel_ids, &ids) < 0)
            continue;
        for (size_t k = 0; k < poll->vote_count && !voted; k++)
            voted = poll->votes[k].options != 0 &&
                    str_eq(poll->votes[k].who, json_get_str(ids, "from"));
        if (!voted)
            return 0;
    }
    return rc < 0 ? rc : 1;
}

static void set_vote(struct poll *poll, const struct channel_update *update, struct arena *arena)
{
    struct vote *votes = arena_array(arena, struct vote, poll->vote_count + 1);
    size_t at = 0;

    if (poll->vote_count > 0)
        memcpy(votes, poll->votes, poll->vote_count * sizeof(*votes));
    while (at < poll->vote_count && !str_eq(votes[at].who, update->from.id))
        at++;
    votes[at] = (struct vote){update->from.id, update->from.name, update->options};
    poll->votes = votes;
    poll->vote_count = MAX(poll->vote_count, at + 1);
}

struct voting {
    struct bot *bot;
    const struct channel_update *update;
    struct str poll_id; /* ours */
};

static int vote_once(struct bot_chat *chat, struct voting *voting, struct arena *arena)
{
    const struct bot_options *options = &voting->bot->options;
    int64_t now = env_wall_ms(options->env);
    struct inbox_row taken = {.workspace_id = options->workspace_id,
        .id = voting->update->id,
        .state = STR("done"),
        .channel = voting->update->channel,
        .chat_key = chat->key,
        .payload = STR(""),
        .error = STR(""),
        .owner = options->owner.id,
        .created_at = now,
        .expires_at = now + 2 * DAY_MS,
        .due_at = now + 2 * DAY_MS};
    struct schedule_row row;
    struct store_batch batch;
    struct poll poll;
    int rc = chat_load(chat);

    if (rc == 0)
        rc = store_get(
            options->store, STORE_SCHEDULES, options->workspace_id, voting->poll_id, arena, &row);
    if (rc == 0)
        rc = read_poll(&row, arena, &poll);
    if (rc != 0 || str_is(row.state, "closed") || poll.vote_count >= VOTES_MAX)
        return MIN(rc, 0);
    taken.session_id = row.session_id;
    set_vote(&poll, voting->update, arena);
    store_batch_init(&batch, arena);
    store_insert(&batch, STORE_INBOX, &taken);
    rc = all_voted(chat, &poll, arena);
    if (rc < 0)
        return rc;
    if (rc == 1)
        put_outcome(chat, &poll, &batch);
    put_poll(&poll, &batch);
    rc = store_commit(options->store, &batch);
    if (rc == 0)
        outbox_kick(options->outbox, chat->key, row.session_id);
    return rc;
}

static int vote(struct bot_lane *lane, void *ctx)
{
    struct voting *voting = ctx;
    struct bot_chat *chat = chat_hold(lane, voting->update->chat_key);
    int rc = semaphore_take(&chat->lock, FIBER_NO_DEADLINE);

    if (rc == 0) {
        fiber_shield();
        rc = STORE_CONFLICT;
        for (int i = 0; i < 5 && rc == STORE_CONFLICT; i++) {
            struct arena arena;

            arena_init(&arena);
            rc = vote_once(chat, voting, &arena);
            arena_deinit(&arena);
        }
        fiber_unshield();
        semaphore_give(&chat->lock);
    }
    chat_release(chat);
    if (rc == STORE_CONFLICT)
        return err_set(ERR_UNAVAILABLE, "The poll is being changed by others; try again.");
    return MIN(rc, 0); /* STORE_EXISTS: it was counted before */
}

/* Is this the poll with that id on the channel? 1 and *ret_key its chat, 0, or ERR_UNAVAILABLE as
 * long as it is on its way. */
static int is_poll(struct bot *bot, const struct schedule_row *row, struct str channel_id,
    struct arena *arena, struct str *ret_key)
{
    struct poll poll = {.row = *row};
    struct str wanted = str_printf(arena, "poll:%.*s", STR_ARG(channel_id));
    const struct json *ids = NULL;
    struct outbox_row said;
    int rc = store_get(bot->options.store, STORE_OUTBOX, bot->options.workspace_id,
        outbox_id(&poll, arena), arena, &said);

    if (rc != 0)
        return MIN(rc, 0);
    if (!str_empty(said.channel_ids) && json_parse(arena, said.channel_ids, &ids) == 0)
        for (const struct json *one = json_first(ids); one; one = json_next(one))
            if (str_eq(json_str(one), wanted)) {
                *ret_key = said.chat_key;
                return 1;
            }
    return str_is(said.state, "pending") ? err_set(ERR_UNAVAILABLE, "A poll is on its way.") : 0;
}

/* Note which poll that is. */
static int bind_poll(struct bot *bot, const struct schedule_row *row, struct str alias,
    struct str chat_key, struct arena *arena)
{
    struct schedule_row open = *row, link = *row;
    struct store_batch batch;
    struct buf out = BUF_IN(arena);
    struct json_writer w;
    int rc;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "poll", row->id);
    json_str_member(&w, "chat", chat_key);
    json_object_end(&w);
    link.id = alias;
    link.kind = STR("poll-id");
    link.state = STR("closed");
    link.payload = buf_str(&out);
    open.state = STR("open");
    store_batch_init(&batch, arena);
    store_insert(&batch, STORE_SCHEDULES, &link);
    store_update(&batch, STORE_SCHEDULES, &open);
    rc = store_commit(bot->options.store, &batch);
    return rc > 0 ? err_set(ERR_UNAVAILABLE, "The poll is being changed by others.") : rc;
}

/* 0 with *ret_poll and *ret_key, STORE_MISSING: none of ours. */
static int find_asked(struct bot *bot, struct str channel_id, struct str alias, struct arena *arena,
    struct str *ret_poll, struct str *ret_key)
{
    struct store_query query = {.entity = STORE_SCHEDULES,
        .workspace_id = bot->options.workspace_id,
        .index = 0,
        .value = STR("asked"),
        .descending = true,
        .limit = PAGE,
        .cursor = STR("")};
    struct store_page page;
    int later = 0, rc = store_list(bot->options.store, &query, arena, &page);

    for (size_t i = 0; rc == 0 && i < page.count; i++) {
        const struct schedule_row *row = (const struct schedule_row *)page.rows + i;
        int found = is_poll(bot, row, channel_id, arena, ret_key);

        if (found == 1) {
            *ret_poll = row->id;
            return bind_poll(bot, row, alias, *ret_key, arena);
        }
        later = found < 0 ? found : later;
    }
    if (rc < 0 || later < 0)
        return rc < 0 ? rc : later;
    return STORE_MISSING;
}

int poll_take(struct bot *bot, const struct channel_update *update)
{
    struct channel_update placed = *update;
    struct voting voting = {bot, &placed, STR("")};
    const struct json *root = NULL;
    struct schedule_row link;
    struct arena arena;
    struct str alias;
    int rc;

    arena_init(&arena);
    alias =
        str_printf(&arena, "%.*s-poll-%.*s", STR_ARG(update->channel), STR_ARG(update->poll_id));
    rc = store_get(
        bot->options.store, STORE_SCHEDULES, bot->options.workspace_id, alias, &arena, &link);
    if (rc == 0 && json_parse(&arena, link.payload, &root) == 0) {
        voting.poll_id = json_get_str(root, "poll");
        placed.chat_key = json_get_str(root, "chat");
    } else if (rc == STORE_MISSING) {
        rc = find_asked(bot, update->poll_id, alias, &arena, &voting.poll_id, &placed.chat_key);
    }
    if (rc == 0 && !update->from.bot)
        rc = bot_on_lane(bot, placed.chat_key, vote, &voting);
    arena_deinit(&arena);
    return MIN(rc, 0);
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
        rc = read_poll(&row, job->arena, &poll);
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
