#include "secure/keys.h"
