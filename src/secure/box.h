/* Inside of secure/: the format of a sealed value, which secure/seal.h describes. Pure. */
#ifndef SECURE_BOX_H
#define SECURE_BOX_H

#include "secure/seal.h"

#define BOX_VERSION 1
#define BOX_HEADER_LEN 5 /* version and key number */

/* A key in memory that is locked and wiped when freed (sodium_free). Ends the process rather than
 * fail. */
unsigned char *key_memory(void);

/* kind keeps uses apart ("value|", "data-key|"), place says where the value belongs. */
struct str box_seal(const struct env *env, const unsigned char *key, uint32_t number,
    const char *kind, struct str place, struct str plain, struct arena *arena);
/* False when it does not open. out: sealed.len - SEAL_OVERHEAD bytes, cleared on failure. */
MUST_CHECK bool box_open(const unsigned char *key, const char *kind, struct str place,
    struct str sealed, struct arena *arena, unsigned char *out);

#endif
