#include "http/sse.h"
