/* What archive.c writes and archive_read.c reads. */
#ifndef STORE_ARCHIVE_FORMAT_H
#define STORE_ARCHIVE_FORMAT_H

#include "store/archive.h"

#define ARCHIVE_MAGIC "theo backup 1\n"
#define ARCHIVE_CONTEXT "theo backup"
#define ARCHIVE_RECORD_MAX ((uint32_t)1 << 30)

#endif
