#include "base/buf.h"

void buf_deinit(struct buf *buf)
{
    if (!buf->arena)
        free(buf->ptr);
    *buf = (struct buf){.arena = buf->arena};
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    if (buf->ptr)
        buf->ptr[0] = '\0';
}

void buf_grow(struct buf *buf, size_t extra)
{
    size_t need;

    if (__builtin_add_overflow(buf->len, extra, &need) || need >= SIZE_MAX / 2)
        need = SIZE_MAX / 2; /* more than can be had: ends the process */

    size_t cap = MAX(MAX(buf->cap * 2, need + 1), (size_t)64);

    if (buf->arena)
        buf->ptr = arena_grow(buf->arena, buf->ptr, buf->ptr ? buf->cap : 0, cap);
    else
        buf->ptr = xrealloc(buf->ptr, cap);
    buf->cap = cap;
    buf->ptr[buf->len] = '\0';
}

void buf_add_cstr(struct buf *buf, const char *s)
{
    buf_add(buf, s, strlen(s));
}

void buf_add_i64(struct buf *buf, int64_t value)
{
    char digits[20];
    char *at = digits + sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        *--at = '-';
    buf_add(buf, at, (size_t)(digits + sizeof(digits) - at));
}

void buf_vprintf(struct buf *buf, const char *fmt, va_list args)
{
    va_list again;

    va_copy(again, args);
    buf_reserve(buf, 64);

    size_t room = buf->cap - buf->len;
    int len = vsnprintf(buf->ptr + buf->len, room, fmt, args);

    assert(len >= 0); /* only a broken format fails */
    if ((size_t)len >= room) {
        buf_reserve(buf, (size_t)len);
        vsnprintf(buf->ptr + buf->len, (size_t)len + 1, fmt, again);
    }
    buf->len += (size_t)len;
    va_end(again);
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_vprintf(buf, fmt, args);
    va_end(args);
}

void buf_consume(struct buf *buf, size_t count)
{
    assert(count <= buf->len);
    if (!buf->ptr || !count)
        return;
    memmove(buf->ptr, buf->ptr + count, buf->len - count + 1);
    buf->len -= count;
}
