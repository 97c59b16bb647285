#include "base/arena.h"
#include "test.h"

static void append(void *ctx)
{
    struct buf *out = ((void **)ctx)[0];

    buf_add_cstr(out, ((void **)ctx)[1]);
}

TEST(arena_is_aligned_and_pieces_do_not_overlap)
{
    unsigned char *pieces[200];
    size_t sizes[200];

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        sizes[i] = i * i % 977 + (i % 50 == 7 ? 40000 : 0);
        pieces[i] = arena_alloc(t->arena, sizes[i]);
        EXPECT_EQ((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        for (size_t k = 0; k < sizes[i]; k++)
            REQUIRE(pieces[i][k] == (unsigned char)i);
}

TEST(arena_gives_zeroed_memory_after_reset)
{
    char *p = arena_alloc(t->arena, 500);

    memset(p, 'x', 500);
    arena_reset(t->arena);
    EXPECT_EQ(t->arena->used, 0);
    p = arena_zalloc(t->arena, 50, 10);
    for (size_t i = 0; i < 500; i++)
        REQUIRE(p[i] == 0);
}

TEST(arena_reset_reuses_the_first_chunk)
{
    void *first = arena_alloc(t->arena, 100);

    arena_alloc(t->arena, 100000);
    for (int i = 0; i < 100; i++)
        arena_alloc(t->arena, 1000);
    arena_reset(t->arena);
    EXPECT(arena_alloc(t->arena, 100) == first);
}

TEST(arena_grows_the_newest_in_place)
{
    char *p = arena_alloc(t->arena, 10);

    memcpy(p, "0123456789", 10);
    EXPECT(arena_grow(t->arena, p, 10, 100) == p);
    arena_alloc(t->arena, 1);

    char *moved = arena_grow(t->arena, p, 100, 200);

    EXPECT(moved != p);
    EXPECT(memcmp(moved, "0123456789", 10) == 0);
    EXPECT(arena_grow(t->arena, moved, 200, 50) == moved);
    EXPECT(arena_grow(t->arena, NULL, 0, 5) != NULL);
}

TEST(arena_grow_keeps_bytes_over_many_chunks)
{
    size_t len = 1;
    unsigned char *p = arena_alloc(t->arena, len);

    p[0] = 0;
    while (len < 1000000) {
        size_t more = len * 3;

        p = arena_grow(t->arena, p, len, more);
        for (size_t i = len; i < more; i++)
            p[i] = (unsigned char)(i % 251);
        len = more;
    }
    for (size_t i = 0; i < len; i++)
        REQUIRE(p[i] == i % 251);
}

TEST(arena_cleanups_run_last_first_and_once)
{
    struct buf out = BUF_HEAP;
    void *a[] = {&out, "a"}, *b[] = {&out, "b"};

    arena_defer(t->arena, append, a);
    arena_defer(t->arena, append, b);
    arena_reset(t->arena);
    EXPECT_STR(buf_str(&out), "ba");
    arena_reset(t->arena);
    EXPECT_STR(buf_str(&out), "ba");
    buf_deinit(&out);
}

TEST(arena_counts_what_it_hands_out)
{
    arena_alloc(t->arena, 10);
    arena_alloc(t->arena, 5000);
    arena_alloc(t->arena, 50000);
    EXPECT_EQ(t->arena->used, 55010);
}

TEST(reset_keeps_one_chunk_however_many_there_are)
{
    struct arena arena;

    arena_init(&arena);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) /* several chunks of the first size; LeakSanitizer counts */
            memset(arena_alloc(&arena, 100), round, 100);
        EXPECT_EQ(arena.used, 20000);
        arena_reset(&arena);
        EXPECT_EQ(arena.used, 0);
    }
    arena_deinit(&arena);
}
