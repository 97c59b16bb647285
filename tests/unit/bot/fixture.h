/* A bot with a memory store, a calendar and a channel that keeps what is said; the clock is the
 * test's. Chats "a" and "b" are let in. */
#ifndef BOT_FIXTURE_H
#define BOT_FIXTURE_H

#include "bot/service.h"
#include "secure/seal.h"
#include "store/backend.h"
#include "test.h"

struct fixture;

struct fake_channel {
    struct channel_base base;
    struct fixture *fixture;
};

struct fixture {
    struct test *t;
    struct config config;
    struct sealer *sealer;
    struct store *store;
    struct calendar *calendar;
    struct fake_channel channel;
    struct channel *channels[1];
    struct outbox *outbox;
    struct bot *bot;
    int updates;
    struct buf said;                     /* "a: text\n" since the last look */
    struct buf data;                     /* of the first button of the last message that had some */
    void (*on_press)(struct fixture *f); /* while a press is answered; may be NULL */
};

bool fixture_open(struct test *t, struct fixture *f);
void fixture_close(struct fixture *f);
/* Somebody says something, and what follows is done. "press:DATA" presses a button. from: who it
 * is, or "id=how he calls himself". "edit:ID:TEXT" edits, "doc:NAME|CAPTION" is a document,
 * "moved:CHAT" tells of a new id. */
void fixture_hear(struct fixture *f, const char *chat, const char *from, const char *text);
/* What Theo said since, a line for each message: "a: text" (reactions: "a: (✍)"). A poll that he
 * asks has the id "77". */
struct str fixture_said(struct fixture *f);
/* The clock goes on, and what is due is done. */
void fixture_pass(struct fixture *f, int64_t ms);
/* The session of a chat that was heard. */
struct str fixture_session(struct fixture *f, const char *chat);
/* A call booked from the chat. */
struct calendar_event fixture_book(
    struct fixture *f, const char *chat, int64_t start_ms, int64_t end_ms, const char *summary);

#endif
