#include "secure/redact.h"
