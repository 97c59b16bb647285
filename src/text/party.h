/* Could these bytes be the name of somebody who speaks in a chat?
 *
 * Judged by shape alone; text/transcript.c weighs it against the rest of the text. IRC nicks,
 * "@ana", "Ana García (Acme)", "Dr. Li", "User 1", phone numbers, e-mail addresses, emoji and names
 * in any script are plausible; links, clock times, list items, code and sentences are not. Pure,
 * does not yield.
 */
#ifndef TEXT_PARTY_H
#define TEXT_PARTY_H

#include "base/str.h"

enum party_shape {
    PARTY_NEVER,  /* not a name */
    PARTY_LABEL,  /* "Note", "Next steps", "Q": a heading, unless the chat has no other names */
    PARTY_WEAK,   /* "sales team": a name only if it comes back */
    PARTY_STRONG, /* a name */
};

enum party_shape party_shape(struct str name);

#endif
