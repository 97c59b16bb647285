/* The cases of JSONTestSuite (github.com/nst/JSONTestSuite): every text named y_ is accepted and
 * read back as itself, every text named n_ is refused, one named i_ may go either way but must not
 * harm. There is no deliberate deviation. */
#include "base/json.h"
#include "test.h"

#include <dirent.h>

static struct str read_all(struct arena *arena, const char *path)
{
    struct buf out = BUF_IN(arena);
    FILE *file = fopen(path, "rb");
    size_t got;

    if (!file)
        return STR("");
    do {
        got = fread(buf_reserve(&out, 65536), 1, 65536, file);
        out.len += got;
    } while (got);
    fclose(file);
    return buf_str(&out);
}

/* parse, write, parse: both trees must give the same text. */
static bool round_trips(struct arena *arena, struct str text)
{
    const struct json *first, *second;

    if (json_parse(arena, text, &first) != 0)
        return false;

    struct str written = json_text(arena, first);

    return json_parse(arena, written, &second) == 0 && str_eq(written, json_text(arena, second));
}

TEST(json_test_suite)
{
    const char *data = getenv("THEO_DATA"), *source = getenv("THEO_SOURCE");
    struct str folder =
        data ? str_printf(t->arena, "%s/json/test_parsing", data)
             : str_printf(t->arena, "%s/../shared/data/json/test_parsing", source ? source : ".");
    DIR *dir = opendir(folder.ptr);
    int accepted = 0, refused = 0, either = 0;

    if (!dir)
        SKIP("no JSONTestSuite; set THEO_DATA");
    for (struct dirent *entry; (entry = readdir(dir));) {
        const char *name = entry->d_name;
        struct arena arena;
        bool ok;

        if (name[0] == '.')
            continue;
        arena_init(&arena);

        struct str text = read_all(&arena, str_printf(&arena, "%s/%s", folder.ptr, name).ptr);

        ok = json_check(text) == 0;
        if (name[0] == 'y' && EXPECT(ok && round_trips(&arena, text)))
            accepted++;
        else if (name[0] == 'n' && EXPECT(!ok))
            refused++;
        else if (name[0] == 'i' && EXPECT(!ok || round_trips(&arena, text)))
            either++;
        else
            printf("# wrong: %s\n", name);
        arena_deinit(&arena);
    }
    closedir(dir);
    EXPECT_EQ(accepted, 95);
    EXPECT_EQ(refused, 188);
    EXPECT_EQ(either, 35);
}
