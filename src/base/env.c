#include "base/env.h"
