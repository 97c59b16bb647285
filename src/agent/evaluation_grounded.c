/* grounded: each figure of the answer stands in what the model was shown. Figures of one digit and
 * times of day do not count, and "12,500" is "12.500" and "12500". */
#include "agent/evaluation.h"

#define FIGURES_MAX 512
#define DIGITS_MAX 24

struct figure {
    char digits[DIGITS_MAX];
    size_t len;
};

/* The next one at or after *pos; false at the end. */
static bool next_figure(struct str text, size_t *pos, struct figure *ret_figure)
{
    while (*pos < text.len) {
        struct figure figure = {.len = 0};
        bool time = false;

        while (*pos < text.len && !char_is_digit(text.ptr[*pos]))
            (*pos)++;
        for (; *pos < text.len; (*pos)++) {
            char c = text.ptr[*pos];
            bool inner = (c == '.' || c == ',' || c == ':') && *pos + 1 < text.len &&
                         char_is_digit(text.ptr[*pos + 1]);

            if (!char_is_digit(c) && !inner)
                break;
            time = time || c == ':';
            if (char_is_digit(c) && figure.len < DIGITS_MAX)
                figure.digits[figure.len++] = c;
        }
        if (figure.len > 1 && !time) {
            *ret_figure = figure;
            return true;
        }
    }
    return false;
}

static bool is_read(const struct evaluation_call *call, const struct figure *want)
{
    for (size_t i = 0; i < call->read_count; i++) {
        struct figure figure;

        for (size_t pos = 0; next_figure(call->read[i], &pos, &figure);)
            if (figure.len == want->len && memcmp(figure.digits, want->digits, want->len) == 0)
                return true;
    }
    return false;
}

static int run(const struct evaluation_call *call, struct evaluation_score *ret_score)
{
    size_t count = 0, found = 0;
    struct figure figure;

    for (size_t pos = 0; count < FIGURES_MAX && next_figure(call->reply, &pos, &figure); count++)
        found += is_read(call, &figure);
    if (count == 0)
        return EVALUATION_VOID;
    *ret_score = (struct evaluation_score){
        .score = (double)found / (double)count,
        .passed = found == count,
        .reason =
            str_printf(call->arena, "%zu of %zu figures stand in what was read", found, count),
    };
    return 0;
}

const struct evaluator evaluation_grounded = {.name = "grounded", .run = run};
