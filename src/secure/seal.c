#include "secure/seal.h"
