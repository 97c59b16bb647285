#include "calendar/calendar.h"
