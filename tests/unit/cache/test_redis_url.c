#include "cache/redis_url.h"
#include "test.h"

TEST(redis_url_whole)
{
    struct redis_address a;

    REQUIRE_OK(redis_url_parse("redis://ana:p%40ss%3Aword@cache.example.com:7000/3", &a));
    EXPECT_CSTR(a.host, "cache.example.com");
    EXPECT_EQ(a.port, 7000);
    EXPECT_CSTR(a.user, "ana");
    EXPECT_CSTR(a.password, "p@ss:word");
    EXPECT_EQ(a.database, 3);
    redis_address_deinit(&a);
}

TEST(redis_url_defaults)
{
    struct redis_address a;

    REQUIRE_OK(redis_url_parse("redis://localhost", &a));
    EXPECT_CSTR(a.host, "localhost");
    EXPECT_EQ(a.port, 6379);
    EXPECT(!a.user);
    EXPECT(!a.password);
    EXPECT_EQ(a.database, 0);
    redis_address_deinit(&a);
    REQUIRE_OK(redis_url_parse("REDIS://:secret@[::1]:6380/", &a));
    EXPECT_CSTR(a.host, "::1");
    EXPECT_EQ(a.port, 6380);
    EXPECT(!a.user);
    EXPECT_CSTR(a.password, "secret");
    EXPECT(!a.tls);
    redis_address_deinit(&a);
    REQUIRE_OK(redis_url_parse("rediss://cache.example.com", &a));
    EXPECT(a.tls);
    EXPECT_CSTR(a.host, "cache.example.com");
    redis_address_deinit(&a);
}

/* People paste passwords as they are. */
TEST(redis_url_password_with_signs_unescaped)
{
    struct redis_address a;

    REQUIRE_OK(redis_url_parse("redis://:a/b@c:d@127.0.0.1/1", &a));
    EXPECT_CSTR(a.password, "a/b@c:d");
    EXPECT_CSTR(a.host, "127.0.0.1");
    EXPECT_EQ(a.database, 1);
    redis_address_deinit(&a);
}

TEST(redis_url_wrong_ones_say_why_and_keep_the_password)
{
    static const struct {
        const char *url, *why;
    } cases[] = {
        {"http://h", "does not begin with redis://"},
        {"127.0.0.1:6379", "does not begin with redis://"},
        {"redis://", "names no host"},
        {"redis://:hunter2@", "names no host"},
        {"redis://:hunter2@:6379", "names no host"},
        {"redis://ana@h", "no password"},
        {"redis://ana:@h", "empty password"},
        {"redis://:hunter2%zz@h", "broken % escape"},
        {"redis://:hunter2%00@h", "broken % escape"},
        {"redis://:hunter2%4@h", "broken % escape"},
        {"redis://:hunter2@h:0", "port"},
        {"redis://:hunter2@h:65536", "port"},
        {"redis://:hunter2@h:x", "port"},
        {"redis://:hunter2@h:", "port"},
        {"redis://:hunter2@h/x", "database"},
        {"redis://:hunter2@h/-1", "database"},
        {"redis://:hunter2@[::1", "without \"]\""},
        {"redis://:hunter2@[::1]6379", "other than a port"},
        {"redis://:hunter2@h?db=1", "character that no host has"},
        {"redis://:hunter2@h i", "character that no host has"},
        {"rediss://:hunter2@", "names no host"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct redis_address a = {.port = 77};

        EXPECT_EQ(redis_url_parse(cases[i].url, &a), ERR_INVALID);
        EXPECT_EQ(a.port, 77);
        if (!EXPECT(strstr(err_message(), cases[i].why)))
            printf("# %s: %s\n", cases[i].url, err_message());
        EXPECT(!strstr(err_message(), "hunter2"));
        EXPECT_CSTR(err_get()->field, "redis.url");
    }
}
