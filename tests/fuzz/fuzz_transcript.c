/* Whatever parses is written and parses again to the same messages; the judgement, the digest and
 * the overlap take every transcript. */
#include "text/address.h"
#include "text/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
    if (!right)
        abort();
}

static void write_and_parse(struct arena *arena, const struct transcript *chat)
{
    struct transcript again;
    struct buf out = BUF_IN(arena);

    for (size_t i = 0; i < chat->count; i++)
        transcript_write(&out, &chat->messages[i]);
    check(transcript_parse(arena, buf_str(&out), &again) == 0);
    check(again.count == chat->count);
    for (size_t i = 0; i < chat->count; i++) {
        check(str_eq(again.messages[i].party, chat->messages[i].party));
        check(str_eq(again.messages[i].text, chat->messages[i].text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct transcript chat;
    struct digest_item items[8];

    arena_init(&arena);
    if (transcript_parse(&arena, (struct str){(const char *)data, size}, &chat) == 0) {
        write_and_parse(&arena, &chat);
        struct address_verdict verdict = address_judge(&chat, STR("Theo"), NULL, 0);
        check(verdict.score >= 0 && verdict.score <= 1);
        check(verdict.addressed == (verdict.score >= 0.5));
        check(digest_make(&chat, STR("Theo"), &arena, items, ARRAY_LEN(items)) <= ARRAY_LEN(items));
    }
    arena_deinit(&arena);
    return 0;
}
