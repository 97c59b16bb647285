#include "store/postgres.h"

#include <dlfcn.h>

int pg_libpq_load(struct pg_libpq *ret_libpq)
{
    struct pg_libpq loaded;
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);

    if (!library)
        return err_set(ERR_UNAVAILABLE,
            "The store postgres needs the library libpq.so.5: install the package libpq5.");
#define LOAD(name)                                                                                 \
    loaded.name = (__typeof__(loaded.name))(uintptr_t)dlsym(library, "PQ" #name);                  \
    if (!loaded.name)                                                                              \
        return err_set(ERR_UNAVAILABLE,                                                            \
            "The library libpq.so.5 has no PQ%s: install the package libpq5 of PostgreSQL 14 or "  \
            "newer.",                                                                              \
            #name);
    PG_LIBPQ(LOAD)
#undef LOAD
    *ret_libpq = loaded;
    return 0;
}
