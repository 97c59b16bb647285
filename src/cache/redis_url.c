#include "cache/redis_url.h"

#include <strings.h>

#define FORM "redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]"
#define DATABASE_MAX 1000000

static int wrong(const char *why)
{
    return err_field(ERR_INVALID, "redis.url", "redis.url %s; it has the form " FORM, why);
}

static int hex_digit(char c)
{
    if (char_is_digit(c))
        return c - '0';
    c = char_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NULL when an escape is broken or makes a NUL. */
static char *unescape(struct str text)
{
    char *out = xmalloc(text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        int high, low;

        if (text.ptr[i] != '%') {
            out[len++] = text.ptr[i];
            continue;
        }
        high = i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
        low = i + 2 < text.len ? hex_digit(text.ptr[i + 2]) : -1;
        if (high < 0 || low < 0 || (high == 0 && low == 0)) {
            explicit_bzero(out, len);
            free(out);
            return NULL;
        }
        out[len++] = (char)(high << 4 | low);
        i += 2;
    }
    out[len] = '\0';
    return out;
}

static int take_user(struct str text, struct redis_address *address)
{
    ptrdiff_t colon = str_find_char(text, ':', 0);
    struct str user = colon < 0 ? text : str_slice(text, 0, (size_t)colon);

    if (colon < 0)
        return wrong("has a name before \"@\" but no password (without a user it is :PASSWORD@)");
    if (user.len && !(address->user = unescape(user)))
        return wrong("has a broken % escape in its user");
    address->password = unescape(str_slice(text, (size_t)colon + 1, text.len));
    if (!address->password)
        return wrong("has a broken % escape in its password");
    return address->password[0] ? 0 : wrong("has an empty password");
}

static int take_port(struct str text, struct redis_address *address)
{
    int64_t port;

    if (!str_to_i64(text, &port) || port < 1 || port > 65535)
        return wrong("has a port that is no number from 1 to 65535");
    address->port = (int)port;
    return 0;
}

static int take_host(struct str text, struct redis_address *address)
{
    ptrdiff_t end;
    struct str host;

    if (str_starts(text, STR("["))) {
        end = str_find_char(text, ']', 0);
        if (end < 0)
            return wrong("has a \"[\" without \"]\"");
        host = str_slice(text, 1, (size_t)end);
        text = str_slice(text, (size_t)end + 1, text.len);
        if (text.len && text.ptr[0] != ':')
            return wrong("has something other than a port after \"]\"");
        end = text.len ? 0 : -1;
    } else {
        end = str_find_char(text, ':', 0);
        host = end < 0 ? text : str_slice(text, 0, (size_t)end);
    }
    if (host.len == 0)
        return wrong("names no host");
    for (size_t i = 0; i < host.len; i++)
        if (!char_is_alnum(host.ptr[i]) && !memchr("-._:%", host.ptr[i], 5) &&
            (unsigned char)host.ptr[i] < 0x80)
            return wrong("has a host with a character that no host has (escape those of a "
                         "password as %XX)");
    address->host = str_heap(host);
    return end < 0 ? 0 : take_port(str_slice(text, (size_t)end + 1, text.len), address);
}

static int take_database(struct str text, struct redis_address *address)
{
    int64_t number;

    if (text.len == 0)
        return 0;
    if (!str_to_i64(text, &number) || number < 0 || number > DATABASE_MAX)
        return wrong("has something after the host that is no database number");
    address->database = (int)number;
    return 0;
}

/* The last "@" ends user and password, so that a password may hold one unescaped. */
static int take_parts(struct str rest, struct redis_address *address)
{
    ptrdiff_t at = str_rfind_char(rest, '@'), slash;
    int rc = 0;

    if (at >= 0) {
        rc = take_user(str_slice(rest, 0, (size_t)at), address);
        rest = str_slice(rest, (size_t)at + 1, rest.len);
    }
    slash = str_find_char(rest, '/', 0);
    if (rc == 0 && slash >= 0)
        rc = take_database(str_slice(rest, (size_t)slash + 1, rest.len), address);
    if (rc == 0)
        rc = take_host(slash < 0 ? rest : str_slice(rest, 0, (size_t)slash), address);
    return rc;
}

int redis_url_parse(const char *url, struct redis_address *ret_address)
{
    struct redis_address address = {.port = REDIS_PORT};
    struct str text = str_from(url);
    int rc;

    address.tls = str_starts_nocase(text, STR("rediss://"));
    if (!address.tls && !str_starts_nocase(text, STR("redis://")))
        return wrong("does not begin with redis:// (or rediss:// for TLS)");
    rc = take_parts(str_slice(text, address.tls ? 9 : 8, text.len), &address);
    if (rc < 0) {
        redis_address_deinit(&address);
        return rc;
    }
    *ret_address = address;
    return 0;
}

void redis_address_deinit(struct redis_address *address)
{
    if (address->password)
        explicit_bzero(address->password, strlen(address->password));
    free(address->password);
    free(address->user);
    free(address->host);
    *address = (struct redis_address){0};
}
