#include "cache/redis_link.h"
#include "test.h"

static const struct redis_address address = {.host = "h", .port = 1};

static bool says(enum redis_step step, const char *text, const char *part)
{
    if (redis_answer_error(&address, step, str_from(text)) != ERR_UNAVAILABLE)
        return false;
    if (strstr(err_message(), part) && strstr(err_message(), "Redis at h:1 "))
        return true;
    printf("# %s\n", err_message());
    return false;
}

TEST(answer_errors_name_the_remedy)
{
    EXPECT(says(REDIS_PING, "NOAUTH Authentication required.", "write it there"));
    EXPECT(says(REDIS_AUTH, "WRONGPASS invalid username-password pair or user is disabled.",
        "refuses the user or the password"));
    EXPECT(says(REDIS_AUTH, "ERR invalid password", "refuses the password"));
    EXPECT(says(REDIS_AUTH,
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?",
        "take it out"));
    EXPECT(
        says(REDIS_AUTH, "ERR wrong number of arguments for 'auth' command", "before version 6"));
    EXPECT(says(REDIS_AUTH, "ERR max number of clients reached", "maxclients"));
    EXPECT(says(REDIS_SELECT, "ERR DB index is out of range", "database"));
    EXPECT(says(REDIS_PING, "LOADING Redis is loading the dataset in memory", "still loading"));
    EXPECT(
        says(REDIS_CALL, "OOM command not allowed when used memory > 'maxmemory'.", "maxmemory"));
    EXPECT(says(REDIS_CALL, "READONLY You can't write against a read only replica.", "primary"));
    EXPECT(says(REDIS_CALL, "MOVED 3999 127.0.0.1:6381", "cluster"));
}

/* Redis repeats the words of a command that it does not know. */
TEST(answer_errors_never_repeat_what_redis_wrote)
{
    const char *text = "ERR unknown command 'AUTH', with args beginning with: 'hunter2' ";

    for (int step = REDIS_CALL; step <= REDIS_PING; step++) {
        EXPECT_EQ(
            redis_answer_error(&address, (enum redis_step)step, str_from(text)), ERR_UNAVAILABLE);
        EXPECT(!strstr(err_message(), "hunter2"));
    }
    EXPECT(says(REDIS_CALL, text, "error ERR"));
    EXPECT(says(REDIS_CALL, "", "without a name"));
}
