/* Metrics: counters, gauges and histograms in one table (watch/metrics.def), Prometheus text out.
 *
 * Values are relaxed atomics, sharded by thread; adding costs a few nanoseconds. Histograms are of
 * milliseconds with fixed bounds. A metric may have one label with a small fixed set of values.
 */
#ifndef WATCH_METRICS_H
#define WATCH_METRICS_H

#include "base/buf.h"

enum metric {
#define COUNTER(id, name, label, help) id,
#define GAUGE(id, name, label, help) id,
#define HISTOGRAM(id, name, label, help) id,
#include "watch/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
    METRIC_COUNT
};

/* label: one of at most 32 values per metric, a constant string; NULL for metrics without one. */
void metric_add(enum metric metric, const char *label, int64_t amount);
void metric_set(enum metric metric, const char *label, int64_t value); /* gauges */
void metric_observe_ms(enum metric metric, const char *label, double ms);
int64_t metric_read(enum metric metric, const char *label); /* tests, /api/config */
/* Prometheus text format 0.0.4 (protocols.md section 9). */
void metrics_write(struct buf *out);

#endif
