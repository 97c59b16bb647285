/* A growable byte buffer, on the heap or in an arena.
 *
 * The bytes are always followed by a NUL that does not count, so buf->ptr is a C string once
 * anything was added. Nothing here yields or fails: memory that cannot be had ends the process.
 *
 * Ownership: a heap buffer is freed by buf_deinit(); an arena buffer lives as long as its arena
 * (buf_deinit() is then allowed and does nothing).
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

#include <stdarg.h>

struct buf {
    char *ptr;
    size_t len, cap;
    struct arena *arena; /* NULL: heap */
};

#define BUF_HEAP ((struct buf){0})
#define BUF_IN(a) ((struct buf){.arena = (a)})

void buf_deinit(struct buf *buf);
void buf_clear(struct buf *buf); /* len = 0, memory kept */
/* Room for extra more bytes; returns where they go. Then raise buf->len by what was written. */
static inline char *buf_reserve(struct buf *buf, size_t extra);
static inline void buf_add(struct buf *buf, const void *bytes, size_t len);
static inline void buf_add_str(struct buf *buf, struct str s);
void buf_add_cstr(struct buf *buf, const char *s);
static inline void buf_add_char(struct buf *buf, char c);
void buf_add_i64(struct buf *buf, int64_t value);
void buf_printf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *buf, const char *fmt, va_list args) PRINTF_LIKE(2, 0);
/* Drop the first count bytes (moves the rest). */
void buf_consume(struct buf *buf, size_t count);

/* For buf_reserve() alone. */
void buf_grow(struct buf *buf, size_t extra);

/* cap counts the NUL, so there is always room for it. */
static inline char *buf_reserve(struct buf *buf, size_t extra)
{
    if (extra >= buf->cap - buf->len)
        buf_grow(buf, extra);
    return buf->ptr + buf->len;
}

static inline void buf_add(struct buf *buf, const void *bytes, size_t len)
{
    char *to = buf_reserve(buf, len);

    if (len)
        memcpy(to, bytes, len);
    buf->len += len;
    to[len] = '\0';
}

static inline void buf_add_str(struct buf *buf, struct str s)
{
    buf_add(buf, s.ptr, s.len);
}

static inline void buf_add_char(struct buf *buf, char c)
{
    char *to = buf_reserve(buf, 1);

    to[0] = c;
    to[1] = '\0';
    buf->len++;
}

static inline struct str buf_str(const struct buf *buf)
{
    return (struct str){buf->ptr ? buf->ptr : "", buf->len};
}

#endif
