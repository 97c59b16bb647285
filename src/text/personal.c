#include "text/personal.h"

#include "base/base.h"

#define CARD_MIN 13
#define CARD_MAX 19
#define PHONE_MAX 15 /* E.164 */
#define CUE_BYTES 24 /* so near stands the word that makes a number a telephone's */

static const char *const names[] = {"email", "phone", "card", "iban"};

const char *personal_kind_name(enum personal_kind kind)
{
    return names[kind];
}

static char at_or_nul(struct str s, size_t at)
{
    return at < s.len ? s.ptr[at] : '\0';
}

/* Is that byte of a letter beyond ASCII? Of typographic marks (U+2000 to U+207F, U+3000 to U+303F)
 * it is not. */
static bool is_wide_letter(struct str s, size_t at)
{
    size_t lead = at;
    unsigned char first, second;

    if ((unsigned char)at_or_nul(s, at) < 0x80)
        return false;
    while (lead > 0 && at - lead < 2 && ((unsigned char)s.ptr[lead] & 0xc0) == 0x80)
        lead--;
    first = (unsigned char)s.ptr[lead];
    second = (unsigned char)at_or_nul(s, lead + 1);
    return !(first == 0xe2 && (second == 0x80 || second == 0x81)) &&
           !(first == 0xe3 && second == 0x80);
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

/* What an address may have before its "@" without quoting, and what people write there. */
static bool is_local(struct str s, size_t at)
{
    return char_is_alnum(s.ptr[at]) || is_one_of(s.ptr[at], "._%+-") || is_wide_letter(s, at);
}

static size_t local_end(struct str s, size_t at)
{
    while (at < s.len && is_local(s, at))
        at++;
    return at;
}

/* End of a domain with a dot in it whose last label is of letters; 0: none. */
static size_t domain_end(struct str s, size_t from)
{
    size_t at = from, label = from, end = 0;

    for (; at <= s.len; at++) {
        char c = at_or_nul(s, at);

        if (char_is_alnum(c) || c == '-' || is_wide_letter(s, at))
            continue;
        if (at == label)
            break;
        if (label > from && at - label >= 2 && !char_is_digit(s.ptr[label]))
            end = at;
        if (c != '.')
            break;
        label = at + 1;
    }
    return end;
}

static bool take_email(struct str s, size_t from, size_t *ret_end)
{
    size_t at = local_end(s, from), end;

    if (at == from || at_or_nul(s, at) != '@' || s.ptr[from] == '.')
        return false;
    end = domain_end(s, at + 1);
    if (end == 0)
        return false;
    *ret_end = end;
    return true;
}

/* Digits and single separators between them: how many digits, and where they end. */
struct digits {
    char all[CARD_MAX + 1];
    size_t count, end;
    size_t groups[CARD_MAX + 1]; /* digits in each group */
    size_t group_count;
    bool dots;
};

static void read_digits(struct str s, size_t at, const char *separators, struct digits *ret)
{
    bool open = false;

    *ret = (struct digits){.end = at};
    for (; at < s.len && ret->count <= CARD_MAX; at++) {
        char c = s.ptr[at];

        if (char_is_digit(c)) {
            if (!open)
                ret->group_count++;
            open = true;
            if (ret->count < CARD_MAX + 1)
                ret->all[ret->count] = c;
            ret->count++;
            ret->groups[ret->group_count - 1]++;
            ret->end = at + 1;
            continue;
        }
        /* ") " and " (" are one separator. */
        if (!is_one_of(c, separators) || (!open && s.ptr[at - 1] != ')' && c != '('))
            break;
        ret->dots = ret->dots || c == '.';
        open = false;
    }
}

static bool luhn(const struct digits *d)
{
    int sum = 0;

    for (size_t i = 0; i < d->count; i++) {
        int digit = d->all[d->count - 1 - i] - '0';

        if (i % 2 == 1)
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return sum % 10 == 0;
}

static bool take_card(struct str s, size_t from, size_t *ret_end)
{
    struct digits d;

    if (s.ptr[from] < '2' || s.ptr[from] > '6')
        return false;
    read_digits(s, from, " -", &d);
    if (d.count < CARD_MIN || d.count > CARD_MAX || char_is_alnum(at_or_nul(s, d.end)) || !luhn(&d))
        return false;
    *ret_end = d.end;
    return true;
}

/* Registry of SWIFT, release 99: characters of an IBAN by country. */
static const struct {
    char country[3];
    unsigned char len;
} ibans[] = {{"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16},
    {"BG", 22}, {"BH", 22}, {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28},
    {"CZ", 24}, {"DE", 22}, {"DJ", 27}, {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24},
    {"FI", 18}, {"FK", 18}, {"FO", 18}, {"FR", 27}, {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18},
    {"GR", 27}, {"GT", 28}, {"HN", 28}, {"HR", 21}, {"HU", 28}, {"IE", 22}, {"IL", 23}, {"IQ", 23},
    {"IS", 26}, {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28}, {"LC", 32}, {"LI", 21},
    {"LT", 20}, {"LU", 20}, {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19},
    {"MN", 20}, {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23},
    {"PK", 24}, {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33},
    {"SA", 24}, {"SC", 31}, {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23},
    {"ST", 25}, {"SV", 28}, {"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24},
    {"XK", 20}, {"YE", 30}};

static size_t iban_len(struct str s, size_t from)
{
    for (size_t i = 0; i < ARRAY_LEN(ibans); i++)
        if (str_eq_nocase(str_slice(s, from, from + 2), str_from(ibans[i].country)))
            return ibans[i].len;
    return 0;
}

/* The remainder of the number that country and check digits give when they stand last. */
static int mod97(const char *text, size_t len)
{
    int rest = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[(i + 4) % len];

        if (char_is_digit(c))
            rest = (rest * 10 + (c - '0')) % 97;
        else
            rest = (rest * 100 + (char_lower(c) - 'a' + 10)) % 97;
    }
    return rest;
}

static bool take_iban(struct str s, size_t from, size_t *ret_end)
{
    size_t want = iban_len(s, from), count = 0, at = from;
    char text[34];

    if (want == 0 || !char_is_digit(at_or_nul(s, from + 2)))
        return false;
    for (; at < s.len && count < want; at++) {
        if (char_is_alnum(s.ptr[at]))
            text[count++] = s.ptr[at];
        else if (!is_one_of(s.ptr[at], " -") || !char_is_alnum(s.ptr[at - 1]))
            return false;
    }
    if (count < want || char_is_alnum(at_or_nul(s, at)) || mod97(text, want) != 1)
        return false;
    *ret_end = at;
    return true;
}

static bool has_cue(struct str s, size_t from)
{
    static const char *const cues[] = {"tel", "phone", "mobile", "móvil", "cell", "call me",
        "whatsapp", "handy", "fax", "signal", "sms"};
    struct str before = str_slice(s, from > CUE_BYTES ? from - CUE_BYTES : 0, from);

    for (size_t i = 0; i < ARRAY_LEN(cues); i++)
        if (str_find_nocase(before, str_from(cues[i]), 0) >= 0)
            return true;
    return false;
}

static bool is_american(const struct digits *d)
{
    return d->count == 10 && d->group_count == 3 && d->groups[0] == 3 && d->groups[1] == 3 &&
           d->all[0] >= '2' && d->all[3] >= '2';
}

static bool take_phone(struct str s, size_t from, size_t *ret_end)
{
    bool plus = s.ptr[from] == '+', paren = s.ptr[from] == '(';
    struct digits d;

    if ((plus || paren) && !char_is_digit(at_or_nul(s, from + 1)))
        return false;
    read_digits(s, from + (plus || paren), plus || paren ? " -./()" : " -./", &d);
    if (d.count < 7 || d.count > PHONE_MAX || char_is_alnum(at_or_nul(s, d.end)))
        return false;
    *ret_end = d.end;
    if (plus || is_american(&d) || has_cue(s, from))
        return true;
    if (d.all[0] == '0' && d.all[1] == '0')
        return d.count >= 11;
    return d.all[0] == '0' && d.groups[0] > 1 && !d.dots && d.count >= 9 && d.count <= 12;
}

/* Is a number beginning here the beginning of one? Behind a letter, a digit, or a decimal mark it
 * is part of something else. */
static bool begins(struct str s, size_t at)
{
    char before = at > 0 ? s.ptr[at - 1] : ' ';

    if (char_is_alnum(before) || before == '_')
        return false;
    return !((before == '.' || before == ',' || before == '-' || before == '+') && at > 1 &&
             char_is_alnum(s.ptr[at - 2]));
}

static bool take_number(struct str s, size_t at, unsigned kinds, struct personal_span *ret_span)
{
    char c = s.ptr[at];
    bool digit = char_is_digit(c);

    ret_span->from = at;
    if (digit && kinds & 1u << PERSONAL_CARD && take_card(s, at, &ret_span->to)) {
        ret_span->kind = PERSONAL_CARD;
        return true;
    }
    if ((digit || c == '+' || c == '(') && kinds & 1u << PERSONAL_PHONE &&
        take_phone(s, at, &ret_span->to)) {
        ret_span->kind = PERSONAL_PHONE;
        return true;
    }
    ret_span->kind = PERSONAL_IBAN;
    return char_is_alpha(c) && kinds & 1u << PERSONAL_IBAN && take_iban(s, at, &ret_span->to);
}

bool personal_next(struct str s, unsigned kinds, size_t *pos, struct personal_span *ret_span)
{
    size_t tried = 0; /* up to here the run of an address's characters was looked at */

    for (size_t at = *pos; at < s.len; at++) {
        struct personal_span span = {.from = at};
        bool found = false;

        if (at >= tried && is_local(s, at)) {
            tried = local_end(s, at);
            span.kind = PERSONAL_EMAIL;
            found = kinds & 1u << PERSONAL_EMAIL && take_email(s, at, &span.to);
        }
        if (!found && begins(s, at))
            found = take_number(s, at, kinds, &span);
        if (found) {
            *ret_span = span;
            *pos = span.to;
            return true;
        }
    }
    *pos = s.len;
    return false;
}
