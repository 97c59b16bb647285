/* Structured logs: one event a line, JSON for machines, or a short coloured line on a terminal.
 *
 * Each line carries time, level, event name ("http.request"), the fields given, and the request
 * and run id of the current fiber. Secrets are removed by the redactor before a byte is written.
 * Lines are written whole with one write(2) to stderr. Never yields. Safe from any thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

enum log_format { LOG_AUTO /* human on a terminal, otherwise JSON */, LOG_JSON, LOG_HUMAN };

struct log_field {
    const char *name;
    enum { LOG_FIELD_STR, LOG_FIELD_I64, LOG_FIELD_BOOL } type;
    struct str str;
    int64_t i64;
};

#define LOG_STR(name, value) ((struct log_field){(name), LOG_FIELD_STR, (value), 0})
#define LOG_CSTR(name, value) ((struct log_field){(name), LOG_FIELD_STR, str_from(value), 0})
#define LOG_I64(name, value) ((struct log_field){(name), LOG_FIELD_I64, {NULL, 0}, (value)})
#define LOG_BOOL(name, value) ((struct log_field){(name), LOG_FIELD_BOOL, {NULL, 0}, (value)})

/* Write one event, e.g. log_info("store.opened", LOG_CSTR("path", path)). */
#define log_debug(event, ...) log_at(LOG_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...) log_at(LOG_INFO, event, __VA_ARGS__)
#define log_warn(event, ...) log_at(LOG_WARN, event, __VA_ARGS__)
#define log_error(event, ...) log_at(LOG_ERROR, event, __VA_ARGS__)
#define log_at(level, event, ...)                                                                  \
    do {                                                                                           \
        if ((level) >= log_level_get()) {                                                          \
            const struct log_field log_fields_[] = {(struct log_field){0}, ##__VA_ARGS__};         \
            log_write((level), (event), log_fields_ + 1, ARRAY_LEN(log_fields_) - 1);              \
        }                                                                                          \
    } while (0)
/* The current error as fields of an event. */
#define LOG_ERR                                                                                    \
    LOG_CSTR("error", err_message()), LOG_CSTR("at_file", err_get()->file),                        \
        LOG_I64("at_line", err_get()->line)

void log_write(
    enum log_level level, const char *event, const struct log_field *fields, size_t count);
enum log_level log_level_get(void);
void log_level_set(enum log_level level); /* the one mutable global of the design */
bool log_level_parse(struct str name, enum log_level *ret_level);

/* Once, before threads start. redact(text, arena) returns text without secrets; may be NULL. */
void log_setup(
    enum log_format format, int fd, struct str (*redact)(struct arena *arena, struct str text));

/* Ids added to each line of the current fiber. The runtime swaps the pointer at each switch. */
struct log_context {
    char request_id[40];
    char run_id[40];
};
struct log_context *log_context_swap(struct log_context *context); /* returns the former */
struct log_context *log_context_get(void);                         /* may be NULL */

#endif
