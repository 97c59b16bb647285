/* Errors as RFC 9457 problems. One table says which ERR_* is which status; nothing else in the
 * interface chooses a status for a failure.
 */
#include "api/exchange.h"
#include "secure/redact.h"
#include "watch/metrics.h"

struct problem_kind {
    const char *name;
    int status;
    const char *title;
    const char *help; /* for /problems/NAME */
};

static const struct problem_kind kinds[] = {
    {"malformed", 400, "The request could not be read",
        "The body is not valid JSON in UTF-8, or the request breaks HTTP."},
    {"unauthorized", 401, "A valid API key is needed",
        "Send `Authorization: Bearer KEY` or `X-API-Key: KEY`. Make a key with `theo keys create`; "
        "revoked and expired keys are refused."},
    {"denied", 403, "The key does not allow this",
        "The key is valid but lacks a scope. Use or make a key with the scope that detail names."},
    {"not_found", 404, "There is no such thing",
        "The path or the id is wrong, or what it named was deleted."},
    {"method_not_allowed", 405, "The path does not know this method",
        "The Allow header lists the methods."},
    {"conflict", 409, "It changed or is being worked on",
        "Somebody else changed it meanwhile (read it again and repeat), or the first request with "
        "this Idempotency-Key is still running (repeat later)."},
    {"gone", 410, "The first answer was deleted",
        "The Idempotency-Key was used before and the run it made was deleted since. Use a new "
        "key."},
    {"too_large", 413, "The request is too large", "Send less: GET /api/config lists the limits."},
    {"unsupported_media_type", 415, "The body must be JSON",
        "Send Content-Type: application/json."},
    {"invalid", 422, "A value is wrong",
        "The body is well-formed, but a member is missing or wrong. `field` names it."},
    {"key_reused", 422, "The Idempotency-Key belongs to another request",
        "The same key came with another body before. Use a new key for each new request."},
    {"budget", 422, "A budget is used up",
        "The run needed more tokens, calls or time than the settings run.* allow."},
    {"busy", 429, "Too many requests",
        "Wait as long as Retry-After says. RateLimit headers tell how much is left."},
    {"internal", 500, "Something went wrong inside",
        "The server's log has the cause under the request_id of the answer."},
    {"bad_gateway", 502, "A service behind Theo answered nonsense", "Try again later."},
    {"unavailable", 503, "A service that is needed is down",
        "Try again after the seconds in Retry-After."},
    {"timeout", 504, "It took too long", "Try again, or raise the setting run.timeout-ms."},
    {"full", 507, "The disk or quota is full", "Nothing was stored. Free some space."},
};

static const struct {
    int code;
    const char *name;
} by_code[] = {
    {ERR_INVALID, "invalid"},
    {ERR_NOT_FOUND, "not_found"},
    {ERR_EXISTS, "conflict"},
    {ERR_CONFLICT, "conflict"},
    {ERR_CANCELLED, "unavailable"},
    {ERR_TIMEOUT, "timeout"},
    {ERR_TOO_LARGE, "too_large"},
    {ERR_DENIED, "denied"},
    {ERR_UNAUTHORIZED, "unauthorized"},
    {ERR_BUSY, "busy"},
    {ERR_UNAVAILABLE, "unavailable"},
    {ERR_FULL, "full"},
    {ERR_PROTOCOL, "bad_gateway"},
    {ERR_BUDGET, "budget"},
};

static const struct problem_kind *kind_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

static const struct problem_kind *kind_of(const struct exchange *x, int code)
{
    if (code == ERR_INVALID && x->malformed)
        return kind_named("malformed");
    for (size_t i = 0; i < ARRAY_LEN(by_code); i++)
        if (by_code[i].code == code)
            return kind_named(by_code[i].name);
    return kind_named("internal");
}

static struct str write_problem(
    struct exchange *x, const struct problem_kind *kind, struct str detail, const char *field)
{
    struct buf out = BUF_IN(x->arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_str_member(&w, "type", str_printf(x->arena, "/problems/%s", kind->name));
    json_cstr_member(&w, "title", kind->title);
    json_i64_member(&w, "status", kind->status);
    json_str_member(&w, "detail", redact(x->arena, detail));
    if (field && field[0])
        json_cstr_member(&w, "field", field);
    json_cstr_member(&w, "request_id", x->req->request_id);
    json_object_end(&w);
    return buf_str(&out);
}

/* What happened inside is for the log; the caller gets a sentence that helps him. */
static struct str public_detail(struct exchange *x, const struct problem_kind *kind, int code)
{
    if (kind->status == 500) {
        log_error("api.failed", LOG_CSTR("kind", err_name(code)), LOG_ERR);
        return str_from(kind->help);
    }
    if (code == ERR_CANCELLED)
        return STR("The request was cancelled before it was finished.");
    return str_dup(x->arena, str_from(err_message()));
}

struct str problem_json(struct exchange *x, int code)
{
    const struct problem_kind *kind = kind_of(x, code);
    const char *field = kind->status < 500 ? err_get()->field : NULL;

    return write_problem(x, kind, public_detail(x, kind, code), field);
}

static void retry_after(struct exchange *x, int status)
{
    int64_t seconds = (err_get()->retry_after_ms + 999) / 1000;

    if (status == 429)
        metric_add(M_RATE_LIMITED, NULL, 1);
    if (status == 429 || status == 503)
        answer_header(
            &x->answer, "Retry-After", str_printf(x->arena, "%lld", (long long)MAX(seconds, 1)));
    if (status == 401)
        answer_header(&x->answer, "WWW-Authenticate", STR("Bearer realm=\"theo\""));
}

void problem_answer(struct exchange *x, int code)
{
    const struct problem_kind *kind = kind_of(x, code);

    if (x->answer.sent)
        return;
    if (x->answer.status == 0 || x->answer.status < 400) {
        x->answer.body = problem_json(x, code);
        x->answer.status = kind->status;
        x->answer.content_type = "application/problem+json";
        retry_after(x, kind->status);
    }
}

void problem_write(struct exchange *x, int status, const char *name, struct str detail)
{
    const struct problem_kind *kind = kind_named(name);

    assert(kind && kind->status == status);
    x->answer.status = status;
    x->answer.content_type = "application/problem+json";
    x->answer.body = write_problem(x, kind, detail, NULL);
}

int problem_page(struct exchange *x)
{
    const struct problem_kind *kind = kind_named(str_cstr(x->arena, x->params[0]));

    if (!kind)
        return err_set(ERR_NOT_FOUND, "There is no problem of that name; see /docs.");
    x->answer.status = 200;
    x->answer.content_type = "text/plain; charset=utf-8";
    x->answer.body = str_printf(x->arena, "%s (%d)\n\n%s\n", kind->title, kind->status, kind->help);
    return 0;
}
