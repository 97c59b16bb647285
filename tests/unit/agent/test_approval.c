#include "agent/approval.h"
#include "agent/policy.h"
#include "agent/tool_cache.h"
#include "fixture.h"
#include "runtime/errinj.h"

/* A fixture with a policy; the second process is another owner. */
struct scene {
    struct fixture f;
    struct policy *policy;
    struct approval_owner owner;
    struct run_result result;
    struct approval_row row;
    bool failed;
};

#define ASK_BOOK "{\"tools\":{\"book\":{\"approval\":\"required\"}}}"

static const char *calls_json; /* arguments of the calls of each model answer, one a line */
static size_t calls_count;

/* As many answers with a call of "book" as calls_json has lines, then what the last tool said. */
static int books(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    struct str rest = str_from(calls_json), line;

    (void)f, (void)error;
    for (int i = 0; str_next(&rest, '\n', &line); i++)
        if (i == call)
            return reply_calls(arena, reply, "book", str_cstr(arena, line), calls_count);
    return reply_text(reply, str_cstr(arena, last_content(request)));
}

/* Reads a page first. */
static int reads_then_books(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    if (call == 0)
        return reply_calls(arena, reply, "fetch", "{}", 1);
    return books(f, call - 1, request, arena, reply, error);
}

/* Its model goes down after the tool. */
static int books_then_fails(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    if (call == 0)
        return books(f, call, request, arena, reply, error);
    return model_fails(error, MODEL_UNAVAILABLE);
}

static bool scene_open(struct test *t, struct scene *s, script *model, const char *policy)
{
    memset(s, 0, sizeof(*s));
    calls_json = "{\"what\":\"lunch\"}";
    calls_count = 1;
    if (!fixture_open(t, &s->f, model, NULL) ||
        config_set(&s->f.config, "policy", str_from(policy), ORIGIN_FLAG, "test") < 0 ||
        policy_open(&s->f.config, &s->policy) < 0)
        return false;
    s->f.house.policy = s->policy;
    s->owner = (struct approval_owner){.id = ulid_new(&t->fake->env, t->arena)};
    return true;
}

static void scene_close(struct scene *s)
{
    fixture_close(&s->f);
    policy_free(s->policy);
}

static int begin(struct scene *s)
{
    struct run_request request = fixture_request(&s->f, "Ana: Theo, book lunch");

    return fixture_run(&s->f, &request, &s->result);
}

static int decide(struct scene *s, size_t which, bool approve, const char *arguments)
{
    struct approval_decision decision = {.workspace_id = STR("main"),
        .id = s->result.approvals[which].id,
        .approve = approve,
        .arguments = str_from(arguments),
        .reason = approve ? STR("") : STR("too early"),
        .by = STR("key1")};
    struct run_result result = s->result;
    int rc = approval_decide(
        &s->f.house, &decision, &s->owner, s->f.t->arena, &s->row, &result, &s->failed);

    if (rc == 0)
        s->result = result;
    return rc;
}

static struct str run_state(struct scene *s, struct str *ret_error)
{
    struct run_row row;

    if (store_get(s->f.store, STORE_RUNS, STR("main"), s->result.run_id, s->f.t->arena, &row) != 0)
        return STR("missing");
    *ret_error = row.error;
    return row.state;
}

#define EXPECT_STATE(s, want)                                                                      \
    do {                                                                                           \
        struct str error_ = STR("");                                                               \
        EXPECT_STR(run_state((s), &error_), (want));                                               \
    } while (0)

TEST(approval_pauses_the_run_and_says_so)
{
    struct store_stats stats;
    struct scene s;

    REQUIRE(scene_open(t, &s, books, ASK_BOOK));
    REQUIRE_OK(begin(&s));
    store_stats(s.f.store, &stats);
    EXPECT_EQ(s.f.book_calls, 0);
    EXPECT_EQ(s.result.approval_count, 1);
    EXPECT_STR(s.result.approvals[0].summary, "book: what lunch");
    EXPECT_STR(s.result.approvals[0].arguments, "{\"what\":\"lunch\"}");
    EXPECT_EQ(s.result.approvals[0].token.len, 64 + strlen(".main"));
    EXPECT(str_find(s.result.reply, STR("has not been done yet"), 0) > 0);
    EXPECT_STR(s.result.reason, "waits for approval");
    EXPECT_STATE(&s, "paused");
    EXPECT_EQ(fixture_count_events(fixture_events(&s.f, s.result.run_id), "run.paused"), 1);
    EXPECT_EQ(fixture_count_events(fixture_events(&s.f, s.result.run_id), "policy.blocked"), 1);
    scene_close(&s);
}

TEST(approval_runs_the_tool_once_and_the_run_to_its_end)
{
    struct scene s;

    REQUIRE(scene_open(t, &s, books, ASK_BOOK));
    REQUIRE_OK(begin(&s));
    REQUIRE_OK(decide(&s, 0, true, ""));
    EXPECT(!s.failed);
    EXPECT_EQ(s.f.book_calls, 1);
    EXPECT_STR(s.row.state, "done");
    EXPECT_STR(s.row.decided_by, "key1");
    EXPECT_STR(s.result.reply, "{\"status\":\"booked\"}");
    EXPECT_STR(s.result.actions[0].status, "done");
    EXPECT_EQ(s.result.event_count, 1);
    EXPECT_EQ(s.result.approval_count, 0);
    EXPECT_EQ(s.result.model_calls, 2);
    EXPECT_STATE(&s, "completed");
    EXPECT_STR(fixture_messages(&s.f, s.result.session_id),
        "Ana: Theo, book lunch\n"
        "Theo: This waits for a person's approval and has not been done yet:\n"
        "- book: what lunch\n"
        "Theo: {\"status\":\"booked\"}\n");
    scene_close(&s);
}

TEST(approval_events_count_on)
{
    const struct json *events;
    int64_t seq = 0;
    struct scene s;

    REQUIRE(scene_open(t, &s, books, ASK_BOOK));
    REQUIRE_OK(begin(&s));
    REQUIRE_OK(decide(&s, 0, true, ""));
    events = fixture_events(&s.f, s.result.run_id);
    for (const struct json *one = json_first(events); one; one = json_next(one))
        EXPECT_EQ(json_get_i64(one, "seq", 0), ++seq);
    EXPECT_EQ(fixture_count_events(events, "approval.decided"), 1);
    EXPECT_EQ(fixture_count_events(events, "effect.intended"), 1);
    EXPECT_EQ(fixture_count_events(events, "run.completed"), 1);
    scene_close(&s);
}

TEST(approval_is_decided_once)
{
    struct run_result paused;
    struct scene s;

    REQUIRE(scene_open(t, &s, books, ASK_BOOK));
    REQUIRE_OK(begin(&s));
    paused = s.result;
    REQUIRE_OK(decide(&s, 0, true, ""));
    s.result = paused;
    EXPECT_EQ(decide(&s, 0, true, ""), ERR_CONFLICT);
    EXPECT_EQ(decide(&s, 0, false, ""), ERR_CONFLICT);
    EXPECT_EQ(s.f.book_calls, 1);
    scene_close(&s);
}

TEST(approval_refused_is_not_done_and_says_so)
{
    struct scene s;

    REQUIRE(scene_open(t, &s, books, ASK_BOOK));
    REQUIRE_OK(begin(&s));
    REQUIRE_OK(decide(&s, 0, false, ""));
    EXPECT_EQ(s.f.book_calls, 0);
    EXPECT_STR(s.row.state, "refused");
    EXPECT_STR(s.row.reason, "too early");
    EXPECT_STR(s.result.reply, "Not done: book: what lunch (A person refused this: too early)");
    EXPECT_STR(s.result.actions[0].status, "refused");
    EXPECT_EQ(s.result.model_calls, 1);
    EXPECT_STATE(&s, "completed");
    scene_close(&s);
}

TEST(approval_with_other_arguments)
{
    struct scene s;

    REQUIRE(scene_open(t, &s, books, ASK_BOOK));
    REQUIRE_OK(begin(&s));
    EXPECT_EQ(decide(&s, 0, true, "{\"what\":\"x\"}"), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "arguments");
    EXPECT_EQ(decide(&s, 0, true, "[1]"), ERR_INVALID);
    EXPECT_EQ(s.f.book_calls, 0);
    REQUIRE_OK(decide(&s, 0, true, "{\"what\":\"dinner\"}"));
    EXPECT_EQ(s.f.book_calls, 1);
    EXPECT_STR(s.row.arguments, "{\"what\":\"dinner\"}");
    scene_close(&s);
}

TEST(approval_that_the_tool_then_fails_says_so)
{
    struct scene s;

    REQUIRE(scene_open(t, &s, books, ASK_BOOK));
    calls_json = "{\"what\":\"refused\"}";
    REQUIRE_OK(begin(&s));
    REQUIRE_OK(decide(&s, 0, true, ""));
    EXPECT_STR(s.row.state, "failed");
    EXPECT(str_starts(
        s.result.reply, STR("Not done: book: what refused (That cannot be booked.)\n\n")));
    scene_close(&s);
}

TEST(approval_whose_model_fails_afterwards_tells_what_was_done)
{
    struct scene s;

    REQUIRE(scene_open(t, &s, books_then_fails, ASK_BOOK));
    REQUIRE_OK(begin(&s));
    REQUIRE_OK(decide(&s, 0, true, ""));
    EXPECT(s.failed);
    EXPECT_EQ(s.f.book_calls, 1);
    EXPECT_STR(s.row.state, "done");
    EXPECT_STR(s.result.actions[0].status, "done");
    EXPECT_STATE(&s, "failed");
    scene_close(&s);
}

/* Different calls of one answer: reply_calls() gives the same, so two rounds pause twice, and two
 * calls of a round are one effect. */
TEST(approval_several_of_one_answer)
{
    struct scene s;

    REQUIRE(scene_open(t, &s, books, ASK_BOOK));
    calls_count = 2;
    REQUIRE_OK(begin(&s));
    EXPECT_EQ(s.result.approval_count, 2);
    EXPECT_EQ(decide(&s, 1, true, "{\"what\":\"dinner\"}"), APPROVAL_WAITS);
    EXPECT_EQ(s.f.book_calls, 0);
    EXPECT_STR(s.row.state, "approved");
    EXPECT_STATE(&s, "paused");
    REQUIRE_OK(decide(&s, 0, false, ""));
    EXPECT_EQ(s.f.book_calls, 1);
    EXPECT_STR(s.row.state, "refused");
    EXPECT_EQ(s.result.action_count, 2);
    EXPECT(str_starts(s.result.reply, STR("Not done: ")));
    EXPECT_STATE(&s, "completed");
    scene_close(&s);
}

TEST(approval_a_second_one_later_in_the_run)
{
    struct scene s;

    REQUIRE(scene_open(t, &s, books, ASK_BOOK));
    calls_json = "{\"what\":\"lunch\"}\n{\"what\":\"dinner\"}";
    REQUIRE_OK(begin(&s));
    REQUIRE_OK(decide(&s, 0, true, ""));
    EXPECT_EQ(s.f.book_calls, 1);
    EXPECT_EQ(s.result.approval_count, 1);
    EXPECT_STR(s.result.approvals[0].summary, "book: what dinner");
    EXPECT_STATE(&s, "paused");
    REQUIRE_OK(decide(&s, 0, true, ""));
    EXPECT_EQ(s.f.booked, 2);
    EXPECT_EQ(s.result.action_count, 2);
    EXPECT_STATE(&s, "completed");
    scene_close(&s);
}

TEST(approval_expires_and_the_run_fails)
{
    struct str error = STR("");
    struct scene s;
    size_t count;

    REQUIRE(scene_open(t, &s, books, ASK_BOOK));
    REQUIRE_OK(begin(&s));
    REQUIRE_OK(approval_sweep(&s.f.house, STR("main"), &s.owner, &count));
    EXPECT_EQ(count, 0);
    t->fake->wall_ms += (24 * HOUR_MS);
    EXPECT_EQ(decide(&s, 0, true, ""), ERR_CONFLICT);
    REQUIRE_OK(approval_sweep(&s.f.house, STR("main"), &s.owner, &count));
    EXPECT_EQ(count, 1);
    EXPECT_STR(run_state(&s, &error), "failed");
    EXPECT(str_find(error, STR("expired before anybody decided"), 0) > 0);
    EXPECT_EQ(s.f.book_calls, 0);
    EXPECT_EQ(decide(&s, 0, true, ""), ERR_CONFLICT);
    REQUIRE_OK(store_get(
        s.f.store, STORE_APPROVALS, STR("main"), s.result.approvals[0].id, t->arena, &s.row));
    EXPECT_STR(s.row.state, "expired");
    REQUIRE_OK(approval_sweep(&s.f.house, STR("main"), &s.owner, &count));
    EXPECT_EQ(count, 0);
    scene_close(&s);
}

struct decider {
    struct scene *s;
    bool approve;
    int rc;
};

static void decide_at_once(void *arg)
{
    struct decider *d = arg;
    struct approval_row row;
    struct run_result result;
    bool failed;
    struct approval_decision decision = {.workspace_id = STR("main"),
        .id = d->s->result.approvals[0].id,
        .approve = d->approve,
        .arguments = STR(""),
        .reason = STR(""),
        .by = STR("key1")};

    d->rc = approval_decide(
        &d->s->f.house, &decision, &d->s->owner, d->s->f.t->arena, &row, &result, &failed);
}

TEST(approval_of_several_at_the_same_time_one_wins)
{
    struct decider deciders[8];
    struct fiber *fibers[8];
    struct scene s;
    int won = 0;

    REQUIRE(scene_open(t, &s, books, ASK_BOOK));
    REQUIRE_OK(begin(&s));
    for (size_t i = 0; i < ARRAY_LEN(fibers); i++) {
        deciders[i] = (struct decider){.s = &s, .approve = i % 2 == 0};
        fibers[i] =
            fiber_spawn_joinable(fiber_loop(), "test.decider", decide_at_once, &deciders[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(fibers); i++) {
        REQUIRE_OK(fiber_join(fibers[i]));
        won += deciders[i].rc == 0;
        if (deciders[i].rc != 0)
            EXPECT_EQ(deciders[i].rc, ERR_CONFLICT);
    }
    EXPECT_EQ(won, 1);
    EXPECT(s.f.book_calls <= 1);
    scene_close(&s);
}

TEST(approval_token_opens_its_own_approval_alone)
{
    struct scene s;

    REQUIRE(scene_open(t, &s, books, ASK_BOOK));
    calls_count = 2;
    REQUIRE_OK(begin(&s));
    REQUIRE_OK(store_get(
        s.f.store, STORE_APPROVALS, STR("main"), s.result.approvals[0].id, t->arena, &s.row));
    EXPECT(approval_token_is(&s.row, s.result.approvals[0].token));
    EXPECT(!approval_token_is(&s.row, s.result.approvals[1].token));
    EXPECT(!approval_token_is(&s.row, STR("")));
    s.row.token_hash = STR("");
    EXPECT(!approval_token_is(&s.row, STR("")));
    scene_close(&s);
}

/* Every point at which a process may die while it goes on with a run: what it was doing fails there
 * and is never finished by it; another one takes over when the lease ends. */
TEST(approval_once_through_every_fault)
{
    static const char *const faults[] = {"approval.decided", "approval.claimed", "effect.intended",
        "effect.executed", "store.commit.before=1", "store.commit.before=2",
        "store.commit.before=3", "store.commit.before=4", "store.commit.before=5",
        "store.commit.after=1", "store.commit.after=2", "store.commit.after=3",
        "store.commit.after=4", "store.commit.after=5", "store.get=3", "store.get=5"};

    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct str error = STR("");
        struct run_result paused;
        struct scene s;
        size_t count;
        int rc;

        REQUIRE(scene_open(t, &s, books, ASK_BOOK));
        REQUIRE_OK(begin(&s));
        paused = s.result;
        REQUIRE_OK(errinj_set(faults[i]));
        rc = decide(&s, 0, true, "");
        REQUIRE_OK(errinj_set(NULL));
        s.result = paused;
        t->fake->wall_ms += (HOUR_MS);
        REQUIRE_OK(approval_sweep(&s.f.house, STR("main"), &s.owner, &count));
        if (str_is(run_state(&s, &error), "paused")) { /* it was never decided */
            EXPECT(rc < 0);
            REQUIRE_OK(decide(&s, 0, true, ""));
        }
        EXPECT(s.f.booked == 1 || str_is(run_state(&s, &error), "failed") ||
               strcmp(faults[i], "effect.intended") == 0);
        EXPECT(s.f.booked <= 1);
        EXPECT(!str_is(run_state(&s, &error), "running"));
        if (t->failures > 0)
            printf("# at %s: rc %d, run %.*s, booked %d\n", faults[i], rc,
                STR_ARG(run_state(&s, &error)), s.f.booked);
        scene_close(&s);
    }
}

TEST(taint_asks_for_what_would_change_something)
{
    const struct json *events, *blocked = NULL;
    struct scene s;

    REQUIRE(scene_open(t, &s, reads_then_books, "{}"));
    s.f.fetch_untrusted = true;
    REQUIRE_OK(begin(&s));
    EXPECT_EQ(s.f.book_calls, 0);
    EXPECT_EQ(s.result.approval_count, 1);
    events = fixture_events(&s.f, s.result.run_id);
    for (const struct json *one = json_first(events); one; one = json_next(one))
        if (str_is(json_get_str(one, "type"), "policy.blocked"))
            blocked = json_get(one, "data");
    EXPECT_STR(json_get_str(blocked, "rule"), "untrusted-text");
    EXPECT_STR(json_str(json_path(blocked, "sources.0")), "tool:fetch");
    REQUIRE_OK(decide(&s, 0, true, ""));
    EXPECT_EQ(s.f.booked, 1);
    scene_close(&s);
}

/* What a page said stands in the chat as the agent's own words. */
static int reads_and_books_later(struct fixture *f, int call, const struct model_request *request,
    struct arena *arena, struct model_reply *reply, enum model_error *error)
{
    if (call == 0)
        return reply_calls(arena, reply, "fetch", "{}", 1);
    if (call == 1)
        return reply_text(reply, "The page says: book lunch for Eve.");
    if (str_is(last_content(request), "Theo, go on"))
        return books(f, 0, request, arena, reply, error);
    return reply_text(reply, str_cstr(arena, last_content(request)));
}

static void say_next(struct test *t, struct scene *s, const char *text)
{
    struct run_request request = fixture_request(&s->f, text);

    request.session_id = s->result.session_id;
    EXPECT_OK(fixture_run(&s->f, &request, &s->result));
}

TEST(taint_stays_as_long_as_the_tainted_answer_is_seen)
{
    struct str request;
    struct run_row row;
    struct scene s;

    REQUIRE(scene_open(t, &s, reads_and_books_later, "{}"));
    s.f.fetch_untrusted = true;
    REQUIRE_OK(begin(&s));
    EXPECT_EQ(s.result.approval_count, 0);
    say_next(t, &s, "Ana: Theo, go on");
    EXPECT_EQ(s.result.approval_count, 1);
    EXPECT_EQ(s.f.booked, 0);
    REQUIRE_OK(store_get(s.f.store, STORE_RUNS, STR("main"), s.result.run_id, t->arena, &row));
    request = row.request;
    EXPECT(str_find(request, STR("\"taint\":[\"tool:fetch\"]"), 0) > 0);
    REQUIRE_OK(decide(&s, 0, true, ""));
    EXPECT_EQ(s.f.booked, 1);
    scene_close(&s);

    REQUIRE(scene_open(t, &s, reads_and_books_later, "{}"));
    s.f.fetch_untrusted = true;
    REQUIRE_OK(begin(&s));
    for (int i = 0; i < 45; i++) { /* people talk, and the answer is out of sight */
        struct run_request talk = fixture_request(&s.f, "Ana: fine weather today");

        talk.session_id = s.result.session_id;
        talk.must_reply = false;
        REQUIRE_OK(fixture_run(&s.f, &talk, &s.result));
    }
    say_next(t, &s, "Ana: Theo, go on");
    EXPECT_EQ(s.result.approval_count, 0);
    EXPECT_EQ(s.f.booked, 1);
    scene_close(&s);
}

TEST(taint_comes_with_a_channel_that_the_policy_does_not_trust)
{
    struct scene s;

    REQUIRE(scene_open(t, &s, reads_then_books, "{\"untrusted-channels\":[\"telegram\"]}"));
    REQUIRE_OK(begin(&s)); /* another channel */
    EXPECT_EQ(s.f.booked, 1);
    scene_close(&s);
    REQUIRE(scene_open(t, &s, reads_then_books, "{\"untrusted-channels\":[\"api\"]}"));
    REQUIRE_OK(begin(&s));
    EXPECT_EQ(s.f.booked, 0);
    EXPECT_EQ(s.result.approval_count, 1);
    REQUIRE_OK(decide(&s, 0, true, ""));
    EXPECT_EQ(s.f.booked, 1);
    scene_close(&s);
}

TEST(taint_may_be_allowed_or_blocked_by_policy)
{
    struct scene s;

    REQUIRE(scene_open(
        t, &s, reads_then_books, "{\"tools\":{\"book\":{\"untrusted-text\":\"allow\"}}}"));
    s.f.fetch_untrusted = true;
    REQUIRE_OK(begin(&s));
    EXPECT_EQ(s.f.booked, 1);
    scene_close(&s);
    REQUIRE(scene_open(
        t, &s, reads_then_books, "{\"tools\":{\"book\":{\"untrusted-text\":\"block\"}}}"));
    s.f.fetch_untrusted = true;
    REQUIRE_OK(begin(&s));
    EXPECT_EQ(s.f.booked, 0);
    EXPECT_EQ(s.result.approval_count, 0);
    EXPECT_STR(s.result.actions[1].status, "failed");
    EXPECT(str_find(s.result.reply, STR("tool:fetch"), 0) > 0);
    scene_close(&s);
}

TEST(taint_is_not_there_when_what_was_read_is_ours)
{
    struct scene s;

    REQUIRE(scene_open(t, &s, reads_then_books, "{}"));
    REQUIRE_OK(begin(&s));
    EXPECT_EQ(s.f.booked, 1);
    scene_close(&s);
}

TEST(calls_audited_are_in_the_event_log)
{
    struct scene s;

    REQUIRE(scene_open(t, &s, books, "{\"tools\":{\"book\":{\"approval\":\"audit\"}}}"));
    REQUIRE_OK(begin(&s));
    EXPECT_EQ(s.f.booked, 1);
    EXPECT_EQ(fixture_count_events(fixture_events(&s.f, s.result.run_id), "policy.audited"), 1);
    scene_close(&s);
}

TEST(calls_are_limited_by_tool)
{
    struct scene s;

    REQUIRE(scene_open(t, &s, books, "{\"tools\":{\"book\":{\"calls-max\":1}}}"));
    calls_json = "{\"what\":\"lunch\"}\n{\"what\":\"dinner\"}";
    REQUIRE_OK(begin(&s));
    EXPECT_EQ(s.f.booked, 1);
    EXPECT(str_find(s.result.reply, STR("may be called 1 times"), 0) > 0);
    scene_close(&s);
}

static const struct tool count_tool = {.name = "count", .effect = TOOL_READ};
static const struct tool other_count = {.name = "count", .effect = TOOL_READ, .ctx = &calls_json};
static const struct tool lasting_tool = {.name = "rates", .effect = TOOL_READ, .cache_ms = 9};

TEST(tool_cache_serves_the_same_arguments_for_a_while)
{
    struct tool_cache *cache = tool_cache_new();
    struct tool_result result = {.content = STR("12"), .summary = STR("s"), .event = STR("")};
    const struct json *one, *same, *other;

    REQUIRE_OK(json_parse(t->arena, STR("{\"a\":1,\"b\":2}"), &one));
    REQUIRE_OK(json_parse(t->arena, STR("{\"b\":2,\"a\":1}"), &same));
    REQUIRE_OK(json_parse(t->arena, STR("{\"b\":3}"), &other));
    tool_cache_put(cache, STR("main"), STR("S"), &count_tool, one, 100, &result);
    memset(&result, 0, sizeof(result));
    EXPECT(tool_cache_get(cache, STR("main"), STR("S"), &count_tool, same, 99, t->arena, &result));
    EXPECT_STR(result.content, "12");
    EXPECT(
        !tool_cache_get(cache, STR("main"), STR("S"), &count_tool, same, 100, t->arena, &result));
    EXPECT(
        !tool_cache_get(cache, STR("main"), STR("S"), &count_tool, other, 99, t->arena, &result));
    EXPECT(!tool_cache_get(cache, STR("else"), STR("S"), &count_tool, one, 99, t->arena, &result));
    EXPECT(!tool_cache_get(NULL, STR("main"), STR("S"), &count_tool, one, 99, t->arena, &result));
    /* Of another chat, and of a tool of that name that knows other things. */
    EXPECT(!tool_cache_get(cache, STR("main"), STR("T"), &count_tool, one, 99, t->arena, &result));
    EXPECT(!tool_cache_get(cache, STR("main"), STR("S"), &other_count, one, 99, t->arena, &result));
    tool_cache_put(cache, STR("main"), STR("S"), &lasting_tool, one, 100, &result);
    EXPECT(tool_cache_get(cache, STR("main"), STR("T"), &lasting_tool, one, 99, t->arena, &result));
    tool_cache_free(cache);
}
