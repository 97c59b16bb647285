#include "text/sse.h"
