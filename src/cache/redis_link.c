#include "cache/redis_link.h"

#include "watch/metrics.h"

#define CONNECT_MS (2 * SECOND_MS)
#define BACKOFF_MS 100
#define BACKOFF_MAX_MS (10 * SECOND_MS)
#define TIMEOUTS_MAX 5
#define ANSWER_MAX (8 * MIB) /* bytes of answers not read yet; more is no Redis of ours */
#define QUEUED_MAX (4 * MIB) /* bytes not sent yet; more fails at once */
#define READ_BYTES (16 * KIB)

/* One command and who waits for its answer. On the heap: it outlives a caller that gave up. */
struct call {
    struct call *next;
    struct fiber *fiber; /* NULL: a step of the greeting, or given up */
    enum redis_step step;
    redisReply *reply;
    bool done;
};

/* One TCP connection; libuv holds on to it until its close callback. link is NULL from then on when
 * it was dropped. */
struct conn {
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct redis_link *link;
    char bytes[READ_BYTES];
};

struct lookup {
    uv_getaddrinfo_t req;
    struct redis_link *link;
};

struct write {
    uv_write_t req;
    struct conn *conn;
    struct buf bytes;
};

enum state { CONNECTING, READY, WAITING };

struct redis_link {
    struct loop *loop;
    const struct redis_address *address;
    const struct cache_topics *topics;
    enum state state;
    uv_timer_t timer; /* CONNECTING: gives up; WAITING: tries again */
    struct lookup *lookup;
    struct addrinfo *found, *tried; /* addresses, and the one of conn */
    struct conn *conn;
    redisReader *reader;
    struct call *first, **last; /* in the order of their bytes */
    struct buf out;             /* not sent yet */
    size_t greeting;            /* answers of the greeting still to come */
    bool writing, was_up;
    int failures, timeouts;
    struct err cause; /* of the last failure */
};

static void try_connect(struct redis_link *link);
static void flush(struct redis_link *link);

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

static void on_conn_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct conn, tcp));
}

static void close_conn(struct redis_link *link)
{
    if (!link->conn)
        return;
    link->conn->link = NULL;
    uv_close((uv_handle_t *)&link->conn->tcp, on_conn_closed);
    link->conn = NULL;
}

static void drop_conn(struct redis_link *link)
{
    if (link->lookup) {
        link->lookup->link = NULL;
        (void)uv_cancel((uv_req_t *)&link->lookup->req); /* too late is fine: it is orphaned */
        link->lookup = NULL;
    }
    close_conn(link);
    uv_freeaddrinfo(link->found);
    link->found = link->tried = NULL;
    if (link->reader)
        redisReaderFree(link->reader);
    link->reader = NULL;
    link->writing = false;
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

static void fail_io(struct redis_link *link, const char *what, int rc)
{
    err_set(ERR_UNAVAILABLE, "Redis at %s:%d %s (%s): start it, or correct redis.url",
        link->address->host, link->address->port, what, uv_strerror(rc));
    fail(link);
}

static void on_connect_timeout(uv_timer_t *timer)
{
    struct redis_link *link = timer->data;

    err_set(ERR_UNAVAILABLE,
        "Redis at %s:%d does not answer within %d ms: is it reachable from here, and is redis.url "
        "right?",
        link->address->host, link->address->port, CONNECT_MS);
    fail(link);
}

static void add_command(struct redis_link *link, size_t count, const struct str *words)
{
    buf_printf(&link->out, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&link->out, "$%zu\r\n", words[i].len);
        buf_add_str(&link->out, words[i]);
        buf_add_cstr(&link->out, "\r\n");
    }
}

static void greet(
    struct redis_link *link, enum redis_step step, size_t count, const struct str *words)
{
    struct call *call = xcalloc(1, sizeof(*call));

    call->step = step;
    add_call(link, call);
    add_command(link, count, words);
    link->greeting++;
}

/* What comes before anybody's command: who we are, which database, and are we let in. */
static void send_greeting(struct redis_link *link)
{
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
    flush(link);
}

static void subscribe(struct redis_link *link)
{
    for (size_t i = 0; i < link->topics->count; i++) {
        char channel[64];

        snprintf(channel, sizeof(channel), "theo:%s", link->topics->rows[i].topic);
        add_command(link, 2, (struct str[]){STR("SUBSCRIBE"), str_from(channel)});
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

static void read_answers(struct redis_link *link, const char *bytes, size_t len)
{
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

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *ret_buf)
{
    struct conn *conn = CONTAINER_OF(handle, struct conn, tcp);

    (void)size;
    *ret_buf = uv_buf_init(conn->bytes, sizeof(conn->bytes));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct conn *conn = CONTAINER_OF(stream, struct conn, tcp);

    if (!conn->link || count == 0)
        return;
    if (count < 0)
        fail_io(conn->link, "closed the connection", (int)count);
    else
        read_answers(conn->link, buf->base, (size_t)count);
}

static void on_written(uv_write_t *req, int status)
{
    struct write *write = CONTAINER_OF(req, struct write, req);
    struct redis_link *link = write->conn->link;

    buf_deinit(&write->bytes);
    free(write);
    if (!link)
        return;
    link->writing = false;
    if (status < 0)
        fail_io(link, "closed the connection", status);
    else
        flush(link);
}

/* What gathers while a write is under way goes out with the next one. */
static void flush(struct redis_link *link)
{
    struct write *write;
    uv_buf_t part;
    int rc;

    if (link->writing || link->out.len == 0)
        return;
    write = xcalloc(1, sizeof(*write));
    write->conn = link->conn;
    write->bytes = link->out;
    link->out = BUF_HEAP;
    link->writing = true;
    part = uv_buf_init(write->bytes.ptr, (unsigned)write->bytes.len);
    rc = uv_write(&write->req, (uv_stream_t *)&link->conn->tcp, &part, 1, on_written);
    if (rc == 0)
        return;
    buf_deinit(&write->bytes);
    free(write);
    fail_io(link, "cannot be written to", rc);
}

static void connect_to(struct redis_link *link, struct addrinfo *address);

/* A name may have several addresses, of which Redis listens on one. */
static void try_next(struct redis_link *link, int rc)
{
    struct addrinfo *next = link->tried->ai_next;

    close_conn(link);
    if (next)
        connect_to(link, next);
    else
        fail_io(link, "cannot be reached", rc);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct conn *conn = CONTAINER_OF(req, struct conn, connect);
    struct redis_link *link = conn->link;

    if (!link)
        return;
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
    if (status < 0) {
        try_next(link, status);
        return;
    }
    uv_tcp_nodelay(&conn->tcp, 1);
    uv_tcp_keepalive(&conn->tcp, 1, 15);
    link->reader = redisReaderCreate();
    send_greeting(link);
}

static void connect_to(struct redis_link *link, struct addrinfo *address)
{
    struct conn *conn = xcalloc(1, sizeof(*conn));
    int rc;

    uv_tcp_init(loop_uv(link->loop), &conn->tcp);
    conn->link = link;
    link->conn = conn;
    link->tried = address;
    rc = uv_tcp_connect(&conn->connect, &conn->tcp, address->ai_addr, on_connected);
    if (rc < 0)
        try_next(link, rc);
}

static void on_looked_up(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
    struct lookup *lookup = CONTAINER_OF(req, struct lookup, req);
    struct redis_link *link = lookup->link;

    free(lookup);
    if (!link) {
        uv_freeaddrinfo(found);
        return;
    }
    link->lookup = NULL;
    link->found = found;
    if (status == 0)
        connect_to(link, found);
    else
        fail_io(link, "has no address", status);
}

static void try_connect(struct redis_link *link)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct lookup *lookup = xcalloc(1, sizeof(*lookup));
    char port[8];
    int rc;

    link->state = CONNECTING;
    uv_timer_start(&link->timer, on_connect_timeout, CONNECT_MS, 0);
    snprintf(port, sizeof(port), "%d", link->address->port);
    lookup->link = link;
    link->lookup = lookup;
    rc = uv_getaddrinfo(
        loop_uv(link->loop), &lookup->req, on_looked_up, link->address->host, port, &hints);
    if (rc == 0)
        return;
    link->lookup = NULL;
    free(lookup);
    fail_io(link, "has no address", rc);
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
static int give_up(struct redis_link *link, struct call *call, int rc)
{
    if (rc == ERR_TIMEOUT)
        (void)fiber_yield();
    if (call->done)
        return 0;
    call->fiber = NULL; /* freed with its answer */
    if (rc != ERR_TIMEOUT)
        return rc;
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
        rc = give_up(link, call, rc);
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
    if (link->out.len > QUEUED_MAX)
        return err_set(ERR_UNAVAILABLE, "Redis at %s:%d takes commands too slowly",
            link->address->host, link->address->port);
    call = xcalloc(1, sizeof(*call));
    call->fiber = fiber_self();
    add_call(link, call);
    add_command(link, count, words);
    if (link->state == READY)
        flush(link);
    return wait_for(link, call, timeout_ms, ret_reply);
}
