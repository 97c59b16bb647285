/* Extractive digest of a chat: what was said, decided and left open, with speakers. No model.
 *
 * Every line quotes or paraphrases by cutting, never invents. Pure, does not yield.
 */
#ifndef TEXT_DIGEST_H
#define TEXT_DIGEST_H

#include "text/transcript.h"

enum digest_kind { DIGEST_POINT, DIGEST_DECISION, DIGEST_ACTION, DIGEST_QUESTION };

struct digest_item {
    enum digest_kind kind;
    size_t message; /* index in the transcript */
    struct str party;
    struct str text; /* one sentence of that message */
};

/* The most telling sentences, in order, at most max. Returns how many. skip_party: the agent, whose
 * messages are left out, and so are questions and requests to it and commands; may be empty. */
size_t digest_make(const struct transcript *chat, struct str skip_party, struct arena *arena,
    struct digest_item *items, size_t max);

/* Is the text a question (mark, or interrogative opening)? */
bool text_is_question(struct str text);

/* Does it ask something of the agent? Such words say nothing of the matter itself. */
bool text_is_request(struct str text, struct str party, struct str agent);

#endif
