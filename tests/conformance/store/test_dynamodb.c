/* What is DynamoDB's alone: costs, repetition, large batches and rows, bad input. */
#include "dynamodb_proxy.h"
#include "store/backend.h"
#include "store/messages.h"
#include "suite.h"

#include <stdlib.h>

static const char *const any_table = "dynamodb://us-east-1/theo-%";

/* What agent/journal.c commits for a short run: the input and the answer in one row. number 0: the
 * chat is new. */
static void commit_turn(struct test *t, struct suite *s, int number, struct chat_session_row *chat)
{
    char id[16];
    struct run_row run;
    struct message_row messages[2];
    struct store_batch batch;

    snprintf(id, sizeof(id), "run%d", number);
    run = a_run("w1", id, "s1", number);
    run.state = STR("completed");
    run.listed = STR("");
    run.events = STR("[{\"seq\":1,\"type\":\"run.started\"}]");
    messages[0] = a_message("w1", "s1", 2 * number + 1, "Can we meet on Tuesday at three?");
    messages[1] = a_message("w1", "s1", 2 * number + 2, "Booked: Tuesday at three.");
    messages[1].direction = STR("out");
    store_batch_init(&batch, t->arena);
    if (number == 0)
        store_insert(&batch, STORE_CHAT_SESSIONS, chat);
    else
        store_update(&batch, STORE_CHAT_SESSIONS, chat);
    messages_insert(&batch, messages, 2);
    store_insert(&batch, STORE_RUNS, &run);
    EXPECT_OK(store_commit(s->store, &batch));
    chat->version += number > 0;
}

TEST(cost_of_a_turn)
{
    static const char *const kinds[] = {
        "new chat", "known chat", "chat after a minute", "known chat"};
    static const double most[] = {12, 12, 24, 12};
    struct suite s;
    struct dynamodb_proxy proxy;
    struct chat_session_row chat = a_session("w1", "s1");

    REQUIRE_OK(dynamodb_proxy_start(&proxy));
    REQUIRE_OK(suite_open_url(t, any_table, &s));
    REQUIRE_OK(store_workspace(s.store, STR("w1")));
    chat.version = 1;
    for (int i = 0; i < 4; i++) {
        chat.updated_at += i == 2 ? MINUTE_MS : 0; /* as the journal: within a minute */
        proxy.write_requests = proxy.read_requests = 0;
        proxy.write_units = proxy.read_units = 0;
        commit_turn(t, &s, i, &chat);
        EXPECT_EQ(proxy.write_requests, 1);
        EXPECT_EQ(proxy.read_requests, 0);
        EXPECT(proxy.write_units <= most[i]);
        printf("# a turn of a %s: %g write units\n", kinds[i], proxy.write_units);
    }
    suite_close(&s);
    dynamodb_proxy_stop(&proxy);
}

TEST(cost_of_reading_a_session)
{
    struct suite s;
    struct dynamodb_proxy proxy;
    struct chat_session_row chat = a_session("w1", "s1"), got;
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct store_page page;

    REQUIRE_OK(dynamodb_proxy_start(&proxy));
    REQUIRE_OK(suite_open_url(t, any_table, &s));
    EXPECT_OK(insert_row(&s, STORE_CHAT_SESSIONS, &chat));
    for (int i = 0; i < 20; i++) {
        struct message_row row =
            a_message("w1", "s1", i, "a message of some length, as people write");
        EXPECT_OK(insert_row(&s, STORE_MESSAGES, &row));
    }
    proxy.read_requests = proxy.write_requests = 0;
    proxy.read_units = 0;
    query.limit = 64;
    EXPECT_OK(get_row(&s, STORE_CHAT_SESSIONS, "w1", "s1", &got));
    EXPECT_OK(store_list(s.store, &query, t->arena, &page));
    EXPECT_EQ(page.count, 20);
    EXPECT_EQ(proxy.read_requests, 2);
    EXPECT_EQ(proxy.write_requests, 0);
    printf("# a session with 20 messages: %d reads of %g units\n", proxy.read_requests,
        proxy.read_units);
    suite_close(&s);
    dynamodb_proxy_stop(&proxy);
}

TEST(lost_answers_do_nothing_twice)
{
    struct suite s;
    struct dynamodb_proxy proxy;
    struct run_row run = a_run("w1", "r1", "s1", 1), got;
    struct chat_session_row chat = a_session("w1", "s1");
    struct message_row message = a_message("w1", "s1", 1, "once");
    struct store_batch batch;

    REQUIRE_OK(dynamodb_proxy_start(&proxy));
    REQUIRE_OK(suite_open_url(t, any_table, &s));
    EXPECT_OK(store_workspace(s.store, S("w1")));
    proxy.lose = 1; /* a write of its own */
    EXPECT_OK(insert_row(&s, STORE_RUNS, &run));
    EXPECT_EQ(proxy.lose, 0);
    proxy.lose = 2;
    EXPECT_OK(update_row(&s, STORE_RUNS, &run));
    run.version = 0;
    proxy.lose = 1;
    EXPECT_OK(update_row(&s, STORE_RUNS, &run));
    EXPECT_OK(get_row(&s, STORE_RUNS, "w1", "r1", &got));
    EXPECT_EQ(got.version, 3);
    proxy.lose = 2; /* a transaction */
    store_batch_init(&batch, t->arena);
    store_insert(&batch, STORE_CHAT_SESSIONS, &chat);
    store_insert(&batch, STORE_MESSAGES, &message);
    EXPECT_OK(store_commit(s.store, &batch));
    EXPECT_EQ(proxy.lose, 0);
    EXPECT_EQ(store_commit(s.store, &batch), STORE_EXISTS); /* asked for anew it is a second one */
    proxy.lose = 1;
    EXPECT_OK(delete_row(&s, STORE_RUNS, &run));
    EXPECT_EQ(get_row(&s, STORE_RUNS, "w1", "r1", &got), STORE_MISSING);
    suite_close(&s);
    dynamodb_proxy_stop(&proxy);
}

TEST(throttled_calls_are_repeated)
{
    struct suite s;
    struct dynamodb_proxy proxy;
    struct run_row run = a_run("w1", "r1", "s1", 1), got;

    REQUIRE_OK(dynamodb_proxy_start(&proxy));
    REQUIRE_OK(suite_open_url(t, any_table, &s));
    EXPECT_OK(store_workspace(s.store, S("w1")));
    proxy.throttle = 4;
    proxy.requests = 0;
    EXPECT_OK(insert_row(&s, STORE_RUNS, &run));
    EXPECT_EQ(proxy.requests, 5);
    proxy.throttle = 3;
    EXPECT_OK(get_row(&s, STORE_RUNS, "w1", "r1", &got));
    EXPECT_EQ(proxy.throttle, 0);
    suite_close(&s);
    dynamodb_proxy_stop(&proxy);
}

static int64_t later(void *ctx)
{
    (void)ctx;
    return env_wall_ms(env_system()) + 5 * MINUTE_MS;
}

/* The process that began a large batch dies when its head stands: the next one finishes it. */
TEST(large_batch_is_finished_after_a_death)
{
    struct suite s;
    struct dynamodb_proxy proxy;
    struct chat_session_row chat = a_session("w1", "s1");
    struct message_row *rows = arena_array(t->arena, struct message_row, 250);
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct env shifted = *env_system();
    struct store *second;
    struct store_batch batch;
    struct store_page page;

    REQUIRE_OK(dynamodb_proxy_start(&proxy));
    REQUIRE_OK(suite_open_url(t, any_table, &s));
    EXPECT_OK(store_workspace(s.store, S("w1")));
    query.limit = 1000;
    store_batch_init(&batch, t->arena);
    store_insert(&batch, STORE_CHAT_SESSIONS, &chat);
    for (int i = 0; i < 250; i++) {
        rows[i] = a_message("w1", "s1", i, "x");
        store_insert(&batch, STORE_MESSAGES, &rows[i]);
    }
    proxy.transactions = 2; /* the head and the first chunk */
    EXPECT_EQ(store_commit(s.store, &batch), ERR_TIMEOUT);
    EXPECT_OK(store_list(s.store, &query, t->arena, &page));
    EXPECT_EQ(page.count, 100);
    proxy.transactions = -1;
    shifted.wall_ms = later;
    s.config.dynamodb_endpoint = getenv("THEO_DYNAMODB_ENDPOINT");
    REQUIRE_OK(store_open(&s.config, &shifted, s.sealer, &second));
    EXPECT_OK(store_list(second, &query, t->arena, &page));
    EXPECT_EQ(page.count, 250);
    EXPECT_EQ(store_commit(second, &batch), STORE_EXISTS);
    store_close(second);
    suite_close(&s);
    dynamodb_proxy_stop(&proxy);
}

/* Items of the table whose partition's name holds word. Only a test may scan. */
static int count_items(struct test *t, const struct suite *s, const char *word, int *ret_count)
{
    const char *table = strrchr(s->config.store, '/') + 1;
    struct str body = str_printf(t->arena, "{\"TableName\":\"%s\"}", table);
    const struct json *root, *next;
    int count = 0;

    do {
        int r = dynamodb_ask(t->arena, "Scan", body, &root);
        if (r != 0)
            return r;
        for (const struct json *item = json_first(json_get(root, "Items")); item;
             item = json_next(item))
            count += str_find(json_get_str(json_get(item, "pk"), "S"), S(word), 0) >= 0;
        next = json_get(root, "LastEvaluatedKey");
        if (next)
            body = str_printf(t->arena, "{\"TableName\":\"%s\",\"ExclusiveStartKey\":%s}", table,
                json_text(t->arena, next).ptr);
    } while (next);
    *ret_count = count;
    return 0;
}

TEST(nothing_stays_of_large_rows)
{
    struct suite s;
    struct run_row run = a_run("w1", "r1", "s1", 1), got;
    struct message_row message = a_message("w1", "s1", 1, "");
    struct str large = {arena_zalloc(t->arena, 1, 5 * MIB), 5 * MIB};
    int count = -1;

    REQUIRE_OK(suite_open_url(t, any_table, &s));
    run.request = run.result = str_slice(large, 0, 900 * KIB);
    EXPECT_OK(insert_row(&s, STORE_RUNS, &run));
    EXPECT_OK(count_items(t, &s, "part|", &count));
    EXPECT_EQ(count, 10); /* 1,800 KiB and the seals in parts of 200 KiB */
    run.request = STR("{}");
    EXPECT_OK(update_row(&s, STORE_RUNS, &run));
    EXPECT_OK(get_row(&s, STORE_RUNS, "w1", "r1", &got));
    EXPECT_STR(got.request, "{}");
    EXPECT_EQ(got.result.len, 900 * KIB);
    EXPECT_OK(count_items(t, &s, "part|", &count));
    EXPECT_EQ(count, 5);
    EXPECT_OK(delete_row(&s, STORE_RUNS, &run));
    EXPECT_OK(count_items(t, &s, "part|", &count));
    EXPECT_EQ(count, 0);
    message.body = large; /* more than one transaction holds */
    EXPECT_OK(insert_row(&s, STORE_MESSAGES, &message));
    EXPECT_OK(delete_all(&s, STORE_MESSAGES, "w1", STORE_CHILDREN, "s1"));
    EXPECT_OK(count_items(t, &s, "part|", &count));
    EXPECT_EQ(count, 0);
    EXPECT_OK(count_items(t, &s, "journal", &count));
    EXPECT_EQ(count, 0);
    EXPECT_OK(count_items(t, &s, "messages|", &count));
    EXPECT_EQ(count, 0);
    suite_close(&s);
}

TEST(wrong_addresses_are_refused)
{
    static const char *const urls[] = {"dynamodb:", "dynamodb://", "dynamodb://eu-west-1",
        "dynamodb://eu-west-1/", "dynamodb:///theo", "dynamodb://eu-west-1/a b",
        "dynamodb://eu west/theo", "dynamodb://eu-west-1/theo/more"};
    char *endpoint = getenv("THEO_DYNAMODB_ENDPOINT"), *kept = xstrdup(endpoint);
    struct suite s;

    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        EXPECT_EQ(suite_open_url(t, urls[i], &s), ERR_INVALID);
        EXPECT_CSTR(err_get()->field, "store");
    }
    setenv("THEO_DYNAMODB_ENDPOINT", "127.0.0.1:8000", 1);
    EXPECT_EQ(suite_open_url(t, any_table, &s), ERR_INVALID);
    EXPECT_CSTR(err_get()->field, "dynamodb.endpoint");
    setenv("THEO_DYNAMODB_ENDPOINT", "http://127.0.0.1:9", 1);
    EXPECT_EQ(suite_open_url(t, any_table, &s), ERR_IO);
    EXPECT(strstr(err_message(), "http://127.0.0.1:9") != NULL);
    EXPECT(strstr(err_message(), "check the region, the endpoint and the network") != NULL);
    setenv("THEO_DYNAMODB_ENDPOINT", kept, 1);
    free(kept);
}

TEST(refusals_say_what_to_do)
{
    static const struct {
        const char *code, *message;
        int result;
        const char *says;
    } refusals[] = {
        {"UnrecognizedClientException", "", ERR_UNAUTHORIZED, "AWS_ACCESS_KEY_ID"},
        {"InvalidSignatureException", "The request signature does not match", ERR_UNAUTHORIZED,
            "AWS_SECRET_ACCESS_KEY"},
        {"InvalidSignatureException", "Signature expired: 20260101T000000Z is now earlier",
            ERR_UNAUTHORIZED, "clock"},
        {"ExpiredTokenException", "", ERR_UNAUTHORIZED, "expired"},
        {"AccessDeniedException", "", ERR_DENIED, "dynamodb:DescribeTable"},
        {"ThrottlingException", "", ERR_UNAVAILABLE, "capacity"},
        {"ValidationException", "odd", ERR_PROTOCOL, "odd"},
    };
    struct dynamodb_proxy proxy;
    struct suite s;

    REQUIRE_OK(dynamodb_proxy_start(&proxy));
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        proxy.refuse = refusals[i].code;
        proxy.message = refusals[i].message;
        EXPECT_EQ(suite_open_url(t, any_table, &s), refusals[i].result);
        EXPECT(strstr(err_message(), refusals[i].says) != NULL);
    }
    dynamodb_proxy_stop(&proxy);
}

TEST(a_newer_schema_and_a_strange_table_are_refused)
{
    struct suite s;
    struct store_backend *backend;
    const struct json *root;
    const char *url = "dynamodb://us-east-1/newer";

    REQUIRE_OK(suite_open_url(t, url, &s));
    suite_close(&s);
    s.config.dynamodb_endpoint = getenv("THEO_DYNAMODB_ENDPOINT");
    REQUIRE_OK(store_dynamodb.open(&s.config, url, env_system(), &backend));
    EXPECT_OK(store_dynamodb.meta_set(backend, "schema", STR("99")));
    store_dynamodb.close(backend);
    EXPECT_EQ(suite_open_url(t, url, &s), ERR_FAILED);
    EXPECT(strstr(err_message(), "newer Theo") != NULL);
    EXPECT_OK(dynamodb_ask(t->arena, "CreateTable",
        STR("{\"TableName\":\"strange\",\"AttributeDefinitions\":[{\"AttributeName\":\"id\","
            "\"AttributeType\":\"S\"}],\"KeySchema\":[{\"AttributeName\":\"id\",\"KeyType\":"
            "\"HASH\"}"
            "],\"BillingMode\":\"PAY_PER_REQUEST\"}"),
        &root));
    EXPECT_EQ(suite_open_url(t, "dynamodb://us-east-1/strange", &s), ERR_INVALID);
    EXPECT(strstr(err_message(), "not one of Theo's") != NULL);
}
