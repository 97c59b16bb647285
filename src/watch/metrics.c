#include "watch/metrics.h"
