/* Telegram's Bot API. What the files of this channel share; outsiders see channel/channel.h.
 *
 * telegram.c: open, who we are; telegram_update.c: reads updates; telegram_poll.c: gets them;
 * telegram_api.c: calls a method; telegram_send.c: says what an outbox row says.
 */
#ifndef CHANNEL_TELEGRAM_H
#define CHANNEL_TELEGRAM_H

#include "channel/telegram_api.h"

#include <pthread.h>

struct telegram {
    struct channel_base base;
    const struct config *config;
    const struct env *env;
    char *bot_id;          /* the part of the token before the colon */
    pthread_mutex_t mutex; /* over what follows */
    bool connected;
    char *username, *name;          /* heap; set once, by connect(), and kept until close */
    struct telegram_memory *memory; /* telegram_memory.c: what keeps calls few */
};

/* What Telegram is asked to deliver, as a JSON array. */
#define TELEGRAM_ALLOWED_UPDATES                                                                   \
    "[\"message\",\"edited_message\",\"channel_post\",\"edited_channel_post\",\"callback_query\"," \
    "\"message_reaction\",\"poll_answer\",\"my_chat_member\",\"stopped_message_generation\"]"

extern const struct channel_ops channel_telegram;

static inline const struct telegram *telegram_of(const struct channel *channel)
{
    return (const struct telegram *)channel;
}

static inline struct telegram_api telegram_api_of(const struct telegram *telegram)
{
    return (struct telegram_api){
        str_from(telegram->config->telegram_api_root), str_from(telegram->config->telegram_token)};
}

/* telegram_setup.c: see channel_ops.setup. */
MUST_CHECK int telegram_setup(struct channel *channel, const struct channel_setup *setup,
    struct arena *arena, struct channel_report *ret_report);
/* telegram_update.c: see channel_ops.read. */
MUST_CHECK int telegram_read(const struct channel *channel, struct str payload, struct arena *arena,
    struct channel_update *ret_update);

#endif
