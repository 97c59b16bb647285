#include "agent/speak.h"
