#include "http/url.h"

#include "base/err.h"

#include <arpa/inet.h>
#include <curl/curl.h>

#define URL_MAX (8 * KIB)

static struct str copy_part(struct arena *arena, CURLU *parts, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    if (curl_url_get(parts, part, &text, flags) != CURLUE_OK)
        return STR("");
    struct str copy = str_dup(arena, str_from(text));
    curl_free(text);
    return copy;
}

static int read_parts(struct arena *arena, CURLU *parts, struct url *ret_url)
{
    struct url url = {
        .scheme = str_lower(arena, copy_part(arena, parts, CURLUPART_SCHEME, 0)),
        .host = copy_part(arena, parts, CURLUPART_HOST, 0),
        .path = copy_part(arena, parts, CURLUPART_PATH, 0),
        .query = copy_part(arena, parts, CURLUPART_QUERY, 0),
    };
    if (!str_is(url.scheme, "http") && !str_is(url.scheme, "https"))
        return err_set(ERR_INVALID, "the URL must begin with http:// or https://");
    if (str_starts(url.host, STR("[")) && str_ends(url.host, STR("]")))
        url.host = str_slice(url.host, 1, url.host.len - 1);
    url.host = str_lower(arena, url.host);
    if (str_empty(url.host))
        return err_set(ERR_INVALID, "the URL has no usable host name");
    for (size_t i = 0; i < url.host.len; i++) {
        /* libcurl's own conversion depends on the locale. */
        if ((unsigned char)url.host.ptr[i] >= 0x80)
            return err_set(
                ERR_INVALID, "write the URL's host name in its ASCII form, which begins with xn--");
    }
    int64_t port = 0;
    if (!str_to_i64(copy_part(arena, parts, CURLUPART_PORT, CURLU_DEFAULT_PORT), &port) ||
        port < 1 || port > 65535)
        return err_set(ERR_INVALID, "the URL's port must be between 1 and 65535");
    url.port = (int)port;
    char *user = NULL;
    url.has_user = curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_OK;
    curl_free(user);
    *ret_url = url;
    return 0;
}

/* libcurl forgives "http:/host" and "http:///host"; other parsers read those differently. */
static bool has_authority(struct str text)
{
    ptrdiff_t colon = str_find(text, STR("://"), 0);
    return colon > 0 && (size_t)colon + 3 < text.len && text.ptr[colon + 3] != '/';
}

int url_parse(struct arena *arena, struct str text, struct url *ret_url)
{
    if (text.len > URL_MAX)
        return err_set(ERR_INVALID, "the URL is longer than %d bytes", URL_MAX);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= ' ' || c == 0x7F || c == '\\')
            return err_set(
                ERR_INVALID, "the URL holds a space, backslash or control byte; percent-encode it");
    }
    if (!has_authority(text))
        return err_set(ERR_INVALID, "the URL must look like https://host/path");
    CURLU *parts = curl_url();
    if (parts == NULL)
        return err_set(ERR_FAILED, "no memory for a URL");
    CURLUcode code = curl_url_set(parts, CURLUPART_URL, str_cstr(arena, text), 0);
    int rc = 0;
    if (code != CURLUE_OK)
        rc = err_set(ERR_INVALID, "the URL cannot be used: %s", curl_url_strerror(code));
    else
        rc = read_parts(arena, parts, ret_url);
    curl_url_cleanup(parts);
    return rc;
}

void url_encode(struct buf *out, struct str raw)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.ptr[i];
        if (char_is_alnum((char)c) || c == '-' || c == '.' || c == '_' || c == '~') {
            buf_add_char(out, (char)c);
            continue;
        }
        buf_add_char(out, '%');
        buf_add_char(out, hex[c >> 4]);
        buf_add_char(out, hex[c & 15]);
    }
}

/* IANA IPv4 Special-Purpose Address Registry, and multicast. The few anycast entries that are
 * reachable from everywhere inside 192.0.0.0/24 are left out on purpose: nobody serves pages
 * there. */
static bool ipv4_is_private(uint32_t address)
{
    static const struct {
        uint32_t base;
        int bits;
    } ranges[] = {
        {0x00000000, 8},  /* this network */
        {0x0A000000, 8},  /* 10/8 private */
        {0x64400000, 10}, /* 100.64/10 carrier NAT */
        {0x7F000000, 8},  /* loopback */
        {0xA9FE0000, 16}, /* 169.254/16 link-local, cloud metadata */
        {0xAC100000, 12}, /* 172.16/12 private */
        {0xC0000000, 24}, /* 192.0.0/24 protocol assignments */
        {0xC0000200, 24}, /* 192.0.2/24 documentation */
        {0xC0586300, 24}, /* 192.88.99/24 former 6to4 relays */
        {0xC0A80000, 16}, /* 192.168/16 private */
        {0xC6120000, 15}, /* 198.18/15 benchmarking */
        {0xC6336400, 24}, /* 198.51.100/24 documentation */
        {0xCB007100, 24}, /* 203.0.113/24 documentation */
        {0xE0000000, 4},  /* multicast */
        {0xF0000000, 4},  /* reserved, broadcast */
    };
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        if (((address ^ ranges[i].base) >> (32 - ranges[i].bits)) == 0)
            return true;
    }
    return false;
}

static uint32_t ipv4_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool starts_with(const uint8_t *address, const char *prefix, size_t len)
{
    return memcmp(address, prefix, len) == 0;
}

/* IANA IPv6 Special-Purpose Address Registry. Forms that carry an IPv4 address are judged by it:
 * mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96) and 6to4 (2002::/16). Otherwise only 2000::/3 is
 * global unicast, with holes. */
static bool ipv6_is_private(const uint8_t *address)
{
    if (starts_with(address, "\0\0\0\0\0\0\0\0\0\0\xFF\xFF", 12) ||
        starts_with(address, "\0\x64\xFF\x9B\0\0\0\0\0\0\0\0", 12))
        return ipv4_is_private(ipv4_at(address + 12));
    if (starts_with(address, "\x20\x02", 2))
        return ipv4_is_private(ipv4_at(address + 2));
    if ((address[0] & 0xE0) != 0x20)
        return true;
    return (starts_with(address, "\x20\x01", 2) && address[2] < 2) ||  /* 2001::/23, Teredo too */
           starts_with(address, "\x20\x01\x0D\xB8", 4) ||              /* documentation */
           (starts_with(address, "\x3F\xFF", 2) && address[2] < 0x10); /* 3fff::/20 documentation */
}

bool address_is_private(const char *address)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, address, &v4) == 1)
        return ipv4_is_private(ntohl(v4.s_addr));
    if (inet_pton(AF_INET6, address, &v6) == 1)
        return ipv6_is_private(v6.s6_addr);
    return true; /* what cannot be read, such as a zone index, is not let through */
}
