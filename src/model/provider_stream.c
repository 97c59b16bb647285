#include "model/provider.h"

enum { EVENT_MAX = MIB };

void provider_stream_init(struct provider_stream *stream)
{
    sse_parser_init(&stream->parser, EVENT_MAX);
    arena_init(&stream->scratch);
}

void provider_stream_deinit(struct provider_stream *stream)
{
    sse_parser_deinit(&stream->parser);
    arena_deinit(&stream->scratch);
    buf_deinit(&stream->plain);
}

/* The caller's end of the call: whatever it returns is passed on. */
static int deliver(struct provider_stream *stream, struct str text)
{
    if (str_empty(text))
        return 0;
    stream->delivered = true;
    int rc = stream->request->on_delta(text, stream->request->ctx);
    if (rc != 0)
        *stream->failure = (struct provider_failure){MODEL_CANCELLED, false, -1};
    return rc;
}

static int take_event(const struct sse_event *event, void *ctx)
{
    struct provider_stream *stream = ctx;
    const struct json *root = NULL;
    if (stream->protocol->says_done && str_is(event->data, "[DONE]"))
        stream->done = true;
    if (stream->done || str_empty(event->data))
        return 0;
    arena_reset(&stream->scratch);
    if (json_parse(&stream->scratch, event->data, &root) != 0)
        return provider_fail_broken(stream->failure, false, "a piece of its stream is not JSON");
    size_t before = stream->answer->content.len;
    int rc = stream->protocol->take(stream->answer, root);
    if (rc == PROVIDER_ERROR)
        return provider_fail_json(
            stream->protocol, &stream->scratch, root, stream->key, stream->failure);
    if (rc != 0)
        return provider_fail_broken(
            stream->failure, false, "a piece of its stream holds no answer");
    struct str content = buf_str(&stream->answer->content);
    return deliver(stream, str_slice(content, before, content.len));
}

static void choose(struct provider_stream *stream)
{
    struct str type = http_header(stream->headers, "content-type");
    stream->chosen = true;
    stream->is_plain = str_starts_nocase(type, STR("application/json"));
}

int provider_stream_feed(struct str piece, void *ctx)
{
    struct provider_stream *stream = ctx;
    if (!stream->chosen)
        choose(stream);
    if (stream->is_plain) {
        buf_add_str(&stream->plain, piece);
        return 0;
    }
    int rc = sse_parser_feed(&stream->parser, piece, take_event, stream);
    if (rc == ERR_TOO_LARGE && stream->failure->error == MODEL_OK)
        return provider_fail_broken(stream->failure, false, "a piece of its stream is too long");
    return rc;
}

int provider_take_body(const struct provider_protocol *protocol, struct provider_answer *answer,
    struct str body, struct arena *arena, struct str key, struct provider_failure *failure)
{
    const struct json *root = NULL;
    if (json_parse(arena, body, &root) != 0)
        return provider_fail_broken(failure, false, "it is not JSON");
    int rc = protocol->take(answer, root);
    if (rc == PROVIDER_ERROR)
        return provider_fail_json(protocol, arena, root, key, failure);
    if (rc != 0 || !answer->whole)
        return provider_fail_broken(failure, false, "it holds no answer");
    return 0;
}

int provider_stream_end(struct provider_stream *stream, int rc)
{
    if (stream->failure->error != MODEL_OK)
        return rc;
    if (rc == ERR_CANCELLED)
        return rc;
    if (rc == 0 && stream->is_plain) {
        rc = provider_take_body(stream->protocol, stream->answer, buf_str(&stream->plain),
            stream->answer->arena, stream->key, stream->failure);
        return rc != 0 ? rc : deliver(stream, buf_str(&stream->answer->content));
    }
    /* After its last word a server may break off as it likes. */
    if (stream->done || stream->answer->finished)
        return 0;
    if (rc == 0 || rc == ERR_IO)
        return provider_fail_broken(
            stream->failure, !stream->delivered, "its stream was cut off before the end");
    return rc;
}
