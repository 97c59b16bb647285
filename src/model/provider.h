/* What the providers' protocols have in common: one POST, answered by one JSON body or by an event
 * stream; attempts with pauses; errors told apart. A protocol (openai.c, anthropic.c, gemini.c)
 * says how a request is written and how an answer is read. Private to src/model; the port is
 * model/model.h.
 *
 * A struct provider is immutable after provider_open() and shared by all loops.
 */
#ifndef MODEL_PROVIDER_H
#define MODEL_PROVIDER_H

#include "http/http.h"
#include "model/model.h"
#include "text/sse.h"

#define PROVIDER_HEADERS_MAX 5

struct provider_protocol;

struct provider {
    const struct provider_protocol *protocol;
    const struct env *env;
    char *url; /* base URL, without a slash at its end */
    char *name, *key;
    int64_t timeout_ms, retries;
    int dialect; /* openai.h */
};

/* Why an attempt failed and whether another one makes sense. The cause is kept with the fiber. */
struct provider_failure {
    enum model_error error;
    bool retry;
    int64_t retry_after_ms; /* the server's wish; negative: none */
};

/* An answer under construction, from one whole body or from many chunks. */
struct provider_call {
    int64_t index;
    struct str id, name;
    struct buf arguments;
};

struct provider_answer {
    struct arena *arena;
    struct buf content;
    struct provider_call *calls;
    size_t call_count, call_room;
    bool whole;    /* there was an answer in it at all, however short */
    bool finished; /* the provider said why it ended */
    bool refused;
    enum model_finish finish;
    struct model_usage usage;
    struct str model;
    struct buf opaque;              /* what must be sent back unchanged; see struct model_reply */
    struct buf thinking, signature; /* of the block that is under way (Anthropic) */
    bool in_thinking;
};

enum { PROVIDER_ERROR = 1 /* the JSON holds an error instead of an answer */ };

/* What an error says, in whatever form. */
struct provider_report {
    int status; /* HTTP's, or the one an error object carries; 0 unknown */
    struct str message, type, code;
    int64_t retry_after_ms; /* from the body; -1 none */
};

struct provider_protocol {
    const char *prefix;                    /* "openai": of specs and of settings */
    const char *key_setting, *url_setting; /* these and the examples are for messages */
    const char *example, *url_example;
    /* Where to post to. */
    struct str (*url)(
        const struct provider *provider, const struct model_request *request, struct arena *arena);
    /* Besides Content-Type and Accept; returns how many, at most PROVIDER_HEADERS_MAX - 2. key may
     * be empty: a server of one's own that wants none. */
    size_t (*headers)(const struct provider *provider, struct str key, struct arena *arena,
        struct http_header *headers);
    void (*write)(
        struct buf *out, const struct provider *provider, const struct model_request *request);
    /* Merge a whole body or a piece of a stream. 0, PROVIDER_ERROR, or ERR_PROTOCOL when it is
     * neither. root lives until the call returns. */
    int (*take)(struct provider_answer *answer, const struct json *root);
    /* The provider sends a last event "[DONE]". */
    bool says_done;
};

/* provider.c */
/* name: the model's; must not be empty. base_url and key are copied. */
MUST_CHECK int provider_open(const struct provider_protocol *protocol, const struct config *config,
    const struct env *env, struct str name, const char *base_url, const char *key,
    struct provider **ret_provider);
void provider_close(void *provider);
/* The chat of struct model_ops; state is a struct provider. Yields. */
MUST_CHECK int provider_chat(void *state, const struct model_request *request, struct arena *arena,
    struct model_reply *ret_reply, enum model_error *ret_error);
/* "Ana: hi", or the content alone when nobody is named. */
struct str provider_user_text(struct arena *arena, const struct model_message *message);
/* Arguments of an earlier call as a JSON object, also when the model had given none or broken ones.
 */
struct str provider_arguments(struct arena *arena, struct str arguments);

/* provider_answer.c; pure. */
void provider_answer_init(struct provider_answer *answer, struct arena *arena);
/* The call of that index; made when it is new. NULL when there are too many (ERR_PROTOCOL set). */
struct provider_call *provider_answer_call(
    struct provider_answer *answer, int64_t index, struct str id);
void provider_answer_end(
    struct provider_answer *answer, const struct env *env, struct model_reply *ret_reply);

/* provider_stream.c: the event stream of one attempt. */
struct provider_stream {
    const struct provider_protocol *protocol;
    const struct model_request *request;
    const struct http_headers *headers; /* of the HTTP answer, filled before its body */
    struct provider_answer *answer;
    struct provider_failure *failure;
    struct str key; /* must not show up in messages */
    struct sse_parser parser;
    struct arena scratch; /* of one event */
    struct buf plain;     /* a server that does not stream answers with a whole body */
    bool chosen, is_plain;
    bool done;      /* [DONE] came */
    bool delivered; /* the caller has seen text */
};

void provider_stream_init(struct provider_stream *stream);
void provider_stream_deinit(struct provider_stream *stream);
/* An on_data of struct http_call; ctx is the stream. Yields. */
int provider_stream_feed(struct str piece, void *ctx);
/* After the HTTP answer ended with rc: 0 or the failure. Yields. */
MUST_CHECK int provider_stream_end(struct provider_stream *stream, int rc);
/* A whole body: 0 or the failure. */
MUST_CHECK int provider_take_body(const struct provider_protocol *protocol,
    struct provider_answer *answer, struct str body, struct arena *arena, struct str key,
    struct provider_failure *failure);

/* provider_error.c: what went wrong, as an ERR_* with its cause, and *failure. */
int provider_fail_status(const struct provider_protocol *protocol, struct arena *arena, int status,
    const struct http_headers *headers, struct str body, struct str key, const struct env *env,
    struct provider_failure *failure);
/* An error object inside a 200 answer or a chunk. */
int provider_fail_json(const struct provider_protocol *protocol, struct arena *arena,
    const struct json *root, struct str key, struct provider_failure *failure);
/* http_send() failed with rc; status is what had come. */
int provider_fail_http(int rc, int status, struct provider_failure *failure);
int provider_fail_broken(struct provider_failure *failure, bool retry, const char *what);
/* Wish of the answer's headers in ms, or -1. */
int64_t provider_retry_after(const struct http_headers *headers, const struct env *env);

#endif
