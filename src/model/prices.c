#include "model/model.h"

struct row {
    const char *provider, *name;
    struct model_price price;
};

#define PRICE(provider, name, context, input, cached, output)                                      \
    {provider, name, {context, input, cached, output}},
static const struct row rows[] = {
#include "model/prices.def"
};
#undef PRICE

/* "INPUT/OUTPUT" or "INPUT/CACHED/OUTPUT". */
static bool read_price(struct str text, struct model_price *ret_price)
{
    double numbers[3];
    size_t count = 0;
    struct str one;

    while (str_next(&text, '/', &one)) {
        if (count == ARRAY_LEN(numbers) || !str_to_double(str_trim(one), &numbers[count]) ||
            numbers[count] < 0)
            return false;
        count++;
    }
    if (count < 2)
        return false;
    *ret_price = (struct model_price){0, numbers[0], numbers[1], numbers[count - 1]};
    if (count == 2)
        ret_price->cached = numbers[0];
    return true;
}

int model_prices_check(const char *own)
{
    struct str rest = str_from(own), one, name;
    struct model_price price;

    while (str_next(&rest, ',', &one)) {
        if (str_empty(str_trim(one)))
            continue;
        if (!str_next(&one, '=', &name) || str_empty(str_trim(name)) || !one.ptr ||
            !read_price(str_trim(one), &price))
            return err_field(ERR_INVALID, "model.prices",
                "model.prices must be NAME=INPUT/OUTPUT or NAME=INPUT/CACHED/OUTPUT, in US dollars "
                "for a million tokens, comma-separated; \"%.*s\" is not.",
                STR_ARG(str_trim(name)));
    }
    return 0;
}

/* A dated or latest version of a model costs what the model costs; any other name is another one.
 */
static bool is_version(struct str rest)
{
    return str_empty(rest) || str_starts(rest, STR("-20")) || str_is(rest, "-latest") ||
           str_starts(rest, STR("@20"));
}

/* How much of spec the row names; 0: it is another model. */
static size_t match(struct str spec, const char *provider, const char *name)
{
    struct str prefix;

    if (!str_next(&spec, ':', &prefix) || !str_is(prefix, provider) ||
        !str_starts(spec, str_from(name)) || !is_version(str_slice(spec, strlen(name), spec.len)))
        return 0;
    return strlen(name);
}

bool model_price(const char *own, struct str spec, struct model_price *ret_price)
{
    struct str rest = str_from(own), one, name;
    size_t best = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = match(spec, rows[i].provider, rows[i].name);

        if (len > best) {
            best = len;
            *ret_price = rows[i].price;
        }
    }
    while (str_next(&rest, ',', &one)) {
        struct model_price price;

        if (!str_next(&one, '=', &name) || !str_eq(str_trim(name), spec) || !one.ptr ||
            !read_price(str_trim(one), &price))
            continue;
        price.context = best > 0 ? ret_price->context : 0;
        *ret_price = price;
        return true;
    }
    return best > 0;
}

double model_cost_usd(const struct model_price *price, const struct model_usage *usage)
{
    int64_t cached = MIN(usage->cached_tokens, usage->input_tokens);

    return ((double)(usage->input_tokens - cached) * price->input + (double)cached * price->cached +
               (double)usage->output_tokens * price->output) /
           1e6;
}
