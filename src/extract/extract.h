/* The text of a file that somebody sent: PDF, Word (DOCX), plain text and CSV.
 *
 * Files come from strangers. PDF and DOCX are read by a child process that has no network, opens
 * only the system's own libraries, cannot write files, and has limits on memory and time
 * (extract/sandbox.h); it is killed when it overruns. The parsers' libraries are loaded there
 * alone. Plain text is decoded here, off the loop. What comes out was made inert (text/inert.h): it
 * is data that others wrote, never instructions.
 *
 * PDF needs the program pdftotext (Debian: poppler-utils).
 *
 * At most EXTRACT_AT_ONCE children run for each loop; more wait in line.
 */
#ifndef EXTRACT_EXTRACT_H
#define EXTRACT_EXTRACT_H

#include "base/config.h"
#include "runtime/fiber.h"
#include "text/inert.h"

#define EXTRACT_AT_ONCE 2

enum extract_kind { EXTRACT_OTHER, EXTRACT_PDF, EXTRACT_DOCX, EXTRACT_TEXT };

struct extract_limits {
    size_t file_max;     /* bytes that are looked at at all */
    size_t text_max;     /* bytes of text; what is beyond is cut off */
    int64_t timeout_ms;  /* of wall time */
    int cpu_s;           /* of CPU time; 0: half of timeout_ms, at least one */
    size_t memory_max;   /* bytes of the child's address space */
    const char *program; /* what is started as "PROGRAM extract-child …"; NULL: this program */
};

struct extracted {
    enum extract_kind kind;
    struct str text;           /* valid UTF-8, inert; may be empty: a scan has none */
    bool cut;                  /* there was more than text_max */
    struct inert_found hidden; /* what was made inert */
};

/* Why there is no text, besides negative ERR_*; err_message() says it in a sentence. */
enum {
    EXTRACT_UNSUPPORTED = 1, /* not a kind of file that is read */
    EXTRACT_BROKEN = 2,      /* damaged, protected by a password, or not what its name says */
};

/* The settings attachments.*. */
struct extract_limits extract_limits_of(const struct config *config);

/* By the first bytes, and by type and name where these say nothing. bytes may be just a beginning
 * (1 KiB), or empty before a file is fetched. */
enum extract_kind extract_kind_of(struct str bytes, struct str mime, struct str name);

/* 0, EXTRACT_UNSUPPORTED, EXTRACT_BROKEN, ERR_TOO_LARGE (the file, or what it unpacks to),
 * ERR_TIMEOUT (killed), ERR_UNAVAILABLE (pdftotext is missing, or the system gives no sandbox),
 * ERR_CANCELLED, ERR_IO. mime and name may be empty. ret_extracted is in arena. Yields. */
MUST_CHECK int extract_text(const struct extract_limits *limits, struct str bytes, struct str mime,
    struct str name, struct arena *arena, struct extracted *ret_extracted);

/* The command that the child is: "extract-child pdf|docx MEMORY SECONDS". Returns its exit code. */
int extract_child(int argc, char **argv);

#endif
