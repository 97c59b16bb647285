/* The fixed texts of the bot, in the person's language. bot/say.def has them all. */
#ifndef BOT_SAY_H
#define BOT_SAY_H

#include "base/str.h"

enum say_language { SAY_EN, SAY_ES, SAY_DE, SAY_FR, SAY_RU, SAY_PT, SAY_LANGUAGES };

enum say_id {
#define SAY(id, en, es, de, fr, ru, pt) SAY_##id,
#include "bot/say.def"
#undef SAY
    SAY_COUNT
};

/* By an IETF tag ("pt-BR"); English for what there is no text in. */
enum say_language say_language(struct str tag);
const char *say_language_tag(enum say_language language);
struct str say(enum say_language language, enum say_id id);
/* With value in place of each {}. */
struct str say_with(
    struct arena *arena, enum say_language language, enum say_id id, struct str value);

#endif
