/* Requests per key and minute, or failures per address, by the generic cell rate algorithm (GCRA,
 * ITU-T I.371): one number per key, the theoretical arrival time of the next request, is the whole
 * state, so one atomic compare-and-swap serves all loops. A full minute's worth may come at once;
 * after that requests are let through as time passes.
 *
 * The table is bounded: a key looks at PROBES places; when all hold others, the one idle longest
 * is taken over, which at worst forgives an idle key what it used.
 */
#include "api/exchange.h"

#define SLOTS 4096
#define PROBES 8
#define WINDOW_US (60LL * 1000 * 1000)
#define DEBT_MAX_US (60 * WINDOW_US)

struct rate_slot {
    uint64_t key;    /* 0: free; atomic */
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

/* NULL when the key has no slot; ret_oldest is then the one to take over. */
static struct rate_slot *find_slot(
    struct rate_table *table, uint64_t key, struct rate_slot **ret_oldest)
{
    uint64_t first = key * 0x9e3779b97f4a7c15u >> 32;
    int64_t oldest_us = INT64_MAX;

    for (uint64_t i = 0; i < PROBES; i++) {
        struct rate_slot *slot = &table->slots[(first + i) % SLOTS];
        int64_t next = __atomic_load_n(&slot->next_us, __ATOMIC_RELAXED);
        uint64_t found = __atomic_load_n(&slot->key, __ATOMIC_ACQUIRE);

        if (found == key)
            return slot;
        if (found == 0)
            next = INT64_MIN;
        if (next < oldest_us) {
            *ret_oldest = slot;
            oldest_us = next;
        }
    }
    return NULL;
}

static struct rate_slot *claim_slot(struct rate_table *table, uint64_t key)
{
    struct rate_slot *oldest = NULL, *slot = find_slot(table, key, &oldest);

    if (slot)
        return slot;
    assert(oldest);
    __atomic_store_n(&oldest->next_us, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&oldest->key, key, __ATOMIC_RELEASE);
    return oldest;
}

static int64_t interval_us(int64_t per_minute)
{
    return MAX(WINDOW_US / per_minute, 1);
}

struct rate_state rate_take(
    struct rate_table *table, uint64_t key, int64_t per_minute, int64_t now_ms)
{
    struct rate_slot *slot = claim_slot(table, key);
    int64_t interval = interval_us(per_minute), now = now_ms * 1000, room = 0;
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

int64_t rate_wait(struct rate_table *table, uint64_t key, int64_t per_minute, int64_t now_ms)
{
    struct rate_slot *oldest, *slot = find_slot(table, key, &oldest);
    int64_t next = slot ? __atomic_load_n(&slot->next_us, __ATOMIC_RELAXED) : 0;
    int64_t over = next + interval_us(per_minute) - WINDOW_US - now_ms * 1000;

    return over > 0 ? over / 1000 + 1 : 0;
}

void rate_charge(struct rate_table *table, uint64_t key, int64_t per_minute, int64_t now_ms)
{
    struct rate_slot *slot = claim_slot(table, key);
    int64_t now = now_ms * 1000, next;
    int64_t old = __atomic_load_n(&slot->next_us, __ATOMIC_RELAXED);

    do
        next = MIN(MAX(old, now) + interval_us(per_minute), now + DEBT_MAX_US);
    while (!__atomic_compare_exchange_n(
        &slot->next_us, &old, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}
