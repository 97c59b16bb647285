/* What a button of Theo's carries, signed with the chat's key (struct bot_settings), so that nobody
 * makes one up and none works in another chat. Telegram takes 64 bytes. Pure functions. */
#ifndef BOT_BUTTON_H
#define BOT_BUTTON_H

#include "base/env.h"

/* y and n are those of approvals: press.c. */
enum bot_button_op {
    BUTTON_MOVE = 'm',   /* offer other times */
    BUTTON_CANCEL = 'c', /* ask once more */
    BUTTON_BACK = 'k',   /* the card as it was */
    BUTTON_GONE = 'x',   /* cancel; a: the event's sequence */
    BUTTON_SLOT = 's',   /* move; a: the event's sequence, b: the start in minutes since 1970 */
    BUTTON_BOOK = 'b',   /* book what a poll found; a: the choice */
};

struct bot_button {
    enum bot_button_op op;
    struct str id; /* ULID of what it is about */
    int64_t a, b;  /* not negative */
};

struct str button_key(const struct env *env, struct arena *arena);
/* "" when it cannot be signed: no key, or an id that is no ULID. */
struct str button_data(
    struct str key, struct str session_id, const struct bot_button *button, struct arena *arena);
/* Is it one of ours, for this chat? */
bool button_read(
    struct str key, struct str session_id, struct str data, struct bot_button *ret_button);

#endif
