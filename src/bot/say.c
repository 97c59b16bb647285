#include "bot/say.h"

#include "base/buf.h"

static const char *const texts[SAY_COUNT][SAY_LANGUAGES] = {
#define SAY(id, en, es, de, fr, ru, pt) {en, es, de, fr, ru, pt},
#include "bot/say.def"
#undef SAY
};

static const char *const tags[SAY_LANGUAGES] = {"en", "es", "de", "fr", "ru", "pt"};

enum say_language say_language(struct str tag)
{
    for (int i = 0; i < SAY_LANGUAGES; i++)
        if (str_starts_nocase(tag, str_from(tags[i])) &&
            (tag.len == 2 || tag.ptr[2] == '-' || tag.ptr[2] == '_'))
            return (enum say_language)i;
    return SAY_EN;
}

const char *say_language_tag(enum say_language language)
{
    return tags[language];
}

struct str say(enum say_language language, enum say_id id)
{
    return str_from(texts[id][language]);
}

struct str say_with(
    struct arena *arena, enum say_language language, enum say_id id, struct str value)
{
    struct str rest = say(language, id);
    struct buf out = BUF_IN(arena);
    ptrdiff_t at;

    while ((at = str_find(rest, STR("{}"), 0)) >= 0) {
        buf_add_str(&out, str_slice(rest, 0, (size_t)at));
        buf_add_str(&out, value);
        rest = str_slice(rest, (size_t)at + 2, rest.len);
    }
    buf_add_str(&out, rest);
    return buf_str(&out);
}
