#include "runtime/channel.h"
