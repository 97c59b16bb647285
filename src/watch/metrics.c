#include "watch/metrics.h"

#include <stdatomic.h>

#define SHARDS 8
#define LABELS 32 /* the last one collects what has no room: "other" */

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM };

static const struct {
    enum kind kind;
    const char *name, *label, *help;
} metrics[] = {
#define COUNTER(id, name, label, help) {KIND_COUNTER, name, label, help},
#define GAUGE(id, name, label, help) {KIND_GAUGE, name, label, help},
#define HISTOGRAM(id, name, label, help) {KIND_HISTOGRAM, name, label, help},
#include "watch/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

static const double bounds_ms[] = {
    0.5, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000};
#define BUCKETS (ARRAY_LEN(bounds_ms) + 1) /* the last one has no upper bound */

/* A cell belongs to one metric and label value. A counter or gauge uses value; a histogram keeps
 * its sum there, in microseconds. */
struct cell {
    _Atomic int64_t value;
    _Atomic int64_t buckets[BUCKETS];
};

/* Threads add to different shards, so that they do not fight over cache lines. Pages that nobody
 * touches cost nothing. */
static struct shard {
    struct cell cells[METRIC_COUNT][LABELS];
} shards[SHARDS] __attribute__((aligned(64)));

/* Label values of each metric in the order of their first use. NULL: free. */
static _Atomic(const char *) labels[METRIC_COUNT][LABELS];

static struct shard *own_shard(void)
{
    static _Atomic unsigned threads;
    static _Thread_local struct shard *own;

    if (!own)
        own = &shards[atomic_fetch_add(&threads, 1) % SHARDS];
    return own;
}

/* Place of the label value, registered if it is new and add says so; LABELS when it is unknown. */
static size_t label_place(enum metric metric, const char *label, bool add)
{
    if (!metrics[metric].label || !label)
        label = "";
    for (size_t i = 0; i < LABELS - 1; i++) {
        const char *known = atomic_load_explicit(&labels[metric][i], memory_order_acquire);

        if (!known && !add)
            return LABELS;
        if (!known && atomic_compare_exchange_strong(&labels[metric][i], &known, label))
            return i;
        /* A failed exchange has loaded what another thread put there. */
        if (known == label || strcmp(known, label) == 0)
            return i;
    }
    return LABELS - 1;
}

static struct cell *own_cell(enum metric metric, const char *label)
{
    return &own_shard()->cells[metric][label_place(metric, label, true)];
}

void metric_add(enum metric metric, const char *label, int64_t amount)
{
    atomic_fetch_add_explicit(&own_cell(metric, label)->value, amount, memory_order_relaxed);
}

void metric_set(enum metric metric, const char *label, int64_t value)
{
    size_t place = label_place(metric, label, true);

    for (size_t i = 0; i < SHARDS; i++)
        atomic_store_explicit(
            &shards[i].cells[metric][place].value, i == 0 ? value : 0, memory_order_relaxed);
}

void metric_observe_ms(enum metric metric, const char *label, double ms)
{
    struct cell *cell = own_cell(metric, label);
    size_t bucket = 0;

    ms = ms > 0 ? MIN(ms, 1e12) : 0; /* also for NaN */
    while (bucket < ARRAY_LEN(bounds_ms) && ms > bounds_ms[bucket])
        bucket++;
    atomic_fetch_add_explicit(&cell->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&cell->value, (int64_t)(ms * 1000), memory_order_relaxed);
}

static int64_t sum_value(enum metric metric, size_t place)
{
    int64_t sum = 0;

    for (size_t i = 0; i < SHARDS; i++)
        sum += atomic_load_explicit(&shards[i].cells[metric][place].value, memory_order_relaxed);
    return sum;
}

static int64_t sum_bucket(enum metric metric, size_t place, size_t bucket)
{
    int64_t sum = 0;

    for (size_t i = 0; i < SHARDS; i++)
        sum += atomic_load_explicit(
            &shards[i].cells[metric][place].buckets[bucket], memory_order_relaxed);
    return sum;
}

static int64_t read_place(enum metric metric, size_t place)
{
    int64_t count = 0;

    if (metrics[metric].kind != KIND_HISTOGRAM)
        return sum_value(metric, place);
    for (size_t i = 0; i < BUCKETS; i++)
        count += sum_bucket(metric, place, i);
    return count;
}

int64_t metric_read(enum metric metric, const char *label)
{
    int64_t sum = 0;

    if (label) {
        size_t place = label_place(metric, label, false);

        return place < LABELS ? read_place(metric, place) : 0;
    }
    for (size_t i = 0; i < LABELS; i++)
        sum += read_place(metric, i);
    return sum;
}

static void put_escaped(struct buf *out, const char *text, bool quotes)
{
    for (; *text; text++) {
        if (*text == '\n')
            buf_add_cstr(out, "\\n");
        else if (*text == '\\' || (quotes && *text == '"'))
            buf_add(out, (char[]){'\\', *text}, 2);
        else
            buf_add_char(out, *text);
    }
}

static const char *label_at(enum metric metric, size_t place)
{
    if (place == LABELS - 1)
        return read_place(metric, place) ? "other" : NULL;
    return atomic_load_explicit(&labels[metric][place], memory_order_acquire);
}

/* name_suffix{label="value",le="bound"} */
static void put_name(
    struct buf *out, enum metric metric, const char *suffix, const char *label, const char *bound)
{
    bool labelled = metrics[metric].label != NULL;

    buf_add_cstr(out, metrics[metric].name);
    buf_add_cstr(out, suffix);
    if (labelled || bound)
        buf_add_char(out, '{');
    if (labelled) {
        buf_printf(out, "%s=\"", metrics[metric].label);
        put_escaped(out, label, true);
        buf_add_char(out, '"');
    }
    if (bound)
        buf_printf(out, "%sle=\"%s\"", labelled ? "," : "", bound);
    if (labelled || bound)
        buf_add_char(out, '}');
    buf_add_char(out, ' ');
}

static void put_histogram(struct buf *out, enum metric metric, size_t place, const char *label)
{
    int64_t count = 0;

    for (size_t i = 0; i < BUCKETS; i++) {
        char bound[32] = "+Inf";

        if (i < ARRAY_LEN(bounds_ms))
            snprintf(bound, sizeof(bound), "%g", bounds_ms[i]);
        count += sum_bucket(metric, place, i);
        put_name(out, metric, "_bucket", label, bound);
        buf_printf(out, "%lld\n", (long long)count);
    }
    put_name(out, metric, "_sum", label, NULL);
    buf_printf(out, "%.3f\n", (double)sum_value(metric, place) / 1000);
    put_name(out, metric, "_count", label, NULL);
    buf_printf(out, "%lld\n", (long long)count);
}

static void put_metric(struct buf *out, enum metric metric)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    enum kind kind = metrics[metric].kind;

    buf_printf(out, "# HELP %s ", metrics[metric].name);
    put_escaped(out, metrics[metric].help, false);
    buf_printf(out, "\n# TYPE %s %s\n", metrics[metric].name, kinds[kind]);
    for (size_t place = 0; place < LABELS; place++) {
        const char *label = label_at(metric, place);

        /* A metric without label exists from the start. */
        if (!label && !(place == 0 && !metrics[metric].label))
            continue;
        if (kind == KIND_HISTOGRAM) {
            put_histogram(out, metric, place, label);
        } else {
            put_name(out, metric, "", label, NULL);
            buf_printf(out, "%lld\n", (long long)sum_value(metric, place));
        }
    }
}

void metrics_write(struct buf *out)
{
    for (size_t i = 0; i < METRIC_COUNT; i++)
        put_metric(out, (enum metric)i);
}
