#include "agent/tool.h"
