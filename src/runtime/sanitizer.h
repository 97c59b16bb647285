/* Tells AddressSanitizer about stack switches; nothing in other builds. */
#ifndef RUNTIME_SANITIZER_H
#define RUNTIME_SANITIZER_H

#include <stddef.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/common_interface_defs.h>
#define SANITIZER_STACK_FACTOR 4
#define sanitizer_start_switch __sanitizer_start_switch_fiber
#define sanitizer_finish_switch __sanitizer_finish_switch_fiber
#else
#define SANITIZER_STACK_FACTOR 1
static inline void sanitizer_start_switch(void **save, const void *bottom, size_t size)
{
    (void)save, (void)bottom, (void)size;
}
static inline void sanitizer_finish_switch(void *save, const void **ret_bottom, size_t *ret_size)
{
    (void)save, (void)ret_bottom, (void)ret_size;
}
#endif

#endif
