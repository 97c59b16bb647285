/* URLs (RFC 3986, the http and https schemes), and which addresses outside URLs may reach.
 *
 * Parsing is by libcurl's URL API (so that parser and client agree); no I/O, does not yield.
 */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include "base/buf.h"

struct url {
    struct str scheme, host, path, query; /* host without brackets, lower case */
    int port;                             /* explicit or the scheme's */
    bool has_user;                        /* credentials in the URL */
};

/* 0 or ERR_INVALID (not http/https, no host, control bytes, over 8 KiB). Strings in arena. */
MUST_CHECK int url_parse(struct arena *arena, struct str text, struct url *ret_url);
/* RFC 3986 unreserved bytes kept, others as %XX. */
void url_encode(struct buf *out, struct str raw);
/* True for loopback, private, link-local, unique-local, multicast, documentation, carrier NAT,
 * metadata and unspecified addresses, IPv4-mapped forms included. address: numeric text. */
bool address_is_private(const char *address);

#endif
