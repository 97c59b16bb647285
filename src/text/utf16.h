/* UTF-16 positions in UTF-8 text, as Telegram counts: the offset and length of a message entity
 * and the limits of a message are in UTF-16 code units, where a code point from U+10000 on counts
 * two (https://core.telegram.org/bots/api#messageentity). utf16_len() is in base/str.h.
 *
 * An invalid byte counts as U+FFFD does: one unit. Pure; safe on every input.
 */
#ifndef TEXT_UTF16_H
#define TEXT_UTF16_H

#include "base/str.h"

/* Byte at which the code unit number unit begins; s.len from the end on. A unit that is the second
 * half of a pair gives the byte at which the pair begins. */
size_t utf16_to_byte(struct str s, size_t unit);

/* Code units before the byte; those of all of s from its end on. A byte within a code point gives
 * the unit at which that begins. */
size_t utf16_from_byte(struct str s, size_t byte);

/* The text that an entity covers. False when it does not lie in s, is empty, or begins or ends
 * within a surrogate pair: such an entity says nothing that can be trusted. */
MUST_CHECK bool utf16_slice(struct str s, int64_t offset, int64_t length, struct str *ret_slice);

#endif
