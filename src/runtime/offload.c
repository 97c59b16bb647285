#include "runtime/offload.h"
