#include "text/digest.h"
