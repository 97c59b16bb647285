#include "runtime/private.h"

/* A binary heap of fibers by timer_key. Most waits end long before their deadline and the next
 * wait's deadline is later, so a fiber that is woken stays where it is and its old key, which can
 * only be too early, is put right when it comes due. A wait then costs no heap operation. */

static void place(struct loop *loop, size_t index, struct fiber *f)
{
    loop->timers[index] = f;
    f->timer_index = index;
}

static void sift_up(struct loop *loop, struct fiber *f)
{
    size_t index = f->timer_index;

    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (loop->timers[parent]->timer_key <= f->timer_key)
            break;
        place(loop, index, loop->timers[parent]);
        index = parent;
    }
    place(loop, index, f);
}

static void sift_down(struct loop *loop, struct fiber *f)
{
    size_t index = f->timer_index;

    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= loop->timer_count)
            break;
        if (child + 1 < loop->timer_count &&
            loop->timers[child + 1]->timer_key < loop->timers[child]->timer_key)
            child++;
        if (loop->timers[child]->timer_key >= f->timer_key)
            break;
        place(loop, index, loop->timers[child]);
        index = child;
    }
    place(loop, index, f);
}

void timers_set(struct loop *loop, struct fiber *f)
{
    if (f->timer_index != SIZE_MAX) {
        if (f->deadline < f->timer_key) {
            f->timer_key = f->deadline;
            sift_up(loop, f);
        }
        return;
    }
    if (loop->timer_count == loop->timer_cap) {
        loop->timer_cap = MAX(64, 2 * loop->timer_cap);
        loop->timers = xrealloc(loop->timers, loop->timer_cap * sizeof(struct fiber *));
    }
    f->timer_key = f->deadline;
    f->timer_index = loop->timer_count++;
    sift_up(loop, f);
}

void timers_remove(struct loop *loop, struct fiber *f)
{
    size_t index = f->timer_index;

    if (index == SIZE_MAX)
        return;
    f->timer_index = SIZE_MAX;
    loop->timer_count--;
    if (index == loop->timer_count)
        return;
    struct fiber *last = loop->timers[loop->timer_count];
    last->timer_index = index;
    sift_up(loop, last);
    sift_down(loop, last);
}

void timers_fire(struct loop *loop)
{
    while (loop->timer_count > 0) {
        struct fiber *f = loop->timers[0];
        if (f->timer_key > loop_now_ms(loop))
            return;
        if (f->parked && f->deadline <= loop_now_ms(loop)) {
            timers_remove(loop, f);
            fiber_resume(f, ERR_TIMEOUT);
        } else if (f->parked && f->deadline != FIBER_NO_DEADLINE) {
            f->timer_key = f->deadline;
            sift_down(loop, f);
        } else {
            timers_remove(loop, f);
        }
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct loop *loop = timer->data;

    loop->timer_armed = FIBER_NO_DEADLINE;
    uv_stop(&loop->uv);
}

/* The uv timer is only moved to an earlier time; when it fires too early it is armed again. */
void timers_arm(struct loop *loop)
{
    if (loop->timer_count == 0)
        return;
    int64_t key = loop->timers[0]->timer_key;
    if (key >= loop->timer_armed)
        return;
    int64_t now = env_mono_ms(loop->env);
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->timer, on_timer, (uint64_t)MAX(1, key - now), 0);
    loop->timer_armed = key;
}
