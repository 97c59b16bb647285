#include "model/openai.h"

enum { EVENT_MAX = MIB };

void openai_stream_init(struct openai_stream *stream)
{
    sse_parser_init(&stream->parser, EVENT_MAX);
    arena_init(&stream->scratch);
}

void openai_stream_deinit(struct openai_stream *stream)
{
    sse_parser_deinit(&stream->parser);
    arena_deinit(&stream->scratch);
    buf_deinit(&stream->plain);
}

/* The caller's end of the call: whatever it returns is passed on. */
static int deliver(struct openai_stream *stream, struct str text)
{
    if (str_empty(text))
        return 0;
    stream->delivered = true;
    int rc = stream->request->on_delta(text, stream->request->ctx);
    if (rc != 0)
        *stream->failure = (struct openai_failure){MODEL_CANCELLED, false, -1};
    return rc;
}

static int take_event(const struct sse_event *event, void *ctx)
{
    struct openai_stream *stream = ctx;
    const struct json *root = NULL;
    if (str_is(event->data, "[DONE]"))
        stream->done = true;
    if (stream->done || str_empty(event->data))
        return 0;
    arena_reset(&stream->scratch);
    if (json_parse(&stream->scratch, event->data, &root) != 0)
        return openai_fail_broken(stream->failure, false, "a piece of its stream is not JSON");
    size_t before = stream->answer->content.len;
    int rc = openai_answer_take(stream->answer, root);
    if (rc == OPENAI_ERROR)
        return openai_fail_json(&stream->scratch, root, stream->key, stream->failure);
    if (rc != 0)
        return openai_fail_broken(stream->failure, false, "a piece of its stream holds no answer");
    struct str content = buf_str(&stream->answer->content);
    return deliver(stream, str_slice(content, before, content.len));
}

static void choose(struct openai_stream *stream)
{
    struct str type = http_header(stream->headers, "content-type");
    stream->chosen = true;
    stream->is_plain = str_starts_nocase(type, STR("application/json"));
}

int openai_stream_feed(struct str piece, void *ctx)
{
    struct openai_stream *stream = ctx;
    if (!stream->chosen)
        choose(stream);
    if (stream->is_plain) {
        buf_add_str(&stream->plain, piece);
        return 0;
    }
    int rc = sse_parser_feed(&stream->parser, piece, take_event, stream);
    if (rc == ERR_TOO_LARGE && stream->failure->error == MODEL_OK)
        return openai_fail_broken(stream->failure, false, "a piece of its stream is too long");
    return rc;
}

int openai_take_body(struct openai_answer *answer, struct str body, struct arena *arena,
    struct str key, struct openai_failure *failure)
{
    const struct json *root = NULL;
    if (json_parse(arena, body, &root) != 0)
        return openai_fail_broken(failure, false, "it is not JSON");
    int rc = openai_answer_take(answer, root);
    if (rc == OPENAI_ERROR)
        return openai_fail_json(arena, root, key, failure);
    if (rc != 0 || json_len(json_get(root, "choices")) == 0)
        return openai_fail_broken(failure, false, "it holds no choices");
    return 0;
}

int openai_stream_end(struct openai_stream *stream, int rc)
{
    if (stream->failure->error != MODEL_OK)
        return rc;
    if (rc == ERR_CANCELLED)
        return rc;
    if (rc == 0 && stream->is_plain) {
        rc = openai_take_body(stream->answer, buf_str(&stream->plain), stream->answer->arena,
            stream->key, stream->failure);
        return rc != 0 ? rc : deliver(stream, buf_str(&stream->answer->content));
    }
    /* After its last word a server may break off as it likes. */
    if (stream->done || stream->answer->finished)
        return 0;
    if (rc == 0 || rc == ERR_IO)
        return openai_fail_broken(
            stream->failure, !stream->delivered, "its stream was cut off before the end");
    return rc;
}
