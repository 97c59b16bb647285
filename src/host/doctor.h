/* What theo doctor finds. The checks of this machine are in doctor.c, those of the services that
 * Theo works with in doctor_services.c.
 */
#ifndef HOST_DOCTOR_H
#define HOST_DOCTOR_H

#include "host/boot.h"

enum finding_state { FINDING_OK, FINDING_NOTE, FINDING_BROKEN };

struct finding {
    const char *what;
    enum finding_state state;
    struct str detail;
};

#define FINDINGS_MAX 48

struct doctor {
    struct boot boot;
    struct arena arena;
    struct finding findings[FINDINGS_MAX];
    size_t count;
    bool opened;
    bool fresh; /* the data folder is still to be made, and the doctor does not make it */
};

/* One line of the report; what is too many is left out. */
void doctor_find(struct doctor *doctor, const char *what, enum finding_state state, const char *fmt,
    ...) PRINTF_LIKE(4, 5);
/* Settings, store, cache, Telegram, files of people, models. Outside fibers. */
void doctor_check_services(struct doctor *doctor);

#endif
