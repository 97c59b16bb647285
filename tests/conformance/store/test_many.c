#include "runtime/loop.h"
#include "suite.h"

#include <pthread.h>
#include <stdatomic.h>

#define FIBERS 40
#define ROUNDS 10

struct many {
    struct suite *suite;
    struct test *t;
    const char *workspace;
    int base;
    int id;
    atomic_int *conflicts;
};

/* Raise the counter that all share, against everybody else's changes. */
static int count_up(struct many *m, struct arena *arena)
{
    int r;

    do {
        struct chat_session_row row;
        struct store_batch batch;
        r = store_get(
            m->suite->store, STORE_CHAT_SESSIONS, S(m->workspace), S("shared"), arena, &row);
        if (r != 0)
            return r;
        row.message_count++;
        store_batch_init(&batch, arena);
        store_update(&batch, STORE_CHAT_SESSIONS, &row);
        r = store_commit(m->suite->store, &batch);
        *m->conflicts += r == STORE_CONFLICT;
    } while (r == STORE_CONFLICT);
    return r;
}

static void work(void *arg)
{
    struct many *m = arg;
    struct arena arena;
    char session[16];

    arena_init(&arena);
    snprintf(session, sizeof(session), "s%d", m->base + m->id);
    for (int round = 0; round < ROUNDS; round++) {
        struct message_row rows[3];
        struct store_batch batch;
        store_batch_init(&batch, &arena);
        for (int i = 0; i < 3; i++) {
            rows[i] = a_message(m->workspace, session, round * 3 + i, "body");
            store_insert(&batch, STORE_MESSAGES, &rows[i]);
        }
        if (store_commit(m->suite->store, &batch) != 0) {
            m->t->failures++;
            printf("# commit: %s\n", err_message());
        }
        if (round == 0 && count_up(m, &arena) != 0)
            m->t->failures++;
    }
    arena_deinit(&arena);
}

struct crowd {
    struct suite *suite;
    struct test *t;
    int base;
    atomic_int conflicts;
};

static void run_crowd(void *arg)
{
    struct crowd *crowd = arg;
    struct many many[FIBERS];
    struct fiber *fibers[FIBERS];

    for (int i = 0; i < FIBERS; i++) {
        many[i] = (struct many){crowd->suite, crowd->t, "w1", crowd->base, i, &crowd->conflicts};
        fibers[i] = fiber_spawn_joinable(fiber_loop(), "many", work, &many[i]);
    }
    for (int i = 0; i < FIBERS; i++)
        if (fiber_join(fibers[i]) != 0)
            crowd->t->failures++;
}

static void expect_all(struct test *t, struct suite *s, int sessions)
{
    struct chat_session_row shared;
    char name[16];

    REQUIRE_OK(get_row(s, STORE_CHAT_SESSIONS, "w1", "shared", &shared));
    EXPECT_EQ(shared.message_count, 3 + sessions);
    for (int i = 0; i < sessions; i++) {
        struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, name);
        struct store_page page;
        snprintf(name, sizeof(name), "s%d", i);
        query.value = S(name);
        REQUIRE_OK(store_list(s->store, &query, t->arena, &page));
        EXPECT_EQ(page.count, 3 * ROUNDS);
    }
}

TEST(many_fibers_at_once)
{
    struct suite s;
    struct crowd crowd = {.suite = &s, .t = t};
    struct chat_session_row shared = a_session("w1", "shared");

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &shared));
    run_crowd(&crowd);
    expect_all(t, &s, FIBERS);
    suite_close(&s);
}

static void *on_thread(void *arg)
{
    struct crowd *crowd = arg;

    if (loop_run_fiber(env_system(), run_crowd, crowd) != 0)
        crowd->t->failures++;
    return NULL;
}

TEST(several_loops_at_once)
{
    struct suite s;
    struct test counters[4] = {{0}};
    struct crowd crowds[4];
    pthread_t threads[4];
    struct chat_session_row shared = a_session("w1", "shared");

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &shared));
    for (int i = 0; i < 4; i++) {
        crowds[i] = (struct crowd){.suite = &s, .t = &counters[i], .base = i * FIBERS};
        REQUIRE(pthread_create(&threads[i], NULL, on_thread, &crowds[i]) == 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        EXPECT_EQ(counters[i].failures, 0);
    }
    expect_all(t, &s, 4 * FIBERS);
    suite_close(&s);
}

/* Failing batches among good ones: each gets its own outcome, and none takes another along. */
struct mixed {
    struct suite *suite;
    int id;
    int result;
};

static void commit_mixed(void *arg)
{
    struct mixed *m = arg;
    struct arena arena;
    struct message_row own, taken = a_message("w1", "taken", 1, "x");
    struct store_batch batch;

    arena_init(&arena);
    own = a_message("w1", "own", m->id, "x");
    store_batch_init(&batch, &arena);
    if (m->id % 3 == 1)
        store_insert(&batch, STORE_MESSAGES, &taken);
    store_insert(&batch, STORE_MESSAGES, &own);
    if (m->id % 3 == 2)
        store_insert(&batch, STORE_MESSAGES, &taken);
    m->result = store_commit(m->suite->store, &batch);
    arena_deinit(&arena);
}

TEST(failing_batches_leave_the_others_alone)
{
    struct suite s;
    struct mixed mixed[30];
    struct fiber *fibers[30];
    struct message_row taken = a_message("w1", "taken", 1, "x");
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "own");
    struct str ids;

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(insert_row(&s, STORE_MESSAGES, &taken));
    for (int i = 0; i < 30; i++) {
        mixed[i] = (struct mixed){&s, i, -1};
        fibers[i] = fiber_spawn_joinable(fiber_loop(), "mixed", commit_mixed, &mixed[i]);
    }
    for (int i = 0; i < 30; i++) {
        EXPECT_OK(fiber_join(fibers[i]));
        EXPECT_EQ(mixed[i].result, i % 3 == 0 ? 0 : STORE_EXISTS);
    }
    EXPECT_OK(list_rows(&s, query, 100, &ids));
    EXPECT_STR(ids, "0 3 6 9 12 15 18 21 24 27|");
    suite_close(&s);
}

static void commit_then_note(void *arg)
{
    commit_mixed(arg);
}

TEST(cancel_does_not_abandon_a_commit)
{
    struct suite s;
    struct mixed mixed = {&s, 0, -99};
    struct fiber *fiber;
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "own");
    struct str ids;

    REQUIRE_OK(suite_open(t, &s));
    EXPECT_OK(store_workspace(s.store, S("w1")));
    fiber = fiber_spawn_joinable(fiber_loop(), "cancelled", commit_then_note, &mixed);
    fiber_cancel(fiber);
    EXPECT_OK(fiber_join(fiber));
    EXPECT_EQ(mixed.result, 0);
    EXPECT_OK(list_rows(&s, query, 10, &ids));
    EXPECT_STR(ids, "0|");
    suite_close(&s);
}

TEST(a_passed_deadline_does_not_abandon_a_commit)
{
    struct suite s;
    struct mixed mixed = {&s, 0, -99};
    int64_t before;

    REQUIRE_OK(suite_open(t, &s));
    before = fiber_set_deadline(1); /* long ago */
    commit_mixed(&mixed);
    EXPECT_EQ(fiber_set_deadline(before), 1);
    EXPECT_EQ(mixed.result, 0);
    suite_close(&s);
}

static void make_workspaces(void *arg)
{
    struct mixed *m = arg;

    m->result = store_workspace(m->suite->store, S("fresh"));
}

TEST(workspace_made_by_many_gets_one_key)
{
    struct suite s;
    struct mixed mixed[20];
    struct fiber *fibers[20];
    struct chat_session_row row = a_session("fresh", "s1"), got;

    REQUIRE_OK(suite_open(t, &s));
    for (int i = 0; i < 20; i++) {
        mixed[i] = (struct mixed){&s, i, -1};
        fibers[i] = fiber_spawn_joinable(fiber_loop(), "workspace", make_workspaces, &mixed[i]);
    }
    for (int i = 0; i < 20; i++) {
        EXPECT_OK(fiber_join(fibers[i]));
        EXPECT_EQ(mixed[i].result, 0);
    }
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &row));
    EXPECT_OK(get_row(&s, STORE_CHAT_SESSIONS, "fresh", "s1", &got));
    suite_close(&s);
}
