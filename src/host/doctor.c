/* theo doctor: what is wrong with this installation, and what to do about it. */
#include "cache/cache.h"
#include "extract/extract.h"
#include "host/boot.h"
#include "host/commands.h"
#include "host/listen.h"
#include "host/telegram.h"
#include "secure/redact.h"
#include "secure/seal.h"
#include "text/zone.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum finding_state { FINDING_OK, FINDING_NOTE, FINDING_BROKEN };

struct finding {
    const char *what;
    enum finding_state state;
    struct str detail;
};

#define FINDINGS_MAX 32
#define SPARE_FINDINGS 8
#define CACHE_TRIES 100

struct doctor {
    struct boot boot;
    struct arena arena;
    struct finding findings[FINDINGS_MAX];
    size_t count;
    bool opened;
};

static void PRINTF_LIKE(4, 5)
    find(struct doctor *doctor, const char *what, enum finding_state state, const char *fmt, ...)
{
    struct buf text = BUF_IN(&doctor->arena);
    va_list args;

    assert(doctor->count < FINDINGS_MAX);
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

    if (stat(path, &st) != 0 && errno == ENOENT)
        find(doctor, "data folder", FINDING_OK, "%s will be made at the first start", path);
    else if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        find(doctor, "data folder", FINDING_BROKEN, "%s is no folder that can be used: %s", path,
            strerror(errno ? errno : ENOTDIR));
    else if (access(path, R_OK | W_OK | X_OK) != 0)
        find(doctor, "data folder", FINDING_BROKEN,
            "%s cannot be written by this user: chown it, or name another with --data-dir", path);
    else if (st.st_mode & 077)
        find(doctor, "data folder", FINDING_NOTE, "%s is open to other users: chmod 700 %s", path,
            path);
    else
        find(doctor, "data folder", FINDING_OK, "%s", path);
}

static void check_secret_file(struct doctor *doctor, const char *what, const char *name)
{
    const char *path = boot_path(&doctor->boot, name, &doctor->arena).ptr;
    struct stat st;

    if (stat(path, &st) != 0)
        return;
    if (st.st_mode & 077)
        find(doctor, what, FINDING_BROKEN, "%s is readable by other users: chmod 600 %s", path,
            path);
    else
        find(doctor, what, FINDING_OK, "%s", path);
}

static void check_zones(struct doctor *doctor)
{
    if (zone_get(STR("Europe/Madrid")) && zone_get(STR("America/New_York")))
        find(doctor, "time zones", FINDING_OK, "the zone database is there");
    else
        find(doctor, "time zones", FINDING_BROKEN, "the zone database is missing: install tzdata");
}

static void check_clock(struct doctor *doctor)
{
    int64_t now = env_wall_ms(doctor->boot.env);
    struct str text = rfc3339(&doctor->arena, now);

    if (now < 1767225600000) /* 2026-01-01: older than this program */
        find(doctor, "clock", FINDING_BROKEN, "%.*s cannot be right: set the system's clock",
            STR_ARG(text));
    else
        find(doctor, "clock", FINDING_OK, "%.*s", STR_ARG(text));
}

static void check_ca(struct doctor *doctor)
{
    const char *own = doctor->boot.config.tls_ca_file;
    const char *path = own[0] ? own : "/etc/ssl/certs/ca-certificates.crt";

    if (access(path, R_OK) == 0)
        find(doctor, "authorities", FINDING_OK, "%s", path);
    else if (own[0])
        find(doctor, "authorities", FINDING_BROKEN, "%s cannot be read: correct tls.ca-file", path);
    else
        find(doctor, "authorities", FINDING_NOTE,
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
        find(doctor, "open files", FINDING_NOTE,
            "at most %lld, so fewer connections than the %lld that the settings allow: raise "
            "`ulimit -Hn`, or lower server.max-connections and client.max-connections",
            (long long)limit.rlim_max, (long long)wanted);
    else
        find(doctor, "open files", FINDING_OK, "%lld", (long long)limit.rlim_max);
}

static void check_listen(struct doctor *doctor)
{
    const struct config *config = &doctor->boot.config;
    struct listen_address address;

    if (listen_parse(str_from(config->listen), &address) < 0)
        find(doctor, "address", FINDING_BROKEN, "%s", err_message());
    else if (!address.loopback && !config->tls_cert[0])
        find(doctor, "address", FINDING_NOTE,
            "%s is reachable from other machines without TLS: set tls.cert and tls.key, or put a "
            "proxy with TLS in front",
            config->listen);
    else
        find(doctor, "address", FINDING_OK, "%s", config->listen);
    if (config->tls_cert[0] && (access(config->tls_cert, R_OK) || access(config->tls_key, R_OK)))
        find(doctor, "certificate", FINDING_BROKEN,
            "tls.cert or tls.key cannot be read: correct the paths or their rights");
}

static void check_store(struct doctor *doctor)
{
    struct stat st;
    int rc;

    if (!boot_in_memory(&doctor->boot) && stat(doctor->boot.config.data_dir, &st) != 0 &&
        errno == ENOENT) {
        find(doctor, "store", FINDING_OK, "will be made at the first start");
        return;
    }
    rc = boot_open(&doctor->boot);
    doctor->opened = rc == 0;
    if (rc < 0)
        find(doctor, "store", FINDING_BROKEN, "%s", err_message());
}

static int check_health(struct boot *boot, void *arg)
{
    struct doctor *doctor = arg;
    int rc = store_health(boot->store);

    if (rc < 0)
        find(doctor, "store", FINDING_BROKEN, "%s", err_message());
    else
        find(doctor, "store", FINDING_OK, "%s can be read and written", store_name(boot->store));
    return 0;
}

/* A Redis that is down is no reason not to serve, but the operator meant it to be there. */
static int check_cache(struct boot *boot, void *arg)
{
    struct doctor *doctor = arg;
    int rc = ERR_TIMEOUT;

    for (int i = 0; i < CACHE_TRIES && rc == ERR_TIMEOUT; i++) /* while it connects */
        rc = cache_health(boot->cache);
    if (rc < 0)
        find(doctor, "cache", FINDING_BROKEN, "%s", err_message());
    else
        find(doctor, "cache", FINDING_OK, "%s", cache_name(boot->cache));
    return 0;
}

/* Does the model's server answer at all? Its list of models costs nothing. */
static int check_model(struct boot *boot, void *arg)
{
    struct doctor *doctor = arg;
    struct str base = str_from(boot->config.openai_base_url);
    struct http_header header = {
        STR("Authorization"), str_printf(&doctor->arena, "Bearer %s", boot->config.openai_api_key)};
    struct http_call call = {.method = HTTP_GET,
        .timeout_ms = 10000,
        .headers = &header,
        .header_count = boot->config.openai_api_key[0] ? 1 : 0};
    struct http_reply reply;

    while (str_ends(base, STR("/")))
        base.len--;
    call.url = str_printf(&doctor->arena, "%.*s/models", STR_ARG(base));
    if (http_send(&doctor->arena, &call, &reply) < 0)
        find(doctor, "model", FINDING_BROKEN, "%s: no answer from %.*s (%s): check openai.base-url",
            boot->config.model, STR_ARG(base), err_message());
    else if (reply.status == 401 || reply.status == 403)
        find(doctor, "model", FINDING_BROKEN, "%s: %.*s refuses the key: check OPENAI_API_KEY",
            boot->config.model, STR_ARG(base));
    else
        find(doctor, "model", FINDING_OK, "%s at %.*s answers", boot->config.model, STR_ARG(base));
    return 0;
}

/* Reads a small PDF the way one from a chat is read: by a child in its sandbox. */
static int check_attachments(struct boot *boot, void *arg)
{
    static const char pdf[] =
        "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\n";
    struct doctor *doctor = arg;
    struct extract_limits limits = extract_limits_of(&boot->config);
    struct extracted got;
    int rc = extract_text(&limits, str_from(pdf), STR(""), STR("doctor.pdf"), &doctor->arena, &got);

    if (rc == 0)
        find(doctor, "attachments", FINDING_OK, "PDF, DOCX and text files are read");
    else
        find(doctor, "attachments", FINDING_NOTE, "%s", err_message());
    return 0;
}

/* What is fine is one line. */
static int check_telegram(struct boot *boot, void *arg)
{
    struct doctor *doctor = arg;
    struct channel_report report;
    bool more = false;
    int rc = telegram_look(boot, &doctor->arena, &report);

    for (size_t i = 0; i < report.count && doctor->count < FINDINGS_MAX - SPARE_FINDINGS; i++) {
        bool fine = report.findings[i].state == CHANNEL_FINE;

        if (!fine || !more)
            find(doctor, "telegram", fine ? FINDING_OK : FINDING_NOTE, "%.*s",
                STR_ARG(report.findings[i].text));
        more |= fine;
    }
    if (rc < 0)
        find(doctor, "telegram", FINDING_BROKEN, "%s", err_message());
    return 0;
}

static void check_services(struct doctor *doctor)
{
    struct boot *boot = &doctor->boot;

    if (doctor->opened && boot_on_fiber(boot, check_health, doctor) < 0)
        find(doctor, "store", FINDING_BROKEN, "%s", err_message());
    if (doctor->opened && boot_on_fiber(boot, check_cache, doctor) < 0)
        find(doctor, "cache", FINDING_BROKEN, "%s", err_message());
    if (doctor->opened && boot->channels.count > 0 &&
        boot_on_fiber(boot, check_telegram, doctor) < 0)
        find(doctor, "telegram", FINDING_BROKEN, "%s", err_message());
    if (boot_on_fiber(boot, check_attachments, doctor) < 0)
        find(doctor, "attachments", FINDING_NOTE, "%s", err_message());
    if (!str_starts(str_from(boot->config.model), STR("openai:")))
        find(doctor, "model", FINDING_OK, "%s", boot->config.model);
    else if (boot_on_fiber(boot, check_model, doctor) < 0)
        find(doctor, "model", FINDING_BROKEN, "%s", err_message());
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
    check_secret_file(doctor, "master key", "master.key");
    check_secret_file(doctor, "first key", "admin.key");
    check_listen(doctor);
    check_zones(doctor);
    check_clock(doctor);
    check_ca(doctor);
    check_files(doctor);
    check_store(doctor);
    check_services(doctor);
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
    arena_init(&doctor.arena);
    status = examine(&doctor, json);
    boot_close(&doctor.boot);
    arena_deinit(&doctor.arena);
    return status;
}
