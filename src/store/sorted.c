#include "store/sorted.h"

static struct sorted_node *node_new(struct str key, void *value, int height)
{
    size_t links = sizeof(struct sorted_node) + (size_t)height * sizeof(struct sorted_node *);
    struct sorted_node *node = xmalloc(links + key.len + 1);
    char *bytes = (char *)node + links;

    memset(node, 0, links);
    if (key.len)
        memcpy(bytes, key.ptr, key.len);
    node->value = value;
    node->key = (struct str){bytes, key.len};
    node->height = height;
    return node;
}

void sorted_init(struct sorted *map)
{
    *map = (struct sorted){
        .head = node_new(STR(""), NULL, SORTED_HEIGHT), .seed = 0x9e3779b97f4a7c15u};
}

void sorted_deinit(struct sorted *map, void (*free_value)(void *value))
{
    struct sorted_node *next;

    for (struct sorted_node *node = map->head; node; node = next) {
        next = node->next[0];
        if (free_value && node != map->head)
            free_value(node->value);
        free(node);
    }
    map->head = NULL;
}

/* Fill path with the last node before key on every level; returns the one on the lowest. */
static struct sorted_node *descend(
    const struct sorted *map, struct str key, struct sorted_node **path)
{
    struct sorted_node *node = map->head;

    for (int level = SORTED_HEIGHT - 1; level >= 0; level--) {
        while (node->next[level] && str_cmp(node->next[level]->key, key) < 0)
            node = node->next[level];
        if (path)
            path[level] = node;
    }
    return node;
}

struct sorted_node *sorted_from(const struct sorted *map, struct str key)
{
    return descend(map, key, NULL)->next[0];
}

struct sorted_node *sorted_before(const struct sorted *map, struct str key)
{
    struct sorted_node *node = descend(map, key, NULL);

    return node == map->head ? NULL : node;
}

static struct sorted_node *find(const struct sorted *map, struct str key)
{
    struct sorted_node *node = sorted_from(map, key);

    return node && str_eq(node->key, key) ? node : NULL;
}

void *sorted_get(const struct sorted *map, struct str key)
{
    struct sorted_node *node = find(map, key);

    return node ? node->value : NULL;
}

void sorted_set(struct sorted *map, struct str key, void *value)
{
    find(map, key)->value = value;
}

/* Each level is reached with probability 1/4 (xorshift64*; two bits a level). */
static int random_height(struct sorted *map)
{
    int height = 1;
    uint64_t bits;

    map->seed ^= map->seed >> 12;
    map->seed ^= map->seed << 25;
    map->seed ^= map->seed >> 27;
    bits = (map->seed * 0x2545f4914f6cdd1du) >> 16;
    for (; height < SORTED_HEIGHT && (bits & 3) == 0; bits >>= 2)
        height++;
    return height;
}

bool sorted_insert(struct sorted *map, struct str key, void *value)
{
    struct sorted_node *path[SORTED_HEIGHT];
    struct sorted_node *before = descend(map, key, path), *node;

    if (before->next[0] && str_eq(before->next[0]->key, key))
        return false;
    node = node_new(key, value, random_height(map));
    for (int level = 0; level < node->height; level++) {
        node->next[level] = path[level]->next[level];
        path[level]->next[level] = node;
    }
    node->prev = before == map->head ? NULL : before;
    if (node->next[0])
        node->next[0]->prev = node;
    map->count++;
    return true;
}

void *sorted_remove(struct sorted *map, struct str key)
{
    struct sorted_node *path[SORTED_HEIGHT];
    struct sorted_node *node = descend(map, key, path)->next[0];
    void *value;

    if (!node || !str_eq(node->key, key))
        return NULL;
    for (int level = 0; level < node->height; level++)
        path[level]->next[level] = node->next[level];
    if (node->next[0])
        node->next[0]->prev = node->prev;
    value = node->value;
    free(node);
    map->count--;
    return value;
}
