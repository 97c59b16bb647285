/* Inside of secure/: what a sealer is made of. */
#ifndef SECURE_SEALER_H
#define SECURE_SEALER_H

#include "secure/key_provider.h"

#include <pthread.h>
#include <stdatomic.h>

#define SEALER_BUCKETS 1024
#define SEALER_PROVIDERS_MAX 4

/* Entries are only ever added, in front, until the sealer is freed: readers need no lock. */
struct data_key {
    struct data_key *next;
    unsigned char *bytes; /* sodium_malloc'd */
    uint32_t number;
    _Atomic int64_t checked_ms; /* monotonic; when the store was last asked for newer ones */
    _Atomic int64_t claimed_ms; /* monotonic; when somebody last went to ask */
    size_t workspace_len;
    char workspace[];
};

/* A data key that a service is being asked for, on the stack of the fiber that asks. */
struct asking {
    struct asking *next;
    struct key_use use;
};

struct sealer {
    const struct env *env;
    struct key_provider *providers[SEALER_PROVIDERS_MAX]; /* the first one wraps, all unwrap */
    size_t provider_count;
    struct key_provider *target; /* of a rotation; NULL: none */
    int64_t refresh_ms;
    /* For sealer_mac() when no master key is here. */
    unsigned char *mac_key;
    pthread_mutex_t lock; /* never held over a yield */
    struct asking *asking;
    struct err last; /* of a service; code 0: it went well */
    _Atomic(struct data_key *) buckets[SEALER_BUCKETS];
};

/* Remembers what a service answered, for sealer_health(); returns r. */
int sealer_note(struct sealer *sealer, const struct key_provider *provider, int r);
/* With whichever provider can. Yields when that is a service. */
MUST_CHECK int sealer_unwrap(struct sealer *sealer, const struct key_use *use, struct str wrapped,
    struct arena *arena, unsigned char ret_key[SEAL_KEY_LEN]);

#endif
