#include "http/multipart.h"
#include "test.h"

/* The boundary that the type names. */
static struct str boundary_of(struct str type)
{
    ptrdiff_t at = str_find(type, STR("boundary="), 0);

    return at < 0 ? STR("") : str_slice(type, (size_t)at + 9, type.len);
}

static size_t occurrences(struct str text, struct str mark)
{
    size_t count = 0;

    for (ptrdiff_t at = str_find(text, mark, 0); at >= 0;
         at = str_find(text, mark, (size_t)at + mark.len))
        count++;
    return count;
}

TEST(parts_stand_between_boundaries)
{
    const struct multipart_part parts[] = {
        {.name = STR("model"), .value = STR("whisper")}, {.name = STR("file"),
                                                             .value = STR("OggS"),
                                                             .file_name = STR("voice.ogg"),
                                                             .type = STR("audio/ogg")}};
    struct str type, body = multipart_write(parts, 2, t->arena, &type);
    struct str boundary = boundary_of(type);

    EXPECT(boundary.len >= 32 && boundary.len <= 70); /* RFC 2046 section 5.1.1 */
    EXPECT_EQ(occurrences(body, boundary), 3);
    EXPECT(str_find(body,
               str_printf(t->arena,
                   "\r\n--%.*s\r\nContent-Disposition: form-data; name=\"file\"; "
                   "filename=\"voice.ogg\"\r\nContent-Type: audio/ogg\r\n\r\nOggS\r\n--%.*s--\r\n",
                   STR_ARG(boundary), STR_ARG(boundary)),
               0) > 0);
}

/* Whoever knows how boundaries were made before cannot make one ours. */
TEST(a_boundary_is_never_the_same)
{
    const struct multipart_part part = {.name = STR("a"), .value = STR("b")};
    struct str first, second;

    (void)multipart_write(&part, 1, t->arena, &first);
    (void)multipart_write(&part, 1, t->arena, &second);
    EXPECT(!str_eq(first, second));
}

TEST(names_and_types_of_strangers_end_nothing)
{
    const struct multipart_part part = {.name = STR("file"),
        .value = STR("x"),
        .file_name = STR("a\"\r\nX: 1\x7f/../b"),
        .type = STR("audio/ogg\r\nX-Other: 1\r\n\r\nmore")};
    struct str type, body = multipart_write(&part, 1, t->arena, &type);

    EXPECT(str_find(body, STR("X-Other"), 0) < 0);
    EXPECT(str_find(body, STR("\r\nX:"), 0) < 0);
    EXPECT(str_find(body, STR("filename=\"a%22__X: 1__.._b\"\r\n"), 0) > 0);
    EXPECT(str_find(body, STR("Content-Type: application/octet-stream\r\n\r\nx\r\n"), 0) > 0);
}
