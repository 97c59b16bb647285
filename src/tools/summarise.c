/* summarise: what the chat's parties said, decided, promised and left open, in their own words. */
#include "agent/tool.h"
#include "text/digest.h"
#include "text/words.h"

#define ITEMS_DEFAULT 8
#define ITEMS_MAX 40
/* Enough sentences to choose from when a focus is given. */
#define CANDIDATES 200

static const char parameters[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"focus\":{\"type\":\"string\",\"maxLength\":200,"
    "\"description\":\"words that the sentences should be about; empty for everything\"},"
    "\"max_items\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":40}}}";

static const char *const kind_names[] = {"point", "decision", "action", "question"};

static const char *const small_words[] = {"a", "about", "all", "and", "any", "are", "did", "do",
    "for", "from", "have", "in", "is", "it", "of", "on", "our", "said", "that", "the", "their",
    "they", "this", "to", "was", "we", "were", "what", "who", "with"};

/* Words of a focus that ask for a kind of sentence; a longer form ("decisions") counts too. */
static const struct {
    const char *word;
    enum digest_kind kind;
} kind_words[] = {
    {"decision", DIGEST_DECISION},
    {"decide", DIGEST_DECISION},
    {"agree", DIGEST_DECISION},
    {"action", DIGEST_ACTION},
    {"task", DIGEST_ACTION},
    {"todo", DIGEST_ACTION},
    {"question", DIGEST_QUESTION},
    {"open", DIGEST_QUESTION},
};

static bool names_kind(struct str word, enum digest_kind kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kind_words); i++)
        if (kind_words[i].kind == kind && str_starts_nocase(word, str_from(kind_words[i].word)))
            return true;
    return false;
}

/* Does the sentence, its kind, or who said it, have any telling word of the focus? */
static bool fits(const struct digest_item *item, struct str focus)
{
    bool telling = false;
    struct str word;

    for (size_t pos = 0; words_next(focus, &pos, &word);) {
        if (WORDS_HAVE(small_words, word))
            continue;
        telling = true;
        if (str_find_nocase(item->text, word, 0) >= 0 || str_eq_nocase(item->party, word) ||
            names_kind(word, item->kind))
            return true;
    }
    return !telling;
}

/* Those that fit; when none does, the reader is better served with what there is. */
static size_t choose(struct digest_item *items, size_t count, struct str focus, size_t max)
{
    size_t kept = 0;

    for (size_t i = 0; i < count && kept < max; i++)
        if (fits(&items[i], focus))
            items[kept++] = items[i];
    return kept > 0 ? kept : MIN(count, max);
}

static struct str write_items(const struct digest_item *items, size_t count, struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_name(&w, "items");
    json_array_begin(&w);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(&w);
        json_cstr_member(&w, "kind", kind_names[items[i].kind]);
        json_str_member(&w, "party", items[i].party);
        json_str_member(&w, "text", items[i].text);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

static int run(const struct tool_call *call, struct tool_result *ret_result)
{
    struct str focus = str_trim(json_get_str(call->args, "focus"));
    size_t max = (size_t)json_get_i64(call->args, "max_items", ITEMS_DEFAULT);
    size_t limit = str_empty(focus) ? MIN(max, (size_t)ITEMS_MAX) : CANDIDATES;
    struct digest_item *items = arena_array(call->arena, struct digest_item, limit);
    size_t count = digest_make(call->chat, call->agent_name, call->arena, items, limit);

    count = choose(items, count, focus, max);
    *ret_result = (struct tool_result){
        .content = write_items(items, count, call->arena),
        .summary = str_printf(call->arena, "Summed up %zu message%s in %zu point%s",
            call->chat->count, call->chat->count == 1 ? "" : "s", count, count == 1 ? "" : "s"),
        .event = STR(""),
    };
    return 0;
}

const struct tool tool_summarise = {
    .name = "summarise",
    .description = "Pick the sentences of this chat that matter: points, decisions, actions and "
                   "open questions, each with who said it. Use it before you sum up a long chat.",
    .parameters = parameters,
    .effect = TOOL_PURE,
    .timeout_ms = 0,
    .run = run,
    .reads_only = NULL,
};
