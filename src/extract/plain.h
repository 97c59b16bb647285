/* Bytes of a text file as UTF-8. For extract/extract.c alone.
 *
 * A byte order mark decides (UTF-8, UTF-16 of both orders); without one it is UTF-8 if that is
 * valid, or else Windows-1252, in which every byte is a character. Pure.
 */
#ifndef EXTRACT_PLAIN_H
#define EXTRACT_PLAIN_H

#include "base/buf.h"

/* At most max bytes of text, *ret_cut when there was more. False when the bytes are no text: there
 * is a NUL among them. */
MUST_CHECK bool plain_decode(
    struct str bytes, size_t max, struct arena *arena, struct str *ret_text, bool *ret_cut);

#endif
