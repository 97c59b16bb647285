#include "base/env.h"
#include "test.h"

#include <sys/wait.h>
#include <unistd.h>

TEST(env_fake_stands_still_and_repeats)
{
    struct env_fake a, b;

    env_fake_init(&a, 5000, 7);
    env_fake_init(&b, 5000, 7);
    EXPECT_EQ(env_wall_ms(&a.env), 5000);
    a.wall_ms += 10;
    EXPECT_EQ(env_wall_ms(&a.env), 5010);
    for (int i = 0; i < 100; i++)
        REQUIRE(env_random_u64(&a.env) == env_random_u64(&b.env));
    EXPECT(env_random_u64(&a.env) != env_random_u64(&a.env));
}

TEST(env_system_clock_moves_forward)
{
    const struct env *env = env_system();
    int64_t before = env_mono_ms(env);

    EXPECT(env_wall_ms(env) > 1700000000000);
    EXPECT(env_mono_ms(env) >= before);
}

TEST(env_system_random_does_not_repeat)
{
    unsigned char seen[1000][8];
    unsigned char zero[400] = {0}, big[400] = {0};
    const struct env *env = env_system();

    for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
        env->random(env->ctx, seen[i], sizeof(seen[i]));
        for (size_t k = 0; k < i; k++)
            REQUIRE(memcmp(seen[i], seen[k], sizeof(seen[i])) != 0);
    }
    env->random(env->ctx, big, sizeof(big));
    EXPECT(memcmp(big + 300, zero, 100) != 0);
}

TEST(env_system_random_differs_in_a_forked_child)
{
    const struct env *env = env_system();
    uint64_t mine, childs = 0;
    int ends[2];

    env_random_u64(env);
    REQUIRE(pipe(ends) == 0);

    pid_t child = fork();

    if (child == 0) {
        uint64_t value = env_random_u64(env);

        _exit(write(ends[1], &value, sizeof(value)) == sizeof(value) ? 0 : 1);
    }
    mine = env_random_u64(env);
    EXPECT_EQ(read(ends[0], &childs, sizeof(childs)), sizeof(childs));
    EXPECT(mine != childs);
    waitpid(child, NULL, 0);
    close(ends[0]);
    close(ends[1]);
}

TEST(ulid_carries_the_time_and_sorts)
{
    struct env_fake fake;
    char earlier[ULID_LEN + 1], later[ULID_LEN + 1];

    env_fake_init(&fake, 1469918176385, 1); /* the example of the specification */
    ulid_make(&fake.env, earlier);
    EXPECT_STR(str_slice(str_from(earlier), 0, 10), "01ARYZ6S41");
    for (int i = 0; i < 500; i++) {
        fake.wall_ms++;
        ulid_make(&fake.env, later);
        REQUIRE(strcmp(earlier, later) < 0);
        REQUIRE(ulid_valid(str_from(later)));
        memcpy(earlier, later, sizeof(later));
    }
}

TEST(ulid_random_part_differs)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    struct str a = ulid_new(&t->fake->env, t->arena), b = ulid_new(&t->fake->env, t->arena);

    EXPECT(str_eq(str_slice(a, 0, 10), str_slice(b, 0, 10)));
    EXPECT(!str_eq(a, b));
    /* All 80 bits come from the generator: each of the 16 places takes many values. */
    for (size_t place = 10; place < ULID_LEN; place++) {
        uint32_t seen = 0;

        for (int i = 0; i < 300; i++) {
            char c = ulid_new(&t->fake->env, t->arena).ptr[place];

            seen |= 1u << (strchr(alphabet, c) - alphabet);
        }
        EXPECT(__builtin_popcount(seen) > 28);
    }
}

TEST(ulid_valid_refuses)
{
    EXPECT(ulid_valid(STR("7ZZZZZZZZZZZZZZZZZZZZZZZZZ")));
    EXPECT(!ulid_valid(STR("8ZZZZZZZZZZZZZZZZZZZZZZZZZ"))); /* beyond 128 bits */
    EXPECT(!ulid_valid(STR("01ARYZ6S41TSV4RRFFQ69G5FA")));
    EXPECT(!ulid_valid(STR("01ARYZ6S41TSV4RRFFQ69G5FAVV")));
    EXPECT(!ulid_valid(STR("01ARYZ6S41TSV4RRFFQ69G5FAU")));
    EXPECT(!ulid_valid(STR("01aryz6s41tsv4rrffq69g5fav")));
    EXPECT(!ulid_valid(STR("01ARYZ6S41TSV4RRFFQ69G5FA\0")));
}
