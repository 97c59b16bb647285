/* The contract and the page made from it: openapi.yaml, turned into bytes by script/gen-openapi
 * when Theo is built. */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include <stddef.h>

extern const char openapi_json[], docs_html[];
extern const size_t openapi_json_len, docs_html_len;

#endif
