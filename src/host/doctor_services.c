/* theo doctor: the services that Theo works with. */
#include "cache/cache.h"
#include "extract/extract.h"
#include "host/doctor.h"
#include "host/telegram.h"
#include "secure/seal.h"

#define CACHE_TRIES 100
#define TELEGRAM_FINDINGS 8
#define CALL_TIMEOUT_MS 10000
#define MODEL_LIST_MAX (4 << 20)
#define SKEW_MAX_S 60

/* Where a provider lists its models, which costs nothing. */
struct probe {
    const char *prefix, *path, *header, *key_variable, *url_setting;
    const char *own_url; /* the provider's own server, which wants a key */
    size_t url, key;     /* places in struct config */
};

static const struct probe probes[] = {
    {"openai:", "/models", "Authorization", "OPENAI_API_KEY", "openai.base-url",
        "https://api.openai.com", offsetof(struct config, openai_base_url),
        offsetof(struct config, openai_api_key)},
    {"anthropic:", "/v1/models", "x-api-key", "ANTHROPIC_API_KEY", "anthropic.base-url",
        "https://api.anthropic.com", offsetof(struct config, anthropic_base_url),
        offsetof(struct config, anthropic_api_key)},
    {"gemini:", "/v1beta/models", "x-goog-api-key", "GEMINI_API_KEY", "gemini.base-url",
        "https://generativelanguage.googleapis.com", offsetof(struct config, gemini_base_url),
        offsetof(struct config, gemini_api_key)},
};

static const char *setting_at(const struct config *config, size_t offset)
{
    const char *value;

    memcpy(&value, (const char *)config + offset, sizeof(value));
    return value;
}

/* Without a data folder the doctor looks at the settings with a store in memory, and makes none. */
static int open_boot(struct doctor *doctor)
{
    struct boot *boot = &doctor->boot;
    int rc = 0;

    if (doctor->fresh)
        rc = config_set(&boot->config, "store", STR("memory"), ORIGIN_FLAG, "theo doctor");
    if (rc == 0 && boot_in_memory(boot))
        rc = config_set(&boot->config, "data-dir", STR("."), ORIGIN_FLAG, "theo doctor");
    return rc < 0 ? rc : boot_open(boot);
}

static int check_provider(struct boot *boot, void *arg)
{
    struct doctor *doctor = arg;
    struct sealer *sealer = NULL;
    bool created;

    if (sealer_open_providers(boot->env, &boot->config, false, &sealer, &created) < 0)
        doctor_find(doctor, "master key", FINDING_BROKEN, "%s", err_message());
    else
        doctor_find(doctor, "master key", FINDING_OK, "%s", boot->config.key_provider);
    if (sealer)
        sealer_free(sealer);
    return 0;
}

/* What a setting is about. */
static const char *topic_of(const char *field)
{
    static const char *const topics[][2] = {{"store", "store"}, {"key-provider", "master key"},
        {"master-key", "master key"}, {"redis.", "cache"}, {"telegram.", "telegram"},
        {"model", "model"}, {"openai.", "model"}, {"anthropic.", "model"}, {"gemini.", "model"}};

    for (size_t i = 0; i < ARRAY_LEN(topics); i++)
        if (str_starts(str_from(field), str_from(topics[i][0])))
            return topics[i][1];
    return field[0] ? "settings" : "store";
}

static void open_all(struct doctor *doctor)
{
    int rc = open_boot(doctor);

    doctor->opened = rc == 0;
    if (rc < 0) {
        doctor_find(doctor, topic_of(err_get()->field), FINDING_BROKEN, "%s", err_message());
    } else if (doctor->fresh) {
        doctor_find(doctor, "store", FINDING_OK, "will be made at the first start");
    }
    if (doctor->fresh && !boot_key_in_file(&doctor->boot) && secure_init() == 0 &&
        boot_on_fiber(&doctor->boot, check_provider, doctor) < 0)
        doctor_find(doctor, "master key", FINDING_BROKEN, "%s", err_message());
}

static int check_health(struct boot *boot, void *arg)
{
    struct doctor *doctor = arg;
    int rc = store_health(boot->store);

    if (rc < 0)
        doctor_find(doctor, "store", FINDING_BROKEN, "%s", err_message());
    else
        doctor_find(
            doctor, "store", FINDING_OK, "%s can be read and written", store_name(boot->store));
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
        doctor_find(doctor, "cache", FINDING_BROKEN, "%s", err_message());
    else
        doctor_find(doctor, "cache", FINDING_OK, "%s", cache_name(boot->cache));
    return 0;
}

/* "Mon, 23 Nov 2026 07:14:02 GMT" (RFC 9110, section 5.6.7); 0: something else. */
static int64_t read_date(struct str text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct civil at = {0};
    char line[30], month[4] = "";
    const char *place;

    if (text.len != sizeof(line) - 1)
        return 0;
    memcpy(line, text.ptr, text.len);
    line[text.len] = '\0';
    if (sscanf(line, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &at.day, month, &at.year, &at.hour,
            &at.minute, &at.second) != 6)
        return 0;
    place = strstr(months, month);
    if (!place || strlen(month) != 3 || (place - months) % 3 != 0)
        return 0;
    at.month = (int)(place - months) / 3 + 1;
    return civil_to_s(&at);
}

/* A server's Date says when this machine's clock is wrong: reminders, expiries and signatures of
 * requests to clouds go by it. */
static void check_clock(struct doctor *doctor, const struct http_reply *reply, struct str url)
{
    int64_t theirs = read_date(http_header(&reply->headers, "date"));
    int64_t ahead = env_wall_ms(doctor->boot.env) / SECOND_MS - theirs;

    if (theirs > 0 && (ahead > SKEW_MAX_S || ahead < -SKEW_MAX_S))
        doctor_find(doctor, "clock", FINDING_BROKEN,
            "this machine is %lld seconds %s %.*s: set its clock, by NTP for instance",
            (long long)(ahead < 0 ? -ahead : ahead), ahead < 0 ? "behind" : "ahead of",
            STR_ARG(url));
}

/* Servers name models by "id", Gemini by "name"; a name without its version counts. */
static bool lists_model(const struct json *root, struct str name)
{
    const struct json *list = json_get(root, "data");

    if (!list)
        list = json_get(root, "models");
    for (const struct json *one = json_first(list); one; one = json_next(one)) {
        struct str id = json_get_str(one, "id");

        if (str_empty(id))
            id = json_get_str(one, "name");
        if (str_starts(id, STR("models/")))
            id = str_slice(id, 7, id.len);
        if (str_starts(id, name))
            return true;
    }
    return json_len(list) == 0; /* it lists none: nothing can be said */
}

static void judge_model(
    struct doctor *doctor, const struct probe *probe, struct str spec, struct str base)
{
    const char *key = setting_at(&doctor->boot.config, probe->key);
    bool bearer = strcmp(probe->header, "Authorization") == 0;
    struct http_header headers[] = {
        {str_from(probe->header), str_printf(&doctor->arena, "%s%s", bearer ? "Bearer " : "", key)},
        {STR("anthropic-version"), STR("2023-06-01")},
    };
    struct http_call call = {.method = HTTP_GET,
        .timeout_ms = CALL_TIMEOUT_MS,
        .max_body = MODEL_LIST_MAX,
        .headers = key[0] ? headers : headers + 1,
        .header_count = key[0] ? 2 : 1,
        .url = str_printf(&doctor->arena, "%.*s%s", STR_ARG(base), probe->path)};
    struct str name = str_slice(spec, strlen(probe->prefix), spec.len);
    struct http_reply reply;
    const struct json *root;

    if (http_send(&doctor->arena, &call, &reply) < 0) {
        doctor_find(doctor, "model", FINDING_BROKEN,
            "%.*s: no answer from %.*s (%s): check %s and the network", STR_ARG(spec),
            STR_ARG(base), err_message(), probe->url_setting);
        return;
    }
    check_clock(doctor, &reply, base);
    /* Gemini says 400 to a key that is none. */
    if (reply.status == 401 || reply.status == 403 || (reply.status == 400 && key[0]))
        doctor_find(doctor, "model", FINDING_BROKEN, "%.*s: %.*s refuses the key: check %s",
            STR_ARG(spec), STR_ARG(base), probe->key_variable);
    else if (reply.status == 200 && json_parse(&doctor->arena, reply.body, &root) == 0 &&
             !lists_model(root, name))
        doctor_find(doctor, "model", FINDING_NOTE,
            "%.*s: %.*s answers and does not list this model: check the name; `theo models check` "
            "tries it",
            STR_ARG(spec), STR_ARG(base));
    else
        doctor_find(
            doctor, "model", FINDING_OK, "%.*s: %.*s answers", STR_ARG(spec), STR_ARG(base));
}

static void check_model(struct doctor *doctor, const struct model *model)
{
    const struct config *config = &doctor->boot.config;
    const struct probe *probe = NULL;
    struct str spec = model_spec(model), base;

    for (size_t i = 0; i < ARRAY_LEN(probes); i++)
        if (str_starts(spec, str_from(probes[i].prefix)))
            probe = &probes[i];
    if (!probe) {
        doctor_find(doctor, "model", FINDING_OK, "%.*s", STR_ARG(spec));
        return;
    }
    base = str_from(setting_at(config, probe->url));
    while (str_ends(base, STR("/")))
        base.len--;
    if (!setting_at(config, probe->key)[0] && str_starts(base, str_from(probe->own_url)))
        doctor_find(doctor, "model", FINDING_BROKEN,
            "%.*s has no key: set %s (only callers who send X-Model-API-Key do without)",
            STR_ARG(spec), probe->key_variable);
    else
        judge_model(doctor, probe, spec, base);
}

static int check_models(struct boot *boot, void *arg)
{
    for (size_t i = 0; i < boot->model_count; i++)
        check_model(arg, boot->models[i]);
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
        doctor_find(doctor, "attachments", FINDING_OK, "PDF, DOCX and text files are read");
    else
        doctor_find(doctor, "attachments", FINDING_NOTE, "%s", err_message());
    return 0;
}

/* What is fine is one line. */
static int check_telegram(struct boot *boot, void *arg)
{
    struct doctor *doctor = arg;
    struct channel_report report;
    bool more = false;
    int rc = telegram_look(boot, &doctor->arena, &report);

    for (size_t i = 0; i < MIN(report.count, (size_t)TELEGRAM_FINDINGS); i++) {
        bool fine = report.findings[i].state == CHANNEL_FINE;

        if (!fine || !more)
            doctor_find(doctor, "telegram", fine ? FINDING_OK : FINDING_NOTE, "%.*s",
                STR_ARG(report.findings[i].text));
        more |= fine;
    }
    if (rc == ERR_IO || rc == ERR_TIMEOUT)
        doctor_find(doctor, "telegram", FINDING_BROKEN,
            "%s: check the network, and telegram.api-root", err_message());
    else if (rc < 0)
        doctor_find(doctor, "telegram", FINDING_BROKEN, "%s", err_message());
    return 0;
}

static void check_on_fiber(
    struct doctor *doctor, const char *what, int (*check)(struct boot *boot, void *arg))
{
    if (boot_on_fiber(&doctor->boot, check, doctor) < 0)
        doctor_find(doctor, what, FINDING_BROKEN, "%s", err_message());
}

void doctor_check_services(struct doctor *doctor)
{
    open_all(doctor);
    if (doctor->opened && !doctor->fresh)
        check_on_fiber(doctor, "store", check_health);
    if (doctor->opened)
        check_on_fiber(doctor, "cache", check_cache);
    if (doctor->opened && doctor->boot.channels.count > 0)
        check_on_fiber(doctor, "telegram", check_telegram);
    check_on_fiber(doctor, "attachments", check_attachments);
    check_on_fiber(doctor, "model", check_models);
}
