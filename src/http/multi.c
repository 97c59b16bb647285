#include "http/multi.h"

#include <pthread.h>
#include <unistd.h>

/* Times that libcurl may ask to be called again at once before I/O is looked at. */
#define ROUNDS_MAX 16

struct poll {
    uv_poll_t uv;
    struct multi *multi;
    curl_socket_t fd;
    int mask;   /* polled for */
    int wanted; /* libcurl's wish; 0 while the connection is idle */
};

struct multi {
    struct loop *loop;
    CURLM *curl;
    uv_timer_t timer;
    bool due; /* libcurl asked for a call at once */
    struct poll **polls;
    size_t poll_count; /* indexed by socket */
};

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void take_finished(struct multi *multi)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi->curl, &left)) != NULL) {
        struct multi_wait *wait = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&wait);
        wait->result = message->data.result;
        wait->done = true;
        multi_notify(wait);
    }
}

static void on_timer(uv_timer_t *timer);

static void drive(struct multi *multi)
{
    int running;
    for (int i = 0; multi->due && i < ROUNDS_MAX; i++) {
        multi->due = false;
        curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    if (multi->due)
        uv_timer_start(&multi->timer, on_timer, 0, 0);
    take_finished(multi);
}

static void on_timer(uv_timer_t *timer)
{
    struct multi *multi = timer->data;
    multi->due = true;
    drive(multi);
}

static int on_curl_timer(CURLM *curl, long timeout_ms, void *arg)
{
    struct multi *multi = arg;
    (void)curl;
    multi->due = timeout_ms == 0;
    if (timeout_ms > 0)
        uv_timer_start(&multi->timer, on_timer, (uint64_t)timeout_ms, 0);
    else
        uv_timer_stop(&multi->timer);
    return 0;
}

static void on_poll(uv_poll_t *uv, int status, int events)
{
    struct poll *poll = CONTAINER_OF(uv, struct poll, uv);
    struct multi *multi = poll->multi;
    int running;
    if (poll->wanted == 0) { /* an idle connection was closed; libcurl finds out before reuse */
        uv_poll_stop(uv);
        poll->mask = 0;
        return;
    }
    int flags = 0;
    if (status < 0) { /* libuv has stopped polling; libcurl learns the cause when it reads */
        poll->mask = 0;
        flags = CURL_CSELECT_IN | CURL_CSELECT_ERR;
    }
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    curl_multi_socket_action(multi->curl, poll->fd, flags, &running);
    drive(multi);
}

static struct poll *poll_of(struct multi *multi, curl_socket_t fd)
{
    return fd >= 0 && (size_t)fd < multi->poll_count ? multi->polls[fd] : NULL;
}

static struct poll *poll_new(struct multi *multi, curl_socket_t fd)
{
    if ((size_t)fd >= multi->poll_count) {
        size_t count = MAX((size_t)fd + 1, multi->poll_count * 2);
        multi->polls = xrealloc(multi->polls, count * sizeof(struct poll *));
        memset(multi->polls + multi->poll_count, 0,
            (count - multi->poll_count) * sizeof(struct poll *));
        multi->poll_count = count;
    }
    struct poll *poll = xcalloc(1, sizeof(*poll));
    if (uv_poll_init(loop_uv(multi->loop), &poll->uv, fd) != 0) {
        free(poll);
        return NULL;
    }
    poll->multi = multi;
    poll->fd = fd;
    multi->polls[fd] = poll;
    return poll;
}

static void free_poll(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct poll, uv));
}

static void forget(struct multi *multi, struct poll *poll)
{
    multi->polls[poll->fd] = NULL;
    uv_close((uv_handle_t *)&poll->uv, free_poll);
}

static int watch(struct poll *poll)
{
    if (poll->mask == poll->wanted)
        return 0;
    poll->mask = poll->wanted;
    return uv_poll_start(&poll->uv, poll->mask, on_poll) == 0 ? 0 : -1;
}

static bool is_connected(CURL *easy)
{
    curl_off_t us = 0;
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &us);
    return us > 0;
}

/* A socket of a connection that never came about may be closed by now: libcurl 7.88 does that
 * itself, without the close callback. */
static void unwatch(struct multi *multi, CURL *easy, struct poll *poll)
{
    poll->wanted = 0;
    if (!is_connected(easy))
        forget(multi, poll);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct multi *multi = arg;
    struct poll *poll = poll_of(multi, fd);
    (void)socket_arg;
    if (what == CURL_POLL_REMOVE) {
        if (poll != NULL)
            unwatch(multi, easy, poll);
        return 0;
    }
    if (poll == NULL && (poll = poll_new(multi, fd)) == NULL)
        return -1;
    poll->wanted =
        (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return watch(poll);
}

/* When the address before failed, its socket was closed without a word, and the new one can have
 * its number: libcurl then believes that it is polled already. */
void multi_opened(struct multi *multi, curl_socket_t fd)
{
    struct poll *stale = poll_of(multi, fd);
    if (stale == NULL)
        return;
    int wanted = stale->wanted;
    forget(multi, stale);
    struct poll *poll = wanted != 0 ? poll_new(multi, fd) : NULL;
    if (poll == NULL)
        return;
    poll->wanted = wanted;
    (void)watch(poll); /* the connection's deadline ends what cannot be polled */
}

/* The poll handle must let go of the socket before its number can be used again. */
static int on_curl_close(void *arg, curl_socket_t fd)
{
    struct multi *multi = arg;
    struct poll *poll = poll_of(multi, fd);
    if (poll != NULL)
        forget(multi, poll);
    return close(fd);
}

struct multi *multi_new(struct loop *loop, size_t max_connections)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);
    CURLM *curl = curl_multi_init();
    if (curl == NULL)
        return NULL;
    struct multi *multi = xcalloc(1, sizeof(*multi));
    multi->loop = loop;
    multi->curl = curl;
    uv_timer_init(loop_uv(loop), &multi->timer);
    multi->timer.data = multi;
    curl_multi_setopt(curl, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(curl, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(curl, CURLMOPT_TIMERDATA, multi);
    curl_multi_setopt(curl, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    curl_multi_setopt(curl, CURLMOPT_MAXCONNECTS, (long)max_connections);
    curl_multi_setopt(curl, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)max_connections);
    return multi;
}

static void free_multi(uv_handle_t *handle)
{
    struct multi *multi = handle->data;
    free(multi->polls);
    free(multi);
}

void multi_free(struct multi *multi)
{
    curl_multi_cleanup(multi->curl);
    uv_close((uv_handle_t *)&multi->timer, free_multi);
}

void multi_prepare(struct multi *multi, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_curl_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, multi);
}

int multi_begin(struct multi *multi, CURL *easy, struct multi_wait *wait)
{
    *wait = (struct multi_wait){.fiber = fiber_self()};
    curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)wait);
    CURLMcode code = curl_multi_add_handle(multi->curl, easy);
    if (code != CURLM_OK)
        return err_set(ERR_FAILED, "an HTTP call cannot be started: %s", curl_multi_strerror(code));
    drive(multi);
    return 0;
}

void multi_end(struct multi *multi, CURL *easy)
{
    curl_multi_remove_handle(multi->curl, easy);
    drive(multi);
}

void multi_resume(struct multi *multi, CURL *easy)
{
    curl_easy_pause(easy, CURLPAUSE_CONT);
    drive(multi);
}

void multi_notify(struct multi_wait *wait)
{
    if (wait->parked)
        fiber_wake(wait->fiber);
}

int multi_park(struct multi_wait *wait, int64_t deadline_ms)
{
    wait->parked = true;
    int rc = fiber_park(deadline_ms);
    wait->parked = false;
    return rc;
}
