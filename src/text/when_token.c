/* Tokens: numbers, words with their class, punctuation. */
#include "text/when_data.h"

struct word {
    const char *text;
    uint8_t class;
    int16_t value;
};

/* By first letter, so that an ordinary word is dismissed after a few comparisons. */
static const struct word words_a[] = {{"a", W_A, 0}, {"an", W_A, 0}, {"at", W_AT, 0},
    {"am", W_MERIDIEM, 0}, {"ampm", W_MERIDIEM, 0}, {"and", W_AND, 0}, {"ago", W_AGO, 0},
    {"after", W_AFTER, 0}, {"afternoon", W_PART, PART_AFTERNOON}, {"around", W_AROUND, 0},
    {"about", W_AROUND, 0}, {"approximately", W_AROUND, 0}, {"april", W_MONTH, 4},
    {"apr", W_MONTH, 4}, {"august", W_MONTH, 8}, {"aug", W_MONTH, 8}, {"as", W_TAIL, 0},
    {"again", W_TAIL, 0}, {"also", W_TAIL, 0}, {"available", W_TAIL, 0}};
static const struct word words_b[] = {{"before", W_BEFORE, 0}, {"between", W_BETWEEN, 0},
    {"by", W_AROUND, 0}, {"but", W_TAIL, 0}, {"because", W_TAIL, 0}, {"beginning", W_LINK, 0},
    {"black", W_HOLIDAY, FEAST_BLACK_FRIDAY}, {"boxing", W_HOLIDAY, FEAST_BOXING_DAY}};
static const struct word words_c[] = {{"coming", W_COMING, 0},
    {"christmas", W_HOLIDAY, FEAST_CHRISTMAS}, {"can", W_TAIL, 0}, {"could", W_TAIL, 0},
    {"confirmed", W_TAIL, 0}};
static const struct word words_d[] = {{"day", W_UNIT, UNIT_DAY}, {"days", W_UNIT, UNIT_DAY},
    {"december", W_MONTH, 12}, {"dec", W_MONTH, 12}, {"does", W_TAIL, 0}, {"do", W_TAIL, 0}};
static const struct word words_e[] = {{"eight", W_CARDINAL, 8}, {"eleven", W_CARDINAL, 11},
    {"eighteen", W_CARDINAL, 18}, {"eighty", W_CARDINAL, 80}, {"eighth", W_ORDINAL, 8},
    {"eleventh", W_ORDINAL, 11}, {"eighteenth", W_ORDINAL, 18}, {"evening", W_PART, PART_EVENING},
    {"end", W_END_OF, 0}, {"eod", W_EOD, 0}, {"easter", W_HOLIDAY, FEAST_EASTER},
    {"earth", W_HOLIDAY, FEAST_EARTH_DAY}, {"early", W_LINK, 0}, {"except", W_NOT, 0}};
static const struct word words_f[] = {{"for", W_FOR, 0}, {"from", W_FROM, 0},
    {"friday", W_WEEKDAY, 5}, {"fri", W_WEEKDAY, 5}, {"february", W_MONTH, 2}, {"feb", W_MONTH, 2},
    {"four", W_CARDINAL, 4}, {"five", W_CARDINAL, 5}, {"fourteen", W_CARDINAL, 14},
    {"fifteen", W_CARDINAL, 15}, {"forty", W_CARDINAL, 40}, {"fifty", W_CARDINAL, 50},
    {"first", W_ORDINAL, 1}, {"fourth", W_ORDINAL, 4}, {"fifth", W_ORDINAL, 5},
    {"fourteenth", W_ORDINAL, 14}, {"fifteenth", W_ORDINAL, 15}, {"following", W_NEXT, 1},
    {"fortnight", W_UNIT, UNIT_FORTNIGHT}, {"fridays", W_OTHER, 0}, {"fine", W_TAIL, 0},
    {"free", W_TAIL, 0}};
static const struct word words_g[] = {{"good", W_TAIL, 0}, {"great", W_TAIL, 0}};
static const struct word words_h[] = {{"half", W_HALF, 0}, {"hour", W_UNIT, UNIT_HOUR},
    {"hours", W_UNIT, UNIT_HOUR}, {"hr", W_UNIT, UNIT_HOUR}, {"hrs", W_UNIT, UNIT_HOUR},
    {"h", W_UNIT, UNIT_HOUR}, {"hence", W_LATER, 0}, {"halloween", W_HOLIDAY, FEAST_HALLOWEEN}};
static const struct word words_i[] = {{"in", W_IN, 0}, {"ish", W_ISH, 0}, {"instead", W_TAIL, 1},
    {"independence", W_HOLIDAY, FEAST_INDEPENDENCE}, {"is", W_TAIL, 0}, {"if", W_TAIL, 0}};
static const struct word words_j[] = {{"january", W_MONTH, 1}, {"jan", W_MONTH, 1},
    {"june", W_MONTH, 6}, {"jun", W_MONTH, 6}, {"july", W_MONTH, 7}, {"jul", W_MONTH, 7}};
static const struct word words_l[] = {{"last", W_LAST, 0}, {"later", W_LATER, 0},
    {"late", W_LINK, 0}, {"lets", W_TAIL, 0}, {"local", W_TAIL, 0}};
static const struct word words_m[] = {{"may", W_MONTH, 5}, {"march", W_MONTH, 3},
    {"mar", W_MONTH, 3}, {"monday", W_WEEKDAY, 1}, {"mon", W_WEEKDAY, 1},
    {"minute", W_UNIT, UNIT_MINUTE}, {"minutes", W_UNIT, UNIT_MINUTE}, {"min", W_UNIT, UNIT_MINUTE},
    {"mins", W_UNIT, UNIT_MINUTE}, {"month", W_UNIT, UNIT_MONTH}, {"months", W_UNIT, UNIT_MONTH},
    {"morning", W_PART, PART_MORNING}, {"midnight", W_NOON, 0}, {"midday", W_NOON, 12},
    {"moment", W_MOMENT, 0}, {"my", W_TAIL, 0}};
static const struct word words_n[] = {{"next", W_NEXT, 0}, {"noon", W_NOON, 12},
    {"noonish", W_NOON, 12}, {"now", W_NOW, 0}, {"night", W_PART, PART_NIGHT},
    {"november", W_MONTH, 11}, {"nov", W_MONTH, 11}, {"nine", W_CARDINAL, 9},
    {"nineteen", W_CARDINAL, 19}, {"ninety", W_CARDINAL, 90}, {"ninth", W_ORDINAL, 9},
    {"nineteenth", W_ORDINAL, 19}, {"nd", W_SUFFIX, 0}, {"not", W_NOT, 0},
    {"new", W_HOLIDAY, FEAST_NEW_YEAR}};
static const struct word words_o[] = {{"of", W_OF, 0}, {"on", W_ON, 0}, {"or", W_OR, 0},
    {"oclock", W_OCLOCK, 0}, {"one", W_CARDINAL, 1}, {"october", W_MONTH, 10}, {"oct", W_MONTH, 10},
    {"ok", W_TAIL, 0}, {"okay", W_TAIL, 0}, {"our", W_TAIL, 0}};
static const struct word words_p[] = {{"pm", W_MERIDIEM, 1}, {"past", W_PAST, 0},
    {"previous", W_LAST, 0}, {"please", W_TAIL, 0}, {"present", W_MOMENT, 0},
    {"perfect", W_TAIL, 0}, {"possible", W_TAIL, 0}, {"patrick", W_HOLIDAY, FEAST_ST_PATRICK},
    {"patricks", W_HOLIDAY, FEAST_ST_PATRICK}};
static const struct word words_q[] = {{"quarter", W_QUARTER, 0}};
static const struct word words_r[] = {
    {"rd", W_SUFFIX, 0}, {"roughly", W_AROUND, 0}, {"right", W_TAIL, 0}, {"rather", W_TAIL, 2}};
static const struct word words_s[] = {{"sunday", W_WEEKDAY, 0}, {"saturday", W_WEEKDAY, 6},
    {"sun", W_WEEKDAY, 0}, {"sat", W_WEEKDAY, 6}, {"september", W_MONTH, 9}, {"sep", W_MONTH, 9},
    {"sept", W_MONTH, 9}, {"second", W_ORDINAL, 2}, {"seconds", W_UNIT, UNIT_SECOND},
    {"sec", W_UNIT, UNIT_SECOND}, {"secs", W_UNIT, UNIT_SECOND}, {"six", W_CARDINAL, 6},
    {"seven", W_CARDINAL, 7}, {"sixteen", W_CARDINAL, 16}, {"seventeen", W_CARDINAL, 17},
    {"sixty", W_CARDINAL, 60}, {"seventy", W_CARDINAL, 70}, {"sixth", W_ORDINAL, 6},
    {"seventh", W_ORDINAL, 7}, {"sixteenth", W_ORDINAL, 16}, {"seventeenth", W_ORDINAL, 17},
    {"st", W_SUFFIX, 0}, {"sharp", W_LINK, 0}, {"starting", W_LINK, 0}, {"so", W_TAIL, 0},
    {"should", W_TAIL, 0}, {"since", W_TAIL, 0}, {"sounds", W_TAIL, 0}, {"suits", W_TAIL, 0}};
static const struct word words_t[] = {{"the", W_THE, 0}, {"to", W_TO, 0}, {"this", W_THIS, 0},
    {"today", W_RELATIVE, 0}, {"tomorrow", W_RELATIVE, 1}, {"tmrw", W_RELATIVE, 1},
    {"tmr", W_RELATIVE, 1}, {"tomorow", W_RELATIVE, 1}, {"tommorow", W_RELATIVE, 1},
    {"tonight", W_TONIGHT, 0}, {"till", W_UNTIL, 0}, {"through", W_UNTIL, 0}, {"th", W_SUFFIX, 0},
    {"thru", W_UNTIL, 0}, {"tuesday", W_WEEKDAY, 2}, {"tue", W_WEEKDAY, 2}, {"tues", W_WEEKDAY, 2},
    {"thursday", W_WEEKDAY, 4}, {"thu", W_WEEKDAY, 4}, {"thur", W_WEEKDAY, 4},
    {"thurs", W_WEEKDAY, 4}, {"two", W_CARDINAL, 2}, {"three", W_CARDINAL, 3},
    {"ten", W_CARDINAL, 10}, {"twelve", W_CARDINAL, 12}, {"thirteen", W_CARDINAL, 13},
    {"twenty", W_CARDINAL, 20}, {"thirty", W_CARDINAL, 30}, {"third", W_ORDINAL, 3},
    {"tenth", W_ORDINAL, 10}, {"twelfth", W_ORDINAL, 12}, {"thirteenth", W_ORDINAL, 13},
    {"twentieth", W_ORDINAL, 20}, {"thirtieth", W_ORDINAL, 30}, {"time", W_TIME, 0},
    {"thanksgiving", W_HOLIDAY, FEAST_THANKSGIVING}, {"then", W_TAIL, 0}, {"that", W_TAIL, 0}};
static const struct word words_u[] = {{"until", W_UNTIL, 0}, {"upcoming", W_COMING, 0}};
static const struct word words_v[] = {
    {"valentines", W_HOLIDAY, FEAST_VALENTINE}, {"valentine", W_HOLIDAY, FEAST_VALENTINE}};
static const struct word words_w[] = {{"wednesday", W_WEEKDAY, 3}, {"wed", W_WEEKDAY, 3},
    {"weds", W_WEEKDAY, 3}, {"week", W_UNIT, UNIT_WEEK}, {"weeks", W_UNIT, UNIT_WEEK},
    {"with", W_TAIL, 0}, {"works", W_TAIL, 3}, {"work", W_TAIL, 3}, {"would", W_TAIL, 0},
    {"will", W_TAIL, 0}, {"when", W_TAIL, 0}, {"workers", W_HOLIDAY, FEAST_WORKERS_DAY}};
static const struct word words_x[] = {{"xmas", W_HOLIDAY, FEAST_CHRISTMAS}};
static const struct word words_y[] = {{"yesterday", W_RELATIVE, -1}, {"year", W_UNIT, UNIT_YEAR},
    {"years", W_UNIT, UNIT_YEAR}, {"your", W_TAIL, 0}};

static const struct {
    const struct word *words;
    size_t count;
} letters[26] = {
    {words_a, ARRAY_LEN(words_a)},
    {words_b, ARRAY_LEN(words_b)},
    {words_c, ARRAY_LEN(words_c)},
    {words_d, ARRAY_LEN(words_d)},
    {words_e, ARRAY_LEN(words_e)},
    {words_f, ARRAY_LEN(words_f)},
    {words_g, ARRAY_LEN(words_g)},
    {words_h, ARRAY_LEN(words_h)},
    {words_i, ARRAY_LEN(words_i)},
    {words_j, ARRAY_LEN(words_j)},
    {NULL, 0},
    {words_l, ARRAY_LEN(words_l)},
    {words_m, ARRAY_LEN(words_m)},
    {words_n, ARRAY_LEN(words_n)},
    {words_o, ARRAY_LEN(words_o)},
    {words_p, ARRAY_LEN(words_p)},
    {words_q, ARRAY_LEN(words_q)},
    {words_r, ARRAY_LEN(words_r)},
    {words_s, ARRAY_LEN(words_s)},
    {words_t, ARRAY_LEN(words_t)},
    {words_u, ARRAY_LEN(words_u)},
    {words_v, ARRAY_LEN(words_v)},
    {words_w, ARRAY_LEN(words_w)},
    {words_x, ARRAY_LEN(words_x)},
    {words_y, ARRAY_LEN(words_y)},
    {NULL, 0},
};

#define WORD_MAX 15

/* text: lower case, ends in NUL. The second letter decides nearly always. */
static const struct word *find_word(const char *text)
{
    size_t letter = (size_t)(text[0] - 'a');

    if (letter >= 26)
        return NULL;
    for (size_t i = 0; i < letters[letter].count; i++) {
        const struct word *word = &letters[letter].words[i];

        if (word->text[1] == text[1] && strcmp(word->text, text) == 0)
            return word;
    }
    return NULL;
}

static bool is_letter(char c)
{
    return char_is_alpha(c) || (unsigned char)c >= 0x80;
}

/* Length of an apostrophe at i, straight or curly, else 0. */
static size_t apostrophe(struct str text, size_t i)
{
    if (text.ptr[i] == '\'')
        return 1;
    return i + 3 <= text.len && memcmp(text.ptr + i, "\xe2\x80\x99", 3) == 0 ? 3 : 0;
}

/* Length of an en or em dash at i, else 0. */
static size_t long_dash(struct str text, size_t i)
{
    if (i + 3 > text.len || memcmp(text.ptr + i, "\xe2\x80", 2) != 0)
        return 0;
    return (unsigned char)text.ptr[i + 2] >= 0x90 && (unsigned char)text.ptr[i + 2] <= 0x95 ? 3 : 0;
}

/* A word with its inner apostrophes ("o'clock", "fortnight's"), which do not count. */
static size_t word_token(struct str text, size_t i, struct token *token)
{
    char lower[WORD_MAX + 1];
    size_t len = 0;
    bool possessive = false;
    const struct word *word = NULL;

    token->class = W_OTHER;
    token->capital = text.ptr[i] >= 'A' && text.ptr[i] <= 'Z';
    while (i < text.len) {
        char c = text.ptr[i];
        size_t mark;

        if (char_is_alpha(c) ||
            ((unsigned char)c >= 0x80 && !apostrophe(text, i) && !long_dash(text, i))) {
            if (len <= WORD_MAX)
                lower[len++] = char_lower(c);
            i++;
            continue;
        }
        mark = apostrophe(text, i);
        if (c == '"' && len == 1)
            mark = 1; /* o"clock, as some keyboards have it */
        if (mark == 0 || i + mark >= text.len || !char_is_alpha(text.ptr[i + mark]))
            break;
        possessive = char_lower(text.ptr[i + mark]) == 's';
        i += mark;
    }
    if (len <= WORD_MAX && len > 0) {
        lower[len] = '\0';
        word = find_word(lower);
        if (!word && possessive && len > 1) {
            lower[len - 1] = '\0';
            word = find_word(lower);
        }
    }
    if (word) {
        token->class = word->class;
        token->value = word->value;
    }
    return i;
}

static size_t number_token(struct str text, size_t i, struct token *token)
{
    size_t from = i;
    int64_t value = 0;

    for (; i < text.len && char_is_digit(text.ptr[i]); i++)
        if (value <= 99999999)
            value = value * 10 + (text.ptr[i] - '0');
    token->class = W_NUM;
    token->digits = (uint8_t)MIN(i - from, (size_t)200);
    token->value = (int32_t)MIN(value, (int64_t)999999999);
    return i;
}

static size_t punct_token(struct str text, size_t i, struct token *token)
{
    size_t dash = long_dash(text, i), mark = apostrophe(text, i);

    token->class = W_PUNCT;
    token->value = dash ? '-' : mark ? '\'' : (unsigned char)text.ptr[i];
    return i + (dash ? dash : mark ? mark : 1);
}

size_t when_tokens(struct str text, struct token *tokens)
{
    size_t count = 0, i = 0;
    bool gap = true;

    while (i < text.len) {
        struct token *token = &tokens[count];

        if (char_is_space(text.ptr[i])) {
            gap = true;
            i++;
            continue;
        }
        *token = (struct token){.gap = gap, .from = (uint32_t)i};
        if (char_is_digit(text.ptr[i]))
            i = number_token(text, i, token);
        else if (is_letter(text.ptr[i]) && !apostrophe(text, i) && !long_dash(text, i))
            i = word_token(text, i, token);
        else
            i = punct_token(text, i, token);
        token->to = (uint32_t)i;
        gap = false;
        count++;
    }
    return count;
}
