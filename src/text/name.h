/* A person's or agent's name as a word of its own in running text. Pure, does not yield. */
#ifndef TEXT_NAME_H
#define TEXT_NAME_H

#include "base/str.h"

/* Where name stands in text at or after from, ASCII case ignored, or -1. "@name", "name's" and
 * "(name)" count; "name_bot", "name-like", "name.io", "name|away", "#name" and "x@name" do not. */
ptrdiff_t name_find(struct str text, struct str name, size_t from);

#endif
