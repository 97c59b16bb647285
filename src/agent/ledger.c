#include "agent/ledger.h"
