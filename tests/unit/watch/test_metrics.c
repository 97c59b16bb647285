#include "test.h"
#include "watch/metrics.h"

#include <pthread.h>

static struct str exposition(struct test *t)
{
    struct buf out = BUF_IN(t->arena);

    metrics_write(&out);
    return buf_str(&out);
}

static bool has_line(struct str text, const char *line)
{
    struct str part;

    while (str_next(&text, '\n', &part))
        if (str_is(part, line))
            return true;
    return false;
}

TEST(metrics_counters_with_labels)
{
    int64_t before = metric_read(M_HTTP_REQUESTS, NULL);

    metric_add(M_HTTP_REQUESTS, "2xx", 1);
    metric_add(M_HTTP_REQUESTS, "4\"x\\x\n", 2);
    metric_add(M_HTTP_REQUESTS, "2xx", 1);
    EXPECT_EQ(metric_read(M_HTTP_REQUESTS, "2xx"), 2);
    EXPECT_EQ(metric_read(M_HTTP_REQUESTS, "never"), 0);
    EXPECT_EQ(metric_read(M_HTTP_REQUESTS, NULL), before + 4);

    struct str text = exposition(t);

    EXPECT(has_line(text, "theo_http_requests_total{status=\"2xx\"} 2"));
    EXPECT(has_line(text, "theo_http_requests_total{status=\"4\\\"x\\\\x\\n\"} 2"));
    EXPECT(has_line(text, "# TYPE theo_http_requests_total counter"));
    EXPECT(str_find(text, STR("never"), 0) < 0);
}

TEST(metrics_without_label_exist_from_the_start)
{
    EXPECT(has_line(exposition(t), "theo_store_errors_total 0"));
    EXPECT(has_line(exposition(t), "# TYPE theo_runs_in_flight gauge"));
}

TEST(metrics_gauges)
{
    metric_set(M_HTTP_CONNECTIONS, NULL, 7);
    metric_add(M_HTTP_CONNECTIONS, NULL, -2);
    EXPECT_EQ(metric_read(M_HTTP_CONNECTIONS, NULL), 5);
    metric_set(M_HTTP_CONNECTIONS, NULL, 3);
    EXPECT(has_line(exposition(t), "theo_http_connections 3"));
}

TEST(metrics_histograms_are_cumulative)
{
    metric_observe_ms(M_RUN_MS, NULL, 0.2);
    metric_observe_ms(M_RUN_MS, NULL, 10); /* a bound belongs to its bucket */
    metric_observe_ms(M_RUN_MS, NULL, 10.5);
    metric_observe_ms(M_RUN_MS, NULL, 1e9);
    metric_observe_ms(M_RUN_MS, NULL, -5);
    EXPECT_EQ(metric_read(M_RUN_MS, NULL), 5);

    struct str text = exposition(t);

    EXPECT(has_line(text, "theo_run_duration_ms_bucket{le=\"0.5\"} 2"));
    EXPECT(has_line(text, "theo_run_duration_ms_bucket{le=\"5\"} 2"));
    EXPECT(has_line(text, "theo_run_duration_ms_bucket{le=\"10\"} 3"));
    EXPECT(has_line(text, "theo_run_duration_ms_bucket{le=\"25\"} 4"));
    EXPECT(has_line(text, "theo_run_duration_ms_bucket{le=\"60000\"} 4"));
    EXPECT(has_line(text, "theo_run_duration_ms_bucket{le=\"+Inf\"} 5"));
    EXPECT(has_line(text, "theo_run_duration_ms_count 5"));
    EXPECT(has_line(text, "theo_run_duration_ms_sum 1000000020.700"));
    EXPECT(str_ends(text, STR("\n")));
}

static void *add_many(void *arg)
{
    static const char *const values[] = {"one", "two", "three", "four"};

    for (int i = 0; i < 20000; i++)
        metric_add(M_TOOL_CALLS, values[(i + *(int *)arg) % 4], 1);
    return NULL;
}

TEST(metrics_lose_nothing_between_threads)
{
    pthread_t threads[12];
    int starts[12];

    for (int i = 0; i < 12; i++) {
        starts[i] = i;
        REQUIRE(pthread_create(&threads[i], NULL, add_many, &starts[i]) == 0);
    }
    for (int i = 0; i < 12; i++)
        pthread_join(threads[i], NULL);
    EXPECT_EQ(metric_read(M_TOOL_CALLS, NULL), 12 * 20000);
    EXPECT_EQ(metric_read(M_TOOL_CALLS, "one"), 12 * 5000);
    EXPECT_EQ(metric_read(M_TOOL_CALLS, "four"), 12 * 5000);
}

TEST(metrics_with_too_many_labels_fall_together)
{
    static char values[50][8];

    for (int i = 0; i < 50; i++) {
        snprintf(values[i], sizeof(values[i]), "v%d", i);
        metric_add(M_AUTH_FAILURES, values[i], 1);
    }
    EXPECT_EQ(metric_read(M_AUTH_FAILURES, "v30"), 1);
    EXPECT_EQ(metric_read(M_AUTH_FAILURES, NULL), 50);
    EXPECT(has_line(exposition(t), "theo_auth_failures_total{reason=\"other\"} 19"));
}
