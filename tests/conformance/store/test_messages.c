#include "store/erase.h"
#include "store/messages.h"
#include "suite.h"

/* count messages from seq on, said by Ana and Ben in turn, in as few rows as they fit into. */
static int say(struct suite *s, int64_t seq, size_t count, const char *direction)
{
    struct message_row *messages = arena_array(s->arena, struct message_row, count);
    struct store_batch batch;

    store_batch_init(&batch, s->arena);
    for (size_t i = 0; i < count; i++) {
        messages[i] = a_message("w1", "s1", seq + (int64_t)i,
            str_printf(s->arena, "text %lld", (long long)seq + (long long)i).ptr);
        messages[i].direction = S(direction);
        messages[i].author = (seq + (int64_t)i) % 2 ? S("Ana") : S("Ben");
        messages[i].at = 1000 + seq + (int64_t)i;
        messages[i].channel_ids = i % 3 ? S("") : S("[7]");
    }
    messages_insert(&batch, messages, count);
    return store_commit(s->store, &batch);
}

/* Rows of 7, 1, 3, 1 and 30 messages: 42. */
#define SAID 42
static int fill(struct suite *s)
{
    int r = say(s, 1, 7, "in");

    r = r ? r : say(s, 8, 1, "out");
    r = r ? r : say(s, 9, 3, "in");
    r = r ? r : say(s, 12, 1, "out");
    return r ? r : say(s, 13, 30, "in");
}

static void expect_message(struct test *t, const struct message_row *message, int64_t seq)
{
    EXPECT_EQ(message->seq, seq);
    EXPECT_STR(message->body, str_printf(t->arena, "text %lld", (long long)seq).ptr);
    EXPECT_STR(message->author, seq % 2 ? "Ana" : "Ben");
    EXPECT_STR(message->direction, seq == 8 || seq == 12 ? "out" : "in");
    EXPECT_STR(message->run_id, "run");
    EXPECT_EQ(message->at, 1000 + seq);
    EXPECT_EQ(message->created_at, 6);
    EXPECT_STR(message->more, "");
}

static void read_all(struct test *t, struct suite *s, size_t limit, bool descending)
{
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    int64_t next = descending ? SAID : 1;
    struct store_page page;

    query.limit = limit;
    query.descending = descending;
    do {
        REQUIRE_OK(messages_list(s->store, &query, t->arena, &page));
        REQUIRE(page.count > 0 && page.count <= limit);
        for (size_t i = 0; i < page.count; i++) {
            expect_message(t, (const struct message_row *)page.rows + i, next);
            next += descending ? -1 : 1;
        }
        EXPECT(page.count == limit || str_empty(page.cursor));
        query.cursor = page.cursor;
    } while (!str_empty(query.cursor));
    EXPECT_EQ(next, descending ? 0 : SAID + 1);
}

TEST(messages_of_one_request_lie_in_one_row)
{
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct store_page page;
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    REQUIRE_OK(fill(&s));
    REQUIRE_OK(store_list(s.store, &query, t->arena, &page));
    EXPECT_EQ(page.count, 5);
    EXPECT_EQ(((const struct message_row *)page.rows)[4].seq, 13);
    suite_close(&s);
}

TEST(messages_are_read_one_by_one_in_pages_of_any_size)
{
    static const size_t limits[] = {1, 2, 3, 7, 8, 11, 41, 42, 43, 1000};
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    REQUIRE_OK(fill(&s));
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        read_all(t, &s, limits[i], false);
        read_all(t, &s, limits[i], true);
    }
    suite_close(&s);
}

TEST(messages_of_one_row_go_both_ways)
{
    static const char *const ways[][3] = {{"in", "in", "out"}, {"out", "in", "out"}};
    static const int64_t times[] = {0, -1000000, 253402300799999};
    struct message_row messages[3], packed, *read;
    size_t count;

    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 3; i++) {
            messages[i] = a_message("w1", "s1", i + 1, "text");
            messages[i].direction = S(ways[k][i]);
            messages[i].at = times[(i + k) % 3];
        }
        packed = messages_pack(messages, 3, t->arena);
        REQUIRE_OK(messages_unpack(&packed, t->arena, &read, &count));
        REQUIRE(count == 3);
        for (int i = 0; i < 3; i++) {
            EXPECT_STR(read[i].direction, ways[k][i]);
            EXPECT_EQ(read[i].at, messages[i].at);
            EXPECT_EQ(read[i].seq, i + 1);
        }
    }
}

TEST(messages_cursor_belongs_to_its_list)
{
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct store_page page;
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    REQUIRE_OK(fill(&s));
    query.limit = 2;
    REQUIRE_OK(messages_list(s.store, &query, t->arena, &page));
    query.cursor = page.cursor;
    query.descending = true;
    EXPECT_EQ(messages_list(s.store, &query, t->arena, &page), ERR_INVALID);
    query.descending = false;
    query.value = S("s2");
    EXPECT_EQ(messages_list(s.store, &query, t->arena, &page), ERR_INVALID);
    query.cursor = S("nonsense");
    EXPECT_EQ(messages_list(s.store, &query, t->arena, &page), ERR_INVALID);
    suite_close(&s);
}

TEST(messages_of_a_very_long_request_lie_in_several_rows)
{
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct store_page page;
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    REQUIRE_OK(say(&s, 1, 200, "in"));
    REQUIRE_OK(store_list(s.store, &query, t->arena, &page));
    EXPECT_EQ(page.count, 4);
    query.limit = 1000;
    REQUIRE_OK(messages_list(s.store, &query, t->arena, &page));
    REQUIRE(page.count == 200);
    expect_message(t, (const struct message_row *)page.rows + 199, 200);
    suite_close(&s);
}

/* What is taken for lengths in damaged bytes must not lead out of them. */
TEST(messages_that_are_damaged_are_told)
{
    struct message_row row = a_message("w1", "s1", 1, "x");
    struct message_row *messages;
    size_t count;

    row.more = S("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    EXPECT_EQ(messages_unpack(&row, t->arena, &messages, &count), ERR_CORRUPT);
    row.more = S("short");
    EXPECT_EQ(messages_unpack(&row, t->arena, &messages, &count), ERR_CORRUPT);
}

TEST(an_erased_person_leaves_the_others_messages_of_a_row)
{
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct chat_session_row session = a_session("w1", "s1");
    const struct message_row *messages;
    struct erase_stats stats;
    struct store_page page;
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    REQUIRE_OK(insert_row(&s, STORE_CHAT_SESSIONS, &session));
    REQUIRE_OK(fill(&s));
    REQUIRE_OK(erase_person(s.store, S("w1"), S("ana"), &stats));
    EXPECT_EQ(stats.messages, 21);
    query.limit = 1000;
    REQUIRE_OK(messages_list(s.store, &query, t->arena, &page));
    REQUIRE(page.count == SAID);
    messages = page.rows;
    for (int64_t seq = 1; seq <= SAID; seq++) {
        bool gone = seq % 2 || seq == 8 || seq == 12; /* Ana's, and Theo's answers */

        EXPECT_EQ(messages[seq - 1].seq, seq);
        EXPECT_STR(messages[seq - 1].author, seq % 2 ? "(erased)" : "Ben");
        EXPECT_STR(messages[seq - 1].body,
            gone ? "" : str_printf(t->arena, "text %lld", (long long)seq).ptr);
    }
    REQUIRE_OK(erase_person(s.store, S("w1"), S("Ana"), &stats));
    EXPECT_EQ(stats.messages, 0);
    suite_close(&s);
}
