#include "runtime/errinj.h"

#include "base/err.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

enum { MAX_FAULTS = 16 };

struct fault {
    char name[64];
    int64_t at; /* 0: every time; otherwise the time it fires */
    bool from;  /* and every later one */
    bool kill;
    atomic_llong hits;
};

bool errinj_active_;

static struct fault faults[MAX_FAULTS];
static size_t fault_count;

/* Of a counting pass. Points are passed on several threads. */
enum { MAX_POINTS = 64 };
static pthread_mutex_t points_lock = PTHREAD_MUTEX_INITIALIZER;
static struct errinj_passed points[MAX_POINTS];
static size_t point_count;
static bool counting;

static void count_point(const char *name)
{
    size_t i = 0;

    pthread_mutex_lock(&points_lock);
    while (i < point_count && strcmp(points[i].name, name) != 0)
        i++;
    if (i == point_count && point_count < MAX_POINTS)
        points[point_count++] = (struct errinj_passed){name, 0};
    if (i < point_count)
        points[i].times++;
    pthread_mutex_unlock(&points_lock);
}

void errinj_count(void)
{
    fault_count = 0;
    point_count = 0;
    errinj_active_ = counting = true;
}

size_t errinj_passed(struct errinj_passed *ret_points, size_t max)
{
    size_t count;

    pthread_mutex_lock(&points_lock);
    count = MIN(point_count, max);
    memcpy(ret_points, points, count * sizeof(*points));
    pthread_mutex_unlock(&points_lock);
    return count;
}

static bool parse_fault(struct str text, struct fault *ret_fault)
{
    struct str name = text;
    ptrdiff_t equals;

    memset(ret_fault, 0, sizeof(*ret_fault));
    if (str_ends(name, STR("!kill"))) {
        ret_fault->kill = true;
        name.len -= 5;
    }
    equals = str_find_char(name, '=', 0);
    if (equals >= 0) {
        struct str number = str_slice(name, (size_t)equals + 1, name.len);
        ret_fault->from = str_ends(number, STR("+"));
        number.len -= ret_fault->from;
        if (!str_to_i64(number, &ret_fault->at) || ret_fault->at < 1)
            return false;
        name.len = (size_t)equals;
    }
    if (name.len == 0 || name.len >= sizeof(ret_fault->name))
        return false;
    memcpy(ret_fault->name, name.ptr, name.len);
    return true;
}

int errinj_set(const char *spec)
{
    struct str rest = str_from(spec), part;

    errinj_active_ = counting = false;
    fault_count = 0;
    if (rest.len == 0)
        return 0;
    while (str_next(&rest, ',', &part)) {
        part = str_trim(part);
        if (fault_count == MAX_FAULTS || !parse_fault(part, &faults[fault_count])) {
            fault_count = 0;
            return err_set(ERR_INVALID,
                "\"%.*s\" is not a fault; write NAME, NAME=3 or NAME=3+, optionally with !kill, "
                "at most %d of them",
                STR_ARG(part), MAX_FAULTS);
        }
        fault_count++;
    }
    errinj_active_ = true;
    return 0;
}

bool errinj_hit_(const char *name)
{
    if (counting)
        count_point(name);
    for (size_t i = 0; i < fault_count; i++) {
        struct fault *fault = &faults[i];
        if (strcmp(fault->name, name) != 0)
            continue;
        int64_t hit = atomic_fetch_add(&fault->hits, 1) + 1;
        if (fault->at != 0 && hit != fault->at && !(fault->from && hit > fault->at))
            continue;
        if (fault->kill)
            kill(getpid(), SIGKILL);
        return true;
    }
    return false;
}

#ifdef THEO_FAULTS
__attribute__((constructor)) static void faults_from_environment(void)
{
    if (errinj_set(getenv("THEO_FAULTS")) != 0) {
        fprintf(stderr, "theo: THEO_FAULTS: %s\n", err_message());
        exit(2);
    }
}
#endif
