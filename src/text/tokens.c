#include "text/tokens.h"
