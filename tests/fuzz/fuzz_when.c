#include "text/address.h"
#include "text/digest.h"
#include "text/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define MONDAY 1772442000000 /* 2026-03-02T09:00:00Z */

/* Phrases lie in the text, in order; what they resolve to is no wild time. */
static void check_when(struct str text, const struct zone *zone)
{
    struct when found[8], one;
    size_t count = when_find(text, MONDAY, zone, found, ARRAY_LEN(found)), before = 0;

    for (size_t i = 0; i < count; i++) {
        if (found[i].from < before || found[i].to <= found[i].from || found[i].to > text.len)
            abort();
        before = found[i].to;
    }
    if (when_resolve(text, MONDAY, zone, &one) == 0 && (one.from > one.to || one.to > text.len))
        abort();
}

static void check_formatted(struct str text, const struct zone *zone)
{
    struct when one;
    struct arena arena;

    arena_init(&arena);
    if (when_resolve(text, MONDAY, zone, &one) == 0)
        (void)when_format(&arena, one.start_ms, one.end_ms, zone);
    arena_deinit(&arena);
}

/* Sentences are parts of the messages that they are said to be of. */
static void check_digest(const struct transcript *chat)
{
    struct digest_item items[6];
    struct arena arena;
    size_t count;

    arena_init(&arena);
    count = digest_make(chat, STR("Theo"), &arena, items, ARRAY_LEN(items));
    for (size_t i = 0; i < count; i++)
        if (items[i].message >= chat->count)
            abort();
    arena_deinit(&arena);
}

/* What people say in a chat: when they want to meet, whom they mean, what of it matters. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct str text = {(const char *)bytes, len}, alias = STR("TheoBot");
    size_t half = len / 2;
    struct chat_message said[] = {{STR("Ana"), str_slice(text, 0, half), MONDAY},
        {STR("Theo"), STR("Booked."), MONDAY}, {STR("Ben"), str_slice(text, half, len), MONDAY}};
    struct transcript chat = {said, ARRAY_LEN(said)};
    struct address_verdict verdict;

    check_when(text, zone_utc());
    check_when(text, zone_get(STR("America/New_York")));
    check_formatted(text, zone_utc());
    check_digest(&chat);
    verdict = address_judge(&chat, STR("Theo"), &alias, 1);
    if (verdict.score < 0 || verdict.score > 1 || verdict.addressed != (verdict.score >= 0.5))
        abort();
    (void)text_is_question(text);
    return 0;
}
