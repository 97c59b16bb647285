/* Whatever json_check() accepts must be read, written and read again as the same. */
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_round_trip(struct arena *arena, const struct json *root)
{
    const struct json *again;
    struct str text = json_text(arena, root), sorted = json_canonical(arena, root);

    require(utf8_valid(text));
    require(json_parse(arena, text, &again) == 0);
    require(str_eq(text, json_text(arena, again)));
    require(str_eq(sorted, json_canonical(arena, again)));
    require(json_parse(arena, sorted, &again) == 0);
    require(str_eq(sorted, json_canonical(arena, again)));
}

/* Any bytes at all become a valid JSON string. */
static void check_string(struct arena *arena, struct str bytes)
{
    struct buf out = BUF_IN(arena);
    const struct json *back;
    struct json_writer w;

    json_init(&w, &out);
    json_put_str(&w, bytes);
    require(json_parse(arena, buf_str(&out), &back) == 0);
    if (utf8_valid(bytes) && str_find_char(bytes, '\0', 0) < 0)
        require(str_eq(json_str(back), bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    const struct json *root;
    struct arena arena;
    bool valid;

    arena_init(&arena);
    valid = json_check(text) == 0;
    require((json_parse(&arena, text, &root) == 0) == valid);
    if (valid)
        check_round_trip(&arena, root);
    check_string(&arena, text);
    arena_deinit(&arena);
    return 0;
}
