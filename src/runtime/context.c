/* _longjmp between stacks is what _FORTIFY_SOURCE takes for an attack. */
#undef _FORTIFY_SOURCE

#include "runtime/private.h"
#include "runtime/sanitizer.h"

#include <errno.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

/* Stacks kept for reuse by a loop: a fresh one costs about 9 µs, a kept one its touched pages. */
#define POOL_MAX 256

#define STACK_BYTES ((size_t)FIBER_STACK * SANITIZER_STACK_FACTOR)
#define RECORD_BYTES ((sizeof(struct fiber) + 63) & ~(size_t)63)

static char *stack_bottom(struct fiber *f)
{
    return (char *)f + RECORD_BYTES - STACK_BYTES;
}

static NORETURN void out_of_stacks(void)
{
    fprintf(stderr,
        "theo: cannot map a fiber stack (%s); lower server.max-connections or raise "
        "vm.max_map_count\n",
        strerror(errno));
    abort();
}

static struct fiber *map_stack(void)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    char *map = mmap(NULL, STACK_BYTES + guard, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    if (map == MAP_FAILED || mprotect(map, guard, PROT_NONE) != 0)
        out_of_stacks();
    return (struct fiber *)(void *)(map + guard + STACK_BYTES - RECORD_BYTES);
}

static void unmap_stack(struct fiber *f)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);

    munmap(stack_bottom(f) - guard, STACK_BYTES + guard);
}

struct fiber *context_new(struct loop *loop)
{
    struct fiber *f = loop->pool;

    if (!f)
        return map_stack();
    loop->pool = f->next;
    loop->pooled--;
    return f;
}

void context_free(struct loop *loop, struct fiber *f)
{
    if (loop->pooled >= POOL_MAX) {
        unmap_stack(f);
        return;
    }
    f->next = loop->pool;
    loop->pool = f;
    loop->pooled++;
}

void context_free_pool(struct loop *loop)
{
    while (loop->pool) {
        struct fiber *f = loop->pool;
        loop->pool = f->next;
        unmap_stack(f);
    }
    loop->pooled = 0;
}

/* ASan must not guard the frames of functions that are left by a switch: it would never learn of
 * their end. */
#define NOT_INSTRUMENTED __attribute__((no_sanitize("address")))

/* A stack that is used again is still inside this loop, so makecontext() is paid once a stack. */
NOT_INSTRUMENTED static void trampoline(void)
{
    struct loop *loop = loop_current();
    struct fiber *f = loop->current;

    for (;;) {
        sanitizer_finish_switch(NULL, &loop->stack_bottom, &loop->stack_size);
        fiber_main(f);
        if (_setjmp(f->context) == 0) {
            sanitizer_start_switch(NULL, loop->stack_bottom, loop->stack_size);
            _longjmp(loop->context, 1);
        }
    }
}

NOT_INSTRUMENTED static void start(struct fiber *f)
{
    ucontext_t context;

    getcontext(&context);
    context.uc_stack.ss_sp = stack_bottom(f);
    context.uc_stack.ss_size = STACK_BYTES - RECORD_BYTES;
    context.uc_link = NULL;
    makecontext(&context, trampoline, 0);
    f->started = true;
    setcontext(&context);
}

NOT_INSTRUMENTED void context_enter(struct loop *loop, struct fiber *f)
{
    loop->current = f;
    sanitizer_start_switch(&loop->fake_stack, stack_bottom(f), STACK_BYTES - RECORD_BYTES);
    if (_setjmp(loop->context) == 0) {
        if (f->started)
            _longjmp(f->context, 1);
        start(f);
    }
    loop->current = NULL;
    sanitizer_finish_switch(loop->fake_stack, NULL, NULL);
}

NOT_INSTRUMENTED void context_leave(struct fiber *f)
{
    struct loop *loop = f->loop;

    sanitizer_start_switch(&f->fake_stack, loop->stack_bottom, loop->stack_size);
    if (_setjmp(f->context) == 0)
        _longjmp(loop->context, 1);
    sanitizer_finish_switch(f->fake_stack, &loop->stack_bottom, &loop->stack_size);
}
