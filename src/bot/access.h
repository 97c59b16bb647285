/* Pairing codes: whoever sends one in a chat lets Theo in there. */
#ifndef BOT_ACCESS_H
#define BOT_ACCESS_H

#include "store/store.h"

/* Make a code of 10 characters that can be used once, within minutes. 0 or store errors. Yields. */
MUST_CHECK int bot_pairing_code(struct store *store, const struct env *env, struct str workspace_id,
    int64_t minutes, struct arena *arena, struct str *ret_code);

#endif
