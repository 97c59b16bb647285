/* A tool call with a calendar and a memory store behind it. */
#ifndef TOOLS_FIXTURE_H
#define TOOLS_FIXTURE_H

#include "secure/seal.h"
#include "store/backend.h"
#include "test.h"
#include "tools/services.h"

struct fixture {
    struct test *t;
    struct config config;
    struct sealer *sealer;
    struct store *store;
    struct tool_services services;
    struct transcript chat;
    struct tool_call call; /* in session "S" of workspace "main", on Monday 2026-03-02 09:00 UTC */
    int calls;
    struct tool_result result;
    const struct json *content; /* of the last call that worked */
};

bool fixture_open(struct test *t, struct fixture *f);
void fixture_close(struct fixture *f);

/* Check args as a run does, then run the tool with an idempotency key of its own. */
int fixture_call(struct fixture *f, const struct tool *tool, const char *args);
struct str fixture_get(const struct fixture *f, const char *path);

#endif
