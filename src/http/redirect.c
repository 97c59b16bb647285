#include "base/err.h"
#include "http/transfer.h"

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

int http_redirect_target(
    struct arena *arena, struct str url, const struct http_reply *reply, struct str *ret_url)
{
    struct str location = http_header(&reply->headers, "location");
    if (!is_redirect(reply->status) || str_empty(location))
        return 0;
    char *text = NULL;
    CURLU *parts = curl_url();
    CURLUcode code = CURLUE_OUT_OF_MEMORY;
    if (parts != NULL)
        code = curl_url_set(parts, CURLUPART_URL, str_cstr(arena, url), 0);
    if (code == CURLUE_OK)
        code = curl_url_set(parts, CURLUPART_URL, str_cstr(arena, location), CURLU_URLENCODE);
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_URL, &text, 0);
    if (code == CURLUE_OK)
        *ret_url = str_dup(arena, str_from(text));
    curl_free(text);
    curl_url_cleanup(parts);
    if (code != CURLUE_OK)
        return err_set(ERR_IO, "a redirect leads to something that is no usable URL: %s",
            curl_url_strerror(code));
    return 0;
}

static bool is_harmless(struct str name)
{
    static const char *const names[] = {"accept", "accept-language", "user-agent", "range",
        "if-none-match", "if-modified-since", "content-type"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq_nocase(name, str_from(names[i])))
            return true;
    }
    return false;
}

static void drop_credentials(struct arena *arena, struct http_call *call)
{
    struct http_header *kept = arena_array(arena, struct http_header, call->header_count);
    size_t count = 0;
    for (size_t i = 0; i < call->header_count; i++) {
        if (is_harmless(call->headers[i].name))
            kept[count++] = call->headers[i];
    }
    call->headers = kept;
    call->header_count = count;
}

int http_redirect_call(struct arena *arena, int status, struct str next, struct http_call *call)
{
    struct url from, to;
    int rc = url_parse(arena, call->url, &from);
    if (rc == 0)
        rc = url_parse(arena, next, &to);
    if (rc != 0)
        return rc;
    if (!str_eq(from.scheme, to.scheme) || !str_eq(from.host, to.host) || from.port != to.port)
        drop_credentials(arena, call);
    bool was_post = (status == 301 || status == 302) && call->method == HTTP_POST;
    if (was_post || (status == 303 && call->method != HTTP_HEAD)) {
        call->method = HTTP_GET;
        call->body = STR("");
    }
    call->url = next;
    return 0;
}
