/* Agents and teams as theo.yaml declares them (settings agents and teams), made once at start and
 * immutable from then on. docs/agents.md tells what each member means.
 *
 * An agent has instructions, a model, tools; a team is an agent that leads others. Both are chosen
 * by name, in the same way, and answer in the same way.
 */
#ifndef AGENT_DEFINITION_H
#define AGENT_DEFINITION_H

#include "agent/evaluation.h"
#include "agent/guard.h"
#include "agent/tool.h"
#include "base/config.h"
#include "model/model.h"

#define AGENT_DEPTH_MAX 4 /* teams in teams */
#define AGENT_MEMBERS_MAX 16

enum team_mode {
    TEAM_NONE,       /* an agent by itself */
    TEAM_COORDINATE, /* the leader asks members for parts of the work and composes the answer */
    TEAM_ROUTE,      /* the leader picks one member, whose answer is the answer */
    TEAM_BROADCAST,  /* every member answers first, at the same time; the leader composes */
    TEAM_TASKS,      /* the leader keeps a list of tasks, which members work through */
};

struct workflow;

/* A file or a folder that an agent may look things up in (tools/knowledge.h). */
struct knowledge_source {
    struct str path; /* to open: relative ones are beside the file that declares it */
    struct str name; /* as declared */
    bool untrusted;  /* others write there */
};

struct agent_def {
    struct str name, role, instructions;
    struct str model;            /* spec; "": the configured one and its fallbacks */
    const struct str *fallbacks; /* specs, tried in order; none: those of the configuration */
    size_t fallback_count;
    /* Tried instead of those when the model is rate-limited, or the prompt too long for it. */
    const struct str *on_rate_limit, *on_context_overflow;
    size_t on_rate_limit_count, on_context_overflow_count;
    const struct str *tools; /* names, also "server__*"; NULL: all there are */
    size_t tool_count;
    bool memory;              /* is told what is remembered of the chat */
    struct str output_schema; /* JSON Schema of the reply; "": free text */
    struct str input_schema;  /* JSON Schema of the request's metadata; "": any */
    /* Of its own part; 0: the run's. */
    int64_t max_model_calls, max_tool_calls, max_tokens, timeout_ms;
    enum team_mode mode;
    const struct agent_def **members;
    size_t member_count;
    struct tool *member_tools; /* a team's leader asks its members by these */
    size_t member_tool_count;
    struct guard_set guards;
    struct evaluation_set evaluations;
    struct str place; /* "theo.yaml:3", where it is declared */
    const struct knowledge_source *knowledge;
    size_t knowledge_count;
    const struct tool *const *own_tools; /* that nobody else has; set once after reading */
    size_t own_tool_count;
    const struct workflow *workflow; /* its steps; NULL: an agent or a team */
};

struct agent_set {
    struct arena arena;
    struct agent_def *defs; /* agents first, then teams, then workflows; members are resolved */
    size_t count;
    struct guard_set guards; /* setting guards: of the default agent, and who declares none */
    struct evaluation_set evaluations; /* the same of the setting evaluations */
    bool rewrites;                     /* somebody has a guard that changes what models are shown */
};

/* Read the settings agents, teams, workflows, guards and evaluations. tools: those built in, to
 * check names against; names with "__" belong to sources and are not checked. 0 or ERR_INVALID with
 * file, line and what is wrong. The set is freed by agent_set_free(). */
MUST_CHECK int agent_set_read(const struct config *config, const struct tool *const *tools,
    size_t tool_count, struct agent_set **ret_set);
void agent_set_free(struct agent_set *set); /* NULL is allowed */
/* Make the tools by which a team's leader asks its members (team.c). */
void team_member_tools(struct arena *arena, struct agent_def *team);
/* The text of a schema in a tree setting, without its line numbers. */
struct str agent_schema_text(struct arena *arena, const struct json *node);
/* Does the request's metadata fit? 0 or ERR_INVALID with field. agent may be NULL. */
MUST_CHECK int agent_check_input(const struct agent_def *agent, struct str metadata);
/* NULL when there is none of that name (any case). */
const struct agent_def *agent_set_find(const struct agent_set *set, struct str name);

#endif
