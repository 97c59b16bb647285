#include "calendar/ics.h"
