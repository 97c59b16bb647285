/* A small Bot API on loopback for tests of sending: it keeps what is said, numbers messages, knows
 * edits that change nothing, and fails where the script says so. The strict one, with chats and
 * people, is tests/peers/telegram.js.
 */
#ifndef TEST_BOT_API_H
#define TEST_BOT_API_H

#include "channel/outbox.h"
#include "channel/telegram.h"
#include "http/server.h"
#include "test.h"

/* What the next call of a method gets instead; each is used once, in order. */
struct bot_fault {
    const char *method; /* "" ends the script */
    int skip;           /* so many calls of that method go through before */
    int status;         /* 0: none */
    const char *body;   /* the failure's description and parameters; see bot_api.c */
    bool lost;          /* carried out, and the answer is cut off */
    bool cut;           /* not carried out, and the answer is cut off */
};

struct bot_message {
    int64_t id, topic;
    struct str chat, text, markup;
    bool ours, deleted;
};

#define BOT_MESSAGES_MAX 256
struct bot_api {
    struct arena *arena;
    struct http_server *server;
    struct bot_fault *faults;
    struct bot_message messages[BOT_MESSAGES_MAX];
    size_t count;
    int64_t last_id;
    int calls, sends, edits;
    struct buf log;      /* "sendMessage -100 hello\n" */
    struct str last;     /* body of the last call */
    struct str moved_to; /* every other chat has moved there */
};

struct bot_house {
    struct bot_api api;
    struct config config;
    struct sealer *sealer;
    struct store *store;
    struct channel *channel;
    struct channel *channels[1];
    struct outbox *outbox;
};

/* faults: ended by {""}; may be NULL. Limits are off. */
bool bot_house_open(struct test *t, struct bot_house *house, struct bot_fault *faults);
void bot_house_close(struct bot_house *house);
/* A message of somebody else in the chat. Its id. */
int64_t bot_hears(struct bot_house *house, const char *chat);
/* What the chat shows of ours, messages separated by "|". */
struct str bot_shows(struct bot_house *house, const char *chat);
/* Store it and send what waits: 0, STORE_EXISTS, or store errors. Yields. */
int bot_post(struct bot_house *house, const struct outbox_post *post);
/* Say it in the session named like the chat. */
int bot_say(struct bot_house *house, const char *id, const char *chat_key, const char *body);
/* Wait until no row is pending. False after 20 s. */
bool bot_settle(struct bot_house *house);
struct outbox_row bot_row(struct test *t, struct bot_house *house, const char *id);

#endif
