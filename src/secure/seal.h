/* Envelope encryption of what is stored.
 *
 * XChaCha20-Poly1305 (libsodium) with one data key per workspace; data keys are wrapped by the
 * master key. A sealed value is: 1 byte version (1), 4 bytes key number (big-endian), 24 bytes
 * nonce, ciphertext with 16 bytes tag. The associated data binds it to where it belongs
 * ("messages|ws|session|7|text"), so that values cannot be swapped between rows.
 *
 * The master key file holds 32 random bytes as 64 hex digits, mode 0600, made at first start with
 * O_EXCL and synced with its folder before use. Keys live in sodium_malloc'd memory and are wiped.
 * Thread-safe. Nothing yields; opening the file blocks (start-up only).
 */
#ifndef SECURE_SEAL_H
#define SECURE_SEAL_H

#include "base/buf.h"
#include "base/env.h"
#include "base/err.h"

#define SEAL_OVERHEAD (1 + 4 + 24 + 16)
#define SEAL_KEY_LEN 32

struct sealer;

/* Once per process; idempotent. */
MUST_CHECK int secure_init(void);

/* Open or (create true) make the master key at path. ret_created may be NULL. ERR_NOT_FOUND,
 * ERR_DENIED (readable by others; says chmod 600), ERR_CORRUPT, ERR_IO. */
MUST_CHECK int sealer_open(const struct env *env, const char *path, bool create,
    struct sealer **ret_sealer, bool *ret_created);
/* A random master key in memory only, for store "memory" and tests. */
MUST_CHECK int sealer_new_ephemeral(const struct env *env, struct sealer **ret_sealer);
void sealer_free(struct sealer *sealer);
/* 16 hex digits that identify the master key (BLAKE2b of it): stored with the data, so that a
 * store sealed under another key is refused clearly. */
void sealer_key_id(const struct sealer *sealer, char out[17]);

/* A fresh data key, wrapped by the master key, as bytes to store; aad: the workspace id. */
MUST_CHECK int sealer_make_data_key(
    struct sealer *sealer, struct str workspace, struct arena *arena, struct str *ret_wrapped);
/* Make a wrapped data key usable for seal/unseal of that workspace. ERR_CORRUPT when it does not
 * open under this master key. Idempotent. */
MUST_CHECK int sealer_add_data_key(struct sealer *sealer, struct str workspace, struct str wrapped);
bool sealer_has_data_key(const struct sealer *sealer, struct str workspace);

/* Changing the master key (file PATH). PATH.next is the coming one and PATH.old the one before;
 * sealer_open() reads both where they are, and a sealer that meets a data key of an unknown master
 * key looks for them again: so servers go on while another process rotates. */

/* Is the master key of that id one that is held: PATH's, PATH.next's or PATH.old's? */
bool sealer_holds(const struct sealer *sealer, struct str id);
/* Make PATH.next unless it is there, and hold it. Its id. Blocks. */
MUST_CHECK int sealer_prepare_next(struct sealer *sealer, char ret_id[17]);
/* Wrap a data key anew, under PATH.next; *ret_wrapped is the same when it is so already. */
MUST_CHECK int sealer_rewrap(struct sealer *sealer, struct str workspace, struct str wrapped,
    struct arena *arena, struct str *ret_wrapped);
/* PATH becomes PATH.old, PATH.next becomes PATH: once everything is wrapped under it. The sealer
 * goes on with what it holds. Blocks. */
MUST_CHECK int sealer_promote_next(struct sealer *sealer);

/* A keyed check sum (BLAKE2b) of bytes under a key made from the master key: who does not hold it
 * cannot make one. context keeps uses apart, number keeps the places of a sequence apart. */
#define SEAL_MAC_LEN 16
void sealer_mac(const struct sealer *sealer, const char *context, uint64_t number, struct str bytes,
    unsigned char out[SEAL_MAC_LEN]);

/* ERR_NOT_FOUND without a data key. */
MUST_CHECK int seal(struct sealer *sealer, struct str workspace, struct str aad, struct str plain,
    struct arena *arena, struct str *ret_sealed);
/* ERR_CORRUPT when it was changed, moved or sealed with another key. */
MUST_CHECK int unseal(struct sealer *sealer, struct str workspace, struct str aad,
    struct str sealed, struct arena *arena, struct str *ret_plain);

#endif
