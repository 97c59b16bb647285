/* Votes: which poll they are of, and whether it is over with them. */
#include "base/log.h"
#include "bot/poll.h"

#define VOTES_MAX 500 /* a poll can be forwarded to where anybody votes */
#define PAGE 100
#define KNOWN_LOOK_BACK 300

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
        rc = poll_read(&row, arena, &poll);
    if (rc != 0 || str_is(row.state, "closed") || poll.vote_count >= VOTES_MAX)
        return MIN(rc, 0);
    taken.session_id = row.session_id;
    set_vote(&poll, voting->update, arena);
    store_batch_init(&batch, arena);
    store_insert(&batch, STORE_INBOX, &taken);
    rc = all_voted(chat, &poll, arena);
    if (rc == 1)
        rc = poll_put_outcome(chat, &poll, &batch);
    if (rc < 0)
        return rc;
    poll_put(&poll, &batch);
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
        poll_outbox_id(&poll, arena), arena, &said);

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
