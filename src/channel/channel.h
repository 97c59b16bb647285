/* A channel: a messaging service in whose chats Theo sits (Telegram). The port knows nothing of
 * agents: it turns what the service delivers into a struct channel_update, hands that to one
 * receiver, and says what it is told to say.
 *
 * Implementations are listed in src/catalog.def, CHANNEL(symbol). One struct channel serves every
 * loop of the process and is immutable once open. All calls are made on fibers and yield, unless
 * they say otherwise. Strings of an update live in the arena it was read into.
 *
 * A chat's key is exact: "telegram|BOT|CHAT|TOPIC" (topic empty outside topics and in the General
 * one), so that no chat or topic sees another's.
 */
#ifndef CHANNEL_CHANNEL_H
#define CHANNEL_CHANNEL_H

#include "base/config.h"
#include "base/env.h"
#include "base/err.h"
#include "base/json.h"

struct channel;
struct outbox_row;

struct channel_who {
    struct str id, username, name;
};

enum channel_kind {
    CHANNEL_IGNORED,     /* nothing that Theo does anything with */
    CHANNEL_MESSAGE,     /* somebody said something, or sent a file */
    CHANNEL_EDIT,        /* an earlier message reads otherwise now: message_id, text */
    CHANNEL_PRESS,       /* a button of ours was pressed: press_id, press_data, message_id */
    CHANNEL_REACTION,    /* on message_id: emoji now, "" when taken back */
    CHANNEL_POLL_ANSWER, /* poll_id, options, a bit for each; no chat */
    CHANNEL_PEOPLE,      /* people came or went */
    CHANNEL_SELF,        /* what Theo is in this chat changed: self */
    CHANNEL_MIGRATED,    /* the chat has another id from now on: moved_to (chat id) */
    CHANNEL_STOPPED,     /* a person stopped an answer in the making */
};

enum channel_chat { CHANNEL_PRIVATE, CHANNEL_GROUP, CHANNEL_BROADCAST /* people only read it */ };

enum channel_self { CHANNEL_SELF_ADDED = 1, CHANNEL_SELF_ADMIN, CHANNEL_SELF_REMOVED };

struct channel_person {
    struct str id;       /* on the channel; of an anonymous admin the group's own */
    struct str name;     /* to be shown: "Ana Ruiz"; never empty */
    struct str username; /* without @; may be empty */
    struct str language; /* IETF tag of the person's app; may be empty */
    bool bot;
    bool anonymous; /* writes as the group or as a channel */
};

enum channel_file_kind {
    CHANNEL_DOCUMENT = 1,
    CHANNEL_PHOTO,
    CHANNEL_VOICE,
    CHANNEL_AUDIO,
    CHANNEL_VIDEO,
    CHANNEL_STICKER,
    CHANNEL_OTHER_FILE,
};

struct channel_file {
    enum channel_file_kind kind; /* 0: none */
    struct str id, name, mime;
    int64_t size; /* bytes; 0 unknown */
};

struct channel_update {
    struct str channel; /* "telegram" */
    struct str bot_id;
    struct str id; /* "telegram|BOT|UPDATE": the inbox row's, so that it is taken once */
    enum channel_kind kind;

    struct str chat_key; /* "" when the update belongs to no chat */
    struct str chat_id, topic_id;
    enum channel_chat chat;
    struct str chat_title; /* of a private chat the person's name */
    struct channel_person from;
    struct str message_id;
    int64_t at_ms;

    struct str text; /* text or caption, as people see it */
    struct str
        command; /* "schedule" of "/schedule@TheoBot tomorrow"; "" none, or for another bot */
    struct str arguments; /* what follows it */
    bool mentioned;       /* by an exact mention entity of the bot, or of its user */
    bool replied;         /* it answers one of the bot's messages */
    struct str reply_to_id, reply_to_author, reply_to_text; /* may be empty */
    struct channel_file file;
    struct str album; /* files that were sent together share it */

    struct str press_id, press_data;
    struct str emoji;
    struct str poll_id;
    uint32_t options;
    struct str joined, left; /* names, comma-separated */
    enum channel_self self;
    struct str moved_to;
};

/* Take an update: when it returns 0 the update is stored, or was known already, and may be
 * acknowledged. Otherwise the service delivers it again. Updates of one chat are given in order,
 * each when the one before returned; those of different chats at once. Yields. */
typedef int channel_receiver(
    void *ctx, const struct channel_update *update, struct str payload /* as received */);

/* How a send ended, besides 0 and the negative ERR_*: what to do about it. */
enum {
    CHANNEL_RETRY = 1,   /* not now: wait ret_sent->retry_after_ms, for this chat */
    CHANNEL_GONE = 2,    /* never again in this chat: blocked, kicked, deleted */
    CHANNEL_MOVED = 3,   /* the chat has another id: ret_sent->moved_to */
    CHANNEL_REFUSED = 4, /* this message will never be taken: err_get() says why */
    CHANNEL_UNKNOWN = 5, /* cut off: it may have been sent */
    CHANNEL_MORE = 6,    /* one part is out, and others are not yet: call again */
};
struct channel_sent {
    struct str message_ids; /* JSON array of the ids it has there, in order */
    size_t parts;           /* so many of the row's parts are out already */
    int64_t retry_after_ms;
    struct str moved_to;
    /* An earlier try may have sent the next part: find out before sending it again. Stays set as
     * long as that is not known. */
    bool unsure;
    bool plain; /* the next part was refused with its markup */
    /* With unsure, to find it by: it is behind this message id; so many ids behind the one that was
     * the newest before the try were looked at; and these are other messages of ours. */
    struct str after;
    size_t looked;
    const struct str *ours;
    size_t ours_count;
};

/* Begins a preview's id when that is not known: the newest id known before follows. */
#define CHANNEL_LOST "lost:"

/* What a service is told once: see channel_ops.setup. */
struct channel_command {
    struct str name, help;
};
struct channel_menu {
    const char *scope;    /* where it is shown: "" wherever no other is, "all_private_chats", … */
    const char *language; /* "" default, "es", … */
    const struct channel_command *commands;
    size_t count;
};
struct channel_setup {
    bool change; /* put right what is not as configured; otherwise only look */
    bool remove; /* take everything back */
    const struct channel_menu *menus;
    size_t menu_count;
    struct str secret_hash; /* what the report of the last change said; "" none */
};
#define CHANNEL_FINDINGS_MAX 32
enum channel_finding { CHANNEL_FINE, CHANNEL_CHANGED, CHANNEL_TO_FIX };
struct channel_report {
    struct {
        enum channel_finding state;
        struct str text;
    } findings[CHANNEL_FINDINGS_MAX];
    size_t count;
    struct str secret_hash; /* to be kept */
};

struct channel_ops {
    const char *name;
    /* Is it configured? */
    bool (*enabled)(const struct config *config);
    /* 0, or ERR_INVALID naming the setting. Does not call the service. Outside fibers. */
    int (*open)(const struct config *config, const struct env *env, struct channel **ret_channel);
    void (*close)(struct channel *channel);
    /* Ask the service who we are, once; kept. 0, ERR_UNAUTHORIZED (token), ERR_IO, …. */
    int (*connect)(struct channel *channel);
    /* Who we are there, after connect(); before it all are empty. Does not yield. */
    struct channel_who (*who)(const struct channel *channel);
    /* See to what the service has to know: where to deliver, the menu of commands. 0, or what went
     * wrong; what was found until then is in the report. */
    int (*setup)(struct channel *channel, const struct channel_setup *setup, struct arena *arena,
        struct channel_report *ret_report);
    /* Read what the service delivered. 0 or ERR_INVALID. Does not yield. */
    int (*read)(const struct channel *channel, struct str payload, struct arena *arena,
        struct channel_update *ret_update);
    /* Take updates by asking for them, until the fiber is cancelled; NULL: it cannot. Who it hands
     * them to, and in which order: see channel_receiver. */
    void (*poll)(struct channel *channel, channel_receiver *receive, void *ctx);
    /* Say what an outbox row says (outbox_read() gives it as a post), one message a call. ret_sent
     * begins with what earlier tries got done and is filled in any case. 0 when all is out,
     * CHANNEL_* above, ERR_UNAUTHORIZED when the service does not know us at all, or another ERR_*
     * when nothing went out. */
    int (*send)(struct channel *channel, const struct outbox_row *row, struct arena *arena,
        struct channel_sent *ret_sent);
    /* The rest is shown for the moment and may be lost: errors are logged by the channel. */
    void (*typing)(struct channel *channel, struct str chat_key);
    /* Show the beginning of an answer in the making: *message_id is "" at first, and is then that
     * of the message (or draft) to go on with. *next_ms: monotonic, not before then again. 0, or
     * an error after which it is better left; the row that follows gets *message_id all the same:
     * it may then say CHANNEL_LOST, that the message may be there and has to be found. */
    int (*preview)(struct channel *channel, struct str chat_key, struct str reply_to,
        struct str text, struct arena *arena, struct str *message_id, int64_t *next_ms);
    void (*answer_press)(struct channel *channel, struct str press_id, struct str text, bool alert);
    /* A file's content. 0, ERR_TOO_LARGE, ERR_NOT_FOUND, ERR_IO. */
    int (*download)(struct channel *channel, const struct channel_file *file, size_t max,
        struct arena *arena, struct str *ret_bytes);
    /* May this person decide for the chat: its admins, and each in a private chat. 0 or 1, or
     * ERR_*. */
    int (*is_admin)(struct channel *channel, struct str chat_key, struct str person_id);
};

/* The first member of each implementation's struct. */
struct channel_base {
    const struct channel_ops *ops;
};
const struct channel_ops *channel_ops_of(const struct channel *channel);

#endif
