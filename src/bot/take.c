/* An update comes in: what it means for the chat is decided from what is kept of it, and stored in
 * one commit before anybody acknowledges it. */
#include "agent/speak.h"
#include "bot/private.h"
#include "bot/service.h"
#include "text/address.h"
#include "text/words.h"
#include "watch/metrics.h"

#define TRIES 50
/* What was said so long ago (the service was down) is not answered unasked. */
#define FRESH_MS (10 * MINUTE_MS)
#define KEPT_MS (48 * HOUR_MS) /* Telegram gives an update up after 24 hours */
#define LEASE_MS (30 * SECOND_MS)
#define SPOKEN_WINDOW_MS MINUTE_MS

enum deed {
    DEED_NONE,
    DEED_ANSWER,
    DEED_COMMAND,
    DEED_PRESS,
    DEED_WELCOME,
    DEED_REFUSE,
    DEED_PAIR,
    DEED_FILE,
    DEED_SLOW,
    DEED_FEEDBACK,
    DEED_REMIND
};
static const char *const deed_names[] = {"none", "answer", "command", "press", "welcome", "refuse",
    "pair", "file", "slow", "feedback", "remind"};

/* What is to happen because of an update. */
struct plan {
    bool ignore;  /* nothing at all: not even stored */
    bool message; /* it is said in the chat */
    struct str text;
    enum deed deed;
    struct speak_verdict verdict;
    bool set; /* settings change */
    struct bot_settings settings;
};

struct taking {
    struct bot *bot;
    const struct channel_update *update;
    struct str payload;
};

static bool is_command_name(struct str text)
{
    return str_starts(text, STR("/"));
}

/* Has this chat been answered too often just now? */
static bool is_too_much(const struct bot_chat *chat)
{
    int64_t oldest = chat->spoken[chat->next_spoken], now = loop_now_ms(chat->lane->loop);

    return oldest > 0 && now - oldest < SPOKEN_WINDOW_MS / 2;
}

/* Is this one more than a person, or a chat, may ask within a minute? */
static bool is_flood(struct bot_chat *chat, const struct channel_update *update)
{
    int64_t now = loop_now_ms(chat->lane->loop);
    size_t of_chat = 0, of_person = 0;
    uint32_t person = 0;

    for (size_t i = 0; i < update->from.id.len; i++)
        person = person * 33 + (unsigned char)update->from.id.ptr[i];
    for (size_t i = 0; i < ASKED_KEPT; i++)
        if (chat->asked[i].ms > 0 && now - chat->asked[i].ms < MINUTE_MS) {
            of_chat++;
            of_person += chat->asked[i].person == person;
        }
    if (of_chat >= ASKED_BY_CHAT || of_person >= ASKED_BY_PERSON)
        return true;
    chat->asked[chat->next_asked].ms = now;
    chat->asked[chat->next_asked].person = person;
    chat->next_asked = (chat->next_asked + 1) % ASKED_KEPT;
    return false;
}

/* By the rules of agent/speak.h, on the tail and this message. */
static struct speak_verdict judge(const struct bot_chat *chat, const struct channel_update *update,
    struct str party, struct str text)
{
    const struct bot_options *options = &chat->lane->bot->options;
    struct chat_message messages[TAIL + 1];
    struct transcript talk = {messages, chat->tail.count};

    if (talk.count > 0)
        memcpy(messages, chat->tail.messages, talk.count * sizeof(*messages));
    messages[talk.count++] = (struct chat_message){party, text, update->at_ms};
    return speak_decide(&talk, str_from(options->config->agent_name), false,
        env_wall_ms(options->env), chat_zone(chat));
}

static const struct speak_verdict asked = {true, true, "addressed"};

static struct speak_verdict silent(const char *reason)
{
    return (struct speak_verdict){false, false, reason};
}

/* In a group a message after an answer of Theo's is often a remark to the others. It is for him
 * when it names him, asks, or tells him what to do; who wants more replies to him. */
static bool goes_on(const struct config *config, struct str text)
{
    static const char *const openings[] = {"yes", "no", "ok", "okay", "sure", "please", "make",
        "move", "cancel", "change", "book", "schedule", "and", "also", "then", "can", "could",
        "what", "who", "when", "where", "why", "how", "which", "is", "are", "do", "does", "add",
        "send", "better", "rather", "not", "actually", "sorry", "correction"};
    struct str word;
    size_t pos = 0;

    if (str_find_char(text, '?', 0) >= 0 || address_names(text, str_from(config->agent_name)))
        return true;
    return words_next(text, &pos, &word) && WORDS_HAVE(openings, word);
}

/* Is this message to be answered? */
static struct speak_verdict decide(const struct bot_chat *chat, const struct channel_update *update,
    struct str party, struct str text)
{
    const struct bot_options *options = &chat->lane->bot->options;
    int64_t now = env_wall_ms(options->env);
    struct speak_verdict verdict;

    if (update->from.bot)
        return silent("another bot");
    if (update->chat == CHANNEL_BROADCAST)
        return silent("a channel's post");
    if (str_empty(update->text) && !file_is_work(update, true))
        return silent("no words");
    if (update->mentioned || update->replied || update->chat == CHANNEL_PRIVATE)
        return asked;
    if (str_empty(update->text) || is_command_name(update->text))
        return silent(str_empty(update->text) ? "no words" : "a command for others");
    verdict = judge(chat, update, party, text);
    if (verdict.addressed && !goes_on(options->config, update->text))
        return silent("a remark");
    if (!verdict.speak || verdict.addressed)
        return verdict;
    if (chat->settings.manner == BOT_ASKED)
        return silent("answers only when asked");
    if (now - update->at_ms > FRESH_MS)
        return silent("too late");
    if (settings_quiet(&chat->settings, chat_zone(chat), now))
        return silent("quiet hours");
    if (is_too_much(chat))
        return silent("spoke enough");
    return verdict;
}

static bool is_pairing(const struct channel_update *update)
{
    return (str_is(update->command, "start") || str_is(update->command, "pair")) &&
           !str_empty(update->arguments);
}

/* Who is not on the list is not stored: he may pair, and is told so when he asks. Anybody can write
 * to a bot, so there is an end to that: neither can codes be tried without end. */
static void plan_stranger(
    struct bot_chat *chat, const struct channel_update *update, struct plan *plan)
{
    if (update->kind == CHANNEL_MESSAGE && is_pairing(update))
        plan->deed = DEED_PAIR;
    else if ((update->kind == CHANNEL_SELF && update->self == CHANNEL_SELF_ADDED &&
                 update->chat == CHANNEL_GROUP) ||
             (update->kind == CHANNEL_MESSAGE && !update->from.bot &&
                 (update->chat == CHANNEL_PRIVATE || str_is(update->command, "start"))))
        plan->deed = DEED_REFUSE;
    plan->ignore = plan->deed == DEED_NONE || is_flood(chat, update);
}

/* What is too much stays unanswered; that is said once a minute. */
static void plan_slow(struct bot_chat *chat, struct plan *plan)
{
    int64_t now = loop_now_ms(chat->lane->loop);

    plan->deed = chat->slowed_ms == 0 || now - chat->slowed_ms > MINUTE_MS ? DEED_SLOW : DEED_NONE;
    plan->verdict = silent("asked too often");
    if (plan->deed == DEED_SLOW)
        chat->slowed_ms = now;
}

static void plan_message(struct bot_chat *chat, const struct channel_update *update,
    struct arena *arena, struct plan *plan)
{
    struct str party = chat_party(chat->lane->bot, update, arena);

    plan->message = true;
    plan->text = chat_said(update, arena);
    if (str_empty(plan->text))
        plan->message = false;
    else if (!str_empty(update->command) && !update->from.bot &&
             command_known(chat->lane->bot, update->command))
        plan->deed = DEED_COMMAND;
    else
        plan->verdict = decide(chat, update, party, plan->text);
    if (plan->verdict.speak)
        plan->deed = DEED_ANSWER;
    if ((plan->deed == DEED_NONE || plan->verdict.addressed) && plan->deed != DEED_COMMAND &&
        !update->from.bot && update->chat != CHANNEL_BROADCAST && remind_is_heard(update->text))
        plan->deed = DEED_REMIND;
    if (!update->from.bot && plan->deed != DEED_COMMAND &&
        file_is_work(update, plan->verdict.addressed))
        plan->deed = DEED_FILE;
    if (plan->deed != DEED_NONE && is_flood(chat, update))
        plan_slow(chat, plan);
}

static void plan_self(
    const struct bot_chat *chat, const struct channel_update *update, bool joins, struct plan *plan)
{
    plan->set = true;
    plan->settings = chat->settings;
    plan->settings.gone = update->self == CHANNEL_SELF_REMOVED;
    if (joins)
        plan->settings.paired = true;
    if (update->self == CHANNEL_SELF_REMOVED || chat->settings.introduced ||
        update->chat != CHANNEL_GROUP)
        return;
    plan->settings.introduced = true;
    plan->deed = DEED_WELCOME;
}

static void make_plan(struct bot_chat *chat, const struct channel_update *update,
    struct arena *arena, struct plan *plan)
{
    enum bot_access access = access_of(chat->lane->bot, chat, update);

    *plan = (struct plan){0};
    plan->verdict = silent("not a message");
    if (update->kind == CHANNEL_IGNORED || str_empty(update->chat_key))
        plan->ignore = true;
    else if (access == ACCESS_NO)
        plan_stranger(chat, update, plan);
    else if (update->kind == CHANNEL_MESSAGE)
        plan_message(chat, update, arena, plan);
    else if (update->kind == CHANNEL_PRESS)
        plan->deed = DEED_PRESS;
    else if (update->kind == CHANNEL_REACTION && chat->row.version > 0 && !update->from.bot)
        plan->deed = DEED_FEEDBACK;
    else if (update->kind == CHANNEL_SELF)
        plan_self(chat, update, access == ACCESS_JOINS, plan);
    else if (update->kind != CHANNEL_EDIT && update->kind != CHANNEL_MIGRATED)
        plan->ignore = true; /* heard, and nothing follows */
    if (plan->deed != DEED_NONE && chat->row.version == 0 && plan->deed != DEED_REFUSE &&
        plan->deed != DEED_PAIR)
        plan->message = plan->message || update->kind == CHANNEL_SELF;
}

/* What the work is done from: the update as it came, and what was decided. */
static struct str note(
    const struct taking *taking, const struct plan *plan, int64_t seq, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_cstr_member(&w, "do", deed_names[plan->deed]);
    json_i64_member(&w, "seq", seq);
    json_bool_member(&w, "addressed", plan->verdict.addressed);
    json_cstr_member(&w, "reason", plan->verdict.reason);
    json_raw_member(&w, "update", taking->payload);
    json_object_end(&w);
    return buf_str(&out);
}

static void put_inbox(const struct taking *taking, const struct bot_chat *chat,
    const struct plan *plan, int64_t seq, struct store_batch *batch, struct inbox_row *ret_row)
{
    const struct bot_options *options = &taking->bot->options;
    int64_t now = env_wall_ms(options->env);
    bool waits = plan->deed != DEED_NONE;

    /* One that nothing follows from is only remembered to know it when it comes again: by nothing
     * but its id, which leaves nothing of the chat to be erased and no list to be written. */
    *ret_row = (struct inbox_row){
        .workspace_id = options->workspace_id,
        .id = taking->update->id,
        .version = 1,
        .state = waits ? STR("pending") : STR("done"),
        .channel = taking->update->channel,
        .chat_key = waits ? chat->key : STR(""),
        .session_id = waits ? chat->row.id : STR(""),
        .payload = waits ? note(taking, plan, seq, batch->arena) : STR(""),
        .error = STR(""),
        .owner = options->owner.id,
        .created_at = now,
        .expires_at = now + KEPT_MS,
        .due_at = waits ? now + LEASE_MS : now + KEPT_MS,
    };
    store_insert(batch, STORE_INBOX, ret_row);
}

static void put_message(const struct taking *taking, const struct bot_chat *chat,
    const struct plan *plan, int64_t seq, struct store_batch *batch)
{
    struct message_row *row = arena_new(batch->arena, struct message_row);
    const struct channel_update *update = taking->update;

    *row = (struct message_row){
        .workspace_id = chat->row.workspace_id,
        .session_id = chat->row.id,
        .seq = seq,
        .run_id = STR(""),
        .direction = STR("in"),
        .author = chat_party(taking->bot, update, batch->arena),
        .body = plan->text,
        .channel_ids = chat_channel_ids(update, batch->arena),
        .at = update->at_ms,
        .created_at = env_wall_ms(taking->bot->options.env),
    };
    messages_insert(batch, row, 1);
}

/* The chat's row as it will be. */
static void put_chat(struct bot_chat *chat, const struct plan *plan, struct store_batch *batch,
    struct chat_session_row *row)
{
    int64_t now = env_wall_ms(chat->lane->bot->options.env);

    *row = chat->row;
    row->message_count += plan->message;
    if (plan->set)
        row->state = settings_write(&plan->settings, chat->row.state, batch->arena);
    if (now - row->updated_at >= MINUTE_MS)
        row->updated_at = now;
    if (chat->row.version == 0)
        store_insert(batch, STORE_CHAT_SESSIONS, row);
    else if (plan->message || plan->set)
        store_update(batch, STORE_CHAT_SESSIONS, row);
}

static void keep(struct taking *taking, struct bot_chat *chat, const struct plan *plan,
    const struct chat_session_row *row, const struct inbox_row *inbox, struct arena *arena)
{
    bool fresh = chat->row.version == 0;

    if (!str_empty(chat->row.id) && (fresh || plan->message || plan->set)) {
        chat->row.version = fresh ? 1 : chat->row.version + 1;
        chat->row.message_count = row->message_count;
        chat->row.updated_at = row->updated_at;
    }
    if (plan->set)
        chat->stale = true;
    if (plan->message) {
        struct chat_message message = {
            chat_party(taking->bot, taking->update, arena), plan->text, taking->update->at_ms};

        chat_remember(chat, &message, taking->update->message_id, row->message_count, false);
    }
    if (plan->deed != DEED_NONE)
        work_add(chat, work_new(inbox));
}

/* 0, or what store_commit() said: STORE_EXISTS for an update that was taken before. */
static int take_once(struct taking *taking, struct bot_chat *chat, struct arena *arena)
{
    struct chat_session_row row;
    struct inbox_row inbox;
    struct store_batch batch;
    struct plan plan;
    int rc = chat_load(chat);

    if (rc < 0)
        return rc;
    make_plan(chat, taking->update, arena, &plan);
    if (plan.ignore)
        return 0;
    if (chat->row.version == 0 && plan.deed != DEED_REFUSE && plan.deed != DEED_PAIR)
        chat_begin(chat, taking->update);
    if (plan.set && str_empty(plan.settings.kind))
        plan.settings.kind = chat->settings.kind;
    if (plan.set && str_empty(plan.settings.button_key))
        plan.settings.button_key = chat->settings.button_key;
    store_batch_init(&batch, arena);
    put_inbox(taking, chat, &plan, chat->row.message_count + plan.message, &batch, &inbox);
    if (!str_empty(chat->row.id)) {
        if (plan.message)
            put_message(taking, chat, &plan, chat->row.message_count + 1, &batch);
        put_chat(chat, &plan, &batch, &row);
    }
    rc = store_commit(taking->bot->options.store, &batch);
    if (rc == 0)
        keep(taking, chat, &plan, &row, &inbox, arena);
    if (rc == STORE_EXISTS && batch.failed == 0)
        return STORE_EXISTS;
    return rc > 0 ? STORE_CONFLICT : rc;
}

/* Somebody else wrote to the chat: it is read again. After an outcome that is not known the inbox
 * row tells. */
static int take_locked(struct taking *taking, struct bot_chat *chat)
{
    int rc = STORE_CONFLICT;

    for (int i = 0; i < TRIES && rc == STORE_CONFLICT; i++) {
        struct arena arena;

        arena_init(&arena);
        rc = take_once(taking, chat, &arena);
        arena_deinit(&arena);
        if (rc != 0)
            chat->stale = true;
        if (rc == STORE_CONFLICT && i > 2 && fiber_sleep(i) < 0)
            return ERR_CANCELLED;
    }
    if (rc == STORE_EXISTS)
        return 0;
    return rc == STORE_CONFLICT
               ? err_set(ERR_UNAVAILABLE, "Too many write to this chat at once; try again.")
               : rc;
}

static int take(struct bot_lane *lane, void *ctx)
{
    struct taking *taking = ctx;
    struct bot_chat *chat = chat_hold(lane, taking->update->chat_key);
    int rc = semaphore_take(&chat->lock, FIBER_NO_DEADLINE);

    if (rc == 0) {
        fiber_shield();
        if (taking->update->kind == CHANNEL_EDIT)
            rc = edit_take(chat, taking->update);
        else if (taking->update->kind == CHANNEL_MIGRATED)
            rc = migrate_take(chat, taking->update);
        else
            rc = take_locked(taking, chat);
        fiber_unshield();
        semaphore_give(&chat->lock);
    }
    chat_release(chat);
    return rc;
}

int bot_receive(void *ctx, const struct channel_update *update, struct str payload)
{
    struct taking taking = {ctx, update, payload};

    if (update->kind == CHANNEL_POLL_ANSWER)
        return poll_take(ctx, update);
    if (update->kind == CHANNEL_IGNORED || str_empty(update->chat_key))
        return 0;
    if (update->self != CHANNEL_SELF_REMOVED)
        outbox_heard(taking.bot->options.outbox, update->chat_key, update->message_id);
    return bot_on_lane(taking.bot, update->chat_key, take, &taking);
}
