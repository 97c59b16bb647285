/* What a model is told. The stable part comes first, so that provider caches hit; the chat follows
 * as messages with their authors and is data, never an instruction. Pure, does not yield.
 */
#ifndef AGENT_PROMPT_H
#define AGENT_PROMPT_H

#include "model/model.h"
#include "text/transcript.h"
#include "text/zone.h"

/* What a model answers when it may be silent and has nothing to add. */
#define PROMPT_SILENCE "[silent]"

struct prompt_scene {
    struct str agent_name;
    struct str operator_prompt;    /* setting agent.system-prompt */
    struct str caller_prompt;      /* of the request */
    struct str role, instructions; /* of a declared agent */
    struct str team;               /* how a leader works with its members */
    struct str input;              /* JSON that the request brought for an agent with a schema */
    struct str task;               /* of a member */
    struct str memory;             /* what is remembered of the chat (agent/memory.h) */
    int64_t now_ms;
    const struct zone *zone;
    bool may_be_silent;
};

/* The part of the instructions that every run has. */
struct str prompt_rules(struct str agent_name, struct arena *arena);
/* The instructions, under 4 KB besides what operator and caller add. */
struct str prompt_system(const struct prompt_scene *scene, struct arena *arena);

/* Instructions and chat as messages, with room for extra more. A chat beyond about 32,000 tokens
 * loses its oldest messages, which the instructions then say. */
struct model_message *prompt_messages(const struct prompt_scene *scene,
    const struct transcript *chat, size_t extra, struct arena *arena, size_t *ret_count);

#endif
