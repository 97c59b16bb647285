#include "model/provider.h"
#include "secure/redact.h"

enum { MESSAGE_MAX = 200 };

static int code_of(enum model_error error)
{
    switch (error) {
    case MODEL_RATE_LIMITED:
        return ERR_BUSY;
    case MODEL_CONTEXT_OVERFLOW:
        return ERR_TOO_LARGE;
    case MODEL_TIMED_OUT:
        return ERR_TIMEOUT;
    case MODEL_UNAUTHORIZED:
        return ERR_UNAUTHORIZED;
    case MODEL_BAD_REQUEST:
        return ERR_INVALID;
    case MODEL_BROKEN_ANSWER:
        return ERR_PROTOCOL;
    case MODEL_CANCELLED:
        return ERR_CANCELLED;
    default:
        return ERR_UNAVAILABLE;
    }
}

static bool any_in(struct str text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_find_nocase(text, str_from(words[i]), 0) >= 0)
            return true;
    }
    return false;
}

/* No retry and no waiting helps: somebody has to pay. */
static bool is_quota(const struct provider_report *report)
{
    static const char *const words[] = {"insufficient_quota", "credit_balance_exhausted",
        "spend_limit_exceeded", "usage_limit_exceeded", "billing_hard_limit_reached",
        "spend_limit_reached", "PerDay"};
    return report->status == 402 || any_in(report->type, words, ARRAY_LEN(words)) ||
           any_in(report->code, words, ARRAY_LEN(words));
}

static bool is_overflow(const struct provider_report *report)
{
    static const char *const names[] = {"context_length_exceeded", "exceed_context_size"};
    static const char *const words[] = {"maximum context length", "context_length_exceeded",
        "context window", "context size", "context length", "prompt is too long", "prompt too long",
        "input is too long", "reduce the length of the messages",
        "exceeds the maximum number of tokens"};
    return any_in(report->code, names, ARRAY_LEN(names)) ||
           any_in(report->type, names, ARRAY_LEN(names)) ||
           any_in(report->message, words, ARRAY_LEN(words));
}

/* Anthropic's errors inside a stream have a type and no number. */
static int status_of_type(struct str type)
{
    static const struct {
        const char *type;
        int status;
    } known[] = {
        {"authentication_error", 401},
        {"billing_error", 402},
        {"permission_error", 403},
        {"request_too_large", 413},
        {"rate_limit_error", 429},
        {"overloaded_error", 529},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_is(type, known[i].type))
            return known[i].status;
    return 0;
}

static enum model_error classify(const struct provider_report *report, bool *ret_retry)
{
    int status = report->status ? report->status : status_of_type(report->type);
    *ret_retry = false;
    if (is_quota(report) || status == 402)
        return MODEL_QUOTA;
    if (status == 401 || status == 403 || str_is(report->code, "API_KEY_INVALID"))
        return MODEL_UNAUTHORIZED;
    if (status != 429 && is_overflow(report))
        return MODEL_CONTEXT_OVERFLOW;
    /* Groq gives 413 with this code when a request is above the minute's tokens. */
    if (status == 429 || any_in(report->code, (const char *const[]){"rate_limit"}, 1)) {
        *ret_retry = status == 429 || status == 0;
        return MODEL_RATE_LIMITED;
    }
    if (status == 413)
        return MODEL_CONTEXT_OVERFLOW;
    /* 424 and 498 are Groq's: a dependency failed, no flex capacity. 0: an error without any
     * number, inside a stream that had begun well. */
    if (status == 0 || status == 408 || status == 409 || status == 424 || status == 498 ||
        status >= 500) {
        *ret_retry = true;
        return MODEL_UNAVAILABLE;
    }
    return status >= 400 ? MODEL_BAD_REQUEST : MODEL_BROKEN_ANSWER;
}

static const struct json *error_object(const struct json *root)
{
    if (json_is(root, JSON_ARRAY)) /* Gemini's compatible end point */
        root = json_at(root, 0);
    const struct json *choice = json_at(json_get(root, "choices"), 0);
    const struct json *inner = json_get(choice, "error");
    const struct json *error = json_get(root, "error");
    if (json_is(inner, JSON_OBJECT))
        return inner;
    return json_is(error, JSON_OBJECT) ? error : root;
}

/* "12s" or "0.5s", as google.protobuf.Duration is written. */
static int64_t duration_ms(struct str text)
{
    double seconds;

    if (!str_ends(text, STR("s")) || !str_to_double(str_slice(text, 0, text.len - 1), &seconds) ||
        seconds < 0)
        return -1;
    return (int64_t)MIN(seconds * 1000, 1e12);
}

/* Anthropic: {error_code}. Google: [{reason}, {retryDelay}, {violations:[{quotaId}]}]. */
static void read_details(const struct json *details, struct provider_report *report)
{
    if (json_is(details, JSON_OBJECT) && str_empty(report->code))
        report->code = json_get_str(details, "error_code");
    if (!json_is(details, JSON_ARRAY))
        return;
    for (const struct json *one = json_first(details); one != NULL; one = json_next(one)) {
        const struct json *violation = json_at(json_get(one, "violations"), 0);
        struct str code = json_get_str(one, "reason");
        if (str_empty(code))
            code = json_get_str(violation, "quotaId");
        if (str_empty(report->code))
            report->code = code;
        if (!str_empty(json_get_str(one, "retryDelay")))
            report->retry_after_ms = duration_ms(json_get_str(one, "retryDelay"));
    }
}

/* error: {message,type,code}, error: "text", message: "text", detail: "text". */
static void read_report(const struct json *root, struct provider_report *report)
{
    static const char *const names[] = {"message", "error", "detail"};
    const struct json *error = error_object(root);
    for (size_t i = 0; i < ARRAY_LEN(names) && str_empty(report->message); i++)
        report->message = json_get_str(error, names[i]);
    report->type = json_get_str(error, "type");
    report->code = json_get_str(error, "code");
    read_details(json_get(error, "details"), report);
    int64_t number = json_get_i64(error, "code", json_get_i64(error, "status", 0));
    if (report->status == 0 && number >= 400 && number <= 599)
        report->status = (int)number;
}

/* One line, short, without secrets; empty when it would show the key. */
static struct str presentable(struct arena *arena, struct str message, struct str key)
{
    if (!str_empty(key) && str_find(message, key, 0) >= 0)
        return STR("");
    message = str_trim(redact(arena, utf8_truncate(utf8_clean(arena, message), 4 * MESSAGE_MAX)));
    char *line = str_cstr(arena, utf8_truncate(message, MESSAGE_MAX));
    for (char *c = line; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            *c = ' ';
    }
    return str_from(line);
}

static struct str meaning_of(
    const struct provider_protocol *protocol, enum model_error error, struct arena *arena)
{
    switch (error) {
    case MODEL_RATE_LIMITED:
        return STR("too many requests");
    case MODEL_QUOTA:
        return STR("its quota is used up; check the account's plan");
    case MODEL_CONTEXT_OVERFLOW:
        return STR("the prompt is too long for this model");
    case MODEL_UNAUTHORIZED:
        return str_printf(
            arena, "the key is wrong or not allowed; check %s", protocol->key_setting);
    case MODEL_BAD_REQUEST:
        return STR("it refused the request");
    case MODEL_BROKEN_ANSWER:
        return str_printf(arena, "that is not a model's answer; check %s", protocol->url_setting);
    default:
        return STR("it is not available now");
    }
}

static int fail_report(const struct provider_protocol *protocol, struct arena *arena,
    const struct provider_report *report, struct str key, struct provider_failure *failure)
{
    bool retry;
    enum model_error error = classify(report, &retry);
    struct str said = presentable(arena, report->message, key);
    *failure = (struct provider_failure){error, retry, report->retry_after_ms};
    struct str meaning = meaning_of(protocol, error, arena);
    const char *colon = str_empty(said) ? "" : ": ";
    if (report->status == 0)
        return err_set(code_of(error), "the model server reported an error, %.*s%s%.*s",
            STR_ARG(meaning), colon, STR_ARG(said));
    return err_set(code_of(error), "the model server answered HTTP %d, %.*s%s%.*s", report->status,
        STR_ARG(meaning), colon, STR_ARG(said));
}

int provider_fail_json(const struct provider_protocol *protocol, struct arena *arena,
    const struct json *root, struct str key, struct provider_failure *failure)
{
    struct provider_report report = {.retry_after_ms = -1};
    read_report(root, &report);
    return fail_report(protocol, arena, &report, key, failure);
}

int provider_fail_status(const struct provider_protocol *protocol, struct arena *arena, int status,
    const struct http_headers *headers, struct str body, struct str key, const struct env *env,
    struct provider_failure *failure)
{
    struct provider_report report = {.status = status, .retry_after_ms = -1};
    const struct json *root = NULL;
    if (json_parse(arena, body, &root) == 0)
        read_report(root, &report);
    int rc = fail_report(protocol, arena, &report, key, failure);
    struct str should_retry = http_header(headers, "x-should-retry");
    if (str_eq_nocase(should_retry, STR("true")) && failure->error != MODEL_QUOTA)
        failure->retry = true;
    else if (str_eq_nocase(should_retry, STR("false")))
        failure->retry = false;
    int64_t wish_ms = provider_retry_after(headers, env);
    if (wish_ms >= 0)
        failure->retry_after_ms = wish_ms;
    if (failure->retry_after_ms > 0 && (rc == ERR_BUSY || rc == ERR_UNAVAILABLE))
        err_get()->retry_after_ms = failure->retry_after_ms;
    return rc;
}

int provider_fail_broken(struct provider_failure *failure, bool retry, const char *what)
{
    *failure = (struct provider_failure){MODEL_BROKEN_ANSWER, retry, -1};
    return err_set(ERR_PROTOCOL, "the model server's answer cannot be used: %s", what);
}

int provider_fail_http(int rc, int status, struct provider_failure *failure)
{
    *failure = (struct provider_failure){MODEL_UNAVAILABLE, false, -1};
    switch (rc) {
    case ERR_CANCELLED:
        failure->error = MODEL_CANCELLED;
        return rc;
    case ERR_TIMEOUT:
        failure->error = MODEL_TIMED_OUT;
        return err_wrap("the model server took too long");
    case ERR_TOO_LARGE:
        return provider_fail_broken(failure, false, "it is too large");
    case ERR_INVALID:
    case ERR_DENIED:
        failure->error = MODEL_BAD_REQUEST;
        return err_wrap("the model server cannot be called");
    default:
        if (status >= 200 && status <= 299)
            return provider_fail_broken(failure, true, "it was cut off");
        failure->retry = rc == ERR_IO;
        err_get()->code = ERR_UNAVAILABLE;
        return err_wrap("the model server cannot be reached");
    }
}

/* RFC 9110 section 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT". */
static bool parse_http_date(struct str text, int64_t *ret_s)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char copy[40], month[4];
    struct civil c = {0};
    if (text.len >= sizeof(copy))
        return false;
    snprintf(copy, sizeof(copy), "%.*s", STR_ARG(text));
    if (sscanf(copy, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &c.day, month, &c.year, &c.hour,
            &c.minute, &c.second) != 6)
        return false;
    const char *at = strstr(months, month);
    if (at == NULL || strlen(month) != 3 || (at - months) % 3 != 0)
        return false;
    c.month = (int)((at - months) / 3) + 1;
    *ret_s = civil_to_s(&c);
    return true;
}

int64_t provider_retry_after(const struct http_headers *headers, const struct env *env)
{
    double value;
    int64_t date_s;
    if (str_to_double(http_header(headers, "retry-after-ms"), &value) && value >= 0)
        return (int64_t)MIN(value, 1e12);
    struct str after = http_header(headers, "retry-after");
    if (str_to_double(after, &value) && value >= 0)
        return (int64_t)MIN(value * 1000, 1e12);
    if (parse_http_date(after, &date_s))
        return MAX(date_s * 1000 - env_wall_ms(env), 0);
    return -1;
}
