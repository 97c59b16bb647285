#include "store/api_keys.h"
