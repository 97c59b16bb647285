#include "store/backend.h"

void store_batch_init(struct store_batch *batch, struct arena *arena)
{
    *batch = (struct store_batch){.arena = arena};
}

static void add_op(struct store_batch *batch, struct store_op op)
{
    if (batch->count == batch->capacity) {
        size_t capacity = batch->capacity ? batch->capacity * 2 : 8;
        batch->ops = arena_grow(
            batch->arena, batch->ops, batch->capacity * sizeof(op), capacity * sizeof(op));
        batch->capacity = capacity;
    }
    batch->ops[batch->count++] = op;
}

void store_insert(struct store_batch *batch, enum store_entity entity, const void *row)
{
    add_op(batch, (struct store_op){.kind = OP_INSERT, .entity = entity, .row = row});
}

void store_put(struct store_batch *batch, enum store_entity entity, const void *row)
{
    add_op(batch, (struct store_op){.kind = OP_PUT, .entity = entity, .row = row});
}

void store_update(struct store_batch *batch, enum store_entity entity, const void *row)
{
    add_op(batch, (struct store_op){.kind = OP_UPDATE, .entity = entity, .row = row});
}

void store_delete(struct store_batch *batch, enum store_entity entity, const void *row)
{
    add_op(batch, (struct store_op){.kind = OP_DELETE, .entity = entity, .row = row});
}

void store_delete_all(struct store_batch *batch, enum store_entity entity, struct str workspace_id,
    int index, struct str parent)
{
    add_op(batch, (struct store_op){.kind = OP_DELETE_ALL,
                      .entity = entity,
                      .workspace_id = workspace_id,
                      .index = index,
                      .parent = parent});
}

void store_batch_append(struct store_batch *batch, const struct store_batch *more)
{
    for (size_t i = 0; i < more->count; i++)
        add_op(batch, more->ops[i]);
}
