/* HTTP vocabulary shared by server, client and parser: methods, headers, limits.
 *
 * Header names compare without case. Sources: RFC 9110, RFC 9112.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/buf.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_REPORT,
    HTTP_PROPFIND,
    HTTP_OTHER,
};

struct http_header {
    struct str name, value;
};

struct http_headers {
    struct http_header *items;
    size_t count;
};

const char *http_method_name(enum http_method method);
enum http_method http_method_parse(struct str token); /* HTTP_OTHER if not known; case-sensitive */
const char *http_reason(int status);                  /* "Not Found"; "Unknown" otherwise */
/* First value of that name; an empty str with ptr NULL when absent. */
struct str http_header(const struct http_headers *headers, const char *name);

#endif
