/* How things stand with Telegram. */
#ifndef HOST_TELEGRAM_H
#define HOST_TELEGRAM_H

#include "host/boot.h"

/* Look, without changing anything; a channel is open. 0, or what went wrong: what was found until
 * then is in the report. Yields. */
MUST_CHECK int telegram_look(
    struct boot *boot, struct arena *arena, struct channel_report *ret_report);

#endif
