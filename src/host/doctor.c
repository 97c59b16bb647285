/* theo doctor: what is wrong with this installation, and what to do about it. */
#include "host/doctor.h"

#include "host/commands.h"
#include "host/listen.h"
#include "secure/redact.h"
#include "text/zone.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DISK_LOW_MB 200

void doctor_find(
    struct doctor *doctor, const char *what, enum finding_state state, const char *fmt, ...)
{
    struct buf text = BUF_IN(&doctor->arena);
    va_list args;

    if (doctor->count == FINDINGS_MAX)
        return;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    /* It is shown to others, to be helped: addresses may hold passwords. */
    doctor->findings[doctor->count++] =
        (struct finding){what, state, redact(&doctor->arena, buf_str(&text))};
}

static void check_data_dir(struct doctor *doctor)
{
    const char *path = doctor->boot.config.data_dir;
    struct stat st;

    if (boot_in_memory(&doctor->boot)) {
        doctor_find(doctor, "data folder", FINDING_NOTE,
            "the store is memory: everything is lost at the end");
        return;
    }
    doctor->fresh =
        strcmp(doctor->boot.config.store, "sqlite") == 0 && stat(path, &st) != 0 && errno == ENOENT;
    if (doctor->fresh)
        doctor_find(doctor, "data folder", FINDING_OK, "%s will be made at the first start", path);
    else if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        doctor_find(doctor, "data folder", FINDING_BROKEN,
            "%s cannot be used (%s): correct its owner and rights, or name another with --data-dir",
            path, strerror(errno ? errno : ENOTDIR));
    else if (access(path, R_OK | W_OK | X_OK) != 0)
        doctor_find(doctor, "data folder", FINDING_BROKEN,
            "%s cannot be written by this user: chown it, or name another with --data-dir", path);
    else if (st.st_mode & 077)
        doctor_find(doctor, "data folder", FINDING_NOTE, "%s is open to other users: chmod 700 %s",
            path, path);
    else
        doctor_find(doctor, "data folder", FINDING_OK, "%s", path);
}

/* The folder's file system, or that of the nearest folder above. */
static void check_disk(struct doctor *doctor)
{
    const char *path = doctor->boot.config.data_dir;
    struct statvfs fs;
    int64_t free_mb;
    bool no_inodes;

    if (boot_in_memory(&doctor->boot) || (statvfs(path, &fs) != 0 && statvfs(".", &fs) != 0))
        return;
    free_mb = (int64_t)(fs.f_bavail * (fs.f_frsize / 1024) / 1024);
    no_inodes = fs.f_files > 0 && fs.f_favail == 0;
    if (free_mb < DISK_LOW_MB || no_inodes)
        doctor_find(doctor, "disk", free_mb == 0 || no_inodes ? FINDING_BROKEN : FINDING_NOTE,
            "%lld MB are free for %s: make room, or name another folder with --data-dir",
            (long long)free_mb, path);
    else
        doctor_find(doctor, "disk", FINDING_OK, "%lld MB are free", (long long)free_mb);
}

static void check_secret_file(struct doctor *doctor, const char *what, const char *name)
{
    const char *path = boot_path(&doctor->boot, name, &doctor->arena).ptr;
    struct stat st;

    if (stat(path, &st) != 0)
        return;
    if (st.st_mode & 077)
        doctor_find(doctor, what, FINDING_BROKEN, "%s is readable by other users: chmod 600 %s",
            path, path);
    else
        doctor_find(doctor, what, FINDING_OK, "%s", path);
}

static void check_zones(struct doctor *doctor)
{
    if (zone_get(STR("Europe/Madrid")) && zone_get(STR("America/New_York")))
        doctor_find(doctor, "time zones", FINDING_OK, "the zone database is there");
    else
        doctor_find(
            doctor, "time zones", FINDING_BROKEN, "the zone database is missing: install tzdata");
}

static void check_clock(struct doctor *doctor)
{
    int64_t now = env_wall_ms(doctor->boot.env);
    struct str text = rfc3339(&doctor->arena, now);

    if (now < 1767225600000) /* 2026-01-01: older than this program */
        doctor_find(doctor, "clock", FINDING_BROKEN, "%.*s cannot be right: set the system's clock",
            STR_ARG(text));
    else
        doctor_find(doctor, "clock", FINDING_OK, "%.*s", STR_ARG(text));
}

static void check_ca(struct doctor *doctor)
{
    const char *own = doctor->boot.config.tls_ca_file;
    const char *path = own[0] ? own : "/etc/ssl/certs/ca-certificates.crt";

    if (access(path, R_OK) == 0)
        doctor_find(doctor, "authorities", FINDING_OK, "%s", path);
    else if (own[0])
        doctor_find(
            doctor, "authorities", FINDING_BROKEN, "%s cannot be read: correct tls.ca-file", path);
    else
        doctor_find(doctor, "authorities", FINDING_NOTE,
            "%s is missing, so https to models will fail: install ca-certificates", path);
}

static void check_files(struct doctor *doctor)
{
    const struct config *config = &doctor->boot.config;
    int64_t wanted = config->server_max_connections + config->client_max_connections;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if ((int64_t)limit.rlim_max < wanted)
        doctor_find(doctor, "open files", FINDING_NOTE,
            "at most %lld, so fewer connections than the %lld that the settings allow: raise "
            "`ulimit -Hn`, or lower server.max-connections and client.max-connections",
            (long long)limit.rlim_max, (long long)wanted);
    else
        doctor_find(doctor, "open files", FINDING_OK, "%lld", (long long)limit.rlim_max);
}

static int ask_health(struct boot *boot, void *arg)
{
    struct http_call call = {.timeout_ms = 2000, .url = *(struct str *)arg};
    struct http_reply reply;
    struct arena arena;
    int rc;

    (void)boot;
    arena_init(&arena);
    rc = http_send(&arena, &call, &reply);
    arena_deinit(&arena);
    return rc < 0 ? rc : reply.status == 200;
}

/* Theo himself may be running there. */
static void check_taken(struct doctor *doctor, const struct listen_address *address)
{
    struct err cause = *err_get();
    bool six = strchr(address->host, ':') != NULL;
    struct str url = str_printf(&doctor->arena, "http%s://%s%s%s:%d/healthz",
        doctor->boot.config.tls_cert[0] ? "s" : "", six ? "[" : "", address->host, six ? "]" : "",
        address->port);

    if (boot_on_fiber(&doctor->boot, ask_health, &url) == 1)
        doctor_find(
            doctor, "address", FINDING_OK, "%s, where Theo is running", doctor->boot.config.listen);
    else
        doctor_find(doctor, "address", FINDING_BROKEN, "%s", cause.message);
}

static void check_listen(struct doctor *doctor)
{
    const struct config *config = &doctor->boot.config;
    struct listen_address address;

    if (listen_parse(str_from(config->listen), &address) < 0)
        doctor_find(doctor, "address", FINDING_BROKEN, "%s", err_message());
    else if (listen_check_free(&address) < 0)
        check_taken(doctor, &address);
    else if (!address.loopback && !config->tls_cert[0])
        doctor_find(doctor, "address", FINDING_NOTE,
            "%s is reachable from other machines without TLS: set tls.cert and tls.key, or put a "
            "proxy with TLS in front",
            config->listen);
    else
        doctor_find(doctor, "address", FINDING_OK, "%s", config->listen);
    if (config->tls_cert[0] && (access(config->tls_cert, R_OK) || access(config->tls_key, R_OK)))
        doctor_find(doctor, "certificate", FINDING_BROKEN,
            "tls.cert or tls.key cannot be read: correct the paths or their rights");
}

static void print_json(struct doctor *doctor)
{
    static const char *const names[] = {"ok", "note", "broken"};
    struct buf out = BUF_IN(&doctor->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_array_begin(&w);
    for (size_t i = 0; i < doctor->count; i++) {
        json_object_begin(&w);
        json_cstr_member(&w, "check", doctor->findings[i].what);
        json_cstr_member(&w, "state", names[doctor->findings[i].state]);
        json_str_member(&w, "detail", doctor->findings[i].detail);
        json_object_end(&w);
    }
    json_array_end(&w);
    printf("%.*s\n", STR_ARG(buf_str(&out)));
}

static void print_people(const struct doctor *doctor, size_t broken)
{
    struct cli_style style = cli_style(1);
    const char *const marks[] = {"✓", "!", "✗"};
    const char *const colours[] = {style.green, style.yellow, style.red};

    for (size_t i = 0; i < doctor->count; i++) {
        const struct finding *finding = &doctor->findings[i];

        printf("%s%s%s %-12s %.*s\n", colours[finding->state], marks[finding->state], style.plain,
            finding->what, STR_ARG(finding->detail));
    }
    if (broken > 0)
        printf("\n%s%zu broken.%s The lines marked ✗ say what to do.\n", style.red, broken,
            style.plain);
    else
        printf("\n%sNothing is broken.%s\n", style.green, style.plain);
}

static int examine(struct doctor *doctor, bool json)
{
    size_t broken = 0;

    check_data_dir(doctor);
    check_disk(doctor);
    check_secret_file(doctor, "master key", "master.key");
    check_secret_file(doctor, "first key", "admin.key");
    check_listen(doctor);
    check_zones(doctor);
    check_clock(doctor);
    check_ca(doctor);
    check_files(doctor);
    doctor_check_services(doctor);
    for (size_t i = 0; i < doctor->count; i++)
        broken += doctor->findings[i].state == FINDING_BROKEN;
    if (json)
        print_json(doctor);
    else
        print_people(doctor, broken);
    return broken > 0 ? 1 : 0;
}

int doctor_command(int argc, char **argv)
{
    struct doctor doctor = {0};
    bool json = false;
    const struct cli_option list[] = {{"json", CLI_FLAG, &json, NULL, "Print JSON."}};
    int rc = boot_config(&doctor.boot, list, ARRAY_LEN(list), true, &argc, argv), status;

    if (rc < 0)
        return cli_fail(rc);
    if (argc > 1) {
        boot_close(&doctor.boot);
        return cli_wrong("theo doctor takes options only, not \"%.60s\"", argv[1]);
    }
    if (log_level_get() == LOG_WARN)
        log_level_set(LOG_OFF); /* the findings say it */
    arena_init(&doctor.arena);
    status = examine(&doctor, json);
    boot_close(&doctor.boot);
    arena_deinit(&doctor.arena);
    return status;
}
