#include "base/err.h"
#include "http/exchange.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <openssl/evp.h>

static struct str user_part(struct arena *arena, CURLU *parts, CURLUPart part)
{
    char *text = NULL;

    if (curl_url_get(parts, part, &text, CURLU_URLDECODE) != CURLUE_OK)
        return STR("");
    struct str copy = str_dup(arena, str_from(text));
    curl_free(text);
    return copy;
}

/* RFC 7617. */
static struct str basic_authorization(struct arena *arena, const char *url)
{
    CURLU *parts = curl_url();

    if (parts == NULL || curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK) {
        curl_url_cleanup(parts);
        return STR("");
    }
    struct str user = user_part(arena, parts, CURLUPART_USER);
    struct str password = user_part(arena, parts, CURLUPART_PASSWORD);
    curl_url_cleanup(parts);
    struct str pair = str_printf(arena, "%.*s:%.*s", STR_ARG(user), STR_ARG(password));
    unsigned char *code = arena_alloc(arena, pair.len * 4 / 3 + 5);
    EVP_EncodeBlock(code, (const unsigned char *)pair.ptr, (int)pair.len);
    return str_printf(arena, "Authorization: Basic %s\r\n", (const char *)code);
}

static void write_lines(struct target *target)
{
    const struct url *url = &target->url;
    struct arena *arena = &target->arena;
    bool v6 = str_find_char(url->host, ':', 0) >= 0;
    bool usual = url->port == (str_is(url->scheme, "https") ? 443 : 80);
    struct str host = str_printf(arena, v6 ? "[%.*s]" : "%.*s", STR_ARG(url->host));

    target->path_line = str_printf(arena, " %.*s%s%.*s HTTP/1.1\r\n", STR_ARG(url->path),
        str_empty(url->query) ? "" : "?", STR_ARG(url->query));
    target->host = usual ? str_printf(arena, "Host: %.*s\r\n", STR_ARG(host))
                         : str_printf(arena, "Host: %.*s:%d\r\n", STR_ARG(host), url->port);
    if (url->has_user)
        target->authorization = basic_authorization(arena, target->text);
}

int target_new(struct str text, struct target **ret_target)
{
    struct target *target = xcalloc(1, sizeof(*target));

    arena_init(&target->arena);
    target->text = str_heap(text);
    int rc = url_parse(&target->arena, text, &target->url);
    if (rc != 0) {
        target_free(target);
        return rc;
    }
    write_lines(target);
    *ret_target = target;
    return 0;
}

void target_free(struct target *target)
{
    arena_deinit(&target->arena);
    free(target->text);
    free(target);
}

static bool add_address(
    struct outbound_addresses *addresses, struct arena *arena, struct str text, int port)
{
    struct sockaddr_storage *at = &addresses->items[addresses->count];
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)at;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)at;
    const char *number = str_cstr(arena, text);

    if (addresses->count == OUTBOUND_ADDRESSES_MAX)
        return false;
    memset(at, 0, sizeof(*at));
    if (inet_pton(AF_INET, number, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
    } else if (inet_pton(AF_INET6, number, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
    } else {
        return false;
    }
    addresses->count++;
    return true;
}

static int numeric_address(bool public_only, struct arena *arena, struct str host)
{
    if (public_only && address_is_private(str_cstr(arena, host)))
        return err_set(ERR_DENIED,
            "%.*s is an address inside a private network; only public ones may be fetched",
            STR_ARG(host));
    return 0;
}

int target_addresses(const struct target *target, struct resolver *resolver, bool public_only,
    int64_t deadline_ms, struct arena *arena, struct outbound_addresses *ret_addresses)
{
    struct str host = target->url.host, list = {0}, one;
    int port = target->url.port;

    ret_addresses->count = 0;
    if (add_address(ret_addresses, arena, host, port))
        return numeric_address(public_only, arena, host);
    int rc = resolver_lookup(resolver, host, public_only, deadline_ms, arena, &list);
    if (rc != 0)
        return rc;
    while (str_next(&list, ',', &one)) {
        if (str_starts(one, STR("[")))
            one = str_slice(one, 1, one.len - 1);
        (void)add_address(ret_addresses, arena, one, port);
    }
    return ret_addresses->count > 0
               ? 0
               : err_set(ERR_IO, "the host name %.*s has no usable address", STR_ARG(host));
}
