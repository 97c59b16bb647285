/* A whole Theo for one test: memory store, local calendar, scripted model, a server on a free port,
 * and a client that asks it over a real socket.
 */
#ifndef TESTS_API_HOUSE_H
#define TESTS_API_HOUSE_H

#include "agent/definition.h"
#include "agent/policy.h"
#include "api/api.h"
#include "http/client.h"
#include "store/api_keys.h"
#include "test.h"
#include "tools/services.h"

/* What the model does next. */
struct script {
    const char *reply;
    const char *tool, *arguments; /* called once before the reply; NULL: none */
    bool fail;                    /* it is down */
    bool fail_after_tool;         /* it is down once the tool has run */
    int calls;
    /* Answers instead of all that; NULL: what stands above. */
    int (*answer)(
        const struct model_request *request, struct arena *arena, struct model_reply *ret_reply);
};

struct house {
    struct test *t;
    struct config config;
    struct sealer *sealer;
    struct store *store;
    struct calendar *calendar;
    struct model *model;
    struct tool_services services;
    struct agent_set *agents;
    struct policy *policy;
    struct agent_house agent;
    struct api api;
    struct http_server *server;
    char key[API_KEY_LEN + 1];
};

extern struct script script;

/* yaml: settings, may be NULL. False (with the test failed) when it cannot be built. */
bool house_open(struct house *house, struct test *t, const char *yaml);
/* The same with all settings given; its key is made when it has none yet. Another store than memory
 * is sealed by a file in the setting data-dir. */
bool house_open_as(struct house *house, struct test *t, const char *settings);
/* Another process takes over the store: what the one before had begun is left as it is. */
bool house_restart(struct house *house);
void house_close(struct house *house);
/* Another key with these scopes, in the test's arena. */
const char *house_key(struct house *house, const char *scopes);

struct asked {
    int status;
    struct http_headers headers;
    struct str body;
    const struct json *json; /* NULL unless the body is JSON */
};
/* One call with the admin key. header: "Name: value" or NULL. body NULL: none. */
struct asked ask(struct house *house, enum http_method method, const char *path, const char *body,
    const char *header);
/* The same with another key; NULL for none. */
struct asked ask_as(struct house *house, const char *key, enum http_method method, const char *path,
    const char *body, const char *header);
/* A POST with a JSON body. */
struct asked post(struct house *house, const char *path, const char *body);
/* The answer is a problem of that status; returns its field ("" without one). */
struct str expect_problem(struct test *t, const struct asked *asked, int status);

#define BEGIN(yaml)                                                                                \
    struct house h;                                                                                \
    if (!house_open(&h, t, (yaml)))                                                                \
    return
#define END house_close(&h)

#endif
