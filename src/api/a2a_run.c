/* A message of another agent becomes a run. The run works on a fiber of its own, so that CancelTask
 * can end it without ending the connection; what it tells while it works goes through a channel to
 * the connection's fiber, which alone writes.
 */
#include "api/a2a.h"
#include "http/sse.h"
#include "runtime/channel.h"

#define QUEUE 16
#define PING_MS (15 * SECOND_MS)
#define TEXT_MAX (256 * KIB)

struct job {
    struct exchange *x;
    const struct a2a_call *call;
    bool old; /* the form of 0.3 */
    struct run_request request;
    struct chat_message said;
    struct run_result result;
    struct channel *items; /* of heap strings: results to be streamed */
    uint64_t serial;       /* in the table of calls; 0: not yet */
    struct a2a_task task;
    int rc;
    struct err cause;
    bool begun;
};

/* All text of the message's parts, of either form. */
static struct str message_text(struct exchange *x, const struct json *message)
{
    struct buf out = BUF_IN(x->arena);

    for (const struct json *part = json_first(json_get(message, "parts")); part;
         part = json_next(part)) {
        struct str text = json_get_str(part, "text");

        if (str_empty(text) && json_get(part, "data"))
            text = json_text(x->arena, json_get(part, "data"));
        if (out.len > 0 && !str_empty(text))
            buf_add_char(&out, '\n');
        buf_add_str(&out, text);
    }
    return str_trim(buf_str(&out));
}

static int read_request(struct job *job)
{
    struct exchange *x = job->x;
    const struct json *message = json_get(job->call->params, "message");
    struct str text = message_text(x, message);
    struct str party = json_get_str(json_get(message, "metadata"), "party");

    if (!json_is(message, JSON_OBJECT) || str_empty(json_get_str(message, "messageId")))
        return err_field(ERR_INVALID, "message", "message with messageId and parts is missing.");
    if (str_empty(text))
        return err_field(
            ERR_INVALID, "message.parts", "The message has no part with text or data.");
    if (text.len > TEXT_MAX)
        return err_field(
            ERR_INVALID, "message.parts", "The message has more than 256 KiB of text.");
    if (str_empty(party) || party.len > TRANSCRIPT_PARTY_MAX ||
        str_find_char(party, '\n', 0) >= 0 || str_find_char(party, ':', 0) >= 0)
        party = STR("User");
    job->said = (struct chat_message){.party = party, .text = text};
    job->request = (struct run_request){.workspace_id = x->workspace,
        .key_id = str_from(x->who.key_id),
        .session_id = json_get_str(message, "contextId"),
        .channel = STR("api"),
        .idempotency_key = x->seed.ptr ? x->seed : STR(""),
        .chat = {&job->said, 1},
        .system_prompt = STR(""),
        .agent = STR(""),
        .model = STR(""),
        .model_api_key = http_header(&x->req->headers, "x-model-api-key"),
        .time_zone = STR(""),
        .metadata = STR("{\"via\":\"a2a\"}"),
        .must_reply = true};
    return 0;
}

static struct str wrap(struct job *job, const char *name, struct str inner)
{
    struct buf out = BUF_IN(job->x->arena);

    if (!job->old)
        inner = str_printf(job->x->arena, "{\"%s\":%.*s}", name, STR_ARG(inner));
    if (job->call->form == A2A_HTTP)
        return inner;
    rpc_put_result(&out, job->call->id, inner);
    return buf_str(&out);
}

static int show(struct job *job, struct str text)
{
    char *copy;
    int rc;

    if (!job->items)
        return 0;
    copy = str_heap(text);
    rc = channel_put(job->items, copy, FIBER_NO_DEADLINE);
    if (rc < 0)
        free(copy);
    return rc;
}

/* The first event tells the ids: from then on the task can be named. */
static int on_event(const struct run_event *event, void *ctx)
{
    struct job *job = ctx;
    const struct json *data;

    if (job->serial > 0 || strcmp(event->type, "run.started") != 0 ||
        json_parse(job->x->arena, event->data, &data) < 0)
        return 0;
    job->task.id = json_get_str(data, "run_id");
    job->task.context_id = json_get_str(data, "session_id");
    job->task.at_ms = event->at_ms;
    job->serial =
        mcp_calls_add(job->x->api->mcp_calls, job->x->who.key_id, job->task.id, fiber_self());
    return show(job, wrap(job, "task", a2a_task_json(job->x, &job->task, job->old)));
}

static int run_limited(struct job *job)
{
    struct api *api = job->x->api;
    int64_t limit = api->house->config->run_max_in_flight;
    int rc;

    if (__atomic_add_fetch(&api->runs_in_flight, 1, __ATOMIC_RELAXED) > limit)
        rc = err_set(ERR_UNAVAILABLE, "Theo is working on as many chats as it may at once "
                                      "(run.max-in-flight); try again soon.");
    else
        rc = run_chat(api->house, &job->request, job->x->arena, &job->result);
    __atomic_sub_fetch(&api->runs_in_flight, 1, __ATOMIC_RELAXED);
    return rc;
}

/* The end of the task. A run that failed after it was stored is a failed task, not an error. */
static void take_end(struct job *job)
{
    struct exchange *x = job->x;
    struct buf result = BUF_IN(x->arena);
    struct json_writer w;

    if (!str_empty(job->result.run_id)) {
        job->task.id = job->result.run_id;
        job->task.context_id = job->result.session_id;
    }
    job->task.at_ms = env_wall_ms(x->env);
    if (job->rc == 0) {
        json_init(&w, &result);
        run_result_write(&w, &job->result);
        a2a_task_of_result(x, buf_str(&result), &job->task);
    } else {
        const struct json *problem;

        *err_get() = job->cause;
        job->task.state = job->rc == ERR_CANCELLED ? A2A_CANCELED : A2A_FAILED;
        if (json_parse(x->arena, problem_json(x, job->rc), &problem) == 0)
            job->task.text = json_get_str(problem, "detail");
    }
}

static void work(void *arg)
{
    struct job *job = arg;

    memcpy(
        fiber_log_context()->request_id, job->x->req->request_id, sizeof(job->x->req->request_id));
    job->rc = run_limited(job);
    job->cause = *err_get();
    if (job->serial > 0)
        mcp_calls_remove(job->x->api->mcp_calls, job->serial);
    channel_close(job->items);
}

static int begin_stream(struct job *job)
{
    struct exchange *x = job->x;

    if (job->begun)
        return 0;
    job->begun = true;
    answer_header(&x->answer, "X-Accel-Buffering", STR("no"));
    answer_header(&x->answer, "Cache-Control", STR("no-store"));
    x->answer.sent = true;
    return http_stream_begin(
        x->req, 200, "text/event-stream", x->answer.headers, x->answer.header_count);
}

static int send_text(struct job *job, struct str text)
{
    int rc = begin_stream(job);

    return rc < 0 ? rc : sse_send(job->x->req, NULL, -1, text);
}

/* Until the run has ended; what it shows is written when streaming. */
static int forward(struct job *job, bool stream)
{
    void *item;
    int rc = 0;

    while (rc >= 0) {
        rc = channel_get(job->items, loop_now_ms(fiber_loop()) + PING_MS, &item);
        if (rc == CHANNEL_CLOSED)
            return 0;
        if (rc == 0) {
            rc = stream ? send_text(job, str_from(item)) : 0;
            free(item);
        } else if (rc == ERR_TIMEOUT) {
            rc = job->begun ? sse_ping(job->x->req) : 0;
        }
    }
    return rc;
}

static int send_end(struct job *job)
{
    int rc = 0;

    if (job->task.state == A2A_COMPLETED)
        rc = send_text(
            job, wrap(job, "artifactUpdate", a2a_artifact_json(job->x, &job->task, job->old)));
    if (rc == 0)
        rc = send_text(
            job, wrap(job, "statusUpdate", a2a_status_json(job->x, &job->task, job->old)));
    return rc < 0 ? rc : http_stream_end(job->x->req);
}

static void run_to_end(struct job *job, bool stream)
{
    struct fiber *fiber;
    void *item;

    job->items = channel_new(QUEUE);
    fiber = fiber_spawn_joinable(fiber_loop(), "a2a.run", work, job);
    if (forward(job, stream) < 0)
        fiber_cancel(fiber);
    fiber_shield();
    while (channel_get(job->items, FIBER_NO_DEADLINE, &item) == 0)
        free(item);
    if (fiber_join(fiber) < 0)
        abort(); /* a shielded wait without deadline cannot fail */
    fiber_unshield();
    channel_free(job->items);
}

int a2a_run(struct exchange *x, const struct a2a_call *call, bool stream)
{
    struct job job = {
        .x = x, .call = call, .old = call->form == A2A_RPC_OLD, .task = {.state = A2A_WORKING}};
    struct buf out = BUF_IN(x->arena);
    int rc = read_request(&job);

    if (rc < 0)
        return rc;
    job.request.sink = on_event;
    job.request.sink_ctx = &job;
    run_to_end(&job, stream);
    if (str_empty(job.task.id) && str_empty(job.result.run_id)) {
        *err_get() = job.cause;
        return job.rc; /* refused before there was a task */
    }
    take_end(&job);
    x->answer.run_id = STR("");
    x->answer.failure = job.rc;
    if (stream) {
        (void)send_end(&job); /* whoever left reads the task later */
        return 0;
    }
    buf_add_str(&out, wrap(&job, "task", a2a_task_json(x, &job.task, job.old)));
    a2a_answer(x, call, 200, &out);
    return 0;
}
