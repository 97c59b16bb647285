/* When to speak: the rules of docs/architecture.md, section Rules for agents, in code, so that
 * silence costs no model call. must_reply goes before every other rule. Pure, does not yield.
 */
#ifndef AGENT_SPEAK_H
#define AGENT_SPEAK_H

#include "text/transcript.h"
#include "text/zone.h"

struct speak_verdict {
    bool speak;
    bool addressed;
    const char *reason; /* constant: "addressed", "scheduling", "open question", "not addressed",
                           "own message", "another bot", "nothing to add", "must reply" */
};

struct speak_verdict speak_decide(const struct transcript *chat, struct str agent_name,
    bool must_reply, int64_t now_ms, const struct zone *zone);

#endif
