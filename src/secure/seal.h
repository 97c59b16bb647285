/* Envelope encryption of what is stored.
 *
 * XChaCha20-Poly1305 (libsodium) with one data key per workspace; data keys are wrapped by the
 * master key. A sealed value is: 1 byte version (1), 4 bytes key number (big-endian), 24 bytes
 * nonce, ciphertext with 16 bytes tag. The associated data binds it to where it belongs
 * ("messages|ws|session|7|text"), so that values cannot be swapped between rows.
 *
 * The master key file holds 32 random bytes as 64 hex digits, mode 0600, made at first start with
 * O_EXCL and synced with its folder before use. Keys live in sodium_malloc'd memory and are wiped.
 * Other places for the master key: secure/key_provider.h.
 *
 * Thread-safe. Opening the file blocks (start-up only). Where the master key is with a service,
 * what wraps and unwraps data keys yields: the service is asked once for each data key.
 */
#ifndef SECURE_SEAL_H
#define SECURE_SEAL_H

#include "base/buf.h"
#include "base/config.h"
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
/* The providers that the setting key-provider names, comma-separated: the first one wraps, all of
 * them unwrap. create as above, for the first. Errors as each provider's, with the remedy. On a
 * fiber. Yields. */
MUST_CHECK int sealer_open_providers(const struct env *env, const struct config *config,
    bool create, struct sealer **ret_sealer, bool *ret_created);
void sealer_free(struct sealer *sealer);
/* 0, or what a service that keeps the master key answered last; then it is asked again. Yields. */
MUST_CHECK int sealer_health(struct sealer *sealer);
/* The id of the master key that wraps: 16 hex digits as below, or "aws-kms:arn:…". Stores remember
 * it. */
const char *sealer_master_id(const struct sealer *sealer);
/* 16 hex digits that identify the master key (BLAKE2b of it): stored with the data, so that a
 * store sealed under another key is refused clearly. */
void sealer_key_id(const struct sealer *sealer, char out[17]);

/* A fresh data key, wrapped by the master key, as bytes to store; aad: the workspace id. */
MUST_CHECK int sealer_make_data_key(
    struct sealer *sealer, struct str workspace, struct arena *arena, struct str *ret_wrapped);
/* Make a wrapped data key usable for seal/unseal of that workspace. ERR_CORRUPT when it does not
 * open under this master key. Idempotent. Of several data keys the one with the highest number
 * seals. */
MUST_CHECK int sealer_add_data_key(struct sealer *sealer, struct str workspace, struct str wrapped);
bool sealer_has_data_key(const struct sealer *sealer, struct str workspace);
/* The number of the data key that a value was sealed with; 0 when it is no sealed value. */
uint32_t seal_key_number(struct str sealed);
/* Was the workspace's row looked at within the setting key-refresh-seconds, or twice that while one
 * caller, who is told false, looks again? Nobody seals with keys that were not: so an old data key
 * is out of use everywhere a known time after a newer one was stored. */
bool sealer_is_fresh(struct sealer *sealer, struct str workspace);
void sealer_set_fresh(struct sealer *sealer, struct str workspace, int64_t looked_ms);
int64_t sealer_refresh_ms(const struct sealer *sealer);

/* Changing the master key. In a file, PATH.next is the coming one and PATH.old the one before; both
 * are read where they are, and a sealer that meets a data key of an unknown master key looks for
 * them again: so servers go on while another process rotates. To another provider, servers go on
 * that name both. */

/* Is the master key of that id one that some provider here holds? */
bool sealer_holds(const struct sealer *sealer, struct str id);
/* Rotate to the provider that spec names rather than to PATH.next. Yields. */
MUST_CHECK int sealer_rotate_to(
    struct sealer *sealer, const struct config *config, const char *spec);
/* Make PATH.next unless it is there, and hold it. Its id. Blocks. ERR_INVALID without a file. */
MUST_CHECK int sealer_prepare_next(struct sealer *sealer, char ret_id[17]);
/* That, or the id of the provider that sealer_rotate_to() named. */
MUST_CHECK int sealer_prepare(struct sealer *sealer, struct arena *arena, struct str *ret_id);
/* Wrap a data key anew, under what was prepared; *ret_wrapped is the same when it is so already.
 * Yields. */
MUST_CHECK int sealer_rewrap(struct sealer *sealer, struct str workspace, struct str wrapped,
    struct arena *arena, struct str *ret_wrapped);
/* PATH becomes PATH.old, PATH.next becomes PATH: once everything is wrapped under it. Nothing when
 * the rotation goes to another provider. The sealer goes on with what it holds. Blocks. */
MUST_CHECK int sealer_promote_next(struct sealer *sealer);

/* A keyed check sum (BLAKE2b) of bytes under a key made from the master key: who does not hold it
 * cannot make one. context keeps uses apart, number keeps the places of a sequence apart. */
#define SEAL_MAC_LEN 16
void sealer_mac(const struct sealer *sealer, const char *context, uint64_t number, struct str bytes,
    unsigned char out[SEAL_MAC_LEN]);

/* Where the master key is with a service, check sums need a key of their own: made and held now,
 * and given wrapped, to be kept with what is summed; "" when it is not needed. Yields. */
MUST_CHECK int sealer_mac_begin(
    struct sealer *sealer, struct arena *arena, struct str *ret_wrapped);
/* Hold the one that was given then. Yields. */
MUST_CHECK int sealer_mac_resume(struct sealer *sealer, struct str wrapped);

/* ERR_NOT_FOUND without a data key. */
MUST_CHECK int seal(struct sealer *sealer, struct str workspace, struct str aad, struct str plain,
    struct arena *arena, struct str *ret_sealed);
/* ERR_CORRUPT when it was changed, moved or sealed with another key; ERR_NOT_FOUND when its data
 * key's number is not known: it may be newer than what was added. */
MUST_CHECK int unseal(struct sealer *sealer, struct str workspace, struct str aad,
    struct str sealed, struct arena *arena, struct str *ret_plain);

#endif
