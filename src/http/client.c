#include "http/client.h"

#include "http/exchange.h"
#include "http/multi.h"
#include "http/resolve.h"
#include "http/transfer.h"
#include "http/url.h"
#include "runtime/channel.h"

#include <arpa/inet.h>

enum {
    CALL_TIMEOUT_MS = 30 * SECOND_MS,
    BODY_MAX = 8 * MIB,
    CONNECTIONS_MAX = 5000,
    REDIRECTS_MAX = 5,
    IDLE_HANDLES_MAX = 128,
    TARGETS_MAX = 32,
};

struct http_client {
    struct loop *loop;
    size_t max_connections;
    char *ca_file;
    struct semaphore sockets;
    struct resolver *resolver;
    struct pool *pool;
    struct target *targets; /* the last URLs called, the newest first */
    struct multi *multi;    /* NULL until the first call by https */
    struct http_handle *idle;
    size_t idle_count;
};

static const char client_key;

static void client_free(void *value)
{
    struct http_client *client = value;
    while (client->idle != NULL) {
        struct http_handle *handle = client->idle;
        client->idle = handle->next;
        http_handle_free(handle);
    }
    if (client->multi != NULL)
        multi_free(client->multi);
    while (client->targets != NULL) {
        struct target *target = client->targets;
        client->targets = target->next;
        target_free(target);
    }
    pool_free(client->pool);
    resolver_free(client->resolver);
    free(client->ca_file);
    free(client);
}

static struct http_client *client_of(struct loop *loop)
{
    struct http_client *client = loop_local(loop, &client_key);
    if (client != NULL)
        return client;
    client = xcalloc(1, sizeof(*client));
    client->loop = loop;
    client->max_connections = CONNECTIONS_MAX;
    client->ca_file = xstrdup("/etc/ssl/certs/ca-certificates.crt");
    client->resolver = resolver_new(loop);
    client->pool = pool_new(loop, CONNECTIONS_MAX);
    semaphore_init(&client->sockets, CONNECTIONS_MAX);
    loop_set_local(loop, &client_key, client, client_free);
    return client;
}

void http_client_configure(struct loop *loop, const struct http_client_options *options)
{
    struct http_client *client = client_of(loop);
    if (options->max_connections > 0)
        client->max_connections = options->max_connections;
    semaphore_init(&client->sockets, (int64_t)client->max_connections);
    pool_set_max(client->pool, client->max_connections);
    if (options->ca_file != NULL && options->ca_file[0] != '\0') {
        free(client->ca_file);
        client->ca_file = xstrdup(options->ca_file);
    }
}

struct resolver *http_client_resolver(struct loop *loop)
{
    return client_of(loop)->resolver;
}

/* A handle that was used for this URL before saves its parsing. Only a few are looked at: many
 * idle ones were mostly used for the same URL. */
static struct http_handle *take_idle(struct http_client *client, struct str url)
{
    struct http_handle **best = &client->idle;
    struct http_handle **at = &client->idle;
    for (int i = 0; i < 8 && *at != NULL; i++, at = &(*at)->next) {
        if (str_is(url, (*at)->url_text)) {
            best = at;
            break;
        }
    }
    struct http_handle *handle = *best;
    if (handle != NULL) {
        *best = handle->next;
        client->idle_count--;
    }
    return handle;
}

static int acquire(struct http_client *client, struct str url, struct http_handle **ret_handle)
{
    if (client->multi == NULL)
        client->multi = multi_new(client->loop, client->max_connections);
    if (client->multi == NULL)
        return err_set(ERR_FAILED, "the HTTP client cannot be set up");
    struct http_handle *handle = take_idle(client, url);
    if (handle == NULL)
        handle = http_handle_new(client->multi, client->ca_file);
    if (handle == NULL)
        return err_set(ERR_FAILED, "an HTTP call cannot be set up");
    int rc = http_handle_set_url(handle, url);
    if (rc != 0) {
        http_handle_free(handle);
        return rc;
    }
    *ret_handle = handle;
    return 0;
}

static void release(struct http_client *client, struct http_handle *handle)
{
    if (client->idle_count >= IDLE_HANDLES_MAX) {
        http_handle_free(handle);
        return;
    }
    handle->next = client->idle;
    client->idle = handle;
    client->idle_count++;
}

static bool is_numeric(struct str host)
{
    char text[INET6_ADDRSTRLEN + 1];
    struct in6_addr address;
    if (host.len >= sizeof(text))
        return false;
    snprintf(text, sizeof(text), "%.*s", STR_ARG(host));
    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

/* Addresses for the call's host: what libcurl may connect to, or empty for a numeric host. */
static int find_addresses(
    struct http_client *client, const struct http_handle *handle, struct http_transfer *transfer)
{
    bool public_only = (transfer->call->flags & HTTP_PUBLIC_ONLY) != 0;
    struct str host = handle->url.host;
    if (!is_numeric(host))
        return resolver_lookup(client->resolver, host, public_only, transfer->deadline_ms,
            transfer->arena, &transfer->addresses);
    if (public_only && address_is_private(str_cstr(transfer->arena, host)))
        return err_set(ERR_DENIED,
            "%.*s is an address inside a private network; only public ones may be fetched",
            STR_ARG(host));
    return 0;
}

static int wait_for_end(
    struct multi *multi, struct http_handle *handle, struct http_transfer *transfer)
{
    for (;;) {
        int rc = http_transfer_deliver(transfer);
        if (rc != 0)
            return rc;
        if (transfer->paused) {
            transfer->paused = false;
            multi_resume(multi, handle->easy);
            continue;
        }
        if (transfer->wait.done)
            return http_transfer_result(transfer, handle);
        rc = multi_park(&transfer->wait, transfer->deadline_ms);
        if (rc == ERR_TIMEOUT && !transfer->wait.done)
            return err_set(ERR_TIMEOUT, "no whole answer from %.*s:%d in time",
                STR_ARG(handle->url.host), handle->url.port);
        if (rc != 0 && !transfer->wait.done)
            return rc;
    }
}

static int run(
    struct http_client *client, struct http_handle *handle, struct http_transfer *transfer)
{
    int rc = find_addresses(client, handle, transfer);
    if (rc == 0)
        rc = http_transfer_prepare(transfer, handle);
    if (rc == 0)
        rc = semaphore_take(&client->sockets, transfer->deadline_ms);
    if (rc != 0)
        return rc;
    transfer->multi = client->multi;
    rc = multi_begin(client->multi, handle->easy, &transfer->wait);
    if (rc == 0)
        rc = wait_for_end(client->multi, handle, transfer);
    transfer->reply->sent = http_transfer_sent(handle);
    /* The clean-up below sets no error, so the cause of rc stays. */
    multi_end(client->multi, handle->easy);
    semaphore_give(&client->sockets);
    return rc;
}

/* One request and its answer. ret_next: where a redirect leads, empty when there is none. */
static int send_once(
    struct http_client *client, struct http_transfer *transfer, struct str *ret_next)
{
    struct http_handle *handle = NULL;
    int rc = acquire(client, transfer->call->url, &handle);
    if (rc != 0)
        return rc;
    rc = run(client, handle, transfer);
    if (rc == 0 && (transfer->call->flags & HTTP_FOLLOW_REDIRECTS))
        rc = http_redirect_target(transfer->arena, transfer->call->url, transfer->reply, ret_next);
    http_transfer_deinit(transfer, handle);
    release(client, handle);
    return rc;
}

/* Forget the oldest that nobody uses, beyond the number kept. */
static void trim_targets(struct http_client *client)
{
    size_t count = 0;

    for (struct target **at = &client->targets; *at != NULL;) {
        struct target *target = *at;
        if (++count > TARGETS_MAX && target->users == 0) {
            *at = target->next;
            target_free(target);
        } else {
            at = &target->next;
        }
    }
}

/* What is known of a URL, so that it is parsed once and not for every call. */
static int find_target(struct http_client *client, struct str url, struct target **ret_target)
{
    for (struct target **at = &client->targets; *at != NULL; at = &(*at)->next) {
        struct target *target = *at;
        if (!str_is(url, target->text))
            continue;
        *at = target->next;
        target->next = client->targets;
        client->targets = *ret_target = target;
        return 0;
    }
    struct target *target = NULL;
    int rc = target_new(url, &target);
    if (rc != 0)
        return rc;
    target->next = client->targets;
    client->targets = *ret_target = target;
    trim_targets(client);
    return 0;
}

static int send_plain(
    struct http_client *client, struct http_transfer *transfer, struct str *ret_next)
{
    struct target *target = NULL;
    int rc = find_target(client, transfer->call->url, &target);
    if (rc != 0)
        return rc;
    struct exchange exchange = {
        .arena = transfer->arena,
        .call = transfer->call,
        .target = target,
        .reply = transfer->reply,
        .deadline_ms = transfer->deadline_ms,
        .resolver = client->resolver,
    };
    target->users++;
    rc = semaphore_take(&client->sockets, transfer->deadline_ms);
    if (rc == 0) {
        rc = exchange_run(client->pool, &exchange);
        semaphore_give(&client->sockets);
    }
    target->users--;
    if (rc == 0 && (transfer->call->flags & HTTP_FOLLOW_REDIRECTS))
        rc = http_redirect_target(transfer->arena, transfer->call->url, transfer->reply, ret_next);
    return rc;
}

int http_send(struct arena *arena, const struct http_call *call, struct http_reply *ret_reply)
{
    struct http_client *client = client_of(fiber_loop());
    struct http_call current = *call;
    int64_t timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : CALL_TIMEOUT_MS;
    int64_t deadline_ms = loop_now_ms(client->loop) + timeout_ms;
    *ret_reply = (struct http_reply){0};
    if (current.max_body == 0)
        current.max_body = BODY_MAX;
    for (int hop = 0; hop <= REDIRECTS_MAX; hop++) {
        struct http_transfer transfer = {
            .arena = arena, .call = &current, .reply = ret_reply, .deadline_ms = deadline_ms};
        struct str next = {0};
        *ret_reply = (struct http_reply){0};
        int rc = str_starts_nocase(current.url, STR("https:"))
                     ? send_once(client, &transfer, &next)
                     : send_plain(client, &transfer, &next);
        if (rc != 0 || next.ptr == NULL)
            return rc;
        rc = http_redirect_call(arena, ret_reply->status, next, &current);
        if (rc != 0)
            return rc;
    }
    return err_set(ERR_IO, "more than %d redirects; the last answer is not a page", REDIRECTS_MAX);
}
