/* OpenAI Chat Completions and the servers that speak it: OpenAI, Azure, OpenRouter, Groq, vLLM,
 * llama.cpp, Ollama. Private to src/model; the port is model/model.h.
 *
 * Sources: github.com/openai/openai-openapi, the openai npm package's retry policy, and each
 * server's own documentation for what it does differently.
 */
#ifndef MODEL_OPENAI_H
#define MODEL_OPENAI_H

#include "http/http.h"
#include "model/model.h"
#include "text/sse.h"

/* What may be sent, by host. */
enum openai_dialect {
    OPENAI_COMPATIBLE, /* max_tokens, Bearer */
    OPENAI_OFFICIAL,   /* max_completion_tokens, Bearer */
    OPENAI_AZURE,      /* max_completion_tokens, api-key */
};

struct openai {
    const struct env *env;
    char *url; /* …/chat/completions */
    char *name, *key;
    int64_t timeout_ms, retries;
    enum openai_dialect dialect;
};

/* Why an attempt failed and whether another one makes sense. The cause is kept with the fiber. */
struct openai_failure {
    enum model_error error;
    bool retry;
    int64_t retry_after_ms; /* the server's wish; negative: none */
};

/* openai_request.c: pure. */
enum openai_dialect openai_dialect_of(struct str host);
/* The URL to post to, from the base URL, which may carry a query (Azure's api-version). */
struct str openai_url(struct arena *arena, struct str base_url);
void openai_write_request(
    struct buf *out, const struct openai *openai, const struct model_request *request);

/* openai_answer.c: an answer under construction, from one whole body or from many chunks; pure. */
struct openai_call {
    int64_t index;
    struct str id, name;
    struct buf arguments;
};

struct openai_answer {
    struct arena *arena;
    struct buf content;
    struct openai_call *calls;
    size_t call_count, call_room;
    bool finished; /* a finish_reason came */
    bool refused;
    enum model_finish finish;
    struct model_usage usage;
    struct str model;
};

enum { OPENAI_ERROR = 1 /* the JSON holds an error instead of an answer */ };

void openai_answer_init(struct openai_answer *answer, struct arena *arena);
/* Merge a body or a chunk. 0, OPENAI_ERROR, or ERR_PROTOCOL when it is neither. */
MUST_CHECK int openai_answer_take(struct openai_answer *answer, const struct json *root);
void openai_answer_end(
    struct openai_answer *answer, const struct env *env, struct model_reply *ret_reply);

/* openai_stream.c: the event stream of one attempt. */
struct openai_stream {
    const struct model_request *request;
    const struct http_headers *headers; /* of the HTTP answer, filled before its body */
    struct openai_answer *answer;
    struct openai_failure *failure;
    struct str key; /* must not show up in messages */
    struct sse_parser parser;
    struct arena scratch; /* of one event */
    struct buf plain;     /* a server that does not stream answers with a whole body */
    bool chosen, is_plain;
    bool done;      /* [DONE] came */
    bool delivered; /* the caller has seen text */
};

void openai_stream_init(struct openai_stream *stream);
void openai_stream_deinit(struct openai_stream *stream);
/* An on_data of struct http_call; ctx is the stream. Yields. */
int openai_stream_feed(struct str piece, void *ctx);
/* After the HTTP answer ended with rc: 0 or the failure. Yields. */
MUST_CHECK int openai_stream_end(struct openai_stream *stream, int rc);
/* A whole body: 0 or the failure. */
MUST_CHECK int openai_take_body(struct openai_answer *answer, struct str body, struct arena *arena,
    struct str key, struct openai_failure *failure);

/* openai_error.c: what went wrong, as an ERR_* with its cause, and *failure. */
int openai_fail_status(struct arena *arena, int status, const struct http_headers *headers,
    struct str body, struct str key, const struct env *env, struct openai_failure *failure);
/* An error object inside a 200 answer or a chunk. */
int openai_fail_json(
    struct arena *arena, const struct json *root, struct str key, struct openai_failure *failure);
/* http_send() failed with rc; status is what had come. */
int openai_fail_http(int rc, int status, struct openai_failure *failure);
int openai_fail_broken(struct openai_failure *failure, bool retry, const char *what);
/* Wish of the answer's headers in ms, or -1. */
int64_t openai_retry_after(const struct http_headers *headers, const struct env *env);

#endif
