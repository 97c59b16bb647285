#include "secure/sigv4.h"

#include "base/env.h"
#include "http/url.h"

#include <sodium.h>
#include <stdlib.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define HASH_LEN crypto_hash_sha256_BYTES

static struct str hash_hex(struct arena *arena, struct str text)
{
    unsigned char hash[HASH_LEN];
    char *hex = arena_alloc(arena, 2 * HASH_LEN + 1);

    crypto_hash_sha256(hash, (const unsigned char *)text.ptr, text.len);
    sodium_bin2hex(hex, 2 * HASH_LEN + 1, hash, sizeof(hash));
    return (struct str){hex, 2 * HASH_LEN};
}

static void hmac(const void *key, size_t key_len, struct str text, unsigned char ret_mac[HASH_LEN])
{
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, key, key_len);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)text.ptr, text.len);
    crypto_auth_hmacsha256_final(&state, ret_mac);
}

/* "20150830T123600Z"; the date alone is its first 8 characters. */
static struct str stamp(struct arena *arena, int64_t wall_ms)
{
    struct civil c = civil_from_s(wall_ms / 1000);

    return str_printf(
        arena, "%04d%02d%02dT%02d%02d%02dZ", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

static struct str scope(struct arena *arena, const struct sigv4_request *request)
{
    return str_printf(arena, "%.8s/%.*s/%.*s/aws4_request", stamp(arena, request->wall_ms).ptr,
        STR_ARG(request->region), STR_ARG(request->service));
}

static int hex_digit(char c)
{
    if (char_is_digit(c))
        return c - '0';
    c = char_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct str percent_decode(struct arena *arena, struct str text)
{
    struct buf out = BUF_IN(arena);

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '%' && i + 2 < text.len && hex_digit(text.ptr[i + 1]) >= 0 &&
            hex_digit(text.ptr[i + 2]) >= 0) {
            buf_add_char(
                &out, (char)(hex_digit(text.ptr[i + 1]) << 4 | hex_digit(text.ptr[i + 2])));
            i += 2;
        } else {
            buf_add_char(&out, text.ptr[i]);
        }
    }
    return buf_str(&out);
}

static void add_path(struct buf *out, const struct sigv4_request *request, struct arena *arena)
{
    bool is_s3 = str_is(request->service, "s3");
    struct str rest = request->path, part;

    if (str_empty(rest))
        rest = STR("/");
    for (bool first = true; str_next(&rest, '/', &part); first = false) {
        if (!first)
            buf_add_char(out, '/');
        url_encode(out, is_s3 ? percent_decode(arena, part) : part);
    }
}

struct pair {
    struct str name, value;
};

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = str_cmp(x->name, y->name);

    return order != 0 ? order : str_cmp(x->value, y->value);
}

static struct str encoded(struct arena *arena, struct str text)
{
    struct buf out = BUF_IN(arena);

    url_encode(&out, percent_decode(arena, text));
    return buf_str(&out);
}

static void add_query(struct buf *out, struct str query, struct arena *arena)
{
    struct pair *pairs;
    size_t count = 0, capacity = 1;
    struct str part;

    for (size_t i = 0; i < query.len; i++)
        capacity += query.ptr[i] == '&';
    pairs = arena_array(arena, struct pair, capacity);
    while (str_next(&query, '&', &part)) {
        ptrdiff_t equals = str_find_char(part, '=', 0);
        size_t end = equals < 0 ? part.len : (size_t)equals;
        if (str_empty(part))
            continue;
        pairs[count].name = encoded(arena, str_slice(part, 0, end));
        pairs[count++].value = encoded(arena, str_slice(part, end + 1, part.len));
    }
    qsort(pairs, count, sizeof(*pairs), compare_pairs);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(out, '&');
        buf_add_str(out, pairs[i].name);
        buf_add_char(out, '=');
        buf_add_str(out, pairs[i].value);
    }
}

/* Trimmed, and runs of spaces become one. */
static struct str plain_value(struct arena *arena, struct str value)
{
    struct buf out = BUF_IN(arena);

    value = str_trim(value);
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] != ' ' || value.ptr[i - 1] != ' ')
            buf_add_char(&out, value.ptr[i]);
    return buf_str(&out);
}

struct signed_headers {
    struct pair *items;
    size_t count;
};

/* By name alone: values of one name keep their order. */
static int compare_names(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = str_cmp(x->name, y->name);

    if (order != 0)
        return order;
    return x < y ? -1 : x > y;
}

static struct signed_headers headers_to_sign(
    struct arena *arena, const struct sigv4_request *request)
{
    struct signed_headers headers = {arena_array(arena, struct pair, request->header_count + 2), 0};
    bool has_date = false;

    for (size_t i = 0; i < request->header_count; i++) {
        struct str name = str_lower(arena, request->headers[i].name);
        struct str value = plain_value(arena, request->headers[i].value);
        has_date = has_date || str_is(name, "x-amz-date");
        headers.items[headers.count++] = (struct pair){name, value};
    }
    headers.items[headers.count++] = (struct pair){STR("host"), request->host};
    if (!has_date)
        headers.items[headers.count++] =
            (struct pair){STR("x-amz-date"), stamp(arena, request->wall_ms)};
    qsort(headers.items, headers.count, sizeof(struct pair), compare_names);
    return headers;
}

static struct str signed_names(struct arena *arena, const struct signed_headers *headers)
{
    struct buf out = BUF_IN(arena);

    for (size_t i = 0; i < headers->count; i++) {
        if (i > 0 && str_eq(headers->items[i].name, headers->items[i - 1].name))
            continue;
        if (i > 0)
            buf_add_char(&out, ';');
        buf_add_str(&out, headers->items[i].name);
    }
    return buf_str(&out);
}

struct str sigv4_canonical_request(struct arena *arena, const struct sigv4_request *request)
{
    struct signed_headers headers = headers_to_sign(arena, request);
    struct buf out = BUF_IN(arena);

    buf_printf(&out, "%s\n", request->method);
    add_path(&out, request, arena);
    buf_add_char(&out, '\n');
    add_query(&out, request->query, arena);
    for (size_t i = 0; i < headers.count; i++) {
        const struct pair *header = &headers.items[i];
        if (i > 0 && str_eq(header->name, headers.items[i - 1].name))
            buf_printf(&out, ",%.*s", STR_ARG(header->value));
        else
            buf_printf(&out, "\n%.*s:%.*s", STR_ARG(header->name), STR_ARG(header->value));
    }
    buf_printf(&out, "\n\n%.*s\n", STR_ARG(signed_names(arena, &headers)));
    buf_add_str(&out, hash_hex(arena, request->body));
    return buf_str(&out);
}

struct str sigv4_string_to_sign(struct arena *arena, const struct sigv4_request *request)
{
    return str_printf(arena, ALGORITHM "\n%s\n%s\n%s", stamp(arena, request->wall_ms).ptr,
        scope(arena, request).ptr, hash_hex(arena, sigv4_canonical_request(arena, request)).ptr);
}

static struct str signature(struct arena *arena, const struct aws_credentials *credentials,
    const struct sigv4_request *request)
{
    struct str first = str_printf(arena, "AWS4%.*s", STR_ARG(credentials->secret_access_key));
    unsigned char key[HASH_LEN];
    char *hex = arena_alloc(arena, 2 * HASH_LEN + 1);

    hmac(first.ptr, first.len, str_slice(stamp(arena, request->wall_ms), 0, 8), key);
    hmac(key, sizeof(key), request->region, key);
    hmac(key, sizeof(key), request->service, key);
    hmac(key, sizeof(key), STR("aws4_request"), key);
    hmac(key, sizeof(key), sigv4_string_to_sign(arena, request), key);
    sodium_bin2hex(hex, 2 * HASH_LEN + 1, key, sizeof(key));
    sodium_memzero((void *)(uintptr_t)first.ptr, first.len);
    return (struct str){hex, 2 * HASH_LEN};
}

struct http_headers sigv4_sign(struct arena *arena, const struct aws_credentials *credentials,
    const struct sigv4_request *request)
{
    struct http_header *items = arena_array(arena, struct http_header, request->header_count + 3);
    struct sigv4_request full = *request;
    struct signed_headers headers;
    size_t count = request->header_count;

    if (count > 0)
        memcpy(items, request->headers, count * sizeof(*items));
    items[count++] = (struct http_header){STR("x-amz-date"), stamp(arena, request->wall_ms)};
    if (!str_empty(credentials->session_token))
        items[count++] =
            (struct http_header){STR("x-amz-security-token"), credentials->session_token};
    full.headers = items;
    full.header_count = count;
    headers = headers_to_sign(arena, &full);
    items[count++] = (struct http_header){STR("authorization"),
        str_printf(arena, ALGORITHM " Credential=%.*s/%s, SignedHeaders=%.*s, Signature=%s",
            STR_ARG(credentials->access_key_id), scope(arena, request).ptr,
            STR_ARG(signed_names(arena, &headers)), signature(arena, credentials, &full).ptr)};
    return (struct http_headers){items, count};
}
