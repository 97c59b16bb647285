/* max-length: an answer of at most so many characters. A longer one is cut at the end of a sentence
 * (the default), given back to the model once and cut then, or not sent at all. Text with a schema
 * is never cut. */
#include "agent/guard.h"

static size_t count_characters(struct str text)
{
    size_t count = 0;

    for (size_t pos = 0; pos < text.len; count++)
        (void)utf8_next(text, &pos);
    return count;
}

static struct str first_characters(struct str text, size_t count)
{
    size_t pos = 0;

    while (count-- > 0 && pos < text.len)
        (void)utf8_next(text, &pos);
    return str_slice(text, 0, pos);
}

/* The whole sentences of it if they are half of it at least, else its whole words. */
static struct str cut(struct arena *arena, struct str text, size_t most)
{
    struct str kept = first_characters(text, most - 1);
    size_t word = kept.len;

    for (size_t at = kept.len; at > kept.len / 2; at--) {
        char c = kept.ptr[at - 1];
        bool ends = at == kept.len ? char_is_space(text.ptr[at]) : char_is_space(kept.ptr[at]);

        if ((c == '.' || c == '!' || c == '?') && ends)
            return str_slice(kept, 0, at);
        if (char_is_space(c) && word == kept.len)
            word = at - 1;
    }
    return str_printf(arena, "%.*s…", STR_ARG(str_trim(str_slice(kept, 0, word))));
}

static int check(const struct guard_call *call, struct guard_finding *ret_finding)
{
    size_t most = (size_t)json_get_i64(call->options, "characters", 2000);
    size_t count = count_characters(call->text);
    struct str how = json_get_str(call->options, "on-excess");

    if (count <= most)
        return GUARD_PASS;
    ret_finding->reason =
        str_printf(call->arena, "The answer has %zu characters and may have %zu.", count, most);
    ret_finding->apology = "My answer became too long to send; could you ask for a part of it?";
    if (str_is(how, "stop"))
        return GUARD_STOP;
    if ((str_is(how, "again") || !str_empty(call->schema)) && !call->last)
        return GUARD_AGAIN;
    if (!str_empty(call->schema))
        return GUARD_STOP;
    ret_finding->text = cut(call->arena, call->text, most);
    return GUARD_CHANGED;
}

const struct guard guard_max_length = {
    .name = "max-length",
    .phases = GUARD_AFTER,
    .options = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
               "\"characters\":{\"type\":\"integer\",\"minimum\":20,\"maximum\":100000},"
               "\"on-excess\":{\"type\":\"string\",\"enum\":[\"cut\",\"again\",\"stop\"]},"
               "\"message\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":500}}}",
    .check = check,
};
