#include "store/erase.h"
#include "store/retention.h"
#include "store/scan.h"
#include "suite.h"

/* Looks for a word in everything that is stored, opened. */
struct search {
    struct suite *suite;
    struct str word;
    size_t rows, found;
};

static bool holds(const char *row, const struct store_column *column, struct str word)
{
    return str_find_nocase(*row_str(row, column), word, 0) >= 0;
}

static int search_rows(void *ctx, enum store_entity entity, const void *rows, size_t count)
{
    struct search *search = ctx;
    const struct store_schema *schema = &store_schemas[entity];
    size_t size = count * schema->row_size;
    char *copy = arena_alloc(search->suite->arena, size);
    int r;

    memcpy(copy, rows, size);
    r = front_open_rows(search->suite->store, entity, search->suite->arena, copy, count);
    search->rows += count;
    for (size_t i = 0; r == 0 && i < count; i++) {
        const char *row = copy + i * schema->row_size;

        for (size_t j = 0; j < schema->column_count; j++)
            if (schema->columns[j].type == COLUMN_TEXT)
                search->found += holds(row, &schema->columns[j], search->word);
        for (size_t j = 0; j < schema->secret_count; j++)
            search->found += holds(row, &schema->secrets[j], search->word);
    }
    return r;
}

static size_t traces(struct test *t, struct suite *s, const char *word)
{
    struct search search = {s, S(word), 0, 0};
    const struct store_visitor visitor = {search_rows, &search};

    EXPECT_OK(store_scan(s->store, &visitor));
    EXPECT(search.rows > 0);
    return search.found;
}

/* A chat in which Zelda and Ana speak, a run on it, and all that hangs on both. */
static int add_chat(struct suite *s, const char *id, const char *author)
{
    struct arena *arena = s->arena;
    struct str sid = S(id), who = S(author), run_id = str_printf(arena, "run-%s", id);
    struct str text = str_printf(arena, "%s says: mauve herons in %s", author, id);
    struct chat_session_row session = a_session("w1", id);
    struct run_row run = a_run("w1", run_id.ptr, id, 1000);
    struct message_row messages[3] = {a_message("w1", id, 1, text.ptr),
        a_message("w1", id, 2, "Ana: fine with me"), a_message("w1", id, 3, text.ptr)};
    struct agent_action_row action = {
        .workspace_id = S("w1"), .run_id = run_id, .seq = 1, .events = text};
    struct effect_row effect = {.workspace_id = S("w1"),
        .id = run_id,
        .run_id = run_id,
        .state = S("done"),
        .arguments = text,
        .result = text};
    struct idempotency_row kept = {.workspace_id = S("w1"),
        .id = run_id,
        .state = S("done"),
        .run_id = run_id,
        .created_at = 1000,
        .expires_at = 5000};
    struct outbox_row outbox = {
        .workspace_id = S("w1"), .id = sid, .state = S("pending"), .session_id = sid, .body = text};
    struct inbox_row inbox = {.workspace_id = S("w1"),
        .id = sid,
        .state = S("pending"),
        .session_id = sid,
        .payload = text};
    struct approval_row approval = {.workspace_id = S("w1"),
        .id = sid,
        .state = S("pending"),
        .session_id = sid,
        .summary = text};
    struct document_row document = {.workspace_id = S("w1"),
        .id = sid,
        .session_id = sid,
        .name = S("herons.txt"),
        .author = who,
        .body = text,
        .created_at = 1000};
    struct store_batch batch;

    session.title = session.state = run.request = run.result = text;
    session.updated_at = 2000;
    messages[0].author = who;
    messages[2].direction = S("out");
    messages[2].author = S("Theo");
    store_batch_init(&batch, arena);
    store_insert(&batch, STORE_CHAT_SESSIONS, &session);
    store_insert(&batch, STORE_RUNS, &run);
    for (size_t i = 0; i < ARRAY_LEN(messages); i++)
        store_insert(&batch, STORE_MESSAGES, &messages[i]);
    store_insert(&batch, STORE_AGENT_ACTIONS, &action);
    store_insert(&batch, STORE_EFFECTS, &effect);
    store_insert(&batch, STORE_IDEMPOTENCY, &kept);
    store_insert(&batch, STORE_OUTBOX, &outbox);
    store_insert(&batch, STORE_INBOX, &inbox);
    store_insert(&batch, STORE_APPROVALS, &approval);
    store_insert(&batch, STORE_DOCUMENTS, &document);
    return store_commit(s->store, &batch);
}

TEST(an_erased_chat_leaves_no_trace)
{
    struct schedule_row schedule = {.workspace_id = S("w1"),
        .id = S("d1"),
        .state = S("active"),
        .session_id = S("alpha"),
        .payload = S("mauve herons in alpha, daily")};
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    REQUIRE_OK(add_chat(&s, "alpha", "Zelda"));
    REQUIRE_OK(add_chat(&s, "omega", "Zelda"));
    REQUIRE_OK(insert_row(&s, STORE_SCHEDULES, &schedule));
    EXPECT(traces(t, &s, "herons in alpha") > 10);
    REQUIRE_OK(erase_session(s.store, S("w1"), S("alpha")));
    EXPECT_EQ(traces(t, &s, "alpha"), 2); /* the idempotency key, which names the run */
    EXPECT_EQ(traces(t, &s, "herons in alpha"), 0);
    EXPECT(traces(t, &s, "herons in omega") > 10); /* the other chat is as it was */
    EXPECT_OK(erase_session(s.store, S("w1"), S("alpha")));
    suite_close(&s);
}

TEST(an_erased_person_leaves_no_trace)
{
    struct erase_stats stats;
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    REQUIRE_OK(add_chat(&s, "alpha", "Zelda"));
    REQUIRE_OK(add_chat(&s, "beta", "zelda"));
    REQUIRE_OK(add_chat(&s, "gamma", "Bert"));
    EXPECT(traces(t, &s, "zelda") > 20);
    REQUIRE_OK(erase_person(s.store, S("w1"), S("Zelda"), &stats));
    EXPECT_EQ(stats.sessions, 2);
    EXPECT_EQ(stats.messages, 2);
    EXPECT_EQ(stats.runs, 2);
    EXPECT_EQ(traces(t, &s, "zelda"), 0);
    EXPECT_EQ(traces(t, &s, "herons in alpha"), 0);
    EXPECT_EQ(traces(t, &s, "fine with me"), 3); /* what Ana wrote stays */
    EXPECT(traces(t, &s, "Bert") > 10);
    REQUIRE_OK(erase_person(s.store, S("w1"), S("Zelda"), &stats));
    EXPECT_EQ(stats.sessions, 0);
    suite_close(&s);
}

TEST(erasing_stays_in_its_workspace)
{
    struct erase_stats stats;
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    REQUIRE_OK(add_chat(&s, "alpha", "Zelda"));
    REQUIRE_OK(erase_person(s.store, S("w2"), S("Zelda"), &stats));
    EXPECT_EQ(stats.messages, 0);
    REQUIRE_OK(erase_session(s.store, S("w2"), S("alpha")));
    EXPECT(traces(t, &s, "zelda") > 10);
    suite_close(&s);
}

static int add_text(
    void *ctx, const struct chat_session_row *session, const struct message_row *message)
{
    buf_printf(ctx, "%.*s: %.*s|", STR_ARG(session->id), STR_ARG(message->body));
    return 0;
}

TEST(an_export_holds_what_the_person_wrote)
{
    struct buf out = BUF_HEAP;
    const struct erase_reader reader = {add_text, &out};
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    REQUIRE_OK(add_chat(&s, "alpha", "Zelda"));
    REQUIRE_OK(add_chat(&s, "gamma", "Bert"));
    REQUIRE_OK(export_person(s.store, S("w1"), S("ZELDA"), &reader));
    EXPECT_STR(buf_str(&out), "alpha: Zelda says: mauve herons in alpha|");
    buf_deinit(&out);
    suite_close(&s);
}

#define DAY ((int64_t)24 * HOUR_MS)

TEST(retention_erases_what_is_too_old)
{
    struct chat_session_row busy = a_session("w1", "busy"), got;
    struct message_row old = a_message("w1", "busy", 1, "old"),
                       young = a_message("w1", "busy", 2, "y");
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "busy");
    struct erase_stats stats;
    int64_t expired;
    struct suite s;
    struct str ids;

    REQUIRE_OK(suite_open(t, &s));
    REQUIRE_OK(add_chat(&s, "alpha", "Zelda"));
    busy.updated_at = young.created_at = 40 * DAY;
    REQUIRE_OK(insert_row(&s, STORE_CHAT_SESSIONS, &busy));
    REQUIRE_OK(insert_row(&s, STORE_MESSAGES, &old));
    REQUIRE_OK(insert_row(&s, STORE_MESSAGES, &young));
    REQUIRE_OK(retention_apply(s.store, 41 * DAY, &stats, &expired));
    EXPECT_EQ(stats.sessions, 0); /* no rule yet */
    EXPECT_EQ(expired, 1);        /* the kept answer, past its hours */
    REQUIRE_OK(retention_set(s.store, S("w1"), 30));
    REQUIRE_OK(retention_apply(s.store, 29 * DAY, &stats, &expired));
    EXPECT_EQ(stats.sessions, 0);
    REQUIRE_OK(retention_apply(s.store, 41 * DAY, &stats, &expired));
    EXPECT_EQ(stats.sessions, 1);
    EXPECT_EQ(stats.messages, 1);
    EXPECT_EQ(expired, 0);
    EXPECT_EQ(traces(t, &s, "herons"), 0);
    EXPECT_OK(get_row(&s, STORE_CHAT_SESSIONS, "w1", "busy", &got));
    EXPECT_OK(list_rows(&s, query, 10, &ids));
    EXPECT_STR(ids, "2|");
    suite_close(&s);
}

/* More than a page of each, old and young in one chat; what is to come is left whatever its age. */
TEST(retention_takes_what_services_left)
{
    static const char *const states[] = {"sent", "failed", "pending"};
    struct chat_session_row busy = a_session("w1", "busy"), other = a_session("w2", "busy");
    struct erase_stats stats;
    int64_t expired;
    struct suite s;
    struct str ids;

    REQUIRE_OK(suite_open(t, &s));
    busy.updated_at = other.updated_at = 40 * DAY;
    REQUIRE_OK(insert_row(&s, STORE_CHAT_SESSIONS, &busy));
    REQUIRE_OK(insert_row(&s, STORE_CHAT_SESSIONS, &other));
    for (int i = 0; i < 240; i++) {
        int64_t at = i < 230 ? DAY + i : 40 * DAY + i;
        struct str id = str_printf(t->arena, "%03d", i), state = S(states[i % 20 ? i % 2 : 2]);
        struct outbox_row outbox = {.workspace_id = S("w1"),
            .id = id,
            .state = state,
            .session_id = S("busy"),
            .created_at = at,
            .updated_at = at};
        struct schedule_row schedule = {.workspace_id = S("w1"),
            .id = id,
            .state = str_is(state, "pending") ? S("active")
                     : i % 2                  ? S("failed")
                                              : S("done"),
            .session_id = S("busy"),
            .created_at = DAY,
            .updated_at = at};
        struct deal_row deal = {
            .workspace_id = S("w1"), .id = id, .session_id = S("busy"), .created_at = at};

        REQUIRE_OK(insert_row(&s, STORE_OUTBOX, &outbox));
        REQUIRE_OK(insert_row(&s, STORE_SCHEDULES, &schedule));
        REQUIRE_OK(insert_row(&s, STORE_DEALS, &deal));
        deal.workspace_id = S("w2");
        REQUIRE_OK(insert_row(&s, STORE_DEALS, &deal));
    }
    REQUIRE_OK(retention_apply(s.store, 41 * DAY, &stats, &expired));
    EXPECT_OK(list_rows(&s, a_query(STORE_DEALS, "w1", 0, "busy"), 100, &ids));
    EXPECT_EQ(ids.len, 240 * 4); /* no rule yet */
    REQUIRE_OK(retention_set(s.store, S("w1"), 30));
    REQUIRE_OK(retention_apply(s.store, 41 * DAY, &stats, &expired));
    EXPECT_EQ(stats.sessions, 0);
    EXPECT_OK(list_rows(&s, a_query(STORE_DEALS, "w1", 0, "busy"), 100, &ids));
    EXPECT_STR(ids, "230 231 232 233 234 235 236 237 238 239|");
    EXPECT_OK(list_rows(&s, a_query(STORE_OUTBOX, "w1", 1, "busy"), 100, &ids));
    EXPECT_STR(ids, "000 020 040 060 080 100 120 140 160 180 200 220 "
                    "230 231 232 233 234 235 236 237 238 239|");
    EXPECT_OK(list_rows(&s, a_query(STORE_SCHEDULES, "w1", 1, "busy"), 100, &ids));
    EXPECT_STR(ids, "000 020 040 060 080 100 120 140 160 180 200 220 "
                    "230 231 232 233 234 235 236 237 238 239|");
    EXPECT_OK(list_rows(&s, a_query(STORE_DEALS, "w2", 0, "busy"), 100, &ids));
    EXPECT_EQ(ids.len, 240 * 4); /* another workspace has a rule of its own */
    suite_close(&s);
}

TEST(rows_past_their_end_are_purged)
{
    struct inbox_row row = {.workspace_id = S("w1"), .state = S("done"), .payload = S("x")};
    struct erase_stats stats;
    struct inbox_row got;
    int64_t expired;
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    for (int i = 0; i < 450; i++) {
        row.id = str_printf(t->arena, "%d", i);
        row.due_at = row.expires_at = 1000 + i;
        REQUIRE_OK(insert_row(&s, STORE_INBOX, &row));
    }
    REQUIRE_OK(retention_apply(s.store, 1420, &stats, &expired));
    EXPECT_EQ(expired, 421);
    EXPECT_EQ(get_row(&s, STORE_INBOX, "w1", "420", &got), STORE_MISSING);
    EXPECT_OK(get_row(&s, STORE_INBOX, "w1", "421", &got));
    suite_close(&s);
}

TEST(retention_rules_keep_the_other_settings)
{
    struct workspace_row row;
    struct store_batch batch;
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    REQUIRE_OK(store_workspace(s.store, S("w1")));
    REQUIRE_OK(get_row(&s, STORE_WORKSPACES, "w1", "w1", &row));
    row.settings = S("{\"language\":\"es\",\"retention_days\":5}");
    store_batch_init(&batch, t->arena);
    store_update(&batch, STORE_WORKSPACES, &row);
    REQUIRE_OK(store_commit(s.store, &batch));
    REQUIRE_OK(retention_set(s.store, S("w1"), 90));
    REQUIRE_OK(get_row(&s, STORE_WORKSPACES, "w1", "w1", &row));
    EXPECT_STR(row.settings, "{\"language\":\"es\",\"retention_days\":90}");
    REQUIRE_OK(retention_set(s.store, S("w1"), 0));
    REQUIRE_OK(get_row(&s, STORE_WORKSPACES, "w1", "w1", &row));
    EXPECT_STR(row.settings, "{\"language\":\"es\"}");
    EXPECT_EQ(retention_days(S("{\"retention_days\":\"soon\"}")), 0);
    EXPECT_EQ(retention_days(S("nonsense")), 0);
    EXPECT_EQ(retention_set(s.store, S("w1"), -1), ERR_INVALID);
    suite_close(&s);
}
