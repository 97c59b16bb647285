/* What policy.c and policy_read.c share. */
#ifndef AGENT_POLICY_DATA_H
#define AGENT_POLICY_DATA_H

#include "agent/policy.h"

struct policy_rule {
    struct str pattern, name; /* name: without the "*" */
    bool prefix;
    struct str place; /* file and line */
    /* -1: not said */
    int approval; /* enum tool_approval */
    int tainted;  /* enum policy_verdict */
    int64_t calls_max, timeout_ms, cache_ms;
    struct str *destinations;
    size_t destination_count;
};

struct policy {
    struct arena arena;
    struct policy_rule *rules;
    size_t rule_count;
    struct str *channels;
    size_t channel_count;
};

#endif
