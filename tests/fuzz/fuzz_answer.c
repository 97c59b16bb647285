/* The HTTP response parser must give the same verdict however the bytes were cut into reads. */
#include "base/err.h"
#include "http/answer.h"
#include "http/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_SPLITS = 256 };

static void check(bool same)
{
    if (!same)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = {(const char *)data, size};
    struct http_answer answer = {0}, other = {0};
    struct arena arena;

    arena_init(&arena);
    int whole = http_parse_answer(input, 0, &arena, &answer);
    for (size_t cut = 0; cut < MIN(size, MAX_SPLITS); cut++) {
        int rc = http_parse_answer(str_slice(input, 0, cut), 0, &arena, &other);
        if (rc == HTTP_PARSE_MORE)
            rc = http_parse_answer(input, cut, &arena, &other);
        check(rc == whole);
        check(rc != 0 || other.head_len == answer.head_len);
    }
    if (whole == 0) {
        check(answer.status >= 100 && answer.status <= 599);
        check(!(answer.chunked && answer.has_length));
        check(answer.head_len <= size);
        check(http_answer_status(input) == answer.status);
    }
    arena_deinit(&arena);
    return 0;
}
