/* Inside of secure/: a master key that is here, in memory, for the providers "file" and "env" and
 * for stores that forget. Thread-safe. */
#ifndef SECURE_KEY_LOCAL_H
#define SECURE_KEY_LOCAL_H

#include "secure/key_provider.h"

/* A provider around a master key, which is copied. path: of its file, whose neighbours PATH.next
 * and PATH.old are held too; NULL: none. ERR_* when a neighbour cannot be read. Blocks. */
MUST_CHECK int key_local_new(const struct key_provider_ops *ops, const struct env *env,
    const unsigned char master[SEAL_KEY_LEN], const char *path, struct key_provider **ret_provider);
/* Open (or create) the file; errors as sealer_open(). Blocks. */
MUST_CHECK int key_local_open(const struct env *env, const char *path, bool create,
    bool *ret_created, struct key_provider **ret_provider);

/* The slots of its ops. */
void key_local_close(struct key_provider *provider);
int key_local_wrap(struct key_provider *provider, const struct key_use *use,
    const unsigned char key[SEAL_KEY_LEN], struct arena *arena, struct str *ret_wrapped);
int key_local_unwrap(struct key_provider *provider, const struct key_use *use, struct str wrapped,
    struct arena *arena, unsigned char ret_key[SEAL_KEY_LEN]);
bool key_local_holds(const struct key_provider *provider, struct str id);

/* As secure/seal.h says of the file's rotation. ERR_DENIED when there is no file. Blocks. */
MUST_CHECK int key_local_prepare_next(struct key_provider *provider, char ret_id[17]);
bool key_local_is_next(struct key_provider *provider, const struct key_use *use, struct str wrapped,
    struct arena *arena);
struct str key_local_wrap_next(struct key_provider *provider, const struct key_use *use,
    const unsigned char key[SEAL_KEY_LEN], struct arena *arena);
MUST_CHECK int key_local_promote_next(struct key_provider *provider);

#endif
