/* The policy: what a person must agree to before a tool runs. Rules in code and in the setting
 * policy, never in a prompt.
 *
 * - A tool says itself whether it needs an approval (struct tool); `policy: tools:` overrides that,
 *   and its limits, by name or by a pattern that ends in "*".
 * - A tainted run (agent/taint.h) that wants an outside effect needs an approval whatever the tool
 *   says, unless the policy allows this tool, or every address in its arguments is at an allowed
 *   destination.
 * - A tainted run may not make up an address: a tool that reads is asked for with an address that
 *   stands in what people said or tools gave, or needs an approval, for an address can carry data
 *   away.
 *
 * Read once at start, immutable then, shared by all loops. Nothing yields.
 */
#ifndef AGENT_POLICY_H
#define AGENT_POLICY_H

#include "agent/taint.h"
#include "agent/tool.h"

struct config;
struct policy;

enum policy_verdict {
    POLICY_ALLOW,
    POLICY_AUDIT, /* allowed, and recorded for people to see */
    POLICY_ASK,   /* a person decides */
    POLICY_BLOCK, /* never */
};

struct policy_decision {
    enum policy_verdict verdict;
    const char *rule; /* "none", "tool", "policy", "untrusted-text", "unknown-address" */
};

/* What holds for one tool, after the policy. */
struct policy_limits {
    enum tool_approval approval;
    int64_t timeout_ms; /* 0: the default */
    int64_t calls_max;  /* per run; 0: no limit of its own */
    int64_t cache_ms;   /* 0: not cached */
};

/* What was said and read in a run: where a known address may come from. */
struct policy_text {
    bool (*has)(void *ctx, struct str address);
    void *ctx;
};

/* Does text hold this address, and not just a part of a longer one? */
bool policy_mentions(struct str text, struct str address);

/* Read the setting policy. 0 or ERR_INVALID (field, and the line of the file in the message). */
MUST_CHECK int policy_open(const struct config *config, struct policy **ret_policy);
void policy_free(struct policy *policy); /* may be NULL */
/* A tool is named that can never be there: ERR_INVALID. Only when no source can bring more. */
MUST_CHECK int policy_check_names(
    const struct policy *policy, const struct tool *const *tools, size_t count);

/* policy may be NULL in all that follow: then tools speak for themselves. */
struct policy_limits policy_limits(const struct policy *policy, const struct tool *tool);
struct policy_decision policy_decide(const struct policy *policy, const struct tool *tool,
    const struct json *args, const struct taint *taint, const struct policy_text *text);
/* Are messages of this channel other people's words that are not to be trusted? */
bool policy_distrusts(const struct policy *policy, struct str channel);
/* The rules as a JSON object, for /api/config; there is no secret in them. */
void policy_write(struct json_writer *w, const struct policy *policy);

const char *tool_approval_name(enum tool_approval approval);

#endif
