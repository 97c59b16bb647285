/* Long polling: the other way in than the webhook, for where nobody can call us. */
#ifndef CHANNEL_TELEGRAM_POLL_H
#define CHANNEL_TELEGRAM_POLL_H

#include "channel/channel.h"

/* Get updates and hand them to the receiver until the fiber is cancelled: those of a chat in order,
 * different chats at once. What was taken is acknowledged with the next request, and what was not
 * comes again. A conflict (409) or a failure is waited out, longer each time. Yields. */
void telegram_poll(struct channel *channel, channel_receiver *receive, void *ctx);

#endif
