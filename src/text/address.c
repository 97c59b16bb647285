#include "text/address.h"
