#include "runtime/errinj.h"
