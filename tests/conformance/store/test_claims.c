#include "runtime/loop.h"
#include "suite.h"

#include <pthread.h>
#include <stdatomic.h>

#define ROWS 120
#define CLAIMERS 12
#define THREADS 3

static struct outbox_row a_delivery(const char *id, int64_t due_at)
{
    return (struct outbox_row){.workspace_id = STR("w1"),
        .id = S(id),
        .state = STR("pending"),
        .channel = STR("telegram"),
        .session_id = STR("s1"),
        .body = STR("See you on Tuesday"),
        .due_at = due_at,
        .created_at = 1};
}

static struct store_claim a_claim(int64_t now, size_t limit)
{
    return (struct store_claim){.entity = STORE_OUTBOX,
        .workspace_id = STR("w1"),
        .value = STR("pending"),
        .now_ms = now,
        .lease_ms = 1000,
        .owner = STR("one"),
        .limit = limit};
}

static struct str ids_of(struct test *t, const struct store_page *page)
{
    const struct outbox_row *rows = page->rows;
    struct buf out = BUF_IN(t->arena);

    for (size_t i = 0; i < page->count; i++)
        buf_printf(&out, "%s%.*s", i ? " " : "", STR_ARG(rows[i].id));
    return buf_str(&out);
}

TEST(claims_what_is_due_in_order)
{
    static const char *const ids[] = {"d", "c", "b", "a"};
    struct store_claim claim = a_claim(30, 2);
    struct store_page page;
    struct outbox_row got;
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    for (int i = 0; i < 4; i++) { /* a is due at 40 */
        struct outbox_row row = a_delivery(ids[i], 10 * (i + 1));
        REQUIRE_OK(insert_row(&s, STORE_OUTBOX, &row));
    }
    REQUIRE_OK(store_claim(s.store, &claim, t->arena, &page));
    EXPECT_STR(ids_of(t, &page), "d c");
    EXPECT_STR(page.cursor, "");
    REQUIRE(page.count == 2);
    EXPECT_STR(((struct outbox_row *)page.rows)[0].body, "See you on Tuesday");
    EXPECT_OK(get_row(&s, STORE_OUTBOX, "w1", "d", &got));
    EXPECT_STR(got.owner, "one");
    EXPECT_EQ(got.due_at, 1030);
    EXPECT_EQ(got.version, 2);
    EXPECT_EQ(((struct outbox_row *)page.rows)[0].version, 2);
    REQUIRE_OK(store_claim(s.store, &claim, t->arena, &page));
    EXPECT_STR(ids_of(t, &page), "b");
    REQUIRE_OK(store_claim(s.store, &claim, t->arena, &page));
    EXPECT_EQ(page.count, 0);
    suite_close(&s);
}

TEST(an_ended_lease_gives_the_row_again)
{
    struct outbox_row row = a_delivery("a", 5);
    struct store_page first, second;
    struct store_claim claim = a_claim(10, 10);
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    REQUIRE_OK(insert_row(&s, STORE_OUTBOX, &row));
    REQUIRE_OK(store_claim(s.store, &claim, t->arena, &first));
    REQUIRE(first.count == 1);
    claim.now_ms = 1009; /* the lease ends at 1010 */
    claim.owner = STR("two");
    REQUIRE_OK(store_claim(s.store, &claim, t->arena, &second));
    EXPECT_EQ(second.count, 0);
    claim.now_ms = 1010;
    REQUIRE_OK(store_claim(s.store, &claim, t->arena, &second));
    REQUIRE(second.count == 1);
    EXPECT_STR(((struct outbox_row *)second.rows)[0].owner, "two");
    row = *(struct outbox_row *)first.rows; /* the first one is too late to report */
    row.state = STR("sent");
    EXPECT_EQ(update_row(&s, STORE_OUTBOX, &row), STORE_CONFLICT);
    row = *(struct outbox_row *)second.rows;
    row.state = STR("sent");
    EXPECT_OK(update_row(&s, STORE_OUTBOX, &row));
    claim.now_ms = 1000000;
    REQUIRE_OK(store_claim(s.store, &claim, t->arena, &second));
    EXPECT_EQ(second.count, 0); /* done is done */
    suite_close(&s);
}

TEST(a_claim_stays_in_its_workspace)
{
    struct outbox_row row = a_delivery("a", 5);
    struct store_claim claim = a_claim(10, 10);
    struct store_page page;
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    row.workspace_id = STR("w2");
    REQUIRE_OK(insert_row(&s, STORE_OUTBOX, &row));
    REQUIRE_OK(store_claim(s.store, &claim, t->arena, &page));
    EXPECT_EQ(page.count, 0);
    claim.workspace_id = STR("w2");
    REQUIRE_OK(store_claim(s.store, &claim, t->arena, &page));
    EXPECT_EQ(page.count, 1);
    suite_close(&s);
}

TEST(wrong_claims_are_refused)
{
    struct store_claim claim = a_claim(10, 0);
    struct store_page page;
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_EQ(store_claim(s.store, &claim, t->arena, &page), ERR_INVALID);
    claim = a_claim(10, 101);
    EXPECT_EQ(store_claim(s.store, &claim, t->arena, &page), ERR_INVALID);
    claim = a_claim(10, 1);
    claim.lease_ms = 0;
    EXPECT_EQ(store_claim(s.store, &claim, t->arena, &page), ERR_INVALID);
    claim = a_claim(10, 1);
    claim.owner = STR("");
    EXPECT_EQ(store_claim(s.store, &claim, t->arena, &page), ERR_INVALID);
    claim = a_claim(10, 1);
    claim.entity = STORE_MESSAGES;
    EXPECT_EQ(store_claim(s.store, &claim, t->arena, &page), ERR_INVALID);
    claim = a_claim(10, 1);
    claim.index = 7;
    EXPECT_EQ(store_claim(s.store, &claim, t->arena, &page), ERR_INVALID);
    suite_close(&s);
}

struct race {
    struct suite *suite;
    atomic_int *taken; /* how often each row was given away */
    atomic_int *failures;
    int number;
};

static void claim_until_dry(void *arg)
{
    struct race *race = arg;
    struct store_claim claim = a_claim(100, 7);
    struct store_page page;
    struct arena arena;
    char owner[32];

    snprintf(owner, sizeof(owner), "claimer %d", race->number);
    claim.owner = S(owner);
    arena_init(&arena);
    do {
        const struct outbox_row *rows;

        arena_reset(&arena);
        if (store_claim(race->suite->store, &claim, &arena, &page) != 0) {
            printf("# claim: %s\n", err_message());
            atomic_fetch_add(race->failures, 1);
            break;
        }
        rows = page.rows;
        for (size_t i = 0; i < page.count; i++) {
            int64_t id;
            if (str_to_i64(rows[i].id, &id) && str_is(rows[i].owner, owner))
                atomic_fetch_add(&race->taken[id], 1);
        }
    } while (page.count > 0);
    arena_deinit(&arena);
}

static void claim_by_fibers(void *arg)
{
    const struct race *first = arg;
    struct race races[CLAIMERS];
    struct fiber *fibers[CLAIMERS];

    for (int i = 0; i < CLAIMERS; i++) {
        races[i] = *first;
        races[i].number += i;
        fibers[i] = fiber_spawn_joinable(fiber_loop(), "claim", claim_until_dry, &races[i]);
    }
    for (int i = 0; i < CLAIMERS; i++)
        if (fiber_join(fibers[i]) != 0)
            atomic_fetch_add(first->failures, 1);
}

static void *claim_on_thread(void *arg)
{
    const struct race *race = arg;

    if (loop_run_fiber(env_system(), claim_by_fibers, arg) != 0)
        atomic_fetch_add(race->failures, 1);
    return NULL;
}

TEST(each_row_goes_to_one_of_many_claimers)
{
    atomic_int taken[ROWS] = {0}, failures = 0;
    pthread_t threads[THREADS];
    struct race races[THREADS];
    struct store_batch batch;
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    for (int i = 0; i < ROWS; i++) {
        struct outbox_row row = a_delivery(str_printf(t->arena, "%d", i).ptr, i % 10);
        store_batch_init(&batch, t->arena);
        store_insert(&batch, STORE_OUTBOX, &row);
        REQUIRE_OK(store_commit(s.store, &batch));
    }
    for (int i = 0; i < THREADS; i++) {
        races[i] = (struct race){&s, taken, &failures, i * CLAIMERS};
        REQUIRE(pthread_create(&threads[i], NULL, claim_on_thread, &races[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    EXPECT_EQ(failures, 0);
    for (int i = 0; i < ROWS; i++)
        EXPECT_EQ(taken[i], 1);
    suite_close(&s);
}
