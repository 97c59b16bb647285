/* What the host gives to tools besides the store. */
#ifndef TOOLS_SERVICES_H
#define TOOLS_SERVICES_H

#include "agent/tool.h"
#include "calendar/calendar.h"

struct tool_services {
    struct calendar *calendar;
    int64_t duration_minutes; /* of a meeting when nobody says; 0: 30 */
};

#endif
