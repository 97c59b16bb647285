/* OpenAI Chat Completions and the servers that speak it: OpenAI, Azure, OpenRouter, Groq, vLLM,
 * llama.cpp, Ollama. Private to src/model; the port is model/model.h.
 *
 * Sources: github.com/openai/openai-openapi, the openai npm package's retry policy, and each
 * server's own documentation for what it does differently.
 */
#ifndef MODEL_OPENAI_H
#define MODEL_OPENAI_H

#include "model/provider.h"

/* What may be sent, by host. */
enum openai_dialect {
    OPENAI_COMPATIBLE, /* max_tokens, Bearer */
    OPENAI_OFFICIAL,   /* max_completion_tokens, Bearer */
    OPENAI_AZURE,      /* max_completion_tokens, api-key */
};

extern const struct provider_protocol openai_protocol;

/* All pure. */
enum openai_dialect openai_dialect_of(struct str host);
/* The URL to post to, from the base URL, which may carry a query (Azure's api-version). */
struct str openai_url(struct arena *arena, struct str base_url);
void openai_write_request(
    struct buf *out, const struct provider *provider, const struct model_request *request);
/* Merge a body or a chunk: see struct provider_protocol. */
MUST_CHECK int openai_answer_take(struct provider_answer *answer, const struct json *root);

#endif
