/* Numbers in words and digits. */
#include "text/when_data.h"

/* "twenty one" and "twenty-one": the position of the ones behind the tens at i, or 0. */
static size_t after_tens(const struct scan *s, size_t i, enum word_class class)
{
    size_t next = i + 1;

    if (!token_is(s, i, W_CARDINAL) || token_at(s, i)->value < 20)
        return 0;
    if (token_punct(s, next, '-'))
        next++;
    return token_is(s, next, class) && token_at(s, next)->value < 10 && token_at(s, next)->value > 0
               ? next
               : 0;
}

size_t when_cardinal(const struct scan *s, size_t i, int *ret_value)
{
    const struct token *t = token_at(s, i);
    size_t ones;

    if (t->class == W_NUM && t->digits <= 2) {
        *ret_value = t->value;
        return 1;
    }
    if (t->class != W_CARDINAL)
        return 0;
    ones = after_tens(s, i, W_CARDINAL);
    *ret_value = t->value + (ones ? token_at(s, ones)->value : 0);
    return ones ? ones - i + 1 : 1;
}

size_t when_ordinal(const struct scan *s, size_t i, int *ret_value)
{
    const struct token *t = token_at(s, i);
    size_t ones;

    if (t->class == W_NUM && t->digits <= 2 && token_is(s, i + 1, W_SUFFIX) &&
        !token_at(s, i + 1)->gap) {
        *ret_value = t->value;
        return 2;
    }
    if (t->class == W_ORDINAL) {
        *ret_value = t->value;
        return 1;
    }
    ones = after_tens(s, i, W_ORDINAL);
    if (ones == 0)
        return 0;
    *ret_value = t->value + token_at(s, ones)->value;
    return ones - i + 1;
}

int when_full_year(int two_digits)
{
    return two_digits + (two_digits < 40 ? 2000 : 1900);
}

static bool word_is(const struct scan *s, size_t i, const char *word)
{
    return str_eq_nocase(token_text(s, i), str_from(word));
}

/* "two thousand [and] thirty two", "nineteen hundred ninety three", "nineteen eighty six". */
static size_t spelled_year(const struct scan *s, size_t i, int *ret_value)
{
    int high, low = 0;
    size_t used, more;

    if (!token_is(s, i, W_CARDINAL))
        return 0;
    used = when_cardinal(s, i, &high);
    if (high == 2 && word_is(s, i + used, "thousand")) {
        size_t next = i + used + 1;

        more = when_cardinal(s, next + token_is(s, next, W_AND), &low);
        *ret_value = 2000 + low;
        return used + 1 + (more ? more + token_is(s, next, W_AND) : 0);
    }
    if (high < 15 || high > 21)
        return 0;
    if (word_is(s, i + used, "hundred")) {
        used++;
        more = when_cardinal(s, i + used, &low);
    } else {
        more = token_is(s, i + used, W_CARDINAL) ? when_cardinal(s, i + used, &low) : 0;
        if (more == 0 || low < 10)
            return 0;
    }
    *ret_value = high * 100 + low;
    return used + more;
}

size_t when_year(const struct scan *s, size_t i, int *ret_value)
{
    const struct token *t = token_at(s, i);

    if (t->class == W_NUM && t->digits == 4 && t->value >= 1500 && t->value <= 2200) {
        *ret_value = t->value;
        return 1;
    }
    return spelled_year(s, i, ret_value);
}
