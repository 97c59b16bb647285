/* redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], the form of the IANA registration "redis"; and
 * "rediss", which is the same over TLS.
 *
 * Percent escapes count in user and password. "redis://:PASSWORD@HOST" names no user, which is
 * Redis's default one. Nothing here yields. Messages never repeat the URL: it may hold a password.
 */
#ifndef CACHE_REDIS_URL_H
#define CACHE_REDIS_URL_H

#include "base/err.h"

#define REDIS_PORT 6379

struct redis_address {
    char *host; /* without brackets */
    int port;
    char *user, *password; /* NULL: not given */
    int database;
    bool tls;                              /* rediss:// */
    struct redis_tls_context *tls_context; /* with tls: made and freed by the cache */
};

/* 0, or ERR_INVALID with field "redis.url". */
MUST_CHECK int redis_url_parse(const char *url, struct redis_address *ret_address);
void redis_address_deinit(struct redis_address *address); /* wipes the password */

#endif
