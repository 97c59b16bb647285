#include "base/arena.h"

#include <sanitizer/asan_interface.h>
#include <unistd.h>

#define ALIGN 16
#define FIRST_CHUNK 2048
#define LAST_CHUNK (64 * KIB)

/* The header is a multiple of ALIGN, and so is what malloc returns: data is aligned. */
struct arena_chunk {
    struct arena_chunk *older;
    size_t size; /* of data */
    char data[] __attribute__((aligned(ALIGN)));
};

struct arena_cleanup {
    struct arena_cleanup *earlier;
    void (*fn)(void *ctx);
    void *ctx;
};

static NORETURN void out_of_memory(size_t size)
{
    char line[96];
    int len = snprintf(line, sizeof(line),
        "theo: out of memory: %zu bytes could not be had; raise the memory limit\n", size);

    if (write(STDERR_FILENO, line, (size_t)len) < 0) {
        /* There is nobody left to tell. */
    }
    abort();
}

void *xmalloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p)
        out_of_memory(size);
    return p;
}

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);

    if (!p)
        out_of_memory(count);
    return p;
}

void *xrealloc(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);

    if (!p)
        out_of_memory(size);
    return p;
}

char *xstrdup(const char *s)
{
    size_t size = strlen(s) + 1;

    return memcpy(xmalloc(size), s, size);
}

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

static void run_cleanups(struct arena *arena)
{
    while (arena->cleanups) {
        struct arena_cleanup *cleanup = arena->cleanups;

        /* Unlinked first: a cleanup may register another one. */
        arena->cleanups = cleanup->earlier;
        cleanup->fn(cleanup->ctx);
    }
}

static void free_chunk(struct arena_chunk *chunk)
{
    ASAN_UNPOISON_MEMORY_REGION(chunk->data, chunk->size);
    free(chunk);
}

void arena_deinit(struct arena *arena)
{
    run_cleanups(arena);
    while (arena->chunks) {
        struct arena_chunk *chunk = arena->chunks;

        arena->chunks = chunk->older;
        free_chunk(chunk);
    }
    arena_init(arena);
}

static void use_chunk(struct arena *arena, struct arena_chunk *chunk)
{
    arena->chunks = chunk;
    arena->next = chunk->data;
    arena->end = chunk->data + chunk->size;
    ASAN_POISON_MEMORY_REGION(chunk->data, chunk->size);
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *kept = NULL;

    run_cleanups(arena);
    while (arena->chunks) {
        struct arena_chunk *chunk = arena->chunks;

        arena->chunks = chunk->older;
        if (!kept && chunk->size == FIRST_CHUNK - sizeof(*chunk))
            kept = chunk;
        else
            free_chunk(chunk);
    }
    arena_init(arena);
    if (kept) {
        kept->older = NULL;
        use_chunk(arena, kept);
    }
}

static struct arena_chunk *new_chunk(size_t total)
{
    struct arena_chunk *chunk = xmalloc(total);

    chunk->size = total - sizeof(*chunk);
    chunk->older = NULL;
    return chunk;
}

static inline size_t aligned(size_t size)
{
    return (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

/* Half of what is in use: doubling left a third of it empty at the end, for each run in flight. */
static size_t next_chunk(size_t used)
{
    size_t half = (used / 2 + FIRST_CHUNK - 1) / FIRST_CHUNK * FIRST_CHUNK;

    return MIN(MAX(half, (size_t)FIRST_CHUNK), (size_t)LAST_CHUNK);
}

/* The rest of the newest chunk is given up, except when the new piece is so large that it gets a
 * chunk of its own: that one is put behind the newest. */
static __attribute__((noinline)) void *alloc_slow(struct arena *arena, size_t size)
{
    size_t total = FIRST_CHUNK;

    if (size > SIZE_MAX / 2)
        out_of_memory(size);
    if (size > LAST_CHUNK / 4 && arena->chunks) {
        struct arena_chunk *own = new_chunk(sizeof(struct arena_chunk) + size);

        own->older = arena->chunks->older;
        arena->chunks->older = own;
        arena->used += size;
        return own->data;
    }
    if (arena->chunks)
        total = next_chunk(arena->used);
    if (aligned(size) > total - sizeof(struct arena_chunk))
        total = aligned(size) + sizeof(struct arena_chunk);

    struct arena_chunk *chunk = new_chunk(total);

    chunk->older = arena->chunks;
    use_chunk(arena, chunk);
    return arena_alloc(arena, size);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t step = aligned(size ? size : 1);

    if (step < size || step > (size_t)(arena->end - arena->next))
        return alloc_slow(arena, size);

    void *p = arena->next;

    arena->next += step;
    arena->used += size;
    ASAN_UNPOISON_MEMORY_REGION(p, size);
    return p;
}

void *arena_zalloc(struct arena *arena, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        out_of_memory(count);
    return memset(arena_alloc(arena, total), 0, total);
}

void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size)
{
    if (!old)
        return arena_alloc(arena, new_size);
    if (new_size <= old_size)
        return old;

    char *start = old;

    if (start + aligned(old_size ? old_size : 1) == arena->next && new_size < SIZE_MAX / 2 &&
        aligned(new_size) <= (size_t)(arena->end - start)) {
        arena->next = start + aligned(new_size);
        arena->used += new_size - old_size;
        ASAN_UNPOISON_MEMORY_REGION(start, new_size);
        return old;
    }

    void *p = arena_alloc(arena, new_size);

    return memcpy(p, old, old_size);
}

void arena_defer(struct arena *arena, void (*fn)(void *ctx), void *ctx)
{
    struct arena_cleanup *cleanup = arena_new(arena, struct arena_cleanup);

    *cleanup = (struct arena_cleanup){arena->cleanups, fn, ctx};
    arena->cleanups = cleanup;
}
