/* Wrong keys and tokens are counted by the address they come from. Without a limit everybody who
 * reaches the port could make the store look for made-up keys as often as he likes.
 *
 * Counted is what has failed, so that no success uses anything up. Many at once may get past the
 * look before the first of them failed; they are counted all the same, and waited for. Each process
 * counts for itself.
 */
#include "api/exchange.h"
#include "watch/metrics.h"

#include <arpa/inet.h>

/* Who asks: the peer, or by the word of a proxy on this machine whoever that one speaks for (the
 * last part of the header: earlier ones are the client's own words). Another machine's word counts
 * for nothing. */
static struct str client_address(const struct exchange *x)
{
    struct str chain = http_header(&x->req->headers, "x-forwarded-for");

    if (str_empty(chain) || !access_is_loopback(x->req))
        return x->req->peer;
    return str_trim(str_slice(chain, (size_t)(str_rfind_char(chain, ',') + 1), chain.len));
}

/* A number for it, never 0: of IPv4 the address, of IPv6 the network of 64 bits that one host has
 * to itself. What is no address counts as one. */
static uint64_t address_key(const struct exchange *x)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    const char *text = str_cstr(x->arena, client_address(x));
    unsigned char v6[16] = {0};
    uint32_t v4;
    uint64_t network = 0;

    if (inet_pton(AF_INET, text, &v4) == 1)
        return 1ULL << 32 | v4;
    if (inet_pton(AF_INET6, text, v6) == 1 && memcmp(v6, mapped, sizeof(mapped)) == 0) {
        memcpy(&v4, v6 + sizeof(mapped), sizeof(v4));
        return 1ULL << 32 | v4;
    }
    memcpy(&network, v6, sizeof(network));
    return network ? network : 1;
}

static int64_t limit_of(const struct exchange *x)
{
    return x->api->house->config->rate_failures_per_minute;
}

int failures_check(const struct exchange *x, struct str key)
{
    int64_t wait_ms;

    if (limit_of(x) == 0)
        return 0;
    wait_ms = rate_wait(x->api->failures, address_key(x), limit_of(x), env_mono_ms(x->env));
    if (wait_ms == 0 || (!str_empty(key) && api_key_in_memory(x->store, x->env, key)))
        return 0;
    metric_add(M_AUTH_FAILURES, "limited", 1);
    err_set(ERR_BUSY, "Too many wrong keys or tokens came from this address; wait and try again.");
    err_get()->retry_after_ms = wait_ms;
    return ERR_BUSY;
}

void failures_note(const struct exchange *x)
{
    uint64_t address = address_key(x);
    int64_t now = env_mono_ms(x->env), limit = limit_of(x);

    if (limit == 0)
        return;
    rate_charge(x->api->failures, address, limit, now);
    if (rate_wait(x->api->failures, address, limit, now) > 0)
        log_warn("auth.limited", LOG_STR("address", client_address(x)));
}
