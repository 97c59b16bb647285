/* The model port: messages and tools in, text and tool calls out.
 *
 * One implementation per provider protocol (model/openai.c, …) and the deterministic built-in one.
 * A struct model is immutable after model_open() and shared by all loops. Chats name their
 * speakers: providers that know only "user" render "Ana: hi".
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "base/config.h"
#include "base/env.h"
#include "base/err.h"

struct model;

enum model_role { MODEL_SYSTEM, MODEL_USER, MODEL_ASSISTANT, MODEL_TOOL };

struct model_tool_call {
    struct str id, name;
    struct str arguments; /* JSON text as the model gave it; may be invalid */
};

struct model_message {
    enum model_role role;
    struct str author; /* MODEL_USER: who said it; may be empty */
    struct str content;
    int64_t at_ms;                            /* MODEL_USER: when; 0 unknown */
    const struct model_tool_call *tool_calls; /* MODEL_ASSISTANT */
    size_t tool_call_count;
    struct str tool_call_id, tool_name; /* MODEL_TOOL: what it answers */
    bool failed;                        /* MODEL_TOOL: it is about a failure */
    /* MODEL_ASSISTANT: from struct model_reply, for later calls of the same run. */
    struct str opaque;
    const char *opaque_of;
};

struct model_tool {
    struct str name, description;
    struct str parameters; /* JSON Schema, an object */
};

enum model_tool_choice { MODEL_TOOLS_AUTO, MODEL_TOOLS_NONE, MODEL_TOOLS_REQUIRED };

/* What the built-in model needs to know besides the messages; others are told in the prompt. */
struct model_scene {
    int64_t now_ms;
    struct str time_zone;  /* IANA */
    struct str agent_name; /* "Theo" */
    bool must_reply;
};

struct model_request {
    const struct model_message *messages;
    size_t message_count;
    const struct model_tool *tools;
    size_t tool_count;
    enum model_tool_choice tool_choice;
    struct str response_schema; /* JSON Schema of the answer; empty: free text */
    struct str response_name;
    int64_t max_output_tokens; /* 0: provider's default */
    double temperature;        /* negative: provider's default */
    struct str api_key;        /* the caller's own; empty: the configured one. Never stored */
    struct str name;           /* model name that overrides the configured one; may be empty */
    int64_t timeout_ms;        /* whole call with retries */
    struct model_scene scene;
    /* Text as it comes; NULL: no streaming. Non-zero ends the call and is passed on. May yield. */
    int (*on_delta)(struct str text, void *ctx);
    void *ctx;
};

struct model_usage {
    int64_t input_tokens, output_tokens, cached_tokens;
};

enum model_finish { MODEL_STOP, MODEL_LENGTH, MODEL_TOOL_CALLS, MODEL_FILTERED };

struct model_reply {
    struct str content;
    const struct model_tool_call *tool_calls;
    size_t tool_call_count;
    enum model_finish finish;
    struct model_usage usage; /* zeros when the provider did not say */
    struct str model;         /* as the provider names it */
    /* What the provider wants to get back unchanged with this message (signatures of its thinking),
     * and which provider that is: others do not get it. "" if nothing. */
    struct str opaque;
    const char *opaque_of;
    int attempts;
};

/* Why a call failed, for fallback and for people. */
enum model_error {
    MODEL_OK,
    MODEL_RATE_LIMITED,     /* 429 after retries */
    MODEL_QUOTA,            /* paid quota is used up: no retry helps */
    MODEL_CONTEXT_OVERFLOW, /* the prompt is too long for it */
    MODEL_UNAVAILABLE,      /* 5xx, connection, overload after retries */
    MODEL_TIMED_OUT,
    MODEL_UNAUTHORIZED,  /* 401, 403: the key is wrong */
    MODEL_BAD_REQUEST,   /* our fault: never masked by a fallback */
    MODEL_BROKEN_ANSWER, /* not its protocol, or cut off */
    MODEL_CANCELLED,
};
const char *model_error_name(enum model_error error);

/* Make a model from "builtin" or "openai:NAME" and the settings. ERR_INVALID names the setting. */
MUST_CHECK int model_open(
    const struct config *config, const struct env *env, struct str spec, struct model **ret_model);
void model_free(struct model *model);
struct str model_spec(const struct model *model); /* "openai:gpt-5-mini" */
bool model_is_builtin(const struct model *model);

/* 0, or a negative ERR_* with *ret_error set (never MODEL_OK then). After deltas were delivered a
 * call is not repeated. Strings live in arena. Yields. */
MUST_CHECK int model_chat(struct model *model, const struct model_request *request,
    struct arena *arena, struct model_reply *ret_reply, enum model_error *ret_error);

/* What a model costs (model/prices.def), in US dollars for a million tokens. */
struct model_price {
    int64_t context; /* tokens it takes at most; 0 unknown */
    double input, cached, output;
};
/* own: setting model.prices, which goes before the table. False: no price is known. */
bool model_price(const char *own, struct str spec, struct model_price *ret_price);
double model_cost_usd(const struct model_price *price, const struct model_usage *usage);
/* 0 or ERR_INVALID (field "model.prices"). */
MUST_CHECK int model_prices_check(const char *own);

/* What an implementation provides; see src/catalog.def. */
struct model_ops {
    const char *prefix; /* "openai" for specs "openai:NAME", or the whole spec */
    int (*open)(
        const struct config *config, const struct env *env, struct str name, void **ret_state);
    void (*close)(void *state);
    int (*chat)(void *state, const struct model_request *request, struct arena *arena,
        struct model_reply *ret_reply, enum model_error *ret_error);
};
/* A model of the caller's own, for replays: ops and state without the catalogue. env must outlive
 * it. */
struct model *model_new(
    const struct model_ops *ops, void *state, const struct env *env, struct str spec);
/* From src/catalog.def, ends with a NULL; set before model_open(). */
void model_register(const struct model_ops *const *models);

#endif
