/* language: the answer is in the language of the message it answers, told by script and, of six
 * languages in Latin script, by small words. In doubt there is no score. */
#include "agent/evaluation.h"
#include "text/words.h"

static const char *const en[] = {"the", "is", "are", "and", "you", "what", "we", "for", "with",
    "this", "that", "have", "can", "will", "not", "it", "how", "please", "our", "to", "of"};
static const char *const es[] = {"el", "los", "las", "es", "son", "y", "que", "qué", "para", "con",
    "una", "por", "cuándo", "cuánto", "está", "del", "al", "puede", "nos", "pero", "hay"};
static const char *const fr[] = {"le", "les", "est", "sont", "et", "vous", "nous", "pour", "avec",
    "une", "des", "du", "que", "quand", "dans", "pas", "il", "je", "ce", "au", "pouvez"};
static const char *const de[] = {"der", "die", "das", "ist", "sind", "und", "wir", "für", "mit",
    "eine", "ein", "nicht", "wann", "wie", "ich", "sie", "zu", "den", "dem", "kann", "bitte"};
static const char *const it[] = {"il", "gli", "è", "sono", "e", "che", "per", "con", "una", "del",
    "della", "quando", "non", "di", "si", "può", "ci", "nel", "alla", "come", "ma"};
static const char *const pt[] = {"os", "as", "é", "são", "e", "que", "para", "com", "uma", "do",
    "da", "quando", "não", "você", "em", "ao", "pode", "nós", "mas", "um", "na"};

static const struct {
    const char *name;
    const char *const *words;
    size_t count;
} languages[] = {
    {"English", en, ARRAY_LEN(en)},
    {"Spanish", es, ARRAY_LEN(es)},
    {"French", fr, ARRAY_LEN(fr)},
    {"German", de, ARRAY_LEN(de)},
    {"Italian", it, ARRAY_LEN(it)},
    {"Portuguese", pt, ARRAY_LEN(pt)},
};

static const struct {
    const char *name;
    uint32_t from, to;
} scripts[] = {
    {"Greek", 0x370, 0x3ff},
    {"Cyrillic", 0x400, 0x52f},
    {"Hebrew", 0x590, 0x5ff},
    {"Arabic", 0x600, 0x6ff},
    {"Devanagari", 0x900, 0x97f},
    {"Thai", 0xe00, 0xe7f},
    {"Japanese", 0x3040, 0x30ff},
    {"Chinese", 0x4e00, 0x9fff},
    {"Korean", 0xac00, 0xd7a3},
};

/* More than half of the letters; Chinese characters beside kana are Japanese. */
static const char *script_of(struct str text)
{
    size_t counts[ARRAY_LEN(scripts)] = {0}, letters = 0;
    const char *best = NULL;

    for (size_t pos = 0; pos < text.len;) {
        uint32_t cp = utf8_next(text, &pos);

        letters += cp > 0x7f || char_is_alpha((char)cp);
        for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
            counts[i] += cp >= scripts[i].from && cp <= scripts[i].to;
    }
    if (counts[6] > 0)
        counts[6] += counts[7];
    for (size_t i = ARRAY_LEN(scripts); i-- > 0;)
        if (counts[i] > 0 && counts[i] * 2 > letters)
            best = scripts[i].name;
    return best;
}

/* NULL in doubt. */
static const char *language_of(struct str text)
{
    size_t counts[ARRAY_LEN(languages)] = {0}, best = 0, second = 0;
    const char *script = script_of(text);
    struct str word;

    for (size_t pos = 0; !script && words_next(text, &pos, &word);)
        for (size_t i = 0; i < ARRAY_LEN(languages); i++)
            counts[i] += words_have(languages[i].words, languages[i].count, word);
    for (size_t i = 1; i < ARRAY_LEN(languages); i++)
        if (counts[i] > counts[best])
            best = i;
    for (size_t i = 0; i < ARRAY_LEN(languages); i++)
        if (i != best && counts[i] > second)
            second = counts[i];
    if (script)
        return script;
    return counts[best] >= 2 && counts[best] > second ? languages[best].name : NULL;
}

static int run(const struct evaluation_call *call, struct evaluation_score *ret_score)
{
    const char *asked = language_of(call->asked), *reply = language_of(call->reply);

    if (!asked || !reply)
        return EVALUATION_VOID;
    *ret_score = (struct evaluation_score){.score = strcmp(asked, reply) == 0,
        .passed = strcmp(asked, reply) == 0,
        .reason = str_printf(call->arena, "asked in %s, answered in %s", asked, reply)};
    return 0;
}

const struct evaluator evaluation_language = {.name = "language", .run = run};
