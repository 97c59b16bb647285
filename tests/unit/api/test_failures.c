#include "api/exchange.h"
#include "house.h"
#include "runtime/errinj.h"
#include "watch/metrics.h"

#define WRONG "theo_00000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define HERE "X-Forwarded-For: 203.0.113.7"
#define ELSEWHERE "X-Forwarded-For: 203.0.113.8"

#define BEGIN_TRACED(rate)                                                                         \
    struct house h = {.t = t};                                                                     \
    if (!house_open_as(&h, t,                                                                      \
            str_printf(t->arena,                                                                   \
                "store: trace:memory\ndata-dir: %s\nmodel: scripted\nmodel.fallback: \"\"\n%s",    \
                test_quick_dir(t), rate)                                                           \
                .ptr))                                                                             \
    return

static struct asked try(struct house *h, const char *key, const char *header)
{
    return ask_as(h, key, HTTP_GET, "/api/auth/whoami", NULL, header);
}

TEST(too_many_wrong_keys_of_an_address_are_answered_without_the_store)
{
    BEGIN_TRACED("rate.failures-per-minute: 2\n");
    struct asked asked;
    int64_t limited = metric_read(M_AUTH_FAILURES, "limited");
    int64_t answered = metric_read(M_RATE_LIMITED, NULL);

    EXPECT_EQ(try(&h, h.key, HERE).status, 200);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(try(&h, WRONG, HERE).status, 401);
    EXPECT_OK(errinj_set("store.get"));
    asked = try(&h, "theo_00000001_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", HERE);
    expect_problem(t, &asked, 429);
    EXPECT(http_header(&asked.headers, "retry-after").len > 0);
    EXPECT_EQ(metric_read(M_AUTH_FAILURES, "limited"), limited + 1);
    EXPECT_EQ(metric_read(M_RATE_LIMITED, NULL), answered + 1);
    EXPECT_OK(errinj_set(NULL));
    EXPECT_EQ(try(&h, WRONG, ELSEWHERE).status, 401);
    EXPECT_EQ(try(&h, WRONG, NULL).status, 401);
    END;
}

TEST(who_is_known_is_never_limited_by_others)
{
    BEGIN_TRACED("rate.failures-per-minute: 1\n");
    const char *fresh = house_key(&h, "read");
    char wrong[API_KEY_LEN + 1];
    struct asked asked;

    EXPECT_EQ(try(&h, h.key, ELSEWHERE).status, 200);
    EXPECT_EQ(try(&h, WRONG, HERE).status, 401);
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(try(&h, h.key, HERE).status, 200);
    memcpy(wrong, h.key, sizeof(wrong));
    wrong[20] = wrong[20] == 'x' ? 'y' : 'x';
    EXPECT_EQ(try(&h, wrong, HERE).status, 429); /* its id is known, its secret is not the one */
    EXPECT_EQ(try(&h, fresh, HERE).status, 429); /* only the store could tell */
    EXPECT_EQ(try(&h, fresh, ELSEWHERE).status, 200);
    EXPECT_EQ(try(&h, fresh, HERE).status, 200);
    EXPECT_EQ(try(&h, NULL, HERE).status, 401); /* shows no key, costs nothing */
    asked = ask(
        &h, HTTP_DELETE, str_printf(t->arena, "/api/auth/keys/%.8s", fresh + 5).ptr, NULL, NULL);
    EXPECT_EQ(asked.status, 204);
    EXPECT_EQ(try(&h, fresh, HERE).status, 401);
    EXPECT_EQ(try(&h, fresh, HERE).status, 429); /* is known to be revoked */
    END;
}

TEST(without_a_limit_all_are_looked_up)
{
    BEGIN("rate.failures-per-minute: 0\n");
    for (int i = 0; i < 50; i++)
        EXPECT_EQ(try(&h, WRONG, HERE).status, 401);
    END;
}

TEST(an_ipv6_network_and_a_chain_of_proxies_are_one_address)
{
    static const struct {
        const char *first, *second;
        int status;
    } rows[] = {
        {"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", 429},
        {"2001:db8:0:2::1", "2001:db8:0:3::1", 401},
        {"198.51.100.1", "::ffff:198.51.100.1", 429},
        {"198.51.100.2", "1.2.3.4, 198.51.100.2", 429},
        {"198.51.100.3", "198.51.100.3, 1.2.3.4", 401},
        {"nonsense", "other nonsense", 429},
    };
    BEGIN("rate.failures-per-minute: 1\n");

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *first = str_printf(t->arena, "X-Forwarded-For: %s", rows[i].first).ptr;
        const char *second = str_printf(t->arena, "X-Forwarded-For: %s", rows[i].second).ptr;

        EXPECT_EQ(try(&h, WRONG, first).status, 401);
        if (!EXPECT_EQ(try(&h, WRONG, second).status, rows[i].status))
            printf("# %s\n", rows[i].second);
    }
    END;
}

TEST(tokens_of_approvals_are_limited_too)
{
    BEGIN_TRACED("rate.failures-per-minute: 1\n");
    const char *path = "/api/approvals/01ARZ3NDEKTSV4RRFFQ69G5FAV";
    const char *body = "{\"decision\":\"approve\",\"token\":\"wrong.default\"}";

    EXPECT_EQ(ask_as(&h, NULL, HTTP_POST, path, body, HERE).status, 401);
    EXPECT_OK(errinj_set("store.get"));
    EXPECT_EQ(ask_as(&h, NULL, HTTP_POST, path, body, HERE).status, 429);
    EXPECT_OK(errinj_set(NULL));
    EXPECT_EQ(try(&h, WRONG, HERE).status, 429);
    EXPECT_EQ(ask_as(&h, NULL, HTTP_POST, path, body, ELSEWHERE).status, 401);
    END;
}
