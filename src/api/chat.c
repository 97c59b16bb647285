/* POST /api/chat: a transcript goes in, an answer comes out, whole or as a stream of run events.
 *
 * Streaming: the run works on a fiber of its own and hands its events through a small channel to
 * the connection's fiber, which writes them. A slow reader fills the channel and so slows the run;
 * a quiet run gets keep-alive comments. A client that leaves does not end the run: it can come
 * back for what it missed (api/runs_events.c), or cancel it (api/runs_act.c). The last event is
 * sent by us after run_chat() returned, because only then its answer is durable.
 */
#include "api/exchange.h"
#include "http/sse.h"
#include "runtime/channel.h"
#include "secure/redact.h"

#define PING_MS (15 * SECOND_MS)
#define QUEUE 16
#define LOOK_MS 500

static const struct body_field chat_fields[] = {
    {"system_prompt", JSON_STRING, 32 * KIB},
    {"session_id", JSON_STRING, 64},
    {"agent", JSON_STRING, 64},
    {"model", JSON_STRING, 200},
    {"time_zone", JSON_STRING, 64},
    {"stream", JSON_BOOL, 0},
    {"must_reply", JSON_BOOL, 0},
    {"metadata", JSON_OBJECT, 64},
};

#define METADATA_MAX (16 * KIB)

static int read_transcript(struct exchange *x, struct transcript *ret_chat)
{
    const struct json *context = json_get(x->body, "chat_context");

    if (json_is(context, JSON_STRING))
        return transcript_parse(x->arena, json_str(context), ret_chat);
    if (json_is(context, JSON_ARRAY))
        return transcript_from_json(x->arena, context, ret_chat);
    return err_field(ERR_INVALID, "chat_context",
        "chat_context must be a transcript (\"Ana: hi\\nBen: …\") or an array of "
        "{\"party\", \"message\"}.");
}

static int read_request(struct exchange *x, struct run_request *ret_request)
{
    struct run_request request = {.workspace_id = x->workspace, .channel = STR("api")};
    int rc = body_check(x->body, chat_fields, ARRAY_LEN(chat_fields));

    if (rc == 0)
        rc = read_transcript(x, &request.chat);
    if (rc < 0)
        return rc;
    request.key_id = str_from(x->who.key_id);
    request.session_id = json_get_str(x->body, "session_id");
    request.idempotency_key = x->seed.ptr ? x->seed : STR("");
    request.system_prompt = json_get_str(x->body, "system_prompt");
    request.agent = json_get_str(x->body, "agent");
    request.model = json_get_str(x->body, "model");
    request.model_api_key = http_header(&x->req->headers, "x-model-api-key");
    request.time_zone = json_get_str(x->body, "time_zone");
    request.must_reply = json_get_bool(x->body, "must_reply", false);
    request.metadata = STR("");
    if (body_has(x->body, "metadata"))
        request.metadata = json_text(x->arena, json_get(x->body, "metadata"));
    if (request.metadata.len > METADATA_MAX)
        return err_field(
            ERR_INVALID, "metadata", "metadata may have at most %d bytes as JSON.", METADATA_MAX);
    *ret_request = request;
    return 0;
}

static void fill_answer(struct exchange *x, const struct run_result *result)
{
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    json_init(&w, &out);
    run_result_write(&w, result);
    answer_json(&x->answer, 200, &out);
    x->answer.run_id = result->run_id;
}

/* One event on its way from the run's fiber to the connection's. On the heap: the run's arena must
 * not grow with every delta. */
struct stream_item {
    const char *type;
    int64_t seq;
    size_t len;
    char data[];
};

struct chat_stream {
    struct exchange *x;
    struct run_request request;
    struct run_result result;
    struct channel *items;
    int64_t last_seq;
    bool begun;
    int rc;
    struct err cause;
};

static bool is_last(const char *type)
{
    return strcmp(type, "run.completed") == 0 || strcmp(type, "run.paused") == 0 ||
           strcmp(type, "run.failed") == 0 || strcmp(type, "run.cancelled") == 0;
}

static int on_event(const struct run_event *event, void *ctx)
{
    struct chat_stream *stream = ctx;
    struct stream_item *item;
    int rc;

    if (is_last(event->type))
        return 0;
    item = xmalloc(sizeof(*item) + event->data.len);
    item->type = event->type;
    item->seq = event->seq;
    item->len = event->data.len;
    memcpy(item->data, event->data.ptr, event->data.len);
    rc = channel_put(stream->items, item, FIBER_NO_DEADLINE);
    if (rc < 0)
        free(item);
    return rc;
}

static void produce(void *arg)
{
    struct chat_stream *stream = arg;
    struct exchange *x = stream->x;

    memcpy(fiber_log_context()->request_id, x->req->request_id, sizeof(x->req->request_id));
    stream->rc = run_chat(x->api->house, &stream->request, x->arena, &stream->result);
    stream->cause = *err_get();
    channel_close(stream->items);
}

static int begin(struct exchange *x)
{
    answer_header(&x->answer, "X-Content-Type-Options", STR("nosniff"));
    answer_header(&x->answer, "Cache-Control", STR("no-store"));
    answer_header(&x->answer, "X-Accel-Buffering", STR("no"));
    x->answer.sent = true;
    return http_stream_begin(
        x->req, 200, "text/event-stream", x->answer.headers, x->answer.header_count);
}

static int send_item(struct chat_stream *stream, const struct stream_item *item)
{
    int rc = 0;

    if (!stream->begun) {
        stream->begun = true;
        rc = begin(stream->x);
    }
    if (item->seq > 0)
        stream->last_seq = item->seq;
    if (rc < 0)
        return rc;
    return sse_send(stream->x->req, item->type, item->seq > 0 ? item->seq : -1,
        (struct str){item->data, item->len});
}

/* Write events until the run has ended. 0, or the failure that ended the writing. */
static int forward(struct chat_stream *stream)
{
    void *item;
    int rc;

    for (;;) {
        rc = channel_get(stream->items, loop_now_ms(fiber_loop()) + PING_MS, &item);
        if (rc == ERR_TIMEOUT) {
            rc = stream->begun ? sse_ping(stream->x->req) : 0;
        } else if (rc == CHANNEL_CLOSED) {
            return 0;
        } else if (rc == 0) {
            rc = send_item(stream, item);
            free(item);
        }
        if (rc < 0)
            return rc;
    }
}

static void run_streaming(struct chat_stream *stream)
{
    struct fiber *fiber;
    void *item;
    int rc;

    stream->items = channel_new(QUEUE);
    fiber = fiber_spawn_joinable(fiber_loop(), "chat.run", produce, stream);
    if (forward(stream) < 0)
        log_debug("chat.unheard", LOG_ERR);
    fiber_shield();
    do {
        rc = channel_get(stream->items, loop_now_ms(fiber_loop()) + LOOK_MS, &item);
        if (rc == 0)
            free(item);
        if (__atomic_load_n(&stream->x->api->draining, __ATOMIC_RELAXED))
            fiber_cancel(fiber); /* nobody waits for it, and the process is to end */
    } while (rc != CHANNEL_CLOSED);
    if (fiber_join(fiber) < 0)
        abort(); /* a shielded wait without deadline cannot fail */
    fiber_unshield();
    channel_free(stream->items);
}

static int send_last(struct exchange *x, const char *type, int64_t seq, struct str data)
{
    int rc = sse_send(x->req, type, seq, data);

    return rc < 0 ? rc : http_stream_end(x->req);
}

static int stream_chat(struct exchange *x, const struct run_request *request)
{
    struct chat_stream stream = {.x = x, .request = *request};

    stream.request.sink = on_event;
    stream.request.sink_ctx = &stream;
    run_streaming(&stream);
    if (stream.rc < 0) {
        *err_get() = stream.cause;
        if (stream.begun)
            (void)send_last(x, "run.failed", stream.last_seq + 1, problem_json(x, stream.rc));
        *err_get() = stream.cause;
        return stream.rc;
    }
    fill_answer(x, &stream.result);
    idempotency_end(x, 0);
    if (!stream.begun && begin(x) < 0)
        return 0;
    /* When the client is gone by now there is nobody left to tell; the answer is stored. */
    (void)send_last(x, stream.result.approval_count > 0 ? "run.paused" : "run.completed",
        stream.last_seq + 1, x->answer.body);
    return 0;
}

static bool wants_stream(const struct exchange *x)
{
    if (body_has(x->body, "stream"))
        return json_get_bool(x->body, "stream", false);
    return accepts(x, "text/event-stream");
}

/* The answer of the first time, in the form that is asked for now. */
void chat_replay(struct exchange *x)
{
    if (!wants_stream(x) || x->answer.status != 200 || begin(x) < 0)
        return;
    (void)send_last(x, "run.completed", -1, x->answer.body); /* nothing to go on behind */
}

static int run_whole(struct exchange *x, const struct run_request *request)
{
    struct run_result result = {0};
    int rc = run_chat(x->api->house, request, x->arena, &result);

    if (rc == 0)
        fill_answer(x, &result);
    return rc;
}

int chat_enter(struct exchange *x)
{
    int64_t limit = x->api->house->config->run_max_in_flight;

    if (__atomic_add_fetch(&x->api->runs_in_flight, 1, __ATOMIC_RELAXED) <= limit)
        return 0;
    chat_leave(x);
    (void)err_set(ERR_UNAVAILABLE, "Theo is working on as many chats as it may at once "
                                   "(run.max-in-flight); try again soon.");
    err_get()->retry_after_ms = SECOND_MS;
    return ERR_UNAVAILABLE;
}

void chat_leave(struct exchange *x)
{
    __atomic_sub_fetch(&x->api->runs_in_flight, 1, __ATOMIC_RELAXED);
}

int chat_post(struct exchange *x)
{
    struct run_request request;
    int rc = read_request(x, &request);

    if (rc == 0)
        rc = chat_enter(x);
    if (rc < 0)
        return rc;
    rc = wants_stream(x) ? stream_chat(x, &request) : run_whole(x, &request);
    chat_leave(x);
    return rc;
}
