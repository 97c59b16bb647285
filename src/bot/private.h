/* What the files of the bot share; nobody outside this room includes it.
 *
 * bot.c: loops and routing; chat.c: the state of a chat; take.c: an update comes in; access.c: who
 * may; work.c: what is to be done, one after the other; turn.c: of which process; answer.c: runs;
 * command.c: commands; press.c: buttons; button.c: what they carry; card.c: calendar cards; said.c:
 * what was said; say.c: texts in the person's language.
 */
#ifndef BOT_PRIVATE_H
#define BOT_PRIVATE_H

#include "bot/bot.h"
#include "bot/button.h"
#include "bot/say.h"
#include "runtime/channel.h"
#include "store/messages.h"
#include "text/zone.h"

#define BOT_LOOPS_MAX 256
/* Messages of a chat that are kept in memory: what the rules for speaking look at. */
#define TAIL 24
/* Requests within a minute; more stay unanswered. */
#define ASKED_BY_PERSON 20
#define ASKED_BY_CHAT 40
#define ASKED_KEPT 40

enum bot_manner { BOT_NORMAL, BOT_EAGER, BOT_ASKED };

/* Of one chat; JSON in the session's state, member "bot". */
struct bot_settings {
    enum bot_manner manner;
    struct str language;          /* "" as the person's app says */
    struct str time_zone;         /* IANA; "" the setting time-zone */
    int64_t quiet_from, quiet_to; /* minutes of the day; both 0: no quiet hours */
    bool paired;                  /* let in by a code or by somebody who may */
    bool introduced;
    bool gone;             /* Theo is not there any more */
    struct str kind;       /* of the chat: private, group, broadcast */
    int64_t digest_at;     /* minute of the day + 1; 0 none */
    struct str button_key; /* hex; what the buttons in this chat are signed with */
    int64_t brief_minutes; /* before a call; 0 as usual, -1 none */
};

/* One piece of work: an inbox row that waits. */
struct bot_work {
    struct bot_work *next;
    struct arena arena; /* holds row */
    struct inbox_row row;
    struct bot_chat *chat; /* of a press that is worked on */
    struct str preview;    /* message that shows the beginning of the answer */
    bool done;             /* committed */
};

struct bot_chat {
    struct bot_lane *lane;
    struct bot_chat *next; /* in its bucket */
    uint32_t hash;
    int users; /* that hold it; 0: it may be forgotten */
    int64_t used_ms;
    struct str key;        /* heap */
    struct semaphore lock; /* one update at a time */
    bool loaded, stale;
    struct arena arena; /* holds row and settings; made anew at each load, so what points into it
                           is not held over a wait except with the lock */
    struct chat_session_row row; /* version 0: not stored yet */
    struct bot_settings settings;
    struct transcript tail; /* heap: messages, texts */
    struct tail_note {
        struct str message_id; /* heap */
        int64_t seq;
        bool outgoing;
    } notes[TAIL];
    struct bot_work *first, *last; /* to be done */
    struct bot_work *current;
    bool working;
    struct {
        int64_t ms; /* mono; 0: none */
        uint32_t person;
    } asked[ASKED_KEPT]; /* what people lately asked for */
    size_t next_asked;
    int64_t slowed_ms;        /* when that was said to be too much */
    struct bot_work *presses; /* at work, beside the others */
    size_t press_count;
    int64_t spoken[8]; /* mono ms of the last answers, oldest first by next_spoken */
    size_t next_spoken;
};

#define BUCKETS 1024

struct bot_lane {
    struct bot *bot;
    struct loop *loop;
    struct bot_chat *buckets[BUCKETS];
    size_t chats, at_work;
    bool draining;
};

struct bot {
    struct bot_options options;
    struct run_listener listener;
    struct bot_lane lanes[BOT_LOOPS_MAX];
    size_t lane_count; /* atomic: those that joined */
    struct {
        int64_t looked_ms; /* mono: when was looked for what is to come */
        int64_t notes_ms;  /* wall: notes before that were looked at */
    } services;            /* of who sweeps */
};

/* bot.c */
struct channel *bot_channel(const struct bot *bot, struct str name);
/* Delete rows of the state "done" that were due before to_ms. Yields. */
MUST_CHECK int bot_purge(struct bot *bot, enum store_entity entity, size_t row_size, int64_t to_ms);
/* The chat on the current loop; release it by chat_release(). */
struct bot_chat *chat_hold(struct bot_lane *lane, struct str key);
void chat_release(struct bot_chat *chat);
/* Call fn(lane, ctx) on a fiber of the loop that the chat belongs to. What it returns, or
 * ERR_UNAVAILABLE. Yields. */
MUST_CHECK int bot_on_lane(
    struct bot *bot, struct str chat_key, int (*fn)(struct bot_lane *lane, void *ctx), void *ctx);
/* Something was stored for the chat on whatever loop: send it, and read the chat again. Does not
 * yield. */
void bot_kick(struct bot *bot, struct str chat_key, struct str session_id);
struct bot_lane *bot_this_lane(struct bot *bot); /* of the current loop; NULL: none */

/* chat.c */
/* Read the chat's row and tail unless they are there. 0 or store errors. Yields. */
MUST_CHECK int chat_load(struct bot_chat *chat);
void chat_free(struct bot_chat *chat);
/* Add to the tail what was stored. */
void chat_remember(struct bot_chat *chat, const struct chat_message *message, struct str message_id,
    int64_t seq, bool outgoing);
/* The row of a chat that is new, from an update. Lives in arena. */
void chat_begin(struct bot_chat *chat, const struct channel_update *update);
struct bot_settings settings_read(struct str state, struct arena *arena);
struct str settings_write(
    const struct bot_settings *settings, struct str state, struct arena *arena);
/* Change the chat's settings in the batch; chat->lock is held. */
void chat_put(struct bot_chat *chat, struct store_batch *batch, const struct bot_settings *settings,
    struct arena *arena);
const struct zone *chat_zone(const struct bot_chat *chat);
const struct zone *settings_zone(const struct bot *bot, const struct bot_settings *settings);
/* Make sure that buttons of the chat can be signed. chat->lock is not held. Yields. */
MUST_CHECK int chat_need_key(struct bot_chat *chat);
/* Is it the time of day at which nobody is to be disturbed? */
bool settings_quiet(const struct bot_settings *settings, const struct zone *zone, int64_t now_ms);
/* How the author of an update is called in the chat. */
struct str chat_party(
    const struct bot *bot, const struct channel_update *update, struct arena *arena);
/* What an update says, with the file that it is about: "[document: deck.pdf] the caption". */
struct str chat_said(const struct channel_update *update, struct arena *arena);
struct str chat_channel_ids(const struct channel_update *update, struct arena *arena);
struct str channel_ids_message(struct str channel_ids, struct arena *arena);

/* edit.c */
/* An earlier message reads otherwise; nothing else follows. chat->lock is held. Yields. */
MUST_CHECK int edit_take(struct bot_chat *chat, const struct channel_update *update);
/* The chat has another id from now on. */
MUST_CHECK int migrate_take(struct bot_chat *chat, const struct channel_update *update);

/* access.c */
enum bot_access { ACCESS_NO, ACCESS_YES, ACCESS_JOINS /* lets the chat in by who did it */ };
enum bot_access access_of(
    const struct bot *bot, const struct bot_chat *chat, const struct channel_update *update);
/* May this person decide for the workspace, whatever the chat? */
bool access_is_listed(const struct bot *bot, struct str id);
/* Is it a pairing code that holds? It is used up then. 0 or 1, store errors. Yields. */
MUST_CHECK int access_take_code(struct bot *bot, struct str code);

/* question.c: what is to be approved, as Markdown in the chat's zone. Both read the calendar when
 * an event is named. Yield. */
struct str question_text(struct bot *bot, const struct run_approval *approval,
    const struct zone *zone, enum say_language language, struct arena *arena);
struct str question_of(struct bot *bot, const struct approval_row *row, const struct zone *zone,
    enum say_language language, struct arena *arena);

/* work.c */
struct bot_job; /* what is done now */
/* Put a stored row into the chat's queue and see to it. Takes work. */
void work_add(struct bot_chat *chat, struct bot_work *work);
struct bot_work *work_new(const struct inbox_row *row);
void work_free(struct bot_work *work);
/* What waits in a chat when the service stops: its rows stay, and whoever starts next claims them.
 */
void work_forget(struct bot_chat *chat);

/* turn.c */
/* The next piece of work, out of the chat's queue, when it is this process's turn. NULL: there is
 * none, or the service stops. Yields. */
struct bot_work *turn_next(struct bot_chat *chat);

/* What a piece of work is done with. */
struct bot_job {
    struct bot *bot;
    struct bot_lane *lane;
    struct bot_chat *chat;
    struct bot_work *work;
    struct channel *channel;
    struct arena *arena;
    struct channel_update update;
    const struct json *note;    /* the payload's own part: seq, reason */
    enum say_language language; /* of the person, or the chat */
    bool as_file;               /* the answer is to be a document */
};
/* Commit the end of the work: what is in batch, and the inbox row. Afterwards the outbox is kicked.
 * 0, or store errors. Yields. */
MUST_CHECK int job_done(struct bot_job *job, struct store_batch *batch);
/* The inbox row at its end, into a batch of the caller's (answer.c). */
void job_put_done(struct bot_job *job, struct store_batch *batch);
/* One text as the whole outcome. */
MUST_CHECK int job_say(struct bot_job *job, struct str text);
/* A message to this chat, as an answer to the update. name tells posts of one work apart. */
struct outbox_post job_post(struct bot_job *job, const char *name, struct str body);

/* answer.c, command.c, press.c */
MUST_CHECK int answer_job(struct bot_job *job);
/* The same with what the message asks in other words. */
MUST_CHECK int answer_text(struct bot_job *job, struct str text);
MUST_CHECK int command_job(struct bot_job *job);
MUST_CHECK int press_job(struct bot_job *job);
/* file.c */
MUST_CHECK int file_job(struct bot_job *job);
/* Is something to be done with the file of a message? */
bool file_is_work(const struct channel_update *update, bool addressed);
/* A run that had to wait for people went on: say so in what asked them. */
MUST_CHECK int decided_job(struct bot_job *job);
void decided_put(
    struct bot *bot, const struct run_end *end, struct str language, struct store_batch *batch);

/* feedback.c */
MUST_CHECK int feedback_job(struct bot_job *job);

/* press.c, for what is behind a button */
/* The answer to the press; text "" only ends the waiting. Yields. */
void press_tell(struct bot_job *job, struct str text, bool alert);
/* The same as an alert, and the end of the work. */
MUST_CHECK int press_refuse(struct bot_job *job, enum say_id id);
/* May the person decide for the chat? 1, 0 or ERR_*. */
MUST_CHECK int press_may_decide(struct bot_job *job);

/* card.c */
/* A time in the zone it was booked in and, where that is another, in the chat's own below it. */
void card_time(struct buf *out, int64_t start_ms, int64_t end_ms, const struct zone *own,
    const struct zone *zone, struct arena *arena);
/* Put the answer with the cards of what its run did to the calendar; *ret_answered: there were
 * some. May yield. */
void card_put(struct bot *bot, const struct run_end *end, const struct outbox_post *answer,
    enum say_language language, struct store_batch *batch, bool *ret_answered);
MUST_CHECK int card_press(struct bot_job *job, const struct bot_button *button);
/* The pressed message becomes the card of the event as it is now; the end of the work. */
MUST_CHECK int card_show(struct bot_job *job, const struct calendar_event *event, struct str note);
/* In the chat's working hours, from then on. */
struct calendar_slot_query card_query(const struct bot_chat *chat, int64_t from_ms, int64_t min);
/* At most that many free slots, well apart. Yields. */
MUST_CHECK int card_slots(struct bot *bot, const struct calendar_slot_query *query, size_t most,
    struct arena *arena, struct calendar_slot *ret_slots, size_t *ret_count);

/* poll.c */
MUST_CHECK int poll_say(struct bot_job *job);
/* A poll of free times for what subject says. */
MUST_CHECK int poll_times(struct bot_job *job, struct str subject);
/* A vote came. 0, also when it is of no poll of ours. Any loop. Yields. */
MUST_CHECK int poll_take(struct bot *bot, const struct channel_update *update);
MUST_CHECK int poll_press(struct bot_job *job, const struct bot_button *button);

/* said.c */
/* The newest outbox row that made or edited a message. 0 or STORE_MISSING. Yields. */
MUST_CHECK int said_find(struct bot *bot, struct str session_id, struct str message_id,
    struct arena *arena, struct outbox_row *ret_row);
/* Who asked for a run, by the id on the channel; "" when that is not known. Yields. */
MUST_CHECK int run_asker(
    struct bot *bot, struct str run_id, struct arena *arena, struct str *ret_person);

/* Is it a command of ours, that is shown and works? */
bool command_known(const struct bot *bot, struct str name);
void answer_listener(struct bot *bot, struct run_listener *ret_listener);

#endif
