#include "http/resolve.h"

#include "http/url.h"
#include "runtime/offload.h"

#include <arpa/inet.h>
#include <netdb.h>

enum {
    KEEP_MS = 60 * SECOND_MS,
    ENTRIES_MAX = 1024,
    ADDRESSES_MAX = 8, /* of one name */
};

struct waiter {
    struct fiber *fiber;
    bool parked;
    struct waiter *next;
};

struct entry {
    struct resolver *resolver;
    char *host;
    struct buf addresses;
    bool busy; /* a look-up is under way */
    int users; /* fibers that wait for it or read it */
    int rc;
    char message[256]; /* why it failed */
    int64_t until_ms;
    struct waiter *waiters;
    struct entry *next;
};

struct resolver {
    struct loop *loop;
    resolve_fn *source;
    struct entry *entries;
    size_t count;
};

static void add_address(struct buf *out, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN];
    bool v6 = address->sa_family == AF_INET6;
    const void *raw =
        v6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
           : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    if (inet_ntop(address->sa_family, raw, text, sizeof(text)) == NULL)
        return;
    buf_printf(out, v6 ? "%s[%s]" : "%s%s", out->len > 0 ? "," : "", text);
}

static int ask_system(const char *host, struct buf *ret_addresses)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host, NULL, &hints, &list);
    if (rc != 0)
        return err_set(ERR_IO, "the host name %s cannot be resolved: %s", host, gai_strerror(rc));
    int count = 0;
    for (struct addrinfo *a = list; a != NULL && count < ADDRESSES_MAX; a = a->ai_next) {
        if (a->ai_family == AF_INET || a->ai_family == AF_INET6) {
            add_address(ret_addresses, a->ai_addr);
            count++;
        }
    }
    freeaddrinfo(list);
    return count > 0 ? 0 : err_set(ERR_IO, "the host name %s has no address", host);
}

struct resolver *resolver_new(struct loop *loop)
{
    struct resolver *resolver = xcalloc(1, sizeof(*resolver));
    resolver->loop = loop;
    resolver->source = ask_system;
    return resolver;
}

void resolver_set_source(struct resolver *resolver, resolve_fn *source)
{
    resolver->source = source;
}

static void entry_free(struct entry *entry)
{
    buf_deinit(&entry->addresses);
    free(entry->host);
    free(entry);
}

void resolver_free(struct resolver *resolver)
{
    while (resolver->entries != NULL) {
        struct entry *entry = resolver->entries;
        assert(!entry->busy);
        resolver->entries = entry->next;
        entry_free(entry);
    }
    free(resolver);
}

static int lookup_on_worker(void *arg)
{
    struct entry *entry = arg;
    return entry->resolver->source(entry->host, &entry->addresses);
}

static void lookup_on_fiber(void *arg)
{
    struct entry *entry = arg;
    entry->rc = offload(lookup_on_worker, entry);
    if (entry->rc != 0)
        snprintf(entry->message, sizeof(entry->message), "%s", err_message());
    entry->until_ms = loop_now_ms(entry->resolver->loop) + (entry->rc == 0 ? KEEP_MS : 0);
    entry->busy = false;
    for (struct waiter *w = entry->waiters; w != NULL; w = w->next) {
        if (w->parked)
            fiber_wake(w->fiber);
    }
}

static bool expired(const struct entry *entry)
{
    return !entry->busy && entry->users == 0 &&
           entry->until_ms <= loop_now_ms(entry->resolver->loop);
}

/* Make room: all that expired, and if that was nothing, the oldest that nobody uses. */
static void prune(struct resolver *resolver)
{
    struct entry **oldest = NULL;
    for (struct entry **at = &resolver->entries; *at != NULL;) {
        struct entry *entry = *at;
        if (expired(entry)) {
            *at = entry->next;
            entry_free(entry);
            resolver->count--;
            continue;
        }
        if (!entry->busy && entry->users == 0)
            oldest = at;
        at = &entry->next;
    }
    if (resolver->count >= ENTRIES_MAX && oldest != NULL) {
        struct entry *entry = *oldest;
        *oldest = entry->next;
        entry_free(entry);
        resolver->count--;
    }
}

static struct entry *find(struct resolver *resolver, struct str host)
{
    for (struct entry *entry = resolver->entries; entry != NULL; entry = entry->next) {
        if (str_is(host, entry->host))
            return entry;
    }
    if (resolver->count >= ENTRIES_MAX)
        prune(resolver);
    struct entry *entry = xcalloc(1, sizeof(*entry));
    entry->resolver = resolver;
    entry->host = str_heap(host);
    entry->next = resolver->entries;
    resolver->entries = entry;
    resolver->count++;
    return entry;
}

static int wait_for(struct entry *entry, int64_t deadline_ms)
{
    struct waiter waiter = {.fiber = fiber_self(), .next = entry->waiters};
    entry->waiters = &waiter;
    int rc = 0;
    while (entry->busy && rc == 0) {
        waiter.parked = true;
        rc = fiber_park(deadline_ms);
        waiter.parked = false;
    }
    struct waiter **at = &entry->waiters;
    while (*at != &waiter)
        at = &(*at)->next;
    *at = waiter.next;
    return entry->busy ? rc : 0;
}

static int check_public(struct str host, struct str addresses)
{
    struct str one;
    while (str_next(&addresses, ',', &one)) {
        char text[INET6_ADDRSTRLEN + 2];
        if (str_starts(one, STR("[")))
            one = str_slice(one, 1, one.len - 1);
        snprintf(text, sizeof(text), "%.*s", STR_ARG(one));
        if (address_is_private(text))
            return err_set(ERR_DENIED,
                "%.*s is an address inside a private network; only public ones may be fetched",
                STR_ARG(host));
    }
    return 0;
}

int resolver_lookup(struct resolver *resolver, struct str host, bool public_only,
    int64_t deadline_ms, struct arena *arena, struct str *ret_addresses)
{
    struct entry *entry = find(resolver, host);
    if (!entry->busy && entry->until_ms <= loop_now_ms(resolver->loop) && entry->users == 0) {
        buf_clear(&entry->addresses);
        entry->busy = true;
        fiber_spawn(resolver->loop, "resolve", lookup_on_fiber, entry);
    }
    entry->users++;
    int rc = wait_for(entry, deadline_ms);
    entry->users--;
    if (rc != 0)
        return rc;
    if (entry->rc != 0)
        return err_set(entry->rc, "%s", entry->message);
    struct str addresses = buf_str(&entry->addresses);
    if (public_only && (rc = check_public(host, addresses)) != 0)
        return rc;
    *ret_addresses = str_dup(arena, addresses);
    return 0;
}
