/* Is the last message of a chat addressed to somebody (usually Theo)?
 *
 * Knows vocatives ("Theo, …", "Theo: …", "hey theo …", "…, Theo?"), @mentions (exact: @theodore is
 * not @theo), nicks with IRC punctuation, answers that go on a dialogue with him, and tells talk
 * *to* from talk *about* ("Theo said", "ask Theo", "theo's deck"). Pure, does not yield.
 */
#ifndef TEXT_ADDRESS_H
#define TEXT_ADDRESS_H

#include "text/transcript.h"

struct address_verdict {
    bool addressed;
    double score;       /* 0 to 1: how sure that it is addressed; addressed = score >= 0.5 */
    const char *reason; /* constant: "named first", "mention", "follow-up", "talked about", … */
};

/* name: "Theo". aliases: other exact names (a bot's username without @), may be NULL. */
struct address_verdict address_judge(
    const struct transcript *chat, struct str name, const struct str *aliases, size_t alias_count);

/* Is text, a message or a sentence of one, by itself said to the agent: by name, or by the username
 * that it begins with ("@acme_bot, …": in Telegram those of bots end in "bot")? */
bool address_is_to(struct str text, struct str party, struct str agent);

/* text mentions name as a whole word anywhere (no case). */
bool address_names(struct str text, struct str name);

#endif
