/* Estimates of model tokens without a tokenizer: about 4 bytes of Latin text or one CJK character
 * a token; errs high. */
#ifndef TEXT_TOKENS_H
#define TEXT_TOKENS_H

#include "base/str.h"

int64_t tokens_estimate(struct str text);

#endif
