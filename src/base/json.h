/* JSON (RFC 8259): strict parsing into a tree, and a streaming writer.
 *
 * Parsing: one pass checks grammar, UTF-8 and depth before anything is built; the tree is then
 * built by cJSON inside the arena. Duplicate keys: the first wins. An escaped NUL (\u0000) becomes
 * U+FFFD, so that no C string below is ever cut short; so does half of a surrogate pair (\ud800),
 * which is no character: what comes out is always valid UTF-8. Numbers are doubles: integers
 * are exact up to 2^53, and those beyond are read as doubles only.
 *
 * Refused although the grammar of RFC 8259 allows it (its section 9 permits such limits): more than
 * 64 levels of nesting, a number beyond the range of a double or of 400 characters and more, a byte
 * order mark.
 *
 * Writing: straight into a buf; commas and escapes are the writer's business, nesting the
 * caller's (asserted). Nothing here yields.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

struct json; /* one node of a parsed tree; lives in the arena of the parse */

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

#define JSON_DEPTH_MAX 64
/* Beyond this several integers are one double (RFC 7493, section 2.2). */
#define JSON_I64_MAX ((INT64_C(1) << 53) - 1)

/* Parse text. Returns 0, or ERR_INVALID with the byte offset in the message. */
MUST_CHECK int json_parse(struct arena *arena, struct str text, const struct json **ret_root);

/* Only the check: 0 or ERR_INVALID. */
MUST_CHECK int json_check(struct str text);

/* Every reader takes NULL as "absent". */
enum json_type json_type(const struct json *node);                         /* JSON_NULL for NULL */
bool json_is(const struct json *node, enum json_type type);                /* false for NULL */
const struct json *json_get(const struct json *object, const char *key);   /* NULL if absent */
const struct json *json_path(const struct json *root, const char *dotted); /* "a.b.0.c" */
const struct json *json_at(const struct json *array, size_t index);
size_t json_len(const struct json *node); /* members of an array or object */
/* Iterate over an array or an object: for (n = json_first(x); n; n = json_next(n)) */
const struct json *json_first(const struct json *node);
const struct json *json_next(const struct json *node);
struct str json_key(const struct json *member); /* key of an object's member */

struct str json_str(const struct json *node);                        /* "" unless a string */
struct str json_get_str(const struct json *object, const char *key); /* "" unless a string */
/* otherwise unless a whole number between -JSON_I64_MAX and JSON_I64_MAX */
int64_t json_i64(const struct json *node, int64_t otherwise);
int64_t json_get_i64(const struct json *object, const char *key, int64_t otherwise);
double json_double(const struct json *node, double otherwise);
bool json_bool(const struct json *node, bool otherwise);
bool json_get_bool(const struct json *object, const char *key, bool otherwise);

/* Streaming writer. */
struct json_writer {
    struct buf *out;
    uint64_t first; /* bit per depth: nothing written yet at this level */
    int depth;
    bool after_key;
};

void json_init(struct json_writer *w, struct buf *out);
void json_object_begin(struct json_writer *w);
void json_object_end(struct json_writer *w);
void json_array_begin(struct json_writer *w);
void json_array_end(struct json_writer *w);
void json_name(struct json_writer *w, const char *key); /* a constant: visible ASCII, no quotes */
void json_name_str(struct json_writer *w, struct str key);
void json_put_str(struct json_writer *w, struct str value);   /* invalid UTF-8 becomes U+FFFD */
void json_put_cstr(struct json_writer *w, const char *value); /* NULL writes null */
/* One string of several parts. */
void json_put_joined(struct json_writer *w, const struct str *parts, size_t count);
void json_put_i64(struct json_writer *w, int64_t value);
void json_put_double(struct json_writer *w, double value); /* shortest form; NaN, Inf write null */
void json_put_bool(struct json_writer *w, bool value);
void json_put_null(struct json_writer *w);
void json_put_raw(struct json_writer *w, struct str json);          /* must be valid JSON already */
void json_put_node(struct json_writer *w, const struct json *node); /* a parsed tree, compact */
/* Into an open object: the members of another one, all but the one of that name. NULL has none. */
void json_put_members(struct json_writer *w, const struct json *object, const char *except);

/* name and value in one call */
void json_str_member(struct json_writer *w, const char *key, struct str value);
void json_cstr_member(struct json_writer *w, const char *key, const char *value);
void json_i64_member(struct json_writer *w, const char *key, int64_t value);
void json_bool_member(struct json_writer *w, const char *key, bool value);
void json_raw_member(struct json_writer *w, const char *key, struct str json);

/* The text of a node, compact, in arena. Members keep their order. */
struct str json_text(struct arena *arena, const struct json *node);
/* The same with object keys sorted: equal values give equal text (used for hashes). */
struct str json_canonical(struct arena *arena, const struct json *node);

#endif
