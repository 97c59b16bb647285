/* The text of a Word document (ECMA-376, WordprocessingML): paragraphs a line, cells of a row with
 * tabs between them, then footnotes and endnotes. Deleted, hidden (w:vanish) and instruction text
 * is left out, since nobody who opens the document sees it. For the child process alone.
 */
#ifndef EXTRACT_DOCX_H
#define EXTRACT_DOCX_H

#include "base/buf.h"

/* What the parts may unpack to in sum: an archive that holds more is a bomb. */
#define DOCX_UNPACKED_MAX (64 * MIB)

enum docx_result { DOCX_DONE, DOCX_BROKEN, DOCX_TOO_LARGE };

/* Read the file open at fd, which can seek, and hand on its text piece by piece. */
enum docx_result docx_read(int fd, void (*put)(void *ctx, struct str text), void *ctx);

#endif
