/* Calendar cards: the answer that books, moves or cancels an event shows it in the chat's zone,
 * with buttons to move or cancel it. Each press looks at the event as it is now; whoever changed it
 * meanwhile, the card then shows that. Buttons end with the event. */
#include "base/log.h"
#include "bot/private.h"
#include "runtime/errinj.h"
#include "text/when.h"

/* Longer answers are split, and would not be edited as one: their card is a message of its own. */
#define ANSWER_MAX 3000
#define NAMES_LOOK_BACK 300
#define SLOTS_MAX 400
#define SLOTS_SHOWN 3
#define SLOTS_APART_MS (3 * HOUR_MS)
#define LOOK_AHEAD_MS (14 * DAY_MS)
#define DAY_FROM_MIN (9 * 60)
#define DAY_TO_MIN (18 * 60)
#define WORKDAYS 0x3eu

static void write_people(struct buf *out, const struct calendar_event *event)
{
    for (size_t i = 0; i < event->attendee_count; i++) {
        const struct attendee *one = &event->attendees[i];

        buf_printf(out, "%s%.*s", i ? ", " : "\n👥 ",
            STR_ARG(str_empty(one->name) ? one->email : one->name));
    }
}

void card_time(struct buf *out, int64_t start_ms, int64_t end_ms, const struct zone *own,
    const struct zone *zone, struct arena *arena)
{
    struct str here = when_format(arena, start_ms, end_ms, zone);
    struct str there = when_format(arena, start_ms, end_ms, own);

    buf_add_str(out, there);
    if (zone != zone_utc() && !str_eq(here, there))
        buf_printf(out, "\n(%.*s)", STR_ARG(here));
}

static struct str write_text(const struct calendar_event *event, const struct zone *zone,
    enum say_language language, struct arena *arena)
{
    const struct zone *own = zone_get(event->time_zone);
    struct buf out = BUF_IN(arena);

    buf_printf(&out, "📅 %.*s\n", STR_ARG(event->summary));
    card_time(&out, event->start_ms, event->end_ms, own ? own : zone, zone, arena);
    write_people(&out, event);
    if (!str_empty(event->location))
        buf_printf(&out, "\n📍 %.*s", STR_ARG(event->location));
    if (!str_empty(event->conference_url))
        buf_printf(&out, "\n🔗 %.*s", STR_ARG(event->conference_url));
    if (str_is(event->state, "cancelled"))
        buf_printf(&out, "\n%.*s", STR_ARG(say(language, SAY_CARD_CANCELLED)));
    return buf_str(&out);
}

/* Can it still be moved or cancelled? */
static bool is_open(const struct calendar_event *event, int64_t now_ms)
{
    return !str_is(event->state, "cancelled") && event->end_ms > now_ms;
}

static void add_button(
    struct outbox_post *post, struct str text, struct str data, bool new_row, struct arena *arena)
{
    struct outbox_button *all = arena_array(arena, struct outbox_button, post->button_count + 1);

    if (str_empty(data))
        return;
    if (post->button_count > 0)
        memcpy(all, post->buttons, post->button_count * sizeof(*all));
    all[post->button_count] =
        (struct outbox_button){.text = text, .data = data, .new_row = new_row};
    post->buttons = all;
    post->button_count++;
}

static void add_signed(struct outbox_post *post, struct str key, enum say_language language,
    enum say_id text, struct bot_button button, struct arena *arena)
{
    add_button(post, say(language, text), button_data(key, post->session_id, &button, arena), false,
        arena);
}

static void write_buttons(struct outbox_post *post, const struct calendar_event *event,
    struct str key, enum say_language language, int64_t now_ms, struct arena *arena)
{
    if (!is_open(event, now_ms))
        return;
    add_signed(post, key, language, SAY_CARD_MOVE,
        (struct bot_button){.op = BUTTON_MOVE, .id = event->id}, arena);
    add_signed(post, key, language, SAY_CARD_CANCEL,
        (struct bot_button){.op = BUTTON_CANCEL, .id = event->id}, arena);
}

/* Of an event in a run's result. */
static bool read_event(
    struct bot *bot, struct str text, struct arena *arena, struct calendar_event *ret_event)
{
    const struct json *root = NULL;
    int rc = json_parse(arena, text, &root);

    if (rc == 0)
        rc = calendar_get(bot->options.calendar, bot->options.workspace_id,
            json_get_str(root, "id"), arena, ret_event);
    if (rc < 0)
        log_debug("bot.no_card", LOG_ERR);
    return rc == 0;
}

/* The same event, booked and then moved in one run, has one card. */
static bool comes_again(const struct run_result *result, size_t at, struct arena *arena)
{
    const struct json *one = NULL, *other = NULL;

    if (json_parse(arena, result->events[at], &one) < 0)
        return false;
    for (size_t i = at + 1; i < result->event_count; i++)
        if (json_parse(arena, result->events[i], &other) == 0 &&
            str_eq(json_get_str(one, "id"), json_get_str(other, "id")))
            return true;
    return false;
}

void card_put(struct bot *bot, const struct run_end *end, const struct outbox_post *answer,
    enum say_language language, struct store_batch *batch, bool *ret_answered)
{
    struct bot_settings settings = settings_read(end->session->state, batch->arena);
    const struct zone *zone = settings_zone(bot, &settings);
    int64_t now = env_wall_ms(bot->options.env);
    size_t shown = 0;

    *ret_answered = false;
    for (size_t i = 0; i < end->result->event_count; i++) {
        struct outbox_post post = *answer;
        struct calendar_event event;
        struct str text;

        if (comes_again(end->result, i, batch->arena) ||
            !read_event(bot, end->result->events[i], batch->arena, &event))
            continue;
        text = write_text(&event, zone, language, batch->arena);
        if (shown++ == 0 && answer->body.len <= ANSWER_MAX) {
            post.body = str_printf(
                batch->arena, "%.*s\n\n%.*s", STR_ARG(str_trim(answer->body)), STR_ARG(text));
            *ret_answered = true;
        } else {
            if (!*ret_answered)
                outbox_put(bot->options.outbox, batch, answer);
            *ret_answered = true;
            post.id = str_printf(batch->arena, "%.*s|card|%zu", STR_ARG(end->run->id), i);
            post.message_id = STR("");
            post.body = text;
        }
        write_buttons(&post, &event, settings.button_key, language, now, batch->arena);
        outbox_put(bot->options.outbox, batch, &post);
    }
}

/* Is the message the whole answer of a run? */
static bool is_answer(struct bot_job *job, struct str run_id)
{
    const struct json *ids = NULL;
    struct outbox_row row;

    if (str_empty(run_id) ||
        store_get(job->bot->options.store, STORE_OUTBOX, job->bot->options.workspace_id,
            str_printf(job->arena, "%.*s|answer", STR_ARG(run_id)), job->arena, &row) != 0 ||
        json_parse(job->arena, row.channel_ids, &ids) < 0)
        return false;
    return json_len(ids) == 1 && str_eq(json_str(json_at(ids, 0)), job->update.message_id);
}

/* What the message says before the card, which stays: what its run answered. *ret_run_id: whose
 * message it is. */
static int read_head(struct bot_job *job, struct str *ret_head, struct str *ret_run_id)
{
    struct outbox_row said;
    const struct json *result = NULL;
    struct run_row run;
    int rc =
        said_find(job->bot, job->work->row.session_id, job->update.message_id, job->arena, &said);

    *ret_head = *ret_run_id = STR("");
    if (rc != 0)
        return MIN(rc, 0);
    *ret_run_id = said.run_id;
    if (!is_answer(job, said.run_id))
        return 0;
    rc = store_get(job->bot->options.store, STORE_RUNS, job->bot->options.workspace_id, said.run_id,
        job->arena, &run);
    if (rc == 0 && json_parse(job->arena, run.result, &result) == 0)
        *ret_head =
            str_printf(job->arena, "%.*s\n\n", STR_ARG(str_trim(json_get_str(result, "reply"))));
    return MIN(rc, 0);
}

/* The message, as it is to be: without buttons unless they are added. */
static int edited(struct bot_job *job, const struct calendar_event *event, struct str note,
    struct outbox_post *ret_post)
{
    struct str text = write_text(event, chat_zone(job->chat), job->language, job->arena);
    struct str head, run_id;
    struct outbox_post post;
    int rc = read_head(job, &head, &run_id);

    if (rc < 0)
        return rc;
    if (!str_empty(note))
        text = str_printf(job->arena, "%.*s\n%.*s", STR_ARG(text), STR_ARG(note));
    post = job_post(job, "card", str_printf(job->arena, "%.*s%.*s", STR_ARG(head), STR_ARG(text)));
    post.kind = OUTBOX_EDIT;
    post.message_id = job->update.message_id;
    post.reply_to = STR("");
    post.run_id = run_id;
    *ret_post = post;
    return 0;
}

static int put(struct bot_job *job, const struct outbox_post *post)
{
    struct store_batch batch;

    store_batch_init(&batch, job->arena);
    outbox_put(job->bot->options.outbox, &batch, post);
    return job_done(job, &batch);
}

/* The card as the event is now. */
int card_show(struct bot_job *job, const struct calendar_event *event, struct str note)
{
    struct outbox_post post;
    int rc = edited(job, event, note, &post);

    if (rc < 0)
        return rc;
    write_buttons(&post, event, job->chat->settings.button_key, job->language,
        env_wall_ms(job->bot->options.env), job->arena);
    return put(job, &post);
}

static struct str by(struct bot_job *job, enum say_id id)
{
    return say_with(job->arena, job->language, id, chat_party(job->bot, &job->update, job->arena));
}

static int ask_again(struct bot_job *job, const struct calendar_event *event)
{
    struct outbox_post post;
    struct str key;
    int rc = edited(job, event, say(job->language, SAY_CARD_SURE), &post);

    if (rc < 0)
        return rc;
    press_tell(job, STR(""), false);
    key = job->chat->settings.button_key; /* not before: all of the above yields */
    add_signed(&post, key, job->language, SAY_CARD_YES,
        (struct bot_button){.op = BUTTON_GONE, .id = event->id, .a = event->sequence}, job->arena);
    add_signed(&post, key, job->language, SAY_CARD_NO,
        (struct bot_button){.op = BUTTON_BACK, .id = event->id}, job->arena);
    return put(job, &post);
}

int card_slots(struct bot *bot, const struct calendar_slot_query *query, size_t most,
    struct arena *arena, struct calendar_slot *ret_slots, size_t *ret_count)
{
    struct calendar_slot *all = arena_array(arena, struct calendar_slot, SLOTS_MAX);
    size_t count, chosen = 0;
    int rc = calendar_free_slots(
        bot->options.calendar, bot->options.workspace_id, query, SLOTS_MAX, arena, all, &count);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count && chosen < most; i++)
        if (chosen == 0 || all[i].start_ms >= ret_slots[chosen - 1].start_ms + SLOTS_APART_MS)
            ret_slots[chosen++] = all[i];
    *ret_count = chosen;
    return 0;
}

struct calendar_slot_query card_query(const struct bot_chat *chat, int64_t from_ms, int64_t min)
{
    return (struct calendar_slot_query){.from_ms = from_ms,
        .to_ms = from_ms + LOOK_AHEAD_MS,
        .duration_min = min,
        .time_zone = zone_name(chat_zone(chat)),
        .day_from_min = DAY_FROM_MIN,
        .day_to_min = DAY_TO_MIN,
        .weekdays = WORKDAYS};
}

static int offer(struct bot_job *job, const struct calendar_event *event)
{
    int64_t now = env_wall_ms(job->bot->options.env);
    struct calendar_slot_query query =
        card_query(job->chat, MAX(now + HOUR_MS, event->start_ms - DAY_MS),
            MAX((event->end_ms - event->start_ms) / MINUTE_MS, 1));
    struct calendar_slot slots[SLOTS_SHOWN];
    struct outbox_post post;
    struct str key;
    size_t count;
    int rc;

    query.attendees = event->attendees;
    query.attendee_count = event->attendee_count;
    rc = card_slots(job->bot, &query, SLOTS_SHOWN, job->arena, slots, &count);
    if (rc == 0)
        rc =
            edited(job, event, say(job->language, count ? SAY_CARD_WHEN : SAY_CARD_NO_TIME), &post);
    if (rc < 0)
        return rc;
    press_tell(job, STR(""), false);
    key = job->chat->settings.button_key;
    for (size_t i = 0; i < count; i++) {
        struct bot_button button = {
            BUTTON_SLOT, event->id, event->sequence, slots[i].start_ms / MINUTE_MS};

        add_button(&post,
            when_format(job->arena, slots[i].start_ms, slots[i].end_ms, chat_zone(job->chat)),
            button_data(key, post.session_id, &button, job->arena), true, job->arena);
    }
    add_button(&post, say(job->language, SAY_CARD_BACK),
        button_data(key, post.session_id, &(struct bot_button){.op = BUTTON_BACK, .id = event->id},
            job->arena),
        true, job->arena);
    return put(job, &post);
}

static int changed(struct bot_job *job, const struct calendar_event *event)
{
    press_tell(job, say(job->language, SAY_CARD_CHANGED), true);
    return card_show(job, event, STR(""));
}

/* Cancelling what is cancelled changes nothing, so that a second try is none. */
static int cancel(
    struct bot_job *job, const struct bot_button *button, const struct calendar_event *event)
{
    struct calendar_event gone;
    int rc;

    if (event->sequence != button->a)
        return changed(job, event);
    press_tell(job, STR(""), false);
    rc = calendar_cancel(
        job->bot->options.calendar, job->bot->options.workspace_id, event->id, job->arena, &gone);
    if (rc == 0 && errinj("bot.card"))
        return err_set(ERR_IO, "Injected fault: the card is about to be changed.");
    return rc < 0 ? rc : card_show(job, &gone, by(job, SAY_CARD_CANCELLED_BY));
}

static bool is_free(struct bot_job *job, const struct calendar_event *wanted)
{
    struct calendar_slot_query query =
        card_query(job->chat, wanted->start_ms, (wanted->end_ms - wanted->start_ms) / MINUTE_MS);
    struct calendar_slot slot;
    size_t count;

    query.to_ms = wanted->end_ms;
    query.attendees = wanted->attendees;
    query.attendee_count = wanted->attendee_count;
    return calendar_free_slots(job->bot->options.calendar, job->bot->options.workspace_id, &query,
               1, job->arena, &slot, &count) < 0 ||
           count > 0;
}

static int move(
    struct bot_job *job, const struct bot_button *button, const struct calendar_event *event)
{
    struct calendar_event wanted = *event, made;
    int rc;

    wanted.start_ms = button->b * MINUTE_MS;
    wanted.end_ms = wanted.start_ms + event->end_ms - event->start_ms;
    wanted.time_zone = zone_name(chat_zone(job->chat));
    if (event->start_ms == wanted.start_ms) { /* an earlier try did it */
        press_tell(job, STR(""), false);
        return card_show(job, event, by(job, SAY_CARD_MOVED_BY));
    }
    if (event->sequence != button->a)
        return changed(job, event);
    if (wanted.start_ms <= env_wall_ms(job->bot->options.env) || !is_free(job, &wanted)) {
        press_tell(job, say(job->language, SAY_CARD_TAKEN), true);
        return offer(job, event);
    }
    press_tell(job, STR(""), false);
    rc = calendar_update(
        job->bot->options.calendar, job->bot->options.workspace_id, &wanted, job->arena, &made);
    if (rc == ERR_CONFLICT || rc == ERR_INVALID) {
        rc = calendar_get(job->bot->options.calendar, job->bot->options.workspace_id, event->id,
            job->arena, &made);
        return rc < 0 ? rc : card_show(job, &made, say(job->language, SAY_CARD_CHANGED));
    }
    if (rc == 0 && errinj("bot.card"))
        return err_set(ERR_IO, "Injected fault: the card is about to be changed.");
    return rc < 0 ? rc : card_show(job, &made, by(job, SAY_CARD_MOVED_BY));
}

static bool is_called(struct str name, const struct channel_person *person)
{
    struct str first = str_slice(person->name, 0,
        (size_t)(str_find_char(person->name, ' ', 0) < 0 ? (ptrdiff_t)person->name.len
                                                         : str_find_char(person->name, ' ', 0)));

    if (str_starts(name, STR("@")))
        name = str_slice(name, 1, name.len);
    return !str_empty(name) && (str_eq_nocase(name, person->name) || str_eq_nocase(name, first) ||
                                   str_eq_nocase(name, person->username));
}

/* Anybody can call himself as he likes: whose name somebody else spoke under is not him. 1, 0 or
 * ERR_*. */
static int is_name_of_another(struct bot_job *job, struct str name)
{
    struct store_query query = {.entity = STORE_MESSAGES,
        .workspace_id = job->bot->options.workspace_id,
        .index = STORE_CHILDREN,
        .value = job->work->row.session_id,
        .descending = true,
        .limit = NAMES_LOOK_BACK,
        .cursor = STR("")};
    struct store_page page;
    int rc = messages_list(job->bot->options.store, &query, job->arena, &page);

    for (size_t i = 0; rc == 0 && i < page.count; i++) {
        const struct message_row *row = (const struct message_row *)page.rows + i;
        struct channel_person author = {.name = row->author};
        const struct json *ids;

        if (!str_empty(row->channel_ids) && is_called(name, &author) &&
            json_parse(job->arena, row->channel_ids, &ids) == 0 && json_get(ids, "from") &&
            !str_eq(json_get_str(ids, "from"), job->update.from.id))
            return 1;
    }
    return rc;
}

/* 1, 0 or ERR_*. */
static int takes_part(struct bot_job *job, const struct calendar_event *event)
{
    const struct channel_person *from = &job->update.from;
    int rc = 0;

    for (size_t i = 0; i < event->attendee_count && rc == 0 && !from->bot; i++) {
        if (!is_called(event->attendees[i].name, from))
            continue;
        rc = is_name_of_another(job, event->attendees[i].name);
        if (rc == 0)
            return 1;
        rc = MIN(rc, 0);
    }
    return rc;
}

/* Who asked, who takes part (by the name he has in the chat), and who may decide for the chat. 1, 0
 * or ERR_*. */
static int may_change(struct bot_job *job, const struct calendar_event *event)
{
    const struct channel_person *from = &job->update.from;
    struct str asker;
    int rc;

    if (job->update.chat == CHANNEL_PRIVATE)
        return 1;
    rc = takes_part(job, event);
    if (rc != 0)
        return rc;
    rc = run_asker(job->bot, event->run_id, job->arena, &asker);
    if (rc < 0)
        return rc;
    return !str_empty(asker) && str_eq(asker, from->id) ? 1 : press_may_decide(job);
}

int card_press(struct bot_job *job, const struct bot_button *button)
{
    struct calendar_event event;
    int may, rc = calendar_get(job->bot->options.calendar, job->bot->options.workspace_id,
                 button->id, job->arena, &event);

    if (rc == ERR_NOT_FOUND)
        return press_refuse(job, SAY_BUTTON_OLD);
    if (rc < 0)
        return rc;
    may = may_change(job, &event);
    if (may < 0)
        return may;
    if (may == 0)
        return press_refuse(job, SAY_CARD_NOT_YOU);
    if (!is_open(&event, env_wall_ms(job->bot->options.env))) {
        bool cancelled = str_is(event.state, "cancelled");

        press_tell(job, say(job->language, cancelled ? SAY_CARD_CANCELLED : SAY_BUTTON_OLD),
            button->op != BUTTON_GONE);
        return card_show(job, &event, STR(""));
    }
    switch (button->op) {
    case BUTTON_MOVE:
        return offer(job, &event);
    case BUTTON_CANCEL:
        return ask_again(job, &event);
    case BUTTON_GONE:
        return cancel(job, button, &event);
    case BUTTON_SLOT:
        return move(job, button, &event);
    default:
        press_tell(job, STR(""), false);
        return card_show(job, &event, STR(""));
    }
}
