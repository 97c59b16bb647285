/* What the host gives to tools besides the store. */
#ifndef TOOLS_SERVICES_H
#define TOOLS_SERVICES_H

#include "agent/tool.h"
#include "calendar/calendar.h"

struct tool_services {
    struct calendar *calendar;
};

#endif
