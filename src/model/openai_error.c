#include "model/openai.h"
#include "secure/redact.h"

enum { MESSAGE_MAX = 200 };

/* What a server says about its error, in whatever form. */
struct report {
    int status; /* HTTP's, or the one an error object carries; 0 unknown */
    struct str message, type, code;
};

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
static bool is_quota(const struct report *report)
{
    static const char *const words[] = {"insufficient_quota", "credit_balance_exhausted",
        "spend_limit_exceeded", "usage_limit_exceeded", "billing_hard_limit_reached"};
    return report->status == 402 || any_in(report->type, words, ARRAY_LEN(words)) ||
           any_in(report->code, words, ARRAY_LEN(words));
}

static bool is_overflow(const struct report *report)
{
    static const char *const names[] = {"context_length_exceeded", "exceed_context_size"};
    static const char *const words[] = {"maximum context length", "context_length_exceeded",
        "context window", "context size", "context length", "prompt is too long", "prompt too long",
        "input is too long", "reduce the length of the messages"};
    return any_in(report->code, names, ARRAY_LEN(names)) ||
           any_in(report->type, names, ARRAY_LEN(names)) ||
           any_in(report->message, words, ARRAY_LEN(words));
}

static enum model_error classify(const struct report *report, bool *ret_retry)
{
    int status = report->status;
    *ret_retry = false;
    if (is_quota(report))
        return MODEL_QUOTA;
    if (status == 401 || status == 403)
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

/* error: {message,type,code}, error: "text", message: "text", detail: "text". */
static void read_report(const struct json *root, struct report *report)
{
    static const char *const names[] = {"message", "error", "detail"};
    const struct json *error = error_object(root);
    for (size_t i = 0; i < ARRAY_LEN(names) && str_empty(report->message); i++)
        report->message = json_get_str(error, names[i]);
    report->type = json_get_str(error, "type");
    report->code = json_get_str(error, "code");
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

static const char *meaning_of(enum model_error error)
{
    switch (error) {
    case MODEL_RATE_LIMITED:
        return "too many requests";
    case MODEL_QUOTA:
        return "its quota is used up; check the account's plan";
    case MODEL_CONTEXT_OVERFLOW:
        return "the prompt is too long for this model";
    case MODEL_UNAUTHORIZED:
        return "the key is wrong or not allowed; check openai.api-key";
    case MODEL_BAD_REQUEST:
        return "it refused the request";
    case MODEL_BROKEN_ANSWER:
        return "that is not a model's answer; check openai.base-url";
    default:
        return "it is not available now";
    }
}

static int fail_report(struct arena *arena, const struct report *report, struct str key,
    struct openai_failure *failure)
{
    bool retry;
    enum model_error error = classify(report, &retry);
    struct str said = presentable(arena, report->message, key);
    *failure = (struct openai_failure){error, retry, -1};
    const char *colon = str_empty(said) ? "" : ": ";
    if (report->status == 0)
        return err_set(code_of(error), "the model server reported an error, %s%s%.*s",
            meaning_of(error), colon, STR_ARG(said));
    return err_set(code_of(error), "the model server answered HTTP %d, %s%s%.*s", report->status,
        meaning_of(error), colon, STR_ARG(said));
}

int openai_fail_json(
    struct arena *arena, const struct json *root, struct str key, struct openai_failure *failure)
{
    struct report report = {0};
    read_report(root, &report);
    return fail_report(arena, &report, key, failure);
}

int openai_fail_status(struct arena *arena, int status, const struct http_headers *headers,
    struct str body, struct str key, const struct env *env, struct openai_failure *failure)
{
    struct report report = {.status = status};
    const struct json *root = NULL;
    if (json_parse(arena, body, &root) == 0)
        read_report(root, &report);
    int rc = fail_report(arena, &report, key, failure);
    struct str should_retry = http_header(headers, "x-should-retry");
    if (str_eq_nocase(should_retry, STR("true")) && failure->error != MODEL_QUOTA)
        failure->retry = true;
    else if (str_eq_nocase(should_retry, STR("false")))
        failure->retry = false;
    failure->retry_after_ms = openai_retry_after(headers, env);
    if (failure->retry_after_ms > 0 && (rc == ERR_BUSY || rc == ERR_UNAVAILABLE))
        err_get()->retry_after_ms = failure->retry_after_ms;
    return rc;
}

int openai_fail_broken(struct openai_failure *failure, bool retry, const char *what)
{
    *failure = (struct openai_failure){MODEL_BROKEN_ANSWER, retry, -1};
    return err_set(ERR_PROTOCOL, "the model server's answer cannot be used: %s", what);
}

int openai_fail_http(int rc, int status, struct openai_failure *failure)
{
    *failure = (struct openai_failure){MODEL_UNAVAILABLE, false, -1};
    switch (rc) {
    case ERR_CANCELLED:
        failure->error = MODEL_CANCELLED;
        return rc;
    case ERR_TIMEOUT:
        failure->error = MODEL_TIMED_OUT;
        return err_wrap("the model server took too long");
    case ERR_TOO_LARGE:
        return openai_fail_broken(failure, false, "it is too large");
    case ERR_INVALID:
    case ERR_DENIED:
        failure->error = MODEL_BAD_REQUEST;
        return err_wrap("the model server cannot be called");
    default:
        if (status >= 200 && status <= 299)
            return openai_fail_broken(failure, true, "it was cut off");
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

int64_t openai_retry_after(const struct http_headers *headers, const struct env *env)
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
