/* Bodies of multipart/form-data (RFC 7578). */
#ifndef HTTP_MULTIPART_H
#define HTTP_MULTIPART_H

#include "base/buf.h"

struct multipart_part {
    struct str name, value;
    struct str file_name; /* of a file; empty: a plain field */
    struct str type;      /* media type of a file */
};

/* The body, and through ret_type its Content-Type; both in arena. Parts may hold, and be called,
 * whatever a stranger likes: none of it ends its part. */
struct str multipart_write(
    const struct multipart_part *parts, size_t count, struct arena *arena, struct str *ret_type);

#endif
