#include "runtime/fiber.h"
