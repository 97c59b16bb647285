#include "text/when.h"
