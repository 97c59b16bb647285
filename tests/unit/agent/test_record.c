#include "agent/record.h"
#include "fixture.h"

static struct str hash_of(struct test *t, const struct model_message *messages, size_t count)
{
    char text[RECORD_HASH_LEN + 1];

    record_hash(messages, count, text);
    return str_dup(t->arena, str_from(text));
}

TEST(record_hash_changes_with_every_byte)
{
    char text[70];
    struct model_message message = {.role = MODEL_USER, .author = STR("Ana")};
    struct str seen[200];
    size_t count = 0;

    memset(text, 'a', sizeof(text));
    for (size_t len = 0; len < sizeof(text); len++) {
        message.content = (struct str){text, len};
        seen[count++] = hash_of(t, &message, 1);
    }
    for (size_t at = 0; at < sizeof(text); at++) {
        text[at] = 'b';
        message.content = (struct str){text, sizeof(text)};
        seen[count++] = hash_of(t, &message, 1);
        text[at] = 'a';
    }
    message.content = (struct str){text, sizeof(text)};
    message.author = STR("Ben");
    seen[count++] = hash_of(t, &message, 1);
    message.role = MODEL_SYSTEM;
    seen[count++] = hash_of(t, &message, 1);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            EXPECT(!str_eq(seen[i], seen[k]));
}

TEST(record_hash_knows_where_a_message_ends)
{
    struct model_message one[] = {{.content = STR("ab")}, {.content = STR("c")}};
    struct model_message two[] = {{.content = STR("a")}, {.content = STR("bc")}};

    EXPECT(!str_eq(hash_of(t, one, 2), hash_of(t, two, 2)));
    EXPECT(!str_eq(hash_of(t, one, 2), hash_of(t, one, 1)));
    EXPECT(str_eq(hash_of(t, one, 2), hash_of(t, one, 2)));
}
