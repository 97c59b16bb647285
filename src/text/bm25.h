/* Okapi BM25: which of a number of texts are about a query. Robertson and Zaragoza, "The
 * Probabilistic Relevance Framework: BM25 and Beyond", 2009; k1 1.2, b 0.75.
 *
 * Words are compared without ASCII case and without a final "s". A query's small words ("the",
 * "is") weigh nothing unless it has no others. Filled once, read by many from then on; everything
 * lives in the arena. A search takes as long as there are places where its words stand. Does not
 * yield.
 */
#ifndef TEXT_BM25_H
#define TEXT_BM25_H

#include "base/arena.h"
#include "base/str.h"

struct bm25_place;

struct bm25 {
    struct arena *arena;
    struct bm25_place *places; /* by word, then by text */
    size_t count, capacity;
    uint32_t *lengths; /* words of each text */
    size_t text_count, text_capacity;
    uint64_t words;
};

struct bm25_hit {
    size_t text; /* number of it: the first added is 0 */
    double score;
};

void bm25_init(struct bm25 *index, struct arena *arena);
void bm25_add(struct bm25 *index, struct str text);
/* After the last one, before the first search. */
void bm25_finish(struct bm25 *index);
/* The best ones first, at most max; how many. What a search needs is taken from arena. */
size_t bm25_search(const struct bm25 *index, struct str query, struct arena *arena,
    struct bm25_hit *hits, size_t max);

#endif
