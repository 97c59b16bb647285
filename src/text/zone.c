#include "text/zone.h"
