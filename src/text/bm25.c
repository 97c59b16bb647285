#include "text/bm25.h"

#include "base/base.h"
#include "text/words.h"

#include <math.h>
#include <stdlib.h>

#define K1 1.2
#define B 0.75
#define QUERY_WORDS 32

struct bm25_place {
    uint64_t word;
    uint32_t text, times;
};

static const char *const small_words[] = {"a", "about", "an", "and", "any", "are", "as", "at", "be",
    "by", "can", "did", "do", "does", "for", "from", "have", "how", "i", "in", "is", "it", "me",
    "my", "of", "on", "or", "our", "that", "the", "their", "there", "they", "this", "to", "us",
    "was", "we", "were", "what", "when", "where", "which", "who", "why", "will", "with", "you",
    "your"};

/* FNV-1a; "Prices" and "price" are one word. */
static uint64_t hash_word(struct str word)
{
    uint64_t hash = 1469598103934665603u;

    if (word.len > 3 && char_lower(word.ptr[word.len - 1]) == 's' &&
        char_lower(word.ptr[word.len - 2]) != 's')
        word.len--;
    for (size_t i = 0; i < word.len; i++)
        hash = (hash ^ (unsigned char)char_lower(word.ptr[i])) * 1099511628211u;
    return hash;
}

void bm25_init(struct bm25 *index, struct arena *arena)
{
    *index = (struct bm25){.arena = arena};
}

static struct bm25_place *new_place(struct bm25 *index)
{
    if (index->count == index->capacity) {
        size_t capacity = index->capacity * 2 + 256;

        index->places = arena_grow(index->arena, index->places,
            index->capacity * sizeof(*index->places), capacity * sizeof(*index->places));
        index->capacity = capacity;
    }
    return &index->places[index->count++];
}

static int by_word(const void *a, const void *b)
{
    const struct bm25_place *x = a, *y = b;

    if (x->word != y->word)
        return x->word < y->word ? -1 : 1;
    return x->text < y->text ? -1 : x->text > y->text;
}

/* One place for each word of the text added last, which were one for each time it stands there. */
static void merge(struct bm25 *index, size_t first)
{
    size_t kept = first;

    if (index->count > first)
        qsort(index->places + first, index->count - first, sizeof(*index->places), by_word);
    for (size_t i = first; i < index->count; i++) {
        if (kept > first && index->places[kept - 1].word == index->places[i].word)
            index->places[kept - 1].times++;
        else
            index->places[kept++] = index->places[i];
    }
    index->count = kept;
}

void bm25_add(struct bm25 *index, struct str text)
{
    size_t first = index->count, words = 0;
    struct str word;

    if (index->text_count == index->text_capacity) {
        size_t capacity = index->text_capacity * 2 + 64;

        index->lengths = arena_grow(index->arena, index->lengths,
            index->text_capacity * sizeof(*index->lengths), capacity * sizeof(*index->lengths));
        index->text_capacity = capacity;
    }
    for (size_t pos = 0; words_next(text, &pos, &word); words++)
        *new_place(index) = (struct bm25_place){hash_word(word), (uint32_t)index->text_count, 1};
    merge(index, first);
    index->lengths[index->text_count++] = (uint32_t)words;
    index->words += words;
}

void bm25_finish(struct bm25 *index)
{
    if (index->count > 0)
        qsort(index->places, index->count, sizeof(*index->places), by_word);
}

/* The first place of that word, or of the one behind it. */
static size_t find(const struct bm25 *index, uint64_t word)
{
    size_t low = 0, high = index->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (index->places[middle].word < word)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void score_word(const struct bm25 *index, uint64_t word, double *scores)
{
    size_t from = find(index, word), to = from;
    double mean = (double)index->words / (double)index->text_count, weight;

    while (to < index->count && index->places[to].word == word)
        to++;
    weight =
        log(1 + ((double)(index->text_count - (to - from)) + 0.5) / ((double)(to - from) + 0.5));
    for (size_t i = from; i < to; i++) {
        const struct bm25_place *place = &index->places[i];
        double times = place->times, length = index->lengths[place->text] / mean;

        scores[place->text] += weight * times * (K1 + 1) / (times + K1 * (1 - B + B * length));
    }
}

static size_t read_query(struct str query, bool small, uint64_t *words)
{
    size_t count = 0;
    struct str word;

    for (size_t pos = 0; count < QUERY_WORDS && words_next(query, &pos, &word);) {
        uint64_t hash = hash_word(word);
        bool twice = false;

        for (size_t i = 0; i < count; i++)
            twice = twice || words[i] == hash;
        if (!twice && (small || !WORDS_HAVE(small_words, word)))
            words[count++] = hash;
    }
    return count;
}

size_t bm25_search(const struct bm25 *index, struct str query, struct arena *arena,
    struct bm25_hit *hits, size_t max)
{
    uint64_t words[QUERY_WORDS];
    size_t count = read_query(query, false, words), found = 0;
    double *scores;

    if (index->words == 0 || max == 0)
        return 0;
    if (count == 0)
        count = read_query(query, true, words);
    scores = arena_array(arena, double, index->text_count);
    for (size_t i = 0; i < count; i++)
        score_word(index, words[i], scores);
    for (size_t i = 0; i < index->text_count; i++) {
        size_t at = found;

        while (at > 0 && hits[at - 1].score < scores[i])
            at--;
        if (scores[i] <= 0 || at == max)
            continue;
        if (found < max)
            found++;
        memmove(&hits[at + 1], &hits[at], (found - 1 - at) * sizeof(*hits));
        hits[at] = (struct bm25_hit){i, scores[i]};
    }
    return found;
}
