#include "cache/redis_link.h"

static struct str first_word(struct str text)
{
    size_t end = 0;

    while (end < text.len && end < 20 && text.ptr[end] >= 'A' && text.ptr[end] <= 'Z')
        end++;
    return str_slice(text, 0, end);
}

/* What each kind of error means for the operator. */
static const struct {
    const char *kind, *remedy;
} remedies[] = {
    {"NOAUTH",
        "wants a password and redis.url holds none: write it there before the host, as :PASSWORD@"},
    {"WRONGPASS", "refuses the user or the password in redis.url: correct it there"},
    {"DENIED", "is in protected mode: give it a password (requirepass) or bind it to an address "
               "that Theo reaches privately"},
    {"NOPERM",
        "does not let this user do that: give it +get +set +del +eval +time +publish +subscribe "
        "+ping +select on ~theo:* &theo:*"},
    {"LOADING", "is still loading its data: it will be used as soon as it is done"},
    {"READONLY", "is a read-only replica: name the primary in redis.url"},
    {"OOM", "has no memory left: raise maxmemory, or set maxmemory-policy to allkeys-lru"},
    {"MISCONF", "does not accept writes because its snapshots fail: see its log"},
    {"MOVED", "is a cluster node: name an endpoint that is not in cluster mode"},
    {"CLUSTERDOWN", "is a cluster node: name an endpoint that is not in cluster mode"},
    {"BUSY", "is busy with a script: see SCRIPT KILL"},
    {"MASTERDOWN", "has lost its primary"},
};

static const char *remedy_of(enum redis_step step, struct str kind, struct str text)
{
    for (size_t i = 0; i < ARRAY_LEN(remedies); i++)
        if (str_is(kind, remedies[i].kind))
            return remedies[i].remedy;
    if (str_find(text, STR("max number of clients"), 0) >= 0)
        return "has no free connection: raise its maxclients";
    if (step == REDIS_AUTH && str_find_nocase(text, STR("invalid password"), 0) >= 0)
        return "refuses the password in redis.url: correct it there";
    if (step == REDIS_AUTH && str_find_nocase(text, STR("password"), 0) >= 0)
        return "has no password, but redis.url holds one: take it out";
    if (step == REDIS_AUTH)
        return "does not take the user and password in redis.url (before version 6 it knows no "
               "users)";
    if (step == REDIS_SELECT)
        return "does not have the database that redis.url names after the slash";
    return NULL;
}

int redis_answer_error(const struct redis_address *address, enum redis_step step, struct str text)
{
    struct str kind = first_word(text);
    const char *remedy = remedy_of(step, kind, text);

    if (remedy)
        return err_set(ERR_UNAVAILABLE, "Redis at %s:%d %s", address->host, address->port, remedy);
    return err_set(ERR_UNAVAILABLE, "Redis at %s:%d answered with the error %.*s", address->host,
        address->port, STR_ARG(kind.len ? kind : STR("(without a name)")));
}
