/* Requests per key and minute, by the generic cell rate algorithm (GCRA, ITU-T I.371): one number
 * per key, the theoretical arrival time of the next request, is the whole state, so one atomic
 * compare-and-swap serves all loops. A full minute's worth may come at once; after that requests
 * are let through as time passes.
 *
 * The table is bounded: a key looks at PROBES places; when all hold others, the one idle longest
 * is taken over, which at worst forgives an idle key what it used.
 */
#include "api/exchange.h"

#define SLOTS 4096
#define PROBES 8
#define WINDOW_US (60LL * 1000 * 1000)

struct rate_slot {
    uint64_t key;    /* 0: free; otherwise key id with bit 32 set; atomic */
    int64_t next_us; /* theoretical arrival time; atomic */
};

struct rate_table {
    struct rate_slot slots[SLOTS];
};

struct rate_table *rate_table_new(void)
{
    return xcalloc(1, sizeof(struct rate_table));
}

void rate_table_free(struct rate_table *table)
{
    free(table);
}

static struct rate_slot *find_slot(struct rate_table *table, uint32_t key)
{
    uint64_t want = key | (1ULL << 32), found;
    struct rate_slot *oldest = NULL;
    int64_t oldest_us = INT64_MAX;

    for (uint32_t i = 0; i < PROBES; i++) {
        struct rate_slot *slot = &table->slots[(key * 2654435761U + i) % SLOTS];
        int64_t next = __atomic_load_n(&slot->next_us, __ATOMIC_RELAXED);

        found = __atomic_load_n(&slot->key, __ATOMIC_ACQUIRE);
        if (found == want)
            return slot;
        if (found == 0)
            next = INT64_MIN;
        if (next < oldest_us) {
            oldest = slot;
            oldest_us = next;
        }
    }
    assert(oldest);
    __atomic_store_n(&oldest->next_us, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&oldest->key, want, __ATOMIC_RELEASE);
    return oldest;
}

struct rate_state rate_take(
    struct rate_table *table, uint32_t key, int64_t per_minute, int64_t now_ms)
{
    struct rate_slot *slot = find_slot(table, key);
    int64_t interval = MAX(WINDOW_US / per_minute, 1), now = now_ms * 1000, room = 0;
    int64_t old = __atomic_load_n(&slot->next_us, __ATOMIC_RELAXED), next;
    struct rate_state state = {.limit = per_minute};

    do {
        next = MAX(old, now) + interval;
        room = now + WINDOW_US - next;
        state.allowed = room >= 0;
        if (!state.allowed)
            break;
    } while (!__atomic_compare_exchange_n(
        &slot->next_us, &old, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    if (!state.allowed) {
        state.retry_after_ms = -room / 1000 + 1;
        next = old;
    }
    state.remaining = MAX(room, 0) / interval;
    state.reset_s = (MAX(next - now, 0) + 999999) / 1000000;
    return state;
}
