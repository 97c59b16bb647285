/* A sorted map from byte keys to pointers: a skip list (Pugh, 1990) with links back.
 *
 * Keys are compared bytewise, shorter first, and copied; values stay the caller's. Every operation
 * is O(log n). Not thread-safe. Nothing yields.
 */
#ifndef STORE_SORTED_H
#define STORE_SORTED_H

#include "base/str.h"

#define SORTED_HEIGHT 20

struct sorted_node {
    void *value;
    struct str key;
    struct sorted_node *prev; /* NULL for the first */
    int height;
    struct sorted_node *next[]; /* next[0] is the one after; the key's bytes follow the links */
};

struct sorted {
    struct sorted_node *head; /* no key; prev is unused */
    uint64_t seed;
    size_t count;
};

void sorted_init(struct sorted *map);
/* free_value may be NULL. */
void sorted_deinit(struct sorted *map, void (*free_value)(void *value));

void *sorted_get(const struct sorted *map, struct str key); /* NULL when absent */
/* False, changing nothing, when the key is there. */
bool sorted_insert(struct sorted *map, struct str key, void *value);
void sorted_set(struct sorted *map, struct str key, void *value); /* the key is there */
void *sorted_remove(struct sorted *map, struct str key);          /* its value; NULL when absent */

/* The first node whose key is >= key, and the last one whose key is < key; NULL if none. */
struct sorted_node *sorted_from(const struct sorted *map, struct str key);
struct sorted_node *sorted_before(const struct sorted *map, struct str key);

#endif
