/* Key providers: who keeps the master key, and wraps the data keys of workspaces under it.
 *
 * A provider is one file with one const struct key_provider_ops and one line in src/catalog.def.
 * "file" and "env" have the master key here, in memory that is locked and wiped; "aws-kms" and
 * "gcp-kms" never see it and ask the service for every wrapping, with the workspace's id and the
 * key's number as what it authenticates besides (encryption context, additional authenticated
 * data): a wrapped key moved to another workspace does not open.
 *
 * A wrapped key says how it is wrapped. By a key that is here: a sealed value as in secure/seal.h
 * (version 1). By a service: 1 byte version (2), 4 bytes key number, 2 bytes length of the master
 * key's id, the id, and what the service made of it; all big-endian.
 */
#ifndef SECURE_KEY_PROVIDER_H
#define SECURE_KEY_PROVIDER_H

#include "base/config.h"
#include "secure/seal.h"

/* What a data key belongs to: authenticated by whoever wraps it. */
struct key_use {
    struct str workspace;
    uint32_t number;
};

struct key_provider {
    const struct key_provider_ops *ops;
    const struct env *env;
    /* Of the master key, as stores remember it: 16 hex digits of its hash when it is here, else
     * the service and the key's full name there. Owned by the provider. */
    const char *id;
    const unsigned char *master; /* NULL when it is not here */
};

struct key_provider_request {
    const struct config *config;
    const struct env *env;
    struct str place;  /* what follows the colon of the setting; "" without one */
    bool create;       /* make a master key where there is none, if it is a provider that can */
    bool *ret_created; /* may be NULL */
};

struct key_provider_ops {
    const char *name; /* as in the setting key-provider */
    /* Proves that the key can be used. ERR_* with what is wrong and what to do. Yields when the
     * provider is a service: then on a fiber only, as wrap and unwrap. */
    int (*open)(const struct key_provider_request *request, struct key_provider **ret_provider);
    void (*close)(struct key_provider *provider);
    int (*wrap)(struct key_provider *provider, const struct key_use *use,
        const unsigned char key[SEAL_KEY_LEN], struct arena *arena, struct str *ret_wrapped);
    /* ERR_CORRUPT when it does not open under this master key, or not for this use. */
    int (*unwrap)(struct key_provider *provider, const struct key_use *use, struct str wrapped,
        struct arena *arena, unsigned char ret_key[SEAL_KEY_LEN]);
    /* Does it open what is wrapped under the master key of that id? NULL: its own id only. */
    bool (*holds)(const struct key_provider *provider, struct str id);
};

extern const struct key_provider_ops key_provider_file, key_provider_env;
extern const struct key_provider_ops key_provider_aws_kms, key_provider_gcp_kms;

/* The providers that the host built in, from src/catalog.def; ends with a NULL. */
void key_provider_register(const struct key_provider_ops *const *providers);
/* Open the one that spec names: "NAME" or "NAME:PLACE". ERR_INVALID for an unknown name. */
MUST_CHECK int key_provider_open(
    struct str spec, struct key_provider_request *request, struct key_provider **ret_provider);
void key_provider_close(struct key_provider *provider); /* NULL is fine */
bool key_provider_holds(const struct key_provider *provider, struct str id);

/* The number and, for a service, the master key's id that a wrapped key says; number 0 when it is
 * no wrapped key. */
uint32_t wrapped_number(struct str wrapped);
struct str wrapped_id(struct str wrapped); /* "" for version 1 */

MUST_CHECK int key_provider_wrap(struct key_provider *provider, const struct key_use *use,
    const unsigned char key[SEAL_KEY_LEN], struct arena *arena, struct str *ret_wrapped);
MUST_CHECK int key_provider_unwrap(struct key_provider *provider, const struct key_use *use,
    struct str wrapped, struct arena *arena, unsigned char ret_key[SEAL_KEY_LEN]);
/* Base64 (RFC 4648, padded), as services spell bytes. */
struct str key_base64(struct arena *arena, struct str bytes);
MUST_CHECK bool key_unbase64(struct arena *arena, struct str text, struct str *ret_bytes);
/* A key out of an answer, which is wiped. False unless it is one. */
MUST_CHECK bool key_take_base64(struct str text, unsigned char ret_key[SEAL_KEY_LEN]);

/* A random key goes there and comes back: can the master key be used? */
MUST_CHECK int key_provider_probe(struct key_provider *provider);

#endif
