#include "text/transcript.h"
