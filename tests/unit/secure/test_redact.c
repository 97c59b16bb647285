#include "secure/redact.h"
#include "test.h"

/* The samples are put together so that no scanner takes this file for a leak. */
#define LONG36 "abcdefghijklmnopqrstuvwxyz0123456789"

TEST(redact_leaves_harmless_text)
{
    static const char *const harmless[] = {"", "hello world", "the key: be early",
        "a basic understanding of Theo", "max_tokens=200 monkey=banana", "{\"tokens\":5,\"key\":5}",
        "https://example.com/a@b?x=1", "task-force sk-short", "theo_http_request_duration_ms",
        "12:30:15 on 2026-03-01T09:30:00Z", "eyJ is how tokens start",
        "-----BEGIN CERTIFICATE-----", "gr\xc3\xbc\xc3\x9f dich \xff", "token",
        "key=", "a:b:c ://"};

    for (size_t i = 0; i < ARRAY_LEN(harmless); i++) {
        struct str text = str_from(harmless[i]), out = redact(t->arena, text);

        EXPECT_STR(out, harmless[i]);
        EXPECT(out.ptr == text.ptr);
    }
}

TEST(redact_secrets)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"key theo_0123abcd_" LONG36 "ABCDEFG ok", "key [redacted] ok"},
        {"x sk-proj-" LONG36 ", y", "x [redacted], y"},
        {"xoxb-123456789-" LONG36, "[redacted]"},
        {"(AKIA"
         "ABCDEFGHIJKLMNOP)",
            "([redacted])"},
        {"ghp_" LONG36 ".", "[redacted]."},
        {"my-sk-" LONG36, "my-[redacted]"},
        {"Authorization: Bearer abc def\nHost: x", "Authorization: [redacted]\nHost: x"},
        {"curl -H \"authorization: Basic Zm9v\" x", "curl -H \"authorization: [redacted]\" x"},
        {"sent Bearer abc123.def-_~+/= to", "sent Bearer [redacted] to"},
        {"Bearer /bot123456789:AAFakeFakeFakeFakeFakeFakeFakeFake0/x", "Bearer [redacted]"},
        {"Basic dXNlcjpwYXNz", "Basic [redacted]"},
        {"bot 123456789:AAF" LONG36, "bot [redacted]"},
        {"https://api.telegram.org/bot123456789:AAF" LONG36 "/getMe",
            "https://api.telegram.org/[redacted]/getMe"},
        {"jwt eyJhbGciOi.eyJzdWIi.c2ln-_x end", "jwt [redacted] end"},
        {"-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nrest",
            "[redacted]\nrest"},
        {"{\"pem\":\"x\\n-----BEGIN PRIVATE KEY-----\\nMII\\n-----END PRIVATE KEY-----\\n\"}",
            "{\"pem\":\"x\\n[redacted]\\n\"}"},
        {"-----BEGIN PRIVATE KEY-----\nMII", "[redacted]"},
        {"postgres://user:p@ss@host:5/db", "postgres://[redacted]@host:5/db"},
        {"GET /x?api_key=abc&page=2", "GET /x?api_key=[redacted]&page=2"},
        {"token=abc; password=\"a b\" c", "token=[redacted]; password=\"[redacted]\" c"},
        {"{\"apiKey\": \"a\\\"b\", \"n\":1}", "{\"apiKey\": \"[redacted]\", \"n\":1}"},
        {"{\\\"client_secret\\\":\\\"abc\\\",\\\"n\\\":1}",
            "{\\\"client_secret\\\":\\\"[redacted]\\\",\\\"n\\\":1}"},
        {"x-api-key: abc, y", "x-api-key: [redacted], y"},
        {"password: hunter2", "password: [redacted]"},
        {"{\"token\":\"cut off", "{\"token\":\"[redacted]"},
        {"a=1 secret=[redacted]", "a=1 secret=[redacted]"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str once = redact(t->arena, str_from(cases[i].text));

        EXPECT_STR(once, cases[i].want);
        EXPECT_STR(redact(t->arena, once), cases[i].want); /* nothing more to find */
    }
}

TEST(redact_finds_every_secret_of_a_text)
{
    EXPECT_STR(redact(t->arena, STR("a?token=x&key=y z://u:p@h sk-" LONG36)),
        "a?token=[redacted]&key=[redacted] z://[redacted]@h [redacted]");
}

/* Texts on which a matcher that starts again at each byte would take hours. */
TEST(redact_takes_linear_time)
{
    static const char *const bad[] = {"eyJ-", "eyJa.", "://", "://a@", "-----BEGIN ",
        "123456789:", "\"key\" ", "sk-", "bearer ", "token=\"", "\\\"key\\\":", "theo_",
        "key:", "-"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct buf text = BUF_IN(t->arena);

        while (text.len < 500000)
            buf_add_cstr(&text, bad[i]);
        EXPECT(redact(t->arena, buf_str(&text)).len > 0);
    }
}
