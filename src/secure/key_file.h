/* Inside of secure/seal.h: the file of the master key. Blocks. */
#ifndef SECURE_KEY_FILE_H
#define SECURE_KEY_FILE_H

#include "secure/seal.h"

/* Read the key at path into ret_key. Errors as sealer_open(). */
MUST_CHECK int key_file_read(const char *path, unsigned char ret_key[SEAL_KEY_LEN]);
/* The same whoever else may read it: Docker and Kubernetes mount secrets readable by all inside. */
MUST_CHECK int key_file_read_mounted(const char *path, unsigned char ret_key[SEAL_KEY_LEN]);
/* Make the file with a new random key, complete and synced before its name appears. ERR_EXISTS. */
MUST_CHECK int key_file_create(const struct env *env, const char *path);

/* PATH becomes PATH.old and PATH.next becomes PATH; at no moment is there no PATH. */
MUST_CHECK int key_file_promote(const char *path);

#endif
