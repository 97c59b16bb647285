/* prompt-leak: an answer does not quote the instructions: not so many words of them in a row,
 * whatever stands between the words. */
#include "agent/guard.h"
#include "text/words.h"

#include <stdlib.h>

#define WORDS 10

static uint64_t hash_word(struct str word)
{
    uint64_t hash = 1469598103934665603u; /* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */

    for (size_t i = 0; i < word.len; i++)
        hash = (hash ^ (unsigned char)char_lower(word.ptr[i])) * 1099511628211u;
    return hash;
}

/* A hash of each run of count words; how many. */
static size_t hash_runs(struct arena *arena, struct str text, size_t count, uint64_t **ret_runs)
{
    uint64_t *words = arena_array(arena, uint64_t, text.len / 2 + 2);
    uint64_t *runs = arena_array(arena, uint64_t, text.len / 2 + 2);
    size_t word_count = 0, run_count = 0;
    struct str word;

    for (size_t pos = 0; words_next(text, &pos, &word);)
        words[word_count++] = hash_word(word);
    for (size_t i = 0; i + count <= word_count; i++) {
        uint64_t hash = 0;

        for (size_t j = 0; j < count; j++)
            hash = (hash ^ words[i + j]) * 1099511628211u;
        runs[run_count++] = hash;
    }
    *ret_runs = runs;
    return run_count;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static bool shares_run(struct arena *arena, struct str rules, struct str text, size_t count)
{
    uint64_t *secret, *said;
    size_t secret_count = hash_runs(arena, rules, count, &secret);
    size_t said_count = hash_runs(arena, text, count, &said);

    if (secret_count == 0 || said_count == 0)
        return false;
    qsort(secret, secret_count, sizeof(*secret), compare);
    for (size_t i = 0; i < said_count; i++)
        if (bsearch(&said[i], secret, secret_count, sizeof(*secret), compare))
            return true;
    return false;
}

static int check(const struct guard_call *call, struct guard_finding *ret_finding)
{
    size_t words = (size_t)json_get_i64(call->options, "words", WORDS);

    if (!shares_run(call->arena, call->rules, call->text, words))
        return GUARD_PASS;
    ret_finding->reason = str_printf(call->arena,
        "The answer quotes %zu words or more of the instructions, which it must not.", words);
    ret_finding->apology = "I would rather keep to myself how I was set up; what else can I do for "
                           "you?";
    return str_is(json_get_str(call->options, "on-leak"), "again") && !call->last ? GUARD_AGAIN
                                                                                  : GUARD_STOP;
}

const struct guard guard_prompt_leak = {
    .name = "prompt-leak",
    .phases = GUARD_AFTER,
    .options = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
               "\"words\":{\"type\":\"integer\",\"minimum\":5,\"maximum\":100},"
               "\"on-leak\":{\"type\":\"string\",\"enum\":[\"stop\",\"again\"]},"
               "\"message\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":500}}}",
    .check = check,
};
