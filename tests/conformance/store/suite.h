/* The store's conformance suite: what every back end must do, asked through store/store.h.
 *
 * THEO_TEST_STORE names the store to test ("memory", "sqlite", "trace:sqlite"). A back end that is
 * new runs the same program with its own name.
 */
#ifndef CONFORMANCE_STORE_SUITE_H
#define CONFORMANCE_STORE_SUITE_H

#include "secure/seal.h"
#include "store/store.h"
#include "test.h"

struct suite {
    struct config config;
    struct sealer *sealer;
    struct store *store;
    struct arena *arena;
};

const char *suite_store_url(void);
bool suite_is_traced(void);
/* Open in the test's scratch folder. 0 or ERR_*. */
int suite_open_url(struct test *t, const char *url, struct suite *suite);
int suite_open(struct test *t, struct suite *suite);
void suite_close(struct suite *suite);

/* Rows with every column filled from id. */
struct chat_session_row a_session(const char *workspace, const char *id);
struct message_row a_message(
    const char *workspace, const char *session, int64_t seq, const char *body);
struct api_key_row a_key(const char *workspace, const char *id);
struct run_row a_run(const char *workspace, const char *id, const char *session, int64_t at);

/* A first page of 100. */
struct store_query a_query(
    enum store_entity entity, const char *workspace, int index, const char *value);

/* Batches of one op. */
int insert_row(struct suite *suite, enum store_entity entity, const void *row);
int put_row(struct suite *suite, enum store_entity entity, const void *row);
int update_row(struct suite *suite, enum store_entity entity, const void *row);
int delete_row(struct suite *suite, enum store_entity entity, const void *row);
int delete_all(struct suite *suite, enum store_entity entity, const char *workspace, int index,
    const char *parent);
int get_row(struct suite *suite, enum store_entity entity, const char *workspace, const char *id,
    void *ret_row);
/* Every child of parent, or row of a list, page by page of limit. */
int list_rows(struct suite *suite, struct store_query query, size_t limit, struct str *ret_ids);

#define S(cstr) str_from(cstr)

#endif
