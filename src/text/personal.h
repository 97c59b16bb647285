/* Personal data in text: e-mail addresses, telephone numbers, payment cards, bank accounts.
 *
 * Found by shape and, where there is one, by checksum: cards by Luhn (ISO/IEC 7812-1), IBANs by
 * their country's length and mod 97 (ISO 13616). A telephone number counts when it is written as
 * one: with a country code ("+34 600 123 456", "0034…"), in the North American form, with a trunk
 * zero, or behind a word that says so ("tel. 600123456"). Names and postal addresses are not found.
 * Linear time. Pure.
 */
#ifndef TEXT_PERSONAL_H
#define TEXT_PERSONAL_H

#include "base/str.h"

enum personal_kind {
    PERSONAL_EMAIL,
    PERSONAL_PHONE,
    PERSONAL_CARD,
    PERSONAL_IBAN,
    PERSONAL_KINDS, /* how many there are */
};

struct personal_span {
    enum personal_kind kind;
    size_t from, to; /* bytes of the text */
};

const char *personal_kind_name(enum personal_kind kind); /* "email", "phone", "card", "iban" */
/* The next one at or after *pos of a kind in kinds (a bit for each); *pos moves behind it. False
 * at the end. */
bool personal_next(struct str text, unsigned kinds, size_t *pos, struct personal_span *ret_span);

#endif
