#include "http/multipart.h"

/* A file name inside quotes (RFC 7578 section 4.2; browsers write it so). */
static void add_quoted(struct buf *body, struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (c == '"')
            buf_add_str(body, STR("%22"));
        else
            buf_add_char(body, (unsigned char)c < ' ' || c == '/' || c == '\\' ? '_' : c);
    }
}

static bool stands_in(const struct multipart_part *parts, size_t count, struct str boundary)
{
    for (size_t i = 0; i < count; i++)
        if (str_find(parts[i].value, boundary, 0) >= 0)
            return true;
    return false;
}

static void add_part(struct buf *body, struct str boundary, const struct multipart_part *part)
{
    buf_printf(body, "--%.*s\r\nContent-Disposition: form-data; name=\"", STR_ARG(boundary));
    add_quoted(body, part->name);
    buf_add_char(body, '"');
    if (!str_empty(part->file_name)) {
        buf_add_str(body, STR("; filename=\""));
        add_quoted(body, part->file_name);
        buf_printf(body, "\"\r\nContent-Type: %.*s", STR_ARG(part->type));
    }
    buf_add_str(body, STR("\r\n\r\n"));
    buf_add_str(body, part->value);
    buf_add_str(body, STR("\r\n"));
}

struct str multipart_write(
    const struct multipart_part *parts, size_t count, struct arena *arena, struct str *ret_type)
{
    struct str boundary = STR("theo");
    struct buf body = BUF_IN(arena);
    size_t size = 0;

    while (stands_in(parts, count, boundary))
        boundary = str_printf(arena, "%.*s-%zu", STR_ARG(boundary), boundary.len * 7919);
    for (size_t i = 0; i < count; i++)
        size += parts[i].value.len + 512;
    buf_reserve(&body, size);
    for (size_t i = 0; i < count; i++)
        add_part(&body, boundary, &parts[i]);
    buf_printf(&body, "--%.*s--\r\n", STR_ARG(boundary));
    *ret_type = str_printf(arena, "multipart/form-data; boundary=%.*s", STR_ARG(boundary));
    return buf_str(&body);
}
