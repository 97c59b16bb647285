/* Arena: memory that is given back all at once.
 *
 * One arena per HTTP request and one per run. Allocation is a pointer bump; chunks come from
 * malloc, the first one small, growing up to 64 KiB; an allocation larger than that gets a chunk of
 * its own. There is no free of one piece. Memory that cannot be had ends the process with a
 * message: no caller can go on without it, and every input is limited in size before.
 *
 * Ownership: what came from an arena lives until arena_reset() or arena_deinit(); cleanups
 * registered with arena_defer() run then, last one first.
 *
 * Nothing here yields. An arena belongs to one thread at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/base.h"

struct arena_chunk;
struct arena_cleanup;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    char *next, *end;           /* free bytes of the newest chunk */
    struct arena_cleanup *cleanups;
    size_t used; /* bytes handed out since init or reset */
};

void arena_init(struct arena *arena);

/* Run the cleanups, free every chunk. The arena may be initialised again. */
void arena_deinit(struct arena *arena);

/* Run the cleanups and forget every allocation, keeping one small chunk for reuse. */
void arena_reset(struct arena *arena);

/* size bytes aligned to 16, not initialised. size 0 gives a valid pointer. Never NULL. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull));

/* count * size zeroed bytes; ends the process if the product overflows. */
void *arena_zalloc(struct arena *arena, size_t count, size_t size)
    __attribute__((malloc, returns_nonnull));

/* Grow the allocation old (old_size bytes, may be NULL) to new_size, in place if it is the newest.
 */
void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size)
    __attribute__((returns_nonnull));

/* Call fn(ctx) when the arena is reset or deinitialised. */
void arena_defer(struct arena *arena, void (*fn)(void *ctx), void *ctx);

#define arena_new(arena, type) ((type *)arena_zalloc((arena), 1, sizeof(type)))
#define arena_array(arena, type, n) ((type *)arena_zalloc((arena), (n), sizeof(type)))

/* malloc and realloc that end the process instead of returning NULL; free() gives back. */
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *old, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));

#endif
