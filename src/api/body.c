/* Reading what the caller sent: strict about types, deaf to members it does not know. */
#include "api/exchange.h"
#include "http/parser.h"

static const char *const type_names[] = {
    [JSON_NULL] = "null",
    [JSON_BOOL] = "true or false",
    [JSON_NUMBER] = "a number",
    [JSON_STRING] = "a string",
    [JSON_ARRAY] = "an array",
    [JSON_OBJECT] = "an object",
};

static bool is_json_type(struct str content_type)
{
    struct str media;

    if (str_empty(content_type))
        return true;
    str_next(&content_type, ';', &media);
    media = str_trim(media);
    return str_eq_nocase(media, STR("application/json")) || str_ends(media, STR("+json"));
}

int body_parse(struct exchange *x)
{
    struct str text = x->req->body;
    int rc;

    if (!is_json_type(http_header(&x->req->headers, "content-type"))) {
        problem_write(
            x, 415, "unsupported_media_type", STR("Send Content-Type: application/json."));
        return err_set(ERR_INVALID, "The body is not JSON by its Content-Type.");
    }
    if (str_empty(text) && (x->route->flags & ROUTE_EMPTY_BODY))
        text = STR("{}");
    x->malformed = true;
    rc = json_parse(x->arena, text, &x->body);
    if (rc < 0)
        return err_wrap("The body is not valid JSON");
    x->malformed = false;
    if (!json_is(x->body, JSON_OBJECT))
        return err_set(ERR_INVALID, "The body must be a JSON object.");
    return 0;
}

bool body_has(const struct json *body, const char *name)
{
    return json_type(json_get(body, name)) != JSON_NULL;
}

int body_check(const struct json *body, const struct body_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct body_field *field = &fields[i];
        const struct json *node = json_get(body, field->name);
        size_t size;

        if (json_type(node) == JSON_NULL)
            continue;
        if (json_type(node) != field->type)
            return err_field(
                ERR_INVALID, field->name, "%s must be %s.", field->name, type_names[field->type]);
        size = field->type == JSON_STRING ? json_str(node).len : json_len(node);
        if (field->max && size > field->max)
            return err_field(ERR_INVALID, field->name, "%s may have at most %zu %s.", field->name,
                field->max, field->type == JSON_STRING ? "bytes" : "members");
    }
    return 0;
}

int body_i64(const struct json *body, const char *name, int64_t min, int64_t max, int64_t otherwise,
    int64_t *ret_value)
{
    const struct json *node = json_get(body, name);
    int64_t value = json_i64(node, min - 1);

    if (json_type(node) == JSON_NULL) {
        *ret_value = otherwise;
        return 0;
    }
    if (value < min || value > max)
        return err_field(ERR_INVALID, name, "%s must be a whole number from %lld to %lld.", name,
            (long long)min, (long long)max);
    *ret_value = value;
    return 0;
}

int body_time(const struct json *body, const char *name, int64_t *ret_ms)
{
    if (!rfc3339_parse(json_get_str(body, name), ret_ms, NULL))
        return err_field(ERR_INVALID, name,
            "%s must be a date and time with offset, such as 2026-03-02T15:00:00+01:00.", name);
    return 0;
}

struct str query_str(struct exchange *x, const char *name)
{
    struct str value;

    return http_query_get(x->arena, x->req->query, name, &value) ? value : (struct str){NULL, 0};
}

int query_choice(struct exchange *x, const char *name, const char *const *choices, int *ret_index)
{
    struct str text = query_str(x, name);
    struct buf known = BUF_IN(x->arena);

    if (!text.ptr)
        return 0;
    for (int i = 0; choices[i]; i++) {
        if (str_is(text, choices[i])) {
            *ret_index = i;
            return 0;
        }
        buf_printf(&known, "%s\"%s\"", i == 0 ? "" : choices[i + 1] ? ", " : " or ", choices[i]);
    }
    return err_field(ERR_INVALID, name, "%s must be %s.", name, known.ptr);
}

int query_i64(struct exchange *x, const char *name, int64_t min, int64_t max, int64_t otherwise,
    int64_t *ret_value)
{
    struct str text = query_str(x, name);
    int64_t value = otherwise;

    if (text.ptr && (!str_to_i64(text, &value) || value < min || value > max))
        return err_field(ERR_INVALID, name, "%s must be a whole number from %lld to %lld.", name,
            (long long)min, (long long)max);
    *ret_value = value;
    return 0;
}

int query_time(struct exchange *x, const char *name, int64_t otherwise, int64_t *ret_ms)
{
    struct str text = query_str(x, name);
    ptrdiff_t space = str_empty(text) ? -1 : str_find_char(text, ' ', 0);
    int64_t value = otherwise;

    /* A plus sign that was not escaped arrives as a space. */
    if (space > 10) {
        char *fixed = str_cstr(x->arena, text);

        fixed[space] = '+';
        text = (struct str){fixed, text.len};
    }
    if (text.ptr && !rfc3339_parse(text, &value, NULL))
        return err_field(ERR_INVALID, name,
            "%s must be a date and time with offset, such as 2026-03-02T15:00:00Z.", name);
    *ret_ms = value;
    return 0;
}

bool accepts(const struct exchange *x, const char *media_type)
{
    struct str rest = http_header(&x->req->headers, "accept"), part, media;

    if (!rest.ptr)
        return false;
    while (str_next(&rest, ',', &part)) {
        str_next(&part, ';', &media);
        if (str_eq_nocase(str_trim(media), str_from(media_type)))
            return true;
    }
    return false;
}

void write_time(struct json_writer *w, const char *name, int64_t ms)
{
    char text[RFC3339_LEN + 1];

    if (ms == 0) {
        json_cstr_member(w, name, NULL);
        return;
    }
    rfc3339_format(ms, text);
    json_cstr_member(w, name, text);
}

void write_opt(struct json_writer *w, const char *name, struct str value)
{
    if (str_empty(value))
        json_cstr_member(w, name, NULL);
    else
        json_str_member(w, name, value);
}
