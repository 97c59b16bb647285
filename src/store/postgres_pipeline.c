/* One round trip: reads in one transaction, writes that came together in another, and those that
 * must stand alone each in their own.
 *
 *   read, read, …, Sync | BEGIN, write, …, COMMIT, Sync | BEGIN, write, …, COMMIT, Sync | …
 *
 * Each part between two Syncs is a segment and succeeds or fails as a whole. When a shared one
 * fails, nothing of it was written, and its requests are asked for again, each alone. */
#include "store/postgres.h"

#include <errno.h>
#include <poll.h>

/* Rows in one statement: far below the 65,535 values that the protocol allows. */
#define ROWS_MAX 200
/* A batch that comes by itself and has no more ops is not merged: its outcome is then known at
 * once. */
#define ALONE_OPS 4

enum item_kind { ITEM_STATEMENT, ITEM_COMMIT, ITEM_SYNC };

struct item {
    enum item_kind kind;
    struct pg_request *request; /* whose rows these are, or which batch alone; or NULL */
    size_t op;
};

struct segment {
    struct pg_request **requests;
    size_t count;
    size_t first, end; /* its items */
    bool writes;
    bool alone;
    bool settled; /* committed, or refused by the server with nothing written */
    bool unsure;  /* it may have been committed */
    int result;   /* PG_RETRY until its end is seen */
    struct err err;
};

struct pipeline {
    struct pg_conn *conn;
    struct arena arena;
    struct item *items;
    size_t item_count, item_capacity;
    struct segment *segments;
    size_t segment_count;
    struct str workspace; /* set in the transaction that is being sent */
    bool lost;
    bool told; /* by the server that it goes */
};

static void add_item(struct pipeline *p, enum item_kind kind, struct pg_request *request, size_t op)
{
    if (p->item_count == p->item_capacity) {
        size_t capacity = p->item_capacity ? p->item_capacity * 2 : 64;
        p->items = arena_grow(&p->arena, p->items, p->item_capacity * sizeof(struct item),
            capacity * sizeof(struct item));
        p->item_capacity = capacity;
    }
    p->items[p->item_count++] = (struct item){kind, request, op};
}

static void send_text(struct pipeline *p, const char *sql, enum item_kind kind)
{
    if (!p->conn->pq->sendQueryParams(p->conn->db, sql, 0, NULL, NULL, NULL, NULL, 1))
        p->lost = true;
    add_item(p, kind, NULL, 0);
}

static void send_statement(
    struct pipeline *p, const struct pg_statement *st, struct pg_request *request, size_t op)
{
    if (!p->conn->pq->sendQueryParams(p->conn->db, st->sql.ptr, st->count, st->types, st->values,
            st->lengths, st->formats, 1))
        p->lost = true;
    add_item(p, ITEM_STATEMENT, request, op);
}

/* The tables' policies show a transaction only this workspace's rows. */
static void enter_workspace(struct pipeline *p, struct str workspace)
{
    struct pg_statement st;

    if (str_eq(p->workspace, workspace))
        return;
    p->workspace = workspace;
    pg_statement_init(&st, &p->arena, workspace);
    buf_add_cstr(&st.sql, "SELECT set_config('theo.workspace', ");
    pg_add_str(&st, workspace);
    buf_add_cstr(&st.sql, ", true)");
    if (p->conn->force_sync)
        buf_add_cstr(&st.sql, ", set_config('synchronous_commit', 'on', true)");
    send_statement(p, &st, NULL, 0);
}

static void send_ops(struct pipeline *p, const struct store_op *const *ops, size_t count,
    struct pg_request *request, size_t op)
{
    struct pg_statement st;

    pg_statement_init(&st, &p->arena, pg_op_workspace(ops[0]));
    enter_workspace(p, st.workspace_id);
    pg_sql_write(&st, ops, count);
    send_statement(p, &st, request, op);
}

/* Tables do not depend on each other, so the ops of one may be collected while those of others are
 * added; within a table their order stays. */
struct collector {
    const struct store_op **ops[STORE_ENTITY_COUNT];
    size_t counts[STORE_ENTITY_COUNT];
    struct str workspace;
};

static void emit(struct pipeline *p, struct collector *collector, enum store_entity entity)
{
    size_t count = collector->counts[entity];

    collector->counts[entity] = 0;
    if (count > 0)
        send_ops(p, collector->ops[entity], count, NULL, 0);
}

static void emit_all(struct pipeline *p, struct collector *collector)
{
    for (int entity = 0; entity < STORE_ENTITY_COUNT; entity++)
        emit(p, collector, (enum store_entity)entity);
}

static void collect(struct pipeline *p, struct collector *collector, const struct store_op *op)
{
    enum store_entity entity = op->entity;
    const struct store_op **ops = collector->ops[entity];
    bool single = op->kind == OP_DELETE || op->kind == OP_DELETE_ALL;

    if (!str_eq(collector->workspace, pg_op_workspace(op)))
        emit_all(p, collector);
    collector->workspace = pg_op_workspace(op);
    if (collector->counts[entity] > 0 &&
        (single || ops[0]->kind != op->kind || collector->counts[entity] == ROWS_MAX))
        emit(p, collector, entity);
    if (!ops)
        collector->ops[entity] = ops =
            arena_alloc(&p->arena, ROWS_MAX * sizeof(const struct store_op *));
    ops[collector->counts[entity]++] = op;
    if (single)
        emit(p, collector, entity);
}

/* Batches of the same workspace and shape side by side, so that their ops meet. */
static int compare_batches(const void *left, const void *right)
{
    const struct store_batch *a = (*(struct pg_request *const *)left)->batch;
    const struct store_batch *b = (*(struct pg_request *const *)right)->batch;
    int r = str_cmp(pg_op_workspace(&a->ops[0]), pg_op_workspace(&b->ops[0]));

    for (size_t i = 0; r == 0 && i < MIN(a->count, b->count); i++)
        r = a->ops[i].entity != b->ops[i].entity ? (int)a->ops[i].entity - (int)b->ops[i].entity
                                                 : (int)a->ops[i].kind - (int)b->ops[i].kind;
    return r;
}

static void send_shared(struct pipeline *p, struct segment *segment)
{
    struct collector collector = {.workspace = STR("")};

    qsort(segment->requests, segment->count, sizeof(*segment->requests), compare_batches);
    for (size_t i = 0; i < segment->count; i++) {
        const struct store_batch *batch = segment->requests[i]->batch;
        for (size_t j = 0; j < batch->count; j++)
            collect(p, &collector, &batch->ops[j]);
    }
    emit_all(p, &collector);
}

static void send_alone(struct pipeline *p, struct pg_request *request)
{
    if (!request->batch) {
        enter_workspace(p, request->query->workspace_id);
        send_statement(p, request->query, request, 0);
        return;
    }
    for (size_t i = 0; i < request->batch->count; i++) {
        const struct store_op *op = &request->batch->ops[i];
        send_ops(p, &op, 1, request, i);
    }
}

static void send_reads(struct pipeline *p, struct segment *segment)
{
    for (size_t i = 0; i < segment->count; i++) {
        enter_workspace(p, segment->requests[i]->query->workspace_id);
        send_statement(p, segment->requests[i]->query, segment->requests[i], 0);
    }
}

static void send_sync(struct pipeline *p)
{
    if (!p->conn->pq->pipelineSync(p->conn->db))
        p->lost = true;
    add_item(p, ITEM_SYNC, NULL, 0);
}

/* A transaction that failed stays open until a ROLLBACK, which is a warning in the server's log
 * when there is none. So where another transaction follows in the same pipeline, there is always
 * one to roll back. */
static void send_transaction(struct pipeline *p, struct segment *segment)
{
    bool first = segment == p->segments, last = segment + 1 == p->segments + p->segment_count;

    if (!first)
        send_text(p, "ROLLBACK", ITEM_STATEMENT);
    send_text(p, "BEGIN", ITEM_STATEMENT);
    if (segment->alone)
        send_alone(p, segment->requests[0]);
    else
        send_shared(p, segment);
    send_text(p, "COMMIT", ITEM_COMMIT);
    if (first && last)
        return;
    send_text(p, "BEGIN", ITEM_STATEMENT);
    if (last) {
        send_sync(p);
        send_text(p, "ROLLBACK", ITEM_STATEMENT);
    }
}

static void send_segment(struct pipeline *p, struct segment *segment)
{
    segment->first = p->item_count;
    p->workspace = (struct str){"", 0};
    if (segment->writes)
        send_transaction(p, segment);
    else
        send_reads(p, segment);
    send_sync(p);
    segment->end = p->item_count;
}

static bool wait_for(struct pg_conn *conn, short events)
{
    struct pollfd fd = {.fd = conn->pq->socket(conn->db), .events = events};
    int r;

    do
        r = poll(&fd, 1, PG_ANSWER_MS);
    while (r < 0 && errno == EINTR);
    if (r > 0 && fd.revents & ~POLLOUT)
        (void)conn->pq->consumeInput(conn->db); /* a failure shows in the next result */
    return r > 0;
}

static void flush(struct pipeline *p)
{
    int r;

    while (!p->lost && (r = p->conn->pq->flush(p->conn->db)) != 0)
        if (r < 0 || !wait_for(p->conn, POLLIN | POLLOUT))
            p->lost = true;
}

/* NULL: the end of a statement's results, or the connection is lost. */
static PGresult *next_result(struct pipeline *p)
{
    while (p->conn->pq->isBusy(p->conn->db))
        if (!wait_for(p->conn, POLLIN)) {
            p->lost = true;
            return NULL;
        }
    return p->conn->pq->getResult(p->conn->db);
}

static void settle_segment(struct segment *segment, struct item *item, int result)
{
    segment->settled = true;
    segment->result = result;
    if (result < 0)
        segment->err = *err_get();
    if (item->request && item->request->batch)
        item->request->batch->failed = item->op;
}

/* What the server has not answered when it says that it goes, it has not done. Otherwise a commit
 * that was sent may have happened. */
static void lose(struct pipeline *p, struct segment *segment)
{
    p->lost = true;
    for (; segment < p->segments + p->segment_count; segment++)
        segment->unsure = segment->writes && !segment->settled && !p->told;
}

static void read_error(
    struct pipeline *p, struct segment *segment, struct item *item, const PGresult *result)
{
    const char *state = p->conn->pq->resultErrorField(result, PG_DIAG_SQLSTATE);
    bool leaving = state && strncmp(state, "57P", 3) == 0;

    if (!state || (leaving && item->kind == ITEM_COMMIT)) {
        lose(p, segment);
        return;
    }
    p->told |= leaving;
    settle_segment(segment, item, pg_result_error(p->conn, result));
    if (leaving)
        lose(p, segment);
}

/* False when the connection is lost. */
static bool read_item(struct pipeline *p, struct segment *segment, struct item *item)
{
    const struct pg_libpq *pq = p->conn->pq;
    PGresult *result = next_result(p), *end;
    ExecStatusType status = result ? pq->resultStatus(result) : PGRES_FATAL_ERROR;

    if (!result)
        lose(p, segment);
    else if (status == PGRES_FATAL_ERROR)
        read_error(p, segment, item, result);
    else if (item->kind == ITEM_COMMIT && status == PGRES_COMMAND_OK)
        settle_segment(segment, item, 0);
    if (status == PGRES_TUPLES_OK && item->request && !item->request->batch)
        item->request->rows = result;
    else
        pq->clear(result);
    while (!p->lost && item->kind != ITEM_SYNC && (end = next_result(p)))
        pq->clear(end);
    return !p->lost;
}

static bool read_segment(struct pipeline *p, struct segment *segment)
{
    for (size_t i = segment->first; i < segment->end; i++)
        if (!read_item(p, segment, &p->items[i]))
            return false;
    if (!segment->writes && !segment->settled)
        segment->result = 0;
    return true;
}

/* The only transaction of a pipeline has failed and is still open. */
static void roll_back(struct pipeline *p)
{
    struct segment segment = {.first = p->item_count, .settled = true};

    send_text(p, "ROLLBACK", ITEM_STATEMENT);
    send_sync(p);
    flush(p);
    segment.end = p->item_count;
    (void)!read_segment(p, &segment);
}

/* In a segment that was shared, nobody knows whose fault it was. */
static void answer_segment(struct pipeline *p, struct segment *segment)
{
    for (size_t i = 0; i < segment->count; i++) {
        struct pg_request *request = segment->requests[i];
        request->result = segment->result;
        request->err = segment->err;
        if (segment->result == 0)
            continue;
        request->unsure |= segment->unsure;
        if (segment->unsure || (segment->settled && !segment->alone)) {
            request->result = PG_RETRY;
            request->alone = true;
        }
        p->conn->pq->clear(request->rows);
        request->rows = NULL;
    }
}

static struct segment *add_segment(struct pipeline *p, bool writes, bool alone, size_t capacity)
{
    struct segment *segment = &p->segments[p->segment_count++];

    *segment = (struct segment){.writes = writes, .alone = alone, .result = PG_RETRY};
    segment->requests = arena_array(&p->arena, struct pg_request *, capacity);
    return segment;
}

static void plan(struct pipeline *p, struct pg_request *const *requests, size_t count)
{
    struct segment *reads = NULL, *shared = NULL;

    p->segments = arena_array(&p->arena, struct segment, count + 2);
    for (int writes = 0; writes < 2; writes++)
        for (size_t i = 0; i < count; i++) {
            struct pg_request *request = requests[i];
            bool is_write = request->batch || request->writes;
            struct segment **joint = is_write ? &shared : &reads, *alone;

            if (is_write != (writes != 0))
                continue;
            if (request->alone || request->writes) {
                alone = add_segment(p, is_write, true, 1);
                alone->requests[alone->count++] = request;
                continue;
            }
            if (!*joint)
                *joint = add_segment(p, is_write, false, count);
            (*joint)->requests[(*joint)->count++] = request;
        }
    if (shared && shared->count == 1 && shared->requests[0]->batch->count <= ALONE_OPS)
        shared->alone = true;
}

bool pg_pipeline_run(struct pg_conn *conn, struct pg_request *const *requests, size_t count)
{
    struct pipeline p = {.conn = conn};

    arena_init(&p.arena);
    plan(&p, requests, count);
    for (size_t i = 0; i < p.segment_count; i++)
        send_segment(&p, &p.segments[i]);
    flush(&p);
    for (size_t i = 0; i < p.segment_count; i++)
        if (!read_segment(&p, &p.segments[i]))
            break;
    if (!p.lost && p.segment_count == 1 && p.segments[0].writes && p.segments[0].result != 0)
        roll_back(&p);
    for (size_t i = 0; i < p.segment_count; i++)
        answer_segment(&p, &p.segments[i]);
    arena_deinit(&p.arena);
    return !p.lost;
}
