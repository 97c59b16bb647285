/* Inside of definition.c: reads one entry of the settings agents, teams and workflows. */
#ifndef AGENT_DEFINITION_ENTRY_H
#define AGENT_DEFINITION_ENTRY_H

#include "agent/definition.h"

#define DEFINITIONS_MAX 256
#define DEFINITION_SLOTS 512 /* a power of 2, twice as many */

enum definition_kind { AGENTS = 1, TEAMS = 2, WORKFLOWS = 4 };

struct definition_reader {
    struct agent_set *set;
    const struct tool *const *tools;
    size_t tool_count;
    const char *setting; /* "agents", "teams" or "workflows" */
    const char *place;   /* of the whole setting */
    const struct json *entry;
    struct agent_def *def;
    enum definition_kind kind;        /* of what is read: AGENTS, TEAMS or WORKFLOWS */
    struct str whole;                 /* place, in the set's arena */
    uint16_t names[DEFINITION_SLOTS]; /* hashes of names lead to the number of the def, plus 1 */
};

/* ERR_INVALID that says where the entry stands and which member is wrong (NULL: the entry). */
int PRINTF_LIKE(3, 4)
    definition_wrong(const struct definition_reader *r, const char *member, const char *fmt, ...);

/* Read r->entry into r->def, which is zeroed. */
MUST_CHECK int definition_entry(struct definition_reader *r, struct str name);

#endif
