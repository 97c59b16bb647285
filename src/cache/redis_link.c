#include "cache/redis_link.h"

#include "cache/redis_conn.h"
#include "watch/metrics.h"

#define CONNECT_MS (2 * SECOND_MS)
#define BACKOFF_MS 100
#define BACKOFF_MAX_MS (10 * SECOND_MS)
#define TIMEOUTS_MAX 5
#define ANSWER_MAX (8 * MIB) /* bytes of answers not read yet; more is no Redis of ours */
#define QUEUED_MAX (4 * MIB) /* bytes not sent yet; more fails at once */

/* One command and who waits for its answer. On the heap: it outlives a caller that gave up. */
struct call {
    struct call *next;
    struct fiber *fiber; /* NULL: a step of the greeting, or given up */
    enum redis_step step;
    redisReply *reply;
    bool done;
};

enum state { CONNECTING, READY, WAITING };

struct redis_link {
    struct loop *loop;
    const struct redis_address *address;
    const struct cache_topics *topics;
    enum state state;
    uv_timer_t timer; /* CONNECTING: gives up; WAITING: tries again */
    struct redis_conn *conn;
    bool opened; /* conn takes bytes */
    redisReader *reader;
    struct call *first, **last; /* in the order of their bytes */
    struct buf out;             /* commands from before it was opened */
    size_t greeting;            /* answers of the greeting still to come */
    bool was_up;
    int failures, timeouts;
    struct err cause; /* of the last failure */
};

static void try_connect(struct redis_link *link);

static void add_call(struct redis_link *link, struct call *call)
{
    call->next = NULL;
    *link->last = call;
    link->last = &call->next;
}

/* The answer (NULL: it will not come) to the oldest call. */
static void answer_first(struct redis_link *link, redisReply *reply)
{
    struct call *call = link->first;

    link->first = call->next;
    if (!link->first)
        link->last = &link->first;
    if (call->fiber) {
        call->reply = reply;
        call->done = true;
        fiber_wake(call->fiber);
        return;
    }
    if (reply)
        freeReplyObject(reply);
    free(call);
}

static void drop_conn(struct redis_link *link)
{
    if (link->conn)
        redis_conn_close(link->conn);
    link->conn = NULL;
    link->opened = false;
    if (link->reader)
        redisReaderFree(link->reader);
    link->reader = NULL;
    link->greeting = 0;
    link->timeouts = 0;
    buf_clear(&link->out);
    while (link->first)
        answer_first(link, NULL);
}

static void on_retry(uv_timer_t *timer)
{
    try_connect(timer->data);
}

/* Half of the pause is chance, so that many processes do not come back as one. */
static uint64_t pause_ms(struct redis_link *link)
{
    uint64_t pause = BACKOFF_MS;

    for (int i = 1; i < link->failures && pause < BACKOFF_MAX_MS; i++)
        pause *= 2;
    pause = MIN(pause, (uint64_t)BACKOFF_MAX_MS);
    return pause / 2 + env_random_u64(loop_env(link->loop)) % (pause / 2 + 1);
}

/* The current error is the cause. Told once, not at each try. */
static void fail(struct redis_link *link)
{
    const char *role = link->topics ? "listen" : "call";

    link->cause = *err_get();
    if (link->was_up || link->failures == 0)
        log_warn("redis.down", LOG_CSTR("role", role), LOG_CSTR("error", link->cause.message),
            LOG_CSTR("note", "Theo goes on without it: slower, each process counting for itself"));
    metric_add(M_REDIS_FAILURES, NULL, 1);
    link->was_up = false;
    link->failures++;
    link->state = WAITING;
    drop_conn(link);
    uv_timer_start(&link->timer, on_retry, pause_ms(link), 0);
}

static void on_connect_timeout(uv_timer_t *timer)
{
    struct redis_link *link = timer->data;

    err_set(ERR_UNAVAILABLE,
        "Redis at %s:%d does not answer within %d ms: is it reachable from here, and %s?",
        link->address->host, link->address->port, CONNECT_MS,
        link->address->tls ? "does it speak TLS on that port" : "is redis.url right");
    fail(link);
}

static void add_command(struct buf *out, size_t count, const struct str *words)
{
    buf_printf(out, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "$%zu\r\n", words[i].len);
        buf_add_str(out, words[i]);
        buf_add_cstr(out, "\r\n");
    }
}

static void flush(struct redis_link *link)
{
    if (!link->opened)
        return;
    redis_conn_send(link->conn, buf_str(&link->out));
    buf_clear(&link->out);
}

static void greet(
    struct redis_link *link, enum redis_step step, size_t count, const struct str *words)
{
    struct call *call = xcalloc(1, sizeof(*call));

    call->step = step;
    add_call(link, call);
    add_command(&link->out, count, words);
    link->greeting++;
}

/* What comes before anybody's command: who we are, which database, and are we let in. Calls that
 * wait already come behind it, and go out with it. */
static void on_opened(void *ctx)
{
    struct redis_link *link = ctx;
    const struct redis_address *address = link->address;
    struct str auth[] = {STR("AUTH"), str_from(address->user), str_from(address->password)};
    char number[16];
    struct buf waiting = link->out;
    struct call *first = link->first, **last = link->last;

    link->out = BUF_HEAP;
    link->first = NULL;
    link->last = &link->first;
    if (address->password && !address->user)
        auth[1] = auth[2];
    if (address->password)
        greet(link, REDIS_AUTH, address->user ? 3 : 2, auth);
    if (address->database) {
        snprintf(number, sizeof(number), "%d", address->database);
        greet(link, REDIS_SELECT, 2, (struct str[]){STR("SELECT"), str_from(number)});
    }
    greet(link, REDIS_PING, 1, (struct str[]){STR("PING")});
    buf_add_str(&link->out, buf_str(&waiting));
    buf_deinit(&waiting);
    if (first) {
        *link->last = first;
        link->last = last;
    }
    link->reader = redisReaderCreate();
    link->opened = true;
    flush(link);
}

static void subscribe(struct redis_link *link)
{
    for (size_t i = 0; i < link->topics->count; i++) {
        char channel[64];

        snprintf(channel, sizeof(channel), "theo:%s", link->topics->rows[i].topic);
        add_command(&link->out, 2, (struct str[]){STR("SUBSCRIBE"), str_from(channel)});
    }
    flush(link);
}

static void become_ready(struct redis_link *link)
{
    uv_timer_stop(&link->timer);
    link->state = READY;
    if (link->failures > 0)
        log_info("redis.up", LOG_CSTR("role", link->topics ? "listen" : "call"));
    link->failures = 0;
    link->was_up = true;
    if (link->topics)
        subscribe(link);
}

/* False when it was the end of the connection. */
static bool on_greeting(struct redis_link *link, redisReply *reply)
{
    enum redis_step step = link->first->step;

    if (reply->type == REDIS_REPLY_ERROR) {
        redis_answer_error(link->address, step, (struct str){reply->str, reply->len});
        freeReplyObject(reply);
        fail(link);
        return false;
    }
    answer_first(link, reply);
    if (--link->greeting == 0)
        become_ready(link);
    return true;
}

static struct str element(const redisReply *reply, size_t i)
{
    const redisReply *part = i < reply->elements ? reply->element[i] : NULL;

    if (!part || (part->type != REDIS_REPLY_STRING && part->type != REDIS_REPLY_STATUS))
        return STR("");
    return (struct str){part->str, part->len};
}

/* ["subscribe", channel, count] or ["message", channel, text]; the former tells that what was sent
 * before is lost. */
static bool on_push(struct redis_link *link, redisReply *reply)
{
    struct str kind = element(reply, 0), channel = element(reply, 1), text = STR("");

    if (reply->type == REDIS_REPLY_ERROR) {
        redis_answer_error(link->address, REDIS_CALL, (struct str){reply->str, reply->len});
        freeReplyObject(reply);
        fail(link);
        return false;
    }
    if (str_is(kind, "message"))
        text = element(reply, 2);
    if ((str_is(kind, "subscribe") || text.len) && str_starts(channel, STR("theo:")))
        cache_topics_call(link->topics, str_slice(channel, 5, channel.len), text);
    freeReplyObject(reply);
    return true;
}

/* False when the connection ended. */
static bool on_answer(struct redis_link *link, redisReply *reply)
{
    link->timeouts = 0;
    if (link->greeting > 0)
        return on_greeting(link, reply);
    if (link->topics)
        return on_push(link, reply);
    if (link->first) {
        answer_first(link, reply);
        return true;
    }
    freeReplyObject(reply);
    err_set(ERR_UNAVAILABLE, "Redis at %s:%d sent an answer that nobody asked for",
        link->address->host, link->address->port);
    fail(link);
    return false;
}

static void on_bytes(void *ctx, const char *bytes, size_t len)
{
    struct redis_link *link = ctx;
    void *reply = NULL;

    redisReaderFeed(link->reader, bytes, len);
    for (;;) {
        if (redisReaderGetReply(link->reader, &reply) != REDIS_OK ||
            link->reader->len > ANSWER_MAX) {
            err_set(ERR_UNAVAILABLE,
                "what answers at %s:%d is no Redis, or wants TLS: correct host and port in "
                "redis.url",
                link->address->host, link->address->port);
            fail(link);
            return;
        }
        if (!reply || !on_answer(link, reply))
            return;
    }
}

static void on_failed(void *ctx)
{
    fail(ctx);
}

static const struct redis_conn_events events = {
    .opened = on_opened,
    .bytes = on_bytes,
    .failed = on_failed,
};

static void try_connect(struct redis_link *link)
{
    link->state = CONNECTING;
    uv_timer_start(&link->timer, on_connect_timeout, CONNECT_MS, 0);
    if (redis_conn_open(link->loop, link->address, &events, link, &link->conn) < 0)
        fail(link);
}

struct redis_link *redis_link_new(
    struct loop *loop, const struct redis_address *address, const struct cache_topics *topics)
{
    struct redis_link *link = xcalloc(1, sizeof(*link));

    link->loop = loop;
    link->address = address;
    link->topics = topics;
    link->last = &link->first;
    uv_timer_init(loop_uv(loop), &link->timer);
    link->timer.data = link;
    try_connect(link);
    return link;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void redis_link_free(struct redis_link *link)
{
    drop_conn(link);
    buf_deinit(&link->out);
    uv_close((uv_handle_t *)&link->timer, on_timer_closed);
}

static int down(const struct redis_link *link)
{
    return err_set(ERR_UNAVAILABLE, "%s", link->cause.message);
}

/* The wait for call is over without an answer. A loop that was busy itself may find the answer
 * waiting in the socket, so it looks once more before it blames Redis. */
static int give_up(struct redis_link *link, struct call *call, int64_t deadline, int rc)
{
    if (rc == ERR_TIMEOUT)
        (void)fiber_yield();
    if (call->done)
        return 0;
    call->fiber = NULL; /* freed with its answer */
    if (rc != ERR_TIMEOUT || loop_now_ms(link->loop) < deadline)
        return rc; /* it was the fiber's own end */
    err_set(ERR_TIMEOUT, "Redis at %s:%d does not answer in time", link->address->host,
        link->address->port);
    if (link->state == READY && ++link->timeouts >= TIMEOUTS_MAX) {
        fail(link);
        return down(link);
    }
    return ERR_TIMEOUT;
}

static int wait_for(
    struct redis_link *link, struct call *call, int64_t timeout_ms, redisReply **ret_reply)
{
    int64_t deadline = loop_now_ms(link->loop) + timeout_ms;
    redisReply *reply;
    int rc = 0;

    while (!call->done && rc == 0)
        rc = fiber_park(deadline);
    if (!call->done) {
        rc = give_up(link, call, deadline, rc);
        if (rc < 0)
            return rc;
    }
    reply = call->reply;
    free(call);
    if (!reply)
        return down(link);
    if (reply->type != REDIS_REPLY_ERROR) {
        *ret_reply = reply;
        return 0;
    }
    rc = redis_answer_error(link->address, REDIS_CALL, (struct str){reply->str, reply->len});
    freeReplyObject(reply);
    return rc;
}

int redis_link_call(struct redis_link *link, size_t count, const struct str *words,
    int64_t timeout_ms, redisReply **ret_reply)
{
    struct call *call;

    assert(!link->topics);
    if (link->state != READY && link->failures > 0)
        return down(link);
    if (link->out.len > QUEUED_MAX || (link->opened && redis_conn_unsent(link->conn) > QUEUED_MAX))
        return err_set(ERR_UNAVAILABLE, "Redis at %s:%d takes commands too slowly",
            link->address->host, link->address->port);
    call = xcalloc(1, sizeof(*call));
    call->fiber = fiber_self();
    add_call(link, call);
    add_command(&link->out, count, words);
    flush(link);
    return wait_for(link, call, timeout_ms, ret_reply);
}
