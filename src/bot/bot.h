/* Theo in a chat of a messaging service: what it hears is stored, what is for it is worked on, and
 * what it says goes through the outbox.
 *
 * An update is taken in one commit: the inbox row that knows it again, the message, the chat's row
 * and, when something is to be done, the work itself (the same inbox row, pending). Only then is
 * it acknowledged. The work of one chat is done one piece after the other; its outcome (the run's
 * end, what is to be said, the inbox row) is one commit again. So whatever a crash leaves is done
 * again from the row, with the same keys, and nothing is said or booked twice.
 *
 * Each chat belongs to one loop of the process, where its recent state is kept; the version of the
 * chat's row tells when another process wrote in between.
 */
#ifndef BOT_BOT_H
#define BOT_BOT_H

#include "agent/approval.h"
#include "calendar/calendar.h"
#include "channel/outbox.h"
#include "runtime/loop.h"

struct bot;

struct bot_options {
    const struct env *env;
    const struct config *config;
    const struct agent_house *house;
    struct store *store;
    struct calendar *calendar;
    struct channel *const *channels;
    size_t channel_count;
    struct outbox *outbox;
    struct str workspace_id;
    struct approval_owner owner; /* this process */
    size_t loops;                /* that will join */
};

/* Everything is borrowed. Outside fibers. */
struct bot *bot_new(const struct bot_options *options);
void bot_free(struct bot *bot);
/* This loop takes its share of the chats from now on. On a fiber of it, before anything arrives. */
void bot_join(struct bot *bot);
/* The channel_receiver; ctx is the bot. Any loop. Yields. */
int bot_receive(void *ctx, const struct channel_update *update, struct str payload);
/* Go on with what dead processes left, and what is due again. all: this process is the only one
 * that is alive. Yields. */
MUST_CHECK int bot_sweep(struct bot *bot, bool all);
/* Take no more work on this loop, and wait for what is at work. Yields. */
void bot_drain(struct bot *bot);
/* For agent_house.listener. */
const struct run_listener *bot_listener(struct bot *bot);

#endif
