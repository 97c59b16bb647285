/* The vocabulary that every file shares: attributes, sizes and small macros.
 *
 * Nothing here allocates, yields or keeps state.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include "base/banned.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define NORETURN __attribute__((noreturn))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* The structure that holds member at ptr. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define KIB (1024)
#define MIB (1024 * 1024)

#define SECOND_MS (1000)
#define MINUTE_MS (60 * 1000)
#define HOUR_MS (3600 * 1000)
#define DAY_MS (86400LL * 1000)

#endif
