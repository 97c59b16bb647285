/* theo serve: one event loop per thread, each with its own listener; the main thread waits for
 * signals.
 */
#include "cache/cache.h"
#include "host/commands.h"
#include "host/first_start.h"
#include "host/listen.h"
#include "store/retention.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#define PURGE_MS (10 * MINUTE_MS)
#define SWEEP_MS (15 * SECOND_MS)
#define DRAIN_STEP_MS 5
/* File descriptors that are neither client connections nor outgoing ones. */
#define SPARE_FILES 64

struct server;

/* One loop on its thread. */
struct lane {
    struct server *server;
    pthread_t thread;
    struct loop *loop;
    struct http_server *http;
    struct fiber *janitor; /* the first lane's */
    struct fiber *sweeper; /* as well */
    struct fiber *listener;
    bool first, started, draining;
    int rc;
    struct err cause;
};

struct server {
    struct boot boot;
    struct listen_address address;
    struct http_server_options options;
    int64_t max_clients, max_calls; /* open sockets, of all lanes */
    bool short_of_files;            /* they are fewer than the settings allow */
    struct lane *lanes;
    size_t lane_count;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t starting, running;
    int lock_fd;
    bool hurry; /* a second signal: do not wait for what runs; atomic */
};

static void report(struct lane *lane, int rc)
{
    struct server *server = lane->server;

    lane->rc = rc;
    lane->cause = *err_get();
    pthread_mutex_lock(&server->mutex);
    server->starting--;
    if (rc < 0)
        server->running--;
    pthread_cond_signal(&server->changed);
    pthread_mutex_unlock(&server->mutex);
}

static void apply_retention(struct boot *boot)
{
    struct erase_stats stats;
    int64_t expired;

    if (retention_apply(boot->store, env_wall_ms(boot->env), &stats, &expired) < 0)
        log_warn("retention.failed", LOG_ERR);
    else if (stats.sessions + stats.messages + stats.runs > 0)
        log_info("retention.applied", LOG_I64("sessions", stats.sessions),
            LOG_I64("messages", stats.messages), LOG_I64("runs", stats.runs));
}

/* A workspace that fails does not keep the others from it; who is told to stop does. */
static int next_workspace(const char *event, const struct workspace_row *row, int rc)
{
    if (rc == ERR_CANCELLED)
        return rc;
    if (rc < 0)
        log_warn(event, LOG_STR("workspace", row->id), LOG_ERR);
    return 0;
}

static int purge(void *ctx, const struct workspace_row *row)
{
    size_t count;

    return next_workspace("idempotency.purge", row, api_purge(ctx, row->id, &count));
}

static int sweep(void *ctx, const struct workspace_row *row)
{
    size_t count;

    return next_workspace("approvals.sweep", row, api_sweep(ctx, row->id, &count));
}

static void in_each_workspace(
    struct lane *lane, int (*visit)(void *ctx, const struct workspace_row *row))
{
    struct api *api = &lane->server->boot.api;

    if (store_each_workspace(api->house->store, visit, api) < 0)
        log_warn("workspaces.read", LOG_ERR);
}

static void keep_clean(void *arg)
{
    struct lane *lane = arg;

    while (fiber_sleep(PURGE_MS) == 0) {
        in_each_workspace(lane, purge);
        apply_retention(&lane->server->boot);
    }
}

/* Paused runs that nobody goes on with: at the start, and every while. */
static void keep_going(void *arg)
{
    do
        in_each_workspace(arg, sweep);
    while (fiber_sleep(SWEEP_MS) == 0);
}

static void hear_cancels(void *arg)
{
    struct lane *lane = arg;

    while (fiber_sleep(SECOND_MS) == 0)
        if (api_cancel_noted(&lane->server->boot.api) < 0)
            log_warn("runs.cancels", LOG_ERR);
}

static void start_lane(void *arg)
{
    struct lane *lane = arg;
    struct server *server = lane->server;
    const struct config *config = &server->boot.config;
    struct http_client_options client = {.ca_file = config->tls_ca_file,
        .max_connections = (size_t)server->max_calls / server->lane_count + 1};
    int rc;

    http_client_configure(lane->loop, &client);
    cache_join(server->boot.cache);
    rc =
        http_server_start(lane->loop, &server->options, api_handle, &server->boot.api, &lane->http);
    if (rc < 0) {
        loop_stop(lane->loop);
    } else {
        lane->started = true;
        channels_join(&server->boot, lane->first);
        mcp_warm(server->boot.mcp);
        if (lane->first)
            lane->janitor = fiber_spawn(lane->loop, "janitor", keep_clean, lane);
        if (lane->first)
            lane->sweeper = fiber_spawn(lane->loop, "sweeper", keep_going, lane);
        if (lane->first)
            lane->listener = fiber_spawn(lane->loop, "cancels", hear_cancels, lane);
    }
    report(lane, rc);
}

static void *run_lane(void *arg)
{
    struct lane *lane = arg;
    int rc = loop_new(lane->server->boot.env, &lane->loop);

    if (rc < 0) {
        report(lane, rc);
        return NULL;
    }
    fiber_spawn(lane->loop, "serve", start_lane, lane);
    loop_run(lane->loop);
    loop_free(lane->loop);
    pthread_mutex_lock(&lane->server->mutex);
    if (lane->started)
        lane->server->running--;
    pthread_mutex_unlock(&lane->server->mutex);
    return NULL;
}

static void drain_lane(void *arg)
{
    struct lane *lane = arg;
    struct server *server = lane->server;
    int64_t end = loop_now_ms(lane->loop) + server->boot.config.server_drain_timeout_ms;

    http_server_drain(lane->http);
    while (http_server_connections(lane->http) > 0 && loop_now_ms(lane->loop) < end &&
           !__atomic_load_n(&server->hurry, __ATOMIC_RELAXED))
        if (fiber_sleep(DRAIN_STEP_MS) < 0)
            break;
    channels_drain(&server->boot, lane->first);
    http_server_stop(lane->http);
    if (lane->sweeper)
        fiber_cancel(lane->sweeper);
    if (lane->listener)
        fiber_cancel(lane->listener);
    if (lane->janitor)
        fiber_cancel(lane->janitor);
    loop_stop(lane->loop);
}

static void on_drain(void *arg)
{
    struct lane *lane = arg;

    if (!lane->draining)
        fiber_spawn(lane->loop, "drain", drain_lane, lane);
    lane->draining = true;
}

static void on_reload(void *arg)
{
    struct lane *lane = arg;

    if (lane->draining || lane->server->boot.config.tls_cert[0] == '\0')
        return;
    if (http_server_reload_tls(lane->http) < 0)
        log_error("tls.reload", LOG_ERR);
    else
        log_info("tls.reloaded", LOG_CSTR("cert", lane->server->options.tls_cert));
}

/* Start lane i and wait until it listens or failed. */
static int launch(struct server *server, size_t i)
{
    struct lane *lane = &server->lanes[i];

    lane->server = server;
    lane->first = i == 0;
    pthread_mutex_lock(&server->mutex);
    server->starting++;
    server->running++;
    pthread_mutex_unlock(&server->mutex);
    if (pthread_create(&lane->thread, NULL, run_lane, lane) != 0)
        return err_set(ERR_FAILED, "a thread cannot be started; lower the setting threads");
    pthread_mutex_lock(&server->mutex);
    while (server->starting > 0)
        pthread_cond_wait(&server->changed, &server->mutex);
    pthread_mutex_unlock(&server->mutex);
    if (lane->rc < 0) {
        *err_get() = lane->cause;
        pthread_join(lane->thread, NULL);
    }
    return lane->rc;
}

static void stop_lanes(struct server *server, size_t count)
{
    __atomic_store_n(&server->boot.api.draining, true, __ATOMIC_RELAXED);
    for (size_t i = 0; i < count; i++)
        loop_post(server->lanes[i].loop, on_drain, &server->lanes[i]);
}

static void join_lanes(struct server *server, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pthread_join(server->lanes[i].thread, NULL);
}

static int start_lanes(struct server *server)
{
    for (size_t i = 0; i < server->lane_count; i++) {
        int rc;

        server->options.exclusive = i == 0; /* the others share the port with the first */
        rc = launch(server, i);

        if (rc < 0) {
            struct err cause = *err_get();

            stop_lanes(server, i);
            join_lanes(server, i);
            *err_get() = cause;
            return rc;
        }
        /* With port 0 the first listener chose one, which the others share. */
        server->options.port = http_server_port(server->lanes[0].http);
    }
    return 0;
}

static size_t core_count(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return (size_t)MAX(CPU_COUNT(&set), 1);
}

/* Sockets must not run out of file descriptors: when the hard limit is lower than the settings
 * allow, clients and outgoing calls share what there is, and further calls wait. */
static void fit_file_limit(struct server *server)
{
    const struct config *config = &server->boot.config;
    struct rlimit limit;
    int64_t room;

    server->max_clients = config->server_max_connections;
    server->max_calls = config->client_max_connections;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    room = (int64_t)MIN(limit.rlim_cur, (rlim_t)INT32_MAX) - SPARE_FILES;
    if (room >= server->max_clients + server->max_calls)
        return;
    server->max_calls = MAX(MIN(server->max_calls, room / 2), 1);
    server->max_clients = MAX(MIN(server->max_clients, room - server->max_calls), 1);
    server->short_of_files = true;
}

static void fill_options(struct server *server)
{
    const struct config *config = &server->boot.config;
    struct http_server_options *options = &server->options;

    http_server_options_init(options);
    options->host = server->address.host;
    options->port = server->address.port;
    options->header_timeout_ms = config->server_header_timeout_ms;
    options->body_timeout_ms = config->server_body_timeout_ms;
    options->idle_timeout_ms = config->server_idle_timeout_ms;
    options->write_timeout_ms = config->server_write_timeout_ms;
    options->max_header_bytes = (size_t)config->server_max_header_bytes;
    options->max_body_bytes = (size_t)config->server_max_body_bytes;
    options->max_receiving = MAX(options->max_receiving, 4 * options->max_body_bytes);
    options->max_connections = (size_t)server->max_clients / server->lane_count + 1;
    options->tls_cert = config->tls_cert;
    options->tls_key = config->tls_key;
}

/* Holding the lock exclusively for a moment tells that no other server uses the folder; sharing it
 * from then on tells the next one that we do. */
static int take_lock(struct server *server, struct arena *arena)
{
    const char *path = boot_path(&server->boot, "serve.lock", arena).ptr;
    int fd;

    server->boot.api.sole_at_start = true;
    if (boot_in_memory(&server->boot))
        return 0;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(ERR_IO, "%s cannot be written: %s", path, strerror(errno));
    server->boot.api.sole_at_start = flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (!boot_in_folder(
            &server->boot)) /* who else uses a store elsewhere, the folder cannot tell */
        server->boot.api.sole_at_start = false;
    else if (!server->boot.api.sole_at_start)
        log_warn("serve.shared", LOG_CSTR("data_dir", server->boot.config.data_dir),
            LOG_CSTR("note", "another server uses this data folder too"));
    flock(fd, LOCK_SH | LOCK_NB);
    server->lock_fd = fd;
    return 0;
}

static int64_t count_connections(void *ctx)
{
    struct server *server = ctx;
    size_t count = 0;

    if (__atomic_load_n(&server->boot.api.draining, __ATOMIC_RELAXED))
        return 0; /* listeners are being taken down */
    for (size_t i = 0; i < server->lane_count; i++)
        count += http_server_connections(server->lanes[i].http);
    return (int64_t)count;
}

static void announce(const struct server *server, const struct first_start *first)
{
    const struct boot *boot = &server->boot;
    bool tls = boot->config.tls_cert[0] != '\0', six = strchr(server->address.host, ':') != NULL;

    if (boot->master_key_created)
        printf("Made the master key %s. Back it up: without it the data cannot be read.\n",
            boot->master_key_path);
    if (first->key_written)
        printf(
            "Made the first API key, with every right, in %s/admin.key\n", boot->config.data_dir);
    if (server->short_of_files)
        log_info("limits.files", LOG_I64("client_connections", server->max_clients),
            LOG_I64("outgoing_connections", server->max_calls),
            LOG_CSTR("note", "fewer than the settings allow; a higher `ulimit -Hn` lifts this"));
    if (first->recovered > 0)
        log_warn("runs.interrupted", LOG_I64("count", (int64_t)first->recovered));
    if (!server->address.loopback && !tls)
        log_warn("serve.exposed", LOG_CSTR("listen", boot->config.listen),
            LOG_CSTR("note", "this is reachable from other machines without TLS: keys and chats "
                             "travel readable; set tls.cert and tls.key, or put a proxy with TLS "
                             "in front"));
    printf("Theo is ready: http%s://%s%s%s:%d (for people: /docs)\n", tls ? "s" : "",
        six ? "[" : "", server->address.host, six ? "]" : "", server->options.port);
    fflush(stdout);
}

static bool all_ended(struct server *server)
{
    bool ended;

    pthread_mutex_lock(&server->mutex);
    ended = server->running == 0;
    pthread_mutex_unlock(&server->mutex);
    return ended;
}

/* Until a signal ends the service and everything is finished. */
static void wait_for_end(struct server *server, const sigset_t *signals)
{
    const struct timespec moment = {0, 20 * 1000 * 1000};
    bool stopping = false;

    while (!stopping || !all_ended(server)) {
        int number = stopping ? sigtimedwait(signals, NULL, &moment) : sigwaitinfo(signals, NULL);

        if (number == SIGHUP && !stopping) {
            for (size_t i = 0; i < server->lane_count; i++)
                loop_post(server->lanes[i].loop, on_reload, &server->lanes[i]);
        } else if (number == SIGTERM || number == SIGINT) {
            if (stopping)
                __atomic_store_n(&server->hurry, true, __ATOMIC_RELAXED);
            else
                stop_lanes(server, server->lane_count);
            log_info("serve.stopping", LOG_BOOL("at_once", stopping));
            stopping = true;
        }
    }
}

static int prepare(struct server *server, struct arena *arena, struct first_start *first)
{
    struct boot *boot = &server->boot;
    int rc = listen_parse(str_from(boot->config.listen), &server->address);

    if (rc == 0 && !boot->config.tls_cert[0] != !boot->config.tls_key[0])
        rc = err_field(ERR_INVALID, "tls.cert", "tls.cert and tls.key go together: set both");
    if (rc == 0)
        rc = listen_check_free(&server->address);
    if (rc == 0)
        rc = boot_open(boot);
    if (rc < 0)
        return rc;
    fit_file_limit(server);
    rc = take_lock(server, arena);
    if (rc == 0)
        rc = boot_on_fiber(boot, first_start, first);
    return rc;
}

static int serve(struct server *server)
{
    struct first_start first = {0};
    struct arena arena;
    sigset_t signals;
    int rc;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    arena_init(&arena);
    rc = prepare(server, &arena, &first);
    arena_deinit(&arena);
    if (rc < 0)
        return rc;
    server->lane_count =
        server->boot.config.threads ? (size_t)server->boot.config.threads : core_count();
    server->lanes = xcalloc(server->lane_count, sizeof(*server->lanes));
    fill_options(server);
    server->boot.api.connections = count_connections;
    server->boot.api.connections_ctx = server;
    channels_start(&server->boot, server->lane_count);
    rc = start_lanes(server);
    if (rc == 0) {
        announce(server, &first);
        wait_for_end(server, &signals);
        join_lanes(server, server->lane_count);
    }
    free(server->lanes);
    return rc;
}

int serve_command(int argc, char **argv)
{
    struct server server = {.lock_fd = -1};
    int rc = boot_config(&server.boot, NULL, 0, false, &argc, argv);

    if (rc < 0)
        return cli_fail(rc);
    if (argc > 1) {
        boot_close(&server.boot);
        return cli_wrong("theo serve takes options only, not \"%.60s\"", argv[1]);
    }
    pthread_mutex_init(&server.mutex, NULL);
    pthread_cond_init(&server.changed, NULL);
    rc = serve(&server);
    if (rc < 0)
        cli_fail(rc);
    boot_close(&server.boot);
    if (server.lock_fd >= 0)
        close(server.lock_fd);
    return rc == 0 ? 0 : rc == ERR_INVALID ? 2 : 1;
}
