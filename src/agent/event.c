#include "agent/event.h"
